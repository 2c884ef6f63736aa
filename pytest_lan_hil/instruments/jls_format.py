"""What a JLS v2 file of this package holds beside samples, and how its signals are named.

Names and units are those of pyjoulescope_driver's `Record` and of the Joulescope UI, so that a file opens
there. What JLS has no place for (error limits, which marker line is on which input, what was lost) stands in
user data, as JSON. The format: https://github.com/jetperch/jls, include/jls/format.h.
"""

from __future__ import annotations

import logging
import shutil
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from pytest_lan_hil.instruments.joulescope_models import ACCURACY
from pytest_lan_hil.model.capture import Accuracy, CurrentRange, EdgeLine, InstrumentIdentity
from pytest_lan_hil.model.errors import InputError, InstrumentError

CURRENT, VOLTAGE, POWER, RANGE = "current", "voltage", "power", "current_range"
UNITS = {CURRENT: "A", VOLTAGE: "V", POWER: "W"}
#: Number of a digital input in the driver's topics to its signal in a file, and to its name in bench files.
LINES = {**{n: (f"gpi[{n}]", f"gpi{n}") for n in range(4)}, 7: ("trigger_in", "trigger")}
#: A note that the Joulescope UI shows, and ours (chunk_meta of user data, 12 bits).
NOTE_CHUNK, OUR_CHUNK = 0, 0x6C1
#: Behind the instrument's name where no real device stands behind it: it survives an export by other tools.
SIMULATED = " (simulated)"

_VERSION = 1
_MAGIC = bytes.fromhex("6a6c73666d740d0a200a201a2020b21c")
_HEADER = struct.Struct("<16sQII")
# A chunk: next, previous, tag, meta, length of payload and of that before, checksum; the last has tag 255.
_CHUNK = struct.Struct("<QQBxHIII")
_END_TAG = 0xFF
_V1_MAGIC = bytes([0xD3, 0x74, 0x61, 0x67])

# The library reports through this logger, skipped samples among it; without a handler they go to stderr.
logging.getLogger("pyjls.c").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the samples.

    Attributes:
        instrument, accuracy, supply: See `Capture`.
        markers: Marker line name to its signal ("gpi[0]").
        edges: Marker lines that are known by time stamps only.
        rates_hz: Signal name to its exact rate where it is no whole number: JLS holds whole numbers.
        range_indices: Value of `current_range` to index into `Accuracy.current_ranges`.
        notes: See `Capture`.
    """

    instrument: InstrumentIdentity
    accuracy: Accuracy
    supply: str = "measured"
    markers: Mapping[str, str] = field(default_factory=dict)
    edges: Mapping[str, EdgeLine] = field(default_factory=dict)
    rates_hz: Mapping[str, float] = field(default_factory=dict)
    range_indices: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What `header_of` understands."""
        return {
            "pytest-lan-hil": _VERSION,
            "instrument": asdict(self.instrument),
            "accuracy": asdict(self.accuracy),
            "supply": self.supply,
            "markers": dict(self.markers),
            "edges": {
                name: {**_named(line), "times_s": line.times_s.tolist()} for name, line in self.edges.items()
            },
            "rates_hz": dict(self.rates_hz),
            "range_indices": list(self.range_indices),
            "notes": list(self.notes),
        }


def header_of(tree: Mapping[str, Any]) -> Header:
    """The header that a file of this package carries.

    Raises:
        KeyError, TypeError, ValueError: It is not one.
    """
    instrument = {**tree["instrument"], "notes": tuple(tree["instrument"]["notes"])}
    accuracy = dict(tree["accuracy"])
    accuracy["current_ranges"] = tuple(CurrentRange(**one) for one in accuracy["current_ranges"])
    return Header(
        instrument=InstrumentIdentity(**instrument),
        accuracy=Accuracy(**accuracy),
        supply=tree["supply"],
        markers=dict(tree["markers"]),
        edges={name: _edge_line(line) for name, line in tree["edges"].items()},
        rates_hz={name: float(rate) for name, rate in tree["rates_hz"].items()},
        range_indices=tuple(tree["range_indices"]),
        notes=tuple(tree["notes"]),
    )


# Enough to close a file properly: buffers of pyjls and its indices.
RESERVE_BYTES = 128 << 20
_UNKNOWN = Accuracy(0.0, 0.0, 0.0, 0.0, 0.0, "instrument not known", known=False)


