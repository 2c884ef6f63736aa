"""The instrument's part of the uncertainty, contribution by contribution.

Every figure is a half-width at 95 % (JCGM 100:2008). These errors are systematic: the same in every window,
so they do not shrink with the number of windows. They are independent of each other, those of two current
ranges included (each has a shunt and a calibration of its own), and add as root sum of squares. What one
temperature does to all ranges is a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.distributions import UNIFORM_95
from pytest_lan_hil.measure.energy import energies
from pytest_lan_hil.model.capture import Accuracy, Capture
from pytest_lan_hil.model.measurement import Contribution

_MOST_SAMPLES = 1 << 16
_GOLDEN = (math.sqrt(5) - 1) / 2
# Places at which a shift of both edges is tried, as shares of its half-width.
_SHIFTS = (-1.0, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1.0)
_GRID = "grid of the time stamps"
_JITTER = "jitter of the edge source"
_TIE = "how well its clock is tied to the analyzer's"
_EDGE_CLOCK = "clock of the edge source, as it is tied to the analyzer's"


def combined(contributions: Sequence[Contribution]) -> float:
    """Root sum of squares of the half-widths."""
    return math.hypot(*(part.half_width for part in contributions))


def offset_of(contributions: Sequence[Contribution]) -> float:
    """Root sum of squares of those that are offsets: what the zero of the instrument may have moved."""
    return combined([part for part in contributions if " offset" in part.name])


def scaled(contributions: Sequence[Contribution], factor: float, unit: str) -> tuple[Contribution, ...]:
    """The contributions to `factor` times the figure, in its unit."""
    return tuple(replace(part, half_width=part.half_width * abs(factor), unit=unit) for part in contributions)


def largest_of_each(budgets: Sequence[Sequence[Contribution]]) -> tuple[Contribution, ...]:
    """One budget for several measurements of a quantity: of each name the largest, in order of appearance."""
    found: dict[str, Contribution] = {}
    for part in (part for budget in budgets for part in budget):
        if part.name not in found or part.half_width > found[part.name].half_width:
            found[part.name] = part
    return tuple(found.values())


def latency_contributions(
    accuracy: Accuracy,
    resolution_s: float,
    duration_s: float,
    *,
    jitter_s: float = 0.0,
    timebase: float | None = None,
) -> tuple[Contribution, ...]:
    """Error of a window's length, in ms. An edge lies anywhere within one step of its time stamp's grid.

    Args:
        accuracy: Of the instrument.
        resolution_s: Grid of the edges' time stamps: the sample period of a sampled marker line.
        duration_s: The length itself.
        jitter_s: 95 % half-width of what one stamp may be off beyond its grid.
        timebase: Relative error of times between edges; None: that of the sample clock.
    """
    return _nonzero(
        Contribution("two edges", math.sqrt(2) * UNIFORM_95 * resolution_s * 1e3, "ms", _GRID),
        Contribution("jitter of two edges", math.sqrt(2) * jitter_s * 1e3, "ms", _JITTER),
        clock_contribution(accuracy, duration_s * 1e3, "ms", timebase),
    )


def power_contributions(
    capture: Capture,
    start_s: NDArray[np.float64],
    stop_s: NDArray[np.float64],
    power_w: float,
    *,
    most_samples: int = _MOST_SAMPLES,
) -> tuple[Contribution, ...]:
    """Error of the mean power within the given intervals, in mW.

    Gain and offset of the current are those of the ranges that the samples in the intervals were taken in:
    what the instrument told (`Capture.ranges`), else by the size of the current. A record of power alone
    leaves an offset of current or voltage unbounded: nobody knows what it was multiplied by.

    Nothing is added where nobody knows the instrument (`Accuracy.known`): `unbounded` does that, for who
    judges.

    Args:
        capture: The record.
        start_s: shape (n,), seconds, inside the capture.
        stop_s: shape (n,), likewise.
        power_w: The mean power itself.
        most_samples: So many samples, evenly spread, are looked at for ranges and means.
    """
    limits = capture.accuracy
    index = _places(capture, start_s, stop_s, most_samples)
    if len(capture.current_a):
        current = np.abs(capture.current_a[index].astype(np.float64))
        voltage = np.abs(capture.voltage_v[index].astype(np.float64))
        good = np.isfinite(current) & np.isfinite(voltage)
        index, current, voltage = index[good], current[good], voltage[good]
        mean_current = float(current.mean()) if len(index) else 0.0
        mean_voltage = float(voltage.mean()) if len(index) else 0.0
        by_range = _range_contributions(capture, index, current, voltage, abs(power_w))
    else:
        mean_current = mean_voltage = math.inf
        by_range = [
            ("current gain", limits.current_gain * abs(power_w)),
            ("current offset", _product(limits.current_offset_a, mean_voltage)),
        ]
    warmer = limits.temperature_span_k
    watts = (
        *by_range,
        ("current gain, temperature", limits.current_gain_per_k * warmer * abs(power_w)),
        ("current offset, temperature", _product(limits.current_offset_a_per_k * warmer, mean_voltage)),
        ("voltage gain", limits.voltage_gain * abs(power_w)),
        ("voltage gain, temperature", limits.voltage_gain_per_k * warmer * abs(power_w)),
        ("voltage offset", _product(limits.voltage_offset_v, mean_current)),
    )
    return _nonzero(*(Contribution(name, value * 1e3, "mW", limits.source) for name, value in watts))


def energy_contributions(
    capture: Capture,
    start_s: NDArray[np.float64],
    stop_s: NDArray[np.float64],
    energy_j: float,
    resolution_s: float,
    *,
    jitter_s: float = 0.0,
    tie_s: float = 0.0,
    timebase: float | None = None,
) -> tuple[Contribution, ...]:
    """Error of the mean energy of the given windows, in uJ.

    Args:
        capture: The record.
        start_s: shape (n,), n > 0, seconds, inside the capture.
        stop_s: shape (n,), likewise.
        energy_j: Mean energy of a window.
        resolution_s: Grid of the edges' time stamps: the sample period of a sampled marker line.
        jitter_s: 95 % half-width of what one stamp may be off beyond its grid.
        tie_s: 95 % half-width of what all stamps may be off alike.
        timebase: Relative error of times between edges, which a window's energy has too; None: that of the
            sample clock.
    """
    duration_s = float((stop_s - start_s).mean())
    power_w = energy_j / duration_s if duration_s > 0 else 0.0
    stamps = [
        ("two edges", UNIFORM_95 * two_edges_j(capture, start_s, stop_s, resolution_s), _GRID),
        ("jitter of two edges", two_edges_j(capture, start_s, stop_s, jitter_s), _JITTER),
        ("tie of the clocks", shift_j(capture, start_s, stop_s, tie_s), _TIE),
    ]
    return (
        *scaled(power_contributions(capture, start_s, stop_s, power_w), duration_s * 1e3, "uJ"),
        *_nonzero(
            *(Contribution(name, float(joules.mean()) * 1e6, "uJ", why) for name, joules, why in stamps),
            clock_contribution(capture.accuracy, energy_j * 1e6, "uJ", timebase),
        ),
    )


def window_contributions(
    capture: Capture,
    start_s: NDArray[np.float64],
    stop_s: NDArray[np.float64],
    energy_j: NDArray[np.float64],
    resolution_s: float,
    *,
    jitter_s: float = 0.0,
    tie_s: float = 0.0,
    timebase: float | None = None,
) -> list[tuple[Contribution, ...]]:
    """Error of the energy of each single window, in uJ: shape (n,) of everything, else as above.

    Each edge may be off by the whole grid of its time stamp: nothing averages it in a single window, and
    which way a stamp was rounded need not be known.
    """
    durations = stop_s - start_s
    most = int(np.clip((1 << 20) // max(len(start_s), 1), 256, _MOST_SAMPLES))
    starts, stops = (edge_j(capture, edges, resolution_s) for edges in (start_s, stop_s))
    jitter = two_edges_j(capture, start_s, stop_s, jitter_s)
    shift = shift_j(capture, start_s, stop_s, tie_s)
    budgets = []
    for k, joules in enumerate(energy_j.tolist()):
        watts = joules / durations[k] if durations[k] > 0 else 0.0
        power = power_contributions(capture, start_s[k : k + 1], stop_s[k : k + 1], watts, most_samples=most)
        stamps = (
            ("start edge", starts[k], _GRID),
            ("stop edge", stops[k], _GRID),
            ("jitter of two edges", jitter[k], _JITTER),
            ("tie of the clocks", shift[k], _TIE),
        )
        budgets.append(
            (
                *scaled(power, durations[k] * 1e3, "uJ"),
                *_nonzero(
                    *(Contribution(name, float(value) * 1e6, "uJ", why) for name, value, why in stamps),
                    clock_contribution(capture.accuracy, joules * 1e6, "uJ", timebase),
                ),
            )
        )
    return budgets


def clock_contribution(
    accuracy: Accuracy, figure: float, unit: str, timebase: float | None = None
) -> Contribution:
    """Error of a length or an energy because times are longer or shorter than their clock says.

    Args:
        accuracy: Of the instrument.
        figure: Length or energy, in `unit`.
        unit: Its unit.
        timebase: Relative error of times between edges; None: that of the sample clock.
    """
    if timebase is not None:
        return Contribution("clock of the edges", timebase * abs(figure), unit, _EDGE_CLOCK)
    return Contribution("sample clock", accuracy.timebase * abs(figure), unit, accuracy.source)


def unbounded(accuracy: Accuracy, unit: str) -> tuple[Contribution, ...]:
    """The error of an instrument that nobody knows, for a figure that is judged; none of a known one."""
    if accuracy.known:
        return ()
    return (Contribution("error of the instrument", math.inf, unit, accuracy.source),)


def edge_j(capture: Capture, edge_s: NDArray[np.float64], half_width_s: float) -> NDArray[np.float64]:
    """The most energy, joules, that a move of each edge by up to `half_width_s` gains or loses.

    That is the half-width times the larger of the mean powers just before and just after the edge.
    """
    if half_width_s <= 0:
        return np.zeros(len(edge_s))
    before = np.clip(edge_s - half_width_s, 0, capture.duration_s)
    after = np.clip(edge_s + half_width_s, 0, capture.duration_s)
    sides = []
    for start, stop in ((before, edge_s), (edge_s, after)):
        length = stop - start
        with np.errstate(invalid="ignore", divide="ignore"):
            power = np.abs(energies(capture, start, stop)) / length
        # The record may end at the edge, and a gap may lie beyond it: the other side must do then.
        sides.append(np.where((length > 0) & np.isfinite(power), power, 0.0))
    largest: NDArray[np.float64] = np.maximum(*sides) * half_width_s
    return largest


def two_edges_j(
    capture: Capture, start_s: NDArray[np.float64], stop_s: NDArray[np.float64], half_width_s: float
) -> NDArray[np.float64]:
    """`edge_j` of both edges of each window, which are off independently of each other."""
    both: NDArray[np.float64] = np.hypot(
        edge_j(capture, start_s, half_width_s), edge_j(capture, stop_s, half_width_s)
    )
    return both


def shift_j(
    capture: Capture, start_s: NDArray[np.float64], stop_s: NDArray[np.float64], half_width_s: float
) -> NDArray[np.float64]:
    """The most energy, joules, that a move of both edges together by up to `half_width_s` gains or loses."""
    most = np.zeros(len(start_s))
    if half_width_s <= 0:
        return most
    unmoved = energies(capture, start_s, stop_s)
    for share in _SHIFTS:
        moved_by = np.clip(share * half_width_s, -start_s, capture.duration_s - stop_s)
        change = np.abs(energies(capture, start_s + moved_by, stop_s + moved_by) - unmoved)
        most = np.fmax(most, change)  # a place where samples were dropped says nothing
    return most


def _places(
    capture: Capture, start_s: NDArray[np.float64], stop_s: NDArray[np.float64], most: int
) -> NDArray[np.int64]:
    """Up to `most` samples spread evenly over the intervals, as indices.

    Their places follow the golden ratio's multiples, which no periodic load can be in step with.
    """
    starts = np.clip(np.floor(start_s * capture.sample_rate_hz), 0, capture.count).astype(np.int64)
    stops = np.clip(np.ceil(stop_s * capture.sample_rate_hz), starts, capture.count).astype(np.int64)
    ends = np.cumsum(stops - starts)
    held = int(ends[-1]) if len(ends) else 0
    if held <= most:
        places = np.arange(held)
    else:
        places = (np.arange(1, most + 1) * _GOLDEN % 1.0 * held).astype(np.int64)
    which = np.searchsorted(ends, places, side="right")
    index: NDArray[np.int64] = places - (ends - (stops - starts))[which] + starts[which]
    return index


def _range_contributions(
    capture: Capture,
    index: NDArray[np.int64],
    current: NDArray[np.float64],
    voltage: NDArray[np.float64],
    power_w: float,
) -> list[tuple[str, float]]:
    """Gain (by share of the power) and offset (by share of the time) of each range used, in watts."""
    limits = capture.accuracy
    ranges = limits.current_ranges
    used = _ranges_used(capture, index, current)
    weights = current * voltage
    total = float(weights.sum())
    found = []
    for which in np.unique(used).tolist():
        inside = used == which
        if which < len(ranges):
            gain, offset, place = ranges[which].gain, ranges[which].offset_a, _si(ranges[which].limit_a)
        else:
            gain, offset, place = limits.current_gain, limits.current_offset_a, "highest"
        suffix = f", {place} range" if ranges else ""
        share = float(weights[inside].sum()) / total if total > 0 else float(inside.mean())
        held = float(voltage[inside].sum()) / len(index)
        found += [
            (f"current gain{suffix}", gain * share * power_w),
            (f"current offset{suffix}", offset * held),
        ]
    return found


def _ranges_used(
    capture: Capture, index: NDArray[np.int64], current: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Range of each sample, as an index into `Accuracy.current_ranges` (its length: beyond the last)."""
    ranges = capture.accuracy.current_ranges
    if not ranges:
        return np.zeros(len(index), np.int64)
    if capture.ranges is not None and len(capture.ranges.starts):
        run = np.searchsorted(capture.ranges.starts, index, side="right") - 1
        told: NDArray[np.int64] = np.clip(capture.ranges.indices[np.maximum(run, 0)], 0, len(ranges))
        return told
    return np.searchsorted([one.limit_a for one in ranges], current).astype(np.int64)


def _product(limit: float, factor: float) -> float:
    """`limit * factor`, and 0 for no error of an unbounded thing."""
    return limit * factor if limit else 0.0


def _si(amperes: float) -> str:
    """ "18 mA": a range as its label says it."""
    for unit, size in (("A", 1.0), ("mA", 1e-3), ("uA", 1e-6)):
        if amperes >= 0.999 * size:
            return f"{amperes / size:.3g} {unit}"
    return f"{amperes / 1e-9:.3g} nA"


def _nonzero(*contributions: Contribution) -> tuple[Contribution, ...]:
    return tuple(part for part in contributions if part.half_width)
