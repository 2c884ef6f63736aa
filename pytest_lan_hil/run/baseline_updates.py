"""How a baseline changes: what `save` would change, what `update` may take in, what `accept` writes anew.

The rows that held keep their samples: were they replaced each time, many steps within the margin would creep
past it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from pytest_lan_hil.model.comparison import Baseline, BaselineEvent, BaselineRow, Comparison, Subject
from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.model.history import PastRun
from pytest_lan_hil.model.measurement import Outcome, VerdictKind


class ChangeKind(str, Enum):
    """What becomes of a row."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Change:
    """One row before and after; None where it is not there."""

    subject: Subject
    kind: ChangeKind
    before: BaselineRow | None
    after: BaselineRow | None


def changes(before: Baseline | None, after: Baseline) -> tuple[Change, ...]:
    """What happens to each row, in the order of tests and quantities.

    Args:
        before: The baseline as its file has it, None where there is none.
        after: As its file would have it.
    """
    old = before.rows if before else {}
    subjects = sorted(old.keys() | after.rows.keys(), key=lambda one: (one.test, one.quantity))
    return tuple(_change(subject, old.get(subject), after.rows.get(subject)) for subject in subjects)


def _change(subject: Subject, before: BaselineRow | None, after: BaselineRow | None) -> Change:
    if before is None:
        kind = ChangeKind.NEW
    elif after is None:
        kind = ChangeKind.GONE
    else:
        kind = ChangeKind.SAME if before == after else ChangeKind.CHANGED
    return Change(subject, kind, before, after)


def fit_for_update(runs: Sequence[PastRun]) -> tuple[PastRun, ...]:
    """The runs that an automatic update may take in: passed, and of a committed tree. The newest must be one.

    Args:
        runs: Oldest first, one at least.

    Raises:
        BlockedError: The newest was blocked, or broken off: there is no verdict on it.
        InputError: The newest failed, or was made from a tree with changes that no commit has.
    """
    newest = runs[-1]
    if newest.outcome in (Outcome.BLOCKED.value, Outcome.INTERRUPTED.value):
        raise BlockedError(
            f"no update: the newest run, {newest.run_id}, is {newest.outcome}",
            fix="run the tests again on a bench that works; if a test was blocked for want of a baseline:"
            " lan-hil baseline accept --reason TEXT",
        )
    if newest.outcome != Outcome.PASSED.value:
        raise InputError(
            f"no update: the newest run, {newest.run_id}, is {newest.outcome}; only passed runs are taken in",
            fix="make the tests pass; if the change is meant: lan-hil baseline accept --reason TEXT",
        )
    refuse_dirty([newest], "update", "commit, run the tests again, then update")
    return tuple(run for run in runs if run.outcome == Outcome.PASSED.value and not run.git_dirty)


def clean(runs: Sequence[PastRun], what: str) -> tuple[PastRun, ...]:
    """The runs of a committed tree.

    Args:
        runs: Oldest first.
        what: For the message: "baseline".

    Raises:
        InputError: There is none.
    """
    found = tuple(run for run in runs if not run.git_dirty)
    if not found:
        refuse_dirty(runs, what, "commit and run the tests again, or say --allow-dirty")
    return found


def refuse_dirty(runs: Sequence[PastRun], what: str, fix: str) -> None:
    """Refuse runs of a tree that no commit describes: nobody could ever build that firmware again.

    Raises:
        InputError: There is one.
    """
    dirty = [run.run_id for run in runs if run.git_dirty]
    if dirty:
        raise InputError(
            f"no {what}: {_named(dirty)} made from a working tree with changes that no commit has", fix=fix
        )


def _named(runs: Sequence[str]) -> str:
    if len(runs) == 1:
        return f"run {runs[0]} was"
    return f"{len(runs)} runs ({', '.join(runs[:3])}{', ...' if len(runs) > 3 else ''}) were"


def updated(
    base: Baseline, head: Baseline, comparisons: Iterable[Comparison], event: BaselineEvent
) -> Baseline:
    """The baseline with the improved rows replaced, and those that it lacks added.

    Args:
        base: The baseline.
        head: What was measured by the runs that may be taken in.
        comparisons: Of the subjects of both; none regressed, none of a subject on both sides inconclusive.
        event: For its log, if anything changes; the number of rows is filled in.
    """
    improved = {one.subject for one in comparisons if one.kind is VerdictKind.IMPROVED}
    lacked = head.rows.keys() - base.rows.keys()
    return _with(base, head, improved & head.rows.keys() | lacked, (), event)


def accepted(
    base: Baseline,
    head: Baseline,
    comparisons: Iterable[Comparison],
    gone: Iterable[Subject],
    event: BaselineEvent,
) -> Baseline:
    """The baseline with every row replaced that did not hold, those that it lacks added, and `gone` dropped.

    Args:
        base: The baseline.
        head: What was measured.
        comparisons: Of the subjects that were measured alike on both sides; a subject of both sides without
            one (another unit, statistic or instrument) is replaced.
        gone: Rows to drop.
        event: As for `updated`.
    """
    held = {one.subject for one in comparisons if one.kind is VerdictKind.WITHIN}
    return _with(base, head, head.rows.keys() - held, gone, event)


def _with(
    base: Baseline,
    head: Baseline,
    replaced: Iterable[Subject],
    dropped: Iterable[Subject],
    event: BaselineEvent,
) -> Baseline:
    rows = {**base.rows, **{subject: head.rows[subject] for subject in replaced}}
    for subject in dropped:
        del rows[subject]
    touched = sum(change.kind is not ChangeKind.SAME for change in changes(base, replace(base, rows=rows)))
    if not touched:
        return base
    return replace(base, rows=rows, events=(*base.events, replace(event, rows=touched)))
