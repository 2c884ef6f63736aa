"""JLS v2 files as captures: those of this package, of the Joulescope UI and of `pyjoulescope_driver.Record`.

A file may be longer than memory: what is too long for it is read piece by piece into a file of its own that
nobody else sees, so that arithmetic over hours works on arrays all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments import jls_time
from pytest_lan_hil.instruments.assembly import gaps_of
from pytest_lan_hil.instruments.jls_format import CURRENT, POWER, RANGE, VOLTAGE, input_named, signal_named
from pytest_lan_hil.instruments.jls_memory import IN_MEMORY
from pytest_lan_hil.instruments.jls_open import Opened, open_jls
from pytest_lan_hil.instruments.jls_samples import Signal, hold_level, read_analog, read_bits, read_ranges
from pytest_lan_hil.instruments.jls_write import write_jls
from pytest_lan_hil.model.capture import Capture, EdgeLine, Gap, MarkerLine, RangeRuns
from pytest_lan_hil.model.errors import InputError

__all__ = ["JlsSignal", "jls_signals", "read_jls", "write_jls"]

# Signals of one clock agree on UTC to what the driver's map moves within a recording (unconfirmed; a file
# whose signals count from different origins is off by far more).
_SAME_CLOCK_S = 1e-3


@dataclass(frozen=True, slots=True)
class JlsSignal:
    """One signal of a file.

    Attributes:
        name: "current", "voltage", "power", "current_range", "gpi0" …, or as the file has it.
        rate_hz: Samples a second.
        count: Number of samples, lost ones included.
        marker: The marker line that was recorded on it, where this package wrote the file, else "".
    """

    name: str
    rate_hz: float
    count: int
    marker: str = ""


def jls_signals(path: Path | str) -> tuple[JlsSignal, ...]:
    """What a JLS file holds.

    Raises:
        InputError: It can't be read.
    """
    with open_jls(Path(path)) as file:
        markers = {signal: marker for marker, signal in file.header.markers.items()}
        found = [
            JlsSignal(input_named(name), float(signal.rate_hz), signal.count, markers.get(name, ""))
            for name, signal in file.signals.items()
        ]
        edges = [JlsSignal(name, 0.0, len(line.times_s), name) for name, line in file.header.edges.items()]
        return (*found, *edges)


def read_jls(
    path: Path | str,
    *,
    markers: Mapping[str, str],
    supply_v: float | None = None,
    start_s: float | None = None,
    stop_s: float | None = None,
    in_memory: int = IN_MEMORY,
) -> Capture:
    """The capture that a JLS file holds: current and voltage, or power alone; marker lines; ranges; UTC.

    Samples that are missing or NaN become gaps.

    Args:
        path: Written by `write_jls` or a stream of this package, the Joulescope UI or pyjoulescope_driver.
        markers: Marker line name to the signal it was recorded on ("gpi0", "trigger"; see `jls_signals`),
            or to the name that it had when this package recorded it.
        supply_v: For a file with current and neither voltage nor power.
        start_s, stop_s: The part to read, in seconds from the beginning of the record; all by default.
        in_memory: Signals of more samples than this are kept in a temporary file.

    Raises:
        InputError: The file is damaged, truncated or foreign, or does not hold what is asked for.
    """
    with open_jls(Path(path)) as file:
        analog = _analog(file, supply_v)
        lines = {marker: _line(file, marker, name) for marker, name in markers.items()}
        sampled = [line for line in lines.values() if isinstance(line, Signal)]
        ranged = [file.signals[RANGE]] if file.header.range_indices and RANGE in file.signals else []
        _check_clock(file, [*analog, *sampled])
        first, count = _span(file, [*analog, *sampled], start_s, stop_s)
        rate = analog[0].rate_hz
        origin = Fraction(analog[0].offset + first) / rate  # of the capture's time 0, on the file's clock
        arrays, spans = [], []
        for signal in analog:
            array, missing = read_analog(file.reader, signal, _index(signal, origin), count, in_memory)
            arrays.append(array)
            spans += missing
        gaps = gaps_of([*spans, *_lost(file, [*analog, *sampled, *ranged], origin, rate)], 0, 1, count)
        for gap in gaps:
            for array in arrays:
                array[gap.start : gap.stop] = np.nan
        found = {
            marker: _cut(line, float(origin), count / float(rate))
            if isinstance(line, EdgeLine)
            else _marker(file, line, origin, Fraction(count) / rate, gaps, rate, in_memory)
            for marker, line in lines.items()
        }
        by_name = dict(zip((signal.name for signal in analog), arrays, strict=True))
        nothing = np.empty(0, np.float32)
        supply, voltage_v = file.header.supply, by_name.get(VOLTAGE, nothing)
        if supply_v is not None and CURRENT in by_name and VOLTAGE not in by_name:
            supply, voltage_v = "assumed", np.broadcast_to(np.float32(supply_v), count)
        return Capture(
            sample_rate_hz=float(rate),
            current_a=by_name.get(CURRENT, nothing),
            voltage_v=voltage_v,
            power_w=by_name.get(POWER),
            instrument=file.header.instrument,
            accuracy=file.header.accuracy,
            markers=found,
            gaps=gaps,
            supply=supply,
            complete=file.complete,
            ranges=_ranges(file, origin, count, rate),
            time_map=jls_time.map_of(file.reader, analog[0], first),
            notes=file.header.notes + ((file.problem,) if file.problem else ()),
        )


def _analog(file: Opened, supply_v: float | None) -> list[Signal]:
    """Current and voltage, or power alone, or current alone where a supply voltage is given."""
    signals = file.signals
    if CURRENT in signals and VOLTAGE in signals:
        pair = [signals[CURRENT], signals[VOLTAGE]]
        if pair[0].rate_hz != pair[1].rate_hz:
            raise InputError(
                f"{file.path}: current has {float(pair[0].rate_hz):g} samples a second, voltage"
                f" {float(pair[1].rate_hz):g}",
                fix="record both at one rate",
            )
    elif POWER in signals:
        pair = [signals[POWER]]
    elif CURRENT in signals and supply_v is not None:
        pair = [signals[CURRENT]]
    else:
        lacks = VOLTAGE if CURRENT in signals else CURRENT if VOLTAGE in signals else "current and voltage"
        raise InputError(
            f"{file.path} lacks {lacks}; it has: {_names(file.signals)}",
            fix="give the supply voltage (--supply-v 3.0, or in a bench replay:FILE?supply_v=3.0), or record"
            " the voltage too"
            if lacks == VOLTAGE
            else "record current and voltage, or power",
        )
    for signal in pair:
        if signal.data_type not in ("f32", "f64"):
            raise InputError(
                f"{file.path}: samples of {signal.name} are {signal.data_type}, only f32 and f64 are read",
                fix="export the record from the Joulescope UI",
            )
    return pair


def _line(file: Opened, marker: str, name: str) -> Signal | EdgeLine:
    """The signal, or the time stamps, of a marker line."""
    if name in file.header.edges:
        return file.header.edges[name]
    # Some tools name the signal as bench files name the input.
    places = (file.header.markers.get(name, ""), signal_named(name), name)
    signal = next((file.signals[place] for place in places if place in file.signals), None)
    digital = [other for other, one in file.signals.items() if one.data_type == "u1"]
    known = _names([*digital, *file.header.edges])
    fix = (
        f"name one of its digital lines: {known}" if known else "choose a file that recorded the marker line"
    )
    if signal is None:
        raise InputError(f"{file.path} has no signal {name!r} for marker line {marker!r}", fix=fix)
    if signal.data_type != "u1":
        raise InputError(
            f"{file.path}: {name!r} is no digital line, so it can't be marker line {marker!r}", fix=fix
        )
    return signal


def _names(signals: Iterable[str]) -> str:
    return ", ".join(map(input_named, signals))


def _check_clock(file: Opened, signals: Sequence[Signal]) -> None:
    """Sample ids must count from one origin, or marker lines would be shifted against the current."""
    origins = {signal.name: jls_time.origin_of(file.reader, signal) for signal in signals}
    known = {name: origin for name, origin in origins.items() if origin is not None}
    if known and max(known.values()) - min(known.values()) > _SAME_CLOCK_S:
        shown = ", ".join(f"{input_named(name)} {origin:.6f}" for name, origin in known.items())
        raise InputError(
            f"{file.path}: its signals are not on one clock; UTC of sample id 0: {shown}",
            fix="export the record again, with all signals at once",
        )


def _span(
    file: Opened, signals: Sequence[Signal], start_s: float | None, stop_s: float | None
) -> tuple[int, int]:
    """First sample (from the start of its signal) and number of samples of what is to be read."""
    analog = signals[0]
    begin = max(Fraction(signal.offset) / signal.rate_hz for signal in signals)
    end = min(Fraction(signal.offset + signal.count) / signal.rate_hz for signal in signals)
    first = math.ceil(begin * analog.rate_hz) - analog.offset
    last = math.floor(end * analog.rate_hz) - analog.offset
    if last <= first:
        raise InputError(f"{file.path}: its signals were never recorded at the same time", fix="record again")
    low, high = 0, last - first
    duration_s = high / float(analog.rate_hz)
    for name, at in (("start", start_s), ("stop", stop_s)):
        if at is not None and not 0 <= at <= duration_s * (1 + 1e-9):
            raise InputError(
                f"{file.path}: {name} at {at:g} s is not within the record of {duration_s:g} s",
                fix=f"give a time between 0 and {duration_s:g}",
            )
    if start_s is not None:
        low = round(start_s * float(analog.rate_hz))
    if stop_s is not None:
        high = min(high, round(stop_s * float(analog.rate_hz)))
    if high <= low:
        raise InputError(
            f"{file.path}: there is nothing between {start_s or 0:g} s and"
            f" {high / float(analog.rate_hz):g} s",
            fix="give a stop after the start",
        )
    return first + low, high - low


def _index(signal: Signal, at: Fraction) -> int:
    """Number, in the signal, of the sample taken at a time of the file's clock."""
    return math.floor(at * signal.rate_hz) - signal.offset


