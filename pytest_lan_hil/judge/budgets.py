"""Measurement and budget to verdict, and verdicts to outcome.

A verdict is made from the estimate's interval (statistics and instrument together), never from the value
alone: only an interval wholly on one side of the limit decides. Otherwise the verdict is inconclusive, and
its reason says what would settle it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pytest_lan_hil.measure.shares import deciding_count
from pytest_lan_hil.measure.statistics import estimate, fewest_for
from pytest_lan_hil.model.measurement import Budget, Estimate, Measurement, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES, Direction, unit_text

_MORE = {
    "drift_score": "let the DUT hear more recordings",
    "throughput": "let it make more inferences in one go",
    "cpu_utilisation": "let it listen for longer",
}
_NO_FINER = {
    "temperature": "the chip has no better sensor; leave more room in the budget",
    "uptime": "leave more room in the budget",
}
_FINER = "use a lower current range or a more accurate instrument, or leave more room in the budget"
# Beyond this factor more data is no advice.
_HOPELESS = 10_000


def judge(measurement: Measurement, budget: Budget, *, floor: float | None = None) -> Verdict:
    """Compare a measurement with a budget.

    Within if the whole interval keeps the limit, over if the whole interval breaks it, else inconclusive. A
    budget on another statistic than the measurement's own is judged on the same values, estimated anew.

    Args:
        measurement: What was measured.
        budget: The limit.
        floor: What the bench can't tell from nothing, in the budget's unit (`lan-hil selftest`): a limit
            below it is undecidable, and not within by luck.

    Raises:
        InputError: The budget names an unknown statistic.
    """
    found = measurement.estimate
    if found.statistic != budget.statistic:
        found = estimate(measurement.values, budget.statistic, found.instrument_error)
    keeps, breaks = _sides(found, budget)
    if floor is not None and budget.limit < floor:
        kind = VerdictKind.INCONCLUSIVE
        reason = (
            f"{_limit(measurement, budget)}, lies below this bench's floor of {floor:.3g}"
            f"{unit_text(measurement.unit)} (its self-test): undecidable here, whatever is measured;"
            " use a finer instrument or range"
        )
    elif keeps:
        kind = VerdictKind.WITHIN
        reason = f"{_figure(measurement, found)} is within {_limit(measurement, budget)}"
    elif breaks:
        kind = VerdictKind.OVER
        reason = f"{_figure(measurement, found)} is over {_limit(measurement, budget)}"
        if _direction(budget) is Direction.HIGHER:
            reason = f"{_figure(measurement, found)} is below {_limit(measurement, budget)}"
    else:
        kind = VerdictKind.INCONCLUSIVE
        reason = (
            f"{_figure(measurement, found)} can't be told from {_limit(measurement, budget)}:"
            f" {_what_settles_it(measurement, found, budget)}"
        )
    return Verdict(kind, budget, measurement.unit, found, measurement.n, reason)


def combine(verdicts: Iterable[Verdict]) -> Outcome:
    """A test's outcome: failed if anything is over, else blocked if anything is inconclusive, else passed."""
    kinds = {verdict.kind for verdict in verdicts}
    if VerdictKind.OVER in kinds:
        return Outcome.FAILED
    if VerdictKind.INCONCLUSIVE in kinds:
        return Outcome.BLOCKED
    return Outcome.PASSED


def _direction(budget: Budget) -> Direction:
    row = QUANTITIES.get(budget.quantity)
    return row.direction if row else Direction.LOWER


def _sides(found: Estimate, budget: Budget) -> tuple[bool, bool]:
    """Whether the whole interval keeps the limit, and whether the whole interval breaks it."""
    if _direction(budget) is Direction.LOWER:
        return found.high <= budget.limit, found.low > budget.limit
    return found.low >= budget.limit, found.high < budget.limit


def _figure(measurement: Measurement, found: Estimate) -> str:
    value, spread = with_uncertainty(found)
    figure = f"{measurement.quantity} {found.statistic} {value}{unit_text(measurement.unit)}"
    if found.low == found.high:
        return f"{figure} (n={measurement.n}, exact)"
    return f"{figure} {spread} (n={measurement.n})"


