"""Faults, their status and addresses, escalation and lockup (ARM DDI 0403E, B1.5.14 and B1.5.15)."""

from __future__ import annotations

import pytest
from core_rig import (
    BFAR,
    CFSR,
    DEVICE,
    HFSR,
    MAIN,
    MPU_CTRL,
    MPU_RASR,
    MPU_RBAR,
    RAM,
    RAM_SIZE,
    SHCSR,
    STACK,
    CoreRig,
    program,
)

from pytest_lan_hil.virtual.silicon.core import Stop
from pytest_lan_hil.virtual.silicon.unmodelled import UnmodelledAccess


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig()


HARD, MEM, BUS, USAGE, SVCALL = 3, 4, 5, 6, 11
IACCVIOL, DACCVIOL, MUNSTKERR, MSTKERR, MMARVALID = 1, 2, 8, 16, 128
IBUSERR, PRECISERR, IMPRECISERR, UNSTKERR, STKERR, BFARVALID = (
    1 << 8,
    1 << 9,
    1 << 10,
    1 << 11,
    1 << 12,
    1 << 15,
)
UNDEFINSTR, INVSTATE, NOCP = 1 << 16, 1 << 17, 1 << 19
FORCED, VECTTBL = 1 << 30, 2

STAY = program("mrs r5, IPSR; mov r6, sp; mov r7, lr; b .", "eff305856e467746fee7")
ALL = {HARD: STAY, MEM: STAY, BUS: STAY, USAGE: STAY}


def fault(rig: CoreRig, code: bytes, *, enabled: bool = True) -> tuple[int, int, int]:
    """Run code that faults: (exception, CFSR, stacked PC)."""
    rig.boot(code, ALL)
    if enabled:
        rig.poke(SHCSR, 7 << 16)
    rig.run()
    return rig.reg(5), rig.word(CFSR), rig.words(STACK - 8, 1)[0]


UDF = program("movs r0, #1; udf #0; movs r0, #2; b .", "012000de0220fee7")


def test_an_undefined_instruction(rig: CoreRig) -> None:
    assert fault(rig, UDF) == (USAGE, UNDEFINSTR, MAIN + 2)
    assert rig.words(STACK - 0x20, 1) == [1]


def test_an_undefined_wide_instruction(rig: CoreRig) -> None:
    assert fault(rig, program("movs r0, #1; udf.w #0; b .", "0120f0f700a0fee7")) == (
        USAGE,
        UNDEFINSTR,
        MAIN + 2,
    )


def test_a_fault_that_is_not_enabled_becomes_a_hard_fault(rig: CoreRig) -> None:
    assert fault(rig, UDF, enabled=False) == (HARD, UNDEFINSTR, MAIN + 2)
    assert rig.word(HFSR) == FORCED


def test_a_fault_where_its_priority_does_not_reach_becomes_a_hard_fault(rig: CoreRig) -> None:
    rig.boot(program("movs r0, #0x20; msr BASEPRI, r0; udf #0; b .", "202080f3118800defee7"), ALL)
    rig.poke(SHCSR, 7 << 16)
    rig.priority(USAGE, 0x20)
    rig.run()
    assert (rig.reg(5), rig.word(HFSR)) == (HARD, FORCED)


def test_a_jump_to_an_even_address(rig: CoreRig) -> None:
    assert fault(rig, program("ldr r0, =0x480; bx r0", "4ff490600047")) == (USAGE, INVSTATE, 0x480)


def test_the_bits_of_cfsr_are_cleared_by_writing_ones(rig: CoreRig) -> None:
    fault(rig, UDF)
    rig.core.debug_write(CFSR + 2, INVSTATE >> 16, 2)
    assert rig.word(CFSR) == UNDEFINSTR
    rig.core.debug_write(CFSR + 2, 0xFFFF, 2)
    assert rig.word(CFSR) == 0


NOWHERE = 0x3000_0000


