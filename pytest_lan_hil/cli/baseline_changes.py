"""`lan-hil baseline save`, `diff`, `update`, `accept`: what changes a committed baseline, and what would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from pytest_lan_hil.cli.baseline import Where, exit_code, side_of_head
from pytest_lan_hil.cli.baseline_tables import (
    counted,
    plain,
    print_changes,
    print_comparisons,
    print_sides,
    runs_text,
)
from pytest_lan_hil.cli.output import note, print_json
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.config import load_board
from pytest_lan_hil.model.comparison import Baseline
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.history import PastRun
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.publish.baseline_file import baseline_path, read_baseline, rounded, write_baseline
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.run.baseline_runs import (
    SAVED_RUNS,
    Measured,
    measured,
    named_runs,
    newest_runs,
    newest_setup,
    repeatability,
    runs_since,
)
from pytest_lan_hil.run.baseline_updates import (
    Change,
    ChangeKind,
    accepted,
    changes,
    clean,
    fit_for_update,
    updated,
)
from pytest_lan_hil.run.baselines import (
    Setup,
    changed_rows,
    compare_rows,
    compare_with,
    find_baseline,
    refuse_foreign,
)
from pytest_lan_hil.run.options import Inconclusive


class Writing(Enum):
    """Whether the file is written."""

    FILE = "file"
    NOTHING = "nothing"


class Missing(Enum):
    """What becomes of rows that were not measured."""

    KEEP = "keep"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Source:
    """Which runs a baseline is made from.

    Attributes:
        ref: A run id, tag, branch or commit; None for the newest firmware's.
        runs: So many at most; None for the usual number.
        dirty: Those of a tree with uncommitted changes too.
    """

    ref: str | None
    runs: int | None
    dirty: bool

    def measured(self, ledger: Ledger, setup: Setup, base: Baseline | None = None) -> Measured:
        """What these runs measured; says what is left out, and what to know of the rest.

        Args:
            ledger: The ledger.
            setup: Of the runs.
            base: If no runs are named, and some were measured since this was made, only those.

        Raises:
            InputError: There is no such run, or none of a committed tree.
        """
        count = self.runs or SAVED_RUNS
        if self.ref is None:
            found = newest_runs(ledger, setup, count)
            found = (runs_since(found, base) if base else ()) or found
            origin = "newest firmware"
        else:
            found = named_runs(ledger, self.ref, setup)[-count:]
            origin = f"ledger: {self.ref}"
        kept = found if self.dirty else clean(found, "baseline")
        if len(kept) < len(found):
            note(f"lan-hil: {len(found) - len(kept)} runs with uncommitted changes are left out")
        for line in _caveats(kept):
            note(f"lan-hil: {line}")
        side = measured(ledger, setup, kept, origin)
        for line in side.notes:
            note(f"lan-hil: {line}")
        return side


def _caveats(runs: Sequence[PastRun]) -> list[str]:
    told = []
    bad = [run for run in runs if run.outcome != Outcome.PASSED.value]
    if bad:
        kinds = sorted({run.outcome for run in bad})
        told.append(
            f"{len(bad)} of the {len(runs)} runs are {' or '.join(kinds)}; what they measured is taken"
        )
    if len(runs) == 1:
        told.append("of one run nobody knows how much runs differ: repeat it, five runs make a good baseline")
    return told


def save(where: Where, source: Source) -> None:
    """Write the baseline of a board anew.

    Raises:
        InputError: There are no such runs, they are of a dirty tree, or the file that is there is of another
            set-up.
    """
    project = find_project()
    with where.ledger(project) as ledger:
        setup = newest_setup(ledger, where.board_name, where.bench_name)
        side = source.measured(ledger, setup)
    path = baseline_path(where.folder(project), setup.board, setup.bench)
    old = _replaceable(path, setup)
    found = changes(old, rounded(side.baseline))
    print_changes(found)
    if old is not None and all(change.kind is ChangeKind.SAME for change in found):
        print(f"{path} holds just that already: {runs_text(side.runs)}")
        return
    events = old.events if old else ()
    write_baseline(replace(side.baseline, events=(*events, side.event("saved"))), path)
    print(f"saved {path}: {counted(found)}")
    print(f"{setup}: {runs_text(side.runs)}")


def _replaceable(path: Path, setup: Setup) -> Baseline | None:
    """The baseline that is written over, None if there is none or nobody can read it.

    Raises:
        InputError: It is of another set-up.
    """
    if not path.exists():
        return None
    try:
        old = read_baseline(path)
    except InputError as error:
        note(f"lan-hil: written anew, with its log: {error.problem}")
        return None
    if Setup.of(old) != setup:
        raise InputError(
            f"{path} is of {Setup.of(old)}, these runs are of {setup}: the one never replaces the other",
            fix=f"git rm {path} if it is to go, or give the benches different names",
        )
    return old


def diff(where: Where, source: Source, *, as_json: bool) -> None:
    """Print what `save` would change.

    Raises:
        InputError: As for `save`; also if the committed baseline can't be read.
    """
    project = find_project()
    with where.ledger(project) as ledger:
        setup = newest_setup(ledger, where.board_name, where.bench_name)
        side = source.measured(ledger, setup)
    path = baseline_path(where.folder(project), setup.board, setup.bench)
    old = read_baseline(path) if path.exists() else None
    if old is not None:
        refuse_foreign(old, setup)
    found = changes(old, rounded(side.baseline))
    if as_json:
        runs = [run.run_id for run in side.runs]
        print_json({"file": str(path), "runs": runs, "changes": plain(found)})
        return
    print_changes(found)
    print(f"{path}{'' if old else ' (not there yet)'}: {counted(found)}")
    print(f"{setup}: {runs_text(side.runs)}")


def update(where: Where, writing: Writing) -> int:
    """Take improved rows, and those that the baseline lacks, into it if everything else held.

    The verdict is made from all runs of the newest firmware, also from failed ones; what is written comes
    from passed runs alone. Returns the exit code, as `check`.

    Raises:
        BlockedError: There is no baseline, or the newest run is blocked.
        InputError: The newest run failed or is of a dirty tree; or as for `check`.
    """
    project = find_project()
    board = load_board(where.board, project.search())
    with where.ledger(project) as ledger:
        setup = newest_setup(ledger, board.name, where.bench_name)
        base = Measured(find_baseline(where.folder(project), setup))
        head = side_of_head(ledger, setup, None, base.baseline)
        taken = measured(ledger, setup, fit_for_update(head.runs), "newest firmware")
        noise = repeatability(ledger, setup, base.firmwares | head.firmwares)
        comparisons = compare_with(base.baseline, head.baseline, board.margins, noise)
    print_sides(setup, base, head)
    for line in head.notes:
        note(f"lan-hil: {line}")
    print_comparisons(comparisons)
    known = [one for one in comparisons if one.base is not None]
    code = exit_code(known, Inconclusive.BLOCK)
    if code:
        note("lan-hil: not updated: only if nothing regressed, and everything could be told")
        return code
    after = updated(base.baseline, rounded(taken.baseline), known, taken.event("updated"))
    _write(base.baseline, after, writing, "updated")
    return 0


def accept(where: Where, source: Source, reason: str, missing: Missing, writing: Writing) -> None:
    """Write anew every row that did not hold, with the reason.

    Raises:
        BlockedError: There is no baseline.
        InputError: No reason is given; or as for `save`.
    """
    if not reason.strip():
        raise InputError(
            "a change without a reason is not recorded", fix='write --reason "bigger model, +2 %"'
        )
    project = find_project()
    board = load_board(where.board, project.search())
    with where.ledger(project) as ledger:
        setup = newest_setup(ledger, board.name, where.bench_name)
        base = Measured(find_baseline(where.folder(project), setup))
        head = source.measured(ledger, setup, base.baseline)
        alike = base.baseline.rows.keys() & head.baseline.rows.keys()
        alike -= set(changed_rows(base.baseline, head.baseline))
        noise = repeatability(ledger, setup, base.firmwares | head.firmwares)
        comparisons = compare_rows(base.baseline, head.baseline, alike, board.margins, noise)
    gone = base.baseline.rows.keys() - head.baseline.rows.keys()
    if gone and missing is Missing.KEEP:
        many = (
            "1 row was not measured and is"
            if len(gone) == 1
            else f"{len(gone)} rows were not measured and are"
        )
        note(f"lan-hil: {many} kept; --drop-missing drops what is not measured any more")
    dropped = gone if missing is Missing.DROP else ()
    event = head.event("accepted", " ".join(reason.split()))
    after = accepted(base.baseline, rounded(head.baseline), comparisons, dropped, event)
    _write(base.baseline, after, writing, "accepted")


def _write(before: Baseline, after: Baseline, writing: Writing, done: str) -> None:
    found: tuple[Change, ...] = changes(before, after)
    if after.events == before.events:
        print(f"{before.origin}: nothing to change, every row held")
        return
    print_changes(found)
    if writing is Writing.NOTHING:
        print(f"would be {done}: {before.origin}: {counted(found)}; nothing is written (--dry-run)")
        return
    write_baseline(after, Path(before.origin))
    print(f"{done} {before.origin}: {counted(found)}")
