"""A waveform as inline SVG: the band between lowest and highest value, and a lane per marker line.

Our own code, so that a report opens from a file with no network. Colours come from the page's style sheet by
class (`band`, `lane`, `gap`, `grid`, `axis`), so that light, dark and print all work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from markupsafe import Markup, escape

from pytest_lan_hil.measure.envelope import Envelope

WIDTH = 960
PLOT_LEFT, PLOT_RIGHT = 72, 948
PLOT_TOP, PLOT_HEIGHT = 14, 220
LANE_HEIGHT, LANE_GAP = 16, 8
COLUMNS = 876  # one per unit of the plot's width: no more can be seen

_MOST_NUMBERED = 40  # windows; the numbers of more would overlap

_Map: TypeAlias = Callable[[float], float]

CURRENT_UNITS = ((1.0, "A"), (1e-3, "mA"), (1e-6, "µA"), (1e-9, "nA"))
POWER_UNITS = ((1.0, "W"), (1e-3, "mW"), (1e-6, "µW"), (1e-9, "nW"))
_TIME_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


@dataclass(frozen=True, slots=True)
class Scale:
    """A display unit: a figure in it is the base figure divided by `factor`."""

    factor: float
    unit: str


@dataclass(frozen=True, slots=True)
class Columns:
    """What is drawn: per column the lowest and highest value, None where all was dropped."""

    step_s: float
    low: list[float | None]
    high: list[float | None]


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round figures (1, 2 or 5 times a power of ten apart) from `low` to `high`."""
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    raw = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def scale_for(magnitude: float, units: Sequence[tuple[float, str]]) -> Scale:
    """The largest unit in which `magnitude` is at least 1; the smallest if none is."""
    for factor, unit in units:
        if magnitude >= factor:
            return Scale(factor, unit)
    return Scale(*units[-1])