def test_a_read_where_nothing_is(rig: CoreRig) -> None:
    code = program("movs r0, #7; ldr r1, =0x30000010; ldr r0, [r1, #4]; b .", "072001494868fee710000030")
    assert fault(rig, code) == (BUS, PRECISERR | BFARVALID, MAIN + 4)
    assert rig.word(BFAR) == NOWHERE + 0x14
    assert rig.words(STACK - 0x20, 1) == [7]  # the register keeps its value


def test_a_write_where_nothing_is(rig: CoreRig) -> None:
    code = program("ldr r1, =0x30000010; strb r1, [r1]; b .", "01490970fee7000010000030")
    assert fault(rig, code) == (BUS, PRECISERR | BFARVALID, MAIN + 2)
    assert rig.word(BFAR) == NOWHERE + 0x10


def test_a_read_behind_the_end_of_ram(rig: CoreRig) -> None:
    code = program("ldr r1, =0x20010000; ldr r0, [r1]; b .", "01490868fee7000000000120")
    assert fault(rig, code)[:2] == (BUS, PRECISERR | BFARVALID)
    assert rig.word(BFAR) == RAM + RAM_SIZE


def test_a_jump_where_nothing_is(rig: CoreRig) -> None:
    assert fault(rig, program("ldr r0, =0x10000001; bx r0", "0048004701000010")) == (
        BUS,
        IBUSERR,
        0x1000_0000,
    )


@pytest.mark.parametrize(
    ("code", "target"),
    [
        (program("ldr r0, =0x40001001; bx r0", "0048004701100040"), DEVICE),
        (program("ldr r0, =0xa0000001; bx r0", "00480047010000a0"), 0xA000_0000),
        (program("ldr r0, =0xe000e001; bx r0", "0048004701e000e0"), 0xE000_E000),
        (program("ldr r0, =0xfffffff9; bx r0", "6ff006000047"), 0xFFFF_FFF8),
    ],
    ids=["peripheral", "device memory", "private bus", "EXC_RETURN in thread mode"],
)
def test_a_jump_where_nothing_may_be_executed(rig: CoreRig, code: bytes, target: int) -> None:
    assert fault(rig, code) == (MEM, IACCVIOL, target)


def test_a_store_to_flash_that_its_controller_refuses(rig: CoreRig) -> None:
    code = program("movw r1, #0x8000; str r1, [r1]; b .", "48f200010960fee7")
    assert fault(rig, code) == (BUS, PRECISERR | BFARVALID, MAIN + 4)
    assert rig.word(BFAR) == 0x8000
    assert rig.stored == []


def test_a_store_to_flash_that_its_controller_takes(rig: CoreRig) -> None:
    rig.flash_open = True
    rig.boot(
        program(
            "ldr r1, =0x8000; str r1, [r1]; strh r1, [r1, #4]; movs r4, #1; b .", "4ff40041096089800124fee7"
        )
    ).run()
    assert rig.stored == [(0x8000, 0x8000, 4), (0x8004, 0x8000, 2)]
    assert rig.reg(4) == 1
    assert rig.words(0x8000, 2) == [0, 0]  # this controller keeps nothing, so neither does the memory


def test_a_store_to_flash_that_was_closed_again(rig: CoreRig) -> None:
    rig.flash_open = True
    rig.boot(
        program("ldr r1, =0x8000; str r1, [r1]; svc #0; str r1, [r1]; b .", "4ff40041096000df0960fee7"),
        {**ALL, SVCALL: CLOSE},
    )
    rig.device.on_write[0] = lambda _value: setattr(rig, "flash_open", False)
    rig.poke(SHCSR, 7 << 16)
    rig.run()
    assert rig.reg(5) == BUS
    assert len(rig.stored) == 1


CLOSE = program("ldr r0, =0x40001000; str r0, [r0]; bx lr", "014800607047000000100040")


