"""Breakpoints, watchpoints, vector catch and resets under a debugger (ARM DDI 0403E, C1)."""

from __future__ import annotations

import pytest
from core_rig import (
    DEMCR,
    DFSR,
    FP_COMP0,
    FP_CTRL,
    HFSR,
    MAIN,
    PC,
    RAM,
    STACK,
    XPSR,
    CoreRig,
    handler_address,
    program,
)

from pytest_lan_hil.virtual.silicon.core import Stop
from pytest_lan_hil.virtual.silicon.unmodelled import UnmodelledAccess


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


HARD, MONITOR = 3, 12
BKPT, DWTTRAP, VCATCH = 2, 4, 8
VC_CORERESET, VC_HARDERR, MON_EN = 1, 1 << 10, 1 << 16
DEBUGEVT = 1 << 31

COUNTER = program("movs r0, #0; 1: adds r0, #1; b 1b", "00200130fde7")
STRAIGHT = program("movs r0, #1; movs r1, #2; add.w r2, r0, r1; movs r3, #3; b .", "0120022100eb01020323fee7")
STAY = program("mrs r5, IPSR; mov r6, sp; mov r7, lr; b .", "eff305856e467746fee7")


def breakpoint_at(rig: CoreRig, address: int, slot: int = 0) -> None:
    rig.poke(FP_CTRL, 3)
    rig.poke(FP_COMP0 + 4 * slot, address & 0x1FFF_FFFC | (2 if address & 2 else 1) << 30 | 1)


def watch(rig: CoreRig, address: int, function: int, mask: int = 0, slot: int = 0) -> None:
    at = 0xE000_1020 + 16 * slot
    rig.poke(at, address, mask, function)


# -- breakpoints ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 2, 4, 8])
def test_the_core_stops_before_a_breakpoint(rig: CoreRig, offset: int) -> None:
    rig.boot(STRAIGHT)
    rig.debug(0)
    breakpoint_at(rig, MAIN + offset)
    rig.run_to_halt()
    assert rig.transfer(PC) == MAIN + offset
    assert rig.word(DFSR) == BKPT


def test_each_of_six_breakpoints_stops(rig: CoreRig) -> None:
    rig.boot(program("nop; nop; nop; nop; nop; nop; b .", "00bf00bf00bf00bf00bf00bffee7"))
    rig.debug(0)
    for slot in range(6):
        breakpoint_at(rig, MAIN + 2 * slot, slot)
    for slot in range(6):
        rig.run_to_halt()
        assert rig.transfer(PC) == MAIN + 2 * slot
        rig.poke(FP_COMP0 + 4 * slot, 0)
        rig.debug(0)


def test_a_breakpoint_in_a_loop_stops_each_time(rig: CoreRig) -> None:
    rig.boot(COUNTER)
    rig.debug(0)
    breakpoint_at(rig, MAIN + 4)
    for count in (1, 2, 3):
        rig.run_to_halt()
        assert rig.transfer(0) == count
        rig.poke(FP_CTRL, 2)  # off for the step that leaves it
        rig.step()
        rig.poke(FP_CTRL, 3)
        rig.debug(0)


def test_removing_breakpoints_brings_full_speed_and_the_same_cycles(rig: CoreRig) -> None:
    rig.boot(COUNTER).run(3000)
    plain = rig.reg(0)
    rig.boot(COUNTER)
    rig.debug(0)
    breakpoint_at(rig, MAIN + 0x100)
    rig.run(3000)
    assert rig.reg(0) == plain
    rig.poke(FP_CTRL, 2)
    rig.run(3000)
    assert rig.reg(0) == 2 * plain


def test_fpb_remapping_is_refused(rig: CoreRig) -> None:
    rig.boot(COUNTER)
    with pytest.raises(UnmodelledAccess, match="remapping"):
        rig.poke(FP_COMP0, MAIN | 1)


def test_bkpt_halts_at_itself(rig: CoreRig) -> None:
    rig.boot(program("movs r0, #1; bkpt #0; movs r0, #2; b .", "012000be0220fee7"))
    rig.debug(0)
    rig.run_to_halt()
    assert (rig.transfer(PC), rig.transfer(0)) == (MAIN + 2, 1)
    assert rig.word(DFSR) == BKPT
    rig.transfer(PC, MAIN + 4)
    rig.resume()
    assert rig.reg(0) == 2


