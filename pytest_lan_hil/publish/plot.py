"""A recorded capture as one picture: power over time, with the windows shaded.

`.html` is a page that opens with no network; `.png` needs matplotlib (extra `plot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.windows import high_spans
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.publish.files import write_atomically
from pytest_lan_hil.publish.pages import page_template
from pytest_lan_hil.publish.rows import SIMULATED_LABEL
from pytest_lan_hil.publish.svg import COLUMNS, POWER_UNITS, Columns, Series, draw_series, scale_for

Span = tuple[float, float]
# More windows than this can't be told apart: their shades run into one block.
_MOST_SHADED = COLUMNS // 4
# Samples looked at in one go, so that no temporary grows with the capture.
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Plot:
    """What is shown beside the capture itself.

    Attributes:
        title: The file's name.
        spans: The windows (start, stop), seconds.
        headings, rows: The table of the windows, as text.
        notes: Sentences that a reader must know.
    """

    title: str
    spans: Sequence[Span]
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]

    @property
    def shaded(self) -> Sequence[Span]:
        """The windows that are drawn: all, or none where there are too many."""
        return self.spans if len(self.spans) <= _MOST_SHADED else ()

    @property
    def shading(self) -> str:
        """What the picture says of them."""
        return "windows shaded" if self.shaded else f"{len(self.spans)} windows, too many to shade each"


def write_plot(capture: Capture, plot: Plot, path: Path) -> Path:
    """Write the picture; its form follows the file's suffix.

    Raises:
        InputError: Another suffix, matplotlib is missing, nothing to draw, or the file can't be written.
    """
    if path.suffix == ".html":
        return write_atomically(path, _page(capture, plot))
    if path.suffix == ".png":
        return _write_png(capture, plot, path)
    raise InputError(f"plot {path}: of no known kind", fix="name it .html or .png")


def power_columns(capture: Capture, limit: int = COLUMNS) -> Columns:
    """Lowest and highest power (watts) in at most `limit` columns; None where all samples were dropped."""
    stride = max(1, -(-capture.count // limit))
    piece = stride * max(1, _PIECE // stride)
    low: list[float | None] = []
    high: list[float | None] = []
    for at in range(0, capture.count, piece):
        power = _power(capture, at, min(at + piece, capture.count))
        first = np.arange(0, len(power), stride)
        # fmin and fmax pass over NaN, so a column is None only if every sample of it was dropped.
        low += _plain(np.fmin.reduceat(power, first))
        high += _plain(np.fmax.reduceat(power, first))
    return Columns(stride / capture.sample_rate_hz, low, high)


def _power(capture: Capture, start: int, stop: int) -> NDArray[np.float64]:
    if capture.power_w is not None:
        return capture.power_w[start:stop].astype(np.float64)
    return capture.current_a[start:stop].astype(np.float64) * capture.voltage_v[start:stop]


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _series(capture: Capture, plot: Plot) -> Series:
    rate = capture.sample_rate_hz
    lanes = {}
    for name, line in capture.markers.items():
        starts, stops = high_spans(line)
        lanes[name] = list(zip(starts.tolist(), stops.tolist(), strict=True))
    return Series(
        quantity="power",
        units=POWER_UNITS,
        shown=power_columns(capture),
        duration_s=capture.duration_s,
        gaps=[(gap.start / rate, gap.stop / rate) for gap in capture.gaps],
        lanes=lanes,
        shades=plot.shaded,
    )


def _limits(lows: Sequence[float], highs: Sequence[float], factor: float) -> tuple[float, float]:
    """The value axis: from 0, and with room above, so that a steady load does not lie on the frame."""
    bottom, top = min([0.0, *lows]) / factor, max([0.0, *highs]) / factor
    return bottom, top + 0.05 * (top - bottom) if top > bottom else bottom + 1.0


def _page(capture: Capture, plot: Plot) -> str:
    return page_template("plot.html.j2").render(
        plot=plot,
        capture=capture,
        drawing=draw_series(_series(capture, plot), name=plot.title, identifier="power"),
        simulated_label=SIMULATED_LABEL if capture.instrument.simulated else "",
    )


def _write_png(capture: Capture, plot: Plot, path: Path) -> Path:
    try:
        figure_class = import_module("matplotlib.figure").Figure
    except ImportError as error:
        raise InputError(
            "a .png needs matplotlib, which is not installed",
            fix='pip install "pytest-lan-hil[plot]", or name the plot .html, which needs nothing',
        ) from error
    shown = power_columns(capture)
    highs = [value for value in shown.high if value is not None]
    lows = [value for value in shown.low if value is not None]
    scale = scale_for(max(map(abs, [*lows, *highs]), default=0.0), POWER_UNITS)
    time_s = np.arange(len(shown.low)) * shown.step_s
    low, high = (np.array(side, np.float64) / scale.factor for side in (shown.low, shown.high))
    figure = figure_class(figsize=(12, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for k, (start, stop) in enumerate(plot.shaded):
        shade = 0.24 if k % 2 else 0.08  # as in the page: one may begin where another ends
        axes.axvspan(
            start,
            stop,
            color="#7a3fb3",
            alpha=shade,
            lw=0,
            label="windows" if k == len(plot.shaded) - 1 else None,
        )
    for k, gap in enumerate(capture.gaps):
        start, stop = gap.start / capture.sample_rate_hz, gap.stop / capture.sample_rate_hz
        axes.axvspan(start, stop, color="#d9534f", alpha=0.5, label="dropped" if k == 0 else None)
    axes.fill_between(time_s, low, high, step="post", color="#0b62c4", lw=0.8, label="lowest to highest")
    axes.set(
        xlim=(0, capture.duration_s), xlabel="time since the first sample, s", ylabel=f"power, {scale.unit}"
    )
    axes.set_ylim(*_limits(lows, highs, scale.factor))
    axes.grid(alpha=0.3)
    simulated = f"\n{SIMULATED_LABEL}" if capture.instrument.simulated else ""
    shading = "" if plot.shaded else f"; {plot.shading}"
    title = f"{plot.title}, {capture.instrument}".strip() + shading + simulated
    axes.set_title(title, loc="left", fontsize=10)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise InputError(f"writing {path}: {error.strerror or error}", fix="choose another place") from error
    return path
