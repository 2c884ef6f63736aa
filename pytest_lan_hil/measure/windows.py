"""Marker line to windows: edges straight from the packed bits or from time stamps, then rise to fall.

Knows nothing of current and voltage. Times are seconds on the capture's clock; sample k of a line sampled at
rate r stands for [k/r, (k+1)/r), so an edge is known to one sample period, its resolution. What is wrong with
the edges of one line is in `measure.bounce`, what is wrong between lines in `measure.markers`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_lan_hil.measure.bounce import SHORTEST_PULSE_S, settle
from pytest_lan_hil.model.capture import Capture, EdgeLine, MarkerLine
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid

# Words of 64 samples looked at in one go: 512 KiB, so that the scratch arrays stay in the cache.
_CHUNK_WORDS = 1 << 16
_ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_SHIFT_1 = np.uint64(1)
_SHIFT_63 = np.uint64(63)


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one marker line, in order of time.

    Attributes:
        start_s: shape (n,), float64, rising edges in seconds of the capture's clock.
        stop_s: shape (n,), float64, the falling edges that belong to them.
        resolution_s: Sample period of the line or grid of its time stamps, wider by the longest bounce: each
            edge lies within this before its time.
        open_at_start: The line was high when the record began: that partial window is not among the n.
        open_at_end: The line was high when the record ended: likewise.
        edges: Number of edges seen, those of partial windows included, bounce not counted.
        jitter_s: 95 % half-width of what each time may be off beyond the resolution, independent of others.
        tie_s: 95 % half-width of what all times may be off together: the line's clock against the capture's.
        lost: Spans (start, stop), seconds, in which edges may be missing.
        timebase: Relative error of a window's length, see `EdgeLine`; None: that of the sample clock.
        notes: What was wrong with the line, and how it was treated.
    """

    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    resolution_s: float
    open_at_start: bool
    open_at_end: bool
    edges: int
    jitter_s: float = 0.0
    tie_s: float = 0.0
    lost: tuple[tuple[float, float], ...] = ()
    timebase: float | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def duration_s(self) -> NDArray[np.float64]:
        """Length of each window, shape (n,), seconds."""
        return self.stop_s - self.start_s


