"""The baseline of one board on one bench as a committed JSON file (docs/reference/baselines.md).

    <baselines>/<board>.<bench>.json

Written for people who read diffs: sorted, figures rounded to six digits, one line a sample, and not touched
where nothing changed. Read with suspicion, since people and merges edit it: every error names the place.
JSON has no infinity: a `standard_error` or `degrees` that is not bounded is null.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pytest_lan_hil.model.comparison import Baseline, BaselineEvent, BaselineRow, Sample, Subject
from pytest_lan_hil.model.measurement import Spread
from pytest_lan_hil.publish.baseline_reading import Table, load
from pytest_lan_hil.publish.files import write_atomically

SCHEMA_VERSION = 1

_DIGITS = 6
_SPREAD = ("mean", "std", "minimum", "p50", "p95", "p99", "maximum")


def baseline_path(folder: Path, board: str, bench: str) -> Path:
    """Where the baseline of a board on a bench stands; nothing is looked for."""
    return folder / f"{board}.{bench}.json"


def write_baseline(baseline: Baseline, path: Path) -> bool:
    """Write a baseline, whole or not at all; returns False if the file holds just that already.

    Raises:
        InputError: The file can't be written.
    """
    text = to_json(baseline)
    try:
        if path.read_bytes() == text.encode("utf-8"):
            return False
    except OSError:
        pass  # not there, or about to be told why by the writing
    write_atomically(path, text)
    return True


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        InputError: Not there, not JSON, not a baseline, of another schema version, or wrong in one of its
            figures; says where.
    """
    return from_json(load(path, SCHEMA_VERSION), origin=str(path))


def rounded(baseline: Baseline) -> Baseline:
    """The baseline as its file will have it."""
    return from_json(Table.of(json.loads(to_json(baseline)), baseline.origin), origin=baseline.origin)


def to_json(baseline: Baseline) -> str:
    """The baseline as JSON text, with a trailing newline."""
    tests: dict[str, dict[str, Any]] = {}
    for subject in sorted(baseline.rows, key=lambda one: (one.test, one.quantity)):
        row = baseline.rows[subject]
        tests.setdefault(subject.test, {})[subject.quantity] = {
            "unit": row.unit,
            "statistic": row.statistic,
            "instrument": row.instrument,
            "samples": [_sample(sample) for sample in row.samples],
        }
    tree = {
        "schema_version": SCHEMA_VERSION,
        "board": baseline.board,
        "bench": baseline.bench,
        "simulated": baseline.simulated,
        "tests": tests,
        "events": [_event(event) for event in baseline.events],
    }
    return _laid_out(tree) + "\n"


def _laid_out(value: object, indent: str = "") -> str:
    """JSON with a line for each object that holds no other: a sample, an event."""
    inner = indent + "  "
    if isinstance(value, dict) and any(isinstance(item, (dict, list)) for item in value.values()):
        items = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_laid_out(value[key], inner)}" for key in value
        ]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + _laid_out(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _sample(sample: Sample) -> dict[str, Any]:
    exact = sample.standard_error == 0
    figures = {
        # A rounded exact figure would differ from the same one measured again.
        "value": sample.value if exact else _rounded(sample.value),
        "standard_error": _rounded(sample.standard_error),
        "degrees": _rounded(sample.degrees),
        "n": sample.n,
    }
    return figures | {key: _rounded(getattr(sample.spread, key)) for key in _SPREAD}


def _rounded(value: float) -> float | None:
    if math.isinf(value):
        return None
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 10**_DIGITS else short


def _event(event: BaselineEvent) -> dict[str, Any]:
    fields: dict[str, Any] = {key: getattr(event, key) for key in ("at", "action", *_PROVENANCE)}
    return {**fields, "rows": event.rows} | ({"reason": event.reason} if event.reason else {})


_PROVENANCE = ("git_commit", "bench", "firmware_sha256")
_ACTIONS = ("saved", "updated", "accepted")


def from_json(tree: Table, *, origin: str) -> Baseline:
    """The inverse of `to_json`, once `baseline_reading.load` has made a table of the text.

    Raises:
        InputError: See `read_baseline`.
    """
    rows: dict[Subject, BaselineRow] = {}
    for test, quantities in tree.table("tests").tables():
        for quantity, row in quantities.tables():
            subject = Subject(quantity, test)
            rows[subject] = _row_from(subject, row)
    events = tuple(_event_from(one) for one in tree.list_of_tables("events"))
    found = Baseline(
        board=tree.text("board"),
        bench=tree.text("bench"),
        simulated=tree.flag("simulated"),
        rows=rows,
        events=events,
        origin=origin,
    )
    tree.only("schema_version", "board", "bench", "simulated", "tests", "events")
    return found


def _row_from(subject: Subject, row: Table) -> BaselineRow:
    samples = tuple(_sample_from(one) for one in row.list_of_tables("samples"))
    if not samples:
        raise row.wrong("samples", "is empty", "a row has one sample at least, or is not there")
    row.only("unit", "statistic", "instrument", "samples")
    return BaselineRow(subject, row.text("unit"), row.text("statistic"), row.text("instrument"), samples)


def _sample_from(table: Table) -> Sample:
    spread = Spread(**{key: table.number(key) for key in _SPREAD})
    if spread.std < 0:
        raise table.wrong("std", f"is {spread.std:g}", "a spread is 0 or more")
    if not spread.minimum <= spread.p50 <= spread.maximum:
        found = f"{spread.minimum:g}, {spread.p50:g}, {spread.maximum:g}"
        raise table.wrong("minimum", f"with p50 and maximum is {found}", "they stand in rising order")
    table.only("value", "standard_error", "degrees", "n", *_SPREAD)
    return Sample(
        value=table.number("value"),
        standard_error=table.not_negative("standard_error"),
        degrees=table.not_negative("degrees"),
        n=table.count("n"),
        spread=spread,
    )


def _event_from(table: Table) -> BaselineEvent:
    action = table.text("action")
    if action not in _ACTIONS:
        raise table.wrong("action", f'is "{action}"', f"one of {', '.join(_ACTIONS)}")
    table.only("at", "action", *_PROVENANCE, "rows", "reason")
    return BaselineEvent(
        at=table.text("at"),
        action=action,
        git_commit=table.words("git_commit"),
        bench=table.text("bench"),
        firmware_sha256=table.words("firmware_sha256"),
        rows=table.count_from("rows", 0),
        reason=table.words("reason") if "reason" in table else "",
    )
