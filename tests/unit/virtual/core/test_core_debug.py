"""The core under a debugger, through the registers a probe reaches (ARM DDI 0403E, C1)."""

from __future__ import annotations

import pytest
from core_rig import (
    CPACR,
    CYCCNT,
    DCRDR,
    DCRSR,
    DFSR,
    DHCSR,
    DWT_CTRL,
    FPSCR,
    LR,
    MAIN,
    MSP,
    PC,
    PCSR,
    PSP,
    RAM,
    S0,
    SP,
    SPECIAL,
    STACK,
    TICKS_PER_CYCLE,
    XPSR,
    CoreRig,
    handler_address,
    program,
)

from pytest_lan_hil.virtual.silicon.bus import BusFault
from pytest_lan_hil.virtual.silicon.core import Stop
from pytest_lan_hil.virtual.silicon.unmodelled import UnmodelledAccess


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


HARD, SVCALL, IRQ0 = 3, 11, 16
C_HALT, C_MASKINTS = 2, 8
S_REGRDY, S_HALT, S_SLEEP, S_RETIRE_ST, S_RESET_ST = 1 << 16, 1 << 17, 1 << 18, 1 << 24, 1 << 25
HALTED = 1

COUNTER = program("movs r0, #0; 1: adds r0, #1; b 1b", "00200130fde7")
STRAIGHT = program("movs r0, #1; movs r1, #2; add.w r2, r0, r1; movs r3, #3; b .", "0120022100eb01020323fee7")
STAY = program("mrs r5, IPSR; mov r6, sp; mov r7, lr; b .", "eff305856e467746fee7")
COUNT = program("adds r5, #1; bx lr", "01357047")


# -- halt and resume -----------------------------------------------------------------------------------------


def test_a_running_core_halts_and_resumes_where_it_was(rig: CoreRig) -> None:
    rig.boot(COUNTER).run()
    rig.halt()
    rig.run_to_halt()
    counted, where = rig.transfer(0), rig.transfer(PC)
    assert where in range(MAIN, MAIN + 6)
    assert rig.word(DHCSR) & S_HALT
    assert rig.word(DFSR) == HALTED
    rig.resume()
    rig.halt()
    rig.run_to_halt()
    assert rig.transfer(0) > counted + 200


def test_no_time_passes_for_a_halted_core(rig: CoreRig) -> None:
    rig.boot(COUNTER).run()
    rig.halt()
    rig.run_to_halt()
    now = rig.timeline.now
    assert rig.run(1000) is Stop.HALTED
    assert rig.timeline.now == now


def test_dhcsr_is_ignored_without_its_key(rig: CoreRig) -> None:
    rig.boot(COUNTER)
    rig.poke(DHCSR, 0x1234_0003)
    assert not rig.core.debug_enabled
    assert rig.run() is Stop.DEADLINE


def test_leaving_debug_lets_a_halted_core_run(rig: CoreRig) -> None:
    rig.boot(COUNTER)
    rig.halt()
    rig.run_to_halt()
    rig.poke(DHCSR, 0xA05F_0000)
    assert rig.run() is Stop.DEADLINE
    assert not rig.core.debug_enabled


def test_sticky_bits_are_cleared_by_reading(rig: CoreRig) -> None:
    rig.boot(COUNTER).run()
    assert rig.word(DHCSR) & (S_RESET_ST | S_RETIRE_ST) == S_RESET_ST | S_RETIRE_ST
    assert rig.word(DHCSR) & (S_RESET_ST | S_RETIRE_ST) == 0
    rig.core.reset()
    assert rig.word(DHCSR) & S_RESET_ST


def test_a_sleeping_core_says_so(rig: CoreRig) -> None:
    rig.boot(program("wfi; b .", "30bffee7")).run()
    assert rig.word(DHCSR) & S_SLEEP


# -- registers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "value"),
    [(n, 0x1234_5678 + n) for n in range(13)]
    + [
        (SP, 0x2000_0100),
        (LR, 0x0000_0455),
        (PC, 0x0000_0456),
        (XPSR, 0x8100_0000),
        (MSP, 0x2000_0200),
        (PSP, 0x2000_0300),
        (SPECIAL, 0x0101_4001),
        (FPSCR, 0x8000_0000),
    ]
    + [(S0 + n, 0x4000_0000 + n) for n in range(32)],
)
def test_each_register_reads_back_what_was_written(rig: CoreRig, number: int, value: int) -> None:
    rig.boot(COUNTER)
    rig.halt()
    rig.run_to_halt()
    assert rig.word(DHCSR) & S_REGRDY
    rig.transfer(number, value)
    assert rig.transfer(number) == value


