"""The MPU at work: violations with their addresses, guards smaller than the engine's pages, privilege."""

from __future__ import annotations

import pytest
from core_rig import (
    CFSR,
    CPACR,
    DEVICE,
    MAIN,
    MMFAR,
    MPU_CTRL,
    MPU_RASR,
    MPU_RBAR,
    PC,
    S0,
    SHCSR,
    SP,
    STACK,
    CoreRig,
    program,
)

from pytest_lan_hil.virtual.silicon.core import Stop


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


HARD, MEM, BUS, SVCALL, IRQ0 = 3, 4, 5, 11, 16
IACCVIOL, DACCVIOL, MMARVALID = 1, 2, 128
STAY = program("mrs r5, IPSR; mov r6, sp; mov r7, lr; b .", "eff305856e467746fee7")
GUARD = 0x2000_2100  # 32 bytes in the middle of a page
NO_ACCESS, PRIVILEGED, READ_BY_ALL, FULL, READ_ONLY = 0, 1, 2, 3, 6


def region(rig: CoreRig, number: int, base: int, log2: int, ap: int, xn: int = 0) -> None:
    rig.poke(MPU_RBAR, base | 0x10 | number)
    rig.poke(MPU_RASR, xn << 28 | ap << 24 | (log2 - 1) << 1 | 1)


def boot(rig: CoreRig, code: bytes, handlers: dict[int, bytes] | None = None, ap: int = NO_ACCESS) -> None:
    """Boot with a guard region over the privileged default map."""
    rig.boot(code, {HARD: STAY, MEM: STAY, BUS: STAY, **(handlers or {})})
    region(rig, 0, GUARD, 5, ap, xn=1)
    rig.poke(MPU_CTRL, 5)
    rig.poke(SHCSR, 7 << 16)
    rig.bus.write_memory(0x2000_2000, bytes(k & 0xFF for k in range(0x400)))


def outcome(rig: CoreRig) -> tuple[int, int, int]:
    """(exception, CFSR, stacked PC)."""
    rig.run()
    return rig.reg(5), rig.word(CFSR), rig.words(STACK - 8, 1)[0]


def test_a_load_from_the_guard_faults_with_its_address(rig: CoreRig) -> None:
    boot(rig, program("ldr r1, =0x20002104; movs r0, #9; ldr r0, [r1]; b .", "014909200868fee704210020"))
    assert outcome(rig) == (MEM, DACCVIOL | MMARVALID, MAIN + 4)
    assert rig.word(MMFAR) == GUARD + 4
    assert rig.words(STACK - 0x20, 1) == [9]


def test_a_store_to_the_guard_faults_and_changes_nothing(rig: CoreRig) -> None:
    boot(rig, program("ldr r1, =0x2000211f; strb r1, [r1]; b .", "01490970fee700001f210020"))
    assert outcome(rig) == (MEM, DACCVIOL | MMARVALID, MAIN + 2)
    assert rig.word(MMFAR) == GUARD + 31
    assert rig.bus.read_memory(GUARD + 31, 1) == b"\x1f"


def test_a_read_only_region_refuses_only_stores(rig: CoreRig) -> None:
    boot(
        rig,
        program("ldr r1, =0x20002104; ldr r4, [r1]; str r1, [r1]; b .", "01490c680960fee704210020"),
        ap=READ_ONLY,
    )
    assert outcome(rig) == (MEM, DACCVIOL | MMARVALID, MAIN + 4)
    assert rig.reg(4) == 0x0706_0504


