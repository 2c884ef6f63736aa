"""The same program gives the same result, however it is run: at once, twice, step by step, interrupted."""

from __future__ import annotations

import pytest
from core_rig import (
    CPACR,
    FPSCR,
    MAIN,
    PC,
    RAM,
    S0,
    SP,
    SPECIAL,
    STACK,
    SYST_CSR,
    SYST_RVR,
    XPSR,
    CoreRig,
    program,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lan_hil.virtual.silicon.core import Stop

IRQ0 = 16
DATA = RAM + 0x2000

# r7 points to the data; nothing here writes r7 or jumps far.
PIECES = [
    program("adds r0, r1, r2", "8818"),
    program("subs r1, r0, #3", "c11e"),
    program("muls r2, r0, r2", "4243"),
    program("eor r3, r3, r0, ror #5", "83ea7013"),
    program("adcs r0, r3", "5841"),
    program("sbcs r4, r1", "8c41"),
    program("udiv r4, r0, r1", "b0fbf1f4"),
    program("umull r5, r6, r0, r3", "a0fb0356"),
    program("smlad r5, r0, r1, r5", "20fb0155"),
    program("qadd r6, r0, r1", "81fa80f6"),
    program("movw r1, #0x1234; movt r1, #0x8765", "41f23421c8f26571"),
    program("ldr r0, [r7, #8]", "b868"),
    program("str r3, [r7, #12]; ldr r2, [r7, #12]", "fb60fa68"),
    program("strb r4, [r7, #3]; ldrsb r5, [r7, #3]", "fc7097f90350"),
    program("ldrd r1, r2, [r7, #16]; strd r2, r1, [r7, #24]", "d7e90412c7e90621"),
    program("stm r7, {r0, r1, r2}; ldmdb r7, {r3, r4}", "87e8070017e91800"),
    program("push {r0, r3, r5}; adds r0, #1; pop {r1, r2, r6}", "29b4013046bc"),
    program("cmp r0, r1; ite hi; movhi r2, #7; addls r2, r2, r1", "88428cbf07225218"),
    program("tst r3, #1; itt ne; ldrne r4, [r7]; strne r4, [r7, #4]", "13f0010f1cbf3c687c60"),
    program("cmp r0, #0; beq 1f; adds r5, #1; 1: adds r5, #2", "002800d001350235"),
    program("cbz r1, 1f; subs r6, #1; 1: nop", "01b1013e00bf"),
    program("bl 1f; b 2f; 1: adds r2, #9; bx lr; 2: nop", "00f001f801e00932704700bf"),
    program("movs r6, #3; 1: adds r0, r0, r6; subs r6, #1; bne 1b", "03268019013efcd1"),
    program("vmov s0, r0; vcvt.f32.s32 s0, s0; vmul.f32 s1, s0, s0", "00ee100ab8eec00a60ee000a"),
    program("vadd.f32 s2, s1, s0; vfma.f32 s3, s2, s0; vsub.f32 s17, s3, s1", "30ee801ae1ee001a71eee08a"),
    program(
        "vcmp.f32 s2, s3; vmrs APSR_nzcv, FPSCR; it gt; vmovgt.f32 s4, s2", "b4ee611af1ee10fac8bfb0ee412a"
    ),
    program("vstr s3, [r7, #32]; vldr d5, [r7, #32]", "c7ed081a97ed085b"),
    program("vpush {s1, s2}; vpop {s18, s19}", "6ded020abdec029a"),
    program("vdiv.f32 s5, s2, s1; vsqrt.f32 s6, s0", "c1ee202ab1eec03a"),
    program("dsb; isb", "bff34f8fbff36f8f"),
    program("mrs r3, APSR; msr APSR_nzcvq, r0", "eff3008380f30088"),
]
# It uses floating point at once: what a thread has never touched, a handler may change.
START = program("vmov.f32 s0, #1.0; ldr r7, =0x20002000; b 1f; .ltorg; 1: nop", "b7ee000a4ff02027ffe700bf")
END = program("b .", "fee7")
NOTHING = program("bx lr", "7047")
FLOATING = program(
    "vmov.f32 s0, #1.5; vmov.f32 s15, #2.5; vadd.f32 s3, s0, s15; movs r0, #0; cmp r0, #0; bx lr",
    "b7ee080af0ee047a70ee271a002000287047",
)
RESULT = [*range(15), PC, XPSR, SPECIAL, FPSCR, *range(S0, S0 + 32)]

programs = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12)


def start(pieces: list[bytes], handlers: dict[int, bytes] | None = None) -> tuple[CoreRig, int]:
    """A rig with a program, and the address of its last instruction."""
    code = START + b"".join(pieces)
    rig = CoreRig().boot(code + END, handlers)
    rig.bus.write_memory(DATA - 0x40, bytes((7 * k + 3) & 0xFF for k in range(0x80)))
    rig.poke(CPACR, 0xF << 20)
    for number in range(7):
        rig.core.write_register(number, 0x1357_9BDF * (number + 1) & 0xFFFF_FFFF)
    return rig, MAIN + len(code)


