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

from pytest_lan_hil.measure.distributions import NORMAL_95, UNIFORM_95, student_t_quantile
from pytest_lan_hil.measure.matching import ANYWHERE, MAX_RATE, edges_of, match
from pytest_lan_hil.model.capture import Accuracy, Capture, EdgeLine, EdgeRecord, MarkerLine
from pytest_lan_hil.model.errors import MeasurementInvalid

# Only says how long a record without samples is.
_EDGES_ALONE_HZ = 1000.0
# A time of start is certain within so many of its 95 % half-widths.
_SURE = 2.0
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
        rate_error: 95 % half-width of the rate that the edges gave; None: the rate is taken as 1.
    """

    offset_s: float
    rate: float
    residual_s: float
    n: int
    rate_error: float | None = None

    def to_reference(self, times_s: ArrayLike) -> NDArray[np.float64]:
        """Times of the other clock on the reference clock, seconds."""
        return self.offset_s + self.rate * np.asarray(times_s, np.float64)


def tie(
    reference: MarkerLine | EdgeLine,
    other: MarkerLine | EdgeLine,
    *,
    timebase: float = MAX_RATE,
    offset_s: tuple[float, float] = ANYWHERE,
) -> ClockTie:
    """Tie the clocks of two records of the same marker line.

    Edges are matched first (see `measure.matching`), then a straight line is laid through them by least
    squares. Where the edges lie too close together to give the rate better than the clocks' own limit (a
    single short pulse), the rate is taken as 1 and that limit goes into the residual.

    Args:
        reference: The line on the clock that is kept.
        other: The same line on the other clock.
        timebase: Relative limit of how much the two clocks' rates differ.
        offset_s: The other clock's time 0 on the reference clock, lowest and highest, seconds.

    Raises:
        MeasurementInvalid: The edges can't be matched, or in more than one way.
    """
    kept, moved = edges_of(reference), edges_of(other)
    pairs = match(kept, moved, rate=max(timebase, MAX_RATE), offset_s=offset_s)
    # An edge happened within the resolution before its stamp: on average half of that before.
    x = moved.times_s[pairs.other] - moved.resolution_s / 2
    y = kept.times_s[pairs.reference] - kept.resolution_s / 2
    # What matters is the time that both records cover.
    apart_s = float((y - x).mean())
    ends = np.array([max(0.0, -apart_s), min(moved.watched_s, kept.watched_s - apart_s)])
    grid_s = math.hypot(UNIFORM_95 * kept.resolution_s, UNIFORM_95 * moved.resolution_s)
    line = _line_through(x, y, ends, timebase, math.hypot(kept.jitter_s, moved.jitter_s, grid_s))
    # A stamp put onto the reference clock has its resolution before it as it had: nothing to add for that.
    zero_s = float(y.mean()) - line.rate * float(x.mean())
    # All edges may fall on the sample grid alike, so averaging doesn't make the resolutions' part smaller.
    return ClockTie(zero_s, line.rate, math.hypot(line.half_s, grid_s), len(x), line.rate_error)


@dataclass(frozen=True, slots=True)
class _Line:
    """Rate and its error (None: taken as 1), and the line's 95 % half-width at the farther end, seconds."""

    rate: float
    rate_error: float | None
    half_s: float


def _line_through(
    x: NDArray[np.float64], y: NDArray[np.float64], ends: NDArray[np.float64], timebase: float, stamp_s: float
) -> _Line:
    """The better of the line with the rate that the edges give, and the one with rate 1.

    Args:
        x, y: Times of the same edges on both clocks, shape (n,), n > 1.
        ends: Where the record begins and ends, on x.
        timebase: How much the rates differ at most.
        stamp_s: 95 % half-width of what the two stamps of one edge are stated to differ by.
    """
    n, far_s = len(x), float(np.abs(ends - x.mean()).max())
    difference = y - x  # close to a constant: no digits are lost with it
    left = difference - difference.mean()
    taken_s = math.hypot(_noise(left, n - 1, stamp_s) / math.sqrt(n), timebase * far_s)
    from_middle = x - x.mean()
    spread = float(from_middle @ from_middle)
    slope = float(from_middle @ left) / spread
    noise_s = _noise(left - slope * from_middle, n - 2, stamp_s)
    found_s = noise_s * math.sqrt(1 / n + far_s**2 / spread)
    if taken_s < found_s:
        return _Line(1.0, None, taken_s)
    return _Line(1.0 + slope, noise_s / math.sqrt(spread), found_s)


