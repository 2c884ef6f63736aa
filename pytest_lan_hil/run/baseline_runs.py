"""Runs of the ledger, put into the shape of a baseline: which are meant, what of them counts.

Nothing here costs more on a long history: only the newest runs are looked at, unless older ones are named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.measure.repeatability import repeatability_of
from pytest_lan_hil.model.comparison import (
    Baseline,
    BaselineEvent,
    BaselineRow,
    Repeatability,
    Subject,
)
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.history import PastMeasurement, PastRun
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import RunKind
from pytest_lan_hil.publish.baseline_file import read_baseline
from pytest_lan_hil.publish.ledger import Ledger, RunFilter
from pytest_lan_hil.publish.ledger_rows import measurement_rows, past_measurement, past_run, run_row
from pytest_lan_hil.run.baselines import Setup, find_baseline, refuse_foreign
from pytest_lan_hil.run.options import BASELINE
from pytest_lan_hil.run.project import utc_now

#: So many runs make a baseline, unless it is said otherwise.
SAVED_RUNS = 20
#: So many runs are compared with one at most.
COMPARED_RUNS = 100
# Among so many newest runs those of one firmware are looked for.
_NEWEST = 200


@dataclass(frozen=True, slots=True)
class Measured:
    """One side of a comparison.

    Attributes:
        baseline: What was measured, by subject; `origin` says where it comes from.
        runs: Of the ledger that it was made from, oldest first; none for a committed baseline.
        notes: Sentences on what was left out.
    """

    baseline: Baseline
    runs: tuple[PastRun, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def firmwares(self) -> frozenset[str]:
        """The images that these figures are of, as far as known."""
        found = {run.firmware_sha256 for run in self.runs}
        return frozenset(found | {event.firmware_sha256 for event in self.baseline.events}) - {""}

    def event(self, action: str, reason: str = "") -> BaselineEvent:
        """What stands in a baseline's log if it is made from these runs now."""
        newest = self.runs[-1]
        rows = len(self.baseline.rows)
        commit, image = newest.git_commit, newest.firmware_sha256
        return BaselineEvent(utc_now(), action, commit, newest.bench, image, rows, reason)


def newest_setup(ledger: Ledger, board: str, bench: str | None) -> Setup:
    """The set-up of the newest plain run of a board.

    Args:
        ledger: The ledger.
        board: The board's name.
        bench: Only runs on this bench, or None.

    Raises:
        InputError: There is no such run; says which there are.
    """
    if bench is None:
        # Most often the newest run is of this board: then the index on boards need not be read to its end.
        recent = [run for run in ledger.runs(RunFilter(newest=_NEWEST)) if run.board == board]
        found = recent or list(ledger.runs(RunFilter(board=board, newest=1)))
    else:
        sides = [RunFilter(board=board, bench=bench, simulated=side, newest=1) for side in (False, True)]
        found = [run for side in sides for run in ledger.runs(side)]
    if not found:
        known = ", ".join(f"{place.board} on {place.bench}" for place in ledger.places()) or "none"
        where, option = (f" on bench {bench}", f" --bench {bench}") if bench else ("", "")
        raise InputError(
            f"the ledger {ledger.path} has no run of board {board}{where}; it has: {known}",
            fix=f"pytest --board {board}{option}, or name the folder of its runs with --hil-output DIR",
        )
    return Setup.of(max(found, key=lambda run: run.number))


def newest_runs(ledger: Ledger, setup: Setup, count: int) -> tuple[PastRun, ...]:
    """The newest runs of a set-up that were of one firmware, the newest one's; `count` of them at most.

    Of a run whose image was not proved it is not known which others are of the same: it stands alone.

    Raises:
        InputError: There is none that went to its end.
    """
    recent = finished(ledger.runs(_of(setup, newest=max(_NEWEST, count))))
    if not recent:
        raise InputError(
            f"the ledger {ledger.path} has no run of {setup} that went to its end",
            fix=f"pytest --board {setup.board}",
        )
    newest = recent[-1]
    alike = [run for run in recent if run.firmware_sha256 == newest.firmware_sha256]
    return tuple(alike[-count:]) if newest.firmware_sha256 else (newest,)


def named_runs(ledger: Ledger, reference: str, setup: Setup) -> tuple[PastRun, ...]:
    """The runs of a set-up that a run id, tag, branch, commit or "latest" stands for.

    Raises:
        InputError: Nothing has this name; or only runs of other set-ups, which are never compared.
    """
    found = ledger.resolve(reference)
    own = [run for run in found if Setup.of(run) == setup]
    if not own:
        # a branch stands for runs of the set-up that it ran on last; it may have run on this one before
        with contextlib.suppress(InputError):
            own = [run for run in ledger.resolve(reference, _of(setup)) if Setup.of(run) == setup]
    if own:
        return _of_their_end(own, reference)[-COMPARED_RUNS:]
    others = sorted({str(Setup.of(run)) for run in found})
    raise InputError(
        f"{reference} is of {' and '.join(others)}, but what it is compared with is of {setup}:"
        " these are never compared",
        fix=f"name a run of {setup}",
    )


def _of_their_end(runs: Sequence[PastRun], reference: str) -> tuple[PastRun, ...]:
    """Those that were not interrupted.

    Raises:
        InputError: All were, or the run is of two images.
    """
    if runs[-1].kind == RunKind.AB.value:
        raise InputError(
            f"{reference}: run {runs[-1].run_id} measured two images side by side and holds their comparison;"
            " it is compared with nothing else",
            fix="name a plain run; its tables stand in the report of that run",
        )
    found = finished(runs)
    if not found:
        raise InputError(
            f"{reference}: run {runs[-1].run_id} was interrupted", fix="name one that went to its end"
        )
    return found


