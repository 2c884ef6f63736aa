"""`lan-hil monitor backfill`: the ledger's runs as OpenMetrics, each at its own time.

`register(monitor_app)` adds the command to the group `lan-hil monitor`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_lan_hil.model.errors import InputError

if TYPE_CHECKING:
    from pytest_lan_hil.model.history import PastRun
    from pytest_lan_hil.model.record import RunRecord

# Prometheus' newest block is open for up to so long; blocks made from outside must not overlap it:
# https://prometheus.io/docs/prometheus/latest/storage/#backfilling-from-openmetrics-format
HEAD_S = 3 * 3600.0
# One block of a month instead of one for each run: promtool reads the whole text for each block.
NEXT = "promtool tsdb create-blocks-from openmetrics --max-block-duration=744h"


def backfill(since: str | None, out: str | None, output: str | None, *, now_s: float) -> None:
    """Write the runs' metrics, and say on stderr what was written and left out.

    Args:
        since: From a date, an age, or a run on; None for all runs.
        out: File to write; None for stdout.
        output: Folder of run records; None for the project's.
        now_s: Unix time: what ended in the three hours before it is left out.

    Raises:
        InputError: No ledger; no run is as wanted, or none can be read; the file can't be written.
    """
    from pytest_lan_hil.cli.ledger import Wanted, project_ledger, run_filter
    from pytest_lan_hil.cli.output import note
    from pytest_lan_hil.publish.files import write_atomically
    from pytest_lan_hil.publish.openmetrics import unix_time
    from pytest_lan_hil.publish.openmetrics_history import render_history

    with project_ledger(output) as ledger:
        found = ledger.runs(run_filter(ledger, Wanted(since=since)))
    folder = ledger.path.parent
    past = sorted(
        (run for run in found if unix_time(run.finished_at) < now_s - HEAD_S),
        key=lambda run: unix_time(run.finished_at),
    )
    unread: list[str] = []
    text = render_history(_records(folder, past, unread))
    written = len(past) - len(unread)
    if len(found) > len(past):
        note(
            f"lan-hil: {_runs(len(found) - len(past))} of the last three hours left out: that time is still"
            " in Prometheus' open block; push them, or come back later"
        )
    if unread:
        note(f"lan-hil: {_runs(len(unread))} left out, whose record can't be read; the first: {unread[0]}")
    if not written:
        raise _nothing(ledger.path, len(found), since)
    if out is None:
        sys.stdout.write(text)
    else:
        write_atomically(Path(out), text)
    first, last = past[0].finished_at[:10], past[-1].finished_at[:10]
    note(f"{_runs(written)} from {first} to {last}; next: {NEXT} {out or 'FILE'} PROMETHEUS_DATA")


def _records(folder: Path, past: list[PastRun], unread: list[str]) -> Iterator[RunRecord]:
    """The runs' records, one after the other; what can't be read is added to `unread`."""
    from pytest_lan_hil.publish.files import run_directory
    from pytest_lan_hil.publish.record import read_record

    for run in past:
        try:
            yield read_record(run_directory(folder, run.run_id))
        except InputError as error:
            unread.append(error.problem)


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _nothing(ledger: Path, found: int, since: str | None) -> InputError:
    if found:
        return InputError(
            f"the ledger {ledger} has {_runs(found)}, and nothing of them can be written",
            fix="see above; runs of the last three hours reach Prometheus by `lan-hil push`",
        )
    asked = f" since {since}" if since else ""
    return InputError(
        f"the ledger {ledger} has no run{asked} that measured a board (replays and comparisons of two images"
        " don't count)",
        fix="ask for an earlier time: `lan-hil query --runs` lists what there is",
    )


def _backfill(
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="DATE|AGE|REF",
            help="From a date (2026-11-01), an age (36h, 30d, 4w), or a run id, tag or commit on.",
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE.om", help="Write this file (else stdout).")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--hil-output", metavar="DIR", help="Folder of run records (else .hil).")
    ] = None,
) -> None:
    """All past runs as OpenMetrics, each at its own time: for promtool's `create-blocks-from`."""
    backfill(since, out, output, now_s=datetime.now(timezone.utc).timestamp())


def register(monitor_app: typer.Typer) -> None:
    """Add the command to `lan-hil monitor`."""
    monitor_app.command("backfill")(_backfill)
