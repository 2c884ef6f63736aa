"""A capture thinned for drawing: per stretch the lowest and the highest sample, so that no peak is lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.windows import high_spans
from pytest_lan_hil.model.capture import Capture

Points = list[float | None]
Samples = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a report draws. Lists of equal length m, one entry per stretch of the capture.

    Attributes:
        time_s: Start of each stretch, seconds.
        step_s: Length of a stretch (the last may be shorter).
        current_min_a, current_max_a: Amperes; None where all samples were dropped. Empty in records of power.
        voltage_min_v, voltage_max_v: Volts; likewise.
        markers: Marker line to its high intervals (start, stop), seconds. Intervals closer together than a
            stretch are drawn as one; those cut by an end of the capture are included.
        gaps: Dropped samples as intervals (start, stop), seconds.
        power_min_w, power_max_w: Watts, of a record of power; else empty.
    """

    time_s: list[float]
    step_s: float
    current_min_a: Points
    current_max_a: Points
    voltage_min_v: Points
    voltage_max_v: Points
    markers: dict[str, list[tuple[float, float]]]
    gaps: list[tuple[float, float]]
    power_min_w: Points = field(default_factory=list)
    power_max_w: Points = field(default_factory=list)


def envelope(capture: Capture, points: int = 2000) -> Envelope:
    """The envelope of a capture, with at most `points` stretches.

    Raises:
        ValueError: `points` is not positive.
    """
    if points < 1:
        raise ValueError(f"an envelope of {points} points")
    rate = capture.sample_rate_hz
    stride = max(1, -(-capture.count // points))
    current_low, current_high = _extremes(capture.current_a, stride)
    voltage_low, voltage_high = _extremes(capture.voltage_v, stride)
    step_s = stride / rate
    power_low, power_high = _extremes(np.empty(0) if capture.power_w is None else capture.power_w, stride)
    return Envelope(
        time_s=[k * step_s for k in range(-(-capture.count // stride))],
        step_s=step_s,
        current_min_a=current_low,
        current_max_a=current_high,
        voltage_min_v=voltage_low,
        voltage_max_v=voltage_high,
        markers={name: _high(capture, name, step_s) for name in sorted(capture.markers)},
        gaps=[(gap.start / rate, gap.stop / rate) for gap in capture.gaps],
        power_min_w=power_low,
        power_max_w=power_high,
    )


def _extremes(samples: Samples, stride: int) -> tuple[Points, Points]:
    if not len(samples):
        return [], []
    first = np.arange(0, len(samples), stride)
    # fmin and fmax pass over NaN, so a stretch is None only if every sample of it was dropped.
    return (
        _plain(np.fmin.reduceat(samples, first)),
        _plain(np.fmax.reduceat(samples, first)),
    )


def _plain(values: Samples) -> Points:
    return [float(value) if np.isfinite(value) else None for value in values]


def _high(capture: Capture, marker: str, step_s: float) -> list[tuple[float, float]]:
    starts, stops = high_spans(capture.markers[marker])
    joined: list[tuple[float, float]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if joined and start - joined[-1][1] < step_s:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