def test_writing_one_register_leaves_the_others_alone(rig: CoreRig) -> None:
    rig.boot(COUNTER)
    rig.halt()
    rig.run_to_halt()
    names = [*range(19), SPECIAL, FPSCR, *range(S0, S0 + 32)]
    for k, number in enumerate(names):
        if number not in (SP, XPSR, SPECIAL):
            rig.transfer(number, 0x2000_0000 + 8 * k)
    rig.transfer(XPSR, 0x4100_0000)
    rig.transfer(SPECIAL, 0x0200_0000)  # the process stack
    assert rig.transfer(SP) == rig.transfer(PSP) == 0x2000_0000 + 8 * 18
    assert rig.transfer(MSP) == 0x2000_0000 + 8 * 17
    for k, number in enumerate(names):
        if number not in (SP, XPSR, SPECIAL, FPSCR):
            assert rig.transfer(number) == 0x2000_0000 + 8 * k


def test_registers_of_an_unprivileged_thread_are_all_seen(rig: CoreRig) -> None:
    rig.boot(
        program("movs r0, #1; msr PRIMASK, r0; msr CONTROL, r0; isb; b .", "012080f3108880f31488bff36f8ffee7")
    ).run()
    rig.halt()
    rig.run_to_halt()
    assert rig.transfer(SPECIAL) == 0x0100_0001
    assert rig.transfer(MSP) == STACK
    rig.transfer(PSP, 0x2000_0400)
    assert rig.transfer(PSP) == 0x2000_0400
    rig.transfer(SPECIAL, 0)
    assert rig.transfer(SPECIAL) == 0


def test_registers_are_not_moved_while_the_core_runs(rig: CoreRig) -> None:
    rig.boot(STRAIGHT).run()
    rig.poke(DCRDR, 77)
    rig.poke(DCRSR, 1 << 16)
    assert rig.reg(0) == 1


def test_a_new_program_counter_is_where_the_core_goes_on(rig: CoreRig) -> None:
    rig.boot(STRAIGHT).run()
    rig.halt()
    rig.run_to_halt()
    rig.transfer(2, 0)
    rig.transfer(PC, MAIN + 4)
    rig.resume()
    assert rig.reg(2) == 3


# -- single steps --------------------------------------------------------------------------------------------


def steps(rig: CoreRig, count: int, bits: int = 0) -> list[int]:
    """Where the core stands after each of some steps from reset."""
    rig.halt()
    rig.run_to_halt()
    places = []
    for _ in range(count):
        rig.step(bits)
        places.append(rig.transfer(PC))
    return places


def test_steps_over_plain_code(rig: CoreRig) -> None:
    rig.boot(STRAIGHT)
    assert steps(rig, 6) == [MAIN + k for k in (2, 4, 8, 10, 10, 10)]
    assert [rig.transfer(n) for n in range(4)] == [1, 2, 3, 3]


def test_a_step_halts_with_its_reason(rig: CoreRig) -> None:
    rig.boot(STRAIGHT)
    steps(rig, 1)
    assert rig.word(DFSR) == HALTED
    rig.poke(DFSR, HALTED)
    assert rig.word(DFSR) == 0


IT_BLOCK = program(
    "movs r0, #0; cmp r0, #0; ite ne; movne r1, #1; moveq r1, #2; movs r2, #3; b .",
    "0020002814bf012102210322fee7",
)


def test_a_step_takes_an_it_block_whole(rig: CoreRig) -> None:
    rig.boot(IT_BLOCK)
    assert steps(rig, 5) == [MAIN + k for k in (2, 4, 10, 12, 12)]
    assert [rig.transfer(n) for n in (1, 2)] == [2, 3]


def test_a_step_over_svc_ends_at_its_handler(rig: CoreRig) -> None:
    rig.boot(program("svc #0; b .", "00dffee7"), {SVCALL: COUNT})
    at = handler_address(SVCALL)
    assert steps(rig, 4) == [at, at + 2, MAIN + 2, MAIN + 2]


def test_a_step_over_a_fault_ends_at_its_handler(rig: CoreRig) -> None:
    rig.boot(program("nop; udf #0; b .", "00bf00defee7"), {HARD: STAY})
    assert steps(rig, 2) == [MAIN + 2, handler_address(HARD)]


def test_a_step_over_wfi_ends_behind_it(rig: CoreRig) -> None:
    rig.boot(program("nop; wfi; movs r0, #1; b .", "00bf30bf0120fee7"))
    assert steps(rig, 3) == [MAIN + 2, MAIN + 4, MAIN + 6]
    assert rig.listener.names in ([], ["sleep", "wake"])


def test_a_step_with_an_interrupt_waiting_enters_its_handler(rig: CoreRig) -> None:
    rig.boot(STRAIGHT, {IRQ0: COUNT})
    rig.enable(0)
    rig.halt()
    rig.run_to_halt()
    rig.pend(0)
    at = handler_address(IRQ0)
    assert steps(rig, 4) == [at, at + 2, MAIN, MAIN + 2]


def test_masked_interrupts_stay_out_of_steps(rig: CoreRig) -> None:
    rig.boot(STRAIGHT, {IRQ0: COUNT})
    rig.enable(0)
    rig.halt()
    rig.run_to_halt()
    rig.pend(0)
    assert steps(rig, 2, C_MASKINTS) == [MAIN + 2, MAIN + 4]
    rig.resume()
    assert rig.reg(5) == 1


