"""Trends as SVG: the values with their intervals, the levels between steps, and a mark with its commit at
each step.

Colours come from the page's style sheet by class, or from the one that a file of its own carries; light, dark
and print all work.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from html import escape

from pytest_lan_hil.model.quantities import unit_text
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.publish.svg import nice_ticks
from pytest_lan_hil.publish.trend_text import change_lines, run_text, value_text
from pytest_lan_hil.publish.trends import Point, Trend

WIDTH = 960
HEIGHT = 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 948, 34, 210
_HEAD = 46  # of a panel in a file of its own: title, test
_RADIUS = 2.5

STYLE = """
.trend text { fill: var(--soft); font: 12px system-ui, "DejaVu Sans", sans-serif; }
.trend text.name { fill: var(--text); font-size: 15px; font-weight: 600; }
.trend .grid { stroke: var(--rule); }
.trend .interval { stroke: var(--band); stroke-opacity: .45; }
.trend .point { fill: var(--band); }
.trend .level { stroke: var(--soft); stroke-dasharray: 5 3; fill: none; }
.trend .step { stroke: var(--soft); stroke-width: 1.5; }
.trend .step.worse { stroke: var(--bad); }
.trend .step.better { stroke: var(--good); }
.trend text.worse { fill: var(--bad); }
.trend text.better { fill: var(--good); }
.trend text.simulated { fill: var(--unsure); font-weight: 700; }
"""
_COLOURS = """
.trend { --ground: #fff; --text: #1b1f24; --soft: #57606a; --rule: #d0d7de; --band: #0b62c4;
  --good: #0f6b34; --bad: #b3171f; --unsure: #8a5300; }
@media (prefers-color-scheme: dark) {
  .trend { --ground: #0f1318; --text: #e3e8ee; --soft: #9aa6b2; --rule: #343c46; --band: #69adff;
    --good: #5fd08c; --bad: #ff8b87; --unsure: #f0b95a; }
}
.trend .ground { fill: var(--ground); }
"""


def panel(trend: Trend) -> str:
    """One trend as an `<svg>` for a page that has `STYLE`."""
    return (
        f'<svg class="trend" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_label(trend))}"'
        f' xmlns="http://www.w3.org/2000/svg">{_drawing(trend)}</svg>'
    )


def svg_file(trends: Sequence[Trend]) -> str:
    """All trends, one below the other, as a file of its own."""
    height = len(trends) * (_HEAD + HEIGHT)
    parts = [
        f'<svg class="trend" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' xmlns="http://www.w3.org/2000/svg">',
        f"<style>{_COLOURS}{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
    ]
    for k, trend in enumerate(trends):
        where = f"board {trend.board} on bench {trend.bench}, {trend.subject.test}, by {trend.instrument}"
        parts += [
            f'<g transform="translate(0 {k * (_HEAD + HEIGHT)})">',
            _text("name", 12, 22, trend.title),
            _text("simulated", WIDTH - 12, 22, SIMULATED_LABEL, "end") if trend.simulated else "",
            _text("", 12, 40, where),
            f'<g transform="translate(0 {_HEAD})">{_drawing(trend)}</g></g>',
        ]
    return "\n".join(filter(None, [*parts, "</svg>"])) + "\n"


def _label(trend: Trend) -> str:
    count = len(trend.changes)
    told = f"{count} steps" if count != 1 else "1 step"
    return f"{trend.title} over {len(trend.points)} runs, {told}"


def _drawing(trend: Trend) -> str:
    low, high = _range(trend)
    count = len(trend.points)

    def x(index: float) -> float:
        return (_LEFT + _RIGHT) / 2 if count == 1 else _LEFT + index * (_RIGHT - _LEFT) / (count - 1)

    def y(value: float) -> float:
        return _BOTTOM - (min(max(value, low), high) - low) / (high - low) * (_BOTTOM - _TOP)

    parts = [_text("", _LEFT - 60, _TOP - 16, unit_text(trend.unit).strip())]
    for tick in nice_ticks(low, high, 5):
        parts.append(_line("grid", (_LEFT, y(tick)), (_RIGHT, y(tick))))
        parts.append(_text("", _LEFT - 8, y(tick) + 4, f"{tick:.6g}", "end"))
    ends = [0, *(change.index for change in trend.changes), count]
    levels = [trend.changes[0].before, *(change.after for change in trend.changes)] if trend.changes else []
    for (start, end), level in zip(itertools.pairwise(ends), levels, strict=False):
        parts.append(_line("level", (x(start), y(level)), (x(end - 1), y(level))))
    parts += [_mark(trend, k, x(change.index - 0.5)) for k, change in enumerate(trend.changes)]
    for k, point in enumerate(trend.points):
        parts.append(_point(trend, point, x(k), (y(point.low), y(point.value), y(point.high))))
    parts.append(_text("", _LEFT, _BOTTOM + 22, _run_label(trend.points[0])))
    if count > 1:
        parts.append(_text("", _RIGHT, _BOTTOM + 22, _run_label(trend.points[-1]), "end"))
    return "\n".join(parts)


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(kind: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _run_label(point: Point) -> str:
    return f"#{point.run.number}, {point.run.started_at[:10]}"


def _range(trend: Trend) -> tuple[float, float]:
    """From the lowest to the highest end that is bounded, with some air; at least the margin."""
    sides = ((point.low, point.value, point.high) for point in trend.points)
    ends = [end for side in sides for end in side if math.isfinite(end)]
    low, high = min(ends), max(ends)
    span = max(high - low, trend.margin) or 1.0
    middle = (low + high) / 2
    return middle - 0.56 * span, middle + 0.56 * span


def _point(trend: Trend, point: Point, x: float, heights: tuple[float, float, float]) -> str:
    low, middle, high = heights
    told = f"{value_text(point)}{unit_text(trend.unit)}, {point.run.started_at}, {run_text(point.run)}"
    return (
        f"<g><title>{escape(told)}</title>{_line('interval', (x, low), (x, high))}"
        f'<circle class="point" cx="{x:.1f}" cy="{middle:.1f}" r="{_RADIUS}"/></g>'
    )


def _mark(trend: Trend, index: int, x: float) -> str:
    change = trend.changes[index]
    side = {True: "better", False: "worse", None: ""}[change.better]
    share = f"{change.percent:+.1f} %" if math.isfinite(change.percent) else "new"
    commit = change.first.git_commit[:7] or f"#{change.first.number}"
    # Neighbours are labelled at two heights, and what is on the right half to its left.
    anchor, aside = ("end", -4) if x > (_LEFT + _RIGHT) / 2 else ("start", 4)
    height = _TOP - (4 if index % 2 else 18)
    told = "\n".join(change_lines(trend, change))
    return (
        f"<g><title>{escape(told)}</title>{_line(f'step {side}', (x, height - 8), (x, _BOTTOM))}"
        f"{_text(side, x + aside, height, f'{share} at {commit}', anchor)}</g>"
    )
