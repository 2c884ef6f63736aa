"""One table of what was judged on several boards, at most 100 characters wide for usual figures. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_lan_hil.model.measurement import Estimate, Verdict, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.comparisons import cells, headings, repeat_lines, run_comparisons
from pytest_lan_hil.publish.numbers import budget_text, interval_text, rounded
from pytest_lan_hil.publish.rows import SIMULATED_LABEL, judged, worst
from pytest_lan_hil.publish.terminal import aligned

_HEADINGS = ("quantity", "board", "measured on", "value", "95 % interval", "n", "budget", "verdict")
_SIMULATED = SIMULATED_LABEL.partition(":")[0]


def overview_lines(records: Sequence[RunRecord]) -> list[str]:
    """A row for each quantity and board that a budget judged, boards side by side, and then what each board
    was compared with; [] if there is neither.

    A row stands for the worst verdict, as in each board's own table. Every row says whether it comes from
    hardware or from a simulation.
    """
    tables = [table for table in (_judged(records), _compared(records)) if table]
    lines = tables[0] if tables else []
    for table in tables[1:]:
        lines += ["", *table]
    if lines and any(record.simulated for record in records):
        lines.append(SIMULATED_LABEL)
    return lines


def _judged(records: Sequence[RunRecord]) -> list[str]:
    found = []
    for record in records:
        for group in judged(record):
            verdict = worst([verdict for _, verdict in group])
            found.append((verdict, record))
    names = list(QUANTITIES)
    found.sort(key=lambda one: names.index(one[0].budget.quantity))  # stable: boards stay in their order
    return aligned(_HEADINGS, [_row(verdict, record) for verdict, record in found]) if found else []


def _compared(records: Sequence[RunRecord]) -> list[str]:
    """A row for each comparison, each board's together; how often tests were repeated below."""
    rows = [
        (record.board, _measured_on(record), *cells(row))
        for record in records
        for row in run_comparisons(record)
    ]
    if not rows:
        return []
    titles = ("board", "measured on", *headings(records[0].kind))
    return [*aligned(titles, rows), *(line for record in records for line in repeat_lines(record))]


def _measured_on(record: RunRecord) -> str:
    return _SIMULATED if record.simulated else "a record" if record.replayed else "hardware"


def _row(verdict: Verdict, record: RunRecord) -> tuple[str, ...]:
    kind = verdict.kind
    return (
        verdict.budget.quantity.replace("_", " "),
        record.board,
        _measured_on(record),
        f"{verdict.budget.statistic} {_value(verdict.estimate)}" if verdict.estimate else "not measured",
        interval_text(verdict.estimate, verdict.unit) if verdict.estimate else "",
        str(verdict.n),
        budget_text(verdict.budget, verdict.unit),
        kind.value.upper() if kind is VerdictKind.OVER else kind.value,
    )


def _value(estimate: Estimate) -> str:
    """The value, rounded as its interval beside it, which has the unit."""
    half = (estimate.high - estimate.low) / 2
    if math.isfinite(half):
        return rounded(estimate.value, half)
    sides = (estimate.value - estimate.low, estimate.high - estimate.value)
    return rounded(estimate.value, min(sides))
