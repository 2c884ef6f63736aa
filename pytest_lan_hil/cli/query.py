"""`lan-hil query` and `lan-hil tag`: the ledger's rows for other programs, and names for runs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from enum import Enum
from typing import Any

from pytest_lan_hil.cli.ledger import Wanted, nothing_found, project_ledger, run_filter
from pytest_lan_hil.cli.output import bounded
from pytest_lan_hil.model.history import PastMeasurement, PastRun
from pytest_lan_hil.publish.ledger import Kinds, Ledger, RunFilter

RUN_FIELDS = (
    "number", "run_id", "started_at", "finished_at", "board", "bench", "simulated", "outcome", "kind", "job",
    "git_commit", "git_branch", "git_dirty",
)  # fmt: skip
MEASUREMENT_FIELDS = (
    "quantity", "test", "repeat", "unit", "statistic", "instrument", "judged", "firmware_sha256",
    "value", "low", "high", "standard_error", "degrees", "n",
    "mean", "std", "minimum", "p50", "p95", "p99", "maximum",
)  # fmt: skip


class Form(Enum):
    """How rows are printed."""

    CSV = "csv"
    JSONL = "jsonl"


class Rows(Enum):
    """What a row is."""

    MEASUREMENTS = "measurements"
    RUNS = "runs"


def query(wanted: Wanted, reference: str | None, rows: Rows, form: Form) -> None:
    """Print the rows, in order of the runs.

    Args:
        wanted: Which runs and measurements.
        reference: Only of the runs that this stands for; also of A/B runs and replays, else left out.
        rows: A row for each measurement, or for each run.
        form: CSV with a heading, or a JSON object a line.

    Raises:
        InputError: Nothing is as wanted; no ledger.
    """
    print_rows = _print_csv if form is Form.CSV else _print_jsonl
    with project_ledger(wanted.output) as ledger:
        found = _runs(ledger, wanted, reference) if rows is Rows.RUNS else _each(ledger, wanted, reference)
        columns = RUN_FIELDS if rows is Rows.RUNS else (*RUN_FIELDS, *MEASUREMENT_FIELDS)
        if not print_rows(columns, found):
            raise nothing_found(ledger, wanted)


def tag(run: str, name: str, output: str | None) -> None:
    """Name a run.

    Raises:
        InputError: No such run, or a name that can't be a tag.
    """
    with project_ledger(output) as ledger:
        print(f"{name} is now run {ledger.tag(run, name)}")


def _meant(ledger: Ledger, wanted: Wanted, reference: str | None) -> tuple[RunFilter, set[int] | None]:
    among = run_filter(ledger, wanted)
    if reference is None:
        return among, None
    numbers = {run.number for run in ledger.resolve(reference, among)}
    return replace(among, from_number=max(min(numbers), among.from_number), kinds=Kinds.EVERY), numbers


def _runs(ledger: Ledger, wanted: Wanted, reference: str | None) -> Iterator[dict[str, Any]]:
    among, numbers = _meant(ledger, wanted, reference)
    for run in ledger.runs(among):
        if numbers is None or run.number in numbers:
            yield _run_row(run)


def _each(ledger: Ledger, wanted: Wanted, reference: str | None) -> Iterator[dict[str, Any]]:
    among, numbers = _meant(ledger, wanted, reference)
    found = ledger.each_measurement(among, wanted.quantity, judged_only=not wanted.unjudged)
    for one in found:
        if numbers is None or one.run.number in numbers:
            yield _run_row(one.run) | _measurement_row(one)


def _run_row(run: PastRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in RUN_FIELDS}


def _measurement_row(one: PastMeasurement) -> dict[str, Any]:
    sample = one.sample
    spread = sample.spread
    return {
        "quantity": one.subject.quantity,
        "test": one.subject.test,
        "repeat": one.repeat,
        "unit": one.unit,
        "statistic": one.statistic,
        "instrument": one.instrument,
        "judged": one.judged,
        "firmware_sha256": one.firmware_sha256,
        "value": sample.value,
        "low": one.low,
        "high": one.high,
        "standard_error": sample.standard_error,
        "degrees": sample.degrees,
        "n": sample.n,
        "mean": spread.mean,
        "std": spread.std,
        "minimum": spread.minimum,
        "p50": spread.p50,
        "p95": spread.p95,
        "p99": spread.p99,
        "maximum": spread.maximum,
    }


def _print_csv(columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> int:
    """Infinite figures are written "inf" and "-inf", truth as "true" and "false"; returns the number of
    rows.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")

    def write(row: dict[str, Any]) -> None:
        writer.writerow(str(value).lower() if isinstance(value, bool) else value for value in row.values())

    return _print(rows, lambda: writer.writerow(columns), write)


def _print_jsonl(columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> int:
    """Infinite figures are null; returns the number of rows."""
    del columns  # each object names its own

    def write(row: dict[str, Any]) -> None:
        plain = {name: bounded(value) if isinstance(value, float) else value for name, value in row.items()}
        print(json.dumps(plain, ensure_ascii=False, allow_nan=False))

    return _print(rows, lambda: None, write)


def _print(
    rows: Iterable[dict[str, Any]], begin: Callable[[], object], write: Callable[[dict[str, Any]], None]
) -> int:
    count = 0
    for row in rows:
        if not count:
            begin()
        write(row)
        count += 1
    return count
