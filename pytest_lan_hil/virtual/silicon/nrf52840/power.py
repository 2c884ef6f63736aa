"""The supply current of the chip, as the sum of what is switched on.

Figures come from `currents`; with the
DC/DC converter on, the core's share is taken as constant power, so its current falls as the supply rises
(the PS shows this as typical curves only: unconfirmed).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from pytest_lan_hil.virtual.silicon.nrf52840.clock_power import RC, SYNTH, ClockPower
from pytest_lan_hil.virtual.silicon.nrf52840.currents import CURRENTS, CurrentTable
from pytest_lan_hil.virtual.silicon.nrf52840.fabric import Fabric
from pytest_lan_hil.virtual.silicon.supply import SupplyModel

NOMINAL_SUPPLY_V = 3.0


class CpuState(Enum):
    """What the CPU does, as far as the supply current is concerned."""

    FLASH = "running from flash"
    RAM = "running from RAM"
    SLEEP = "asleep"
    OFF = "System OFF"
    UNPOWERED = "held in power-on reset"


class PowerModel(SupplyModel):
    """The nRF52840's supply current.

    Args:
        fabric: Clock requests and time.
        sink: Called with (tick, amperes) when the current changes.
        table: The figures.
        supply_v: Supply voltage at VDD.
    """

    def __init__(
        self,
        fabric: Fabric,
        sink: Callable[[int, float], None],
        *,
        table: CurrentTable = CURRENTS,
        supply_v: float = NOMINAL_SUPPLY_V,
    ) -> None:
        super().__init__(lambda: fabric.now, sink, supply_v=supply_v)
        self._fabric = fabric
        self._table = table
        self._cpu = CpuState.SLEEP
        self._cache = False
        self._debug = False
        self.clocks: ClockPower | None = None

    # -- what the chip reports ---------------------------------------------------------------------------

    def set_cpu(self, state: CpuState) -> None:
        """The CPU started, stopped or moved."""
        if state is not self._cpu:
            self._cpu = state
            self.update()

    def set_cache(self, enabled: bool) -> None:  # noqa: FBT001 - a callback's signature
        """ICACHECNF changed."""
        self._cache = enabled
        self.update()

    def set_debug(self, *, interface_mode: bool) -> None:
        """The chip entered or left debug interface mode."""
        if interface_mode != self._debug:
            self._debug = interface_mode
            self.update()

    # -- the sum -----------------------------------------------------------------------------------------

    def _regulated(self, dcdc_a: float) -> float:
        """A core current given for DC/DC at 3 V, as the supply sees it."""
        if self.clocks is not None and self.clocks.dcdc:
            return dcdc_a * NOMINAL_SUPPLY_V / self.supply_v
        return dcdc_a * self._table.cpu_flash_ldo_hfxo.value / self._table.cpu_flash_dcdc_hfxo.value

    def _cpu_current(self, clocks: ClockPower) -> float:
        table = self._table
        in_flash = self._cpu is CpuState.FLASH
        if clocks.dcdc:
            figure = table.cpu_flash_dcdc_hfxo if in_flash else table.cpu_ram_dcdc_hfxo
            scale = NOMINAL_SUPPLY_V / self.supply_v
        else:
            figure = table.cpu_flash_ldo_hfxo if in_flash else table.cpu_ram_ldo_hfxo
            scale = 1.0
        core = figure.value * scale
        if not (clocks.hfxo_running or clocks.hfxo_starting):
            core -= self._regulated(table.hfxo_running.value)
        if in_flash and not self._cache:
            core += self._regulated(table.cache_off_extra.value)
        return core

    def _sleep_current(self, clocks: ClockPower) -> float:
        table = self._table
        share = clocks.ram_powered_share
        total = table.system_on_no_ram.value + share * (
            table.system_on_ram.value - table.system_on_no_ram.value
        )
        if clocks.lf_source is not None:
            total += table.system_on_ram_rtc.value - table.system_on_ram.value
            if clocks.lf_source in (RC, SYNTH) or not clocks.lfxo_running:
                total += table.lfrc_over_lfxo.value
        if clocks.constant_latency:
            total += self._regulated(table.constant_latency.value)
        elif self._fabric.hfclk_requested or clocks.hfxo_running or clocks.hfxo_starting:
            total += self._regulated(table.hfclk_in_sleep.value)
        if clocks.hfxo_running or clocks.hfxo_starting:
            total += self._regulated(table.hfxo_running.value)
        return total

    @property
    def peripherals_draw(self) -> bool:
        """Not in System OFF, nor without supply."""
        return self._cpu not in (CpuState.OFF, CpuState.UNPOWERED)

    def base_current(self) -> float:
        """What the chip draws without its active peripherals, in amperes."""
        if self.clocks is None or self._cpu is CpuState.UNPOWERED:
            return 0.0
        return self._base_current(self.clocks)

    def _base_current(self, clocks: ClockPower) -> float:
        if self._cpu is CpuState.OFF:
            return self._table.system_off.value
        total = self._sleep_current(clocks) if self._cpu is CpuState.SLEEP else self._cpu_current(clocks)
        if self._debug:
            # Sleep is emulated in debug interface mode: clocks and regulators stay up.
            total += self._table.debug_interface.value
            if self._cpu is CpuState.SLEEP and not (clocks.constant_latency or self._fabric.hfclk_requested):
                total += self._regulated(self._table.hfclk_in_sleep.value)
        return total
