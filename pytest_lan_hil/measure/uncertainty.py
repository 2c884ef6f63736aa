"""The instrument's part of the uncertainty, contribution by contribution.

Every figure is a half-width at 95 % (JCGM 100:2008). These errors are systematic: the same in every window,
so they do not shrink with the number of windows, and they are combined as root sum of squares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.capture import Accuracy, Capture

# An edge lies anywhere within one sample period (uniform: standard deviation period / sqrt(12)); a window has
# two; 1.96 standard deviations are 95 %.
_TWO_EDGES = 1.96 / math.sqrt(6)
_MOST_SAMPLES = 1 << 16
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Contribution:
    """One line of the uncertainty budget: what it is, its 95 % half-width in `unit`, where it comes from."""

    name: str
    half_width: float
    unit: str
    source: str


def combined(contributions: Sequence[Contribution]) -> float:
    """Root sum of squares of the half-widths."""
    return math.hypot(*(part.half_width for part in contributions))


def latency_contributions(
    accuracy: Accuracy, resolution_s: float, duration_s: float
) -> tuple[Contribution, ...]:
    """Error of a window's length, in ms.

    Args:
        accuracy: Of the instrument.
        resolution_s: Sample period of the marker line.
        duration_s: The length itself.
    """
    return (
        Contribution("two edges", _TWO_EDGES * resolution_s * 1e3, "ms", "sample period of the marker line"),
        Contribution("sample clock", accuracy.timebase * duration_s * 1e3, "ms", accuracy.source),
    )


def power_contributions(
    capture: Capture, start_s: NDArray[np.float64], stop_s: NDArray[np.float64], power_w: float
) -> tuple[Contribution, ...]:
    """Error of the mean power within the given intervals, in mW.

    Gain and offset of the current are those of the ranges that the samples in the intervals fall into.

    Args:
        capture: The record.
        start_s: shape (n,), seconds, inside the capture.
        stop_s: shape (n,), likewise.
        power_w: The mean power itself.
    """
    accuracy = capture.accuracy
    current, voltage = _some_samples(capture, start_s, stop_s)
    mean_current = float(np.abs(current).mean()) if len(current) else 0.0
    mean_voltage = float(np.abs(voltage).mean()) if len(voltage) else 0.0
    gain, offset = _range_errors(accuracy, np.abs(current))
    watts = (
        ("current gain", gain * abs(power_w)),
        ("current offset", offset * mean_voltage),
        ("voltage gain", accuracy.voltage_gain * abs(power_w)),
        ("voltage offset", accuracy.voltage_offset_v * mean_current),
    )
    return tuple(Contribution(name, value * 1e3, "mW", accuracy.source) for name, value in watts)


def energy_contributions(
    capture: Capture,
    start_s: NDArray[np.float64],
    stop_s: NDArray[np.float64],
    energy_j: float,
    resolution_s: float,
) -> tuple[Contribution, ...]:
    """Error of the mean energy of the given windows, in uJ.

    Args:
        capture: The record.
        start_s: shape (n,), n > 0, seconds, inside the capture.
        stop_s: shape (n,), likewise.
        energy_j: Mean energy of a window.
        resolution_s: Sample period of the marker line.
    """
    duration_s = float((stop_s - start_s).mean())
    power_w = energy_j / duration_s if duration_s > 0 else 0.0
    parts = [
        Contribution(part.name, part.half_width * 1e3 * duration_s, "uJ", part.source)
        for part in power_contributions(capture, start_s, stop_s, power_w)
    ]
    edges = _TWO_EDGES * resolution_s * abs(power_w)
    clock = capture.accuracy.timebase * abs(energy_j)
    parts.append(Contribution("two edges", edges * 1e6, "uJ", "sample period of the marker line"))
    parts.append(Contribution("sample clock", clock * 1e6, "uJ", capture.accuracy.source))
    return tuple(parts)


def _some_samples(
    capture: Capture, start_s: NDArray[np.float64], stop_s: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Up to 65,536 finite samples of current and voltage spread evenly over the intervals.

    Their places follow the golden ratio's multiples, which no periodic load can be in step with.
    """
    total = len(capture.current_a)
    starts = np.clip(np.floor(start_s * capture.sample_rate_hz), 0, total).astype(np.int64)
    stops = np.clip(np.ceil(stop_s * capture.sample_rate_hz), starts, total).astype(np.int64)
    ends = np.cumsum(stops - starts)
    held = int(ends[-1]) if len(ends) else 0
    if held <= _MOST_SAMPLES:
        places = np.arange(held)
    else:
        places = (np.arange(1, _MOST_SAMPLES + 1) * _GOLDEN % 1.0 * held).astype(np.int64)
    which = np.searchsorted(ends, places, side="right")
    index = places - (ends - (stops - starts))[which] + starts[which]
    current, voltage = capture.current_a[index], capture.voltage_v[index]
    good = np.isfinite(current) & np.isfinite(voltage)
    return current[good], voltage[good]


def _range_errors(accuracy: Accuracy, magnitude: NDArray[np.float32]) -> tuple[float, float]:
    """Gain (weighted by current) and offset (by time) of the ranges that currents of this size use."""
    ranges = accuracy.current_ranges
    if not ranges or not len(magnitude):
        return accuracy.current_gain, accuracy.current_offset_a
    which = np.searchsorted([one.limit_a for one in ranges], magnitude)
    gains = np.array([*(one.gain for one in ranges), accuracy.current_gain])[which]
    offsets = np.array([*(one.offset_a for one in ranges), accuracy.current_offset_a])[which]
    weight = float(magnitude.sum(dtype=np.float64))
    gain = float((gains * magnitude).sum()) / weight if weight > 0 else float(gains.max())
    return gain, float(offsets.mean())
