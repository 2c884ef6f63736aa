"""Questions to the ledger: which runs, which measurements, what a name stands for, the A/A history.

Order is that of recording (`number`), whatever the clock said. Each question that `baseline check` asks is
answered from an index and from the newest runs alone, so that it costs the same however long the history is.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pytest_lan_hil.model.comparison import Sample, Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.history import PastMeasurement, PastRun
from pytest_lan_hil.publish.ledger_rows import (
    MEASUREMENT_COLUMNS,
    RUN_COLUMNS,
    past_measurement,
    past_run,
    past_sample,
)

LATEST = "latest"
# The newest runs of one branch among which those of one firmware are looked for.
_BRANCH_RUNS = 200
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class Kinds(Enum):
    """Which runs count: those that make trends and baselines (plain, measured now), or every run."""

    PLAIN = "plain"
    EVERY = "every"


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are meant; what is left as it is doesn't matter.

    Attributes:
        board, bench, branch, firmware_sha256: As recorded; "" for any.
        simulated: On a virtual bench, on a real one, or None for both.
        since: Started at this time or later, ISO 8601 in UTC ("2026-11-01", "2026-11-01T06:00:00Z").
        from_number: This run or a later one.
        newest: Only so many, the newest.
        kinds: Plain runs, or also A/B runs and replays.
    """

    board: str = ""
    bench: str = ""
    simulated: bool | None = None
    branch: str = ""
    firmware_sha256: str = ""
    since: str = ""
    from_number: int = 0
    newest: int | None = None
    kinds: Kinds = Kinds.PLAIN


@dataclass(frozen=True, slots=True)
class Place:
    """A board on a bench, and how many runs it has; runs of two places are never compared."""

    board: str
    bench: str
    simulated: bool
    runs: int


_ANY = RunFilter()
_RUN = ", ".join(f"r.{name}" for name in ("number", *RUN_COLUMNS))
_MEASUREMENT = ", ".join(f"m.{name}" for name in MEASUREMENT_COLUMNS)
_SAMPLE_END = MEASUREMENT_COLUMNS.index("maximum") + 1
_SAMPLE = ", ".join(
    f"m.{name}" for name in MEASUREMENT_COLUMNS[MEASUREMENT_COLUMNS.index("value") : _SAMPLE_END]
)


def runs(ledger: sqlite3.Connection, wanted: RunFilter) -> tuple[PastRun, ...]:
    """The runs that are meant, oldest first."""
    condition, values = _condition(wanted)
    limit = -1 if wanted.newest is None else wanted.newest
    rows = ledger.execute(
        f"SELECT {_RUN} FROM runs r WHERE {condition} ORDER BY r.number DESC LIMIT ?", (*values, limit)
    )
    return tuple(past_run(row) for row in reversed(rows.fetchall()))


def places(ledger: sqlite3.Connection, wanted: RunFilter) -> tuple[Place, ...]:
    """Boards and benches that have such runs, in the order of their names."""
    condition, values = _condition(replace(wanted, newest=None))
    rows = ledger.execute(
        f"SELECT r.board, r.bench, r.simulated, count(*) FROM runs r WHERE {condition}"
        " GROUP BY r.board, r.bench, r.simulated ORDER BY r.board, r.bench, r.simulated",
        values,
    )
    return tuple(Place(board, bench, bool(simulated), count) for board, bench, simulated, count in rows)


def measurements(
    ledger: sqlite3.Connection, wanted: RunFilter, quantity: str | None = None, *, judged_only: bool = True
) -> Iterator[PastMeasurement]:
    """Measurements of the runs that are meant, in order, as they are read."""
    condition, values = _condition(wanted)
    source = "runs r"
    if wanted.newest is not None:
        source = f"(SELECT * FROM runs r WHERE {condition} ORDER BY r.number DESC LIMIT ?) r"
        condition, values = "1", [*values, wanted.newest]
    if judged_only:
        condition += " AND m.judged = 1"
    if quantity is not None:
        condition += " AND m.quantity = ?"
        values.append(quantity)
    rows = ledger.execute(
        f"SELECT {_RUN}, {_MEASUREMENT} FROM {source} CROSS JOIN measurements m ON m.run = r.number"
        f" WHERE {condition} ORDER BY r.number, m.place",
        values,
    )
    run = None
    for row in rows:
        if run is None or run.number != row[0]:
            run = past_run(row[: len(RUN_COLUMNS) + 1])
        yield past_measurement(run, row[len(RUN_COLUMNS) + 1 :])


def same_firmware(
    ledger: sqlite3.Connection,
    board: str,
    bench: str,
    *,
    simulated: bool,
    without: Collection[str],
    limit: int,
) -> dict[Subject, tuple[tuple[Sample, ...], ...]]:
    """The A/A history of a bench: what it measured of one firmware again and again.

    Args:
        ledger: The ledger.
        board, bench, simulated: Whose runs.
        without: Images whose runs are left out: those that are compared count there already.
        limit: Only so many runs, the newest.

    Returns:
        Subject to groups of two samples or more, in order of time: each group of one firmware and one
        instrument. A run that repeated a test counts once, by its first repeat, because repeats share the
        run's conditions.
    """
    rows = ledger.execute(
        f"SELECT m.quantity, m.test, m.firmware_sha256, m.instrument, m.unit, m.statistic, {_SAMPLE}"
        " FROM (SELECT number, firmware_sha256 FROM runs WHERE board = ? AND bench = ? AND simulated = ?"
        "       AND kind = 'run' AND replayed = 0 ORDER BY number DESC LIMIT ?) r"
        " CROSS JOIN measurements m ON m.run = r.number"
        " WHERE m.judged = 1 AND m.repeat = 0 AND m.firmware_sha256 <> ''"
        f" AND r.firmware_sha256 NOT IN ({', '.join('?' * len(without))})"
        " ORDER BY m.run, m.place",
        (board, bench, simulated, limit, *without),
    )
    groups: dict[Subject, dict[Any, list[Sample]]] = {}
    for quantity, test, firmware, instrument, unit, statistic, *figures in rows:
        of_subject = groups.setdefault(Subject(quantity, test), {})
        of_subject.setdefault((firmware, instrument, unit, statistic), []).append(past_sample(figures))
    repeated = {
        subject: tuple(tuple(group) for group in found.values() if len(group) > 1)
        for subject, found in groups.items()
    }
    return {subject: found for subject, found in repeated.items() if found}


