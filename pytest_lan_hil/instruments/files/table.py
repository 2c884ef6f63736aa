"""The numbers of a CSV of samples, read in pieces and put on an even grid of time.

numpy parses the numbers (about two million rows a second), a quarter of a million rows at a time; what grows
with the file is one float32 per sample and signal, and one byte per sample and marker line.
"""

from __future__ import annotations

import itertools
import math
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.files.header import Header, read_header
from pytest_lan_hil.model.capture import Accuracy
from pytest_lan_hil.model.errors import InputError

_ROWS = 1 << 18
_ROW_OF = re.compile(r"at row (\d+)")
_TAIL = 1 << 14
# A rate of more digits than this is as it is.
_ROUND_DIGITS = 9


def read_rows(path: Path, header: Header, columns: Sequence[int]) -> Iterator[NDArray[np.float64]]:
    """The numbers of some columns, in pieces of shape (up to 262,144, columns).

    Raises:
        InputError: Something is no number, or a line is too short; names the line.
    """
    done = 0
    with path.open(encoding="utf-8-sig") as stream:
        for _ in range(header.lines):
            next(stream)
        while True:
            lines = itertools.islice(stream, _ROWS)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # "input contained no data": the end
                    rows = np.loadtxt(lines, delimiter=",", comments="#", usecols=columns, ndmin=2)
            except ValueError as error:
                where = _place_of(str(error), header.lines + done)
                raise InputError(
                    f"{path}, {where}: {str(error).split(';')[0]}", fix="the file is damaged: export it again"
                ) from error
            if not len(rows):
                return
            done += len(rows)
            yield rows


@dataclass(frozen=True, slots=True)
class Samples:
    """Columns on one grid of time.

    Attributes:
        sample_rate_hz: Of the grid.
        rate_error: Relative 95 % half-width of it: the times are rounded.
        signals: Name to shape (n,), float32; NaN where samples are missing.
        levels: Name to shape (n,), uint8, 0 or 1; a missing sample has the level before it.
        gaps: First sample missing and first one after, of each run that is missing in any signal.
    """

    sample_rate_hz: float
    rate_error: float
    signals: Mapping[str, NDArray[np.float32]]
    levels: Mapping[str, NDArray[np.uint8]]
    gaps: tuple[tuple[int, int], ...]

    def timed(self, accuracy: Accuracy) -> Accuracy:
        """The error limits of who recorded the table, with what its rounded times leave open."""
        return replace(
            accuracy,
            timebase=math.hypot(accuracy.timebase, self.rate_error),
            source=f"{accuracy.source}; sample rate told by rounded times",
        )


def first_time_s(path: Path) -> float:
    """The time of a table's first row, seconds: where its own clock is when the record begins.

    Raises:
        InputError: It can't be read, or is no number.
    """
    header = read_header(path)
    named = (header.place(name) for name in ("time", "timestamp"))
    place = next(one for one in named if one is not None)
    rows = next(read_rows(path, header, [place]))
    return float(rows[0, 0]) * header.factor(place, "s")


