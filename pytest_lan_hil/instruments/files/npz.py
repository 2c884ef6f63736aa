"""Our own file of a capture: numpy arrays in a zip, no pickle.

    sample_rate_hz            number
    current_a, voltage_v      shape (n,); voltage_v of shape () is one assumed voltage for all
    power_w                   shape (n,), instead of both or beside them
    gaps                      shape (k, 2), int: first sample dropped, first one after
    bits.NAME                 marker line NAME: packed bits, least significant first ...
    rate.NAME, count.NAME     ... its sample rate and number of samples, where they aren't the capture's
    edges.NAME                marker line NAME instead: times of its edges in seconds
    range_starts, range_indices   runs of the current ranges
    meta                      text, JSON: everything that is no array (see `write_npz`)

Only the rate, and current and voltage or power, must be there: `numpy.savez("x.npz", sample_rate_hz=1e6,
current_a=i, voltage_v=v)` is a capture.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.files.limits import recorder, require_supply
from pytest_lan_hil.instruments.files.lines import wired
from pytest_lan_hil.model.capture import (
    Accuracy,
    Capture,
    CurrentRange,
    EdgeLine,
    Gap,
    InstrumentIdentity,
    MarkerLine,
    RangeRuns,
    TimeMap,
)
from pytest_lan_hil.model.errors import InputError

MAGIC = b"PK\x03\x04"
_LAYOUT = "see the layout in docs/how-to/analyze-a-trace.md"


def write_npz(capture: Capture, path: Path) -> Path:
    """Write a capture so that `read_npz` gives it back, sample by sample.

    Raises:
        InputError: The file can't be written.
    """
    arrays: dict[str, Any] = {"sample_rate_hz": np.float64(capture.sample_rate_hz)}
    if len(capture.current_a):
        one_voltage = capture.voltage_v.strides == (0,)
        arrays["current_a"] = capture.current_a
        arrays["voltage_v"] = capture.voltage_v[0] if one_voltage else capture.voltage_v
    if capture.power_w is not None:
        arrays["power_w"] = capture.power_w
    if capture.gaps:
        arrays["gaps"] = np.array([(gap.start, gap.stop) for gap in capture.gaps], np.int64)
    if capture.ranges is not None:
        arrays["range_starts"], arrays["range_indices"] = capture.ranges.starts, capture.ranges.indices
    edges: dict[str, dict[str, Any]] = {}
    for name, line in capture.markers.items():
        if isinstance(line, MarkerLine):
            arrays[f"bits.{name}"] = line.bits
            arrays[f"rate.{name}"] = np.float64(line.sample_rate_hz)
            arrays[f"count.{name}"] = np.int64(line.count)
        else:
            arrays[f"edges.{name}"] = line.times_s
            edges[name] = {
                field.name: getattr(line, field.name)
                for field in dataclasses.fields(line)
                if field.name != "times_s"
            }
    meta = {
        "instrument": dataclasses.asdict(capture.instrument),
        "accuracy": dataclasses.asdict(capture.accuracy),
        "edges": edges,
        "time_map": dataclasses.asdict(capture.time_map) if capture.time_map else None,
        **{
            name: getattr(capture, name)
            for name in ("supply", "complete", "start_s", "start_error_s", "notes")
        },
    }
    try:
        with path.open("wb") as stream:
            np.savez(stream, meta=np.array(json.dumps(meta)), **arrays)
    except OSError as error:
        raise InputError(f"writing {path}: {error.strerror or error}", fix="choose another place") from error
    return path


def read_npz(
    path: Path, *, markers: Mapping[str, str] | None, supply_v: float | None, instrument: str | None
) -> Capture:
    """Read a capture.

    Args:
        path: The file.
        markers: Marker line name to the name of the line in the file; None for all lines, as they are called.
        supply_v: For a file with current and no voltage.
        instrument: Whose error limits hold, where the file does not say or says wrong.

    Raises:
        InputError: Not such a file, or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
        meta = json.loads(str(found.pop("meta", "{}")))
        capture = _capture(path, found, meta, supply_v, instrument)
        lines = {
            name.partition(".")[2]: _line(found, meta, name, capture)
            for name in found
            if name.startswith(("bits.", "edges."))
        }
    except (zipfile.BadZipFile, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not a capture of ours: {error}", fix=_LAYOUT) from error
    return dataclasses.replace(capture, markers=wired(path, lines, markers))


def _capture(
    path: Path, found: Mapping[str, Any], meta: Mapping[str, Any], supply_v: float | None, named: str | None
) -> Capture:
    rate_hz = float(found["sample_rate_hz"]) if "sample_rate_hz" in found else np.nan
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"{path}: its sample_rate_hz is {rate_hz:g}, expected a rate in Hz", fix=_LAYOUT)
    power_w = found.get("power_w")
    current_a = np.asarray(found.get("current_a", ()), np.float32)
    voltage_v = np.asarray(found.get("voltage_v", ()), np.float32)
    supply = meta.get("supply", "measured")
    if len(current_a) and "voltage_v" not in found:
        voltage_v = np.asarray(require_supply(supply_v, str(path)), np.float32)
    if voltage_v.ndim == 0:
        voltage_v, supply = np.broadcast_to(voltage_v, current_a.shape), "assumed"
    count = len(current_a) if power_w is None else len(power_w)
    if not count or len(voltage_v) != len(current_a) or len(current_a) not in (0, count):
        raise InputError(
            f"{path} holds {len(current_a)} samples of current, {len(voltage_v)} of voltage and"
            f" {0 if power_w is None else len(power_w)} of power",
            fix="give as many of each, and at least one: " + _LAYOUT,
        )
    gaps = tuple(Gap(int(start), int(stop)) for start, stop in found.get("gaps", ()))
    if any(not 0 <= a.start < a.stop <= count for a in gaps) or any(
        a.stop > b.start for a, b in pairwise(gaps)
    ):
        raise InputError(
            f"{path}: its gaps don't rise, overlap or lie outside its {count} samples", fix=_LAYOUT
        )
    signals = {"current_a": current_a, "voltage_v": voltage_v, "power_w": power_w}
    for name, samples in signals.items():
        if samples is not None:
            _require_finite(path, name, samples, gaps, rate_hz)
    who = recorder(named, otherwise="unnamed instrument")
    identity, accuracy, notes = who.identity, who.accuracy, who.notes
    if named is None and "accuracy" in meta:
        accuracy, notes = _accuracy(meta["accuracy"]), ()
    if named is None and "instrument" in meta:
        identity = InstrumentIdentity(
            **{**meta["instrument"], "notes": tuple(meta["instrument"].get("notes", ()))}
        )
    ranges = None
    if "range_starts" in found:
        ranges = RangeRuns(found["range_starts"].astype(np.int64), found["range_indices"].astype(np.int64))
    return Capture(
        rate_hz,
        current_a,
        voltage_v,
        identity,
        accuracy,
        gaps=gaps,
        supply=supply,
        complete=meta.get("complete", True),
        power_w=power_w,
        ranges=ranges,
        time_map=TimeMap(**meta["time_map"]) if meta.get("time_map") else None,
        start_s=meta.get("start_s"),
        start_error_s=meta.get("start_error_s", 0.0),
        notes=(*meta.get("notes", ()), *notes),
    )


