"""Supply currents of the nRF52840: one table, every figure with document, table and symbol.

Document: "nRF52840 Product Specification" (PS), chapter "Current consumption", electrical specification,
typical values at 3 V, 25 degrees Celsius.
"""

# ruff: noqa: RUF009 - the defaults are immutable values

from __future__ import annotations

from dataclasses import dataclass

from pytest_lan_hil.virtual.silicon import figures
from pytest_lan_hil.virtual.silicon.figures import Figure
from pytest_lan_hil.virtual.silicon.figures import unconfirmed as _unconfirmed

_PS = "nRF52840 PS, Current consumption"
_QUOTED = "quoted with its symbol in two independent public texts (one names PS v1.11)"


def _quoted(value: float, symbol: str) -> Figure:
    return Figure(value, f"{_PS}: {symbol}", confirmed=True, evidence=_QUOTED)


@dataclass(frozen=True, slots=True)
class CurrentTable(figures.CurrentTable):
    """All currents of the model, in amperes at 3 V."""

    # CPU running CoreMark at 64 MHz, cache on
    cpu_flash_dcdc_hfxo: Figure = _quoted(3.3e-3, "ICPU0, CPU from flash, HFXO, DC/DC")
    cpu_flash_ldo_hfxo: Figure = _quoted(6.3e-3, "ICPU1, CPU from flash, HFXO, LDO")
    cpu_ram_dcdc_hfxo: Figure = _quoted(2.8e-3, "ICPU2, CPU from RAM, HFXO, DC/DC")
    cpu_ram_ldo_hfxo: Figure = _unconfirmed(5.2e-3, f"{_PS}: ICPU3, CPU from RAM, HFXO, LDO", "from memory")
    hfxo_running: Figure = _unconfirmed(
        0.2e-3, f"{_PS}: ICPU0 - ICPU4 (CPU from flash, HFINT, DC/DC: 3.1 mA)", "ICPU4 is from memory"
    )
    cache_off_extra: Figure = _unconfirmed(
        0.4e-3, "nRF52832 PS, CPU running: cache disabled against enabled", "another part; from memory"
    )
    # Sleep
    system_on_ram: Figure = _quoted(
        2.35e-6, "ION_RAMON_EVENT, System ON, 256 KiB retained, wake on any event"
    )
    system_on_no_ram: Figure = _unconfirmed(
        0.97e-6, f"{_PS}: ION_RAMOFF_EVENT, System ON, no RAM retained", "from memory"
    )
    system_on_ram_rtc: Figure = _quoted(3.16e-6, "ION_RAMON_RTC, System ON, 256 KiB retained, wake on RTC")
    lfrc_over_lfxo: Figure = _unconfirmed(
        0.47e-6, "nRF52840 PS, CLOCK: ILFRC 0.7 uA - ILFXO 0.23 uA", "from memory"
    )
    system_off: Figure = _quoted(0.40e-6, "IOFF_RAMOFF_RESET, System OFF, no RAM retained")
    system_off_ram: Figure = _quoted(1.86e-6, "IOFF_RAMON_RESET, System OFF, 256 KiB retained")
    # Peripherals, on top of the state above
    hfclk_in_sleep: Figure = _unconfirmed(
        0.40e-3,
        f"{_PS}: TIMER running, ITIMER0 0.432 mA less one timer",
        "from memory, and the split is estimated",
    )
    timer_running: Figure = _unconfirmed(
        0.03e-3, f"{_PS}: TIMER running, ITIMER0", "estimated share of ITIMER0"
    )
    uarte_active: Figure = _unconfirmed(
        55e-6, "nRF52832 PS, UARTE: IUARTE,115k, run current at 115200 bit/s", "another part; from memory"
    )
    gpiote_in_channel: Figure = _unconfirmed(
        15.0e-6, f"{_PS}: ION_RAMON_GPIOTE 17.37 uA - ION_RAMON_EVENT", "from memory"
    )
    constant_latency: Figure = _unconfirmed(
        0.54e-3, "System ON, constant latency", "a user's measurement, 0.59 mA in all, HFCLK included"
    )
    rng_active: Figure = _unconfirmed(0.54e-3, f"{_PS}: RNG active, IRNG", "from memory")
    temp_active: Figure = _unconfirmed(1.05e-3, f"{_PS}: TEMP active, ITEMP", "from memory")
    wdt_active: Figure = _unconfirmed(0.8e-6, f"{_PS}: WDT active, IWDT 3.1 uA in all", "from memory")
    flash_busy: Figure = _unconfirmed(
        3.0e-3, "flash write and erase, on top of the CPU", "the PS gives no figure; order of magnitude"
    )
    debug_interface: Figure = _unconfirmed(
        1.3e-3, "debug interface mode, on top of all", "a user's measurement on an nRF52 (DevZone 29317)"
    )


CURRENTS = CurrentTable()
