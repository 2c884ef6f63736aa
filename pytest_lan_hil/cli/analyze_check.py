"""`lan-hil analyze --check DIR`: every MLPerf Tiny energy trace below a folder against its report."""

from __future__ import annotations

import re
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
_TRACE = re.compile(r"trace(\d+)-energy\.bin")


@dataclass(frozen=True, slots=True)
class Checked:
    """One trace and its report."""

    name: str
    analysis: Analysis
    compared: list[Comparison]


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A trace or a report that lacks the other, and which one it lacks."""

    name: str
    reason: str


def check(directory: Path, *, instrument: str | None, supply_v: float | None, as_json: bool) -> int:
    """Print each reported window beside ours.

    Returns:
        1 if one lies outside our stated uncertainty, or if a trace or a report could not be compared.

    Raises:
        InputError: No trace with a report below the folder, or one that can't be read.
    """
    checked: list[Checked] = []
    unchecked: list[Unchecked] = []
    for folder, traces in _folders(directory):
        reported = read_results(folder / RESULTS) if (folder / RESULTS).exists() else ()
        place = str(folder.relative_to(directory))
        for number, trace in sorted(traces.items()):
            name = place if len(traces) == 1 else f"{place}/trace{number}"
            of_trace = _of_trace(reported, number)
            if of_trace:
                checked.append(_check(trace, name, of_trace, instrument, supply_v))
            else:
                reason = f"{RESULTS} reports nothing of trace{number}"
                unchecked.append(Unchecked(name, reason if reported else f"no {RESULTS} beside it"))
        unchecked += [
            Unchecked(f"{place}/trace{number}", f"{RESULTS} reports it, and its trace is not there")
            for number in range(1, _traces_in(reported) + 1)
            if number not in traces
        ]
    if not checked:
        raise InputError(
            f"{directory}: no trace*-energy.bin with {RESULTS} beside it",
            fix="name a folder of MLPerf Tiny energy results",
        )
    everything = [one for trace in checked for one in trace.compared]
    outside = [one for one in everything if not one.inside]
    if as_json:
        print_json([*map(_as_json, checked), *map(_unchecked_json, unchecked)])
    else:
        _print(checked, everything, outside)
        for one in unchecked:
            print(f"not checked: {one.name}: {one.reason}")
    return 1 if outside or unchecked else 0


def _folders(directory: Path) -> list[tuple[Path, dict[int, Path]]]:
    """Each folder that holds a trace, with its traces by their number, as the runner counts them from 1."""
    found: dict[Path, dict[int, Path]] = {}
    for path in directory.rglob("trace*-energy.bin"):
        if match := _TRACE.fullmatch(path.name):
            found.setdefault(path.parent, {})[int(match[1])] = path
    return sorted(found.items())


def _check(
    path: Path, name: str, reported: Sequence[ReportedWindow], instrument: str | None, supply_v: float | None
) -> Checked:
    analysis = measure_trace(path, timestamps=None, marker=None, instrument=instrument, supply_v=supply_v)
    stamps = analysis.trace.stamps
    if stamps is None:
        raise InputError(
            f"{path} has no time stamps beside it, so its windows are not known",
            fix=f"fetch {path.name.replace('-energy.bin', '-timestamps.json')} too",
        )
    return Checked(
        name, analysis, compare(analysis.trace.capture, stamps.times_s, analysis.energies, reported)
    )


def _of_trace(reported: Sequence[ReportedWindow], number: int) -> list[ReportedWindow]:
    """What a report says of trace `number` (from 1): the runner lists window numbers anew for each trace."""
    seen: Counter[int] = Counter()
    found = []
    for one in reported:
        seen[one.number] += 1
        if seen[one.number] == number:
            found.append(one)
    return found


def _traces_in(reported: Sequence[ReportedWindow]) -> int:
    """How many traces a report is of."""
    return max(Counter(one.number for one in reported).values(), default=0)


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


def _unchecked_json(one: Unchecked) -> dict[str, object]:
    return {"trace": one.name, "notes": [f"not checked: {one.reason}"], "windows": []}


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