def columns(waveform: Envelope, limit: int = COLUMNS) -> Columns:
    """Current, or power where the record holds nothing else, in at most `limit` columns.

    A column keeps the extremes of all it covers.
    """
    held = waveform.current_min_a or waveform.power_min_w, waveform.current_max_a or waveform.power_max_w
    count = len(waveform.time_s)
    stride = max(1, -(-count // limit))
    low: list[float | None] = []
    high: list[float | None] = []
    for start in range(0, count, stride):
        lows = [v for v in held[0][start : start + stride] if v is not None]
        highs = [v for v in held[1][start : start + stride] if v is not None]
        low.append(min(lows, default=None))
        high.append(max(highs, default=None))
    return Columns(waveform.step_s * stride, low, high)


@dataclass(frozen=True, slots=True)
class Drawing:
    """The SVG, and what a readout needs: `data` is plain values for JSON."""

    svg: Markup
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Series:
    """One signal over time.

    Attributes:
        quantity: "current", as the axis says it.
        units: Its units, largest first, each with its factor to the base unit.
        shown: The signal, in the base unit.
        duration_s: Length of the record.
        gaps: Dropped samples as intervals (start, stop), seconds.
        lanes: Marker line to its high intervals, seconds.
        shades: Intervals that are shaded behind the signal, seconds.
    """

    quantity: str
    units: Sequence[tuple[float, str]]
    shown: Columns
    duration_s: float
    gaps: Sequence[tuple[float, float]]
    lanes: Mapping[str, Sequence[tuple[float, float]]]
    shades: Sequence[tuple[float, float]] = ()


def draw(waveform: Envelope, *, name: str, identifier: str) -> Drawing | None:
    """Draw a waveform's current, or its power in a record of power; None if it holds nothing.

    Args:
        waveform: What to draw.
        name: For the title that screen readers speak.
        identifier: Unique in the page, a valid XML id.
    """
    if not waveform.time_s:
        return None
    series = Series(
        quantity="current" if waveform.current_min_a else "power",
        units=CURRENT_UNITS if waveform.current_min_a else POWER_UNITS,
        shown=columns(waveform),
        duration_s=waveform.time_s[-1] + waveform.step_s,
        gaps=waveform.gaps,
        lanes=waveform.markers,
    )
    return draw_series(series, name=name, identifier=identifier)


def draw_series(series: Series, *, name: str, identifier: str) -> Drawing | None:
    """Draw one signal; None if it holds nothing. Arguments as for `draw`."""
    shown, duration = series.shown, series.duration_s
    lows = [value for value in shown.low if value is not None]
    highs = [value for value in shown.high if value is not None]
    if not lows or not highs:
        return None
    bottom, top = min(0.0, *lows), max(highs)
    if top <= bottom:
        top = bottom + 1e-9
    top += (top - bottom) * 0.05
    values, seconds = scale_for(max(top, -bottom), series.units), scale_for(duration, _TIME_UNITS)

    def x(time_s: float) -> float:
        return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * min(max(time_s / duration, 0.0), 1.0)

    def y(value: float) -> float:
        return PLOT_TOP + PLOT_HEIGHT * (1 - (value - bottom) / (top - bottom))

    lanes_top = PLOT_TOP + PLOT_HEIGHT + LANE_GAP
    axis_y = lanes_top + len(series.lanes) * (LANE_HEIGHT + LANE_GAP)
    parts = _shades(series.shades, x)
    parts += [_value_axis(series.quantity, bottom, top, values, y), _time_axis(duration, seconds, x, axis_y)]
    parts += [_rect("gap", x(a), PLOT_TOP, x(b), PLOT_TOP + PLOT_HEIGHT) for a, b in series.gaps]
    parts.append(_band(shown, x, y))
    for index, (marker, spans) in enumerate(sorted(series.lanes.items())):
        lane = lanes_top + index * (LANE_HEIGHT + LANE_GAP)
        parts.append(_text(PLOT_LEFT - 8, lane + LANE_HEIGHT - 4, marker, "end"))
        parts.append(_line("grid", PLOT_LEFT, lane + LANE_HEIGHT, PLOT_RIGHT, lane + LANE_HEIGHT))
        parts += [_rect("lane", x(a), lane, x(b), lane + LANE_HEIGHT) for a, b in spans]
    parts.append(_line("cursor", PLOT_LEFT, PLOT_TOP, PLOT_LEFT, axis_y))
    described = _description(seconds, min(lows), max(highs), values, series)
    title = f"{series.quantity.capitalize()} over time: {name}"
    height = axis_y + 44
    svg = Markup(
        f'<svg class="waveform" role="img" viewBox="0 0 {WIDTH} {height}"'
        f' aria-labelledby="{escape(identifier)}-t {escape(identifier)}-d">'
        f'<title id="{escape(identifier)}-t">{escape(title)}</title>'
        f'<desc id="{escape(identifier)}-d">{escape(described)}</desc>{"".join(parts)}</svg>'
    )
    return Drawing(svg, _readout(shown, values, seconds, duration))


def _readout(shown: Columns, scale: Scale, seconds: Scale, duration: float) -> dict[str, object]:
    def plain(values: list[float | None]) -> list[float | None]:
        return [None if v is None else float(f"{v / scale.factor:.4g}") for v in values]

    return {
        "left": PLOT_LEFT / WIDTH,
        "right": PLOT_RIGHT / WIDTH,
        "step": shown.step_s / duration,
        "duration": float(f"{duration / seconds.factor:.6g}"),
        "time_unit": seconds.unit,
        "unit": scale.unit,
        "low": plain(shown.low),
        "high": plain(shown.high),
    }


def _description(seconds: Scale, low: float, high: float, scale: Scale, series: Series) -> str:
    spans = ", ".join(f"{name} raised {len(found)} times" for name, found in sorted(series.lanes.items()))
    text = (
        f"{series.duration_s / seconds.factor:.4g} {seconds.unit} long,"
        f" {series.quantity} from {low / scale.factor:.3g} to {high / scale.factor:.3g} {scale.unit}"
    )
    gaps = f"; {len(series.gaps)} gaps of dropped samples" if series.gaps else ""
    shaded = f"; {len(series.shades)} windows shaded" if series.shades else ""
    return text + (f"; marker lines: {spans}" if spans else "") + shaded + gaps


def _shades(spans: Sequence[tuple[float, float]], x: _Map) -> list[str]:
    """Windows, every second one in another shade: one may begin where another ends. Few are numbered."""
    parts = []
    for index, (start, stop) in enumerate(spans):
        kind = "shade odd" if index % 2 else "shade"
        parts.append(_rect(kind, x(start), PLOT_TOP, x(stop), PLOT_TOP + PLOT_HEIGHT))
        if len(spans) <= _MOST_NUMBERED:
            parts.append(_text((x(start) + x(stop)) / 2, PLOT_TOP - 3, str(index + 1), "middle"))
    return parts


def _band(shown: Columns, x: _Map, y: _Map) -> str:
    """One closed path per stretch without gaps: along the highest values, back along the lowest."""
    paths: list[str] = []
    run: list[tuple[float, float, float, float]] = []
    for index, (low, high) in enumerate(zip(shown.low, shown.high, strict=True)):
        if low is None or high is None:
            paths += _closed(run)
            run = []
            continue
        left, right = x(index * shown.step_s), x((index + 1) * shown.step_s)
        run.append((left, right, y(high), max(y(low), y(high) + 1.0)))  # never thinner than a line
    return f'<path class="band" d="{"".join(paths + _closed(run))}"/>'


def _closed(run: list[tuple[float, float, float, float]]) -> list[str]:
    if not run:
        return []
    upper = [f"{left:.1f},{high:.1f} {right:.1f},{high:.1f}" for left, right, high, _ in run]
    lower = [f"{right:.1f},{low:.1f} {left:.1f},{low:.1f}" for left, right, _, low in reversed(run)]
    return [f"M{' '.join(upper + lower)}Z"]


def _value_axis(quantity: str, bottom: float, top: float, scale: Scale, y: _Map) -> str:
    ticks = nice_ticks(bottom / scale.factor, top / scale.factor, 5)
    parts = []
    for tick, label in zip(ticks, _labels(ticks), strict=True):
        height = y(tick * scale.factor)
        parts.append(_line("grid", PLOT_LEFT, height, PLOT_RIGHT, height))
        parts.append(_text(PLOT_LEFT - 8, height + 4, label, "end"))
    middle = PLOT_TOP + PLOT_HEIGHT / 2
    parts.append(
        f'<text class="name" x="16" y="{middle:.1f}" text-anchor="middle"'
        f' transform="rotate(-90 16 {middle:.1f})">{escape(quantity)}, {scale.unit}</text>'
    )
    return "".join(parts)


def _time_axis(duration: float, scale: Scale, x: _Map, axis_y: float) -> str:
    ticks = nice_ticks(0.0, duration / scale.factor, 10)
    parts = [_line("axis", PLOT_LEFT, axis_y, PLOT_RIGHT, axis_y)]
    for tick, label in zip(ticks, _labels(ticks), strict=True):
        place = x(tick * scale.factor)
        parts.append(_line("axis", place, axis_y, place, axis_y + 5))
        parts.append(_text(place, axis_y + 18, label, "middle"))
    middle = (PLOT_LEFT + PLOT_RIGHT) / 2
    parts.append(
        f'<text class="name" x="{middle:.1f}" y="{axis_y + 38:.1f}" text-anchor="middle">'
        f"time, {scale.unit}</text>"
    )
    return "".join(parts)


def _labels(ticks: list[float]) -> list[str]:
    """The ticks with as many decimals as their step needs."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) or 1.0
    decimals = min(9, max(0, -math.floor(math.log10(step) + 1e-9)))
    return [f"{tick + 0.0:.{decimals}f}".replace("-", "−") for tick in ticks]


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _rect(kind: str, left: float, top: float, right: float, bottom: float) -> str:
    width = max(right - left, 0.75)  # a short pulse stays visible
    return (
        f'<rect class="{kind}" x="{left:.2f}" y="{top:.1f}" width="{width:.2f}" height="{bottom - top:.1f}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
