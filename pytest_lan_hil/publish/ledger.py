"""The ledger: every run of an output folder in one append-only SQLite file, `<hil-output>/ledger.sqlite`.

    with Ledger.open(output) as ledger:
        number = ledger.add(record)
        newest = ledger.runs(RunFilter(board="nrf52840", newest=10))

Only the standard library's sqlite3 is needed to read it: neither pydantic nor numpy is imported. Tables are
in `ledger_schema`, questions in `ledger_read`, additions in `ledger_write`, how it is made in
`ledger_making`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pytest_lan_hil.model.comparison import Sample, Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.history import PastMeasurement, PastRun
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish import ledger_making, ledger_read, ledger_write
from pytest_lan_hil.publish.ledger_read import Kinds, Place, RunFilter
from pytest_lan_hil.publish.ledger_schema import (
    LEDGER_NAME,
    Damaged,
    Newer,
    close_with_log,
    is_damage,
    open_file,
    open_unwritable,
)

__all__ = ["LEDGER_NAME", "Kinds", "Ledger", "Place", "RunFilter"]

_ANY = RunFilter()
# So many runs of a bench say how well it repeats itself; older ones would only cost time.
_REPEATABILITY_RUNS = 200

T = TypeVar("T")


class Ledger:
    """An open ledger. It must be closed: use `with`.

    Every method raises InputError if the file can't be read or written. A file that turns out to be damaged
    is kept aside and made anew from the records, then the question is asked again; `problems` says so.

    Attributes:
        path: The file.
        problems: What the user should know: one sentence each.
    """

    def __init__(self, output: Path, ledger: sqlite3.Connection, problems: list[str]) -> None:
        self.path = output / LEDGER_NAME
        self.problems = problems
        self._output = output
        self._ledger = ledger
        self._added = False

    @classmethod
    def open(cls, output: Path) -> Ledger:
        """Open the ledger of an output folder; it is made from the run records where it is missing or
        damaged.

        Runs that were killed between record and ledger are taken in. In a folder that can't be written the
        ledger is read as it stands, and `add` and `tag` refuse.

        Args:
            output: The output folder (`--hil-output`).

        Raises:
            InputError: No run was ever recorded here, a newer version wrote the ledger, or it can't be
            opened.
        """
        path = output / LEDGER_NAME
        if not path.exists() and not ledger_making.has_records(output):
            raise InputError(
                f"no run is recorded in {output}",
                fix="run `pytest --board NAME` first, or name the folder with --hil-output DIR",
            )
        with _said(path):
            if not os.access(output, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
                return cls(output, *_unwritable(output, path))
            try:
                ledger, problems = _existing(path)
            except (Damaged, FileNotFoundError):
                ledger, problems = ledger_making.make(output)
            opened = cls(output, ledger, problems)
            try:
                opened.problems += opened._asked(lambda one: ledger_making.take_in_announced(one, output))
            except BaseException:
                opened.close()
                raise
            return opened

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Whoever only asked merges the log beside it, whoever added a run has no time for
        that.
        """
        if not self._added:
            self._ledger.close()
            return
        with contextlib.suppress(sqlite3.Error):  # what was added is on disk; the log may be merged or not
            close_with_log(self._ledger, self.path)

    def add(self, record: RunRecord) -> int:
        """Add a run whose record is on disk; returns its number. A run that is there already stays as it
        is.
        """
        number = self._asked(lambda one: ledger_write.add(one, record))
        self._added = True
        ledger_making.settle(self._output, record.run_id)
        return number

    def tag(self, run: str, name: str) -> str:
        """Name a run; returns its id. See `ledger_write.tag`."""
        return self._asked(lambda one: ledger_write.tag(one, run, name))

    def runs(self, wanted: RunFilter = _ANY) -> tuple[PastRun, ...]:
        """The runs that are meant, oldest first."""
        return self._asked(lambda one: ledger_read.runs(one, wanted))

    def places(self, wanted: RunFilter = _ANY) -> tuple[Place, ...]:
        """Boards and benches that have such runs, and how many."""
        return self._asked(lambda one: ledger_read.places(one, wanted))

    def measurements(
        self, wanted: RunFilter = _ANY, quantity: str | None = None, *, judged_only: bool = True
    ) -> tuple[PastMeasurement, ...]:
        """Measurements of the runs that are meant: in order of the runs, and of the tests within them.

        Args:
            wanted: Which runs.
            quantity: Only of this quantity.
            judged_only: Leave out what no budget and no baseline asks about.
        """
        return self._asked(
            lambda one: tuple(ledger_read.measurements(one, wanted, quantity, judged_only=judged_only))
        )

    def each_measurement(
        self, wanted: RunFilter = _ANY, quantity: str | None = None, *, judged_only: bool = True
    ) -> Iterator[PastMeasurement]:
        """As `measurements`, one after the other: for more of them than memory should hold.

        Raises:
            InputError: Also if the file turns out to be damaged when some were given already, or runs are
                meant by their numbers, which a ledger made anew may give otherwise.
        """
        given = 0
        with _said(self.path):
            try:
                for one in ledger_read.measurements(self._ledger, wanted, quantity, judged_only=judged_only):
                    yield one
                    given += 1
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
            else:
                return
            self._make_anew()
            if given or wanted.from_number:
                raise InputError(
                    f"the ledger {self.path} turned out to be damaged while it was read",
                    fix="it was made anew: run the same command again",
                )
            yield from ledger_read.measurements(self._ledger, wanted, quantity, judged_only=judged_only)

    def resolve(self, reference: str, among: RunFilter = _ANY) -> tuple[PastRun, ...]:
        """The runs that a run id, tag, branch, commit or "latest" stands for. See `ledger_read.resolve`."""
        return self._asked(lambda one: ledger_read.resolve(one, reference, among))

    def same_firmware(
        self,
        board: str,
        bench: str,
        *,
        simulated: bool,
        without: Collection[str] = (),
        limit: int = _REPEATABILITY_RUNS,
    ) -> dict[Subject, tuple[tuple[Sample, ...], ...]]:
        """The A/A history of a bench over its newest `limit` runs. See `ledger_read.same_firmware`."""
        return self._asked(
            lambda one: ledger_read.same_firmware(
                one, board, bench, simulated=simulated, without=without, limit=limit
            )
        )

    def _asked(self, question: Callable[[sqlite3.Connection], T]) -> T:
        with _said(self.path):
            try:
                return question(self._ledger)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
            self._make_anew()
            return question(self._ledger)

    def _make_anew(self) -> None:
        self._ledger.close()
        self._ledger, problems = ledger_making.make(self._output)
        self.problems += problems


def _existing(path: Path) -> tuple[sqlite3.Connection, list[str]]:
    if not path.exists():
        raise FileNotFoundError(path)
    return open_file(path), []


def _unwritable(output: Path, path: Path) -> tuple[sqlite3.Connection, list[str]]:
    """What can be read; `add` and `tag` are refused by SQLite."""
    damage = ""
    if path.exists():
        try:
            ledger = open_unwritable(path)
        except Damaged as error:
            damage = str(error)
        else:
            ledger.execute("PRAGMA query_only = ON")
            return ledger, []
    ledger, problems = ledger_making.make_of_unwritable(output, damage)
    ledger.execute("PRAGMA query_only = ON")
    return ledger, problems


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What goes wrong with the file, in words.

    Raises:
        InputError: With what was found and what to do.
    """
    try:
        yield
    except Newer as error:
        raise InputError(
            f"the ledger {path} was written by a newer version of pytest-lan-hil: {error}",
            fix="upgrade pytest-lan-hil; runs recorded until then are taken in by the newer version",
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise InputError(
            f"the ledger {path} can't be used: {error}",
            fix="make room or rights there, or choose another folder with --hil-output DIR",
        ) from error
