"""Marker lines of a program of this host as an edge source: `markers:FILE`.

    edges = "markers:{scratch}/lan.markers"      console = "exec:{image} --markers {scratch}/lan.markers"

The program stamps each edge with CLOCK_MONOTONIC as it passes it, and puts it into a ring in a file that
both map (layout: firmware/desktop/markers.h). The file is made here, before the program starts, and a thread
empties the ring while a record is made. Edges carry numbers, so that those which found the ring full are
known to be missing, and when. Lines are named as in the firmware: `inference`, `phase`.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.gpiod_edges import LineEvents, Times, find
from pytest_lan_hil.instruments.rapl import PackageReading, package_remark, read_packages
from pytest_lan_hil.instruments.registry import AnalyzerUri
from pytest_lan_hil.model.capture import EdgeLine, EdgeRecord, InstrumentIdentity
from pytest_lan_hil.model.clock import HOST_CLOCK, HOST_TIMEBASE, Clock
from pytest_lan_hil.model.errors import InputError, InstrumentError

LINES = {"inference": 0, "phase": 1}
#: Events of the ring, 1 MiB: more than a quarter of a second of 9 us inferences back to back.
CAPACITY = 1 << 16

_MAGIC = b"LANMARK1"
_HEADER_BYTES = 128
_TAKEN_AT = 24
# magic, capacity, bytes of an event, written, taken, edges and level of each line, resolution, cost, process
_HEADER = struct.Struct("=8sIIQQ2I2IQQI")
_U64 = struct.Struct("=Q")
_EVENT = np.dtype([("stamp_ns", "=u8"), ("line", "=u2"), ("level", "=u2"), ("number", "=u4")])
_PERIOD_S = 0.05
# An edge is stamped before it is put into the ring, and the program may be suspended in between.
_SUSPENDED_NS = 1_000_000_000


class _Header:
    """The ring's header as it is at one moment."""

    def __init__(self, memory: mmap.mmap) -> None:
        fields = _HEADER.unpack_from(memory)
        self.written: int = fields[3]
        self.numbers: tuple[int, ...] = fields[5:7]
        self.levels: tuple[int, ...] = fields[7:9]
        self.resolution_ns: int = fields[9]
        self.cost_ns: int = fields[10]


