"""The INA228's registers (SLYS021A, 7.6): configuration, and the energy between two looks.

ENERGY adds up power times the chip's own time for every single conversion, averaged or not (7.3.2), so that
nothing between two looks is missed however late they are. It is a 40-bit counter that rolls over. The flag
ENERGYOF would tell that from a chip that lost its supply, but it may rise and be cleared between two
transfers; the configuration, which such a chip has forgotten, tells it in any case.

It adds up clipped conversions as well, which no average shows. The shunt limits do: with SLOWALERT 0 they are
compared with each conversion (table 7-16), and with ALATCH 1 the flags stay until they are read.

Power is a magnitude, so noise about zero is counted as energy. CHARGE, which has a sign, tells.
"""

from __future__ import annotations

from pytest_lan_hil.instruments.ina_bus import Registers
from pytest_lan_hil.instruments.ina_chip import Conversion, overflow
from pytest_lan_hil.instruments.ina_limits import INA228, Shunt, ShuntRange
from pytest_lan_hil.model.errors import InstrumentError

_CONFIG, _ADC_CONFIG, _SHUNT_CAL = 0x00, 0x01, 0x02
_VSHUNT, _VBUS, _ENERGY, _CHARGE, _DIAG_ALRT = 0x04, 0x05, 0x09, 0x0A, 0x0B
_SOVL, _SUVL, _MANUFACTURER, _DEVICE = 0x0C, 0x0D, 0x3E, 0x3F
_RESET, _CLEAR_ACCUMULATORS, _SMALL_RANGE = 0x8000, 0x4000, 0x0010
# Continuous shunt and bus voltage; shutdown.
_CONTINUOUS, _SHUTDOWN = 0xB, 0x0
# DIAG_ALRT. With ALATCH a flag stays until it is read; without, until the next conversion.
_ALATCH, _MATHOF, _CNVRF, _MEMORY_GOOD = 0x8000, 0x0200, 0x0002, 0x0001
_SHNTOL, _SHNTUL = 0x0040, 0x0020
# SOVL and -SUVL, in steps of 16 codes: 0.2 % inside full scale, because a chip whose gain is off by its
# 0.05 % clips before its code is full.
_SHUNT_LIMIT = 0x8000 - 0x40
_TEXAS_INSTRUMENTS, _INA228 = 0x5449, 0x228
_COUNTER_BITS = 40
_SHUNT_CODES = 1 << 19
_BUS_STEP_V = 195.3125e-6
_LARGEST_BUS_V = 85.0
#: Conversion times, microseconds, in order of their codes.
CONVERSION_US = (50, 84, 150, 280, 540, 1052, 2074, 4120)
#: Numbers of conversions that the chip can average, in order of their codes.
AVERAGING = (1, 4, 16, 64, 128, 256, 512, 1024)
# The bus voltage hardly moves, and while it is converted the current is not watched.
_BUS_US = 280


def shunt_calibration(current_lsb_a: float, shunt_ohm: float, chosen: ShuntRange) -> int:
    """The SHUNT_CAL register: 13107.2e6 * current_lsb * r_shunt, four times that in the 40.96 mV range.

    Source: 8.1.2, equation 2.
    """
    factor = 4 if chosen is INA228.ranges[0] else 1
    return round(13107.2e6 * current_lsb_a * shunt_ohm * factor)


