"""`lan-hil baseline check` and `show`; what changes a baseline stands in `baseline_changes`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_lan_hil.cli.baseline_tables import (
    baseline_json,
    plain,
    print_baseline,
    print_comparisons,
    print_sides,
)
from pytest_lan_hil.cli.output import note, print_json
from pytest_lan_hil.cli.project import Project, find_project
from pytest_lan_hil.config import load_board
from pytest_lan_hil.judge.regression import combined
from pytest_lan_hil.model.comparison import Baseline, Comparison
from pytest_lan_hil.model.errors import BlockedError, DutError, InputError
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.publish.baseline_file import baseline_path, read_baseline
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.run.baseline_runs import (
    COMPARED_RUNS,
    Measured,
    from_file,
    is_file,
    measured,
    named_runs,
    newest_runs,
    newest_setup,
    reference,
    repeatability,
    runs_since,
)
from pytest_lan_hil.run.baselines import Setup, compare_with, refuse_foreign
from pytest_lan_hil.run.options import BASELINE, Inconclusive

_ENDINGS = {
    Inconclusive.BLOCK: BlockedError.exit_code,
    Inconclusive.PASS: 0,
    Inconclusive.FAIL: DutError.exit_code,
}


_NOTHING_NEW = (
    "nothing was measured since the baseline was made: these are runs from before, and a baseline compared"
    " with its own runs always holds"
)


@dataclass(frozen=True, slots=True)
class Where:
    """What the options name.

    Attributes:
        board: `--board`: a name or a file.
        bench: `--bench`: a name or a file, or None.
        baselines: `--baselines`.
        output: `--hil-output`.
    """

    board: str
    bench: str | None
    baselines: str | None
    output: str | None

    @property
    def board_name(self) -> str:
        """The name, also of a file."""
        return _name(self.board)

    @property
    def bench_name(self) -> str | None:
        """The name, also of a file."""
        return None if self.bench is None else _name(self.bench)

    def folder(self, project: Project) -> Path:
        """Of baseline files."""
        return project.baselines(self.baselines)

    @contextmanager
    def ledger(self, project: Project) -> Iterator[Ledger]:
        """The ledger of the output folder; what it has to say is told at the end.

        Raises:
            InputError: There is none, and no run to make one of.
        """
        with Ledger.open(project.output(self.output)) as ledger:
            try:
                yield ledger
            finally:
                for problem in ledger.problems:
                    note(f"lan-hil: {problem}")


def _name(name_or_file: str) -> str:
    return Path(name_or_file).stem if name_or_file.endswith(".toml") else name_or_file


def check(
    where: Where, head_ref: str | None, against: str, inconclusive: Inconclusive, *, as_json: bool
) -> int:
    """Compare runs with a baseline; returns the exit code.

    Args:
        where: Board, bench and folders.
        head_ref: What is compared; None for the newest firmware's runs.
        against: With what.
        inconclusive: How to end where the runs can't tell.
        as_json: Print JSON.

    Raises:
        BlockedError: There is no baseline.
        InputError: A name, a file or an option is wrong, or the sides can't be compared.
    """
    project = find_project()
    board = load_board(where.board, project.search())
    with where.ledger(project) as ledger:
        if head_ref is not None and is_file(Path(head_ref)):
            head = from_file(Path(head_ref))
            setup = Setup.of(head.baseline)
            refuse_foreign(head.baseline, Setup(board.name, where.bench_name or setup.bench, setup.simulated))
            base = reference(against, ledger, where.folder(project), setup)
        else:
            setup = newest_setup(ledger, board.name, where.bench_name)
            base = reference(against, ledger, where.folder(project), setup)
            head = side_of_head(ledger, setup, head_ref, base.baseline)
        noise = repeatability(ledger, setup, base.firmwares | head.firmwares)
        comparisons = compare_with(base.baseline, head.baseline, board.margins, noise)
    code = exit_code(comparisons, inconclusive)
    notes = [*base.notes, *head.notes, *_on_both_sides(base, head)]
    if as_json:
        print_json(
            {
                "board": setup.board,
                "bench": setup.bench,
                "simulated": setup.simulated,
                "base": {"origin": base.baseline.origin, "runs": [run.run_id for run in base.runs]},
                "head": {"origin": head.baseline.origin, "runs": [run.run_id for run in head.runs]},
                "verdict": combined(comparisons).value,
                "exit_code": code,
                "comparisons": plain(comparisons),
                "notes": notes,
            }
        )
        return code
    print_sides(setup, base, head)
    for line in notes:
        note(f"lan-hil: {line}")
    print_comparisons(comparisons)
    if against == BASELINE:
        advise(comparisons, setup)
    return code


def _on_both_sides(base: Measured, head: Measured) -> list[str]:
    shared = {run.run_id for run in base.runs} & {run.run_id for run in head.runs}
    if not shared:
        return []
    return [f"on both sides: {', '.join(sorted(shared))}; a run compared with itself always holds"]


def side_of_head(ledger: Ledger, setup: Setup, ref: str | None, base: Baseline) -> Measured:
    """The runs that a check is about: those of a name, else those of the newest firmware."""
    if ref is not None:
        return measured(ledger, setup, named_runs(ledger, ref, setup), f"ledger: {ref}")
    newest = newest_runs(ledger, setup, COMPARED_RUNS)
    since = runs_since(newest, base)
    found = measured(ledger, setup, since or newest, "newest firmware")
    return found if since else replace(found, notes=(*found.notes, _NOTHING_NEW))


def exit_code(comparisons: Sequence[Comparison], inconclusive: Inconclusive) -> int:
    """1 if anything regressed; 3 if something has no baseline; else what an open verdict is to end with."""
    kind = combined(comparisons)
    if kind is VerdictKind.REGRESSED:
        return DutError.exit_code
    if any(one.base is None for one in comparisons):
        return BlockedError.exit_code  # said, never passed over
    return _ENDINGS[inconclusive] if kind is VerdictKind.INCONCLUSIVE else 0


def advise(comparisons: Sequence[Comparison], setup: Setup) -> None:
    """The commands for subjects that only one side has."""
    accept = f"lan-hil baseline accept {setup.options}"
    if any(one.base is None for one in comparisons):
        note(f'lan-hil: to take in what has no baseline: {accept} --reason "new test"')
    if any(one.head is None for one in comparisons):
        note(
            f'lan-hil: to drop what is not measured any more: {accept} --drop-missing --reason "test removed"'
        )


def show(where: Where, *, as_json: bool) -> None:
    """Print a committed baseline.

    Raises:
        BlockedError: There is none.
        InputError: It can't be read; there are several, and no bench is named.
    """
    folder = where.folder(find_project())
    found = _committed(folder, where)
    if as_json:
        print_json(baseline_json(found))
    else:
        print_baseline(found)


def _committed(folder: Path, where: Where) -> Baseline:
    board, bench = where.board_name, where.bench_name
    if bench is not None:
        path = baseline_path(folder, board, bench)
        paths = [path] if path.exists() else []
    else:
        paths = sorted(folder.glob(f"{board}.*.json"))
    found = [baseline for path in paths if (baseline := read_baseline(path)).board == board or bench]
    if not found:
        raise BlockedError(
            f"there is no baseline of board {board}{f' on bench {bench}' if bench else ''} in {folder}",
            fix=f"save one from a run that you trust: lan-hil baseline save --board {board}",
        )
    if len(found) > 1:
        benches = ", ".join(baseline.bench for baseline in found)
        raise InputError(
            f"board {board} has baselines on several benches: {benches}", fix="name one with --bench NAME"
        )
    only = found[0]
    refuse_foreign(only, Setup(board, bench or only.bench, only.simulated))
    return only