def finished(runs: Iterable[PastRun]) -> tuple[PastRun, ...]:
    """Those that were not interrupted. A failed or blocked run has measured what it has."""
    return tuple(run for run in runs if run.outcome != Outcome.INTERRUPTED.value)


def measured(ledger: Ledger, setup: Setup, runs: Sequence[PastRun], origin: str) -> Measured:
    """What these runs measured and something judged.

    Args:
        ledger: The ledger.
        setup: Of all of them.
        runs: Oldest first, one at least.
        origin: In words: "ledger: main".

    Raises:
        InputError: They judged nothing.
    """
    numbers = {run.number for run in runs}
    found = []
    for one in ledger.each_measurement(_of(setup, from_number=min(numbers))):
        if one.run.number > max(numbers):
            break
        if one.run.number in numbers:
            found.append(one)
    return _made(setup, runs, found, origin)


def recorded(path: Path) -> Measured:
    """What a run record measured and something judged.

    Args:
        path: `record.json`, or the run's folder.

    Raises:
        InputError: It can't be read, is not of a plain run on a board, or judged nothing.
    """
    from pytest_lan_hil.publish.record import read_record  # pydantic: only a record needs it

    record = read_record(path)
    if record.kind is not RunKind.PLAIN or record.replayed:
        kind = "a replay" if record.replayed else "of two images side by side"
        raise InputError(f"the run of {path} is {kind}: it is compared with nothing", fix="name a plain run")
    run = past_run((0, *run_row(record)[:-1]))
    rows = [past_measurement(run, row) for row in measurement_rows(record)]
    return _made(Setup.of(record), [run], [row for row in rows if row.judged], str(path))


def _made(setup: Setup, runs: Sequence[PastRun], found: Sequence[PastMeasurement], origin: str) -> Measured:
    if not found:
        named = runs[-1].run_id if len(runs) == 1 else f"{runs[0].run_id} to {runs[-1].run_id}"
        raise InputError(
            f"{named}: no budget and no baseline asked about anything that was measured",
            fix='mark a test with a budget, or with @pytest.mark.no_regression("latency"), and run it',
        )
    subjects: dict[Subject, list[PastMeasurement]] = {}
    for one in found:
        subjects.setdefault(one.subject, []).append(one)
    rows, notes = {}, []
    for subject, of_subject in subjects.items():
        kept = [one for one in of_subject if _means(one) == _means(of_subject[-1])]
        if len(kept) < len(of_subject):
            notes.append(
                f"{subject.quantity} of {subject.test}: only {len(kept)} of {len(of_subject)} samples are"
                f" taken; the others are of another image or instrument than the newest"
                f" ({kept[-1].instrument})"
            )
        last = kept[-1]
        samples = tuple(one.sample for one in kept)
        rows[subject] = BaselineRow(subject, last.unit, last.statistic, last.instrument, samples)
    baseline = Baseline(setup.board, setup.bench, setup.simulated, rows, (), origin)
    return Measured(baseline, tuple(runs), tuple(notes))


def _means(one: PastMeasurement) -> tuple[str, str, str, str]:
    return one.unit, one.statistic, one.instrument, one.firmware_sha256


def reference(text: str, ledger: Ledger, folder: Path, setup: Setup) -> Measured:
    """What a name stands for that runs of a set-up are to be compared with.

    Args:
        text: "baseline", the file of a baseline or a run record, or what the ledger knows: a run id, tag,
            branch, commit, "latest".
        ledger: The ledger.
        folder: Of committed baselines.
        setup: Of the other side.

    Raises:
        BlockedError: There is no committed baseline.
        InputError: Nothing has this name, or it is of another set-up.
    """
    if text == BASELINE:
        return Measured(find_baseline(folder, setup))
    path = Path(text).expanduser()
    if is_file(path):
        found = from_file(path)
        refuse_foreign(found.baseline, setup)
        return found
    return measured(ledger, setup, named_runs(ledger, text, setup), f"ledger: {text}")


def is_file(path: Path) -> bool:
    """Whether a reference means a file and not a name: a folder may well be called as a branch is."""
    return path.suffix == ".json" or path.is_file() or (path / "record.json").is_file()


def from_file(path: Path) -> Measured:
    """A baseline file, or a run's record.

    Raises:
        InputError: It is neither.
    """
    if path.is_dir() or path.name == "record.json":
        return recorded(path)
    return Measured(read_baseline(path))


def repeatability(ledger: Ledger, setup: Setup, without: Collection[str]) -> dict[Subject, Repeatability]:
    """How well a bench repeats itself, by the newest runs of its A/A history; see `Ledger.same_firmware`.

    Args:
        ledger: The ledger.
        setup: Whose runs.
        without: Images whose runs are compared, and count there already.
    """
    groups = ledger.same_firmware(setup.board, setup.bench, simulated=setup.simulated, without=without)
    return {subject: repeatability_of(found) for subject, found in groups.items()}


def _of(setup: Setup, *, newest: int | None = None, from_number: int = 0) -> RunFilter:
    return RunFilter(
        board=setup.board,
        bench=setup.bench,
        simulated=setup.simulated,
        newest=newest,
        from_number=from_number,
    )


def runs_since(runs: Sequence[PastRun], base: Baseline) -> tuple[PastRun, ...]:
    """Those that the baseline was not made from: none, if nothing was measured since.

    A baseline compared with its own runs always holds; only what was measured after it says anything new.
    """
    made_at = {event.firmware_sha256: event.at for event in base.events if event.firmware_sha256}
    return tuple(run for run in runs if run.finished_at > made_at.get(run.firmware_sha256, ""))
