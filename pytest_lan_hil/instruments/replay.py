"""A recorded capture as a power analyzer: `replay:FILE`.

    replay:run.jls?inference=gpi0&phase=gpi1      a marker line for each option that is none of those below
    replay:trace1-energy.bin?timestamps=t.json    the time stamps make the marker line `phase`
    replay:ppk.csv?instrument=ppk2&supply_v=3.0   error limits and voltage that the file does not tell

Each capture is the whole record, however long the test waits: nothing is measured, and nothing waits. What
was simulated when it was recorded is simulated when it is replayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pytest_lan_hil.instruments.base import PowerAnalyzer
from pytest_lan_hil.instruments.files import read_capture
from pytest_lan_hil.instruments.registry import AnalyzerUri
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity
from pytest_lan_hil.model.clock import HOST_CLOCK, Clock
from pytest_lan_hil.model.errors import InputError, InstrumentError

# Inferences of keyword spotting take some milliseconds: slower records know their mean power only.
_WAVEFORM_HZ = 10_000
_HASHED = 1 << 20
# What latency and energy are asked of; other lines, such as the phase of an MLPerf Tiny trace, tell neither.
_INFERENCE = "inference"
NOTE = "a replay: nothing was measured in this run, the record is an earlier one"


def open_replay(uri: AnalyzerUri, *, markers: Mapping[str, str], supply_v: float | None) -> PowerAnalyzer:
    """Read the file that the URI names.

    Args:
        uri: See the module.
        markers: Marker line name to the input that recorded it; the URI's options come on top. With none at
            all the record keeps every line that it has, under the file's names.
        supply_v: The board's supply voltage, for a file that holds none; the URI's option comes first.

    Raises:
        InputError: The file can't be used, or lacks a marker line.
    """
    options = dict(uri.options)
    timestamps = options.pop("timestamps", None)
    instrument = options.pop("instrument", None)
    told_v = _volts(uri, options.pop("supply_v", None))
    if not uri.target:
        raise InputError(f"analyzer {uri.text!r} names no file", fix="write replay:FILE")
    path = Path(uri.target).expanduser()
    capture = read_capture(
        path,
        timestamps=Path(timestamps).expanduser() if timestamps else None,
        markers={**markers, **options} or None,
        supply_v=told_v,
        board_v=supply_v,
        instrument=instrument,
    )
    return Replay(capture, path)


class Replay:
    """A recorded capture behind the protocol of a power analyzer.

    Args:
        capture: The record.
        path: The file that it comes from.

    Raises:
        InputError: The file can't be read.
    """

    def __init__(self, capture: Capture, path: Path) -> None:
        original = capture.instrument
        model = f"replay of {path.name} (sha256 {_sha256(path)[:12]}), {original.model}"
        self._identity = replace(original, model=model, notes=(NOTE, *original.notes))
        self._capture = replace(capture, instrument=self._identity, notes=(NOTE, *capture.notes))
        self._started = False

    @property
    def identity(self) -> InstrumentIdentity:
        """Which file this is, and which instrument recorded it."""
        return self._identity

    @property
    def capabilities(self) -> frozenset[str]:
        """What the record holds: "edges" where they are those of inferences."""
        found = {"power"}
        if self._capture.sample_rate_hz >= _WAVEFORM_HZ:
            found.add("power.waveform")
        if self._capture.markers:
            found.add("power.markers")
        if _INFERENCE in self._capture.markers:
            found.add("edges")
        return frozenset(found)

    @property
    def clock(self) -> Clock:
        """The host's: a record does not wait."""
        return HOST_CLOCK

    def start(self) -> None:
        """Begin a capture.

        Raises:
            InstrumentError: One has begun already.
        """
        if self._started:
            raise InstrumentError(f"{self._identity}: a capture has begun already", fix="stop it first")
        self._started = True

    def stop(self) -> Capture:
        """End the capture: the whole record.

        Raises:
            InstrumentError: None has begun.
        """
        if not self._started:
            raise InstrumentError(f"{self._identity}: no capture has begun", fix="start one first")
        self._started = False
        return self._capture

    def close(self) -> None:
        """Forget a capture that has begun."""
        self._started = False


def _volts(uri: AnalyzerUri, told: str | None) -> float | None:
    if told is None:
        return None
    try:
        return float(told)
    except ValueError as error:
        raise InputError(
            f"analyzer {uri.text!r}: supply_v is {told!r}, no voltage", fix="write ?supply_v=3.0"
        ) from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_HASHED):
                digest.update(piece)
    except OSError as error:
        raise InputError(f"reading {path}: {error.strerror or error}", fix="check the path") from error
    return digest.hexdigest()
