"""Trends as text: a line of bars for each, or a chart, and its steps in words. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from pytest_lan_hil.model.history import PastRun
from pytest_lan_hil.model.quantities import unit_text
from pytest_lan_hil.publish.numbers import rounded
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.publish.trends import Change, Point, Trend

_WIDEST = 100
_CHART_ROWS = 9
_LEFT = 12


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What a terminal can show: bars from lowest to highest, a point, the mark of a step."""

    bars: str
    point: str
    step: str


BLOCKS = Glyphs("▁▂▃▄▅▆▇█", "●", "│")
ASCII = Glyphs("_.-=+*%#", "o", "|")


def glyphs_for(encoding: str | None) -> Glyphs:
    """Block characters where the terminal's encoding has them, else ASCII."""
    try:
        (BLOCKS.bars + BLOCKS.point + BLOCKS.step).encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return BLOCKS


def bar_lines(trends: Sequence[Trend], width: int, glyphs: Glyphs) -> list[str]:
    """All trends, a line of bars for each."""
    return _lines(trends, lambda trend: [f"  {_bars(trend, min(width - 2, _WIDEST), glyphs)}"])


def chart_lines(trends: Sequence[Trend], width: int, glyphs: Glyphs) -> list[str]:
    """All trends, a chart for each."""
    return _lines(trends, lambda trend: _chart(trend, min(width - _LEFT - 2, _WIDEST), glyphs))


def run_text(run: PastRun) -> str:
    """ "run ID (#31), commit 628798f on main": what a reader looks up."""
    dirty = " with uncommitted changes" if run.git_dirty else ""
    commit = f", commit {run.git_commit[:10]}{dirty}" if run.git_commit else ""
    branch = f" on {run.git_branch}" if run.git_branch else ""
    return f"run {run.run_id} (#{run.number}){commit}{branch}"


def change_lines(trend: Trend, change: Change) -> list[str]:
    """A step in words: how large, from where to where, and between which runs."""
    verdict = {True: ", better", False: ", WORSE", None: ""}[change.better]
    share = f"{change.percent:+.1f} %" if math.isfinite(change.percent) else "from nothing"
    size = abs(change.after - change.before)
    before, after = (rounded(level, size / 5) for level in (change.before, change.after))
    return [
        f"step {share}{verdict}: {before} to {after}{unit_text(trend.unit)}",
        f"  first seen in {run_text(change.first)}",
        f"  not yet in    {run_text(change.last)}",
    ]


def _lines(trends: Sequence[Trend], drawn: Callable[[Trend], list[str]]) -> list[str]:
    lines: list[str] = []
    for (board, bench, simulated), group in groupby(
        trends, key=lambda trend: (trend.board, trend.bench, trend.simulated)
    ):
        lines += ["", f"board {board} on bench {bench}"] if lines else [f"board {board} on bench {bench}"]
        if simulated:
            lines.append(SIMULATED_LABEL)
        for trend in group:
            lines += ["", *_heading(trend), *drawn(trend)]
            for change in trend.changes:
                lines += [f"  {line}" for line in change_lines(trend, change)]
    return lines


def _heading(trend: Trend) -> list[str]:
    first, newest = trend.points[0].run, trend.points[-1]
    count = len(trend.points)
    if count == 1:
        told = f"in one run (#{first.number}), no trend yet"
    else:
        told = f"in the newest of {count} runs (#{first.number} to #{newest.run.number})"
    return [
        f"{trend.title}: {value_text(newest)}{unit_text(trend.unit)} {told}",
        f"  {trend.subject.test}, by {trend.instrument or 'no named instrument'}",
    ]


def value_text(point: Point) -> str:
    """The value with as many digits as its interval supports."""
    sides = [side for side in (point.value - point.low, point.high - point.value) if math.isfinite(side)]
    return rounded(point.value, max(sides, default=0.0))


def _scale(trend: Trend) -> tuple[float, float]:
    """Lowest and highest value of the picture: at least the margin apart, so that noise does not look
    large.
    """
    values = [point.value for point in trend.points]
    low, high = min(values), max(values)
    lacking = max(trend.margin - (high - low), 0.0) / 2
    return (low - lacking, high + lacking) if high + lacking > low - lacking else (low - 0.5, high + 0.5)


def _columns(trend: Trend, width: int) -> list[tuple[float, bool]]:
    """Mean of the runs in each column, and whether a step is before it; a column never spans a step."""
    ends = [0, *(change.index for change in trend.changes), len(trend.points)]
    room = max(width - len(trend.changes), 1)
    in_one = math.ceil(len(trend.points) / room)
    columns = []
    for start, end in pairwise(ends):
        for at in range(start, end, in_one):
            values = [point.value for point in trend.points[at : min(at + in_one, end)]]
            columns.append((statistics.fmean(values), at == start and start > 0))
    return columns


def _bars(trend: Trend, width: int, glyphs: Glyphs) -> str:
    low, high = _scale(trend)
    text = ""
    for value, stepped in _columns(trend, width):
        level = min(int((value - low) / (high - low) * len(glyphs.bars)), len(glyphs.bars) - 1)
        text += (glyphs.step if stepped else "") + glyphs.bars[level]
    return text


def _chart(trend: Trend, width: int, glyphs: Glyphs) -> list[str]:
    low, high = _scale(trend)
    columns = _columns(trend, width)
    rows = [[" "] * (len(columns) + len(trend.changes)) for _ in range(_CHART_ROWS)]
    place = 0
    for value, stepped in columns:
        if stepped:
            for row in rows:
                row[place] = glyphs.step
            place += 1
        rows[round((high - value) / (high - low) * (_CHART_ROWS - 1))][place] = glyphs.point
        place += 1
    ends = {0: high, _CHART_ROWS - 1: low}
    step = (high - low) / 50
    return [
        f"{rounded(ends[k], step) if k in ends else '':>{_LEFT}} {glyphs.step}{''.join(row).rstrip()}"
        for k, row in enumerate(rows)
    ]
