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
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.files.limits import recorder, require_supply, with_limits_of
from pytest_lan_hil.instruments.files.lines import wired
from pytest_lan_hil.instruments.files.npz_arrays import LAYOUT, Arrays, EdgeMeta, Meta
from pytest_lan_hil.model.capture import Accuracy, Capture, EdgeLine, Gap, MarkerLine, RangeRuns
from pytest_lan_hil.model.errors import InputError

MAGIC = b"PK\x03\x04"


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
        supply_v: For a file with current and neither voltage nor power.
        instrument: Whose error limits hold, where the file does not say or says wrong.

    Raises:
        InputError: Not such a file, or damaged; names the array that is.
    """
    arrays = Arrays.of(path)
    meta = arrays.meta()
    capture = _capture(arrays, meta, supply_v, instrument)
    lines = {
        name.partition(".")[2]: _line(arrays, meta, name, capture)
        for name in arrays.found
        if name.startswith(("bits.", "edges."))
    }
    return dataclasses.replace(capture, markers=wired(path, lines, markers))


def _capture(arrays: Arrays, meta: Meta, supply_v: float | None, named: str | None) -> Capture:
    rate_hz = arrays.rate("sample_rate_hz")
    power_w = arrays.samples("power_w") if "power_w" in arrays.found else None
    current_a = arrays.samples("current_a", np.float32)
    voltage_v = arrays.samples("voltage_v", np.float32, dimensions=(0, 1))
    if len(current_a) and "voltage_v" not in arrays.found:
        voltage_v = np.asarray(require_supply(supply_v, str(arrays.path)), np.float32)
    supply = meta.supply or ("measured" if len(current_a) else "none")
    if voltage_v.ndim == 0:
        if not len(current_a):
            arrays.refuse("voltage_v", "none beside power alone: give the supply voltage when it is read")
        voltage_v, supply = np.broadcast_to(voltage_v, current_a.shape), "assumed"
    count = len(current_a) if power_w is None else len(power_w)
    if not count or len(voltage_v) != len(current_a) or len(current_a) not in (0, count):
        raise InputError(
            f"{arrays.path} holds {len(current_a)} samples of current, {len(voltage_v)} of voltage and"
            f" {0 if power_w is None else len(power_w)} of power",
            fix="give as many of each, and at least one: " + LAYOUT,
        )
    gaps = _gaps(arrays, count)
    for name, samples in (("current_a", current_a), ("voltage_v", voltage_v), ("power_w", power_w)):
        if samples is not None:
            _require_finite(arrays.path, name, samples, gaps, rate_hz)
    who = recorder(named, otherwise="unnamed instrument")
    own = meta.accuracy
    accuracy = own or who.accuracy
    capture = Capture(
        rate_hz,
        current_a,
        voltage_v,
        meta.instrument or who.identity,
        accuracy,
        gaps=gaps,
        supply=supply,
        complete=meta.complete,
        power_w=power_w,
        ranges=_ranges(arrays, accuracy),
        time_map=meta.time_map,
        start_s=meta.start_s,
        start_error_s=meta.start_error_s,
        notes=meta.notes if own else (*meta.notes, *who.notes),
    )
    return capture if own is None or named is None else with_limits_of(capture, named)


def _gaps(arrays: Arrays, count: int) -> tuple[Gap, ...]:
    borders = arrays.whole_numbers("gaps", dimensions=2).reshape(-1)
    if len(borders) % 2 or (len(borders) and arrays.found["gaps"].shape[1] != 2):
        arrays.refuse("gaps", "shape (k, 2)")
    gaps = tuple(Gap(start, stop) for start, stop in borders.reshape(-1, 2).tolist())
    if any(not 0 <= a.start < a.stop <= count for a in gaps) or any(
        a.stop > b.start for a, b in pairwise(gaps)
    ):
        raise InputError(
            f"{arrays.path}: its gaps don't rise, overlap or lie outside its {count} samples", fix=LAYOUT
        )
    return gaps


def _ranges(arrays: Arrays, accuracy: Accuracy) -> RangeRuns | None:
    starts, indices = (arrays.whole_numbers(name) for name in ("range_starts", "range_indices"))
    most = len(accuracy.current_ranges)
    if len(starts) != len(indices) or (indices < 0).any() or (most and (indices > most).any()):
        raise InputError(
            f"{arrays.path} has {len(starts)} range_starts and {len(indices)} range_indices, expected as many"
            f" of both and indices from 0{f' to {most}' if most else ''}",
            fix=LAYOUT,
        )
    if not len(starts):
        return None
    if starts[0] != 0 or (np.diff(starts) <= 0).any():
        raise InputError(f"{arrays.path}: its range_starts don't rise from 0", fix=LAYOUT)
    return RangeRuns(starts, indices)


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


def _line(arrays: Arrays, meta: Meta, key: str, capture: Capture) -> MarkerLine | EdgeLine:
    kind, _, name = key.partition(".")
    if kind == "edges":
        times_s = arrays.samples(key)
        if not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
            raise InputError(f"{arrays.path}: the times of {key} do not rise, or are not numbers", fix=LAYOUT)
        told = meta.edges.get(name, EdgeMeta())
        return told.line(times_s, capture)
    rate_hz = arrays.rate(f"rate.{name}") if f"rate.{name}" in arrays.found else capture.sample_rate_hz
    count = arrays.count(f"count.{name}") if f"count.{name}" in arrays.found else capture.count
    bits = arrays.found[key]
    if bits.ndim != 1 or bits.dtype != np.uint8 or len(bits) < (count + 7) // 8:
        arrays.refuse(key, f"shape ({(count + 7) // 8},) of uint8 for {count} samples")
    return MarkerLine(bits, count, rate_hz)
