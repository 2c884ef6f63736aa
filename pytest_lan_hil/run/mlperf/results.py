"""results.txt in the form of EEMBC's EnergyRunner: written, and read back. Pure.

The form is that of published results (mlcommons/tiny_results_v1.0 and _v1.1, runner 3.0.10). Every line
starts with a time stamp and a source: `ulp-ml` in energy mode, `ulp-mlperf` in performance and accuracy mode.
Lines of the source `lan-hil` are ours: uncertainty, rules, and the word that no reader may miss,
"simulated".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.errors import InputError

ENERGY = "ulp-ml"
PERFORMANCE = "ulp-mlperf"
OURS = "lan-hil"

_RULE = "-" * 57
_MET = "Runtime requirements have been met."
_NOT_MET = "e-[The run must take at least 10 seconds and 10 iterations to be valid]"
_NO_ACCURACY = "Cannot compute accuracy metrics in single-run mode."


@dataclass(frozen=True, slots=True)
class EnergyWindow:
    """Energy of one window.

    Attributes:
        window: 2, 4, 6, ...: window k ends with the k-th time stamp after the first; odd ones are the loading
            in between.
        start_s, duration_s: Of the window, on the analyzer's clock.
        energy_uj, power_uw, per_inference_uj: As printed.
    """

    window: int
    start_s: float
    duration_s: float
    energy_uj: float
    power_uw: float
    per_inference_uj: float


@dataclass(frozen=True, slots=True)
class PerformanceWindow:
    """Speed in one window.

    Attributes:
        window: As in `EnergyWindow`.
        inferences: Measured ones.
        runtime_s: Between the two time stamps.
        throughput: Inferences per second.
        valid: True if it was long enough.
    """

    window: int
    inferences: int
    runtime_s: float
    throughput: float
    valid: bool


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that results.txt says.

    Attributes:
        source: `ENERGY` or `PERFORMANCE`.
        energy: Windows, empty but in energy mode.
        median_energy_uj: Per inference; None without windows.
        performance: Windows, empty in accuracy mode.
        median_throughput: Inferences per second; None without windows.
        top_1: Percent, or None.
        auc: 0 to 1, or None.
        remarks: Our own lines.
    """

    source: str
    energy: tuple[EnergyWindow, ...] = ()
    median_energy_uj: float | None = None
    performance: tuple[PerformanceWindow, ...] = ()
    median_throughput: float | None = None
    top_1: float | None = None
    auc: float | None = None
    remarks: tuple[str, ...] = ()


def render(results: Results, at_s: float) -> str:
    """The file, every line stamped `at_s` (seconds since the start of the session)."""
    stamp = f"{at_s:09.3f}"
    lines = [f"{stamp} {results.source}: {text}" for text in _official(results)]
    lines += [f"{stamp} {OURS}: {text}" for text in results.remarks]
    return "".join(f"{line}\n" for line in lines)


def _official(results: Results) -> Iterator[str]:
    for joules in results.energy:
        start, length = f"{joules.start_s:.2f}", f"{joules.duration_s:.2f}"
        yield f"Energy data for window {joules.window} at time {start} for {length} sec.:"
        yield f"  Energy       : {joules.energy_uj:12.3f} uJ"
        yield f"  Power        : {joules.power_uw:12.3f} uW"
        yield f"  Energy/Inf.  : {joules.per_inference_uj:12.3f} uJ/inf."
    if results.median_energy_uj is not None:
        yield from (_RULE, f"Median energy cost is {results.median_energy_uj:.3f} uJ/inf.", _RULE)
    for speed in results.performance:
        yield f"Performance results for window {speed.window}:"
        yield f"  # Inferences : {speed.inferences:12d}"
        yield f"  Runtime      : {speed.runtime_s:12.3f} sec."
        yield f"  Throughput   : {speed.throughput:12.3f} inf./sec."
        yield _MET if speed.valid else _NOT_MET
    if results.median_throughput is not None:
        yield from (_RULE, f"Median throughput is {results.median_throughput:.3f} inf./sec.", _RULE)
        yield _NO_ACCURACY
    if results.top_1 is not None:
        yield f"Top-1: {results.top_1:.1f}%"
    if results.auc is not None:
        yield f"AUC: {results.auc:.2f}"