def test_unprivileged_code_may_not_use_the_private_bus(rig: CoreRig) -> None:
    code = program(
        "movs r0, #1; msr CONTROL, r0; isb; ldr r1, =0xe000ed08; ldr r0, [r1]; isb; b .",
        "012080f31488bff36f8f02490868bff36f8ffee708ed00e0",
    )
    rig.boot(code, ALL)
    rig.poke(SHCSR, 7 << 16)
    rig.run()
    assert rig.reg(5) == BUS
    assert rig.word(CFSR) & 0xFF00 in (IMPRECISERR, PRECISERR | BFARVALID)


def test_a_vector_that_cannot_be_read(rig: CoreRig) -> None:
    rig.boot(program("svc #0; b .", "00dffee7"), ALL)
    rig.poke(0xE000_ED08, 0x3000_0000)
    assert rig.run() is Stop.LOCKUP  # the HardFault's vector isn't there either
    assert rig.word(HFSR) & VECTTBL


# -- stacking ------------------------------------------------------------------------------------------------


def test_stacking_where_nothing_is(rig: CoreRig) -> None:
    rig.boot(
        program("ldr r0, =0x30001000; mov sp, r0; svc #0; b .", "0148854600dffee700100030"),
        {**ALL, SVCALL: STAY},
    )
    rig.poke(SHCSR, 7 << 16)
    rig.priority(SVCALL, 0x40)
    rig.run()
    assert (rig.reg(5), rig.word(CFSR)) == (BUS, STKERR)
    assert rig.reg(6) == NOWHERE + 0x1000 - 0x20
    assert rig.word(SHCSR) & 1 << 15  # SVCall still waits


def test_stacking_below_ram_without_a_bus_fault_handler(rig: CoreRig) -> None:
    rig.boot(
        program("ldr r0, =0x30001000; mov sp, r0; svc #0; b .", "0148854600dffee700100030"),
        {**ALL, SVCALL: STAY},
    ).run()
    assert (rig.reg(5), rig.word(CFSR), rig.word(HFSR)) == (HARD, STKERR, FORCED)


def test_unstacking_where_nothing_is(rig: CoreRig) -> None:
    lose = program("ldr r0, =0x30001000; mov sp, r0; bx lr", "014885467047000000100030")
    rig.boot(program("svc #0; b .", "00dffee7"), {**ALL, SVCALL: lose})
    rig.poke(SHCSR, 7 << 16)
    rig.run()
    assert rig.regs(5, 6, 7) == [BUS, NOWHERE + 0x1000, 0xFFFF_FFF9]  # chained to, nothing more is stacked
    assert rig.word(CFSR) == UNSTKERR


def guard(rig: CoreRig, base: int, log2: int, ap: int = 0, number: int = 0) -> None:
    """An MPU region over a privileged background map."""
    rig.poke(MPU_RBAR, base | 0x10 | number)
    rig.poke(MPU_RASR, 1 << 28 | ap << 24 | (log2 - 1) << 1 | 1)
    rig.poke(MPU_CTRL, 5)


def test_stacking_into_a_guard_region(rig: CoreRig) -> None:
    rig.boot(
        program("ldr r0, =0x20002010; mov sp, r0; svc #0; b .", "0148854600dffee710200020"),
        {**ALL, SVCALL: STAY},
    )
    guard(rig, 0x2000_1FE0, 5)
    rig.poke(SHCSR, 7 << 16)
    rig.priority(SVCALL, 0x40)
    rig.bus.write_memory(0x2000_1FE0, bytes(64))
    rig.run()
    assert (rig.reg(5), rig.word(CFSR)) == (MEM, MSTKERR)
    assert rig.words(0x2000_1FE0, 8) == [0] * 8


# -- lockup --------------------------------------------------------------------------------------------------


def test_a_fault_in_a_hard_fault_handler_locks_up(rig: CoreRig) -> None:
    rig.boot(UDF, {HARD: program("udf #0", "00de")})
    assert rig.run() is Stop.LOCKUP
    assert rig.core.locked_up


def test_a_fault_with_faultmask_set_locks_up(rig: CoreRig) -> None:
    rig.boot(program("cpsid f; udf #0; b .", "71b600defee7"), ALL)
    assert rig.run() is Stop.LOCKUP