def _lost(file: Opened, signals: Sequence[Signal], origin: Fraction, rate: Fraction) -> list[tuple[int, int]]:
    """What the file says to be lost of these signals, as samples of the capture."""
    by_name = {signal.name: signal for signal in signals}
    spans = []
    for name, start, stop in file.lost:
        if name in by_name:
            own = by_name[name].rate_hz
            low, high = (start / own - origin) * rate, (stop / own - origin) * rate
            spans.append((math.floor(low), math.ceil(high)))
    return spans


def _marker(
    file: Opened,
    signal: Signal,
    origin: Fraction,
    duration: Fraction,
    gaps: Sequence[Gap],
    rate: Fraction,
    in_memory: int,
) -> MarkerLine:
    first = _index(signal, origin)
    count = min(math.floor(duration * signal.rate_hz), signal.count - first)
    bits = read_bits(file.reader, signal, first, count, in_memory)
    # What is missing of a digital line reads as low where others wrote the file.
    for gap in () if file.ours else gaps:
        low, high = (math.floor(at / rate * signal.rate_hz) for at in (gap.start, gap.stop))
        hold_level(bits, low, min(count, high))
    return MarkerLine(bits, count, float(signal.rate_hz))


def _cut(line: EdgeLine, start_s: float, duration_s: float) -> EdgeLine:
    """The part of a line from `start_s` on."""
    if not start_s and duration_s >= line.duration_s:
        return line
    low, high = np.searchsorted(line.times_s, [start_s, start_s + duration_s])
    return replace(
        line,
        times_s=line.times_s[low:high] - start_s,
        high_at_start=line.high_at_start ^ bool(low % 2),
        duration_s=min(line.duration_s - start_s, duration_s),
        lost=tuple(
            (max(0.0, a - start_s), min(duration_s, b - start_s))
            for a, b in line.lost
            if b > start_s and a < start_s + duration_s
        ),
    )


def _ranges(file: Opened, origin: Fraction, count: int, rate: Fraction) -> RangeRuns | None:
    """The ranges where this package wrote them.

    pyjoulescope_driver's `Record` (2.2) hands one code a byte to a signal of two codes a byte, so what
    others wrote can't be trusted.
    """
    signal = file.signals.get(RANGE)
    if signal is None or not file.header.range_indices or signal.data_type != "u4":
        return None
    first = _index(signal, origin)
    needed = math.ceil(count / rate * signal.rate_hz)
    if first < 0 or first + needed > signal.count:
        return None
    indices: NDArray[np.int64] = np.array(file.header.range_indices, np.int64)
    return read_ranges(file.reader, signal, first, needed, indices, rate / signal.rate_hz)
