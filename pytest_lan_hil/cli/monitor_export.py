"""`lan-hil monitor export`."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from datetime import datetime, timezone

from pytest_lan_hil.cli.output import note
from pytest_lan_hil.cli.query import Form
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.monitor.query import Prometheus, Row, Span

_FIRST, _LAST = ("time", "unix_s", "metric"), ("value",)


def export(
    query: str, form: Form, url: str, *, at: str | None, start: str | None, end: str | None, step_s: float
) -> None:
    """Print what Prometheus answers; what is to be said about it goes to stderr.

    Raises:
        InputError: The query, a time, or the URL can't be.
        BlockedError: Prometheus can't be asked.
    """
    if start is not None and at is not None:
        raise InputError("--at and --start ask for different things", fix="leave one of them out")
    if end is not None and start is None:
        raise InputError("--end without --start", fix="give both, or a range in the query: NAME[1h]")
    span = None
    if start is not None:
        span = Span(start, end if end is not None else _iso(datetime.now(timezone.utc).timestamp()), step_s)
    answer = Prometheus(url).ask(query, span=span, at=at)
    for line in answer.notes:
        note(f"lan-hil: {line}")
    if form is Form.JSONL:
        _print_jsonl(answer.rows)
    else:
        _print_csv(answer.rows)


def _iso(unix_s: float) -> str:
    text = datetime.fromtimestamp(unix_s, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _print_csv(rows: Sequence[Row]) -> None:
    """A heading and a line for each sample; a label is a column, empty where a series lacks it."""
    labels = sorted({name for row in rows for name in row.labels})
    # A label may be called as a column of ours is.
    columns = [f"label_{name}" if name in (*_FIRST, *_LAST) else name for name in labels]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*_FIRST, *columns, *_LAST])
    for row in rows:
        cells = [row.labels.get(name, "") for name in labels]
        writer.writerow([_iso(row.unix_s), repr(row.unix_s), row.metric, *cells, row.value])


def _print_jsonl(rows: Sequence[Row]) -> None:
    """An object for each sample; JSON knows no NaN and no infinity, which stay text."""
    for row in rows:
        value = float(row.value) if _is_number(row.value) else row.value
        print(
            json.dumps(
                {
                    "time": _iso(row.unix_s),
                    "unix_s": row.unix_s,
                    "metric": row.metric,
                    "labels": dict(row.labels),
                    "value": value,
                },
                ensure_ascii=False,
            )
        )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
