"""Exception entry and return, bit for bit (ARM DDI 0403E, B1.5.6 to B1.5.8)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from core_rig import (
    CCR,
    CYCCNT,
    DWT_CTRL,
    HFSR,
    ICSR,
    LR,
    MAIN,
    MSP,
    PC,
    PSP,
    RAM,
    SHCSR,
    SP,
    SPECIAL,
    STACK,
    SYST_CSR,
    SYST_RVR,
    TICKS_PER_CYCLE,
    XPSR,
    CoreRig,
    handler_address,
    program,
)

from pytest_lan_hil.virtual.silicon.core import Stop


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


IRQ0, IRQ1 = 16, 17
SVCALL, PENDSV, SYSTICK = 11, 14, 15
FROM_MAIN, FROM_PSP, FROM_HANDLER = 0xFFFF_FFF9, 0xFFFF_FFFD, 0xFFFF_FFF1

MARKED = program(
    "mov r0, #0x10; mov r1, #0x11; mov r2, #0x12; mov r3, #0x13; mov r12, #0x1c; mov lr, #0x1e; "
    "movs r4, #0; b .",
    "4ff010004ff011014ff012024ff013034ff01c0c4ff01e0e0024fee7",
)
STAY = program("mrs r5, IPSR; mov r6, sp; mov r7, lr; b .", "eff305856e467746fee7")
TRASH = program(
    "mov r0, #0xff; mov r1, r0; mov r2, r0; mov r3, r0; mov r12, r0; subs r0, #0xff; cmp r0, #1; bx lr",
    "4ff0ff000146024603468446ff3801287047",
)
RETURN = program("bx lr", "7047")
LOOP = program("b .", "fee7")


def test_reset_takes_stack_pointer_and_program_counter_from_the_vectors(rig: CoreRig) -> None:
    rig.boot(LOOP)
    assert rig.regs(SP, PC, LR, XPSR, SPECIAL) == [STACK, MAIN, 0xFFFF_FFFF, 0x0100_0000, 0]


def test_entry_stores_the_basic_frame(rig: CoreRig) -> None:
    rig.boot(MARKED, {IRQ1: STAY}).run(100)
    where, flags = rig.reg(PC), rig.reg(XPSR)
    rig.enable(1)
    rig.pend(1)
    rig.run(100)
    assert rig.words(STACK - 0x20, 8) == [0x10, 0x11, 0x12, 0x13, 0x1C, 0x1E, where, flags]
    assert flags == 0x4100_0000
    assert rig.regs(5, 6, 7) == [IRQ1, STACK - 0x20, FROM_MAIN]
    assert rig.reg(XPSR) & 0x1FF == IRQ1


def test_return_brings_everything_back(rig: CoreRig) -> None:
    rig.boot(MARKED, {IRQ1: TRASH}).run(100)
    before = rig.regs(0, 1, 2, 3, 12, SP, LR, PC, XPSR)
    rig.enable(1)
    rig.pend(1)
    rig.run(100)
    assert rig.regs(0, 1, 2, 3, 12, SP, LR, PC, XPSR) == before
    assert rig.words(STACK - 0x20, 1) == [0x10]  # it was there


def test_a_stack_that_is_not_eight_byte_aligned_is_padded(rig: CoreRig) -> None:
    rig.boot(program("sub sp, #4; b .", "81b0fee7"), {IRQ1: RETURN}).run(50)
    rig.enable(1)
    rig.pend(1)
    rig.run(100)
    frame = STACK - 0x28
    assert rig.words(frame + 0x18, 2) == [MAIN + 2, 0x0100_0200]
    assert rig.regs(SP, XPSR) == [STACK - 4, 0x0100_0000]


def test_without_stkalign_nothing_is_padded(rig: CoreRig) -> None:
    rig.boot(program("sub sp, #4; b .", "81b0fee7"), {IRQ1: STAY}).run(50)
    rig.poke(CCR, 0)
    rig.enable(1)
    rig.pend(1)
    rig.run(100)
    assert rig.reg(6) == STACK - 4 - 0x20
    assert rig.words(STACK - 4 - 8, 2) == [MAIN + 2, 0x0100_0000]


USE_PSP = program(
    "ldr r0, =0x20002000; msr PSP, r0; movs r0, #2; msr CONTROL, r0; isb; b .",
    "4ff0202080f30988022080f31488bff36f8ffee7",
)


def test_a_thread_on_the_process_stack_is_saved_there(rig: CoreRig) -> None:
    rig.boot(USE_PSP, {IRQ1: STAY}).run(100)
    assert rig.regs(SP, PSP, MSP) == [0x2000_2000, 0x2000_2000, STACK]
    where = rig.reg(PC)
    rig.enable(1)
    rig.pend(1)
    rig.run(100)
    assert rig.regs(6, 7, PSP) == [STACK, FROM_PSP, 0x2000_1FE0]
    assert rig.words(0x2000_1FF8, 1) == [where]


def test_return_to_the_process_stack(rig: CoreRig) -> None:
    rig.boot(USE_PSP, {IRQ1: TRASH}).run(100)
    before = rig.regs(SP, PSP, MSP, PC, SPECIAL)
    rig.enable(1)
    rig.pend(1)
    rig.run(100)
    assert rig.regs(SP, PSP, MSP, PC, SPECIAL) == before


PEND_IRQ0 = program(
    "ldr r0, =0x40001000; mrs r1, IPSR; str r1, [r0]; ldr r2, =0xe000e200; movs r3, #1; str r3, [r2]; isb;"
    "str r1, [r0, #4]; bx lr",
    "0548eff305810160044a01231360bff36f8f4160704700000010004000e200e0",
)
REPORT = program(
    "ldr r0, =0x40001000; mrs r1, IPSR; str r1, [r0]; str lr, [r0, #8]; mov r1, sp; str r1, [r0, #12]; bx lr",
    "0448eff305810160c0f808e06946c1607047000000100040",
)


def nested(rig: CoreRig, first: int, second: int) -> list[tuple[str, int, int]]:
    """IRQ1 runs and makes IRQ0 pending: what the device saw."""
    rig.boot(LOOP, {IRQ1: PEND_IRQ0, IRQ0: REPORT})
    rig.enable(0, 1)
    rig.priority(IRQ1, first)
    rig.priority(IRQ0, second)
    rig.pend(1)
    rig.run(300)
    return rig.accesses


def test_a_more_urgent_interrupt_pre_empts_a_handler(rig: CoreRig) -> None:
    assert nested(rig, 0x40, 0x20) == [
        ("write", 0, IRQ1),
        ("write", 0, IRQ0),
        ("write", 8, FROM_HANDLER),
        ("write", 12, STACK - 0x40),
        ("write", 4, IRQ1),
    ]
    assert rig.regs(SP, PC) == [STACK, MAIN]


def test_an_equally_urgent_interrupt_is_chained_without_stacking(rig: CoreRig) -> None:
    assert nested(rig, 0x40, 0x40) == [
        ("write", 0, IRQ1),
        ("write", 4, IRQ1),
        ("write", 0, IRQ0),
        ("write", 8, FROM_MAIN),
        ("write", 12, STACK - 0x20),
    ]
    assert rig.regs(SP, PC) == [STACK, MAIN]


STAMP = program("ldr r0, =0x40001000; str r0, [r0]; bx lr", "014800607047000000100040")


def test_entry_takes_twelve_cycles_and_chaining_six(rig: CoreRig) -> None:
    rig.boot(LOOP, {IRQ0: STAMP, IRQ1: STAMP})
    rig.enable(0, 1)
    rig.pend(0)
    rig.pend(1)
    rig.run(100)
    first, second = (tick // TICKS_PER_CYCLE for tick, *_ in rig.device.seen)
    assert first == 12 + 2  # the load before the store
    assert second - first == 1 + 1 + 6 + 2  # the store, BX, and the load


def test_an_interrupt_is_taken_at_the_end_of_the_loop_it_interrupts(rig: CoreRig) -> None:
    rig.boot(LOOP, {IRQ0: STAMP})
    rig.enable(0)
    rig.timeline.schedule(4001, lambda: rig.core.set_irq(0, True))
    rig.device.on_write[0] = lambda _value: rig.core.set_irq(0, False)
    rig.run(2000)
    ((tick, *_),) = rig.device.seen
    assert 12 + 2 <= (tick - 4001) / TICKS_PER_CYCLE <= 12 + 2 + 2


def test_time_and_cycle_counter_agree_through_interrupts_and_faults(rig: CoreRig) -> None:
    rig.boot(
        program("movs r4, #0; 1: adds r4, #1; svc #0; udf #0; b 1b", "0024013400df00defbe7"),
        {11: RETURN, 6: SKIP, IRQ0: STAMP},
    )
    rig.poke(DWT_CTRL, 1)
    rig.poke(SHCSR, 7 << 16)
    rig.enable(0)
    for k in range(20):
        rig.timeline.schedule(1000 + 777 * k, lambda: rig.core.set_irq(0, True))
    rig.device.on_write[0] = lambda _value: rig.core.set_irq(0, False)
    assert rig.run(5000) is Stop.DEADLINE
    assert len(rig.device.seen) == 20
    assert rig.timeline.now == rig.word(CYCCNT) * TICKS_PER_CYCLE


SKIP = program(
    "ldr r0, [sp, #24]; adds r0, #2; str r0, [sp, #24]; bx lr", "0698023006907047"
)  # return behind the instruction


# -- SVC, PendSV, SysTick ------------------------------------------------------------------------------------


def test_svc_returns_behind_itself(rig: CoreRig) -> None:
    read_number = program(
        "ldr r1, [sp, #24]; ldrb r2, [r1, #-2]; str r2, [sp]; bx lr", "069911f8022c00927047"
    )
    rig.boot(program("svc #0x5a; movs r1, #7; b .", "5adf0721fee7"), {SVCALL: read_number}).run()
    assert rig.regs(0, 1) == [0x5A, 7]


def test_svc_becomes_a_hard_fault_where_its_priority_does_not_reach(rig: CoreRig) -> None:
    rig.boot(program("cpsid i; svc #0; b .", "72b600dffee7"), {SVCALL: STAY, 3: STAY}).run()
    assert rig.reg(5) == 3
    assert rig.word(HFSR) == 1 << 30


def test_svc_in_a_handler_of_the_same_priority_becomes_a_hard_fault(rig: CoreRig) -> None:
    rig.boot(
        program("svc #0; b .", "00dffee7"), {SVCALL: program("svc #1; bx lr", "01df7047"), 3: STAY}
    ).run()
    assert rig.regs(5, 7) == [3, FROM_HANDLER]


def test_pendsv_waits_for_handlers_of_higher_priority(rig: CoreRig) -> None:
    pend = program(
        "ldr r0, =0xe000ed04; ldr r1, =0x10000000; str r1, [r0]; isb; movs r4, #1; bx lr",
        "03484ff080510160bff36f8f0124704704ed00e0",
    )
    rig.boot(LOOP, {PENDSV: program("mov r5, r4; bx lr", "25467047"), IRQ0: pend})
    rig.priority(PENDSV, 0xE0)
    rig.enable(0)
    rig.pend(0)
    rig.run()
    assert rig.regs(4, 5) == [1, 1]
    assert rig.word(ICSR) & 1 << 28 == 0


def test_systick_interrupts_with_its_period(rig: CoreRig) -> None:
    rig.boot(LOOP, {SYSTICK: program("ldr r0, =0x40001000; ldr r1, [r0]; bx lr", "014801687047000000100040")})
    rig.poke(SYST_RVR, 499)
    rig.poke(SYST_CSR, 7)
    rig.run(5000)
    ticks = [tick // TICKS_PER_CYCLE for tick, *_ in rig.device.seen]
    assert len(ticks) == 9
    assert all(abs(later - earlier - 500) <= 2 for earlier, later in pairwise(ticks))
    assert 500 <= ticks[0] <= 500 + 12 + 4


def test_a_changed_vector_table_is_used(rig: CoreRig) -> None:
    rig.boot(LOOP, {IRQ0: RETURN})
    other = RAM + 0x4000
    rig.bus.write_memory(other + 4 * IRQ0, (handler_address(40) | 1).to_bytes(4, "little"))
    rig.bus.write_memory(handler_address(40), STAY)
    rig.poke(0xE000_ED08, other)
    rig.enable(0)
    rig.pend(0)
    rig.run()
    assert rig.reg(5) == IRQ0