def foreign_header(source: Any) -> Header:
    """The header for a file that others wrote, from its source definition.

    Args:
        source: `pyjls.SourceDef`.
    """
    name, model = source.name or "", (source.model or "").lower()
    notes: tuple[str, ...] = ("recorded by another program: whether samples of marker lines are missing"
                              " and which current range each sample was taken in is not known",)  # fmt: skip
    if model not in ACCURACY:
        notes += (
            f"the error limits of {source.model or 'the instrument'!r} are not known: name the instrument",
        )
    return Header(
        instrument=InstrumentIdentity(
            model=f"Joulescope {model.upper()}" if model in ACCURACY else source.model or "unknown",
            serial=source.serial_number or "",
            version=source.version or "",
            simulated=name.endswith(SIMULATED),
        ),
        accuracy=ACCURACY.get(model, _UNKNOWN),
        notes=notes,
    )


def signal_named(name: str) -> str:
    """The signal in a file for an input's name in a bench file ("gpi0"); others are taken as they are."""
    return next((signal for signal, known in LINES.values() if known == name), name)


def input_named(signal: str) -> str:
    """The other way round: "gpi0" for "gpi[0]"."""
    return next((known for name, known in LINES.values() if name == signal), signal)


def check_file(path: Path) -> None:
    """Make sure that a file is a JLS v2 file that was closed and is all there.

    pyjls mends any other in place when it opens it, which would change the user's file.

    Raises:
        InputError: It is not.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_HEADER.size)
            file.seek(max(0, size - _CHUNK.size))
            end = file.read(_CHUNK.size)
    except OSError as error:
        raise InputError(f"reading {path}: {error.strerror or error}", fix="check the name") from error
    if not size:
        raise InputError(f"{path} is empty", fix="record again")
    if start.startswith(_V1_MAGIC):
        raise InputError(
            f"{path} is a JLS file of version 1",
            fix="open it in the Joulescope UI and export it, which writes version 2",
        )
    if not start.startswith(_MAGIC):
        raise InputError(
            f"{path} is not a JLS file: it begins with {start[:8].hex(' ')}, not {_MAGIC[:8].hex(' ')}",
            fix="check the name; CSV and other traces are read by their ending",
        )
    length = _HEADER.unpack(start)[1] if len(start) == _HEADER.size else 0
    # pyjls 0.17, tried: it mends closed files that were cut off, and crashes on some that were never closed.
    mend = "the Joulescope UI, or `python -m pyjls info COPY`, may be able to mend a copy of it"
    if not length:
        raise InputError(f"{path} was never closed: its recorder was killed", fix=mend)
    if length != size:
        raise InputError(f"{path} is truncated: it has {size} bytes of {length}", fix=mend)
    item_next, item_prev, tag, _, payload, _, _ = _CHUNK.unpack(end)
    if (item_next, item_prev, tag, payload) != (0, 0, _END_TAG, 0):
        raise InputError(f"{path} was not closed in order: its end is missing", fix=mend)


def _named(line: EdgeLine) -> dict[str, Any]:
    return {one.name: getattr(line, one.name) for one in fields(line)}


def _edge_line(tree: Mapping[str, Any]) -> EdgeLine:
    times_s = np.asarray(tree["times_s"], np.float64)
    return EdgeLine(**{**tree, "times_s": times_s, "lost": tuple((a, b) for a, b in tree["lost"])})


def require_room(path: Path, size_bytes: int) -> None:
    """Make sure that the disk has room, because pyjls waits for ever, or loses data, on one that is full.

    Args:
        path: The file that will be written.
        size_bytes: How large it gets at most; a reserve for its indices and for others comes on top.

    Raises:
        InstrumentError: There is less.
    """
    try:
        free = shutil.disk_usage(path.resolve().parent).free
    except OSError:
        return  # there is no such folder: who makes the file says so
    if free < size_bytes + RESERVE_BYTES:
        raise InstrumentError(
            f"the disk of {path} is full: {free >> 20} MiB are left, {(size_bytes + RESERVE_BYTES) >> 20} MiB"
            " are needed",
            fix="make room, write to another disk, or record for a shorter time",
        )