_LINE = re.compile(r"(?P<stamp>[0-9]+\.[0-9]{3}) (?P<source>[a-z-]+): (?P<text>.*)")
_NUMBER = r"\s*(-?[0-9]+(?:\.[0-9]+)?)"
_ENERGY_BLOCK = (
    re.compile(rf"Energy data for window{_NUMBER} at time{_NUMBER} for{_NUMBER} sec\.:"),
    re.compile(rf"  Energy       :{_NUMBER} uJ"),
    re.compile(rf"  Power        :{_NUMBER} uW"),
    re.compile(rf"  Energy/Inf\.  :{_NUMBER} uJ/inf\."),
)
_PERFORMANCE_BLOCK = (
    re.compile(rf"Performance results for window{_NUMBER}:"),
    re.compile(rf"  # Inferences :{_NUMBER}"),
    re.compile(rf"  Runtime      :{_NUMBER} sec\."),
    re.compile(rf"  Throughput   :{_NUMBER} inf\./sec\."),
    re.compile(f"({re.escape(_MET)}|{re.escape(_NOT_MET)})"),
)
_SINGLE = {
    "median_energy_uj": re.compile(rf"Median energy cost is{_NUMBER} uJ/inf\."),
    "median_throughput": re.compile(rf"Median throughput is{_NUMBER} inf\./sec\."),
    "top_1": re.compile(rf"Top-1:{_NUMBER}%"),
    "auc": re.compile(rf"AUC:{_NUMBER}"),
}


def parse(text: str, path: Path | str) -> Results:
    """Read a results.txt of ours or of the official runner.

    Args:
        text: The file.
        path: Where it comes from, for messages.

    Raises:
        InputError: A line that such a file does not have; names it.
    """
    remarks: list[str] = []
    official: list[tuple[int, str]] = []
    sources: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise _unreadable(path, number, line)
        if found["source"] == OURS:
            remarks.append(found["text"])
        else:
            sources.add(found["source"])
            official.append((number, found["text"]))
    if len(sources) != 1 or not sources <= {ENERGY, PERFORMANCE}:
        raise InputError(
            f"{path}: its lines are from {', '.join(sorted(sources)) or 'nobody'}, not from {ENERGY} or"
            f" {PERFORMANCE}",
            fix="give the results.txt of an MLPerf Tiny run",
        )
    energy: list[EnergyWindow] = []
    performance: list[PerformanceWindow] = []
    single: dict[str, float] = {}
    rest = iter(official)
    for number, line in rest:
        if _ENERGY_BLOCK[0].fullmatch(line):
            window, *numbers = _block(_ENERGY_BLOCK, line, number, rest, path)
            energy.append(EnergyWindow(int(window), *map(float, numbers)))
        elif _PERFORMANCE_BLOCK[0].fullmatch(line):
            window, count, runtime, speed, verdict = _block(_PERFORMANCE_BLOCK, line, number, rest, path)
            performance.append(
                PerformanceWindow(int(window), int(count), float(runtime), float(speed), verdict == _MET)
            )
        elif line not in (_RULE, _NO_ACCURACY):
            single |= _one(line, number, path)
    return Results(
        sources.pop(), tuple(energy), single.get("median_energy_uj"), tuple(performance),
        single.get("median_throughput"), single.get("top_1"), single.get("auc"), tuple(remarks),
    )  # fmt: skip


def _block(
    patterns: tuple[re.Pattern[str], ...],
    first: str,
    number: int,
    rest: Iterator[tuple[int, str]],
    path: Path | str,
) -> list[str]:
    """What the lines of one block say, its first line already taken."""
    fields: list[str] = []
    line = first
    for pattern in patterns:
        if pattern is not patterns[0]:
            number, line = next(rest, (number + 1, ""))
        found = pattern.fullmatch(line)
        if found is None:
            raise _unreadable(path, number, line)
        fields += found.groups()
    return fields


def _one(line: str, number: int, path: Path | str) -> dict[str, float]:
    for name, pattern in _SINGLE.items():
        found = pattern.fullmatch(line)
        if found is not None:
            return {name: float(found[1])}
    raise _unreadable(path, number, line)


def _unreadable(path: Path | str, number: int, line: str) -> InputError:
    return InputError(
        f"{path}:{number}: {line!r} is not a line of an MLPerf Tiny results.txt",
        fix="give a file as the runner wrote it, whole",
    )
