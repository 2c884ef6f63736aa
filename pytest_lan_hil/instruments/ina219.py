"""The INA219's registers (SBOS448G, 8.6): configuration, and one conversion at a time.

Current is computed here from the shunt register: the chip's own current register is that same reading times
a constant, truncated. The calibration register is written nevertheless, because without it the chip computes
neither current nor power, and its overflow flag would never rise.

CNVR clears when the power register is read, says the data sheet; on silicon it clears when the bus register
is read (TI's forum, "Clearing of the CNVR flag in the bus voltage register"). Both registers are read, in an
order in which either is right.

Nothing tells of a single conversion that is clipped among several that the chip averages: the overflow flag
(8.6.3.2) is the calculation's, and that begins with the average. An average that one clipped conversion would
have lifted higher (`least_clipped_v`) proves that there was none; from there on it is refused.
"""

from __future__ import annotations

import math

from pytest_lan_hil.instruments.ina_bus import Registers
from pytest_lan_hil.instruments.ina_chip import Conversion, overflow
from pytest_lan_hil.instruments.ina_limits import INA219, Shunt, ShuntRange
from pytest_lan_hil.model.errors import InputError, InstrumentError

_CONFIG, _SHUNT, _BUS, _POWER, _CALIBRATION = 0, 1, 2, 3, 5
_RESET = 0x8000
_DEFAULT = 0x399F
_CONTINUOUS, _POWER_DOWN = 0b111, 0b000
_CNVR, _OVF = 0b10, 0b01
_BUS_STEP_V = 4e-3
# BRNG 0 and 1: full scale of the bus voltage.
_BUS_RANGES_V = (16.0, 32.0)
_CONVERSION_S = {9: 84e-6, 10: 148e-6, 11: 276e-6, 12: 532e-6}
#: Numbers of conversions that the chip can average (8.6.2.1, table 5); one stands for no averaging.
AVERAGING = (1, 2, 4, 8, 16, 32, 64, 128)
#: Resolutions of a single conversion, bits.
BITS = tuple(_CONVERSION_S)
# Noise of a conversion: two steps. UNCONFIRMED, the data sheet has no figure.
_NOISE_V = 20e-6


def calibration(current_lsb_a: float, shunt_ohm: float) -> int:
    """The calibration register: trunc(0.04096 / (current_lsb * r_shunt)), 8.5.1 equation 1.

    Raises:
        InputError: It doesn't fit into the register (bits 15 to 1; bit 0 is always 0).
    """
    value = math.trunc(0.04096 / (current_lsb_a * shunt_ohm)) & ~1
    if not 2 <= value <= 0xFFFE:
        raise InputError(
            f"an INA219 can't be calibrated for {shunt_ohm:g} ohm and {current_lsb_a:g} A per step",
            fix="choose a current step between 0.625 uV and 20 mV over the shunt's resistance",
        )
    return value


def least_clipped_v(chosen: ShuntRange, averaging: int) -> float:
    """Smallest average of so many conversions that can have a clipped one among them, volts.

    A board draws current and never feeds the supply, so that each of the others is at least as high as an
    input of nothing, less offset and noise.
    """
    lowest_v = -(chosen.offset_v + _NOISE_V)
    return (chosen.full_scale_v + (averaging - 1) * lowest_v) / averaging


class Ina219:
    """One INA219; see `ina_chip.Chip`.

    Only the shunt is averaged: the bus voltage hardly moves, and while it is converted the current is not
    watched.

    Args:
        registers: Its registers.
        shunt: That it measures across.
        chosen: Range of the shunt voltage.
        averaging: One of `AVERAGING`.
        bits: One of `BITS`; below 12 only without averaging.
        largest_bus_v: Largest bus voltage to be expected.
    """

    def __init__(
        self,
        registers: Registers,
        shunt: Shunt,
        chosen: ShuntRange,
        *,
        averaging: int,
        bits: int,
        largest_bus_v: float,
    ) -> None:
        self._registers = registers
        self._shunt = shunt
        self._chosen = chosen
        self._bus_range = 0 if largest_bus_v < _BUS_RANGES_V[0] else 1
        self._least_clipped_v = least_clipped_v(chosen, averaging)
        adc = bits - 9 if averaging == 1 else 0b1000 | int(math.log2(averaging))
        gain = INA219.ranges.index(chosen)
        self._config = self._bus_range << 13 | gain << 11 | (12 - 9) << 7 | adc << 3
        self._calibration = calibration(chosen.full_scale_v / shunt.ohm / 0x8000, shunt.ohm)
        self.step_v = INA219.shunt_step_v * 2 ** (12 - bits)
        self.averaging = averaging
        self.period_s = averaging * _CONVERSION_S[bits] + _CONVERSION_S[12]

    def identify(self) -> None:
        """Reset the chip, leave it powered down, and make sure that it is one.

        Raises:
            BusError: It doesn't answer.
            InstrumentError: Another device answers.
        """
        self._registers.write(_CONFIG, _RESET)
        found = self._registers.read(_CONFIG, 2)
        if found != _DEFAULT:
            raise InstrumentError(
                f"the {self._registers.place} is no INA219: its configuration after a reset is"
                f" 0x{found:04x}, not 0x{_DEFAULT:04x}",
                fix="check the address, and the kind of the analyzer (ina219 or ina228)",
            )
        self.end()

    def begin(self) -> None:
        """See `Chip`. Writing the mode starts a conversion and clears CNVR (8.6.3.2)."""
        self._registers.write(_CALIBRATION, self._calibration)
        self._registers.write(_CONFIG, self._config | _CONTINUOUS)

    def poll(self) -> Conversion | None:
        """See `Chip`."""
        bus = self._registers.read(_BUS, 2)
        if not bus & _CNVR:
            return None
        shunt = self._registers.read_signed(_SHUNT, 2)
        self._registers.read(_POWER, 2)
        shunt_v = shunt * INA219.shunt_step_v
        if bus & _OVF or abs(shunt_v) >= self._least_clipped_v - INA219.shunt_step_v / 2:
            raise self._overflow(abs(shunt_v))
        bus_v = (bus >> 3) * _BUS_STEP_V
        if bus_v >= _BUS_RANGES_V[self._bus_range]:
            raise InstrumentError(
                f"the {self._registers.place} overflowed: the bus voltage is {bus_v:g} V or more",
                fix="check the supply; an INA219 measures up to 26 V",
            )
        return Conversion(shunt_v, bus_v)

    def _overflow(self, shunt_v: float) -> InstrumentError:
        """The error for a reading that is clipped, or may hide that a part of it is."""
        if self.averaging == 1 or shunt_v >= self._chosen.full_scale_v:
            return overflow(self._registers.place, self._chosen, INA219.ranges, self._shunt.ohm)
        larger = ", or a larger range_mv" if self._chosen is not INA219.ranges[-1] else ""
        return InstrumentError(
            f"the {self._registers.place} averages {self.averaging} conversions, and with a mean of"
            f" {shunt_v * 1e3:.3g} mV one of them may have exceeded the range of ± {self._chosen} unseen;"
            f" below {self._least_clipped_v * 1e3:.3g} mV none can have",
            fix=f"set averaging=1 in the analyzer's URI, which shows every conversion{larger}",
        )

    def end(self) -> None:
        """See `Chip`."""
        self._registers.write(_CONFIG, self._config | _POWER_DOWN)
