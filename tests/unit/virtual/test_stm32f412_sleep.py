"""STM32F412: Sleep, Stop and Standby mode, wake-up, RTC, and the supply current of each of them."""

from __future__ import annotations

import pytest
from stm32_rig import (
    AHB1ENR,
    APB1ENR,
    APB2ENR,
    BACK,
    CFGR,
    CPSID,
    CR,
    CSR,
    DBGMCU,
    EXTI,
    ISER,
    PWR,
    PWREN,
    SCR,
    STAY,
    WFI,
    Chip,
)

from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.virtual.silicon.stm32f412.currents import CURRENTS
from pytest_lan_hil.virtual.silicon.stm32f412.timing import STANDBY_WAKE_US, STOP_WAKE_US

RTC = 0x4000_2800
LPDS, PDDS, FPDS, LPLVDS = 1, 2, 1 << 9, 1 << 10
SLEEPDEEP = 4
LSE = CURRENTS.rtc_lse.value


def sleeper(control: int = 0) -> Chip:
    """A chip with a running RTC that is about to execute WFI with SLEEPDEEP, then stays awake."""
    chip = Chip(CPSID, STAY, WFI, STAY)
    chip.rtc_on_lse()
    chip.set(PWR, control)
    chip.set(SCR, SLEEPDEEP)
    return chip


def fall_asleep(chip: Chip) -> None:
    chip.chip.core.write_register(15, 0x0800_0104)


@pytest.mark.parametrize(
    ("control", "figure", "wake"),
    [
        (0, CURRENTS.stop_main_flash, STOP_WAKE_US[False, False]),
        (FPDS, CURRENTS.stop_main, STOP_WAKE_US[False, True]),
        (LPDS, CURRENTS.stop_low_power_flash, STOP_WAKE_US[True, False]),
        (LPDS | FPDS, CURRENTS.stop_low_power, STOP_WAKE_US[True, True]),
        (LPDS | FPDS | LPLVDS, CURRENTS.stop_low_voltage, STOP_WAKE_US[True, True]),
    ],
)
def test_stop_mode_draws_and_wakes_as_its_regulator_and_flash_say(control: int, figure, wake: int) -> None:
    chip = sleeper(control)
    chip.pll(64, wait_states=1)
    chip.set(PWR, 1 << 8 | control)
    chip.wake_in(1000)
    fall_asleep(chip)
    steps = chip.currents(40_000)
    levels = [level for _, level in steps]
    assert min(levels) == pytest.approx(figure.value + LSE)
    woken_at = next(
        at for (at, _), (_, before) in zip(steps[1:], steps, strict=False) if before == min(levels)
    )
    assert woken_at == pytest.approx(1000 / 32768 * 1e6, abs=62)
    assert chip.read(CFGR) & 0xC == 0, "on HSI"
    assert chip.read(CR) & 1 << 25 == 0, "the PLL is off"
    assert chip.chip.core.pc == 0x0800_0106
    assert wake in STOP_WAKE_US.values()


def test_the_core_runs_only_after_its_wake_up_time() -> None:
    chip = sleeper(LPDS | FPDS)
    chip.wake_in(100)
    fall_asleep(chip)
    while chip.chip.core.sleeping or not chip.pend(3):
        chip.us(1)
    ran = chip.cycles(STOP_WAKE_US[True, True] + 100)
    assert ran == pytest.approx(16 * 100, abs=40)


@pytest.mark.parametrize(("mhz", "wait_states", "vos"), [(84, 2, 2), (100, 3, 3)])
def test_a_fast_core_keeps_its_promise_of_voltage_through_stop_mode(
    mhz: int, wait_states: int, vos: int
) -> None:
    """Without the PLL the regulator is at scale 3 (RM0402, PWR_CR.VOS): too low for the PLL's rate."""
    chip = sleeper(LPDS | FPDS)
    chip.pll(mhz, wait_states=wait_states, vos=vos)
    chip.set(PWR, 1 << 8 | LPDS | FPDS)
    chip.write(CSR, 1)  # LSI is ready 15 us later: in Stop mode
    chip.wake_in(1000)
    fall_asleep(chip)
    chip.us(1000)
    assert chip.chip.core.sleeping
    chip.board.set_supply(3.0)
    chip.us(40_000)
    assert chip.read(CSR) & 3 == 3
    assert chip.cycles(1000) == pytest.approx(16_000, abs=4)
    chip.pll(mhz, wait_states=wait_states, vos=vos)
    assert chip.cycles(1000) == pytest.approx(mhz * 1000, abs=4)


