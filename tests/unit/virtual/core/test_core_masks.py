"""Priority masks, bad returns and reset requests (ARM DDI 0403E, B1.5)."""

from __future__ import annotations

import pytest
from core_rig import (
    AIRCR,
    CFSR,
    DEVICE,
    HFSR,
    MAIN,
    PC,
    RAM,
    SHCSR,
    SPECIAL,
    STACK,
    CoreRig,
    program,
)


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


IRQ0, IRQ1 = 16, 17
FROM_MAIN = 0xFFFF_FFF9

MARKED = program(
    "mov r0, #0x10; mov r1, #0x11; mov r2, #0x12; mov r3, #0x13; mov r12, #0x1c; mov lr, #0x1e; "
    "movs r4, #0; b .",
    "4ff010004ff011014ff012024ff013034ff01c0c4ff01e0e0024fee7",
)
STAY = program("mrs r5, IPSR; mov r6, sp; mov r7, lr; b .", "eff305856e467746fee7")
LOOP = program("b .", "fee7")


# -- masks ---------------------------------------------------------------------------------------------------

SET_BASEPRI = program(
    "movs r0, #0x40; msr BASEPRI, r0; ldr r1, =0x40001000; ldr r2, =0xe000e200; movs r3, #3; "
    "str r3, [r2]; isb;"
    "str r3, [r1, #8]; movs r0, #0; msr BASEPRI, r0; str r3, [r1, #12]; b .",
    "402080f311880649064a03231360bff36f8f8b60002080f31188cb60fee700000010004000e200e0",
)
NAME = program("ldr r0, =0x40001000; mrs r1, IPSR; str r1, [r0]; bx lr", "0248eff3058101607047000000100040")


def test_basepri_holds_back_what_is_less_urgent_until_it_is_lowered(rig: CoreRig) -> None:
    rig.boot(SET_BASEPRI, {IRQ0: NAME, IRQ1: NAME})
    rig.enable(0, 1)
    rig.priority(IRQ0, 0x40)
    rig.priority(IRQ1, 0x20)
    rig.run()
    assert rig.accesses == [("write", 0, IRQ1), ("write", 8, 3), ("write", 0, IRQ0), ("write", 12, 3)]


@pytest.mark.parametrize(
    "code",
    [
        program(
            "cpsid i; ldr r1, =0x40001000; str r1, [r1, #8]; cpsie i; str r1, [r1, #12]; b .",
            "72b60249896062b6c960fee700100040",
        ),
        program(
            "movs r0, #1; msr PRIMASK, r0; ldr r1, =0x40001000; str r1, [r1, #8]; movs r0, #0; "
            "msr PRIMASK, r0;"
            "str r1, [r1, #12]; b .",
            "012080f3108803498960002080f31088c960fee700100040",
        ),
        program(
            "cpsid f; ldr r1, =0x40001000; str r1, [r1, #8]; cpsie f; str r1, [r1, #12]; b .",
            "71b60249896061b6c960fee700100040",
        ),
    ],
    ids=["cpsid i", "msr PRIMASK", "cpsid f"],
)
def test_a_mask_holds_interrupts_back_until_it_is_cleared(rig: CoreRig, code: bytes) -> None:
    rig.boot(code, {IRQ0: NAME})
    rig.enable(0)
    rig.device.on_write[8] = lambda _value: rig.core.set_irq(0, True)
    rig.device.on_write[0] = lambda _value: rig.core.set_irq(0, False)
    rig.run()
    assert rig.accesses == [("write", 8, DEVICE), ("write", 0, IRQ0), ("write", 12, DEVICE)]


def test_return_clears_faultmask(rig: CoreRig) -> None:
    rig.boot(LOOP, {IRQ0: program("cpsid f; bx lr", "71b67047")})
    rig.enable(0)
    rig.pend(0)
    rig.run()
    assert rig.regs(SPECIAL, PC) == [0, MAIN]


def test_primask_set_before_dropping_privilege_still_masks(rig: CoreRig) -> None:
    rig.boot(
        program(
            "cpsid i; movs r0, #1; msr CONTROL, r0; isb; ldr r4, =0x40001000; str r4, [r4, #8]; b .",
            "72b6012080f31488bff36f8f014ca460fee7000000100040",
        ),
        {IRQ0: NAME},
    )
    rig.enable(0)
    rig.device.on_write[8] = lambda _value: rig.core.set_irq(0, True)
    rig.run()
    assert rig.accesses == [("write", 8, DEVICE)]
    assert rig.reg(SPECIAL) == 0x0100_0001


