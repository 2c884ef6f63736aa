"""From the kernel's events of one GPIO line to an edge line: levels, and the times in which edges were lost.

The kernel numbers the events of each line from 1 (`line_seqno`) and throws the oldest away when nobody
fetches them in time, so a jump of that number tells how many are missing and between which two. It reads a
line's level some time after the interrupt: a pulse that is over by then leaves one event, with the level from
before it.
https://docs.kernel.org/userspace-api/gpio/gpio-v2-line-event-read.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.errors import InstrumentError

# An interrupt's handler may stamp an edge that much after a reading of the level has shown it already.
_RACE_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class LineEvents:
    """Events of one line in the order in which they were read, shape (n,) each.

    Attributes:
        stamps_ns: int64, nanoseconds of the clock that stamped them.
        rising: bool: the level that the kernel found.
        numbers: int64: the kernel's, from 1.
    """

    stamps_ns: NDArray[np.int64]
    rising: NDArray[np.bool_]
    numbers: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Times:
    """When a record was made, nanoseconds of the clock that stamped its events.

    Attributes:
        requested: The kernel began to watch the line after this.
        start: The record begins.
        levels_read: The level at start had been read.
        stop: The record ends.
        fetched: The last event was fetched.
    """

    requested: int
    start: int
    levels_read: int
    stop: int
    fetched: int


@dataclass(frozen=True, slots=True)
class FoundEdges:
    """Edges between start and stop, seconds from the start; see `EdgeLine` for the fields."""

    times_s: NDArray[np.float64]
    high_at_start: bool
    lost: tuple[tuple[float, float], ...]


def find(events: LineEvents, times: Times, *, high_when_read: bool, line: str) -> FoundEdges:
    """The edges of a line between start and stop.

    The level after an event is what the event says, whatever was lost before it. So an event that says what
    the one before it said is no edge, and a time in which edges were lost is from one event to the next.

    Args:
        events: All since the kernel began to watch.
        times: Of the record.
        high_when_read: The level that was read at the start.
        line: For messages.

    Raises:
        InstrumentError: Time stamps or numbers that can't be: another clock, or damage.
    """
    _check(events, times, line)
    stamps, rising = events.stamps_ns, events.rising
    missing = np.diff(events.numbers, prepend=0) > 1
    before = _level_before_first(events, times, high_when_read=high_when_read)
    is_edge = rising != np.concatenate(([before], rising[:-1]))
    doubtful = missing | ~is_edge
    since = np.concatenate(([times.start], stamps[:-1]))
    lost = tuple(
        (max(int(a) - times.start, 0) / 1e9, (min(int(b), times.stop) - times.start) / 1e9)
        for a, b in zip(since[doubtful], stamps[doubtful], strict=True)
        if b > times.start and a < times.stop
    )
    earlier = np.flatnonzero(stamps < times.start)
    high_at_start = bool(rising[earlier[-1]]) if len(earlier) else before
    within = is_edge & (stamps >= times.start) & (stamps <= times.stop)
    return FoundEdges((stamps[within] - times.start) / 1e9, high_at_start, lost)


def _level_before_first(events: LineEvents, times: Times, *, high_when_read: bool) -> bool:
    """The level before the first event.

    An event that comes about when the level is read may be in that reading already, so there the event
    decides; later ones can't be, and then the reading does.
    """
    nothing_sure = not len(events.numbers) or events.numbers[0] > 1
    if nothing_sure or events.stamps_ns[0] > times.levels_read + _RACE_NS:
        return high_when_read
    return not events.rising[0]


def _check(events: LineEvents, times: Times, line: str) -> None:
    stamps = events.stamps_ns
    if not len(stamps):
        return
    if (np.diff(stamps) < 0).any() or (np.diff(events.numbers, prepend=0) < 1).any():
        raise InstrumentError(
            f"the events of GPIO line {line} are out of order: time stamps or sequence numbers go back",
            fix="record again; if it stays so, the GPIO chip's driver is at fault: use another chip",
        )
    if stamps[0] < times.requested or stamps[-1] > times.fetched:
        wrong = stamps[0] if stamps[0] < times.requested else stamps[-1]
        raise InstrumentError(
            f"GPIO line {line} has an event stamped {wrong / 1e9:.6f} s, which is outside of the record"
            f" ({times.requested / 1e9:.6f} to {times.fetched / 1e9:.6f} s): another clock stamps its events",
            fix="update the kernel (5.10 or later stamps with CLOCK_MONOTONIC), or use another GPIO chip",
        )