def result(rig: CoreRig, end: int) -> tuple[list[int], bytes]:
    assert rig.reg(PC) == end
    return rig.regs(*RESULT), rig.bus.read_memory(DATA - 0x40, 0x80)


def at_once(pieces: list[bytes]) -> tuple[list[int], bytes]:
    rig, end = start(pieces)
    assert rig.run(3000) is Stop.DEADLINE
    return result(rig, end)


@settings(max_examples=40, deadline=None)
@given(programs)
def test_a_program_gives_the_same_result_twice_and_in_slices(pieces: list[bytes]) -> None:
    expected = at_once(pieces)
    assert at_once(pieces) == expected
    rig, end = start(pieces)
    while rig.reg(PC) != end:
        rig.run(1)
    rig.run(10)
    assert result(rig, end) == expected


@settings(max_examples=40, deadline=None)
@given(programs)
def test_a_program_gives_the_same_result_step_by_step(pieces: list[bytes]) -> None:
    expected = at_once(pieces)
    rig, end = start(pieces)
    rig.halt()
    rig.run_to_halt()
    for _ in range(300):
        rig.step()
        if rig.transfer(PC) == end:
            break
    assert result(rig, end) == expected


@settings(max_examples=40, deadline=None)
@given(programs, st.lists(st.integers(10, 150), min_size=1, max_size=4), st.sampled_from([NOTHING, FLOATING]))
def test_a_program_gives_the_same_result_with_interrupts(
    pieces: list[bytes], moments: list[int], handler: bytes
) -> None:
    expected = at_once(pieces)
    rig, end = start(pieces, {IRQ0: handler})
    rig.enable(0)
    for moment in moments:
        rig.timeline.schedule(4 * moment, lambda: rig.pend(0))
    rig.run(4000)
    assert rig.word(0xE000_E200) == 0  # all were taken
    registers, memory = result(rig, end)
    assert registers == expected[0]
    assert memory == expected[1]


@settings(max_examples=40, deadline=None)
@given(programs, st.integers(0, 200))
def test_a_program_gives_the_same_result_through_breakpoints(pieces: list[bytes], offset: int) -> None:
    expected = at_once(pieces)
    rig, end = start(pieces)
    address = MAIN + 2 * (offset % ((end - MAIN) // 2))
    rig.debug(0)
    rig.poke(0xE000_2000, 3)
    rig.poke(0xE000_2008, (address & ~3) | (2 if address & 2 else 1) << 30 | 1)
    for _ in range(50):
        if rig.run(3000) is Stop.DEADLINE:
            break
        rig.poke(0xE000_2000, 2)
        rig.step()
        rig.poke(0xE000_2000, 3)
        rig.debug(0)
    assert result(rig, end) == expected


@settings(max_examples=40, deadline=None)
@given(programs, st.integers(0, 0x7C).map(lambda k: DATA - 0x40 + (k & ~31)))
def test_a_program_gives_the_same_result_beside_a_guard(pieces: list[bytes], guard: int) -> None:
    """With an MPU region on its page that it may use, and one beside its data that it may not."""
    expected = at_once(pieces)
    rig, end = start(pieces)
    rig.poke(0xE000_ED9C, guard | 0x10)
    rig.poke(0xE000_EDA0, 1 << 28 | 3 << 24 | 4 << 1 | 1)
    rig.poke(0xE000_ED9C, (DATA + 0x80) | 0x11)
    rig.poke(0xE000_EDA0, 1 << 28 | 4 << 1 | 1)
    rig.poke(0xE000_ED94, 5)
    rig.run(6000)
    assert result(rig, end) == expected


BUSY = program(
    "ldr r1, =0x40001000; 1: adds r0, #1; str r0, [r1]; svc #0; mul r2, r0, r0; udiv r3, r2, r0; b 1b",
    "04490130086000df00fb00f2b2fbf0f3f7e7000000100040",
)


def busy() -> tuple[list[int], list[tuple[int, str, int, int]], int]:
    """A run with SysTick, SVC, interrupts and device accesses."""
    rig = CoreRig().boot(BUSY, {11: NOTHING, 15: FLOATING, IRQ0: NOTHING})
    rig.poke(CPACR, 0xF << 20)
    rig.poke(SYST_RVR, 777)
    rig.poke(SYST_CSR, 7)
    rig.enable(0)
    for k in range(30):
        rig.timeline.schedule(1111 * k, lambda: rig.pend(0))
    rig.run(20_000)
    return rig.regs(*RESULT), rig.device.seen, rig.timeline.now


def test_a_busy_run_is_the_same_twice() -> None:
    first = busy()
    assert len(first[1]) > 100
    assert busy() == first


@pytest.mark.parametrize("piece", range(len(PIECES)))
def test_each_piece_ends_where_it_should(piece: int) -> None:
    rig, end = start([PIECES[piece]])
    assert rig.run(500) is Stop.DEADLINE
    assert rig.regs(PC, SP, 7) == [end, STACK, DATA]