def test_memory_beside_the_guard_keeps_its_value(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x20002100; ldr r2, [r1, #-4]; ldr r3, [r1, #32]; ldrb r4, [r1, #33]; str r3, [r1, #-4];"
        "strh r2, [r1, #32]; ldr r5, [r1, #-4]; ldr r6, [r1, #32]; ldrd r7, r8, [r1, #-8]; adds r0, #1; b .",
        "074951f8042c0b6a91f8214041f8043c0a8451f8045c0e6a51e902780130fee700210020",
    )
    boot(rig, code)
    rig.run()
    assert rig.regs(0, 2, 3, 4, 5, 6, 7, 8) == [
        1, 0xFFFE_FDFC, 0x2322_2120, 0x21, 0x2322_2120, 0x2322_FDFC, 0xFBFA_F9F8, 0x2322_2120,
    ]  # fmt: skip
    assert rig.words(GUARD - 4, 1) == [0x2322_2120]
    assert rig.word(CFSR) == 0


def test_a_loop_on_the_guards_page_counts_right(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x20002080; movs r2, #100; 1: ldr r0, [r1]; adds r0, #1; str r0, [r1]; subs r2, #1; "
        "bne 1b; b .",
        "03496422086801300860013afad1fee780200020",
    )
    boot(rig, code)
    rig.bus.write_memory(0x2000_2080, bytes(4))
    rig.run(3000)
    assert rig.words(0x2000_2080, 1) == [100]


@pytest.mark.parametrize(
    "code",
    [
        program("ldr r0, =0x20002128; mov sp, r0; push {r1, r2, r3}; b .", "014885460eb4fee728210020"),
        program(
            "ldr r0, =0x20002128; mov sp, r0; stmdb r0!, {r1, r2, r3}; b .",
            "0248854620e90e00fee7000028210020",
        ),
        program(
            "ldr r0, =0x2000211c; mov sp, r0; strd r1, r2, [r0]; b .", "02488546c0e90012fee700001c210020"
        ),
    ],
    ids=["PUSH", "STMDB", "STRD"],
)
def test_a_multiple_store_that_reaches_the_guard_faults_there(rig: CoreRig, code: bytes) -> None:
    boot(rig, code)
    rig.run()
    assert (rig.reg(5), rig.word(CFSR) & (DACCVIOL | MMARVALID)) == (MEM, DACCVIOL | MMARVALID)
    assert rig.word(MMFAR) == GUARD + 28


def test_a_push_just_above_the_guard_works(rig: CoreRig) -> None:
    boot(
        rig,
        program(
            "movs r1, #1; movs r2, #2; ldr r0, =0x20002128; mov sp, r0; push {r1, r2}; pop {r3, r4}; b .",
            "012102220248854606b418bcfee7000028210020",
        ),
    )
    rig.run()
    assert rig.regs(3, 4, SP) == [1, 2, GUARD + 40]
    assert rig.words(GUARD + 32, 2) == [1, 2]


def test_a_multiple_load_that_crosses_the_guard_faults_at_its_start(rig: CoreRig) -> None:
    boot(
        rig,
        program(
            "ldr r0, =0x200020f8; movs r3, #3; ldm r0, {r1, r2, r3}; b .", "0248032390e80e00fee70000f8200020"
        ),
    )
    assert outcome(rig) == (MEM, DACCVIOL | MMARVALID, MAIN + 4)
    assert rig.word(MMFAR) == GUARD
    assert rig.words(STACK - 0x20 + 12, 1) == [3]


def test_a_multiple_load_beside_the_guard_works(rig: CoreRig) -> None:
    boot(rig, program("ldr r0, =0x200020f8; ldm r0!, {r1, r2}; b .", "014806c8fee70000f8200020"))
    rig.run()
    assert rig.regs(0, 1, 2) == [GUARD, 0xFBFA_F9F8, 0xFFFE_FDFC]


def test_a_handler_returns_from_a_stack_beside_the_guard(rig: CoreRig) -> None:
    main = program(
        "ldr r0, =0x20002180; mov sp, r0; svc #0; movs r4, #4; b .", "0248854600df0424fee7000080210020"
    )
    boot(rig, main, {SVCALL: program("push {r4, lr}; adds r6, #1; pop {r4, pc}", "10b5013610bd")})
    rig.run()
    assert rig.regs(4, 6, SP) == [4, 1, 0x2000_2180]
    assert rig.word(CFSR) == 0


def test_a_function_returns_from_a_stack_beside_the_guard(rig: CoreRig) -> None:
    main = program(
        "ldr r0, =0x20002180; mov sp, r0; bl 1f; adds r4, #1; bl 1f; adds r4, #1; b .;"
        "1: push {r5, lr}; adds r6, #1; pop {r5, pc}",
        "0548854600f005f8013400f002f80134fee720b5013620bd80210020",
    )
    boot(rig, main)
    rig.run()
    assert rig.regs(4, 6, SP) == [2, 2, 0x2000_2180]


def test_floating_point_is_saved_lazily_beside_the_guard(rig: CoreRig) -> None:
    main = program(
        "ldr r0, =0x20002300; mov sp, r0; vmov.f32 s0, #1.0; svc #0; vmov r4, s0; b .",
        "03488546b7ee000a00df10ee104afee700230020",
    )
    boot(
        rig,
        main,
        {SVCALL: program("vpush {s0}; vmov.f32 s0, #2.0; vpop {s1}; bx lr", "2ded010ab0ee000afdec010a7047")},
    )
    rig.poke(CPACR, 0xF << 20)
    rig.run()
    assert rig.regs(4, S0, SP) == [0x3F80_0000, 0x3F80_0000, 0x2000_2300]


def test_time_and_cycles_agree_beside_the_guard(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x20002080; 1: ldr r0, [r1]; adds r0, #1; str r0, [r1]; b 1b",
        "0249086801300860fbe7000080200020",
    )
    boot(rig, code)
    rig.bus.write_memory(0x2000_2080, bytes(4))
    rig.run(3000)
    with_guard = rig.words(0x2000_2080, 1)[0]
    rig.boot(code)
    rig.bus.write_memory(0x2000_2080, bytes(4))
    rig.run(3000)
    without = rig.words(0x2000_2080, 1)[0]
    assert abs(with_guard - without) <= without * 0.25  # overlap between neighbours is lost, no more


# -- execution -----------------------------------------------------------------------------------------------


def test_a_jump_into_an_execute_never_region_faults(rig: CoreRig) -> None:
    boot(rig, program("ldr r0, =0x20002201; bx r0", "0048004701220020"))
    region(rig, 1, 0x2000_2200, 8, FULL, xn=1)
    assert outcome(rig) == (MEM, IACCVIOL, 0x2000_2200)


def test_code_runs_beside_an_execute_never_region(rig: CoreRig) -> None:
    boot(rig, program("ldr r0, =0x20002301; bx r0", "0048004701230020"))
    region(rig, 1, 0x2000_2200, 8, FULL, xn=1)
    rig.bus.write_memory(0x2000_2300, program("movs r4, #4; b .", "0424fee7"))
    rig.run()
    assert rig.regs(4, PC) == [4, 0x2000_2302]


def test_code_that_falls_into_an_execute_never_region_faults_there(rig: CoreRig) -> None:
    boot(rig, program("ldr r0, =0x200021fd; bx r0", "00480047fd210020"))
    region(rig, 1, 0x2000_2200, 8, FULL, xn=1)
    rig.bus.write_memory(
        0x2000_21FC, program("movs r4, #4; movs r4, #5; movs r4, #6; b .", "042405240624fee7")
    )
    assert outcome(rig) == (MEM, IACCVIOL, 0x2000_2200)
    assert rig.reg(4) == 5


def test_execute_never_set_later_stops_code_that_ran_before(rig: CoreRig) -> None:
    call = program(
        "ldr r0, =0x20002201; blx r0; svc #0; ldr r0, =0x20002201; blx r0; b .",
        "0248804700df01488047fee701220020",
    )
    protect = program(
        "ldr r1, =0xe000ed9c; ldr r2, =0x20002211; str r2, [r1]; ldr r2, =0x1300000f; str r2, [r1, #4]; "
        "dsb; bx lr",
        "0349044a0a60044a4a60bff34f8f70479ced00e0112200200f000013",
    )
    boot(rig, call, {SVCALL: protect})
    rig.bus.write_memory(0x2000_2200, program("adds r4, #4; bx lr", "04347047"))
    rig.run()
    assert (rig.reg(4), rig.reg(5), rig.word(CFSR)) == (4, MEM, IACCVIOL)


# -- privilege -----------------------------------------------------------------------------------------------


def user(rig: CoreRig, code: bytes, handlers: dict[int, bytes] | None = None) -> None:
    """Boot with flash and most of RAM open to all."""
    boot(rig, code, handlers, ap=PRIVILEGED)
    region(rig, 1, 0, 17, READ_ONLY)
    region(rig, 2, 0x2000_0000, 12, FULL)
    rig.poke(MPU_RBAR, GUARD | 0x17)
    rig.poke(MPU_RASR, 1 << 28 | PRIVILEGED << 24 | 4 << 1 | 1)


def test_a_thread_without_privilege_is_kept_out(rig: CoreRig) -> None:
    user(
        rig,
        program(
            "ldr r1, =0x20002104; ldr r4, [r1]; movs r0, #1; msr CONTROL, r0; isb; ldr r4, [r1]; b .",
            "04490c68012080f31488bff36f8f0c68fee7000004210020",
        ),
    )
    rig.run()
    assert (rig.reg(5), rig.word(CFSR), rig.word(MMFAR)) == (MEM, DACCVIOL | MMARVALID, GUARD + 4)
    assert rig.reg(4) == 0x0706_0504


def test_its_handlers_are_let_in(rig: CoreRig) -> None:
    code = program(
        "movs r0, #1; msr CONTROL, r0; isb; svc #0; movs r2, #2; b .", "012080f31488bff36f8f00df0222fee7"
    )
    user(rig, code, {SVCALL: program("ldr r1, =0x20002104; ldr r4, [r1]; bx lr", "01490c687047000004210020")})
    rig.run()
    assert rig.regs(2, 4) == [2, 0x0706_0504]
    assert rig.word(CFSR) == 0


def test_a_thread_without_privilege_may_not_run_privileged_code(rig: CoreRig) -> None:
    user(
        rig,
        program(
            "movs r0, #1; msr CONTROL, r0; isb; ldr r0, =0x20002201; bx r0",
            "012080f31488bff36f8f01480047000001220020",
        ),
    )
    rig.bus.write_memory(0x2000_2200, program("movs r4, #4; b .", "0424fee7"))
    rig.run()
    assert (rig.reg(5), rig.word(CFSR), rig.reg(4)) == (MEM, IACCVIOL, 0)


def test_peripherals_are_protected_too(rig: CoreRig) -> None:
    user(
        rig,
        program(
            "ldr r1, =0x40001000; str r1, [r1]; movs r0, #1; msr CONTROL, r0; isb; ldr r4, [r1, #4]; b .",
            "04490960012080f31488bff36f8f4c68fee7000000100040",
        ),
    )
    rig.run()
    assert (rig.reg(5), rig.word(CFSR), rig.word(MMFAR)) == (MEM, DACCVIOL | MMARVALID, DEVICE + 4)
    assert rig.accesses == [("write", 0, DEVICE)]


def test_a_region_inside_a_peripherals_page_is_let_in(rig: CoreRig) -> None:
    user(
        rig,
        program(
            "movs r0, #1; msr CONTROL, r0; isb; ldr r1, =0x40001000; movs r4, #4; str r4, [r1, #8]; "
            "ldr r5, [r1, #8]; str r4, [r1, #32]; b .",
            "012080f31488bff36f8f034904248c608d680c62fee7000000100040",
        ),
    )
    region(rig, 3, DEVICE, 5, FULL, xn=1)
    rig.run()
    assert rig.accesses == [("write", 8, 4), ("read", 8, 4)]
    assert (rig.word(CFSR), rig.word(MMFAR)) == (DACCVIOL | MMARVALID, DEVICE + 32)


# -- when it applies -----------------------------------------------------------------------------------------


def test_it_applies_from_the_barrier_on(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x20002104; ldr r2, =0xe000ed94; movs r3, #0; str r3, [r2]; dsb; isb; ldr r4, [r1]; "
        "movs r3, #5;"
        "str r3, [r2]; dsb; isb; ldr r3, [r1]; b .",
        "0849094a00231360bff34f8fbff36f8f0c6805231360bff34f8fbff36f8f0b68fee700000421002094ed00e0",
    )
    boot(rig, code)
    rig.run()
    assert (rig.reg(4), rig.reg(5), rig.word(MMFAR)) == (0x0706_0504, MEM, GUARD + 4)


@pytest.mark.parametrize(("control", "stop"), [(5, Stop.DEADLINE), (7, Stop.LOCKUP)])
def test_hard_fault_handlers_pass_unless_asked_otherwise(rig: CoreRig, control: int, stop: Stop) -> None:
    boot(
        rig,
        program("udf #0", "00de"),
        {HARD: program("ldr r1, =0x20002104; ldr r4, [r1]; b .", "01490c68fee7000004210020")},
    )
    rig.poke(SHCSR, 0)
    rig.poke(MPU_CTRL, control)
    assert rig.run() is stop
    assert rig.reg(4) == (0x0706_0504 if control == 5 else 0)


def test_the_debugger_steps_beside_the_guard(rig: CoreRig) -> None:
    boot(
        rig,
        program(
            "ldr r1, =0x200020f8; movs r2, #5; str r2, [r1]; ldr r3, [r1]; adds r3, #1; b .",
            "024905220a600b680133fee7f8200020",
        ),
    )
    rig.halt()
    places = []
    for _ in range(5):
        rig.step()
        places.append(rig.transfer(PC) - MAIN)
    assert places == [2, 4, 6, 8, 10]
    assert rig.transfer(3) == 6