def _limit(measurement: Measurement, budget: Budget) -> str:
    kind = "the budget" if budget.source == "marker" else f"the target of {budget.source}"
    return f"{budget.limit:g}{unit_text(measurement.unit)}, {kind}"


def with_uncertainty(found: Estimate) -> tuple[str, str]:
    """Value and uncertainty as text, the uncertainty to two digits and the value to the same place.

    An infinite side is said in words, because no half-width describes it.
    """
    if found.statistic == "share":  # its sides differ much, near 0 and 100 %
        return _share(found)
    sides = [side for side in (found.value - found.low, found.high - found.value) if math.isfinite(side)]
    half = max(sides, default=0.0)
    places = max(0, 1 - math.floor(math.log10(half))) if half > 0 else _places(found.value)
    value = f"{found.value:.{places}f}"
    low, high = math.isfinite(found.low), math.isfinite(found.high)
    if low and high:
        return value, f"± {half:.{places}f}"
    if low:
        return value, f"(at least {found.low:.{places}f}, no upper limit)"
    if high:
        return value, f"(at most {found.high:.{places}f}, no lower limit)"
    return value, "(no limits)"


def _share(found: Estimate) -> tuple[str, str]:
    half = (found.high - found.low) / 2
    places = max(0, 1 - math.floor(math.log10(half))) if half > 0 else 0
    return f"{found.value:.{places}f}", f"({found.low:.{places}f} to {found.high:.{places}f})"


def _places(value: float) -> int:
    """Decimal places that show five digits of an exact value, at most what it takes."""
    text = f"{value:.5g}"
    return len(text.partition(".")[2]) if "e" not in text else 0


def _what_settles_it(measurement: Measurement, found: Estimate, budget: Budget) -> str:
    margin = abs(budget.limit - found.value)
    error = found.instrument_error
    if math.isinf(error):
        without = [note for note in measurement.notes if "the error has no bound" in note]
        return without[0] if without else f"nothing bounds the error of {measurement.instrument}"
    need = fewest_for(found.statistic)
    power = measurement.quantity in ("power", "battery")
    if measurement.n < need and not power:
        return (
            f"{found.statistic} needs at least {need} {_things(measurement)}, this test made {measurement.n}"
        )
    if not (math.isfinite(found.ci95_low) and math.isfinite(found.ci95_high)):
        slow = [note for note in measurement.notes if "varies too slowly" in note]
        return (
            slow[0] if slow else f"the {_things(measurement)} resemble their neighbours; measure for longer"
        )
    if error > 0 and margin <= error:
        sure = f"{measurement.instrument} is sure to ± {error:.2g}{unit_text(measurement.unit)} only"
        if measurement.quantity in _MORE:
            return f"{sure}; {_MORE[measurement.quantity]}"
        finer = _advice(measurement) or _NO_FINER.get(measurement.quantity, _FINER)
        return f"{sure}, more data won't help; {finer}"
    if found.statistic == "share":
        factor = deciding_count(found.value, budget.limit) / measurement.n
    else:
        half = max(found.value - found.ci95_low, found.ci95_high - found.value)
        # the spread is itself an estimate
        factor = 1.1 * half**2 / (margin**2 - error**2) if margin > error else math.inf
    if factor > _HOPELESS:
        return "the value lies on the limit; leave more room in the budget"
    if power and measurement.duration_s > 0:
        longer = measurement.duration_s * factor
        return f"measure for about {longer:.2g} s instead of {measurement.duration_s:.2g} s"
    return f"about {math.ceil(measurement.n * factor)} {_things(measurement)} would settle it"


def _advice(measurement: Measurement) -> str:
    """What the instrument's own notes say of a finer set-up ("a shunt of 10 ohm would ...")."""
    return next((note for note in measurement.notes if "a shunt of" in note), "")


_THINGS = {
    "latency": "inferences",
    "energy": "inferences",
    "accuracy": "recordings",
    "false_positive_rate": "sounds",
}


def _things(measurement: Measurement) -> str:
    return _THINGS.get(measurement.quantity, "values")