def test_falling_into_stop_mode_is_one_step_of_the_current() -> None:
    chip = sleeper(LPDS)
    chip.pll(64, wait_states=1)
    chip.set(PWR, LPDS)
    fall_asleep(chip)
    levels = [level for _, level in chip.currents(1000)]
    assert levels[1:] == [pytest.approx(CURRENTS.stop_low_power_flash.value + LSE)]


def test_the_calendar_counts_on_through_stop_mode() -> None:
    chip = sleeper(LPDS)
    chip.wake_in(65536)
    before = chip.read(RTC + 0x28)
    fall_asleep(chip)
    chip.us(3_000_000)
    assert chip.read(RTC) == 0x03
    assert chip.read(RTC + 0x28) == pytest.approx(before, abs=2)


def test_nothing_but_exti_wakes_from_stop_mode() -> None:
    chip = sleeper()
    chip.set(APB1ENR, 1)  # TIM2, an update each 16,000 cycles
    chip.write(0x4000_002C, 15_999)
    chip.write(0x4000_000C, 1)
    chip.write(ISER, 1 << 28)
    chip.write(0x4000_0000, 1)
    chip.us(500)
    fall_asleep(chip)
    chip.us(50_000)
    assert chip.chip.core.sleeping
    assert chip.read(0x4000_0024) == pytest.approx(8000, abs=100), "its count stands"
    chip.set(APB2ENR, 1 << 14)
    chip.write(0x4001_3808, 3)  # PD0 on EXTI0
    chip.write(EXTI, 1)
    chip.write(EXTI + 0xC, 1)
    chip.write(ISER, 1 << 6)
    chip.set(AHB1ENR, 8)
    chip.board.drive_pin("PD0", True)
    chip.us(100)
    assert chip.chip.core.sleeping, "a rising edge was not asked for"
    chip.board.drive_pin("PD0", False)
    chip.us(200)
    assert not chip.chip.core.sleeping


def test_a_debuggers_setting_keeps_the_clocks_of_stop_mode_and_is_said() -> None:
    chip = sleeper(LPDS | FPDS)
    chip.write(DBGMCU + 4, 7)
    fall_asleep(chip)
    chip.us(100)
    assert chip.board.power.level > 0.5e-3
    assert chip.notes("DBGMCU_CR")
    chip.chip.reset("soft")
    assert chip.read(DBGMCU + 4) == 7, "only power-on clears it"
    chip.chip.reset("power_on")
    assert chip.read(DBGMCU + 4) == 0


def test_standby_mode_ends_with_a_reset_that_says_so() -> None:
    chip = sleeper(PDDS)
    chip.wake_in(1000)
    fall_asleep(chip)
    chip.us(20_000)
    assert chip.board.power.level == pytest.approx(CURRENTS.standby.value + LSE)
    chip.us(11_000 + STANDBY_WAKE_US)
    chip.set(APB1ENR, PWREN)
    assert chip.read(PWR + 4) & 3 == 3
    assert chip.chip.core.pc == 0x0800_0102


def test_sleep_mode_draws_less_than_run_mode_and_keeps_the_clocks() -> None:
    awake, asleep = Chip(STAY), Chip(WFI, BACK)
    for chip in (awake, asleep):
        chip.pll(100, wait_states=3)
        chip.us(100)
    assert awake.board.power.level == pytest.approx(11.2e-3, rel=0.01), "112 uA/MHz, DS11139's cover"
    assert asleep.board.power.level == pytest.approx(3.1e-3, rel=0.05)


