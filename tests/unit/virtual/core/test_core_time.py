"""When things happen: accesses to the cycle, events between them, stalls, flash."""

from __future__ import annotations

from itertools import pairwise

import pytest
from core_rig import (
    CYCCNT,
    DWT_CTRL,
    FLASH_SIZE,
    RAM,
    TICKS_PER_CYCLE,
    CoreRig,
    program,
)

from pytest_lan_hil.virtual.silicon.blocks import FlashTiming
from pytest_lan_hil.virtual.silicon.core import Stop


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


IRQ0 = 16
WAITING = FlashTiming(base=0, size=FLASH_SIZE, wait_states=2, width_log2=3, line_log2=4, ways=2, sets=4)


def cycles(rig: CoreRig) -> list[int]:
    """Cycles at which the device was reached."""
    return [tick // TICKS_PER_CYCLE for tick, *_ in rig.device.seen]


def run(rig: CoreRig, code: bytes) -> list[int]:
    rig.boot(code).run(200)
    return cycles(rig)


def test_two_stores_in_one_block_have_their_own_cycles(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x40001000; movs r0, #1; str r0, [r1]; nop; nop; str r0, [r1, #4]; b .",
        "03490120086000bf00bf4860fee7000000100040",
    )
    # LDR 2, MOVS 1 | STR 1, NOP 1, NOP 1 | STR
    assert run(rig, code) == [3, 6]


def test_reads_of_one_register_in_one_block_are_told_apart(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x40001000; ldr r0, [r1]; nop; ldr r2, [r1]; ldr r3, [r1]; b .",
        "0249086800bf0a680b68fee700100040",
    )
    # LDR 2 | (address loaded just before: no overlap) LDR 2, NOP 1 | LDR 2 | LDR
    assert run(rig, code) == [2, 5, 7]


def test_a_loop_that_polls_has_the_same_period_each_time(rig: CoreRig) -> None:
    times = run(
        rig,
        program(
            "ldr r1, =0x40001000; 1: ldr r0, [r1]; cmp r0, #1; bne 1b; b .",
            "024908680128fcd1fee7000000100040",
        ),
    )
    assert {later - earlier for earlier, later in pairwise(times)} == {2 + 1 + 1 + 1}


def test_one_instruction_that_reads_several_registers_reads_them_at_its_cycle(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x40001000; nop; nop; ldm r1, {r2, r3, r4}; ldrd r5, r6, [r1, #8]; b .",
        "034900bf00bf91e81c00d1e90256fee700100040",
    )
    assert run(rig, code) == [4, 4, 4, 8, 8]
    assert [offset for _, _, offset, _ in rig.device.seen] == [0, 4, 8, 8, 12]


@pytest.mark.parametrize(
    ("code", "cycle"),
    [
        (program("ldr r1, =0x40000ff0; movs r2, #16; str r0, [r1, r2]; b .", "014910228850fee7f00f0040"), 3),
        (
            program(
                "ldr r1, =0x40001000; movs r2, #1; nop; strb r0, [r1, r2, lsl #2]; b .",
                "0249012200bf01f82200fee700100040",
            ),
            4,
        ),
        (program("ldr r1, =0x40000ffc; nop; str r0, [r1, #4]!; b .", "024900bf41f8040ffee70000fc0f0040"), 3),
        (
            program(
                "ldr r1, =0x40001000; nop; nop; str r0, [r1], #4; b .", "024900bf00bf41f8040bfee700100040"
            ),
            4,
        ),
        (
            program("ldr r1, =0x40001008; nop; stmdb r1!, {r2, r3}; b .", "024900bf21e90c00fee7000008100040"),
            3,
        ),
    ],
)
def test_every_way_to_form_an_address_is_found(rig: CoreRig, code: bytes, cycle: int) -> None:
    assert run(rig, code)[0] == cycle


def test_an_event_between_two_reads_is_seen_by_the_second(rig: CoreRig) -> None:
    rig.boot(
        program(
            "ldr r1, =0x40001000; ldr r2, [r1]; nop; nop; nop; ldr r3, [r1]; b .",
            "03490a6800bf00bf00bf0b68fee7000000100040",
        )
    )

    def change() -> None:
        rig.device.words[0] = 7

    rig.timeline.schedule(5 * TICKS_PER_CYCLE, change)  # reads at cycles 2 and 7
    rig.run(200)
    assert rig.regs(2, 3) == [0, 7]


def test_an_event_at_the_cycle_of_a_read_comes_before_it(rig: CoreRig) -> None:
    rig.boot(program("ldr r1, =0x40001000; ldr r2, [r1]; b .", "01490a68fee7000000100040"))
    rig.timeline.schedule(2 * TICKS_PER_CYCLE, lambda: rig.device.words.__setitem__(0, 7))
    rig.run(200)
    assert rig.reg(2) == 7


def test_an_event_sees_its_own_tick_in_the_middle_of_a_block(rig: CoreRig) -> None:
    rig.boot(
        program(
            "ldr r1, =0x40001000; ldr r2, [r1]; nop; nop; nop; ldr r3, [r1]; b .",
            "03490a6800bf00bf00bf0b68fee7000000100040",
        )
    )
    seen: list[int] = []
    rig.timeline.schedule(17, lambda: seen.append(rig.timeline.now))
    rig.run(200)
    assert seen == [17]


def test_an_event_scheduled_by_an_access_is_on_time(rig: CoreRig) -> None:
    rig.boot(program("ldr r1, =0x40001000; str r1, [r1]; 1: adds r0, #1; b 1b", "014909600130fde700100040"))
    seen: list[int] = []
    rig.device.on_write[0] = lambda _value: rig.timeline.schedule(
        rig.timeline.now + 400, lambda: seen.append(rig.timeline.now)
    )
    rig.run(200)
    assert seen == [2 * TICKS_PER_CYCLE + 400]


def test_an_interrupt_from_an_access_comes_before_the_next_block(rig: CoreRig) -> None:
    rig.boot(
        program(
            "ldr r1, =0x40001000; str r1, [r1]; b 1f; 1: movs r4, #1; b .", "02490960ffe70124fee7000000100040"
        ),
        {IRQ0: LOOK},
    )
    rig.enable(0)
    rig.device.on_write[0] = lambda _value: rig.core.set_irq(0, True)
    rig.run(200)
    assert rig.reg(5) == 0


LOOK = program("mov r5, r4; b .", "2546fee7")


def test_a_stall_delays_what_follows_to_the_tick(rig: CoreRig) -> None:
    rig.boot(
        program(
            "ldr r1, =0x40001000; str r1, [r1]; nop; str r1, [r1, #4]; b .",
            "0249096000bf4960fee7000000100040",
        )
    )
    rig.poke(DWT_CTRL, 1)
    rig.device.on_write[0] = lambda _value: rig.core.stall(100 * TICKS_PER_CYCLE)
    assert rig.run(200) is Stop.DEADLINE
    assert cycles(rig) == [2, 2 + 100 + 2]
    assert rig.word(CYCCNT) * TICKS_PER_CYCLE == rig.timeline.now


def test_an_access_that_stalls_ends_after_its_stall(rig: CoreRig) -> None:
    rig.boot(program("ldr r1, =0x40001000; str r1, [r1]; b .", "01490960fee7000000100040"))
    seen: list[int] = []

    def stall(_value: int) -> None:
        rig.core.stall(100 * TICKS_PER_CYCLE)
        seen.append(rig.timeline.now)

    rig.device.on_write[0] = stall
    rig.timeline.schedule(50 * TICKS_PER_CYCLE, lambda: seen.append(rig.timeline.now))
    rig.run(200)
    assert seen == [102 * TICKS_PER_CYCLE, 50 * TICKS_PER_CYCLE]


def test_a_stall_from_outside_keeps_the_core_waiting(rig: CoreRig) -> None:
    rig.boot(program("ldr r1, =0x40001000; str r1, [r1]; b .", "01490960fee7000000100040"))
    rig.core.stall(50 * TICKS_PER_CYCLE)
    rig.run(200)
    assert cycles(rig) == [52]


def test_events_run_during_a_stall(rig: CoreRig) -> None:
    rig.boot(program("b .", "fee7"))
    seen: list[int] = []
    rig.core.stall(50 * TICKS_PER_CYCLE)
    rig.timeline.schedule(77, lambda: seen.append(rig.timeline.now))
    rig.run(100)
    assert seen == [77]


def test_stop_comes_back_at_once(rig: CoreRig) -> None:
    rig.boot(program("ldr r1, =0x40001000; 1: str r1, [r1]; adds r0, #1; b 1b", "014909600130fce700100040"))
    rig.device.on_write[0] = lambda _value: rig.core.stop()
    assert rig.run(1000) is Stop.STOPPED
    assert len(rig.device.seen) == 1


def test_a_run_overshoots_its_deadline_by_less_than_a_block(rig: CoreRig) -> None:
    rig.boot(program("1: adds r0, #1; adds r0, #1; adds r0, #1; b 1b", "013001300130fbe7"))
    for _ in range(20):
        target = rig.timeline.now + 7 * TICKS_PER_CYCLE
        rig.core.run_until(target)
        assert 0 <= rig.timeline.now - target < 5 * TICKS_PER_CYCLE


def test_cutting_a_run_into_slices_changes_nothing(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x20000000; 1: ldr r0, [r1]; adds r0, #3; str r0, [r1]; mul r2, r0, r0; b 1b",
        "4ff0005108680330086000fb00f2f9e7",
    )
    rig.boot(code)
    rig.bus.write_memory(RAM, bytes(4))
    for _ in range(300):
        rig.run(1)
    while rig.timeline.now < 8000:
        rig.run(1)
    sliced = (rig.regs(*range(16)), rig.timeline.now)
    other = CoreRig()
    other.boot(code)
    other.core.run_until(sliced[1])
    assert (other.regs(*range(16)), other.timeline.now) == sliced


def test_ram_code_that_changes_itself_runs_as_changed(rig: CoreRig) -> None:
    # copy `movs r4, #9` over `movs r4, #1`
    code = program(
        "ldr r0, =0x20002009; ldr r1, =0x2409; strh r1, [r0, #-1]; dsb; isb; bx r0",
        "044842f2094120f8011cbff34f8fbff36f8f004709200020",
    )
    rig.bus.write_memory(RAM + 0x2008, program("movs r4, #1; b .", "0124fee7"))
    rig.boot(program("ldr r0, =0x20002009; blx r0; nop", "0148804700bf000009200020"))
    rig.run(100)
    assert rig.reg(4) == 1
    rig.boot(code).run(100)
    assert rig.reg(4) == 9


# -- flash ---------------------------------------------------------------------------------------------------

TWO_LINES = program(
    "nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; adds r0, #1; b .-24",
    "00bf00bf00bf00bf00bf00bf00bf00bf00bf00bf00bf0130f2e7",
)


def loop_rounds(rig: CoreRig, count: int) -> int:
    rig.boot(TWO_LINES).run(count)
    return rig.reg(0)


def test_a_loop_in_the_cache_runs_as_if_flash_were_fast() -> None:
    fast, cached = CoreRig(), CoreRig(WAITING)
    cached.core.set_cache(enabled=True)
    assert loop_rounds(fast, 13 * 100 + 100) - loop_rounds(cached, 13 * 100 + 100) <= 1
    assert cached.core.cache_counts[1] == 2


def test_without_the_cache_every_round_waits_for_flash() -> None:
    slow = CoreRig(WAITING)
    fast_round = 11 + 1 + 1 + 1
    fetches = 4  # 26 bytes by 8
    assert loop_rounds(slow, 5000) == 5000 // (fast_round + 2 * fetches) + 1
    assert slow.core.cache_counts == (0, 0)


def test_a_load_from_flash_waits_in_spite_of_the_cache() -> None:
    code = program(
        "ldr r1, =0x40001000; str r1, [r1]; ldr r2, =0x12345678; str r1, [r1]; b .",
        "02490960024a0960fee700000010004078563412",
    )
    waiting, fast = CoreRig(WAITING), CoreRig()
    waiting.core.set_cache(enabled=True)
    first, second = run(waiting, code)
    assert run(fast, code) == [2, 5]
    assert second - first == 3 + 2


def test_code_in_ram_does_not_wait_for_flash() -> None:
    rig = CoreRig(WAITING)
    rig.bus.write_memory(
        RAM + 0x1000, program("ldr r1, =0x40001000; 1: str r1, [r1]; b 1b", "01490960fde7000000100040")
    )
    rig.boot(program("ldr r0, =0x20001001; bx r0", "0048004701100020")).run(200)
    times = cycles(rig)
    assert {later - earlier for earlier, later in pairwise(times)} == {1 + 1 + 1}
