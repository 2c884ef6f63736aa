"""The books of the cycles: every one is put down to the code that took it, and counting changes nothing."""

from __future__ import annotations

import pytest
from core_rig import MAIN, SYST_CSR, SYST_RVR, TICKS_PER_CYCLE, CoreRig, handler_address, program

from pytest_lan_hil.virtual.silicon.blocks import FlashTiming
from pytest_lan_hil.virtual.silicon.cycles import analyse

# Outer loop at 0x404, inner loop at 0x406: two blocks after the first instruction.
LOOPS = program(
    "movs r0, #0; movs r4, #0; 1: movs r1, #5; 2: subs r1, #1; bne 2b; adds r0, #1; cmp r0, #100; bne 1b; "
    "b .",
    "0020002405210139fdd101306428f9d1fee7",
)
COUNT_AND_RETURN = program("adds r4, #1; bx lr", "01347047")
SYSTICK = 15
SLOW_FLASH = FlashTiming(base=0, size=0x2_0000, wait_states=3, width_log2=3, line_log2=4, ways=2, sets=4)


def looping(timing: FlashTiming | None = None) -> CoreRig:
    rig = CoreRig(timing) if timing is not None else CoreRig()
    return rig.boot(LOOPS, {SYSTICK: COUNT_AND_RETURN})


def test_each_block_has_its_own_cycles_with_the_jumps_that_it_makes() -> None:
    rig = looping()
    rig.core.counting.start()
    before = rig.core.clock.cycles()
    rig.run(4000)
    found = rig.core.counting.stop()
    assert sum(found.values()) == rig.core.clock.cycles() - before
    first, outer, inner, last = MAIN, MAIN + 4, MAIN + 6, MAIN + 10
    forever = MAIN + len(LOOPS) - 2
    assert found.keys() == {first, outer, inner, last, forever}

    def cycles(start: int, stop: int, *, ran: int, jumped: int) -> int:
        block = analyse(LOOPS[start - MAIN : stop - MAIN], start)
        return ran * block.cost + jumped * block.taken

    assert found[first] == cycles(first, last, ran=1, jumped=1)
    assert found[outer] == cycles(outer, last, ran=99, jumped=99)
    assert found[inner] == cycles(inner, last, ran=400, jumped=300)
    assert found[last] == cycles(last, forever, ran=100, jumped=99)


@pytest.mark.parametrize("timing", [None, SLOW_FLASH])
def test_nothing_is_lost_in_interrupts_and_waits_and_counting_changes_no_cycle(
    timing: FlashTiming | None,
) -> None:
    counted, plain = looping(timing), looping(timing)
    for rig in (counted, plain):
        rig.poke(SYST_RVR, 150)
        rig.poke(SYST_CSR, 7)
    counted.core.counting.start()
    for length in (1, 7, 333, 1200, 2, 4000):  # stops in the middle of whatever runs
        counted.run(length)
        plain.run(length)
    found = counted.core.counting.stop()
    assert counted.core.clock.cycles() == plain.core.clock.cycles()
    assert counted.regs(0, 1, 4, 15) == plain.regs(0, 1, 4, 15)
    assert counted.reg(4) > 10  # the handler ran
    assert sum(found.values()) == counted.core.clock.cycles()
    handler = found[handler_address(SYSTICK)]
    assert handler >= counted.reg(4) * 2
    assert min(found.values()) >= 0


def test_a_count_in_the_middle_of_a_run_begins_and_ends_there() -> None:
    rig = looping()
    parts = []
    for _ in range(3):
        rig.run(501)
        rig.core.counting.start()
        before = rig.core.clock.cycles()
        rig.run(333)
        parts.append((sum(rig.core.counting.stop().values()), rig.core.clock.cycles() - before))
    assert [found for found, _ in parts] == [expected for _, expected in parts]


def test_cycles_of_records_that_were_dropped_on_the_way_stay_with_their_code() -> None:
    counts = []
    for clear in (False, True):
        rig = looping()
        rig.core.counting.start()
        rig.run(700)
        if clear:
            rig.core.blocks.clear()  # as when the table is full
        rig.run(700)
        counts.append(rig.core.counting.stop())
        assert sum(counts[-1].values()) == rig.core.clock.cycles()
    kept, cleared = counts
    assert cleared[MAIN] == kept[MAIN]
    for address, cycles in kept.items():
        assert cleared[address] == pytest.approx(cycles, abs=20)


def test_nobody_counts_twice_at_once_and_the_books_are_empty_next_time() -> None:
    rig = looping()
    rig.core.counting.start()
    with pytest.raises(RuntimeError, match="being counted already"):
        rig.core.counting.start()
    rig.run(100)
    assert rig.core.counting.stop()
    rig.core.counting.start()
    assert not any(rig.core.counting.stop().values())


def test_running_time_follows_the_rate_of_the_clock() -> None:
    rig = looping()
    rig.run(1000)
    slow = rig.core.clock.cycles()
    assert rig.core.clock.running_ticks() == slow * TICKS_PER_CYCLE
    rig.core.clock.set_rate(1)
    rig.run(250)
    fast = rig.core.clock.cycles() - slow
    assert rig.core.clock.running_ticks() == slow * TICKS_PER_CYCLE + fast