def test_bkpt_without_a_debugger_is_a_hard_fault(rig: CoreRig) -> None:
    rig.boot(program("nop; bkpt #0; b .", "00bf00befee7"), {HARD: STAY}).run()
    assert rig.reg(5) == HARD
    assert rig.word(HFSR) == DEBUGEVT
    assert rig.words(STACK - 8, 1) == [MAIN + 2]


def test_bkpt_in_a_hard_fault_handler_without_a_debugger_locks_up(rig: CoreRig) -> None:
    rig.boot(program("udf #0", "00de"), {HARD: program("bkpt #0", "00be")})
    assert rig.run() is Stop.LOCKUP


def test_bkpt_enters_an_enabled_debug_monitor(rig: CoreRig) -> None:
    rig.boot(program("nop; bkpt #0; b .", "00bf00befee7"), {MONITOR: STAY})
    rig.poke(DEMCR, MON_EN)
    rig.run()
    assert rig.reg(5) == MONITOR
    assert rig.word(DFSR) == BKPT


def test_a_breakpoint_written_into_ram_works_and_goes_away(rig: CoreRig) -> None:
    rig.boot(program("ldr r0, =0x20004001; 1: blx r0; b 1b", "01488047fde7000001400020"))
    code = program("adds r4, #1; adds r5, #1; bx lr", "013401357047")
    rig.bus.write_memory(RAM + 0x4000, code)
    rig.run()
    assert rig.reg(4) > 10
    rig.debug(0)
    rig.core.debug_write(RAM + 0x4002, 0xBE00, 2)
    rig.run_to_halt()
    assert rig.transfer(PC) == RAM + 0x4002
    rig.core.debug_write(RAM + 0x4002, int.from_bytes(code[2:4], "little"), 2)
    rig.debug(0)
    assert rig.run() is Stop.DEADLINE
    assert abs(rig.reg(4) - rig.reg(5)) <= 1


IT_BLOCK = program(
    "movs r0, #0; cmp r0, #0; ite ne; movne r1, #1; moveq r1, #2; movs r2, #3; b .",
    "0020002814bf012102210322fee7",
)


@pytest.mark.parametrize("offset", [4, 6, 8])
def test_a_breakpoint_inside_an_it_block_stops_before_it(rig: CoreRig, offset: int) -> None:
    rig.boot(IT_BLOCK)
    rig.debug(0)
    breakpoint_at(rig, MAIN + offset)
    rig.run_to_halt()
    assert (rig.transfer(PC), rig.transfer(1)) == (MAIN + 4, 0)
    rig.poke(FP_CTRL, 2)
    rig.resume()
    assert rig.regs(1, 2) == [2, 3]


# -- watchpoints ---------------------------------------------------------------------------------------------

TOUCH = program(
    "ldr r1, =0x20000040; movs r0, #5; ldr r2, [r1]; nop; str r0, [r1]; nop; nop; b .",
    "034905200a6800bf086000bf00bffee740000020",
)
READS, WRITES, BOTH, EXECUTES = 5, 6, 7, 4


@pytest.mark.parametrize(
    ("function", "places"), [(READS, [8]), (WRITES, [12]), (BOTH, [8, 12]), (EXECUTES, [])], ids=str
)
def test_data_watchpoints_halt_behind_the_access(rig: CoreRig, function: int, places: list[int]) -> None:
    rig.boot(TOUCH)
    rig.debug(0)
    watch(rig, RAM + 0x40, function)
    for place in places:
        rig.run_to_halt()
        assert rig.transfer(PC) == MAIN + place - 2
        assert rig.word(DFSR) == DWTTRAP
        rig.poke(DFSR, DWTTRAP)
        rig.debug(0)
    assert rig.run() is Stop.DEADLINE


def test_a_watchpoint_covers_its_range(rig: CoreRig) -> None:
    rig.boot(TOUCH)
    rig.debug(0)
    watch(rig, RAM + 0x44, BOTH, mask=2)
    assert rig.run() is Stop.DEADLINE
    rig.boot(TOUCH)
    watch(rig, RAM + 0x44, BOTH, mask=3)
    rig.run_to_halt()
    assert rig.word(0xE000_1028) & 1 << 24  # MATCHED, cleared by reading
    assert not rig.word(0xE000_1028) & 1 << 24