def _noise(left: NDArray[np.float64], degrees: int, stated_s: float) -> float:
    """95 % half-width of one stamp: as stated, unless the scatter of the edges contradicts it.

    Errors of stamps are taken as normal; that covers those of interrupts too (mostly short, rarely long).
    A line through two points leaves nothing to contradict with, one through a few little.

    Args:
        left: What the line leaves over, shape (n,).
        degrees: Degrees of freedom of that.
        stated_s: What is stated.
    """
    if not degrees:
        return stated_s
    scatter_s = math.sqrt(float(left @ left) / degrees)
    # 99 % quantile of chi-squared per degree of freedom (Wilson and Hilferty, 1931).
    ninth = 2 / (9 * degrees)
    most = (1 - ninth + 2.326 * math.sqrt(ninth)) ** 3
    if (NORMAL_95 * scatter_s) ** 2 <= most * stated_s**2:
        return stated_s
    return max(stated_s, student_t_quantile(_HIGH, degrees) * scatter_s)


def merge(capture: Capture, record: EdgeRecord, *, sync: str | None = None) -> Capture:
    """The capture with the edge source's marker lines on its clock.

    Lines that the capture has itself stay as they are: those are on the sample clock of its power.

    Args:
        capture: The analyzer's record.
        record: The edge source's record; it began before the capture and ended after it.
        sync: Marker line that both have seen. None: both say when they started on the bench's clock.

    Raises:
        MeasurementInvalid: The edge source stopped early, one of them has no line `sync`, its edges don't
            match, or there is neither a sync line nor a common clock; says what to wire.
    """
    _require_complete(record)
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
    timebase = _timebase(capture, record, tied)
    moved = {
        name: _moved(line, tied, timebase)
        for name, line in record.lines.items()
        if name not in capture.markers
    }
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


def edges_alone(record: EdgeRecord) -> Capture:
    """The capture of a bench without a power analyzer: marker lines, and a current that nobody has seen.

    Current and voltage are NaN throughout, in views that take no memory.

    Raises:
        MeasurementInvalid: The edge source stopped early.
    """
    _require_complete(record)
    duration_s = max((line.duration_s for line in record.lines.values()), default=0.0)
    unknown = np.broadcast_to(np.float32(np.nan), math.ceil(duration_s * _EDGES_ALONE_HZ))
    return Capture(
        sample_rate_hz=_EDGES_ALONE_HZ,
        current_a=unknown,
        voltage_v=unknown,
        instrument=record.instrument,
        accuracy=Accuracy(0.0, 0.0, 0.0, 0.0, record.timebase, "no power was recorded"),
        markers={name: replace(line, timebase=record.timebase) for name, line in record.lines.items()},
        supply="none",
        start_s=record.start_s,
        notes=record.instrument.notes,
    )


def _require_complete(record: EdgeRecord) -> None:
    if not record.complete:
        raise MeasurementInvalid(
            f"{record.instrument} stopped before it was told to: the edges after that are missing",
            fix="check the edge source's connection, then run `lan-hil doctor`",
        )


def _tied_by_line(capture: Capture, record: EdgeRecord, sync: str) -> ClockTie:
    """By the edges of the sync line, with its records' times to tell alike pulses apart."""
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
        return tie(
            capture.markers[sync], record.lines[sync], timebase=timebase, offset_s=_offset(capture, record)
        )
    except MeasurementInvalid as error:
        raise MeasurementInvalid(
            f"tying the clocks of {capture.instrument} and {record.instrument} by {sync!r}: {error.problem}",
            fix=error.fix,
        ) from None


def _offset(capture: Capture, record: EdgeRecord) -> tuple[float, float]:
    """Where on the capture's clock the edge record began: lowest and highest, seconds."""
    length_s = max(line.duration_s for line in record.lines.values())
    if capture.start_s is not None:
        between_s = record.start_s - capture.start_s
        slack_s = _SURE * capture.start_error_s
        return between_s - slack_s, between_s + slack_s
    drift_s = (capture.accuracy.timebase + record.timebase) * length_s
    return min(0.0, capture.duration_s - length_s) - drift_s, 0.0


def _timebase(capture: Capture, record: EdgeRecord, tied: ClockTie) -> float:
    """Relative error of times between edges once they are on the capture's clock."""
    if tied.rate_error is None:
        return record.timebase
    return math.hypot(capture.accuracy.timebase, tied.rate_error)


def _moved(line: EdgeLine, tied: ClockTie, timebase: float) -> EdgeLine:
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
        timebase=timebase,
    )