def resolve(ledger: sqlite3.Connection, reference: str, among: RunFilter = _ANY) -> tuple[PastRun, ...]:
    """The runs that a name stands for, oldest first.

    In this order: a run id; a tag; "latest", the newest run; a branch: its newest run, and the runs before it
    of the same firmware, board and bench; a commit (7 digits or more): all its runs; the beginning of a run
    id.

    Args:
        ledger: The ledger.
        reference: The name.
        among: Only runs of these are meant by "latest", a branch or a commit.

    Raises:
        InputError: Nothing, or more than one thing, has this name.
    """
    named = _named(ledger, reference)
    if named:
        return named
    found = _newest_of(ledger, reference, among)
    if found:
        return found
    by_commit = _of_commit(ledger, reference, among)
    by_prefix = _where(ledger, "substr(r.run_id, 1, ?) = ?", (len(reference), reference)) if reference else ()
    if by_commit and not by_prefix:
        return by_commit
    if len(by_prefix) == 1 and not by_commit:
        return by_prefix
    if by_prefix or by_commit:
        several = [run.run_id for run in (*by_commit, *by_prefix)]
        raise InputError(
            f"{reference!r} means several runs: {', '.join(several[:3])}{' ...' if len(several) > 3 else ''}",
            fix="give more of the run id",
        )
    raise InputError(
        f"the ledger knows no run, tag, branch or commit {reference!r}{_among(among)}",
        fix="`lan-hil query` prints the runs there are; a commit needs 7 digits or more",
    )


def _named(ledger: sqlite3.Connection, reference: str) -> tuple[PastRun, ...]:
    by_id = _where(ledger, "r.run_id = ?", (reference,))
    tagged = "r.number = (SELECT run FROM tags WHERE name = ? ORDER BY number DESC LIMIT 1)"
    return by_id or _where(ledger, tagged, (reference,))


def _newest_of(ledger: sqlite3.Connection, reference: str, among: RunFilter) -> tuple[PastRun, ...]:
    if reference == LATEST:
        return runs(ledger, replace(among, newest=1))
    if not reference:
        return ()
    of_branch = runs(ledger, replace(among, branch=reference, newest=_BRANCH_RUNS))
    return tuple(run for run in of_branch if _alike(run, of_branch[-1]))


def _alike(run: PastRun, other: PastRun) -> bool:
    same_image = run.firmware_sha256 == other.firmware_sha256 if other.firmware_sha256 else run == other
    return same_image and (run.board, run.bench, run.simulated) == (other.board, other.bench, other.simulated)


def _of_commit(ledger: sqlite3.Connection, reference: str, among: RunFilter) -> tuple[PastRun, ...]:
    if not _COMMIT.fullmatch(reference):
        return ()
    condition, values = _condition(among)
    found = _where(
        ledger,
        f"r.git_commit >= ? AND r.git_commit < ? AND {condition}",
        (reference, f"{reference}g", *values),
    )
    commits = sorted({run.git_commit for run in found})
    if len(commits) > 1:
        raise InputError(
            f"{reference!r} means several commits: {', '.join(commits[:3])}", fix="give more of its digits"
        )
    return found


def _where(ledger: sqlite3.Connection, condition: str, values: Sequence[Any]) -> tuple[PastRun, ...]:
    rows = ledger.execute(f"SELECT {_RUN} FROM runs r WHERE {condition} ORDER BY r.number", values)
    return tuple(past_run(row) for row in rows)


def _condition(wanted: RunFilter) -> tuple[str, list[Any]]:
    """What SQL asks of `runs r`, and the values for its question marks; `newest` is left to the caller."""
    # Word for word as in the index `runs_of_bench`, or SQLite doesn't take it.
    terms = ["r.kind = 'run' AND r.replayed = 0"] if wanted.kinds is Kinds.PLAIN else ["1"]
    values: list[Any] = []
    for term, value in (
        ("r.board = ?", wanted.board),
        ("r.bench = ?", wanted.bench),
        ("r.git_branch = ?", wanted.branch),
        ("r.firmware_sha256 = ?", wanted.firmware_sha256),
        ("r.started_at >= ?", wanted.since),
        ("r.number >= ?", wanted.from_number),
    ):
        if value:
            terms.append(term)
            values.append(value)
    if wanted.simulated is not None:
        terms.append("r.simulated = ?")
        values.append(wanted.simulated)
    return " AND ".join(terms), values


def _among(wanted: RunFilter) -> str:
    """ " of board nrf52840 on bench virtual": the filter in words."""
    board = f" of board {wanted.board}" if wanted.board else ""
    bench = f" on bench {wanted.bench}" if wanted.bench else ""
    side = {None: "", True: " (simulated)", False: " (real hardware)"}[wanted.simulated]
    return board + bench + side