def test_a_watchpoint_is_not_missed_at_the_end_of_a_time_slice(rig: CoreRig) -> None:
    rig.boot(
        program(
            "ldr r1, =0x20000040; 1: str r1, [r1]; b 2f; nop; 2: adds r0, #1; b 1b",
            "0249096000e000bf0130fae740000020",
        )
    )
    rig.debug(0)
    watch(rig, RAM + 0x40, WRITES)
    for _ in range(8):
        assert Stop.HALTED in (rig.run(1) for _ in range(40))
        rig.debug(0)
    assert rig.reg(0) in (6, 7, 8)


def test_an_execution_comparator_halts_before_its_instruction(rig: CoreRig) -> None:
    rig.boot(STRAIGHT)
    rig.debug(0)
    watch(rig, MAIN + 4, EXECUTES)
    rig.run_to_halt()
    assert rig.transfer(PC) == MAIN + 4


def test_comparators_do_nothing_without_a_debugger(rig: CoreRig) -> None:
    rig.boot(TOUCH)
    watch(rig, RAM + 0x40, BOTH)
    watch(rig, MAIN + 8, EXECUTES, slot=1)
    assert rig.run() is Stop.DEADLINE
    assert rig.reg(5) == 0


def test_comparator_functions_that_are_not_modelled_are_refused(rig: CoreRig) -> None:
    rig.boot(TOUCH)
    with pytest.raises(UnmodelledAccess, match="function 1"):
        watch(rig, RAM, 1)


# -- vector catch and reset ----------------------------------------------------------------------------------


def test_reset_catch_halts_before_the_first_instruction(rig: CoreRig) -> None:
    rig.boot(STRAIGHT)
    rig.debug(0)
    rig.poke(DEMCR, VC_CORERESET)
    rig.core.reset()
    rig.run_to_halt()
    assert rig.transfer(PC) == MAIN
    assert rig.word(DFSR) == VCATCH


def test_reset_catch_needs_halting_debug(rig: CoreRig) -> None:
    rig.boot(STRAIGHT)
    rig.poke(DEMCR, VC_CORERESET)
    rig.core.reset()
    assert rig.run() is Stop.DEADLINE


def test_hard_fault_catch_halts_at_the_handler(rig: CoreRig) -> None:
    rig.boot(program("nop; udf #0; b .", "00bf00defee7"), {HARD: STAY})
    rig.debug(0)
    rig.poke(DEMCR, VC_HARDERR)
    rig.run_to_halt()
    assert rig.transfer(PC) == handler_address(HARD)
    assert rig.transfer(XPSR) & 0x1FF == HARD
    assert rig.word(DFSR) == VCATCH


@pytest.mark.parametrize(("catch", "halts"), [(1 << 7, True), (1 << 8, False), (1 << 10, False)])
def test_each_fault_has_its_own_catch(rig: CoreRig, catch: int, halts: bool) -> None:
    rig.boot(program("udf #0; b .", "00defee7"), {6: STAY})
    rig.poke(0xE000_ED24, 7 << 16)
    rig.debug(0)
    rig.poke(DEMCR, catch)
    assert (rig.run() is Stop.HALTED) is halts


def test_a_reset_keeps_debug_state(rig: CoreRig) -> None:
    rig.boot(STRAIGHT)
    rig.debug(0)
    rig.poke(DEMCR, VC_HARDERR)
    breakpoint_at(rig, MAIN + 4)
    watch(rig, RAM, BOTH)
    rig.core.reset()
    assert rig.core.debug_enabled
    assert rig.word(DEMCR) == VC_HARDERR
    assert rig.word(0xE000_1028) & 0xF == BOTH
    rig.run_to_halt()
    assert rig.transfer(PC) == MAIN + 4


def test_power_up_forgets_debug_state(rig: CoreRig) -> None:
    rig.boot(STRAIGHT)
    rig.debug(0)
    rig.poke(DEMCR, VC_HARDERR)
    breakpoint_at(rig, MAIN + 4)
    rig.core.power_up()
    rig.core.reset()
    assert not rig.core.debug_enabled
    assert rig.word(DEMCR) == 0
    assert rig.run() is Stop.DEADLINE


def test_a_core_reset_in_a_halt_stays_halted(rig: CoreRig) -> None:
    rig.boot(COUNTER).run()
    rig.halt()
    rig.run_to_halt()
    rig.core.reset()
    assert rig.run() is Stop.HALTED
    assert rig.transfer(PC) == MAIN
