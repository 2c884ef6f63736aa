"""Making a ledger from the run records: where there is none, where it is damaged, and for what a kill left
out.

The records below `runs/` are the truth, the ledger is their index: it can always be made anew, all but its
tags. A damaged file is never deleted, it is kept under another name. Before a record is written, an empty
file in `unrecorded/` names the run; it goes when the ledger has it. A run that was killed in between is
therefore found without looking through all records.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from pytest_lan_hil.model.errors import HilError, InputError
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.files import RECORD_NAME, run_directory
from pytest_lan_hil.publish.ledger_schema import (
    LEDGER_NAME,
    Damaged,
    is_damage,
    make_file,
    make_in_memory,
    open_file,
)
from pytest_lan_hil.publish.ledger_write import add, number_of, put_tag

UNRECORDED_NAME = "unrecorded"
_RUNS = "runs"
# Another process makes the ledger from some thousand records in this time.
_LOCK_S = 600.0
# A run that was announced so long ago and has no record was killed before it had one.
_FORGOTTEN_S = 3600.0
_NAMED_PROBLEMS = 3

Tag = tuple[str, str, str]


def announce(output: Path, run_id: str) -> None:
    """Note that a record is about to be written. Where that fails the record will fail too, and says why."""
    with contextlib.suppress(OSError):
        (output / UNRECORDED_NAME).mkdir(parents=True, exist_ok=True)
        (output / UNRECORDED_NAME / run_id).touch()


def settle(output: Path, run_id: str) -> None:
    """The ledger has the run."""
    with contextlib.suppress(OSError):
        (output / UNRECORDED_NAME / run_id).unlink()


def has_records(output: Path) -> bool:
    """Whether any run was ever recorded here."""
    return (output / _RUNS).is_dir()


def make(output: Path) -> tuple[sqlite3.Connection, list[str]]:
    """The ledger of a folder whose ledger is missing or damaged, and what is to be said about it.

    One process makes it, others wait and take what it made.

    Raises:
        InputError: Another process has made one for ten minutes.
        Newer: A newer version has put its own there meanwhile.
        sqlite3.OperationalError, OSError: It can't be written.
    """
    from filelock import FileLock, Timeout

    path = output / LEDGER_NAME
    try:
        with FileLock(output / f".{LEDGER_NAME}.lock", timeout=_LOCK_S):
            damage = ""
            if path.exists():
                try:
                    return open_whole(path), []
                except Damaged as error:
                    damage = str(error)
            return _remake(output, path, damage)
    except Timeout:
        raise InputError(
            f"another process has been making {path} for {_LOCK_S / 60:.0f} minutes",
            fix="wait for it, or end it",
        ) from None


def open_whole(path: Path) -> sqlite3.Connection:
    """The ledger, of which every page was looked at.

    Raises:
        Damaged, Newer, sqlite3.OperationalError: As `open_file`.
    """
    ledger = open_file(path)
    try:
        (found,) = ledger.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Damaged(str(found).splitlines()[-1])
    except BaseException as error:
        ledger.close()
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise Damaged(str(error)) from error
        raise
    return ledger


def _remake(output: Path, path: Path, damage: str) -> tuple[sqlite3.Connection, list[str]]:
    """Make a ledger beside `path`, then put it there: a kill leaves the old one, or none, never half of
    one.
    """
    new = path.with_name(f"{LEDGER_NAME}.new")
    _clear(new)
    ledger = make_file(new)
    tags = _saved_tags(path) if damage else ()
    problems = fill(ledger, output, tags)
    (count,) = ledger.execute("SELECT count(*) FROM runs").fetchone()
    ledger.close()
    if damage:
        kept = _set_aside(path)
        tagged = f" and {len(tags)} tags" if tags else ""
        problems.insert(
            0,
            f"the ledger was damaged ({damage}): kept as {kept.name}, a new one was made from {count} records"
            f"{tagged}",
        )
    elif count > 1:  # the one that is there when a folder's first run is recorded is that run
        problems.insert(0, f"there was no ledger: one was made from {count} records")
    _clear_log(path)  # of a ledger that is gone: SQLite would replay it into the new one
    new.replace(path)
    return open_file(path), problems


def make_of_unwritable(output: Path, damage: str) -> tuple[sqlite3.Connection, list[str]]:
    """A ledger in memory from the records of a folder that can't be written."""
    ledger = make_in_memory()
    problems = fill(ledger, output, ())
    if damage:
        problems.insert(
            0, f"the ledger is damaged ({damage}) and its folder can't be written: records were read"
        )
    return ledger, problems


