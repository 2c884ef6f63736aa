"""From a file of any known format to a capture; what it is is told by its first bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pytest_lan_hil.instruments.files.header import read_header
from pytest_lan_hil.instruments.files.joulescope_csv import read_joulescope_csv
from pytest_lan_hil.instruments.files.limits import at_supply, require_supply, with_limits_of
from pytest_lan_hil.instruments.files.lines import require_inputs
from pytest_lan_hil.instruments.files.mlperf import MAGIC as MLPERF_MAGIC
from pytest_lan_hil.instruments.files.mlperf import read_mlperf
from pytest_lan_hil.instruments.files.npz import MAGIC as NPZ_MAGIC
from pytest_lan_hil.instruments.files.npz import read_npz
from pytest_lan_hil.instruments.files.ppk2_csv import is_ppk2, read_ppk2_csv
from pytest_lan_hil.instruments.files.stamps import Stamps, lost_stamp, read_stamps, require_inside
from pytest_lan_hil.instruments.files.table import first_time_s
from pytest_lan_hil.model.capture import Capture, EdgeLine
from pytest_lan_hil.model.errors import InputError

#: The marker line that the time stamps beside a trace make: high while the runner's inferences run.
STAMPED_LINE = "phase"
# Of a sample: times are sums and differences, which round.
_SAME_PLACE = 1e-6
_JLS_MAGICS = (b"jlsfmt", b"\xd3tagfmt")  # version 2; version 1
_JLS_INPUT = re.compile(r"gpi\d+|trigger")
_HEAD = 4096
_STAMPS_FIX = "give time stamps: --timestamps FILE.json, or in a bench replay:FILE?timestamps=FILE.json"
_FORMATS = "known are .jls, .npz, Joulescope and Power Profiler CSV, and MLPerf Tiny's trace1-energy.bin"


@dataclass(frozen=True, slots=True)
class Trace:
    """A recorded capture with what stands beside it.

    Attributes:
        path: The file.
        format: "mlperf", "jls", "joulescope csv", "ppk2 csv" or "npz".
        capture: The record.
        stamps: The time stamps that were given or found with it, on the capture's clock.
        stamps_path: Their file.
        origin_s: What the file's own clock shows at the capture's time 0: the first time of a table.
    """

    path: Path
    format: str
    capture: Capture
    stamps: Stamps | None = None
    stamps_path: Path | None = None
    origin_s: float = 0.0

    @property
    def resolution_s(self) -> float:
        """How finely a stamp is placed on the record: its own rounding, and never finer than a sample."""
        own = self.stamps.resolution_s if self.stamps else 0.0
        return max(own, 1 / self.capture.sample_rate_hz)


def read_trace(
    path: Path,
    *,
    timestamps: Path | None = None,
    markers: Mapping[str, str] | None = None,
    supply_v: float | None = None,
    board_v: float | None = None,
    instrument: str | None = None,
) -> Trace:
    """Read a recorded capture.

    Args:
        path: The file.
        timestamps: JSON list of seconds. Without it, `trace1-timestamps.json` beside `trace1-energy.bin` is
            used where it exists. They count on the file's own clock: that of its column of times, else from
            its first sample.
        markers: Marker line name to the input or column that recorded it; None for all that the file has.
        supply_v: The supply voltage, for files that hold none.
        board_v: The supply voltage of the board that a replay is for: used where the file holds none and
            `supply_v` is not given.
        instrument: Whose error limits hold, for files that don't say who recorded them.

    Raises:
        InputError: Not there, not a known format, damaged, or lacking what was asked for.
    """
    kind, capture = _read(path, markers, board_v if supply_v is None else supply_v, instrument)
    capture = _supplied(path, capture, supply_v, board_v, instrument)
    beside = _stamps_beside(path) if timestamps is None and kind == "mlperf" else timestamps
    origin_s = first_time_s(path) if kind.endswith(" csv") else 0.0
    if beside is None:
        return Trace(path, kind, capture, origin_s=origin_s)
    stamps = read_stamps(beside)
    slack_s = _SAME_PLACE / capture.sample_rate_hz
    require_inside(stamps, origin_s - slack_s, origin_s + capture.duration_s + slack_s, beside)
    stamps = replace(stamps, times_s=stamps.times_s - origin_s)
    return Trace(path, kind, capture, stamps, beside, origin_s)


def read_capture(
    path: Path,
    *,
    timestamps: Path | None = None,
    markers: Mapping[str, str] | None = None,
    supply_v: float | None = None,
    board_v: float | None = None,
    instrument: str | None = None,
) -> Capture:
    """The capture alone; time stamps become its marker line `phase`. Arguments as for `read_trace`.

    Raises:
        InputError: Also where a time stamp is missing: the line would be high in the pauses.
    """
    trace = read_trace(
        path,
        timestamps=timestamps,
        markers=markers,
        supply_v=supply_v,
        board_v=board_v,
        instrument=instrument,
    )
    if trace.stamps is None:
        return trace.capture
    line = stamped_line(trace)
    return replace(trace.capture, markers={**trace.capture.markers, STAMPED_LINE: line})


def stamped_line(trace: Trace) -> EdgeLine:
    """The marker line that a trace's time stamps stand for: it rises at stamps 1, 3, ..., falls at 2, 4, ...

    Raises:
        InputError: The trace has no time stamps, or one of them is missing.
    """
    if trace.stamps is None:
        raise InputError(f"{trace.path} has no time stamps", fix=_STAMPS_FIX)
    if not len(trace.stamps.times_s) % 2:
        raise InputError(
            missing_stamp_note(trace.stamps), fix="correct the file of time stamps, or record again"
        )
    return EdgeLine(
        times_s=trace.stamps.times_s[1:],
        high_at_start=False,
        duration_s=trace.capture.duration_s,
        resolution_s=trace.resolution_s,
    )


def missing_stamp_note(stamps: Stamps) -> str:
    """What an even number of time stamps means, as a sentence."""
    count = len(stamps.times_s)
    note = f"{count} time stamps, and a runner's record has an odd number of them: one is missing or too many"
    lost = lost_stamp(stamps.times_s)
    if lost is None:
        return note
    digits = max(0, round(-np.log10(stamps.resolution_s)))
    return (
        f"{note}. Windows {', '.join(map(str, lost.work))} all last {lost.work_s:.{digits}f} s, as equal runs"
        f" of inferences do, so the one at about {lost.about_s:.{digits}f} s is missing; each window after it"
        " has the number of its neighbour, and the even windows are the pauses between the inferences"
    )


def _read(
    path: Path, markers: Mapping[str, str] | None, supply_v: float | None, instrument: str | None
) -> tuple[str, Capture]:
    head = _head(path)
    if supply_v is not None:
        require_supply(supply_v, str(path))
    if head[0] == MLPERF_MAGIC or path.suffix == ".bin":
        return "mlperf", _without_lines(path, read_mlperf(path, instrument=instrument), markers)
    if head.startswith(_JLS_MAGICS) or path.suffix == ".jls":
        return "jls", _jls(path, markers, supply_v, instrument)
    if head.startswith(NPZ_MAGIC):
        return "npz", read_npz(path, markers=markers, supply_v=supply_v, instrument=instrument)
    if path.suffix == ".npz":
        raise InputError(
            f"{path} is not an .npz file: it starts with {head[:4]!r}", fix="write or fetch it again"
        )
    if b"\0" in head:
        raise InputError(f"{path} is of no known format: it starts with {head[:8].hex(' ')}", fix=_FORMATS)
    header = read_header(path)
    read = read_ppk2_csv if is_ppk2(header) else read_joulescope_csv
    kind = "ppk2 csv" if is_ppk2(header) else "joulescope csv"
    return kind, read(path, header, markers=markers, supply_v=supply_v, instrument=instrument)


def _supplied(
    path: Path, capture: Capture, supply_v: float | None, board_v: float | None, instrument: str | None
) -> Capture:
    """Power alone gets its factors where a voltage is given, or error limits need one; a file's own stays."""
    volts = board_v if supply_v is None else supply_v
    if not len(capture.current_a):
        if volts is not None and (supply_v is not None or capture.accuracy.known):
            capture = at_supply(capture, volts)
        elif instrument is not None:
            # An offset of the current is a power only with a voltage.
            require_supply(None, f"{path}, a record of power alone with error limits of {instrument},")
    if not len(capture.voltage_v) or volts is None:
        return capture
    assumed = capture.supply == "assumed" and capture.voltage_v[0] == np.float32(volts)
    if assumed and supply_v is None:
        note = f"no voltage was recorded: the supply of {volts:g} V is that of the board file"
        return replace(capture, notes=(*capture.notes, note))
    if not assumed and supply_v is not None:
        raise InputError(
            f"{path} holds the voltage itself, {np.nanmean(capture.voltage_v):.4g} V on average: a supply of"
            f" {supply_v:g} V would not be used",
            fix="leave the supply voltage out",
        )
    return capture


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder, not a recorded capture", fix="name a file in it") from error
    except OSError as error:
        raise InputError(f"reading {path}: {error.strerror or error}", fix="check the path") from error
    if not head:
        raise InputError(f"{path} is empty", fix="record again, or fetch it again")
    return head