def _require_finite(
    path: Path, name: str, samples: NDArray[Any], gaps: tuple[Gap, ...], rate_hz: float
) -> None:
    if samples.strides == (0,):
        samples = samples[:1]
    bad = np.flatnonzero(~np.isfinite(samples))
    for gap in gaps:
        bad = bad[(bad < gap.start) | (bad >= gap.stop)]
    if bad.size:
        raise InputError(
            f"{path}: sample {bad[0]} of {name} (at {bad[0] / rate_hz:.6f} s) is {samples[bad[0]]}, and lies"
            " in no gap",
            fix="the file is damaged; dropped samples belong into `gaps`",
        )


def _line(
    found: Mapping[str, Any], meta: Mapping[str, Any], key: str, capture: Capture
) -> MarkerLine | EdgeLine:
    kind, _, name = key.partition(".")
    if kind == "edges":
        told: dict[str, Any] = {"high_at_start": False, "duration_s": capture.duration_s, "resolution_s": 0.0}
        told.update(meta.get("edges", {}).get(name, {}))
        lost = tuple((float(start), float(stop)) for start, stop in told.pop("lost", ()))
        return EdgeLine(np.asarray(found[key], np.float64), lost=lost, **told)
    count = int(found.get(f"count.{name}", capture.count))
    rate_hz = float(found.get(f"rate.{name}", capture.sample_rate_hz))
    bits = found[key]
    if bits.dtype != np.uint8 or len(bits) < (count + 7) // 8:
        raise ValueError(f"{key} holds {len(bits)} of {bits.dtype}, expected {(count + 7) // 8} of uint8")
    return MarkerLine(bits, count, rate_hz)


def _accuracy(told: Mapping[str, Any]) -> Accuracy:
    ranges = tuple(CurrentRange(**one) for one in told.get("current_ranges", ()))
    return Accuracy(**{**told, "current_ranges": ranges})
