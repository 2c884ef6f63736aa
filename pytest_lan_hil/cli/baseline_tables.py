"""What the commands of `lan-hil baseline` print: comparisons, rows before and after, the baseline itself."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from pytest_lan_hil.cli.output import print_table
from pytest_lan_hil.judge.noise import lone_arm
from pytest_lan_hil.model.comparison import Baseline, BaselineRow, Comparison
from pytest_lan_hil.model.history import PastRun
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.publish.numbers import arm_text, change_text, margin_text
from pytest_lan_hil.run.baseline_runs import Measured
from pytest_lan_hil.run.baseline_updates import Change, ChangeKind
from pytest_lan_hil.run.baselines import Setup

_SHORT = 10


def print_comparisons(comparisons: Sequence[Comparison]) -> None:
    """A row for each subject, then why each that did not simply hold is judged as it is."""
    print_table(
        ("verdict", "quantity", "base", "head", "change (95 % interval)", "margin", "test"),
        [
            (
                _verdict(one),
                f"{one.subject.quantity} {one.statistic}",
                arm_text(one.base, one.unit),
                arm_text(one.head, one.unit),
                change_text(one) or "none",
                margin_text(one),
                one.subject.test,
            )
            for one in comparisons
        ],
    )
    told = [one for one in comparisons if one.kind is not VerdictKind.WITHIN]
    if told:
        print()
    for one in told:
        print(f"{_verdict(one)}: {one.reason}  [{one.subject.test}]")
    counts = Counter(one.kind for one in comparisons)
    print()
    print(", ".join(f"{counts[kind]} {kind.value}" for kind in VerdictKind if counts[kind]))


def _verdict(one: Comparison) -> str:
    text: str = one.kind.value
    return text.upper() if one.kind is VerdictKind.REGRESSED else text


def print_sides(setup: Setup, base: Measured, head: Measured) -> None:
    """Whom both sides are of."""
    print(setup)
    print(f"base: {_side(base)}")
    print(f"head: {_side(head)}")
    print()


def _side(side: Measured) -> str:
    if side.runs:
        return f"{side.baseline.origin}: {runs_text(side.runs)}"
    events = side.baseline.events
    last = f", {events[-1].action} {events[-1].at[:10]} {_commit(events[-1].git_commit)}" if events else ""
    return f"{side.baseline.origin}{last}"


def runs_text(runs: Sequence[PastRun]) -> str:
    """ "3 runs of firmware 3f3f3f3f3f, of commit 628798f0c0: RUN to RUN"."""
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    newest = runs[-1]
    firmware = newest.firmware_sha256[:_SHORT] or "unknown (no image was proved)"
    span = newest.run_id if len(runs) == 1 else f"{runs[0].run_id} to {newest.run_id}"
    dirty = ", with uncommitted changes" if newest.git_dirty else ""
    return f"{count} of firmware {firmware}, {_commit(newest.git_commit)}{dirty}: {span}"


def _commit(commit: str) -> str:
    return f"of commit {commit[:_SHORT]}" if commit else "of no commit"


def print_changes(changes: Iterable[Change]) -> None:
    """The rows that change, before and after."""
    rows = [
        (
            change.kind.value,
            change.subject.quantity,
            row_text(change.before),
            row_text(change.after),
            _difference(change),
            change.subject.test,
        )
        for change in changes
        if change.kind is not ChangeKind.SAME
    ]
    if rows:
        print_table(("row", "quantity", "before", "after", "change", "test"), rows)


def row_text(row: BaselineRow | None) -> str:
    """ "9.871 ms (5 runs)"."""
    return arm_text(lone_arm(row.samples) if row else None, row.unit if row else "")


def _difference(change: Change) -> str:
    if change.before is None or change.after is None:
        return ""
    if change.before.unit != change.after.unit:
        return "another unit"
    before, after = lone_arm(change.before.samples).value, lone_arm(change.after.samples).value
    return f"{100 * (after - before) / abs(before):+.3g} %" if before else f"{after - before:+.3g}"


def counted(changes: Iterable[Change]) -> str:
    """ "2 changed, 1 new, 9 same"."""
    counts = Counter(change.kind for change in changes)
    order = (ChangeKind.CHANGED, ChangeKind.NEW, ChangeKind.GONE, ChangeKind.SAME)
    return ", ".join(f"{counts[kind]} {kind.value}" for kind in order if counts[kind]) or "no rows"


def print_baseline(baseline: Baseline) -> None:
    """Its rows and its log."""
    print(f"{baseline.origin}: {Setup.of(baseline)}")
    print()
    rows = sorted(baseline.rows.values(), key=lambda row: (row.subject.test, row.subject.quantity))
    print_table(
        ("quantity", "value", "instrument", "test"),
        [
            (f"{row.subject.quantity} {row.statistic}", row_text(row), row.instrument, row.subject.test)
            for row in rows
        ],
    )
    if baseline.events:
        print()
    for event in baseline.events:
        rows_text = "1 row" if event.rows == 1 else f"{event.rows} rows"
        image = f", firmware {event.firmware_sha256[:_SHORT]}" if event.firmware_sha256 else ""
        reason = f": {event.reason}" if event.reason else ""
        print(f"{event.at}  {event.action} {rows_text} {_commit(event.git_commit)}{image}{reason}")


def plain(value: Any) -> Any:
    """Values as JSON has them; what is not bounded is null."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def baseline_json(baseline: Baseline) -> dict[str, Any]:
    """A baseline with its rows as a list."""
    fields = {name: getattr(baseline, name) for name in ("board", "bench", "simulated", "origin", "events")}
    return plain({**fields, "rows": list(baseline.rows.values())})  # type: ignore[no-any-return]
