"""Adding to the ledger: a run, a tag. Each is one transaction: wholly there, or not at all."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.ledger_read import LATEST, resolve
from pytest_lan_hil.publish.ledger_rows import MEASUREMENT_COLUMNS, RUN_COLUMNS, measurement_rows, run_row

_RUN = f"""INSERT INTO runs ({", ".join(RUN_COLUMNS)}, replayed)
VALUES ({", ".join("?" * (len(RUN_COLUMNS) + 1))})"""
_MEASUREMENT = f"""INSERT INTO measurements (run, place, {", ".join(MEASUREMENT_COLUMNS)})
VALUES ({", ".join("?" * (len(MEASUREMENT_COLUMNS) + 2))})"""
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_LIKE_A_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@contextmanager
def transaction(ledger: sqlite3.Connection) -> Iterator[None]:
    """All of what the block adds, or nothing; another process that writes is waited for."""
    ledger.execute("BEGIN IMMEDIATE")
    try:
        yield
        ledger.execute("COMMIT")
    except BaseException:
        if ledger.in_transaction:
            ledger.execute("ROLLBACK")
        raise


def add(ledger: sqlite3.Connection, record: RunRecord) -> int:
    """Add a run, unless it is there; returns its number.

    Raises:
        InputError: A measurement's statistic is none.
    """
    measured = list(measurement_rows(record))
    with transaction(ledger):
        known = number_of(ledger, record.run_id)
        if known is not None:
            return known
        number = ledger.execute(_RUN, run_row(record)).lastrowid
        ledger.executemany(_MEASUREMENT, ((number, place, *row) for place, row in enumerate(measured)))
    assert number is not None  # after an INSERT it never is
    return number


def number_of(ledger: sqlite3.Connection, run_id: str) -> int | None:
    """The number of a run, or None if the ledger doesn't have it."""
    found = ledger.execute("SELECT number FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return None if found is None else int(found[0])


def tag(ledger: sqlite3.Connection, run: str, name: str) -> str:
    """Give a run a name that `resolve` knows; a name that another run had goes over to this one.

    Args:
        ledger: The ledger.
        run: Run id, tag, or whatever else stands for one run.
        name: The new tag.

    Returns:
        The run's id.

    Raises:
        InputError: No such run, or more than one; a name that can't be a tag.
    """
    if not _TAG.fullmatch(name) or name == LATEST or _LIKE_A_COMMIT.fullmatch(name):
        raise InputError(
            f"{name!r} can't be a tag",
            fix=f"use letters, digits and . _ / + -; not {LATEST!r}, and nothing that looks like a commit",
        )
    if number_of(ledger, name) is not None:
        raise InputError(f"{name!r} is the id of a run", fix="choose another tag")
    found = resolve(ledger, run)
    if len(found) > 1:
        raise InputError(
            f"{run!r} stands for {len(found)} runs, a tag for one",
            fix=f"name the run: lan-hil tag {found[-1].run_id} {name}",
        )
    put_tag(ledger, found[0].number, name, datetime.now(timezone.utc).isoformat(timespec="seconds"))
    return found[0].run_id


def put_tag(ledger: sqlite3.Connection, number: int, name: str, tagged_at: str) -> None:
    """Add the row of a tag."""
    with transaction(ledger):
        ledger.execute(
            "INSERT INTO tags (name, run, tagged_at) VALUES (?, ?, ?)",
            (name, number, tagged_at.replace("+00:00", "Z")),
        )