def find_edges(bits: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Indices of the samples that differ from the sample before them.

    Reads the packed bits 64 at a time and unpacks only the words that hold an edge, so a line that rarely
    changes costs a small part of one pass over the bits.

    Args:
        bits: shape (ceil(count / 8),), uint8, least significant bit first.
        count: Number of samples; bits after it are ignored.

    Returns:
        shape (edges,), int64, rising; sample 0 is never an edge.

    Raises:
        ValueError: `bits` is too short for `count`.
    """
    used = (count + 7) // 8
    if len(bits) < used:
        raise ValueError(f"{count} samples need {used} bytes of packed bits, got {len(bits)}")
    if count < 2:
        return np.empty(0, np.int64)
    whole = used // 8
    body = np.ascontiguousarray(bits[: whole * 8]).view("<u8")
    tail = np.zeros(8, np.uint8)
    tail[: used - whole * 8] = bits[whole * 8 : used]
    before = (bits[0] & 1) * _ONES
    found = []
    for first in range(0, whole, _CHUNK_WORDS):
        words = body[first : first + _CHUNK_WORDS]
        found.append(_edges_of_words(words, before) + first * 64)
        before = words[-1]
    found.append(_edges_of_words(tail.view("<u8"), before) + whole * 64)
    edges = np.concatenate(found)
    return edges[: int(np.searchsorted(edges, count))]


def _edges_of_words(words: NDArray[np.uint64], before: np.uint64) -> NDArray[np.int64]:
    """Edges in `words`, counted from their first bit; bit 63 of `before` is the sample before them."""
    changed = (words + _SHIFT_1) > _SHIFT_1  # neither all zeros nor (by wrapping) all ones
    changed[1:] |= words[1:] != words[:-1]
    changed[0] |= words[0] != before
    where = np.flatnonzero(changed)
    if not len(where):
        return np.empty(0, np.int64)
    some = words[where]
    previous = np.where(where > 0, words[where - 1], before)
    edges = some ^ ((some << _SHIFT_1) | (previous >> _SHIFT_63))
    flags = np.unpackbits(edges.astype("<u8").view(np.uint8), bitorder="little")
    hits = np.flatnonzero(flags.view(np.bool_))
    at: NDArray[np.int64] = where[hits >> 6] * 64 + (hits & 63)
    return at


def edge_times(line: MarkerLine | EdgeLine) -> NDArray[np.float64]:
    """When the line changed its level: shape (edges,), float64, rising, seconds on the capture's clock.

    Raises:
        MeasurementInvalid: The line's sample rate is not a positive number, or its time stamps don't rise.
    """
    if isinstance(line, EdgeLine):
        times = np.asarray(line.times_s, np.float64)
        if not np.isfinite(times).all() or (np.diff(times) < 0).any():
            raise MeasurementInvalid(
                "the time stamps of a marker line's edges do not rise, or are not numbers",
                fix="record again; the edge source's driver or the file is damaged",
            )
        return times
    if not (np.isfinite(line.sample_rate_hz) and line.sample_rate_hz > 0):
        raise MeasurementInvalid(
            f"a marker line was recorded at {line.sample_rate_hz} samples per second",
            fix="record again; a file with this rate is damaged",
        )
    return find_edges(line.bits, line.count) / line.sample_rate_hz


def starts_high(line: MarkerLine | EdgeLine) -> bool:
    """Was the line high before its first edge?"""
    if isinstance(line, EdgeLine):
        return line.high_at_start
    return bool(line.count) and bool(line.bits[0] & 1)


def watched_s(line: MarkerLine | EdgeLine) -> float:
    """Until when the line was recorded, seconds on the capture's clock."""
    return line.duration_s if isinstance(line, EdgeLine) else line.count / line.sample_rate_hz


def high_spans(line: MarkerLine | EdgeLine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Starts and stops of the times that the line was high, seconds, those that the record cuts included.

    Raises:
        MeasurementInvalid: See `edge_times`.
    """
    times = edge_times(line)
    if starts_high(line):
        times = np.concatenate((np.minimum(0.0, times[:1]) if len(times) else [0.0], times))
    if len(times) % 2:
        times = np.append(times, max(watched_s(line), float(times[-1])))
    return times[0::2], times[1::2]


def find_windows(
    line: MarkerLine | EdgeLine, *, name: str = "a marker line", shortest_s: float = SHORTEST_PULSE_S
) -> Windows:
    """The windows of a marker line. A line that never moves has none; that is not an error here.

    Args:
        line: The record.
        name: What messages and notes call it.
        shortest_s: Two edges closer together than this are a bounce, on a line that is wired.

    Raises:
        MeasurementInvalid: The line's sample rate is not a positive number, its time stamps don't rise, or it
            bounces too much (see `measure.bounce`).
    """
    times = edge_times(line)
    resolution_s = line.resolution_s if isinstance(line, EdgeLine) else 1.0 / line.sample_rate_hz
    open_at_start = starts_high(line)
    if isinstance(line, EdgeLine) and not line.wired:
        shortest_s = 0.0
    settled = settle(
        times, high_at_start=open_at_start, shortest_s=shortest_s, resolution_s=resolution_s, name=name
    )
    complete = settled.times_s[1:] if open_at_start else settled.times_s
    if len(complete) % 2:
        complete = complete[:-1]
    return Windows(
        start_s=complete[0::2],
        stop_s=complete[1::2],
        resolution_s=resolution_s + settled.bounce_s,
        open_at_start=open_at_start,
        open_at_end=open_at_start != bool(len(times) % 2),
        edges=len(settled.times_s),
        jitter_s=line.jitter_s if isinstance(line, EdgeLine) else 0.0,
        tie_s=line.tie_s if isinstance(line, EdgeLine) else 0.0,
        lost=line.lost if isinstance(line, EdgeLine) else (),
        timebase=line.timebase if isinstance(line, EdgeLine) else None,
        notes=settled.notes,
    )


def windows_between(stamps_s: ArrayLike, resolution_s: float) -> Windows:
    """Windows between time stamps that a file lists: window k spans stamps k - 1 to k, counted from 1.

    Args:
        stamps_s: shape (n,), n > 1, seconds on the capture's clock.
        resolution_s: What the stamps were rounded to.

    Raises:
        InputError: Fewer than two stamps, one that is not a finite number or is not later than the one
            before it, or a resolution that is negative or not finite.
    """
    stamps = np.asarray(stamps_s, np.float64)
    if stamps.ndim != 1 or len(stamps) < 2:
        raise InputError(
            f"windows between time stamps: got {stamps.size} of them",
            fix="give at least two: one where the first window starts, one where it stops",
        )
    if not (np.isfinite(resolution_s) and resolution_s >= 0):
        raise InputError(
            f"windows between time stamps: their resolution is {resolution_s} s",
            fix="give what they were rounded to, in seconds, for instance 0.001",
        )
    bad = np.flatnonzero(~np.isfinite(stamps))
    if bad.size:
        raise InputError(
            f"time stamp {bad[0] + 1} of {len(stamps)} is {stamps[bad[0]]}, not a number of seconds",
            fix="correct the file of time stamps",
        )
    back = np.flatnonzero(np.diff(stamps) <= 0)
    if back.size:
        k = int(back[0])
        raise InputError(
            f"time stamp {k + 2} of {len(stamps)} ({stamps[k + 1]:.6f} s) is not later than the one before it"
            f" ({stamps[k]:.6f} s)",
            fix="correct the file of time stamps: each must be later than the one before it",
        )
    return Windows(
        start_s=stamps[:-1],
        stop_s=stamps[1:],
        resolution_s=resolution_s,
        open_at_start=False,
        open_at_end=False,
        edges=len(stamps),
    )


def windows_of(capture: Capture, marker: str, *, shortest_s: float = SHORTEST_PULSE_S) -> Windows:
    """The windows of one of the capture's marker lines; at least one.

    Args:
        capture: The record.
        marker: Name of the line.
        shortest_s: See `find_windows`.

    Raises:
        MeasurementInvalid: The capture is empty, has no such line, or the line shows no complete window;
            says how many edges were seen and what to check.
    """
    if marker not in capture.markers:
        known = ", ".join(sorted(capture.markers)) or "none"
        raise MeasurementInvalid(
            f"the capture has no marker line {marker!r} (it has: {known})",
            fix=f'name the analyzer\'s input in the bench file: [markers] {marker} = "gpi0"',
        )
    line = capture.markers[marker]
    if not capture.count or not watched_s(line) > 0:
        raise MeasurementInvalid(
            "the capture is empty: the analyzer delivered no samples",
            fix="check the analyzer's USB connection, then run `lan-hil doctor`",
        )
    windows = find_windows(line, name=f"marker line {marker!r}", shortest_s=shortest_s)
    if len(windows):
        return windows
    seen = f"marker line {marker!r}: seen {windows.edges} edge{'' if windows.edges == 1 else 's'}"
    seen += f" in {watched_s(line):.3f} s, expected at least one rise and one fall"
    seen += "".join(f"; {note}" for note in windows.notes)
    if windows.lost:
        raise MeasurementInvalid(
            f"{seen}; edges may be missing in {len(windows.lost)} place{'s' if len(windows.lost) > 1 else ''}"
            f" (first from {windows.lost[0][0]:.6f} s)",
            fix="make the source's buffer larger, or keep the host less busy while it records",
        )
    if windows.edges == 0:
        level = "high" if windows.open_at_start else "low"
        raise MeasurementInvalid(
            f"{seen}; the line stayed {level} all the time",
            fix=f"check that the firmware drives {marker!r} around its work, the wire from that pin to the"
            " analyzer's input, common ground, and the analyzer's input voltage reference (Vref)",
        )
    if windows.open_at_end:
        raise MeasurementInvalid(
            f"{seen}; it rose and never fell",
            fix="the work did not end while recording: record longer, or look for a hang or fault of the"
            " DUT in its console",
        )
    raise MeasurementInvalid(
        f"{seen}; it was already high at the start and fell without rising again",
        fix="start recording before the work starts, and let it run at least once more",
    )
