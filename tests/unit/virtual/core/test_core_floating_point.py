"""Floating point across exceptions: extended frames, lazy stacking (ARM DDI 0403E, B1.5.7)."""

from __future__ import annotations

import pytest
from core_rig import (
    CFSR,
    CPACR,
    FPCAR,
    FPCCR,
    FPSCR,
    HFSR,
    MAIN,
    PC,
    S0,
    SHCSR,
    SP,
    SPECIAL,
    STACK,
    XPSR,
    CoreRig,
    program,
)

IRQ0, IRQ1 = 16, 17
LSPACT, LSPEN, ASPEN = 1, 1 << 30, 1 << 31
FROM_FP_THREAD = 0xFFFF_FFE9
UNTOUCHED = 0xAAAA_AAAA

USE_FP = program(
    "vmov.f32 s0, #1.0; vmov.f32 s1, #2.0; vmov.f32 s15, #4.0; vmov.f32 s16, #8.0; vcmp.f32 s0, s1; b .",
    "b7ee000af0ee000af1ee007ab2ee008ab4ee600afee7",
)
INTEGER = program(
    "mov r6, sp; mov r7, lr; ldr r0, =0xe000ef34; ldr r5, [r0]; bx lr", "6e467746014805687047000034ef00e0"
)
FLOATING = program(
    "vmov.f32 s0, #3.0; vmov.f32 s15, s0; vmov.f32 s1, s0; bx lr", "b0ee080af0ee407af0ee400a7047"
)
STAY = program("mrs r5, IPSR; mov r6, sp; mov r7, lr; b .", "eff305856e467746fee7")
ONE, TWO, THREE, FOUR, EIGHT = 0x3F80_0000, 0x4000_0000, 0x4040_0000, 0x4080_0000, 0x4100_0000
LESS = 0x8000_0000  # FPSCR after comparing 1 with 2


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


def start(rig: CoreRig, handlers: dict[int, bytes], code: bytes = USE_FP) -> None:
    rig.boot(code, handlers)
    rig.bus.write_memory(STACK - 0x200, bytes([0xAA] * 0x200))
    rig.poke(CPACR, 0xF << 20)
    rig.run(100)
    rig.enable(0, 1)


def test_floating_point_sets_fpca(rig: CoreRig) -> None:
    start(rig, {})
    assert rig.reg(SPECIAL) >> 24 == 4
    assert rig.regs(S0, S0 + 1, S0 + 15, S0 + 16, FPSCR) == [ONE, TWO, FOUR, EIGHT, LESS]


def test_a_handler_without_floating_point_stores_none(rig: CoreRig) -> None:
    start(rig, {IRQ0: INTEGER})
    rig.pend(0)
    rig.run(100)
    assert rig.regs(6, 7) == [STACK - 0x68, FROM_FP_THREAD]
    assert rig.reg(5) == ASPEN | LSPEN | LSPACT  # seen inside the handler
    assert rig.words(STACK - 0x48, 18) == [UNTOUCHED] * 18
    assert rig.word(FPCCR) == ASPEN | LSPEN
    assert rig.word(FPCAR) == STACK - 0x48
    assert rig.regs(SP, S0, S0 + 15, FPSCR, SPECIAL) == [STACK, ONE, FOUR, LESS, 4 << 24]


def test_a_handler_with_floating_point_gives_the_registers_back(rig: CoreRig) -> None:
    start(rig, {IRQ0: FLOATING})
    rig.pend(0)
    rig.run(200)
    frame = rig.words(STACK - 0x48, 18)
    assert [frame[0], frame[1], frame[15], frame[16], frame[17]] == [ONE, TWO, FOUR, LESS, UNTOUCHED]
    assert rig.regs(S0, S0 + 1, S0 + 15, FPSCR) == [ONE, TWO, FOUR, LESS]
    assert rig.regs(SP, SPECIAL) == [STACK, 4 << 24]
    assert rig.word(FPCCR) == ASPEN | LSPEN


def test_a_handler_starts_with_default_floating_point_status(rig: CoreRig) -> None:
    start(rig, {IRQ0: program("vmrs r5, FPSCR; bx lr", "f1ee105a7047")})
    rig.pend(0)
    rig.run(200)
    assert rig.regs(5, FPSCR) == [0, LESS]


def test_a_nested_handler_saves_for_the_thread_beneath(rig: CoreRig) -> None:
    outer = program(
        "ldr r0, =0xe000e200; movs r1, #1; str r1, [r0]; isb; movs r4, #1; bx lr",
        "034801210160bff36f8f01247047000000e200e0",
    )
    start(rig, {IRQ1: outer, IRQ0: FLOATING})
    rig.priority(IRQ1, 0x40)
    rig.pend(1)
    rig.run(300)
    assert rig.regs(S0, S0 + 1, S0 + 15, FPSCR, 4, SP, PC) == [ONE, TWO, FOUR, LESS, 1, STACK, MAIN + 0x14]


def test_two_levels_of_floating_point_do_not_mix(rig: CoreRig) -> None:
    outer = program(
        "vmov.f32 s0, #5.0; ldr r0, =0xe000e200; movs r1, #1; str r1, [r0]; isb; vmov r4, s0; bx lr",
        "b1ee040a034801210160bff36f8f10ee104a704700e200e0",
    )
    start(rig, {IRQ1: outer, IRQ0: FLOATING})
    rig.priority(IRQ1, 0x40)
    rig.pend(1)
    rig.run(300)
    assert rig.reg(4) == 0x40A0_0000
    assert rig.regs(S0, S0 + 1, S0 + 15, FPSCR, SP) == [ONE, TWO, FOUR, LESS, STACK]