def on_grid(
    path: Path,
    header: Header,
    *,
    time: tuple[int, float],
    signals: Mapping[str, tuple[int, float]],
    levels: Mapping[str, tuple[int, int]],
) -> Samples:
    """Read a table whose rows have a time each, and put them on an even grid.

    Args:
        path: The file.
        header: Its header.
        time: Column of the times, and their factor to seconds.
        signals: Name to its column and factor.
        levels: Marker line to its column and the decimal digit (from the right, 0) that is its level.

    Raises:
        InputError: Times that don't rise or aren't even, an infinite sample, a level besides 0 and 1, a last
            line that may be cut short.
    """
    _require_whole(path, header)
    used = sorted(
        {time[0], *(place for place, _ in signals.values()), *(place for place, _ in levels.values())}
    )
    at = {column: k for k, column in enumerate(used)}
    grid = _Grid(path, header.lines, 10.0**-header.digits * time[1])
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in signals}
    bits: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in levels}
    for rows in read_rows(path, header, used):
        start = grid.rows
        places = grid.place(rows[:, at[time[0]]] * time[1])
        for name, (column, factor) in signals.items():
            values = rows[:, at[column]] * factor
            _require_not_infinite(path, name, values, header.lines + start + 1)
            found[name].append(_spread(values, places))
        for name, (column, digit) in levels.items():
            level = np.floor(rows[:, at[column]] / 10.0**digit) % 10
            bits[name].append(_held(_levels(path, name, level, header.lines + start + 1), places, bits[name]))
    rate_hz, rate_error = grid.rate()
    joined = {name: np.concatenate(pieces) for name, pieces in found.items()}
    missing = np.zeros(grid.samples, bool)
    for samples in joined.values():
        missing |= np.isnan(samples)
    if missing.all():
        raise InputError(f"{path}: every sample is missing (NaN)", fix="export or record it again")
    for samples in joined.values():
        samples[missing] = np.nan
    borders = np.flatnonzero(np.diff(missing, prepend=False, append=False)).tolist()
    return Samples(
        rate_hz,
        rate_error,
        joined,
        {name: np.concatenate(pieces) for name, pieces in bits.items()},
        tuple(zip(borders[0::2], borders[1::2], strict=True)),
    )


