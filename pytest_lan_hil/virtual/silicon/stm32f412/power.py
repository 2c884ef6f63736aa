"""The supply current of the STM32F412, as the sum of what is switched on; figures come from `currents`.

A core voltage of regulator scale 2 or 3 takes its share off what is drawn per hertz: a linear regulator's
current is C V f. The debug port's own current is not known, and none is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from pytest_lan_hil.virtual.silicon.stm32f412.currents import CURRENTS
from pytest_lan_hil.virtual.silicon.stm32f412.pwr import Pwr
from pytest_lan_hil.virtual.silicon.stm32f412.rcc import AHB1, APB1, APB2, HSI_HZ, Rcc
from pytest_lan_hil.virtual.silicon.supply import SupplyModel

# RM0402, "Voltage regulator": nominal core voltage of each scale. From memory: unconfirmed.
_CORE_V = {1: 1.32, 2: 1.26, 3: 1.20}
_T = CURRENTS
_GPIO_BITS = tuple(range(8))
# Figure by enable register and bit; any other bit counts as `other_per_hz`
_PERIPHERALS = {
    **{(AHB1, bit): _T.gpio_per_hz for bit in _GPIO_BITS},
    (AHB1, 21): _T.dma_per_hz, (AHB1, 22): _T.dma_per_hz,
    (APB1, 0): _T.timer32_per_hz, (APB1, 3): _T.timer32_per_hz,
    (APB1, 1): _T.timer16_per_hz, (APB1, 2): _T.timer16_per_hz,
    (APB1, 17): _T.usart_per_hz, (APB1, 18): _T.usart_per_hz, (APB1, 28): _T.pwr_per_hz,
}  # fmt: skip
_FREE = {(APB1, 10)}  # RTCAPB, on after reset: within the base


class CpuState(Enum):
    """What the chip does, as far as the supply current is concerned."""

    RUN = "running"
    SLEEP = "Sleep mode"
    STOP = "Stop mode"
    STANDBY = "Standby mode"
    UNPOWERED = "held in power-on reset"


class PowerModel(SupplyModel):
    """The STM32F412's supply current.

    Args:
        now, sink, supply_v: As for every chip.
        art_on: The instruction cache is on.
        clocks_kept: DBGMCU keeps the clocks of Stop and Standby mode alive.
    """

    def __init__(
        self,
        now: Callable[[], int],
        sink: Callable[[int, float], None],
        *,
        supply_v: float,
        art_on: Callable[[], bool],
        clocks_kept: Callable[[], bool],
    ) -> None:
        super().__init__(now, sink, supply_v=supply_v)
        self._art_on = art_on
        self._clocks_kept = clocks_kept
        self._state = CpuState.RUN
        self.rcc: Rcc | None = None
        self.pwr: Pwr | None = None

    def set_state(self, state: CpuState) -> None:
        """The chip changed what it does."""
        if state is not self._state:
            self._state = state
            self.update()

    @property
    def peripherals_draw(self) -> bool:
        """While there is a supply."""
        return self._state is not CpuState.UNPOWERED

    def base_current(self) -> float:
        """What the chip draws without its active peripherals, in amperes."""
        rcc, pwr, state = self.rcc, self.pwr, self._state
        if rcc is None or pwr is None or state is CpuState.UNPOWERED:
            return _T.held_in_reset.value
        total = self._backup_current(rcc)
        if state is CpuState.STANDBY and not self._clocks_kept():
            return total + _T.standby.value
        if state is CpuState.STOP and not self._clocks_kept():
            return total + self._stop_current(pwr)
        if state in (CpuState.STOP, CpuState.STANDBY):
            return total + _T.run_base.value + HSI_HZ * _T.sleep_per_hz.value
        return total + self._clocked_current(rcc, pwr)

    @staticmethod
    def _backup_current(rcc: Rcc) -> float:
        total = _T.rtc_lse.value if rcc.runs("LSE") else 0.0
        return total + (_T.lsi.value if rcc.runs("LSI") else 0.0)

    @staticmethod
    def _stop_current(pwr: Pwr) -> float:
        if not pwr.low_power_regulator:
            return (_T.stop_main if pwr.flash_off else _T.stop_main_flash).value
        if not pwr.flash_off:
            return _T.stop_low_power_flash.value
        return (_T.stop_low_voltage if pwr.low_voltage else _T.stop_low_power).value

    def _clocked_current(self, rcc: Rcc, pwr: Pwr) -> float:
        asleep = self._state is CpuState.SLEEP
        per_hz = (_T.sleep_per_hz if asleep else _T.run_per_hz).value
        if not asleep and not self._art_on():
            per_hz += _T.art_off_per_hz.value
        dynamic = rcc.hclk_hz * per_hz + self._peripheral_current(rcc, asleep=asleep)
        total = _T.run_base.value + dynamic * _CORE_V[pwr.scale] / _CORE_V[1]
        total += _T.pll.value if rcc.pll_on else 0.0
        return total + (_T.hse.value if rcc.runs("HSE") else 0.0)

    @staticmethod
    def _peripheral_current(rcc: Rcc, *, asleep: bool) -> float:
        enabled = rcc.enabled_asleep if asleep else rcc.enabled
        total = 0.0
        for register, hz in ((AHB1, rcc.hclk_hz), (APB1, rcc.pclk_hz(APB1)), (APB2, rcc.pclk_hz(APB2))):
            bits = rcc.values[register]
            for bit in range(bits.bit_length()):
                if bits >> bit & 1 and (register, bit) not in _FREE and enabled(register, bit):
                    total += hz * _PERIPHERALS.get((register, bit), _T.other_per_hz).value
        return total