def test_chained_handlers_save_once_and_return_right(rig: CoreRig) -> None:
    start(rig, {IRQ0: FLOATING, IRQ1: FLOATING})
    rig.pend(0)
    rig.pend(1)
    rig.run(300)
    assert rig.regs(S0, S0 + 1, S0 + 15, FPSCR, SP, SPECIAL) == [ONE, TWO, FOUR, LESS, STACK, 4 << 24]


def test_without_lazy_stacking_the_registers_are_stored_at_once(rig: CoreRig) -> None:
    start(rig, {IRQ0: STAY})
    rig.poke(FPCCR, ASPEN)
    rig.pend(0)
    rig.run(100)
    frame = rig.words(STACK - 0x48, 18)
    assert [frame[0], frame[15], frame[16], frame[17]] == [ONE, FOUR, LESS, UNTOUCHED]
    assert rig.word(FPCCR) == ASPEN


def test_without_automatic_stacking_the_frame_is_basic(rig: CoreRig) -> None:
    start(rig, {IRQ0: STAY})
    rig.poke(FPCCR, 0)
    rig.pend(0)
    rig.run(100)
    assert rig.regs(6, 7) == [STACK - 0x20, 0xFFFF_FFF9]


def test_an_extended_frame_is_padded_too(rig: CoreRig) -> None:
    start(rig, {IRQ0: FLOATING}, program("sub sp, #4; vmov.f32 s0, #1.0; b .", "81b0b7ee000afee7"))
    rig.pend(0)
    rig.run(200)
    assert rig.words(STACK - 0x70 + 0x1C, 2) == [0x0100_0200, ONE]
    assert rig.regs(SP, XPSR, S0) == [STACK - 4, 0x0100_0000, ONE]


NOCP = 1 << 19
AT_SECOND = program(
    "movs r0, #1; adds r0, #2; vmov.f32 s0, #1.0; movs r0, #9; b .", "01200230b7ee000a0920fee7"
)


def test_floating_point_without_permission_faults_at_its_own_instruction(rig: CoreRig) -> None:
    rig.boot(AT_SECOND, {6: STAY})
    rig.poke(SHCSR, 7 << 16)
    rig.run()
    assert rig.words(STACK - 8, 1) == [MAIN + 4]
    assert rig.words(STACK - 0x20, 1) == [3]  # what ran before it counts
    assert rig.word(CFSR) == NOCP
    assert rig.reg(5) == 6


def test_a_handler_that_grants_the_unit_lets_the_instruction_run(rig: CoreRig) -> None:
    grant = program(
        "ldr r1, =0xe000ed88; mov r2, #0xf00000; str r2, [r1]; dsb; isb; bx lr",
        "04494ff470020a60bff34f8fbff36f8f7047000088ed00e0",
    )
    rig.boot(AT_SECOND, {3: grant}).run()
    assert rig.word(HFSR) == 1 << 30
    assert rig.regs(0, S0) == [9, ONE]


def test_privileged_only_permission_stops_a_thread_that_lost_privilege(rig: CoreRig) -> None:
    code = program(
        "vmov.f32 s0, #1.0; movs r0, #1; msr CONTROL, r0; isb; vmov.f32 s1, #2.0; b .",
        "b7ee000a012080f31488bff36f8ff0ee000afee7",
    )
    rig.boot(code, {6: STAY})
    rig.poke(SHCSR, 7 << 16)
    rig.poke(CPACR, 0x5 << 20)
    rig.run()
    assert (rig.reg(5), rig.word(CFSR)) == (6, NOCP)
    assert rig.reg(S0) == ONE


def test_s16_to_s31_are_left_to_software(rig: CoreRig) -> None:
    start(rig, {IRQ0: program("vmov.f32 s16, #1.0; bx lr", "b7ee008a7047")})
    rig.pend(0)
    rig.run(200)
    assert rig.reg(S0 + 16) == ONE


@pytest.mark.parametrize("lazy", [LSPEN, 0])
def test_stacking_floating_point_takes_its_time(rig: CoreRig, lazy: int) -> None:
    stamp = program(
        "vmov.f32 s0, #1.0; ldr r0, =0x40001000; str r0, [r0]; bx lr", "b7ee000a014800607047000000100040"
    )
    start(rig, {IRQ0: stamp})
    rig.poke(FPCCR, ASPEN | lazy)
    before = rig.timeline.now
    rig.pend(0)
    rig.run(200)
    assert (rig.device.seen[0][0] - before) // 4 == 12 + 17 + 1 + 2


def test_floating_point_in_an_it_block_faults_before_the_block(rig: CoreRig) -> None:
    code = program(
        "movs r0, #0; cmp r0, #0; itt eq; moveq r0, #1; vmoveq.f32 s0, #1.0; b .",
        "0020002804bf0120b7ee000afee7",
    )
    rig.boot(code, {6: STAY})
    rig.poke(SHCSR, 7 << 16)
    rig.run()
    assert rig.words(STACK - 8, 1) == [MAIN + 4]
    assert (rig.word(CFSR), rig.words(STACK - 0x20, 1)) == (NOCP, [0])
