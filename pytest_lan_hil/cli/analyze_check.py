"""`lan-hil analyze --check DIR`: every MLPerf Tiny energy trace below a folder against its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.cli.output import print_json, print_table
from pytest_lan_hil.cli.traces import COMPARED_HEADINGS, Analysis, compared_row, measure_trace
from pytest_lan_hil.instruments.files.results import ReportedWindow, read_results
from pytest_lan_hil.measure.reported import Comparison, compare
from pytest_lan_hil.model.errors import InputError

RESULTS = "results.txt"


@dataclass(frozen=True, slots=True)
class Checked:
    """One trace and its report."""

    name: str
    analysis: Analysis
    compared: list[Comparison]


def check(directory: Path, *, instrument: str | None, supply_v: float | None, as_json: bool) -> int:
    """Print each reported window beside ours; returns 1 if one lies outside our stated uncertainty.

    Raises:
        InputError: No trace with a report below the folder, or one that can't be read.
    """
    checked = [
        _check(trace, directory, number, instrument, supply_v)
        for folder in sorted({found.parent for found in directory.rglob(RESULTS)})
        for number, trace in enumerate(sorted(folder.glob("trace*-energy.bin")))
    ]
    if not checked:
        raise InputError(
            f"{directory}: no trace*-energy.bin with {RESULTS} beside it",
            fix="name a folder of MLPerf Tiny energy results",
        )
    everything = [one for trace in checked for one in trace.compared]
    outside = [one for one in everything if not one.inside]
    if as_json:
        print_json([_as_json(trace) for trace in checked])
    else:
        _print(checked, everything, outside)
    return 1 if outside else 0


def _check(
    path: Path, directory: Path, number: int, instrument: str | None, supply_v: float | None
) -> Checked:
    analysis = measure_trace(path, timestamps=None, marker=None, instrument=instrument, supply_v=supply_v)
    stamps = analysis.trace.stamps
    if stamps is None:
        raise InputError(
            f"{path} has no time stamps beside it, so its windows are not known",
            fix=f"fetch {path.name.replace('-energy.bin', '-timestamps.json')} too",
        )
    reported = _of_trace(read_results(path.with_name(RESULTS)), number)
    name = str(path.parent.relative_to(directory))
    return Checked(
        name, analysis, compare(analysis.trace.capture, stamps.times_s, analysis.energies, reported)
    )


def _of_trace(reported: Sequence[ReportedWindow], number: int) -> list[ReportedWindow]:
    """What a report says of trace `number` (from 0): the runner lists window numbers anew for each trace."""
    seen: Counter[int] = Counter()
    found = []
    for one in reported:
        if seen[one.number] == number:
            found.append(one)
        seen[one.number] += 1
    return found


def _print(
    checked: Sequence[Checked], everything: Sequence[Comparison], outside: Sequence[Comparison]
) -> None:
    rows = [[trace.name, *compared_row(one)] for trace in checked for one in trace.compared]
    print_table(("trace", *COMPARED_HEADINGS), rows)
    print()
    for trace in checked:
        for sentence in trace.analysis.notes:
            if "missing" in sentence:
                print(f"note: {trace.name}: {sentence}")
    measured = [
        (abs(one.deviation), one, trace)
        for trace in checked
        for one in trace.compared
        if one.deviation is not None
    ]
    summed = [abs(one.summed_deviation) for one in everything if one.summed_deviation is not None]
    if measured:
        deviation, worst, trace = max(measured, key=lambda item: item[0])
        sample = 1 / trace.analysis.trace.capture.sample_rate_hz
        print(
            f"worst: {deviation:.4%}, {trace.name} window {worst.reported.number}"
            f" (one sample is {sample / worst.reported.duration_s:.4%} of it)"
        )
    if summed:
        print(
            f"over the whole samples that the runner summed: {len(summed)} windows, worst {max(summed):.1e}"
        )
    print(
        f"{len(checked)} traces, {len(everything)} reported energies,"
        f" {len(everything) - len(outside)} inside our stated uncertainty"
    )


def _as_json(trace: Checked) -> dict[str, object]:
    return {
        "trace": trace.name,
        "notes": trace.analysis.notes,
        "windows": [
            {
                "index": one.reported.number,
                "reported_uj": one.reported.energy_uj,
                "energy_uj": one.ours.energy_uj if one.ours else None,
                "energy_uncertainty_uj": one.ours.energy_uncertainty_uj if one.ours else None,
                "deviation": one.deviation,
                "inside": one.inside,
                "shift": one.shift,
                "summed_deviation": one.summed_deviation,
            }
            for one in trace.compared
        ],
    }