def fill(ledger: sqlite3.Connection, output: Path, tags: Sequence[Tag]) -> list[str]:
    """Take in every record below `runs/`, in the order of their ids; returns what could not be."""
    problems: list[str] = []
    ids = sorted(path.parent.name for path in (output / _RUNS).glob(f"*/{RECORD_NAME}"))
    for run_id in ids:
        _take_in(ledger, output, run_id, problems)
    for name, run_id, tagged_at in tags:
        number = number_of(ledger, run_id)
        if number is not None:
            put_tag(ledger, number, name, tagged_at)
    if len(problems) > _NAMED_PROBLEMS:
        more = len(problems) - _NAMED_PROBLEMS
        problems[_NAMED_PROBLEMS:] = [f"{more} more records could not be taken in"]
    return problems


def take_in_announced(ledger: sqlite3.Connection, output: Path) -> list[str]:
    """Take in the runs that have a record and never came to the ledger; returns what could not be."""
    problems: list[str] = []
    for marker in _announced(output):
        if not (output / _RUNS / marker.name / RECORD_NAME).is_file():
            with contextlib.suppress(OSError):
                if time.time() - marker.stat().st_mtime > _FORGOTTEN_S:
                    marker.unlink()
        elif _take_in(ledger, output, marker.name, problems):
            settle(output, marker.name)
    return problems


def _announced(output: Path) -> Iterator[Path]:
    try:
        yield from sorted((output / UNRECORDED_NAME).iterdir())
    except OSError:
        return


def _take_in(ledger: sqlite3.Connection, output: Path, run_id: str, problems: list[str]) -> bool:
    try:
        add(ledger, _record(output, run_id))
    except HilError as error:
        problems.append(f"not in the ledger: {error.problem}")
        return False
    return True


def _record(output: Path, run_id: str) -> RunRecord:
    from pytest_lan_hil.publish.record import read_record  # pydantic: only where a record is read

    return read_record(run_directory(output, run_id) / RECORD_NAME)


def _saved_tags(path: Path) -> tuple[Tag, ...]:
    """The tags of a damaged ledger, as far as they can be read; they stand in no record."""
    found: list[Tag] = []
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as damaged:
            rows = damaged.execute(
                "SELECT t.name, r.run_id, t.tagged_at FROM tags t JOIN runs r ON r.number = t.run"
                " ORDER BY t.number"
            )
            found.extend(row for row in rows if all(isinstance(value, str) for value in row))
    except (sqlite3.Error, OverflowError, UnicodeDecodeError):
        pass
    return tuple(found)


def _set_aside(path: Path) -> Path:
    """Rename a damaged ledger, and the log beside it if it holds anything; returns its new path."""
    now = datetime.now(timezone.utc)
    kept = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}")
    number = 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}-{number}")
    path.replace(kept)
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size:
        log.replace(kept.with_name(f"{kept.name}-wal"))
    return kept


def _clear(path: Path) -> None:
    path.unlink(missing_ok=True)
    _clear_log(path)


def _clear_log(path: Path) -> None:
    for end in ("-wal", "-shm", "-journal"):
        path.with_name(f"{path.name}{end}").unlink(missing_ok=True)
