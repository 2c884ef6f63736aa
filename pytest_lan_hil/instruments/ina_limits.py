"""What is known of the INA219 and the INA228: ranges, error limits, and what their inputs draw.

INA219: SBOS448G, 7.5 Electrical Characteristics (A grade, the wider one), read in full. INA228: SLYS021A,
Features and table 8-1, read; its bus voltage's limits and its VBUS pin's resistance are UNCONFIRMED and
stand for the sister part's (INA238, SLYS026A 6.5), which are at least as wide.

Wiring is on the high side: IN+ at the supply, IN- at the board, and the bus voltage is measured behind the
shunt. What the load-side pins draw flows through the shunt and is not the board's: it is subtracted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.capture import Accuracy
from pytest_lan_hil.model.clock import HOST_TIMEBASE

Volts = TypeVar("Volts", float, NDArray[np.float64])

# A shunt of unknown make drifts by 100 ppm/K at most (thick film, commodity grade); an assumption.
_SHUNT_PER_K = 100e-6


@dataclass(frozen=True, slots=True)
class ShuntRange:
    """One range of the shunt voltage: full scale, and limit of the offset, volts."""

    full_scale_v: float
    offset_v: float

    def __str__(self) -> str:
        return f"{self.full_scale_v * 1e3:g} mV"


@dataclass(frozen=True, slots=True)
class Limits:
    """Error limits of a chip at 25 degrees Celsius, taken as 95 % half-widths.

    Attributes:
        model: "INA219".
        ranges: Rising.
        shunt_step_v: Step of the shunt voltage at full resolution in the smallest range, volts.
        gain, gain_per_k: Of the shunt voltage, relative.
        offset_per_k_v: Drift of the shunt voltage's offset, volts per kelvin.
        bus_step_v, bus_gain, bus_gain_per_k, bus_offset_v: Of the bus voltage.
        input_a, input_ohm: The load-side pins draw `input_a + bus voltage / input_ohm` ...
        input_tolerance: ... to this share of it.
        source: Data sheet and table.
        notes: What a reader must know of these figures.
    """

    model: str
    ranges: tuple[ShuntRange, ...]
    shunt_step_v: float
    gain: float
    gain_per_k: float
    offset_per_k_v: float
    bus_step_v: float
    bus_gain: float
    bus_gain_per_k: float
    bus_offset_v: float
    input_a: float
    input_ohm: float
    input_tolerance: float
    source: str
    notes: tuple[str, ...]

    def drawn_a(self, bus_v: Volts) -> Volts:
        """What the load-side pins draw at this bus voltage (or at each of many), amperes (typical)."""
        return self.input_a + bus_v / self.input_ohm


INA219 = Limits(
    model="INA219",
    ranges=(
        ShuntRange(0.04, 100e-6),
        ShuntRange(0.08, 125e-6),
        ShuntRange(0.16, 150e-6),
        ShuntRange(0.32, 200e-6),
    ),
    shunt_step_v=10e-6,
    gain=0.005,
    gain_per_k=1e-5,
    offset_per_k_v=0.1e-6,
    bus_step_v=4e-3,
    bus_gain=0.005,
    bus_gain_per_k=1e-4,  # 1 % over -25 to 85 degrees less 0.5 % at 25, over the shorter side
    bus_offset_v=0.0,
    input_a=20e-6,
    input_ohm=320e3,
    input_tolerance=0.5,
    source="SBOS448G, 7.5 Electrical Characteristics",
    notes=(
        "unconfirmed: how far the INA219's input current may be from its typical 20 uA + V/320 kohm; the data"
        " sheet gives no limit, 50 % is assumed",
    ),
)

# ENERGY is power times the chip's own time: its oscillator's 0.5 % is an error of the gain.
INA228 = Limits(
    model="INA228",
    ranges=(ShuntRange(0.04096, 1e-6), ShuntRange(0.16384, 1e-6)),
    shunt_step_v=78.125e-9,
    gain=math.hypot(0.0005, 0.005),
    gain_per_k=20e-6,
    offset_per_k_v=0.01e-6,
    bus_step_v=195.3125e-6,
    bus_gain=0.001,
    bus_gain_per_k=25e-6,
    bus_offset_v=5e-3,
    input_a=0.0,
    input_ohm=1e6,
    input_tolerance=0.2,
    source="SLYS021A, Features and table 8-1 (bus voltage and VBUS pin: unconfirmed)",
    notes=(
        "unconfirmed: the INA228's bus voltage limits and the resistance of its VBUS pin stand for those of"
        " the INA238; its table 6.5 could not be read",
    ),
)

LIMITS = {"ina219": INA219, "ina228": INA228}


@dataclass(frozen=True, slots=True)
class Shunt:
    """A shunt resistor: ohms, and tolerance as a share of them (0.01 is 1 %)."""

    ohm: float
    tolerance: float


def accuracy(limits: Limits, shunt: Shunt, chosen: ShuntRange, step_v: float, bus_v: float) -> Accuracy:
    """Error limits of current and voltage with this shunt.

    Half a step counts as offset: a load that is steady to a step meets the same rounding in every
    conversion, and no averaging takes it away.

    Args:
        limits: Of the chip.
        shunt: That it measures across.
        chosen: Range in use.
        step_v: Step of the shunt voltage as configured, volts.
        bus_v: Mean bus voltage, which the input current follows.
    """
    offset_v = math.hypot(chosen.offset_v, step_v / 2)
    drawn_a = limits.input_tolerance * limits.drawn_a(bus_v)
    return Accuracy(
        current_gain=math.hypot(limits.gain, shunt.tolerance),
        current_offset_a=math.hypot(offset_v / shunt.ohm, drawn_a),
        voltage_gain=limits.bus_gain,
        voltage_offset_v=math.hypot(limits.bus_offset_v, limits.bus_step_v / 2),
        timebase=HOST_TIMEBASE,  # time stamps are the host's
        source=f"{limits.source}; shunt {shunt.ohm:g} ohm ± {shunt.tolerance * 100:g} %",
        current_gain_per_k=math.hypot(limits.gain_per_k, _SHUNT_PER_K),
        voltage_gain_per_k=limits.bus_gain_per_k,
        current_offset_a_per_k=limits.offset_per_k_v / shunt.ohm,
        reference_c=25.0,
    )
