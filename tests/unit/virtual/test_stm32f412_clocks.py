"""STM32F412: oscillators, PLL, wait states, limits of the clock, enables, reset flags, brown-out."""

from __future__ import annotations

import pytest
from stm32_rig import (
    ACR,
    AHB1ENR,
    APB1ENR,
    BDCR,
    CFGR,
    CPSID,
    CR,
    CSR,
    ISER,
    PLLCFGR,
    PWR,
    PWREN,
    RAM,
    RCC,
    WFI,
    Chip,
)

from pytest_lan_hil.model.errors import BlockedError, DutFault
from pytest_lan_hil.virtual.board import VirtualBoard
from pytest_lan_hil.virtual.silicon.stm32f412.timing import wait_states_needed

BORRSTF, PINRSTF, PORRSTF, SFTRSTF = 1 << 25, 1 << 26, 1 << 27, 1 << 28


def test_the_core_starts_on_hsi_at_16_mhz() -> None:
    assert Chip().cycles(1000) == pytest.approx(16_000, abs=4)


@pytest.mark.parametrize(("mhz", "wait_states"), [(50, 1), (84, 2), (96, 3), (100, 3)])
def test_the_core_runs_at_the_rate_of_its_pll(mhz: int, wait_states: int) -> None:
    chip = Chip()
    chip.pll(mhz, wait_states=wait_states)
    assert chip.read(CFGR) & 0xC == 2 << 2
    assert chip.cycles(1000) == pytest.approx(1000 * mhz, abs=4)


def test_code_that_switches_the_clock_runs_on_at_the_new_rate() -> None:
    chip = Chip(0x6001, 0xE7FE)  # str r1, [r0]; b .
    chip.pll(100, wait_states=3)
    chip.write(CFGR, 0)
    chip.us(10)
    core = chip.chip.core
    for register, value in ((0, CFGR), (1, 2 | 4 << 10), (15, 0x0800_0100)):
        core.write_register(register, value)
    assert chip.cycles(1000) == pytest.approx(100_000, abs=100)


def test_a_rate_that_is_no_whole_number_of_ticks_is_said() -> None:
    chip = Chip()
    assert not chip.notes("whole number")
    chip.pll(72, wait_states=2)
    assert "72000000" in chip.notes("whole number")[0]
    assert chip.cycles(1000) == pytest.approx(72_000, rel=2e-4)


def test_the_pll_needs_time_to_lock_and_raises_its_interrupt() -> None:
    chip = Chip(CPSID, 0xE7FE)
    chip.write(ISER, 1 << 5)
    chip.write(RCC + 0xC, 1 << 12)
    chip.write(PLLCFGR, 8 | 64 << 6)
    chip.write(CR, 0x81 | 1 << 24)
    chip.us(100)
    assert not chip.read(CR) >> 25 & 1
    assert not chip.pend(5)
    chip.us(100)
    assert chip.read(CR) >> 25 & 1
    assert chip.pend(5)
    chip.write(RCC + 0xC, 1 << 20)
    assert not chip.read(RCC + 0xC)


def test_an_oscillator_that_was_switched_off_meanwhile_starts_anew() -> None:
    chip = Chip()
    chip.set(APB1ENR, PWREN)
    chip.write(PWR, 1 << 8)
    chip.write(BDCR, 1)
    chip.us(1_500_000)
    chip.write(BDCR, 0)
    chip.write(BDCR, 1)
    chip.us(1_900_000)
    assert chip.read(BDCR) == 1
    chip.us(200_000)
    assert chip.read(BDCR) == 3


@pytest.mark.parametrize("pllcfgr", [2 | 64 << 6, 8 | 40 << 6, 8 | 250 << 6])
def test_a_pll_outside_its_range_is_an_error_of_the_firmware(pllcfgr: int) -> None:
    chip = Chip()
    chip.write(PLLCFGR, pllcfgr)
    with pytest.raises(DutFault, match=r"the PLL can't run.*VCO"):
        chip.write(CR, 0x81 | 1 << 24)


@pytest.mark.parametrize(
    ("supply_v", "mhz", "needed"),
    [
        (3.3, 30, 0),
        (3.3, 64, 1),
        (3.3, 100, 3),
        (2.5, 100, 4),
        (2.2, 100, 5),
        (1.8, 16, 0),
        (1.8, 64, 3),
        (1.8, 100, 6),
    ],
)
def test_wait_states_follow_clock_and_supply(supply_v: float, mhz: int, needed: int) -> None:
    assert wait_states_needed(mhz * 1_000_000, supply_v) == needed
    assert wait_states_needed(mhz * 1_000_000 + 1, supply_v) == needed + 1


def test_too_few_wait_states_for_clock_and_supply_are_an_error_of_the_firmware() -> None:
    chip = Chip()
    with pytest.raises(DutFault, match=r"100 MHz at 3\.3 V: the flash needs 3 wait states, .*LATENCY is 2"):
        chip.pll(100, wait_states=2)
    chip = Chip()
    chip.pll(100, wait_states=3)
    with pytest.raises(DutFault, match=r"at 1\.8 V: the flash needs 6"):
        chip.board.set_supply(1.8)
    with pytest.raises(DutFault, match="LATENCY is 0"):
        chip.write(ACR, 0)


@pytest.mark.parametrize(("vos", "scale", "mhz"), [(2, 2, 96), (1, 3, 84)])
def test_too_low_a_core_voltage_is_an_error_of_the_firmware(vos: int, scale: int, mhz: int) -> None:
    with pytest.raises(DutFault, match=rf"HCLK is {mhz} MHz; at regulator scale {scale} .*VOS"):
        Chip().pll(mhz, wait_states=3, vos=vos)