class MarkerRing:
    """The reading end of a ring.

    Args:
        path: The file; made anew, with folders that only this user may enter.

    Raises:
        InstrumentError: It can't be made.
    """

    def __init__(self, path: Path, capacity: int = CAPACITY) -> None:
        self.path = path
        self._capacity = capacity
        size = _HEADER_BYTES + capacity * _EVENT.itemsize
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            # Exclusive: nobody's link in a folder of others is followed.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.truncate(descriptor, size)
                self._memory = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InstrumentError(
                f"making the ring of marker edges {path}: {error.strerror or error}",
                fix="name another file in the bench's `edges` and `console`, or mend the permissions",
            ) from error
        _HEADER.pack_into(self._memory, 0, _MAGIC, capacity, _EVENT.itemsize, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        self._events = np.frombuffer(self._memory, _EVENT, capacity, _HEADER_BYTES)
        self._events.view(np.uint8)[:] = 0  # every page is there before the program stores into it
        # Between reading how many events there are and reading them: a processor may reorder the two.
        self._fence = threading.Lock()

    def header(self) -> _Header:
        """The header as it is now."""
        with self._fence:
            return _Header(self._memory)

    def take(self) -> tuple[NDArray[np.void], bool]:
        """Every event since the last call, their places free again; and whether the ring was full."""
        written = self.header().written
        (taken,) = _U64.unpack_from(self._memory, _TAKEN_AT)
        with self._fence:
            events = self._events[np.arange(taken, written) % self._capacity]
            _U64.pack_into(self._memory, _TAKEN_AT, written)
        return events, written - taken >= self._capacity

    def close(self) -> None:
        """Let go of the file and remove it."""
        del self._events
        self._memory.close()
        with contextlib.suppress(OSError):
            self.path.unlink()
            self.path.parent.rmdir()


class MarkersSource:
    """Marker lines of a program. See `instruments.base.EdgeSource`; made by `open_markers`.

    Args:
        ring: Closed by `close`.
        lines: Marker line name to the program's line.
    """

    def __init__(self, ring: MarkerRing, lines: Mapping[str, str]) -> None:
        self._ring: MarkerRing | None = ring
        self._lines = {name: LINES[line] for name, line in lines.items()}
        self._recorder: _Recorder | None = None
        self._packages = PackageReading({})
        self.identity = InstrumentIdentity(
            model="marker edges stamped by the program, CLOCK_MONOTONIC,",
            serial=ring.path.name,
            notes=(
                "edges are stamped by the program itself in this host's time, whatever else ran on it; what a"
                " stamp takes is measured as the program starts, and is part of the uncertainty",
            ),
        )

    @property
    def capabilities(self) -> frozenset[str]:
        """Edges, if any line is wired."""
        return frozenset({"edges"} if self._lines else ())

    @property
    def clock(self) -> Clock:
        """The host's."""
        return HOST_CLOCK

    def start(self) -> None:
        """Begin a record; see `EdgeSource`.

        Raises:
            InstrumentError: One is under way, or the source is closed.
        """
        if self._recorder is not None:
            raise InstrumentError(f"{self.identity} is recording already", fix="stop the first record first")
        if self._ring is None:
            raise InstrumentError(f"{self.identity} is closed", fix="open it again")
        self._packages = read_packages()
        self._recorder = _Recorder(self._ring)

    def stop(self) -> EdgeRecord:
        """End the record; see `EdgeSource`.

        Raises:
            InstrumentError: No record was started, or its events can't be (see `gpiod_edges.find`).
        """
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            raise InstrumentError(f"{self.identity} is not recording", fix="call start first")
        times, events, end = recorder.end()
        lines = {
            name: self._edges(name, line, times, events[events["line"] == line], recorder, end)
            for name, line in self._lines.items()
        }
        drawn = package_remark(self._packages, read_packages(), (times.stop - times.start) / 1e9)
        identity = replace(self.identity, notes=(*self.identity.notes, *drawn))
        return EdgeRecord(lines, times.start / 1e9, identity, timebase=HOST_TIMEBASE)

    def _edges(
        self, name: str, line: int, times: Times, events: NDArray[np.void], recorder: _Recorder, end: _Header
    ) -> EdgeLine:
        before = recorder.numbers[line]
        found = find(
            LineEvents(
                events["stamp_ns"].astype(np.int64),
                events["level"] != 0,
                events["number"].astype(np.int64) - before,
            ),
            times,
            high_when_read=bool(recorder.levels[line]),
            line=name,
        )
        lost = found.lost
        last = int(events["number"][-1]) if len(events) else before
        if recorder.ended_full and end.numbers[line] > last:
            since = int(events["stamp_ns"][-1]) if len(events) else times.start
            lost += ((max(since - times.start, 0) / 1e9, (times.stop - times.start) / 1e9),)
        return EdgeLine(
            times_s=found.times_s,
            high_at_start=found.high_at_start,
            duration_s=(times.stop - times.start) / 1e9,
            resolution_s=max(end.resolution_ns, 1) / 1e9,
            jitter_s=end.cost_ns / 1e9,
            lost=lost,
            wired=False,
        )

    def close(self) -> None:
        """Let go of the ring. Safe to repeat."""
        if self._recorder is not None:
            self._recorder.end()
            self._recorder = None
        if self._ring is not None:
            self._ring.close()
            self._ring = None


class _Recorder:
    """Empties the ring from now on.

    Attributes:
        numbers: Edges of each line before the record.
        levels: Of each line at its start.
        ended_full: The ring was found full at the end: edges after the last one are lost.
    """

    def __init__(self, ring: MarkerRing) -> None:
        self._ring = ring
        self._requested = time.monotonic_ns() - _SUSPENDED_NS
        earlier = ring.header()
        old, _ = ring.take()
        seen = [int(old["number"][old["line"] == line].max(initial=0)) for line in LINES.values()]
        self.numbers = tuple(map(max, earlier.numbers, seen))
        self._start = time.monotonic_ns()
        self.levels = ring.header().levels
        self._levels_read = time.monotonic_ns()
        self.ended_full = False
        self._pieces: list[NDArray[np.void]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._drain, name="marker edges", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while not self._done.wait(_PERIOD_S):
            self._pieces.append(self._ring.take()[0])

    def end(self) -> tuple[Times, NDArray[np.void], _Header]:
        """Stop; what was taken, and the header at the end."""
        stop = time.monotonic_ns()
        self._done.set()
        self._thread.join()
        header = self._ring.header()
        last, self.ended_full = self._ring.take()
        times = Times(self._requested, self._start, self._levels_read, stop, time.monotonic_ns())
        return times, np.concatenate([*self._pieces, last]), header


def open_markers(uri: AnalyzerUri, *, lines: Mapping[str, str]) -> MarkersSource:
    """Make the ring that a URI names.

    Args:
        uri: See the module; it has no options.
        lines: Marker line name to the program's line.

    Raises:
        InputError: The URI names no file, or a line that the program does not have.
        InstrumentError: The ring can't be made.
    """
    if not uri.target or uri.options or uri.driver:
        raise InputError(
            f"edge source {uri.text!r} is not of the form markers:FILE",
            fix='write  edges = "markers:{scratch}/lan.markers"',
        )
    for name, line in lines.items():
        if line not in LINES:
            raise InputError(
                f"marker line {name!r} is wired to {line!r}, which no program has",
                fix=f"write one of: {', '.join(LINES)}",
            )
    return MarkersSource(MarkerRing(Path(uri.target)), lines)
