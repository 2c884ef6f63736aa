"""`lan-hil analyze`: the energy of each window of a recorded capture, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_lan_hil.cli.analyze_check import check
from pytest_lan_hil.cli.output import bounded, note, print_json, print_table
from pytest_lan_hil.cli.traces import (
    COMPARED_HEADINGS,
    HEADINGS,
    Analysis,
    compared_row,
    measure_trace,
    window_rows,
)
from pytest_lan_hil.instruments.files.results import read_results
from pytest_lan_hil.measure.reported import Comparison, compare
from pytest_lan_hil.measure.uncertainty import largest_of_each
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: see the options of `lan-hil analyze`."""

    file: Path | None
    timestamps: Path | None
    marker: str | None
    instrument: str | None
    supply_v: float | None
    results: Path | None
    plot: Path | None
    check: Path | None


def analyze(request: Request, *, as_json: bool, explain: bool) -> int:
    """Print the windows of a recorded capture; returns the exit code.

    Raises:
        InputError: The file, or what was asked of it, can't be used.
        MeasurementInvalid: The record as a whole can't be used, or too many of its windows: then the others
            were printed before.
    """
    _refuse_contradictions(request)
    if request.check is not None:
        return check(request.check, instrument=request.instrument, supply_v=request.supply_v, as_json=as_json)
    if request.file is None:
        raise InputError("which recorded capture?", fix="lan-hil analyze FILE, or --check DIR")
    analysis = measure_trace(
        request.file,
        timestamps=request.timestamps,
        marker=request.marker,
        instrument=request.instrument,
        supply_v=request.supply_v,
    )
    reported = _compared(analysis, request.results) if request.results is not None else []
    if as_json:
        print_json(_as_json(analysis, reported, explain=explain))
    else:
        _print(analysis, reported, explain=explain)
    if request.plot is not None:
        _plot(analysis, request.plot)
    if not analysis.energies:
        raise MeasurementInvalid(
            f"{request.file}: none of its {len(analysis.windows)} windows can be used",
            fix="see the reason beside each window; record again",
        )
    if analysis.refusal is not None:
        raise analysis.refusal
    return 0 if all(one.inside for one in reported) else 1


def _refuse_contradictions(request: Request) -> None:
    if request.timestamps is not None and request.marker is not None:
        raise InputError("--timestamps and --marker both say where windows are", fix="give one of them")
    others = (request.file, request.timestamps, request.marker, request.results, request.plot)
    if request.check is not None and any(one is not None for one in others):
        raise InputError(
            "--check takes a folder, and analyzes each trace in it with the files beside it",
            fix="give --check DIR alone, or with --instrument, --supply-v and --json",
        )
    if request.plot is not None and request.plot.suffix not in (".html", ".png"):
        raise InputError(f"--plot {request.plot}: of no known kind", fix="name it .html or .png")


def _plot(analysis: Analysis, path: Path) -> None:
    from pytest_lan_hil.publish.plot import Plot, write_plot

    windows = analysis.windows
    spans = list(zip(windows.start_s.tolist(), windows.stop_s.tolist(), strict=True))
    picture = Plot(analysis.trace.path.name, spans, HEADINGS, window_rows(analysis), analysis.notes)
    note(f"plot: {write_plot(analysis.trace.capture, picture, path)}")


def _compared(analysis: Analysis, results: Path) -> list[Comparison]:
    stamps = analysis.trace.stamps
    if stamps is None:
        raise InputError(
            f"--results {results}: the record has no time stamps, so no window of a report belongs to it",
            fix="give them: --timestamps trace1-timestamps.json",
        )
    return compare(analysis.trace.capture, stamps.times_s, analysis.energies, read_results(results))


def _print(analysis: Analysis, reported: Sequence[Comparison], *, explain: bool) -> None:
    capture = analysis.trace.capture
    print(
        f"{analysis.trace.path} ({analysis.trace.format}): {str(capture.instrument).strip()},"
        f" {capture.count} samples at {capture.sample_rate_hz:.10g} Hz, {capture.lost_share:.3%} lost"
    )
    print_table(HEADINGS, window_rows(analysis))
    if explain:
        print("\nuncertainty: the largest contribution of each kind to any window, half-widths at 95 %")
        parts = largest_of_each([one.contributions for one in analysis.energies])
        rows = [[part.name, f"{part.half_width:.3g} {part.unit}", part.source] for part in parts]
        print_table(("contribution", "half-width", "from"), rows)
    if reported:
        print()
        print_table(COMPARED_HEADINGS, [compared_row(one) for one in reported])
    for sentence in analysis.notes:
        print(f"note: {sentence}")


def _as_json(analysis: Analysis, reported: Sequence[Comparison], *, explain: bool) -> dict[str, Any]:
    capture = analysis.trace.capture
    found: dict[str, Any] = {
        "windows": _windows_json(analysis, explain=explain),
        "file": str(analysis.trace.path),
        "format": analysis.trace.format,
        "sample_rate_hz": capture.sample_rate_hz,
        "origin_s": analysis.trace.origin_s,
        "samples": capture.count,
        "lost_share": capture.lost_share,
        "instrument": str(capture.instrument).strip(),
        "simulated": capture.instrument.simulated,
        "supply": capture.supply,
        "notes": analysis.notes,
    }
    if reported:
        found["reported"] = [
            {
                "index": one.reported.number,
                "energy_uj": one.reported.energy_uj,
                "deviation": one.deviation,
                "inside": one.inside,
                "shift": one.shift,
                "summed_uj": one.summed_uj,
            }
            for one in reported
        ]
    return found


def _windows_json(analysis: Analysis, *, explain: bool) -> list[dict[str, Any]]:
    by_index = {one.index: one for one in analysis.energies}
    listed: list[dict[str, Any]] = []
    for k, start_s in enumerate(analysis.starts_s):
        one = by_index.get(k + 1)
        window: dict[str, Any] = {
            "index": k + 1,
            "start_s": start_s,
            "duration_s": float(analysis.windows.duration_s[k]),
            "energy_uj": one.energy_uj if one else None,
            "energy_uncertainty_uj": bounded(one.energy_uncertainty_uj) if one else None,
            "mean_power_uw": one.mean_power_uw if one else None,
        }
        if one is None:
            window["reason"] = analysis.reasons[k + 1]
        elif explain:
            window["contributions"] = [
                {"name": part.name, "half_width_uj": bounded(part.half_width), "source": part.source}
                for part in one.contributions
            ]
        listed.append(window)
    return listed
