"""`lan-hil history`: how each measurement went from run to run, and where it stepped."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_lan_hil.cli.ledger import Wanted, nothing_found, project_ledger, run_filter
from pytest_lan_hil.cli.output import bounded, print_json
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.history import PastMeasurement, PastRun
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.publish.trend_text import bar_lines, chart_lines, glyphs_for
from pytest_lan_hil.publish.trends import Trend, trends

TERMINAL = "terminal"


def history(wanted: Wanted, *, last: int, plot: str | None, as_json: bool) -> None:
    """Print or draw the trends.

    Args:
        wanted: Which runs and measurements.
        last: So many runs of each board and bench, the newest.
        plot: "terminal", or a file that ends with .html or .svg; None for a line of bars each.
        as_json: Print JSON.

    Raises:
        InputError: Nothing is as wanted; a file that can't be written; no ledger.
    """
    _check_plot(plot)
    with project_ledger(wanted.output) as ledger:
        found = trends(_measurements(ledger, wanted, last))
        if not found:
            raise nothing_found(ledger, wanted)
    if plot is not None and plot != TERMINAL:
        _write(found, Path(plot))
        print(f"{len(found)} trends drawn in {plot}", file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print_json([_plain(trend) for trend in found])
    elif plot is None or plot == TERMINAL:
        lines = bar_lines if plot is None else chart_lines
        print(*lines(found, shutil.get_terminal_size().columns, glyphs_for(sys.stdout.encoding)), sep="\n")


def _check_plot(plot: str | None) -> None:
    if plot is not None and plot != TERMINAL and Path(plot).suffix not in (".html", ".svg"):
        raise InputError(
            f"--plot {plot}: it is not known how to draw that",
            fix="name a file that ends with .html or .svg, or say `--plot terminal`",
        )


def _measurements(ledger: Ledger, wanted: Wanted, last: int) -> list[PastMeasurement]:
    among = run_filter(ledger, wanted)
    found: list[PastMeasurement] = []
    for place in ledger.places(among):
        here = replace(among, board=place.board, bench=place.bench, simulated=place.simulated, newest=last)
        found += ledger.measurements(here, wanted.quantity, judged_only=not wanted.unjudged)
    return found


def _write(found: Sequence[Trend], path: Path) -> None:
    from pytest_lan_hil.publish.trend_page import write_page, write_svg

    (write_svg if path.suffix == ".svg" else write_page)(found, path)


def _plain(trend: Trend) -> dict[str, Any]:
    return {
        "board": trend.board,
        "bench": trend.bench,
        "simulated": trend.simulated,
        "quantity": trend.subject.quantity,
        "test": trend.subject.test,
        "unit": trend.unit,
        "statistic": trend.statistic,
        "instrument": trend.instrument,
        "points": [
            {
                **_run(point.run),
                "value": point.value,
                "low": bounded(point.low),
                "high": bounded(point.high),
                "n": point.n,
            }
            for point in trend.points
        ],
        "steps": [
            {
                **_run(change.first),
                "last_before": change.last.run_id,
                "before": change.before,
                "after": change.after,
                "percent": bounded(change.percent),
                "better": change.better,
            }
            for change in trend.changes
        ],
    }


def _run(run: PastRun) -> dict[str, Any]:
    return {
        "number": run.number,
        "run_id": run.run_id,
        "started_at": run.started_at,
        "git_commit": run.git_commit,
        "git_branch": run.git_branch,
        "git_dirty": run.git_dirty,
        "firmware_sha256": run.firmware_sha256,
    }
