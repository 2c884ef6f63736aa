"""Battery life from mean power. Pure.

The interval is inverted end by end: the life is shortest where the power is highest. A power that nothing
bounds from above leaves the life unbounded from below, and one that may be zero leaves it unbounded from
above. The battery itself counts as exact: its capacity is a figure of its data sheet, not of this bench.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pytest_lan_hil.measure.statistics import describe
from pytest_lan_hil.measure.uncertainty import scaled
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Estimate, Measurement

_HOURS = (("years", 24 * 365.25), ("days", 24.0))


def battery_life(power: Measurement, usable_wh: float) -> Measurement:
    """How long a battery lasts at a mean power, in hours.

    Args:
        power: Mean power, mW.
        usable_wh: Energy of the battery that reaches the supply rail, watt hours.

    Raises:
        InputError: A battery that holds nothing.
        MeasurementInvalid: The mean power is not above zero.
    """
    if not (usable_wh > 0 and math.isfinite(usable_wh)):
        raise InputError(f"a battery of {usable_wh} Wh", fix="give a capacity and a voltage above 0")
    found = power.estimate
    if not found.value > 0:
        raise MeasurementInvalid(
            f"a mean power of {found.value:g} mW, from which no battery life follows",
            fix="measure with an instrument whose offset is far below the load, in a lower current range",
        )
    milliwatt_hours = usable_wh * 1e3
    hours = milliwatt_hours / found.value
    blocks = [milliwatt_hours / value for value in power.values if value > 0]
    values = tuple(blocks) if len(blocks) == power.n else (hours,)
    low, high = _inverted(found.low, found.high, milliwatt_hours)
    ci95_low, ci95_high = _inverted(found.ci95_low, found.ci95_high, milliwatt_hours)
    per_mw = hours / found.value
    return replace(
        power,
        quantity="battery",
        unit="h",
        n=len(values),
        values=values,
        spread=describe(values),
        estimate=Estimate(
            statistic="mean",
            value=hours,
            ci95_low=ci95_low,
            ci95_high=ci95_high,
            instrument_error=found.instrument_error * per_mw,
            low=low,
            high=high,
        ),
        notes=(*power.notes, f"{usable_wh:.4g} Wh at {found.value:.4g} mW{_in_words(hours)}"),
        contributions=scaled(power.contributions, per_mw, "h"),
    )


def _inverted(low: float, high: float, energy: float) -> tuple[float, float]:
    """The interval of `energy` / x for x in an interval that holds a positive number."""
    shortest = energy / high if math.isfinite(high) else -math.inf
    return shortest, energy / low if low > 0 else math.inf


def _in_words(hours: float) -> str:
    for unit, size in _HOURS:
        if hours >= 2 * size:
            return f": {hours / size:.3g} {unit}"
    return ""
