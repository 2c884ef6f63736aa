"""What the sampler needs of an INA chip, and what the chips have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from pytest_lan_hil.instruments.ina_limits import ShuntRange
from pytest_lan_hil.model.errors import InstrumentError


@dataclass(frozen=True, slots=True)
class Conversion:
    """One conversion of the chip.

    Attributes:
        shunt_v, bus_v: Volts.
        energy_j, charge_c: What the chip counted since the last conversion that was polled; NaN if it doesn't
            count. Energy adds up magnitudes, charge has a sign.
    """

    shunt_v: float
    bus_v: float
    energy_j: float = math.nan
    charge_c: float = math.nan


class Chip(Protocol):
    """A configured chip."""

    #: Typical time from one conversion to the next, seconds.
    period_s: float
    #: Step of the shunt voltage as configured, volts.
    step_v: float
    #: How many conversions a reading of the shunt voltage is the mean of.
    averaging: int

    def begin(self) -> None:
        """Start converting; the first conversion begins now."""
        ...

    def poll(self) -> Conversion | None:
        """The last conversion, or None if none has ended since the last `poll` that gave one.

        Raises:
            BusError: The transfer failed; the next one may succeed.
            InstrumentError: The chip's range was exceeded.
        """
        ...

    def end(self) -> None:
        """Stop converting (power down)."""
        ...


def overflow(
    place: str, chosen: ShuntRange, ranges: tuple[ShuntRange, ...], shunt_ohm: float
) -> InstrumentError:
    """The error for a shunt voltage at the end of its range."""
    limit_ma = chosen.full_scale_v / shunt_ohm * 1e3
    larger = [one for one in ranges if one.full_scale_v > chosen.full_scale_v]
    if larger:
        fix = f"set range_mv={larger[0].full_scale_v * 1e3:g} in the analyzer's URI, or use a smaller shunt"
    else:
        fix = "use a smaller shunt: this is the largest range"
    return InstrumentError(
        f"the {place} overflowed: the current exceeded its range of ± {chosen}, ± {limit_ma:.4g} mA with"
        f" {shunt_ohm:g} ohm",
        fix=fix,
    )