def test_unprivileged_code_cannot_mask(rig: CoreRig) -> None:
    rig.boot(
        program(
            "movs r0, #1; msr CONTROL, r0; isb; cpsid i; msr BASEPRI, r0; b .",
            "012080f31488bff36f8f72b680f31188fee7",
        ),
        {IRQ0: NAME},
    )
    rig.enable(0)
    rig.run(100)
    rig.pend(0)
    rig.run()
    assert rig.accesses == [("write", 0, IRQ0)]
    assert rig.reg(SPECIAL) == 0x0100_0000


# -- bad returns ---------------------------------------------------------------------------------------------

INVPC = 1 << 18
BAD = program("ldr r0, =0xfffffff1; bx r0", "6ff00e000047")


def test_return_to_a_handler_that_is_not_there_chains_to_a_usage_fault(rig: CoreRig) -> None:
    rig.boot(MARKED, {IRQ0: BAD, 6: STAY}).run(100)
    rig.poke(SHCSR, 7 << 16)
    rig.enable(0)
    rig.pend(0)
    rig.run()
    # B1.5.8: the handler is left, LR holds the bad value, and the frame stays where it is
    assert rig.regs(5, 6, 7) == [6, STACK - 0x20, 0xFFFF_FFF1]
    assert rig.word(CFSR) == INVPC
    assert rig.word(0xE000_E300) == 0  # IRQ0 is no longer active


def test_a_bad_return_becomes_a_hard_fault_where_usage_faults_are_off(rig: CoreRig) -> None:
    rig.boot(MARKED, {IRQ0: BAD, 3: STAY}).run(100)
    rig.enable(0)
    rig.pend(0)
    rig.run()
    assert rig.regs(5, 6) == [3, STACK - 0x20]
    assert rig.word(HFSR) == 1 << 30


def test_a_frame_of_the_wrong_mode_is_refused(rig: CoreRig) -> None:
    spoil = program(
        "movs r0, #5; str r0, [sp, #28]; bx lr", "052007907047"
    )  # an exception number in a thread's xPSR
    rig.boot(MARKED, {IRQ0: spoil, 6: STAY}).run(100)
    rig.poke(SHCSR, 7 << 16)
    rig.enable(0)
    rig.pend(0)
    rig.run()
    assert rig.regs(5, 6, 7) == [6, STACK - 0x20, FROM_MAIN]
    assert rig.word(CFSR) == INVPC


def test_a_frame_without_the_thumb_bit_faults_after_the_return(rig: CoreRig) -> None:
    spoil = program("movs r0, #0; str r0, [sp, #28]; bx lr", "002007907047")
    rig.boot(MARKED, {IRQ0: spoil, 6: STAY}).run(100)
    rig.poke(SHCSR, 7 << 16)
    rig.enable(0)
    rig.pend(0)
    rig.run()
    assert rig.reg(5) == 6
    assert rig.word(CFSR) == 1 << 17


# -- reset requests ------------------------------------------------------------------------------------------


def test_sysresetreq_is_handed_to_the_chip(rig: CoreRig) -> None:
    rig.boot(
        program(
            "ldr r0, =0xe000ed0c; ldr r1, =0x05fa0004; str r1, [r0]; b .", "014802490160fee70ced00e00400fa05"
        )
    ).run()
    assert rig.listener.names == ["reset soft"]


def test_vectreset_restarts_the_core(rig: CoreRig) -> None:
    code = program(
        "ldr r2, =0x20000000; ldr r3, [r2]; adds r3, #1; str r3, [r2]; cmp r3, #2; beq 1f;"
        "ldr r0, =0xe000ed0c; ldr r1, =0x05fa0001; str r1, [r0]; 1: b .",
        "4ff00052136801331360022b02d0024802490160fee700000ced00e00100fa05",
    )
    rig.boot(code).run()
    assert rig.words(RAM, 1) == [2]
    assert rig.reg(1) == 0


def test_aircr_is_ignored_without_its_key(rig: CoreRig) -> None:
    rig.boot(LOOP)
    rig.poke(AIRCR, 0x1234_0704)
    assert rig.word(AIRCR) == 0xFA05_0000
    rig.poke(AIRCR, 0x05FA_0700)
    assert rig.word(AIRCR) == 0xFA05_0700
    assert rig.listener.names == []


def test_icsr_tells_the_active_exception_and_that_it_is_the_only_one(rig: CoreRig) -> None:
    rig.boot(LOOP, {IRQ0: program("ldr r0, =0xe000ed04; ldr r4, [r0]; bx lr", "014804687047000004ed00e0")})
    rig.enable(0)
    rig.pend(0)
    rig.run()
    assert rig.reg(4) == 1 << 11 | IRQ0  # RETTOBASE, VECTACTIVE