def test_a_peripheral_without_its_clock_reads_zero_and_is_noted() -> None:
    chip = Chip()
    chip.write(0x4002_0400, 0x1234)
    assert chip.read(0x4002_0400) == 0
    assert len(chip.notes("GPIOB")) == 2
    chip.set(AHB1ENR, 2)
    assert chip.read(0x4002_0400) == 0x280, "what was written is lost"


def test_a_reset_bit_resets_its_peripheral() -> None:
    chip = Chip()
    chip.set(AHB1ENR, 8)
    chip.write(0x4002_0C00, 0x5555)
    chip.write(RCC + 0x10, 8)
    chip.write(RCC + 0x10, 0)
    assert chip.read(0x4002_0C00) == 0


def test_the_backup_domain_is_locked_until_dbp_and_outlasts_a_reset() -> None:
    chip = Chip()
    chip.write(BDCR, 1)
    assert chip.read(BDCR) == 0
    assert chip.notes("DBP")
    chip.set(APB1ENR, PWREN)
    chip.write(PWR, 1 << 8)
    chip.write(BDCR, 1)
    chip.us(1_900_000)
    assert chip.read(BDCR) == 1
    chip.chip.reset("soft")
    chip.us(200_000)
    assert chip.read(BDCR) == 3
    chip.chip.reset("power_on")
    assert chip.read(BDCR) == 0


def test_reset_flags_tell_the_cause_and_add_up_until_they_are_cleared() -> None:
    chip = Chip()
    assert chip.read(CSR) == BORRSTF | PINRSTF | PORRSTF
    chip.write(CSR, 1 << 24)
    assert chip.read(CSR) == 0
    chip.chip.reset("soft")
    assert chip.read(CSR) == SFTRSTF | PINRSTF


# -- supply ----------------------------------------------------------------------------------------------


def test_a_brown_out_holds_the_chip_in_reset_and_is_said() -> None:
    chip = Chip()
    chip.write(CSR, 1 << 24)
    chip.write(RAM, 0x1234_5678)
    chip.board.set_supply(1.6)
    assert chip.board.power.level == 0
    before = chip.chip.core.pc
    chip.us(10_000)
    assert chip.chip.core.pc == before
    with pytest.raises(BlockedError, match="brown-out"):
        chip.board.debug_port.read_dp(0)
    chip.board.set_supply(1.8)
    chip.us(2000)
    assert chip.read(CSR) == BORRSTF | PINRSTF | PORRSTF
    assert chip.read(RAM) != 0x1234_5678
    assert "1.6 V is below the 1.7 V" in chip.board.identity_notes[0]


@pytest.mark.parametrize("name", ["nrf52840", "stm32f412"])
def test_a_scripted_brown_out_restarts_any_chip(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_FAULTS", "brown_out@0.01:0.005")
    board = VirtualBoard(name)
    resets = []
    reset = board.chip.reset
    board.chip.reset = lambda kind: (resets.append((board.clock.monotonic(), kind)), reset(kind))
    board.clock.sleep(0.012)
    assert board.power.level == 0
    board.clock.sleep(0.01)
    assert resets == [(pytest.approx(0.015), "power_on")]
    assert "brown-out at 0.01" in board.identity_notes[0]


def test_a_supply_that_is_too_low_keeps_a_sleeping_chip_from_waking() -> None:
    chip = Chip(WFI, 0xE7FD)
    chip.board.set_supply(1.0)
    chip.write(ISER, 1)
    chip.write(0xE000_E200, 1)
    chip.us(100)
    assert chip.chip.core.sleeping


def test_a_pll_waits_for_its_source() -> None:
    chip = Chip()
    chip.write(PLLCFGR, 4 | 100 << 6 | 1 << 22)  # on HSE
    chip.write(CR, 0x81 | 1 << 24)
    chip.us(1000)
    assert not chip.read(CR) >> 25 & 1
    chip.set(CR, 1 << 16)
    chip.us(100)
    assert not chip.read(CR) >> 25 & 1
    chip.us(100)
    assert chip.read(CR) >> 25 & 1


def test_a_ready_flag_rises_only_while_its_interrupt_is_enabled() -> None:
    chip = Chip()
    cir = RCC + 0xC
    chip.write(CSR, 1)
    chip.us(100)
    assert chip.read(cir) == 0
    chip.write(CSR, 0)
    chip.write(cir, 1 << 8)
    chip.write(CSR, 1)
    chip.us(100)
    assert chip.read(cir) == 1 << 8 | 1


@pytest.mark.parametrize(
    ("ppre1", "timpre", "mhz"), [(4, 0, 96), (5, 0, 48), (5, 1, 96), (6, 0, 24), (6, 1, 48)]
)
def test_timpre_doubles_the_clock_of_timers_up_to_that_of_the_core(ppre1: int, timpre: int, mhz: int) -> None:
    chip = Chip()
    chip.pll(96, wait_states=3)
    chip.write(CFGR, 2 | ppre1 << 10)
    chip.write(RCC + 0x8C, timpre << 24)
    chip.set(APB1ENR, 1)
    chip.write(0x4000_0000, 1)  # TIM2 counts
    before = chip.read(0x4000_0024)
    chip.us(100)
    assert chip.read(0x4000_0024) - before == pytest.approx(100 * mhz, abs=2)
