"""The System Control Space as registers (ARM DDI 0403E, B3.2 to B3.4)."""

from __future__ import annotations

import pytest
from core_rig import CPACR, ICSR, IRQS, ISER, ISPR, RAM, SHCSR, CoreRig, program

from pytest_lan_hil.virtual.silicon.unmodelled import UnmodelledAccess

ICER, ICPR, IABR, IPR = 0xE000_E180, 0xE000_E280, 0xE000_E300, 0xE000_E400
SHPR1, SHPR3, STIR, VTOR, AIRCR = 0xE000_ED18, 0xE000_ED20, 0xE000_EF00, 0xE000_ED08, 0xE000_ED0C
ALL = (1 << IRQS) - 1
STAY = program("b .", "fee7")


@pytest.fixture
def rig() -> CoreRig:
    return CoreRig().boot(STAY, {16: STAY})


@pytest.mark.parametrize(
    ("address", "value"),
    [
        (0xE000_ED00, 0x410F_C241),  # CPUID: Cortex-M4 r0p1
        (0xE000_E004, 0),  # ICTR: up to 32 interrupts
        (0xE000_ED90, 0x800),  # MPU_TYPE: eight regions
        (0xE000_EF40, 0x1011_0021),  # MVFR0: single precision
        (0xE000_ED14, 0x200),  # CCR: STKALIGN
        (0xE000_EF34, 0xC000_0000),  # FPCCR: ASPEN, LSPEN
        (CPACR, 0),
        (VTOR, 0),
        (AIRCR, 0xFA05_0000),
    ],
)
def test_values_after_reset(rig: CoreRig, address: int, value: int) -> None:
    assert rig.word(address) == value


def test_enable_bits_are_set_by_one_register_and_cleared_by_the_other(rig: CoreRig) -> None:
    rig.poke(ISER, 0b1110)
    rig.poke(ICER, 0b0100)
    assert (rig.word(ISER), rig.word(ICER)) == (0b1010, 0b1010)


def test_interrupts_that_do_not_exist_cannot_be_enabled_or_pended(rig: CoreRig) -> None:
    rig.poke(ISER, 0xFFFF_FFFF)
    rig.poke(ISPR, 0xFFFF_FFFF)
    rig.poke(STIR, IRQS + 3)
    assert (rig.word(ISER), rig.word(ISPR)) == (ALL, ALL)


def test_pending_and_active_bits_follow_an_interrupt(rig: CoreRig) -> None:
    rig.poke(STIR, 0)
    assert (rig.word(ISPR), rig.word(IABR)) == (1, 0)
    rig.poke(ICPR, 1)
    assert rig.word(ISPR) == 0
    rig.poke(ISPR, 1)
    rig.poke(ISER, 1)
    rig.run(50)
    assert (rig.word(ISPR), rig.word(IABR)) == (0, 1)
    assert rig.word(ICSR) & 0x1FF == 16


def test_priorities_are_bytes_of_the_implemented_bits(rig: CoreRig) -> None:
    rig.poke(IPR, 0xFF40_2313)
    assert rig.word(IPR) == 0xE040_2000
    rig.core.debug_write(IPR + 1, 0x60, 1)
    assert rig.word(IPR) == 0xE040_6000
    assert rig.core.debug_read(IPR + 2, 2) == 0xE040


def test_system_handlers_have_priorities_too(rig: CoreRig) -> None:
    rig.poke(SHPR3, 0x8060_0000)  # SysTick, PendSV
    assert rig.word(SHPR3) == 0x8060_0000
    rig.core.debug_write(SHPR1 + 2, 0x40, 1)
    assert rig.word(SHPR1) & 0xFF_FFFF == 0x40_0000


def test_handlers_are_pended_through_icsr(rig: CoreRig) -> None:
    rig.poke(ICSR, 1 << 28 | 1 << 26)
    assert rig.word(ICSR) & (1 << 28 | 1 << 26) == 1 << 28 | 1 << 26
    assert rig.word(ICSR) >> 12 & 0x1FF == 14  # PendSV is the next of the two
    rig.poke(ICSR, 1 << 27)
    assert rig.word(ICSR) >> 12 & 0x1FF == 15
    rig.poke(ICSR, 1 << 25)
    assert rig.word(ICSR) >> 12 & 0x1FF == 0


def test_shcsr_shows_what_is_enabled_pending_and_active(rig: CoreRig) -> None:
    rig.boot(program("svc #0", "00df"), {11: STAY})
    rig.poke(SHCSR, 5 << 16)
    rig.run(50)
    assert rig.word(SHCSR) == 5 << 16 | 1 << 7


def test_the_vector_table_is_aligned(rig: CoreRig) -> None:
    rig.poke(VTOR, RAM + 0x1FF)
    assert rig.word(VTOR) == RAM + 0x180


def test_only_the_floating_point_coprocessor_can_be_switched(rig: CoreRig) -> None:
    rig.poke(CPACR, 0xFFFF_FFFF)
    assert rig.word(CPACR) == 0xF << 20


def test_constants_cannot_be_written(rig: CoreRig) -> None:
    rig.poke(0xE000_ED00, 0)
    assert rig.word(0xE000_ED00) == 0x410F_C241


def test_narrow_writes_where_the_architecture_has_none_are_refused(rig: CoreRig) -> None:
    with pytest.raises(UnmodelledAccess, match="narrow writes"):
        rig.core.debug_write(VTOR, 1, 1)


def test_a_register_that_does_not_exist_is_refused(rig: CoreRig) -> None:
    with pytest.raises(UnmodelledAccess, match="offset 0xe00"):
        rig.word(0xE000_EE00)


def test_a_reset_puts_everything_back(rig: CoreRig) -> None:
    for address, value in ((ISER, ALL), (ISPR, ALL), (IPR, 0x2020_2020), (VTOR, RAM), (CPACR, 0xF << 20)):
        rig.poke(address, value)
    rig.core.reset()
    assert [rig.word(at) for at in (ISER, ISPR, IPR, VTOR, CPACR)] == [0] * 5
