"""Runs that no Pushgateway has taken yet: a marker per run below `<hil-output>/spool/`, written before any
network is touched and removed once the gateway has it.

A gateway holds one state per group (job, board, bench), and a push replaces it. So only the newest waiting
run of a group is sent, older ones are *superseded*: their markers go, their records stay. A push of a newer
run supersedes what still waits of its group, so that a late flush never puts an old state over a newer one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.files import RECORD_NAME, run_directory, write_atomically
from pytest_lan_hil.publish.openmetrics import unix_time
from pytest_lan_hil.publish.pushgateway import PushResult, check_url, push
from pytest_lan_hil.publish.record import read_record

SPOOL_NAME = "spool"
SUCCESS_NAME = "last-success.json"

Group = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Pending:
    """One run that waits: its marker, and its group (job, board, bench). Ordered by end of run, then id."""

    finished_s: float
    run_id: str
    group: Group
    marker: Path


@dataclass(frozen=True, slots=True)
class FlushReport:
    """What `flush` did, by run id; `lines()` says it in words."""

    pushed: tuple[tuple[str, str], ...] = ()
    superseded: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing waits any more."""
        return not self.failed

    def lines(self) -> list[str]:
        """One line per run."""
        return [
            *(f"{run_id}: {detail}" for run_id, detail in self.pushed),
            *(
                f"{run_id}: superseded by a newer run of the same board and bench"
                for run_id in self.superseded
            ),
            *(f"{run_id}: {detail}" for run_id, detail in self.failed),
        ] or ["nothing waits to be pushed"]


def group_of(record: RunRecord) -> Group:
    """Job, board and bench."""
    return (record.job, record.board, record.bench)


def enqueue(record: RunRecord, output: Path) -> Path:
    """Leave the marker of a run whose record is on disk; returns the marker.

    Raises:
        InputError: It can't be written.
    """
    job, board, bench = group_of(record)
    marker = {
        "run_id": record.run_id,
        "job": job,
        "board": board,
        "bench": bench,
        "finished_at": record.finished_at,
    }
    name = f"{run_directory(Path(), record.run_id).name}.json"
    return write_atomically(output / SPOOL_NAME / name, json.dumps(marker, sort_keys=True, indent=2) + "\n")


def pending(output: Path) -> list[Pending]:
    """Runs that wait, oldest first. What else lies in the spool is passed over; `flush` reports it."""
    found = (_read_marker(path) for path in _markers(output))
    waiting = [item for item in found if item is not None]
    return sorted(waiting, key=lambda item: (item.finished_s, item.run_id))


def _markers(output: Path) -> list[Path]:
    return sorted((output / SPOOL_NAME).glob("*.json"))


def _read_marker(path: Path) -> Pending | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        group = (str(found["job"]), str(found["board"]), str(found["bench"]))
        return Pending(unix_time(found["finished_at"]), str(found["run_id"]), group, path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def done(record: RunRecord, output: Path) -> list[str]:
    """The gateway has this run: remove its marker and those of older runs of its group (returned by id)."""
    superseded = []
    this = (unix_time(record.finished_at), record.run_id)
    for item in pending(output):
        if item.group == group_of(record) and (item.finished_s, item.run_id) <= this:
            with contextlib.suppress(FileNotFoundError):
                item.marker.unlink()
            if item.run_id != record.run_id:
                superseded.append(item.run_id)
    return superseded


def push_spooled(record: RunRecord, output: Path, url: str, *, timeout_s: float = 3.0) -> PushResult:
    """Marker, push, and the marker away again if the gateway took it.

    A spool that can't be written is a result like a dead gateway: the record is on disk, the run goes on.

    Raises:
        InputError: The URL can't be used.
    """
    url = check_url(url)
    try:
        enqueue(record, output)
        last_success_s = note_success(record, output)
    except InputError as error:
        return PushResult(ok=False, detail=f"not pushed: {error.problem}", duration_s=0.0)
    result = push(record, url, timeout_s=timeout_s, last_success_s=last_success_s)
    if result.ok:
        done(record, output)
    return result


def flush(
    output: Path,
    url: str,
    *,
    timeout_s: float = 3.0,
    progress: Callable[[str, PushResult], None] | None = None,
) -> FlushReport:
    """Push the newest waiting run of each group.

    Once the gateway gives no answer at all, the rest is left waiting instead of paying the limit for each;
    a refusal (an HTTP status) concerns one group, and the next is tried.

    Args:
        output: The output folder.
        url: See `check_url`.
        timeout_s: Limit of each push.
        progress: Called with run id and result after each push.

    Raises:
        InputError: The URL can't be used.
    """
    url = check_url(url)
    newest = {item.group: item for item in pending(output)}
    pushed: list[tuple[str, str]] = []
    superseded: list[str] = []
    failed = [
        (path.name, f"not the marker of a run; delete {path}")
        for path in _markers(output)
        if _read_marker(path) is None
    ]
    silent = ""
    for item in sorted(newest.values(), key=lambda item: (item.finished_s, item.run_id)):
        if silent:
            failed.append((item.run_id, f"not tried: {silent}"))
            continue
        try:
            record = read_record(run_directory(output, item.run_id) / RECORD_NAME)
        except InputError as error:
            failed.append((item.run_id, f"{error.problem}; delete {item.marker} to give it up"))
            continue
        result = push(record, url, timeout_s=timeout_s, last_success_s=note_success(record, output))
        if progress is not None:
            progress(item.run_id, result)
        if result.ok:
            pushed.append((item.run_id, result.detail))
            superseded += done(record, output)
        else:
            failed.append((item.run_id, result.detail))
            silent = "" if result.answered else result.detail
    return FlushReport(tuple(pushed), tuple(superseded), tuple(failed))


def note_success(record: RunRecord, output: Path) -> float | None:
    """Keep when each group last passed, and return it for this run's group (None if it never did).

    A push replaces the group whole, so the time of the last success would vanish with the first failed run;
    the output folder remembers it. In a workspace that is wiped between runs it is therefore unknown after a
    failure.

    Raises:
        InputError: The note can't be written.
    """
    path = output / SUCCESS_NAME
    try:
        known = {key: float(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        known = {}  # a lost note costs one time stamp, never a push
    key = json.dumps(group_of(record))
    if record.outcome is Outcome.PASSED:
        known[key] = max(known.get(key, 0.0), unix_time(record.finished_at))
        write_atomically(path, json.dumps(known, sort_keys=True, indent=2) + "\n")
    return known.get(key)
