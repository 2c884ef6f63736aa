"""From the tests of a run to the run: outcome and pooled measurements. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_lan_hil.measure.quantities import pool
from pytest_lan_hil.model.measurement import Measurement, Outcome
from pytest_lan_hil.model.record import TestRecord


def run_outcome(tests: Sequence[TestRecord], *, interrupted: bool) -> Outcome:
    """Interrupted, else failed, else blocked, else passed; skipped when every test was."""
    outcomes = {test.outcome for test in tests}
    if interrupted or Outcome.INTERRUPTED in outcomes:
        return Outcome.INTERRUPTED
    for outcome in (Outcome.FAILED, Outcome.BLOCKED, Outcome.PASSED):
        if outcome in outcomes:
            return outcome
    return Outcome.SKIPPED


def first_of(measurements: Sequence[Measurement]) -> Measurement:
    """One record that several tests have read is one record: the first measurement stands for all."""
    return measurements[0]


def shortest(measurements: Sequence[Measurement]) -> Measurement:
    """The one with the smallest estimate."""
    return min(measurements, key=lambda one: one.estimate.value)


# A battery life follows from a mean power; the mean of several lives is that of no load.
_OWN_JOINS: dict[str, Callable[[Sequence[Measurement]], Measurement]] = {"battery": shortest}


def pooled(
    tests: Sequence[TestRecord], *, join: Callable[[Sequence[Measurement]], Measurement] = pool
) -> dict[str, Measurement]:
    """Quantity to measurement, pooled over the tests, and their repeats, that judged it.

    A capture tells more than was asked; but only a test with a budget or a comparison states under which load
    its number is meant, so only those are pooled. A blocked test contributes nothing.

    Args:
        tests: In order.
        join: What makes one measurement of several: `first_of` for a replay.
    """
    judged: dict[str, list[Measurement]] = {}
    for test in tests:
        if test.outcome in (Outcome.BLOCKED, Outcome.INTERRUPTED) or not test.measurements:
            continue
        compared = {one.subject.quantity for one in test.comparisons}
        for quantity in {verdict.budget.quantity for verdict in test.verdicts} | compared:
            if quantity in test.measurements:  # a repeat may lack what the others have
                judged.setdefault(quantity, []).append(test.measurements[quantity])
    return {
        quantity: _OWN_JOINS.get(quantity, join)(measurements)
        for quantity, measurements in sorted(judged.items())
    }
