"""From the file of a recorded capture to the energies of its windows, and to cells of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_lan_hil.instruments.files import Trace, read_trace
from pytest_lan_hil.instruments.files.reading import missing_stamp_note
from pytest_lan_hil.measure.analysis import WindowEnergy, window_energies
from pytest_lan_hil.measure.energy import touches_gap
from pytest_lan_hil.measure.reported import Comparison
from pytest_lan_hil.measure.soundness import require_sound
from pytest_lan_hil.measure.windows import Windows, windows_between, windows_of
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.publish.numbers import rounded

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
    """

    trace: Trace
    windows: Windows
    energies: tuple[WindowEnergy, ...]
    reasons: dict[int, str]
    notes: tuple[str, ...]


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
    name, _, place = (marker or "").partition("=")
    markers = {name: place or name} if name else {}
    trace = read_trace(path, timestamps=timestamps, markers=markers, supply_v=supply_v, instrument=instrument)
    capture = trace.capture
    notes = list(capture.notes)
    if name:
        windows = windows_of(capture, name)
        notes += windows.notes
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
    if capture.supply == "assumed":
        notes.append(f"supply voltage assumed, not measured: {float(capture.voltage_v[0]):g} V")
    require_sound(capture)
    reasons = _reasons(capture, windows)
    found = _energies(capture, windows, [k for k in range(len(windows)) if k + 1 not in reasons])
    return Analysis(trace, windows, found, reasons, tuple(dict.fromkeys(notes)))


def _reasons(capture: Capture, windows: Windows) -> dict[int, str]:
    """Why each window that can't be used can't, by its number."""
    dropped = touches_gap(capture.gaps, capture.sample_rate_hz, windows.start_s, windows.stop_s)
    slack_s = 1e-6 / capture.sample_rate_hz
    found = {}
    for k, (start_s, stop_s) in enumerate(zip(windows.start_s, windows.stop_s, strict=True)):
        if dropped[k]:
            found[k + 1] = "samples were dropped inside this window"
        elif any(start_s <= until and stop_s >= since for since, until in windows.lost):
            found[k + 1] = "edges may be missing inside this window"
        elif start_s < -slack_s or stop_s > capture.duration_s + slack_s:
            found[k + 1] = f"lies outside the record, which ends at {capture.duration_s:g} s"
    return found


def _energies(capture: Capture, windows: Windows, usable: Sequence[int]) -> tuple[WindowEnergy, ...]:
    """Each usable window for itself, under its own number."""
    if not usable:
        return ()
    some = replace(windows, start_s=windows.start_s[usable], stop_s=windows.stop_s[usable])
    found = window_energies(capture, some)
    return tuple(replace(one, index=usable[one.index - 1] + 1) for one in found)


def window_rows(analysis: Analysis) -> list[list[str]]:
    """The windows as cells under `HEADINGS`; one that can't be used has its reason instead of numbers."""
    by_index = {one.index: one for one in analysis.energies}
    rows = []
    for index, (start, duration) in enumerate(
        zip(analysis.windows.start_s, analysis.windows.duration_s, strict=True), start=1
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
                rounded(error, error) if math.isfinite(error) else "no bound",
                rounded(one.mean_power_uw, power_error),
            ]
        )
    return rows


def compared_row(one: Comparison) -> list[str]:
    """A reported window and ours, as cells under `COMPARED_HEADINGS`."""
    row = [str(one.reported.number), f"{one.reported.energy_uj:.3f}"]
    if one.ours is None or one.deviation is None:
        return [*row, "no usable window at these times", "", "", "no", "", ""]
    shift = "unknown" if one.shift is None else f"start+{one.shift[0]}, end+{one.shift[1]}"
    summed = "" if one.summed_deviation is None else f"{one.summed_deviation:+.1e}"
    return [
        *row,
        f"{one.ours.energy_uj:.3f}",
        f"{one.deviation:+.4%}",
        f"{one.ours.energy_uncertainty_uj:.3f}",
        "yes" if one.inside else "no",
        shift,
        summed,
    ]
