"""The ledger's tables, and how its file is opened: `<hil-output>/ledger.sqlite`.

SQLite in WAL mode with `synchronous=FULL`: two runs may write at once, and what was committed survives a kill
and a power cut (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).
Rows are only ever added: triggers refuse everything else, also to other programs that open the file.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

LEDGER_NAME = "ledger.sqlite"
SCHEMA_VERSION = 1
APPLICATION_ID = 0x4C48494C  # "LHIL": https://www.sqlite.org/pragma.html#pragma_application_id
# How long to wait for another run that writes; it holds the lock for one transaction.
_BUSY_S = 30.0

_TABLES = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    started_at TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    board TEXT NOT NULL,
    bench TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    kind TEXT NOT NULL,
    replayed INTEGER NOT NULL,
    job TEXT NOT NULL,
    git_commit TEXT NOT NULL,
    git_branch TEXT NOT NULL,
    git_dirty INTEGER NOT NULL,
    firmware_sha256 TEXT NOT NULL,
    instruments TEXT NOT NULL
);
CREATE INDEX runs_of_bench ON runs (board, bench, simulated, number) WHERE kind = 'run' AND replayed = 0;
CREATE INDEX runs_of_branch ON runs (git_branch, number);
CREATE INDEX runs_of_commit ON runs (git_commit, number);
CREATE TABLE measurements (
    run INTEGER NOT NULL REFERENCES runs (number),
    place INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    test TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    unit TEXT NOT NULL,
    statistic TEXT NOT NULL,
    instrument TEXT NOT NULL,
    value REAL NOT NULL,
    standard_error REAL NOT NULL,
    degrees REAL NOT NULL,
    n INTEGER NOT NULL,
    mean REAL NOT NULL,
    std REAL NOT NULL,
    minimum REAL NOT NULL,
    p50 REAL NOT NULL,
    p95 REAL NOT NULL,
    p99 REAL NOT NULL,
    maximum REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    judged INTEGER NOT NULL,
    firmware_sha256 TEXT NOT NULL,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;
CREATE TABLE tags (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs (number),
    tagged_at TEXT NOT NULL
);
CREATE INDEX tags_by_name ON tags (name, number);
"""
# A row that replaces another would delete it without a DELETE: hence the third trigger.
_APPEND_ONLY = """
CREATE TRIGGER {table}_keep BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER {table}_same BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER {table}_new BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""
_SAME_ROW = {
    "runs": "run_id = NEW.run_id OR number = NEW.number",
    "measurements": "run = NEW.run AND place = NEW.place",
    "tags": "number = NEW.number",
}


class Damaged(Exception):
    """The file is not a sound ledger; the text says why."""


class Newer(Exception):
    """A newer version of this package wrote the file; the text says which schema it has."""


def is_damage(error: sqlite3.Error) -> bool:
    """True for "malformed" and "not a database", which Python gives no class of their own, unlike a full disk
    or a lock (https://www.sqlite.org/rescode.html: CORRUPT, NOTADB).
    """
    return type(error) is sqlite3.DatabaseError


def make_file(path: Path) -> sqlite3.Connection:
    """A new, empty ledger, open for writing.

    Raises:
        sqlite3.OperationalError: It can't be made.
    """
    return _make(_connect(path))


def make_in_memory() -> sqlite3.Connection:
    """An empty ledger that lives as long as its connection."""
    return _make(sqlite3.connect(":memory:", isolation_level=None))


def open_file(path: Path) -> sqlite3.Connection:
    """The ledger at `path`, open for writing.

    Raises:
        Damaged: It is not a ledger of this schema.
        Newer: It is one of a newer schema.
        sqlite3.OperationalError: It can't be opened: rights, a full disk, a lock that nobody lets go.
    """
    return _checked(lambda: _connect(path))


def open_unwritable(path: Path) -> sqlite3.Connection:
    """The ledger at `path` in a folder that can't be written, as it stands.

    Without write access SQLite can't take part in WAL mode. A file that was closed whole is read in place;
    one with a log beside it (its writer lives, or was killed) is copied into memory together with the log.

    Raises:
        Damaged, Newer, sqlite3.OperationalError: As `open_file`.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or not log.stat().st_size:
        return _checked(lambda: sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True))
    memory = sqlite3.connect(":memory:", isolation_level=None)
    with tempfile.TemporaryDirectory(prefix="lan-hil-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        copied = _checked(lambda: _connect(copy))
        try:
            copied.backup(memory)
        except sqlite3.DatabaseError as error:
            raise Damaged(str(error)) from error
        finally:
            copied.close()
    return memory


def close_with_log(ledger: sqlite3.Connection, path: Path) -> None:
    """Close a ledger at `path` and leave its log beside it, as it is.

    The last connection that closes merges the log into the file, and waits for the disk three more times; not
    so if it may only read. So a reader closes last here, and the next command that asks the ledger something
    merges.
    """
    reader = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
    try:
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        ledger.close()
        reader.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _make(connection: sqlite3.Connection) -> sqlite3.Connection:
    append_only = "".join(_APPEND_ONLY.format(table=table, same=same) for table, same in _SAME_ROW.items())
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(
        f"BEGIN; {_TABLES} {append_only} PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )
    return connection


def _checked(connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    connection = None
    try:
        connection = connect()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise Damaged("it is no ledger")
        if version > SCHEMA_VERSION:
            raise Newer(f"schema {version}, this version reads {SCHEMA_VERSION}")
        if version < SCHEMA_VERSION:
            raise Damaged(f"it has the older schema {version}, this version has {SCHEMA_VERSION}")
        # Page 1 names the number of pages: a file that was cut short fails here, not in the middle of a run.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise Damaged(str(error)) from error
        raise
    return connection