def test_reset_ends_lockup(rig: CoreRig) -> None:
    rig.boot(program("cpsid f; udf #0; b .", "71b600defee7"), ALL)
    rig.run()
    rig.boot(program("b .", "fee7"))
    assert rig.run() is Stop.DEADLINE


def test_a_halt_ends_lockup(rig: CoreRig) -> None:
    rig.boot(program("cpsid f; udf #0; b .", "71b600defee7"), ALL)
    rig.run()
    assert rig.word(0xE000_EDF0) & 1 << 19
    rig.halt()
    rig.run_to_halt()
    assert not rig.core.locked_up


# -- what the model lacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", [3, 4], ids=["UNALIGN_TRP", "DIV_0_TRP"])
def test_traps_that_are_not_modelled_are_refused(rig: CoreRig, bit: int) -> None:
    rig.boot(program("ldr r1, =0xe000ed14; str r0, [r1]; b .", "01490860fee7000014ed00e0"))
    rig.core.write_register(0, 1 << bit)
    with pytest.raises(UnmodelledAccess, match="trapping unaligned accesses and divisions by zero"):
        rig.run()


def test_a_division_by_zero_gives_zero(rig: CoreRig) -> None:
    rig.boot(
        program("movs r0, #5; movs r1, #0; udiv r2, r0, r1; movs r3, #1; b .", "05200021b0fbf1f20123fee7")
    ).run()
    assert rig.regs(2, 3) == [0, 1]


def test_a_peripheral_that_is_not_modelled_stops_with_name_address_and_pc(rig: CoreRig) -> None:
    rig.boot(program("ldr r1, =0x40007500; nop; ldr r0, [r1]; b .", "014900bf0868fee700750040"))
    with pytest.raises(UnmodelledAccess) as caught:
        rig.run()
    error = caught.value
    assert (error.address, error.pc, error.write) == (0x4000_7500, MAIN + 4, None)
    assert "SAADC.ENABLE" in str(error)
    assert "0x40007500" in str(error)
    assert f"PC 0x{MAIN + 4:08x}" in str(error)


def test_a_write_that_is_not_modelled_says_what_was_written(rig: CoreRig) -> None:
    rig.boot(program("ldr r1, =0x40007500; movs r0, #1; str r0, [r1]; b .", "014901200860fee700750040"))
    with pytest.raises(UnmodelledAccess, match=r"write of 0x00000001 to SAADC\.ENABLE"):
        rig.run()


def test_a_register_that_a_modelled_peripheral_lacks_stops_too(rig: CoreRig) -> None:
    rig.boot(program("ldr r1, =0x40001080; nop; nop; ldrh r0, [r1]; b .", "024900bf00bf0888fee7000080100040"))
    with pytest.raises(UnmodelledAccess, match="only sixteen words") as caught:
        rig.run()
    assert (caught.value.address, caught.value.pc) == (DEVICE + 0x80, MAIN + 6)


def test_a_fault_inside_an_it_block_is_resumed_there(rig: CoreRig) -> None:
    code = program(
        "ldr r1, =0x30000000; movs r0, #0; cmp r0, #0; ittte eq; moveq r2, #1; ldreq r3, [r1]; moveq r4, #2;"
        "movne r2, #9; movs r5, #5; b .",
        "4ff040510020002803bf01220b68022409220525fee7",
    )
    # give r1 an address in RAM and try again
    repair = program(
        "ldr r6, [sp, #28]; ldr r0, =0x20000000; str r0, [sp, #4]; bx lr", "079e4ff0005001907047"
    )
    rig.boot(code, {HARD: repair})
    rig.bus.write_memory(RAM, bytes([7, 0, 0, 0]))
    rig.run()
    assert rig.regs(2, 3, 4, 5) == [1, 7, 2, 5]
    assert rig.reg(6) == 0x6500_0400  # Z and C, T, and ITSTATE 0b00000110: EQ for two more, then NE
