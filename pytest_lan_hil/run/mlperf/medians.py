"""The median over a run's windows, with what is known of its uncertainty. Pure.

The interval is distribution-free, between order statistics, as everywhere (measure.statistics). Five windows,
the number that the rules ask for, can't bound a median with 95 %: their whole range holds it with
1 - 2 * (1/2)^5 = 93.75 %, and 95 % needs six. Then the range is given, with the confidence that it has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_lan_hil.measure.statistics import CONFIDENCE, describe, estimate, fewest_for
from pytest_lan_hil.model.measurement import Spread

_MEDIAN = "p50"


@dataclass(frozen=True, slots=True)
class Median:
    """The median of a figure that each window gave.

    Attributes:
        value: The median itself.
        unit: Of every figure here.
        n: Number of windows.
        spread: Description of their values.
        interval_low, interval_high: Statistical interval: 95 %, or the range of the values.
        confidence: Of that interval, 0 to 1, for windows that are independent of each other.
        instrument_error: 95 % half-width of the systematic error; infinite where nothing bounds it.
        low, high: The interval widened by that error, root sum of squares on each side.
    """

    value: float
    unit: str
    n: int
    spread: Spread
    interval_low: float
    interval_high: float
    confidence: float
    instrument_error: float
    low: float
    high: float

    def __str__(self) -> str:
        spread = self.spread
        if self.confidence >= CONFIDENCE:
            interval = f"95 % interval {self.interval_low:.3f} to {self.interval_high:.3f}"
        else:
            interval = (
                f"that range holds the median with {100 * self.confidence:.4g} %, not with 95 %"
                f" (needs {fewest_for(_MEDIAN)} windows)"
            )
        return (
            f"{self.n} windows from {spread.minimum:.3f} to {spread.maximum:.3f} {self.unit}, standard"
            f" deviation {spread.std:.3f}; {interval}; instrument {half_width(self.instrument_error)} (95 %);"
            f" combined {self.low:.3f} to {self.high:.3f} {self.unit}"
        )


def median_of(values: Sequence[float], unit: str, instrument_error: float) -> Median:
    """The median of the windows' values.

    Args:
        values: One for each window, in order of time; at least one.
        unit: Their unit.
        instrument_error: 95 % half-width, the same in every window; may be infinite.
    """
    found = estimate(values, _MEDIAN, instrument_error)
    spread = describe(values)
    low, high, confidence = found.ci95_low, found.ci95_high, CONFIDENCE
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high, confidence = spread.minimum, spread.maximum, 1 - 2.0 ** (1 - len(values))
    return Median(
        value=found.value,
        unit=unit,
        n=len(values),
        spread=spread,
        interval_low=low,
        interval_high=high,
        confidence=confidence,
        instrument_error=instrument_error,
        low=found.value - math.hypot(found.value - low, instrument_error),
        high=found.value + math.hypot(high - found.value, instrument_error),
    )


def half_width(error: float) -> str:
    """ "+-0.012", or in words that nothing bounds it."""
    return f"+-{error:.3f}" if math.isfinite(error) else "error without a bound"
