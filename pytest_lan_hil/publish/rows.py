"""The rows of a run's table, which terminal, text, HTML and step summary share. Pure.

One row per quantity and budget: it shows the estimate that decided (the worst verdict), so that value, budget
and verdict of a row belong together. A quantity that no budget names is shown as it was measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_lan_hil.model.measurement import Budget, Estimate, Measurement, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES, Direction
from pytest_lan_hil.model.record import RunKind, RunRecord, TestRecord
from pytest_lan_hil.publish.comparisons import last_repeats
from pytest_lan_hil.publish.numbers import budget_text, estimate_text, interval_text, title_of

SIMULATED_LABEL = "SIMULATED: measured on a virtual bench, not on hardware"

_RANKS = {VerdictKind.WITHIN: 0, VerdictKind.INCONCLUSIVE: 1, VerdictKind.OVER: 2}
_UNJUDGED_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, as text; `kind` is the verdict's, "" where nothing was judged.

    `interval` is the 95 % interval including the instrument's error, `source` where the budget comes from,
    `test` the node id of the test that decided, `reason` the verdict's.
    """

    quantity: str
    measured: str
    interval: str
    statistic: str
    n: str
    budget: str
    verdict: str
    kind: str = ""
    source: str = ""
    test: str = ""
    reason: str = ""


def run_rows(record: RunRecord) -> list[Row]:
    """Rows of the whole run: judged quantities first, in the quantity table's order.

    None where two images were compared: there a quantity has no one figure.
    """
    if record.kind is RunKind.AB:
        return []
    groups = judged(record)
    return [*map(_judged, groups), *_unjudged(record, {group[0][1].budget.quantity for group in groups})]


def judged(record: RunRecord) -> list[list[tuple[TestRecord, Verdict]]]:
    """The verdicts of each quantity and budget, with their tests, in the quantity table's order."""
    groups: dict[Budget, list[tuple[TestRecord, Verdict]]] = {}
    for test in record.tests:
        for verdict in test.verdicts:
            groups.setdefault(verdict.budget, []).append((test, verdict))
    return sorted(groups.values(), key=lambda group: _order(group[0][1].budget.quantity))


def test_rows(test: TestRecord) -> list[Row]:
    """Rows of one test: a row per verdict, then what else was measured."""
    rows = [_judged([(test, verdict)]) for verdict in test.verdicts]
    judged = {verdict.budget.quantity for verdict in test.verdicts}
    measurements = test.measurements or {}
    names = sorted(set(measurements) - judged, key=_order)
    return rows + [_measured(name, measurements[name], test) for name in names]


def test_counts(record: RunRecord) -> str:
    """ "5 passed, 1 failed, 1 blocked": outcomes that occurred, the three main ones always. A test that was
    repeated is one test.
    """
    counts = Counter(test.outcome for test in last_repeats(record.tests))
    always = (Outcome.PASSED, Outcome.FAILED, Outcome.BLOCKED)
    return ", ".join(
        f"{counts[outcome]} {outcome.value}" for outcome in Outcome if outcome in always or counts[outcome]
    )


def fault_of(test: TestRecord) -> str:
    """Whose fault a failed or blocked test is, in words; "" for any other."""
    if test.outcome is Outcome.FAILED:
        return "the DUT is at fault"
    if test.outcome is not Outcome.BLOCKED:
        return ""
    if any(one.base is None for one in test.comparisons):
        return "there is nothing to compare with: no verdict on the DUT"
    kinds = {verdict.kind for verdict in test.verdicts} | {one.kind for one in test.comparisons}
    if VerdictKind.INCONCLUSIVE in kinds:
        return "the samples can't settle it: no verdict on the DUT"
    return "the bench, or what was asked of it, is at fault: no verdict on the DUT"


def message_lines(test: TestRecord) -> list[str]:
    """The test's message by line, without lines that the reason of a verdict or comparison says already."""
    reasons = [verdict.reason for verdict in test.verdicts] + [one.reason for one in test.comparisons]
    said = {line for reason in reasons for line in reason.splitlines()}
    return [line for line in test.message.splitlines() if line not in said]


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that decides: over before inconclusive before within, then the one nearest to its limit."""
    return max(verdicts, key=lambda verdict: (_RANKS[verdict.kind], _nearness(verdict)))


def _nearness(verdict: Verdict) -> float:
    if verdict.estimate is None:
        return float("inf")
    return _badness(verdict.budget.quantity, verdict.estimate)


def _badness(quantity: str, estimate: Estimate) -> float:
    """The value, turned round where more is better."""
    row = QUANTITIES.get(quantity)
    return -estimate.value if row is not None and row.direction is Direction.HIGHER else estimate.value


def _order(quantity: str) -> tuple[int, str]:
    names = list(QUANTITIES)
    return (names.index(quantity) if quantity in names else len(names), quantity)


def _judged(found: Sequence[tuple[TestRecord, Verdict]]) -> Row:
    verdict = worst([verdict for _, verdict in found])
    test = next(test for test, candidate in found if candidate is verdict)
    tests = {test.nodeid for test, _ in found}  # a test may have been repeated
    alike = {test.nodeid for test, candidate in found if candidate.kind is verdict.kind}
    share = f" ({len(alike)} of {len(tests)} tests)" if len(tests) > 1 else ""
    estimate: Estimate | None = verdict.estimate
    return Row(
        quantity=title_of(verdict.budget.quantity),
        measured=estimate_text(estimate, verdict.unit) if estimate else "not measured",
        interval=interval_text(estimate, verdict.unit) if estimate else "",
        statistic=verdict.budget.statistic,
        n=str(verdict.n),
        budget=budget_text(verdict.budget, verdict.unit),
        verdict=verdict.kind.value + share,
        kind=verdict.kind.value,
        source=verdict.budget.source,
        test=test.nodeid,
        reason=verdict.reason,
    )


def _unjudged(record: RunRecord, judged: set[str]) -> list[Row]:
    """What was not judged: a quantity of the table once, where it was worst; a user's own always."""
    found: list[tuple[str, Measurement, TestRecord]] = []
    for test in record.tests:
        if test.outcome in (Outcome.BLOCKED, Outcome.INTERRUPTED):
            continue
        for name, measurement in (test.measurements or {}).items():
            if name not in judged:
                found.append((name, measurement, test))
    shown = [one for one in found if one[0] not in QUANTITIES]
    for name in QUANTITIES:
        same = [one for one in found if one[0] == name]
        if same:
            shown.append(max(same, key=lambda one: _badness(one[0], one[1].estimate)))
    shown.sort(key=lambda one: _order(one[0]))
    return [_measured(*one) for one in shown[:_UNJUDGED_LIMIT]]


def _measured(name: str, measurement: Measurement, test: TestRecord) -> Row:
    compared = any(comparison.subject.quantity == name for comparison in test.comparisons)
    return Row(
        quantity=title_of(name),
        measured=estimate_text(measurement.estimate, measurement.unit),
        interval=interval_text(measurement.estimate, measurement.unit),
        statistic=measurement.estimate.statistic,
        n=str(measurement.n),
        budget="none",
        verdict="compared" if compared else "not judged",
        test=test.nodeid,
    )