def test_masked_interrupts_stay_out_of_running(rig: CoreRig) -> None:
    rig.boot(COUNTER, {IRQ0: COUNT})
    rig.enable(0)
    rig.debug(C_HALT | C_MASKINTS)
    rig.run_to_halt()
    rig.debug(C_MASKINTS)
    rig.pend(0)
    rig.run()
    assert rig.reg(5) == 0
    rig.debug(0)
    rig.run()
    assert rig.reg(5) == 1


def test_steps_take_the_cycles_of_their_instructions(rig: CoreRig) -> None:
    rig.boot(program("movs r0, #1; ldr r1, =0x20000000; ldr r2, [r1]; b .", "01204ff000510a68fee7"))
    rig.poke(DWT_CTRL, 1)
    counts = []
    rig.halt()
    rig.run_to_halt()
    for _ in range(3):
        before, ticks = rig.word(CYCCNT), rig.timeline.now
        rig.step()
        counts.append(rig.word(CYCCNT) - before)
        assert rig.timeline.now - ticks == counts[-1] * TICKS_PER_CYCLE
    assert counts == [1, 1, 2]  # `ldr =` of this value is a MOV


# -- looking without stopping --------------------------------------------------------------------------------


def test_the_program_counter_can_be_sampled(rig: CoreRig) -> None:
    rig.boot(COUNTER).run()
    assert rig.word(PCSR) in range(MAIN, MAIN + 6)
    rig.halt()
    rig.run_to_halt()
    assert rig.word(PCSR) == 0xFFFF_FFFF


def test_the_cycle_counter_starts_stops_and_can_be_set(rig: CoreRig) -> None:
    rig.boot(COUNTER)
    rig.run(100)
    assert rig.word(CYCCNT) == 0
    rig.poke(DWT_CTRL, 1)
    started = rig.timeline.now
    rig.run(1000)
    assert rig.word(CYCCNT) == (rig.timeline.now - started) // TICKS_PER_CYCLE
    rig.poke(CYCCNT, 0xFFFF_FFFF)
    started = rig.timeline.now
    rig.run(100)
    assert rig.word(CYCCNT) == (rig.timeline.now - started) // TICKS_PER_CYCLE - 1
    rig.poke(DWT_CTRL, 0)
    held = rig.word(CYCCNT)
    rig.run(100)
    assert rig.word(CYCCNT) == held


def test_profiling_counters_are_refused(rig: CoreRig) -> None:
    rig.boot(COUNTER)
    with pytest.raises(UnmodelledAccess, match="CYCCNTENA"):
        rig.poke(DWT_CTRL, 1 << 16)


def test_memory_is_reached_in_every_width(rig: CoreRig) -> None:
    rig.boot(COUNTER)
    rig.poke(RAM, 0x0403_0201)
    rig.core.debug_write(RAM + 1, 0xFF, 1)
    rig.core.debug_write(RAM + 2, 0xEEDD, 2)
    assert rig.core.debug_read(RAM, 4) == 0xEEDD_FF01
    assert [rig.core.debug_read(RAM + k, 1) for k in range(4)] == [0x01, 0xFF, 0xDD, 0xEE]


def test_nothing_answers_where_nothing_is(rig: CoreRig) -> None:
    with pytest.raises(BusFault, match="0x30000000"):
        rig.core.debug_read(0x3000_0000, 4)
    with pytest.raises(BusFault, match="0x30000000"):
        rig.core.debug_write(0x3000_0000, 0, 4)
    with pytest.raises(BusFault, match="flash controller"):
        rig.core.debug_write(0x8000, 0, 4)


def test_a_peripheral_that_is_not_modelled_is_named_to_the_debugger(rig: CoreRig) -> None:
    with pytest.raises(UnmodelledAccess, match=r"SAADC\.ENABLE .* by the debugger"):
        rig.core.debug_read(0x4000_7500, 4)


def test_the_rom_table_leads_to_the_components(rig: CoreRig) -> None:
    base = 0xE00F_F000
    found = [(base + (entry & 0xFFFF_F000)) & 0xFFFF_FFFF for entry in rig_words(rig, base, 8) if entry & 1]
    assert found == [0xE000_E000, 0xE000_1000, 0xE000_2000, 0xE000_0000]
    for component in [base, *found]:
        assert [word & 0xFF for word in rig_words(rig, component + 0xFF0, 4)][0::2] == [0x0D, 0x05]


def rig_words(rig: CoreRig, address: int, count: int) -> list[int]:
    return [rig.word(address + 4 * k) for k in range(count)]


def test_the_debugger_sees_floating_point_of_a_halted_thread(rig: CoreRig) -> None:
    rig.boot(program("vmov.f32 s5, #1.0; b .", "f7ee002afee7"))
    rig.poke(CPACR, 0xF << 20)
    rig.run()
    rig.halt()
    rig.run_to_halt()
    assert rig.transfer(S0 + 5) == 0x3F80_0000
    assert rig.transfer(SPECIAL) == 4 << 24