class _Grid:
    """Times row by row to places on an even grid; a jump is a run of missing samples."""

    # More missing than this (or than ten times what is there) is a clock that was set, not a gap.
    _MOST_MISSING = 10_000_000

    def __init__(self, path: Path, header_lines: int, resolution_s: float) -> None:
        self.rows = self.samples = 0
        self._path, self._lines, self._resolution_s = path, header_lines, resolution_s
        self._first_s = self._last_s = self._step_s = self._rounding_s = 0.0

    def place(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of each row among the samples from the first row of this piece on."""
        if not self.rows:
            self._step_s = self._step_of(times_s)
            per_step = self._step_s / self._resolution_s
            if abs(per_step - round(per_step)) > 0.01 and per_step < 10:
                self._rounding_s = self._resolution_s  # a step takes turns between two multiples of it
            self._first_s, self._last_s = float(times_s[0]), float(times_s[0]) - self._step_s
        ahead = np.diff(times_s, prepend=self._last_s)
        slack_s = 0.5 * self._step_s + self._rounding_s
        with np.errstate(invalid="ignore"):
            uneven = ~(ahead >= self._step_s - slack_s)
            if not self._rounding_s:
                uneven |= ~(ahead > 0)
        if uneven.any():
            k = int(np.argmax(uneven))
            before = times_s[k - 1] if k else self._last_s
            raise InputError(
                f"{self._path}, line {self._lines + self.rows + k + 1}: time {times_s[k]:.9g} s follows"
                f" {before:.9g} s, expected a step of {self._step_s:.9g} s",
                fix="the samples must be in order and evenly spaced: export it again",
            )
        steps = np.where(ahead > self._step_s + slack_s, np.rint(ahead / self._step_s), 1).astype(np.int64)
        places: NDArray[np.int64] = np.cumsum(steps) - 1
        missing = int(places[-1]) + 1 - len(times_s)
        if missing > max(self._MOST_MISSING, 10 * (self.rows + len(times_s))):
            k = int(np.argmax(steps))
            raise InputError(
                f"{self._path}, line {self._lines + self.rows + k + 1}: the time jumps by {ahead[k]:.6g} s",
                fix="this can't be one record: cut the file there",
            )
        self.rows += len(times_s)
        self.samples += int(places[-1]) + 1
        self._last_s = float(times_s[-1])
        return places

    def rate(self) -> tuple[float, float]:
        """Samples per second over the whole file, and its relative error limit.

        First and last time are rounded, so the rate lies anywhere within one resolution in the span of both;
        the roundest number there is taken, which may be that much off to the other side.
        """
        span_s = self._last_s - self._first_s
        rate = (self.samples - 1) / span_s
        error = self._resolution_s / span_s + 1e-9
        for digits in range(_ROUND_DIGITS):
            roundest = float(f"{rate:.{digits}e}")
            if abs(roundest - rate) <= error * rate:
                return roundest, 2 * error
        return rate, error

    def _step_of(self, times_s: NDArray[np.float64]) -> float:
        """The usual step. Taken over many rows at once, because times may be rounded to about a step."""
        if len(times_s) < 2:
            raise InputError(f"{self._path} holds one sample, which has no sample rate", fix="record longer")
        stride = min(1000, max(1, len(times_s) // 4))
        step = float(np.median(times_s[stride:] - times_s[:-stride])) / stride
        if not (np.isfinite(step) and step > 0):
            raise InputError(
                f"{self._path}: its times do not rise: {times_s[0]:.9g} s, then {times_s[1]:.9g} s",
                fix="the samples must be in order and evenly spaced: export it again",
            )
        if np.ptp(np.diff(times_s)) > 0 and self._resolution_s < 0.1 * step:
            step = float(np.median(np.diff(times_s)))  # a gap within the stride does not count
        return step


def _require_whole(path: Path, header: Header) -> None:
    """Refuse a last line without its newline, unless its last field is as long as in the lines before it.

    A figure that is cut short is a figure too: "0.0101" may be left of "0.010137".
    """
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _TAIL))
        tail = stream.read().decode("utf-8", errors="replace")
    if not tail or tail[-1] in "\r\n":
        return
    *before, last = tail.splitlines()[1 if size > _TAIL else header.lines :]
    if {_shape(line) for line in before} != {_shape(last)}:
        raise InputError(
            f"{path}: its last line, {last[:80]!r}, has no newline at its end: it may be cut short",
            fix="export it again; if the file is whole, put a newline at its end",
        )


def _shape(line: str) -> tuple[int, int]:
    """How many fields a line has, and how many characters of the last one can't be missing unnoticed."""
    fields = line.split(",")
    figure, point, decimals = fields[-1].strip().partition(".")
    return len(fields), len(decimals) if point else len(figure)


def _spread(values: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float32]:
    if int(places[-1]) + 1 == len(values):
        return values.astype(np.float32)
    samples = np.full(int(places[-1]) + 1, np.nan, np.float32)
    samples[places] = values
    return samples


def _held(
    levels: NDArray[np.uint8], places: NDArray[np.int64], before: Sequence[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """The levels on the grid; a missing sample has the level before it."""
    if int(places[-1]) + 1 == len(levels):
        return levels
    source = np.searchsorted(places, np.arange(int(places[-1]) + 1), side="right") - 1
    held: NDArray[np.uint8] = levels[np.maximum(source, 0)]
    if before:
        held[source < 0] = before[-1][-1]
    return held


def _levels(path: Path, name: str, level: NDArray[np.float64], first_line: int) -> NDArray[np.uint8]:
    bad = np.flatnonzero(~((level == 0) | (level == 1)))
    if bad.size:
        raise InputError(
            f"{path}, line {first_line + bad[0]}: the level of {name} is neither 0 nor 1",
            fix="export every sample, with its digital channels",
        )
    return level.astype(np.uint8)


def _require_not_infinite(path: Path, name: str, values: NDArray[np.float64], first_line: int) -> None:
    bad = np.flatnonzero(np.isinf(values))
    if bad.size:
        raise InputError(
            f"{path}, line {first_line + bad[0]}: {name} is {values[bad[0]]}",
            fix="the file is damaged, or the instrument was overloaded",
        )


def _place_of(problem: str, lines_before: int) -> str:
    """Which line numpy means; it counts from 0, but from 1 where a line is too short."""
    row = _ROW_OF.search(problem)
    if row is None:
        return f"after line {lines_before}"
    return f"line {lines_before + int(row[1]) + (0 if 'column index' in problem else 1)}"