def _jls(
    path: Path, markers: Mapping[str, str] | None, supply_v: float | None, instrument: str | None
) -> Capture:
    from pytest_lan_hil.instruments.jls import jls_signals, read_jls  # needs pyjls

    # A file of ours knows its marker lines by name; one of the Joulescope UI by their inputs.
    lines = [one for one in jls_signals(path) if one.marker or _JLS_INPUT.fullmatch(one.name)]
    by_name = {one.name: one.name for one in lines} | {one.marker: one.name for one in lines if one.marker}
    if markers is None:
        markers = {one.marker or one.name: one.name for one in lines}
    require_inputs(path, by_name, markers)
    places = {name: by_name[place] for name, place in markers.items()}
    capture = read_jls(path, markers=places, supply_v=supply_v)
    return capture if instrument is None else with_limits_of(capture, instrument)


def _without_lines(path: Path, capture: Capture, markers: Mapping[str, str] | None) -> Capture:
    if markers:
        raise InputError(
            f"{path} has no marker lines: an MLPerf Tiny trace has time stamps beside it",
            fix=_STAMPS_FIX,
        )
    return capture


def _stamps_beside(path: Path) -> Path | None:
    beside = path.with_name(path.name.replace("-energy.bin", "-timestamps.json"))
    return beside if beside != path and beside.exists() else None
