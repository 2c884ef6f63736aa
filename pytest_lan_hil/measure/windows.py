"""Marker line to windows: edges straight from the packed bits, then rising edge to falling edge.

Knows nothing of current and voltage. Times are seconds on the capture's clock; sample k of a line sampled at
rate r stands for [k/r, (k+1)/r), so an edge is known to one sample period, its resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.capture import Capture, MarkerLine
from pytest_lan_hil.model.errors import MeasurementInvalid

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
        resolution_s: Sample period of the line: each edge lies within one of these before its time.
        open_at_start: The line was high in the first sample: that partial window is not among the n.
        open_at_end: The line was high in the last sample: likewise.
        edges: Number of edges seen, those of partial windows included.
    """

    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    resolution_s: float
    open_at_start: bool
    open_at_end: bool
    edges: int

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
    hits = np.flatnonzero(flags)
    at: NDArray[np.int64] = where[hits >> 6] * 64 + (hits & 63)
    return at


def find_windows(line: MarkerLine) -> Windows:
    """The windows of a marker line. A line that never moves has none; that is not an error here.

    Raises:
        MeasurementInvalid: The line's sample rate is not a positive number.
    """
    if not (np.isfinite(line.sample_rate_hz) and line.sample_rate_hz > 0):
        raise MeasurementInvalid(
            f"a marker line was recorded at {line.sample_rate_hz} samples per second",
            fix="record again; a file with this rate is damaged",
        )
    edges = find_edges(line.bits, line.count)
    open_at_start = bool(line.count) and bool(line.bits[0] & 1)
    open_at_end = bool(line.count) and open_at_start != bool(len(edges) % 2)
    complete = edges[1:] if open_at_start else edges
    if len(complete) % 2:
        complete = complete[:-1]
    times = complete / line.sample_rate_hz
    return Windows(
        start_s=times[0::2],
        stop_s=times[1::2],
        resolution_s=1.0 / line.sample_rate_hz,
        open_at_start=open_at_start,
        open_at_end=open_at_end,
        edges=len(edges),
    )


def windows_of(capture: Capture, marker: str) -> Windows:
    """The windows of one of the capture's marker lines; at least one.

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
    if not line.count or not len(capture.current_a):
        raise MeasurementInvalid(
            "the capture is empty: the analyzer delivered no samples",
            fix="check the analyzer's USB connection, then run `lan-hil doctor`",
        )
    windows = find_windows(line)
    if len(windows):
        return windows
    seen = f"marker line {marker!r}: seen {windows.edges} edge{'' if windows.edges == 1 else 's'}"
    seen += f" in {line.count / line.sample_rate_hz:.3f} s, expected at least one rise and one fall"
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
