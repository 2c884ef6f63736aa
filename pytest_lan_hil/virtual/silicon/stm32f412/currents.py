"""Supply currents of the STM32F412: one table, every figure with document, table and condition.

Document: DS11139, "STM32F412xE STM32F412xG" (data sheet), "Supply current characteristics", typical values
at 25 degrees Celsius. Its tables could not be read: every figure is from memory of it, from memory of the
data sheet of the sister part STM32F411 (DS10314), or estimated, and none is confirmed. The core is supplied
by a linear regulator, so the current does not depend on the supply voltage (two MLPerf laboratories measured
an STM32L4 within 2 % from 1.8 to 3 V).
"""

# ruff: noqa: RUF009 - the defaults are immutable values

from __future__ import annotations

from dataclasses import dataclass

from pytest_lan_hil.virtual.silicon import figures
from pytest_lan_hil.virtual.silicon.figures import Figure, unconfirmed

_DS = "DS11139"
_MEMORY = "from memory"
_SISTER = "from memory of the STM32F411's data sheet DS10314"


def _per_mhz(microamperes: float) -> float:
    return microamperes * 1e-12


@dataclass(frozen=True, slots=True)
class CurrentTable(figures.CurrentTable):
    """All currents of the model, in amperes; those named _per_hz in amperes per hertz."""

    # Run and Sleep: a base, what the PLL draws, and a share per hertz of HCLK at regulator scale 1. Together
    # 11.2 mA at 100 MHz, the cover's 112 uA/MHz.
    run_base: Figure = unconfirmed(0.35e-3, f"{_DS}, Run mode, extrapolated to 0 MHz", "estimated")
    pll: Figure = unconfirmed(0.35e-3, f"{_DS}, PLL characteristics, IDD(PLL) and IDDA(PLL)", "estimated")
    run_per_hz: Figure = unconfirmed(
        _per_mhz(105),
        f"{_DS}, cover: Run 112 uA/MHz (peripherals off) at 100 MHz, less base and PLL",
        _MEMORY,
    )
    sleep_per_hz: Figure = unconfirmed(
        _per_mhz(24), f"{_DS}, Sleep mode, all peripherals disabled: about 3 mA at 100 MHz", _SISTER
    )
    art_off_per_hz: Figure = unconfirmed(
        _per_mhz(10), f"{_DS}, Run mode, ART accelerator disabled against enabled", "estimated"
    )
    hse: Figure = unconfirmed(0.1e-3, f"{_DS}, HSE in bypass mode", "estimated")
    # Stop mode: (regulator, flash). The last two are the cover's "Flash in Stop mode, fast wakeup: 50 uA"
    # and "Flash in deep power-down, slow wakeup: 18 uA".
    stop_main_flash: Figure = unconfirmed(
        125e-6, f"{_DS}, Stop mode, main regulator, flash in Stop", "estimated"
    )
    stop_main: Figure = unconfirmed(
        88e-6, f"{_DS}, Stop mode, main regulator, flash in deep power-down", "estimated"
    )
    stop_low_power_flash: Figure = unconfirmed(
        50e-6, f"{_DS}, Stop mode, low-power regulator, flash in Stop", _MEMORY
    )
    stop_low_power: Figure = unconfirmed(
        22e-6, f"{_DS}, Stop mode, low-power regulator, flash in deep power-down", "estimated"
    )
    stop_low_voltage: Figure = unconfirmed(
        18e-6, f"{_DS}, Stop mode, low-power regulator at low voltage, flash in deep power-down", _MEMORY
    )
    standby: Figure = unconfirmed(2.4e-6, f"{_DS}, cover: Standby 2.4 uA at 1.7 V without RTC", _MEMORY)
    rtc_lse: Figure = unconfirmed(1.0e-6, f"{_DS}, cover: VBAT with RTC on LSE 1 uA", _MEMORY)
    lsi: Figure = unconfirmed(0.4e-6, f"{_DS}, LSI oscillator, IDD(LSI)", _MEMORY)
    held_in_reset: Figure = unconfirmed(0.0, f"{_DS}: no figure below 1.7 V", "none is counted")
    # Peripherals with their clock on (RCC), per hertz of their bus
    gpio_per_hz: Figure = unconfirmed(_per_mhz(1.6), f"{_DS}, peripheral current, each GPIO port", _SISTER)
    dma_per_hz: Figure = unconfirmed(_per_mhz(15), f"{_DS}, peripheral current, each DMA", _SISTER)
    timer32_per_hz: Figure = unconfirmed(_per_mhz(11.2), f"{_DS}, peripheral current, TIM2, TIM5", _SISTER)
    timer16_per_hz: Figure = unconfirmed(_per_mhz(8.5), f"{_DS}, peripheral current, TIM3, TIM4", _SISTER)
    usart_per_hz: Figure = unconfirmed(_per_mhz(3.3), f"{_DS}, peripheral current, USART2, USART3", _SISTER)
    pwr_per_hz: Figure = unconfirmed(_per_mhz(0.7), f"{_DS}, peripheral current, PWR", _SISTER)
    other_per_hz: Figure = unconfirmed(
        _per_mhz(3), f"{_DS}, peripheral current, any other block", "estimated; order of magnitude"
    )
    flash_busy: Figure = unconfirmed(5e-3, f"{_DS}, flash memory characteristics, IDD, 8-bit", _SISTER)


CURRENTS = CurrentTable()
