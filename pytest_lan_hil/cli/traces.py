"""From the file of a recorded capture to the energies of its windows, and to cells of a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pytest_lan_hil.instruments.files import Trace, read_trace
from pytest_lan_hil.instruments.files.reading import missing_stamp_note
from pytest_lan_hil.measure.analysis import WindowEnergy, energies_of
from pytest_lan_hil.measure.reported import Comparison
from pytest_lan_hil.measure.soundness import (
    MAX_UNUSABLE_SHARE,
    Usability,
    check_markers,
    require_sound,
    usability,
)
from pytest_lan_hil.measure.windows import Windows, windows_between, windows_of
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.publish.numbers import rounded

# The lines that contradict each other if they are swapped.
_JUDGED_TOGETHER = ("inference", "phase")
HEADINGS = ("window", "start s", "duration s", "energy uJ", "uncertainty uJ", "mean power uW")
COMPARED_HEADINGS = (
    "window",
    "reported uJ",
    "ours uJ",
    "deviation",
    "uncertainty uJ",
    "inside",
    "samples summed",
    "deviation of that sum",
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """A trace, its windows, and the energies of those that can be used.

    Attributes:
        trace: The record.
        windows: All windows.
        energies: Of the usable ones.
        reasons: Index (from 1) of each other window to why it can't be used.
        notes: What a reader of any of these numbers must know.
        refusal: Why the energies can't stand for all windows (too many can't be used); None if they can.
    """

    trace: Trace
    windows: Windows
    energies: tuple[WindowEnergy, ...]
    reasons: dict[int, str]
    notes: tuple[str, ...]
    refusal: MeasurementInvalid | None = None

    @property
    def starts_s(self) -> list[float]:
        """When each window starts, seconds on the file's own clock."""
        return [self.trace.origin_s + float(start) for start in self.windows.start_s]


def measure_trace(
    path: Path, *, timestamps: Path | None, marker: str | None, instrument: str | None, supply_v: float | None
) -> Analysis:
    """Read a recorded capture and measure its windows.

    Args:
        path: The file.
        timestamps: JSON list of seconds; window k spans stamps k - 1 to k.
        marker: Marker line whose windows are meant, as "NAME" or "NAME=INPUT".
        instrument: Whose error limits hold, for a file that does not say.
        supply_v: Supply voltage, for a file that holds none.

    Raises:
        InputError: The file, or what is asked of it, can't be used.
        MeasurementInvalid: The record as a whole can't be used.
    """
    name, place = _asked(marker)
    trace = _read(path, timestamps, name, place, supply_v=supply_v, instrument=instrument)
    capture = trace.capture
    notes = list(capture.notes)
    if name:
        notes += check_markers(capture)
        windows = windows_of(capture, name)
    elif trace.stamps is not None:
        windows = windows_between(trace.stamps.times_s, trace.resolution_s)
        notes.append(
            f"time stamps from {trace.stamps_path}, good to {trace.resolution_s * 1e3:g} ms"
            f" (their digits say {trace.stamps.resolution_s * 1e3:g} ms, a sample is"
            f" {1e3 / capture.sample_rate_hz:g} ms)"
        )
        if trace.format == "mlperf" and not len(trace.stamps.times_s) % 2:
            notes.append(missing_stamp_note(trace.stamps))
    else:
        # The record's own ends are no edges: nothing about them is uncertain.
        windows = windows_between((0.0, capture.duration_s), 0.0)
        notes.append("the whole record is one window: neither time stamps nor a marker line were given")
    if trace.origin_s:
        notes.append(
            f"the times in the file begin at {trace.origin_s:.9g} s: time stamps and starts of windows are on"
            " that clock; a plot's axis begins at 0"
        )
    if capture.supply == "assumed":
        notes.append(f"supply voltage assumed, not measured: {float(capture.voltage_v[0]):g} V")
    require_sound(capture)
    found = usability(capture, windows, name or "given")
    notes += found.notes
    if found.refusal is not None and found.usable.any():
        notes.append(
            f"more than {MAX_UNUSABLE_SHARE:.0%} of the windows can't be used: what is lost hits long windows"
            " more often than short ones, so those that are left can't stand for all"
        )
    energies = energies_of(capture, windows, found.usable) if found.usable.any() else ()
    reasons = _reasons(capture, found)
    return Analysis(trace, windows, energies, reasons, tuple(dict.fromkeys(notes)), found.refusal)


