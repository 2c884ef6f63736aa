"""Two clocks that saw the same marker line become one: the edge source's time stamps on the capture's clock.

A bench whose power meter has no marker inputs takes marker lines from the host's GPIO, on the host's clock.
Either both see one line (a sync line), whose edges tie the clocks together, or the instruments say when they
started on a clock that they share. How well the tie holds stays with the lines (`EdgeLine.tie_s`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_lan_hil.measure.distributions import student_t_quantile
from pytest_lan_hil.measure.matching import MAX_RATE, edges_of, match
from pytest_lan_hil.model.capture import Capture, EdgeLine, EdgeRecord, MarkerLine
from pytest_lan_hil.model.errors import MeasurementInvalid

# 95 % of a uniform distribution that is one resolution wide: 1.96 standard deviations of width / sqrt(12).
_UNIFORM = 1.96 / math.sqrt(12)
_HIGH = 0.975


@dataclass(frozen=True, slots=True)
class ClockTie:
    """One clock in terms of another: `reference = offset_s + rate * other`.

    Attributes:
        offset_s: The other clock's time 0 on the reference clock, seconds.
        rate: Reference seconds per second of the other clock.
        residual_s: 95 % half-width of a time put onto the reference clock, at the worst place of the
            time that both records cover.
        n: Number of edges that both saw.
    """

    offset_s: float
    rate: float
    residual_s: float
    n: int

    def to_reference(self, times_s: ArrayLike) -> NDArray[np.float64]:
        """Times of the other clock on the reference clock, seconds."""
        return self.offset_s + self.rate * np.asarray(times_s, np.float64)


def tie(
    reference: MarkerLine | EdgeLine, other: MarkerLine | EdgeLine, *, timebase: float = MAX_RATE
) -> ClockTie:
    """Tie the clocks of two records of the same marker line.

    Edges are matched first (see `measure.matching`), then a straight line is laid through them by least
    squares. Where the edges lie too close together to give the rate better than the clocks' own limit (a
    single sync pulse), the rate is taken as 1 and that limit goes into the residual.

    Args:
        reference: The line on the clock that is kept.
        other: The same line on the other clock.
        timebase: Relative limit of how much the two clocks' rates differ.

    Raises:
        MeasurementInvalid: The edges can't be matched, or in more than one way.
    """
    kept, moved = edges_of(reference), edges_of(other)
    pairs = match(kept, moved)
    # An edge happened within the resolution before its stamp: on average half of that before.
    x = moved.times_s[pairs.other] - moved.resolution_s / 2
    y = kept.times_s[pairs.reference] - kept.resolution_s / 2
    # What matters is the time that both records cover.
    apart_s = float((y - x).mean())
    ends = np.array([max(0.0, -apart_s), min(moved.watched_s, kept.watched_s - apart_s)])
    rate, half_s = _line_through(x, y, ends, timebase, math.hypot(kept.jitter_s, moved.jitter_s))
    # All edges may fall on the sample grid alike, so averaging doesn't make the resolutions' part smaller.
    grid_s = math.hypot(_UNIFORM * kept.resolution_s, _UNIFORM * moved.resolution_s)
    # A stamp put onto the reference clock has its resolution before it as it had: nothing to add for that.
    offset_s = float(y.mean()) - rate * float(x.mean())
    return ClockTie(offset_s, rate, math.hypot(half_s, grid_s), len(x))


def _line_through(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    ends: NDArray[np.float64],
    timebase: float,
    jitter_s: float,
) -> tuple[float, float]:
    """Rate, and the 95 % half-width of the line at the end of the record that is farther from the edges."""
    n, far_s = len(x), float(np.abs(ends - x.mean()).max())
    difference = y - x  # close to a constant: no digits are lost with it
    drift_s = timebase * far_s
    if n <= 2:
        return 1.0, math.hypot(jitter_s, drift_s)
    fixed = difference - difference.mean()
    fixed_s = student_t_quantile(_HIGH, n - 1) * math.sqrt(float(fixed @ fixed) / (n - 1) / n)
    from_middle = x - x.mean()
    spread = float(from_middle @ from_middle)
    slope = float(from_middle @ fixed) / spread
    left = fixed - slope * from_middle
    scatter = math.sqrt(float(left @ left) / (n - 2))
    fitted_s = student_t_quantile(_HIGH, n - 2) * scatter * math.sqrt(1 / n + far_s**2 / spread)
    # A scatter of a few edges may be small by chance; the stamps' own jitter bounds it from below.
    fitted_s = max(fitted_s, jitter_s * math.sqrt(1 / n + far_s**2 / spread))
    fixed_s = math.hypot(max(fixed_s, jitter_s / math.sqrt(n)), drift_s)
    return (1.0 + slope, fitted_s) if fitted_s <= fixed_s else (1.0, fixed_s)


def merge(capture: Capture, record: EdgeRecord, *, sync: str | None = None) -> Capture:
    """The capture with the edge source's marker lines on its clock.

    Lines that the capture has itself stay as they are: those are on the sample clock of its power.

    Args:
        capture: The analyzer's record.
        record: The edge source's record of the same time.
        sync: Marker line that both have seen. None: both say when they started on the bench's clock.

    Raises:
        MeasurementInvalid: The edge source stopped early, one of them has no line `sync`, its edges don't
            match, or there is neither a sync line nor a common clock; says what to wire.
    """
    if not record.complete:
        raise MeasurementInvalid(
            f"{record.instrument} stopped before it was told to: the edges after that are missing",
            fix="check the edge source's connection, then run `lan-hil doctor`",
        )
    jitter_s = max((line.jitter_s for line in record.lines.values()), default=0.0)
    if sync is not None:
        tied = _tied_by_line(capture, record, sync)
        how = f"tied by {tied.n} edges of {sync!r}"
    elif capture.start_s is not None:
        # Both clocks run on their own from there: at the end of the record they differ by their timebases.
        drift_s = (capture.accuracy.timebase + record.timebase) * capture.duration_s
        residual_s = math.hypot(capture.start_error_s, jitter_s, drift_s)
        tied = ClockTie(record.start_s - capture.start_s, 1.0, residual_s, 0)
        how = "tied by the times at which both started"
    else:
        raise MeasurementInvalid(
            f"the clocks of {capture.instrument} and {record.instrument} can't be tied together: the analyzer"
            " does not tell when it started, and no sync line is named",
            fix="wire one marker line to an input of both, and name it under `sync` in the bench file",
        )
    moved = {name: _moved(line, tied) for name, line in record.lines.items() if name not in capture.markers}
    if not moved:
        return capture
    note = (
        f"edges of {', '.join(sorted(moved))}: stamped by {record.instrument}, {how},"
        f" to {tied.residual_s * 1e6:.3g} us"
    )
    instrument = capture.instrument
    if record.instrument.simulated and not instrument.simulated:
        # What simulated edges went into is not a measurement of a real board.
        instrument = replace(instrument, simulated=True)
    return replace(
        capture,
        markers={**capture.markers, **moved},
        instrument=instrument,
        notes=(*capture.notes, note, *record.instrument.notes),
    )


def _tied_by_line(capture: Capture, record: EdgeRecord, sync: str) -> ClockTie:
    for owner, lines in ((capture.instrument, capture.markers), (record.instrument, record.lines)):
        if sync not in lines:
            raise MeasurementInvalid(
                f"the sync line {sync!r} is not recorded by {owner}"
                f" (it has: {', '.join(sorted(lines)) or 'none'})",
                fix=f"wire {sync!r} to an input of both the analyzer and the edge source, and name that input"
                " of each in the bench file",
            )
    timebase = capture.accuracy.timebase + record.timebase
    try:
        return tie(capture.markers[sync], record.lines[sync], timebase=timebase)
    except MeasurementInvalid as error:
        raise MeasurementInvalid(
            f"tying the clocks of {capture.instrument} and {record.instrument} by {sync!r}: {error.problem}",
            fix=error.fix,
        ) from None


def _moved(line: EdgeLine, tied: ClockTie) -> EdgeLine:
    def put(time_s: float) -> float:
        return float(tied.to_reference(time_s))

    lost = tuple((put(start), put(stop)) for start, stop in line.lost)
    if put(0.0) > 0:
        # Before its own record began the source has seen nothing.
        lost = ((0.0, put(0.0)), *lost)
    return replace(
        line,
        times_s=tied.to_reference(line.times_s),
        duration_s=put(line.duration_s),
        resolution_s=line.resolution_s * tied.rate,
        tie_s=math.hypot(line.tie_s, tied.residual_s),
        lost=lost,
    )
