"""STM32F412: GPIO, EXTI, timers, watchdog."""

from __future__ import annotations

import pytest
from stm32_rig import AHB1ENR, APB1ENR, APB2ENR, CPSID, DBGMCU, EXTI, ISER, RTCAPB, STAY, Chip

from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.virtual.names import SILICON
from pytest_lan_hil.virtual.silicon.unmodelled import UnmodelledAccess

PINS = SILICON["stm32f412"].pins
GPIOF, TIM2, IWDG = 0x4002_1400, 0x4000_0000, 0x4000_3000
CR1, DIER, TSR, EGR, CNT, PSC, ARR, CCR1 = (TIM2 + at for at in (0, 0xC, 0x10, 0x14, 0x24, 0x28, 0x2C, 0x34))


@pytest.fixture
def chip() -> Chip:
    return Chip(CPSID, STAY)


def test_pins_have_st_names() -> None:
    assert [PINS.name(n) for n in (0, 15, 16, 92, 113)] == ["PA0", "PA15", "PB0", "PF12", "PH1"]
    assert [PINS.number(PINS.name(n)) for n in range(114)] == list(range(114))
    assert PINS.canonical("pf12") == "PF12"
    for wrong in ("PA16", "PI0", "PH2", "P0.13", "PA", "A", ""):
        with pytest.raises(ValueError, match=r"PA0 to PA15.*PH0 to PH1"):
            PINS.number(wrong)


def test_bsrr_sets_and_resets_output_pins_and_the_bench_sees_it(chip: Chip) -> None:
    chip.set(AHB1ENR, 1 << 5)
    chip.write(GPIOF, 1 << 24)
    for value, level in ((1 << 12, True), (1 << 28, False), (1 << 28 | 1 << 12, True)):
        chip.write(GPIOF + 0x18, value)
        assert chip.board.pins.levels["PF12"] is level
    assert chip.read(GPIOF + 0x14) == 1 << 12
    assert chip.read(GPIOF + 0x10) == 1 << 12


def test_inputs_follow_pulls_and_what_drives_them_and_analog_pins_read_zero(chip: Chip) -> None:
    chip.set(AHB1ENR, 1 << 5)
    chip.write(GPIOF + 0xC, 1)
    assert chip.read(GPIOF + 0x10) == 1
    chip.board.drive_pin("PF0", False)
    assert chip.read(GPIOF + 0x10) == 0
    chip.board.drive_pin("PF1", True)
    assert chip.read(GPIOF + 0x10) == 2
    chip.write(GPIOF, 0xF)
    assert chip.read(GPIOF + 0x10) == 0


def test_an_open_drain_output_lets_a_high_level_to_the_pull(chip: Chip) -> None:
    chip.set(AHB1ENR, 1 << 5)
    chip.write(GPIOF, 1)
    chip.write(GPIOF + 4, 1)
    chip.write(GPIOF + 0x18, 1)
    assert chip.read(GPIOF + 0x10) == 0
    chip.write(GPIOF + 0xC, 1)
    assert chip.read(GPIOF + 0x10) == 1


def test_half_words_reach_their_half(chip: Chip) -> None:
    chip.set(AHB1ENR, 1 << 5)
    chip.write(GPIOF, 1)
    chip.write(GPIOF + 0x18, 1, 2)
    assert chip.read(GPIOF + 0x14, 2) == 1
    chip.write(GPIOF + 0x1A, 1, 2)
    assert chip.read(GPIOF + 0x14) == 0


def test_an_edge_of_the_selected_port_raises_the_lines_interrupt(chip: Chip) -> None:
    chip.set(APB2ENR, 1 << 14)
    chip.write(0x4001_3814, 5)  # PF12 on EXTI12
    chip.write(ISER + 4, 1 << 40 - 32)
    chip.write(EXTI, 1 << 12)
    chip.write(EXTI + 8, 1 << 12)
    chip.board.drive_pin("PA12", True)
    assert chip.read(EXTI + 0x14) == 0
    chip.board.drive_pin("PF12", True)
    assert chip.read(EXTI + 0x14) == 1 << 12
    assert chip.pend(40)
    chip.write(EXTI + 0x14, 1 << 12)
    assert chip.read(EXTI + 0x14) == 0


def test_a_timer_counts_its_clock_and_overflows_on_time(chip: Chip) -> None:
    chip.write(APB1ENR, RTCAPB | 1)
    chip.write(ISER, 1 << 28)
    chip.write(PSC, 15)
    chip.write(ARR, 999)
    chip.write(EGR, 1)
    chip.write(TSR, 0)
    chip.write(CCR1, 300)
    chip.write(DIER, 1)
    chip.write(CR1, 1)
    chip.us(299.5)
    assert chip.read(CNT) == 299
    assert chip.read(TSR) == 0
    chip.us(1)
    assert chip.read(TSR) == 2
    assert not chip.pend(28)
    chip.us(699)
    assert not chip.pend(28)
    chip.us(1)
    assert chip.pend(28)
    assert chip.read(TSR) & 1


def test_a_one_shot_timer_stops_and_a_modes_that_are_not_there_say_so(chip: Chip) -> None:
    chip.write(APB1ENR, RTCAPB | 1)
    chip.write(ARR, 1599)
    chip.write(CR1, 9)
    chip.us(150)
    assert chip.read(CNT) == 0
    assert chip.read(CR1) == 8
    with pytest.raises(UnmodelledAccess, match=r"TIM2\.CR1.*counting up"):
        chip.write(CR1, 0x11)


def test_the_watchdog_resets_the_chip_unless_it_is_reloaded(chip: Chip) -> None:
    for at, value in ((0, 0x5555), (4, 0), (8, 799), (0, 0xCCCC)):
        chip.write(IWDG + at, value)  # 800 times 4 periods of 32 kHz: 100 ms
    chip.us(90_000)
    chip.write(IWDG, 0xAAAA)
    chip.us(90_000)
    assert not chip.read(0x4002_3874) >> 29 & 1
    chip.us(20_000)
    assert chip.read(0x4002_3874) >> 29 & 1


def test_the_watchdog_stands_while_a_debugger_that_asks_for_it_halts_the_core(chip: Chip) -> None:
    chip.write(DBGMCU + 8, 1 << 12)
    for at, value in ((0, 0x5555), (8, 799), (0, 0xCCCC)):
        chip.write(IWDG + at, value)
    chip.write(0xE000_EDF0, 0xA05F_0003)
    chip.us(500_000)
    chip.write(0xE000_EDF0, 0xA05F_0001)
    chip.us(50_000)
    assert not chip.read(0x4002_3874) >> 29 & 1
    chip.us(100_000)
    assert chip.read(0x4002_3874) >> 29 & 1


def test_a_register_that_is_not_modelled_is_named_and_never_reads_zero(chip: Chip) -> None:
    with pytest.raises(BlockedError, match=r"ADC1\.SR|0x40012000"):
        chip.read(0x4001_2000)