def test_the_current_does_not_depend_on_the_supply_voltage() -> None:
    chip = Chip()
    chip.pll(64, wait_states=3)
    chip.us(10)
    at_3v3 = chip.board.power.level
    chip.board.set_supply(1.8)
    assert chip.board.power.level == at_3v3


def test_a_lower_regulator_scale_draws_less_and_a_clocked_peripheral_more() -> None:
    fast, slow = Chip(), Chip()
    fast.pll(64, wait_states=1, vos=3)
    slow.pll(64, wait_states=1, vos=1)
    fast.us(10)
    slow.us(10)
    assert slow.board.power.level < fast.board.power.level
    before = fast.board.power.level
    fast.set(AHB1ENR, 1 << 21)
    assert fast.board.power.level - before == pytest.approx(64e6 * CURRENTS.dma_per_hz.value)


def test_every_figure_is_sourced_and_none_is_claimed_to_be_confirmed() -> None:
    figures = dict(CURRENTS.figures())
    assert all("DS11139" in figure.source and figure.evidence for figure in figures.values())
    assert len(CURRENTS.notes()) == len(figures)
    assert any("uA/MHz" in note for note in CURRENTS.notes())


# -- RTC -----------------------------------------------------------------------------------------------------


def test_the_rtc_is_protected_until_its_keys_are_written() -> None:
    chip = Chip()
    chip.set(APB1ENR, PWREN)
    chip.write(PWR, 1 << 8)
    chip.write(RTC + 8, 1 << 10)
    assert chip.read(RTC + 8) == 0
    assert chip.notes("RTC_WPR")


def test_the_calendar_carries_into_the_next_year_and_leap_day() -> None:
    chip = Chip()
    chip.rtc_on_lse()
    for time, date, later in ((0x23_5959, 0x23_1231, 0x24_0101), (0x23_5959, 0x24_0228, 0x24_0229)):
        chip.write(RTC + 0xC, 0x80)
        chip.us(100)
        chip.write(RTC, time)
        chip.write(RTC + 4, date & ~0xE000)
        chip.write(RTC + 0xC, 0)
        chip.us(1_000_100)
        assert chip.read(RTC) == 0
        assert chip.read(RTC + 4) & ~0xE000 == later & ~0xE000


@pytest.mark.parametrize(("select", "value", "seconds"), [(0, 2047, 1.0), (3, 16383, 1.0), (4, 1, 2.0)])
def test_the_wake_up_timer_counts_what_wucksel_says(select: int, value: int, seconds: float) -> None:
    chip = Chip(CPSID, STAY)
    chip.rtc_on_lse()
    chip.write(RTC + 0x14, value)
    chip.write(RTC + 8, select | 1 << 10)
    step = 16 >> select if select < 4 else 32768
    chip.us(seconds * 1e6 - 1e6 * step / 32768 - 31)
    assert not chip.read(RTC + 0xC) >> 10 & 1
    chip.us(1e6 * step / 32768 + 62)
    assert chip.read(RTC + 0xC) >> 10 & 1


def test_the_wake_up_value_can_be_written_two_periods_after_the_timer_was_stopped() -> None:
    chip = Chip()
    chip.rtc_on_lse()
    chip.write(RTC + 8, 1 << 10)
    assert not chip.read(RTC + 0xC) & 4
    chip.write(RTC + 0x14, 7)
    assert chip.read(RTC + 0x14) == 0xFFFF
    chip.write(RTC + 8, 0)
    assert not chip.read(RTC + 0xC) & 4
    chip.us(62)
    assert chip.read(RTC + 0xC) & 4
    chip.write(RTC + 0x14, 7)
    assert chip.read(RTC + 0x14) == 7


@pytest.mark.parametrize("bit", [3, 4, 6, 8, 9, 11, 12, 13, 15, 16, 17])
def test_functions_of_the_rtc_that_are_not_modelled_stop_the_run(bit: int) -> None:
    chip = Chip()
    chip.rtc_on_lse()
    with pytest.raises(BlockedError, match="wake-up timer"):
        chip.write(0x4000_2808, 1 << bit)
