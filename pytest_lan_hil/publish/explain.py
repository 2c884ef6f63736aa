"""A measurement's uncertainty as a table: what contributes, how much, and where the figure comes from. Pure.

All half-widths are at 95 % and add as root sum of squares (JCGM 100:2008, 5.1.2). A contribution's share
is that of its square in the sum. The standard uncertainty counts an instrument's limits as normal
(half-width / 1.96) and the statistics by Student's t, so that half-width / standard uncertainty is the
coverage factor k of the combination.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_lan_hil.measure.distributions import student_t_quantile
from pytest_lan_hil.measure.statistics import effective_n, percentile_of
from pytest_lan_hil.model.measurement import Contribution, Measurement
from pytest_lan_hil.publish.numbers import estimate_text, rounded, title_of

STATISTICS = "statistics"
_NORMAL = 1.959964
_HEADS = ("contribution", "half-width", "unit", "share", "source")
# Relative to the instrument's error; less is rounding.
_REST = 1e-6
# Smaller figures have an exponent.
_SMALL = 1e-5


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table, as text; the last one is the combination."""

    name: str
    half_width: str
    unit: str
    share: str
    source: str


def explain(measurement: Measurement) -> list[str]:
    """The measurement and its uncertainty budget, as lines of text."""
    estimate = measurement.estimate
    head = (
        f"{title_of(measurement.quantity)}: {estimate_text(estimate, measurement.unit)}"
        f" ({estimate.statistic}, n = {measurement.n}, {measurement.instrument})"
    )
    return [head, *(f"  {line}" for line in as_text(budget_of(measurement)))]


def budget_of(measurement: Measurement) -> list[Line]:
    """The lines of a measurement's uncertainty: statistics, instrument, combination. [] where it is exact."""
    statistics, factor = _statistics(measurement)
    parts = [*statistics, *measurement.contributions]
    itemised = math.hypot(*(part.half_width for part in measurement.contributions))
    whole = measurement.estimate.instrument_error
    if whole > itemised * (1 + _REST):
        rest = math.sqrt(whole**2 - itemised**2)
        parts.append(Contribution("not itemised", rest, measurement.unit, "whoever made the measurement"))
    return budget_lines(parts, statistics_factor=factor)


def budget_lines(parts: Sequence[Contribution], *, statistics_factor: float = _NORMAL) -> list[Line]:
    """The lines of any budget with its combination last; [] for none.

    Args:
        parts: All in one unit.
        statistics_factor: Half-width by standard uncertainty of the one that is called "statistics".
    """
    total = math.hypot(*(part.half_width for part in parts))
    if not parts or not total > 0:
        return []
    standard = math.hypot(
        *(part.half_width / (statistics_factor if part.name == STATISTICS else _NORMAL) for part in parts)
    )
    how = "root sum of squares at 95 % (JCGM 100:2008, 5.1.2)"
    if math.isfinite(total):
        how += f"; standard uncertainty {rounded(standard, standard)}, k = {total / standard:.2f}"
    return [
        *(
            Line(part.name, _figure(part.half_width), part.unit, _share(part.half_width, total), part.source)
            for part in parts
        ),
        Line("combined", _figure(total), parts[0].unit, "100 %", how),
    ]


def as_text(lines: Sequence[Line]) -> list[str]:
    """The lines as columns under a heading; what says that there is nothing to show if there are none."""
    if not lines:
        return ["exact: nothing contributes"]
    cells = [_HEADS, *((one.name, one.half_width, one.unit, one.share, one.source) for one in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADS))]
    return [
        "  ".join(
            text.rjust(width) if column in (1, 3) else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _statistics(measurement: Measurement) -> tuple[list[Contribution], float]:
    """The statistical part as a contribution, none where there is none, and its coverage factor."""
    estimate = measurement.estimate
    half = max(estimate.value - estimate.ci95_low, estimate.ci95_high - estimate.value)
    if half == 0:
        return [], _NORMAL
    n = len(measurement.values)
    if estimate.statistic == "share":
        factor, source = _NORMAL, f"Wilson's score interval of {n} cases, the wider side"
    elif percentile_of(estimate.statistic) is not None:
        factor, source = _NORMAL, f"order statistics of {n} values, the wider side"
    elif n < 2:
        factor, source = _NORMAL, f"{n} value: nothing to judge its spread by"
    else:
        count = effective_n(measurement.values)
        factor = student_t_quantile(0.975, count - 1)
        worth = "" if count == n else f" worth {count:.3g}"
        source = f"Student's t, {n} values{worth}: t = {factor:.2f}"
    return [Contribution(STATISTICS, half, measurement.unit, source)], factor


def _figure(half_width: float) -> str:
    if math.isinf(half_width):
        return "unbounded"
    return rounded(half_width, half_width) if half_width >= _SMALL else f"{half_width:.1e}"


def _share(half_width: float, total: float) -> str:
    if math.isinf(total):
        return "all" if math.isinf(half_width) else "0 %"
    share = 100 * (half_width / total) ** 2
    return (
        f"{share:.0f} %" if share >= 0.95 or share == 0 else f"{share:.1f} %" if share >= 0.05 else "< 0.1 %"
    )