class Ina228:
    """One INA228; see `ina_chip.Chip`.

    Args:
        registers: Its registers.
        shunt: That it measures across.
        chosen: Range of the shunt voltage.
        averaging: One of `AVERAGING`; it sets how often there is news, and ENERGY ignores it.
        conversion_us: One of `CONVERSION_US`, of the shunt voltage.
    """

    def __init__(
        self, registers: Registers, shunt: Shunt, chosen: ShuntRange, *, averaging: int, conversion_us: int
    ) -> None:
        self._registers = registers
        self._shunt = shunt
        self._chosen = chosen
        small = chosen is INA228.ranges[0]
        self.step_v = chosen.full_scale_v / _SHUNT_CODES
        self.averaging = averaging
        self.period_s = averaging * (conversion_us + _BUS_US) * 1e-6
        self._config = _SMALL_RANGE if small else 0
        times = CONVERSION_US.index(_BUS_US) << 9 | CONVERSION_US.index(conversion_us) << 6
        self._adc_config = times | AVERAGING.index(averaging)
        self._running = _CONTINUOUS << 12 | self._adc_config
        current_lsb_a = self.step_v / shunt.ohm
        self._calibration = shunt_calibration(current_lsb_a, shunt.ohm, chosen)
        # 8.1.2, equations 5 and 6.
        self._energy_lsb_j = 16 * 3.2 * current_lsb_a
        self._charge_lsb_c = current_lsb_a
        self._energy = self._charge = 0
        self._ready = False

    def identify(self) -> None:
        """Make sure that it is an INA228, reset it, and shut it down.

        Raises:
            BusError: It doesn't answer.
            InstrumentError: Another device answers.
        """
        maker, device = self._registers.read(_MANUFACTURER, 2), self._registers.read(_DEVICE, 2)
        if maker != _TEXAS_INSTRUMENTS or device >> 4 != _INA228:
            raise InstrumentError(
                f"the {self._registers.place} is no INA228: it says maker 0x{maker:04x}, device"
                f" 0x{device:04x}, not 0x{_TEXAS_INSTRUMENTS:04x} and 0x{_INA228:03x}x",
                fix="check the address, and the kind of the analyzer (ina219 or ina228)",
            )
        self._registers.write(_CONFIG, _RESET)
        self.end()

    def begin(self) -> None:
        """See `Chip`. The last write starts the first conversion."""
        self._registers.write(_CONFIG, self._config | _CLEAR_ACCUMULATORS)
        self._registers.write(_SHUNT_CAL, self._calibration)
        self._registers.write(_SOVL, _SHUNT_LIMIT)
        self._registers.write(_SUVL, 0x10000 - _SHUNT_LIMIT)
        self._registers.write(_DIAG_ALRT, _ALATCH)
        self._registers.read(_DIAG_ALRT, 2)
        self._energy = self._charge = 0
        self._ready = False
        self._registers.write(_ADC_CONFIG, self._running)

    def poll(self) -> Conversion | None:
        """See `Chip`."""
        self._ready = self._look() or self._ready
        if not self._ready:
            return None
        shunt = self._registers.read_signed(_VSHUNT, 3) >> 4
        bus_v = (self._registers.read(_VBUS, 3) >> 4) * _BUS_STEP_V
        if abs(shunt) > _SHUNT_LIMIT << 4:
            raise self._overflow()
        if bus_v >= _LARGEST_BUS_V:
            raise InstrumentError(
                f"the {self._registers.place} overflowed: the bus voltage is {bus_v:.1f} V or more",
                fix="check the supply; an INA228 measures up to 85 V",
            )
        energy, charge = self._registers.read(_ENERGY, 5), self._registers.read(_CHARGE, 5)
        self._require_configured(energy)
        # Once more: for every conversion that the counters have, a flag has been read.
        ready = self._look()
        more_j = _counted(energy - self._energy) * self._energy_lsb_j
        more = _counted(charge - self._charge)
        more_c = (more - (1 << _COUNTER_BITS) if more >> (_COUNTER_BITS - 1) else more) * self._charge_lsb_c
        # Last: what a failed transfer keeps from being returned is read and counted by the next `poll`.
        self._energy, self._charge, self._ready = energy, charge, ready
        return Conversion(shunt * self.step_v, bus_v, more_j, more_c)

    def _look(self) -> bool:
        """Read the flags, which clears them, and raise what is wrong; True if a conversion has ended."""
        flags = self._registers.read(_DIAG_ALRT, 2)
        if not flags & _MEMORY_GOOD:
            raise InstrumentError(
                f"the {self._registers.place} reports that its trim memory is damaged",
                fix="power-cycle the module; replace it if this happens again",
            )
        ready = bool(flags & _CNVRF)
        # MATHOF stays from an older conversion until the next.
        if flags & (_SHNTOL | _SHNTUL) or (ready and flags & _MATHOF):
            raise self._overflow()
        return ready

    def _overflow(self) -> InstrumentError:
        return overflow(self._registers.place, self._chosen, INA228.ranges, self._shunt.ohm)

    def _require_configured(self, energy: int) -> None:
        if energy < self._energy and self._registers.read(_ADC_CONFIG, 2) != self._running:
            raise InstrumentError(
                f"the {self._registers.place} lost its supply while it measured: it forgot its configuration",
                fix="check the supply of the module",
            )

    def end(self) -> None:
        """See `Chip`."""
        self._registers.write(_ADC_CONFIG, _SHUTDOWN << 12 | self._adc_config)


def _counted(difference: int) -> int:
    """What a counter that rolls over counted between two readings."""
    return difference % (1 << _COUNTER_BITS)