def _asked(marker: str | None) -> tuple[str, str]:
    """Name of the marker line that was asked for, and the file's line that it is; both empty for none."""
    if marker is None:
        return "", ""
    name, equals, place = marker.partition("=")
    if not name or (equals and not place):
        raise InputError(
            f"--marker {marker!r} names no line", fix="write --marker gpi0, or --marker inference=gpi0"
        )
    return name, place or name


def _read(
    path: Path,
    timestamps: Path | None,
    name: str,
    place: str,
    *,
    supply_v: float | None,
    instrument: str | None,
) -> Trace:
    """The record with the marker line that was asked for, and those that it is judged with."""
    if not name:
        return read_trace(path, timestamps=timestamps, markers={}, supply_v=supply_v, instrument=instrument)
    trace = read_trace(path, timestamps=timestamps, supply_v=supply_v, instrument=instrument)
    lines = dict(trace.capture.markers)
    if place not in lines:  # a .jls knows it by its input too, and of what is nowhere the reader tells
        one = read_trace(path, markers={name: place}, supply_v=supply_v, instrument=instrument)
        lines[place] = one.capture.markers[name]
    asked = lines.pop(place)
    # Other lines may be wired to nothing, and move as they like.
    judged = {other: line for other, line in lines.items() if other in _JUDGED_TOGETHER}
    return replace(trace, capture=replace(trace.capture, markers={**judged, name: asked}))


def _reasons(capture: Capture, found: Usability) -> dict[int, str]:
    """Why each window that can't be used can't, by its number."""
    why = (
        (found.dropped, "samples were dropped inside this window"),
        (found.unseen, "edges may be missing inside this window"),
        (found.outside, f"lies outside the record, which ends at {capture.duration_s:g} s"),
    )
    reasons: dict[int, str] = {}
    for flags, reason in reversed(why):  # the first of them is said
        reasons.update({int(k) + 1: reason for k in np.flatnonzero(flags)})
    return reasons


def window_rows(analysis: Analysis) -> list[list[str]]:
    """The windows as cells under `HEADINGS`; one that can't be used has its reason instead of numbers."""
    by_index = {one.index: one for one in analysis.energies}
    unbounded = "no bound" if analysis.trace.capture.accuracy.known else "not known"
    rows = []
    for index, (start, duration) in enumerate(
        zip(analysis.starts_s, analysis.windows.duration_s, strict=True), start=1
    ):
        row = [str(index), f"{start:.6f}", f"{duration:.6f}"]
        one = by_index.get(index)
        if one is None:
            rows.append([*row, analysis.reasons[index], "", ""])
            continue
        error = one.energy_uncertainty_uj
        power_error = error / one.duration_s
        rows.append(
            [
                *row,
                rounded(one.energy_uj, error),
                rounded(error, error) if math.isfinite(error) else unbounded,
                rounded(one.mean_power_uw, power_error),
            ]
        )
    return rows


def compared_row(one: Comparison) -> list[str]:
    """A reported window and ours, as cells under `COMPARED_HEADINGS`."""
    row = [str(one.reported.number), f"{one.reported.energy_uj:.3f}"]
    if one.ours is None:
        return [*row, "no usable window at these times", "", "", "no", "", ""]
    shift = "unknown" if one.shift is None else f"start+{one.shift[0]}, end+{one.shift[1]}"
    summed = "" if one.summed_deviation is None else f"{one.summed_deviation:+.1e}"
    return [
        *row,
        f"{one.ours.energy_uj:.3f}",
        "" if one.deviation is None else f"{one.deviation:+.4%}",
        f"{one.ours.energy_uncertainty_uj:.3f}",
        "yes" if one.inside else "no",
        shift,
        summed,
    ]
