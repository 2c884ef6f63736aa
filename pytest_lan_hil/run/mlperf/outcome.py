"""From what a procedure brought to the results: the official form, the rules, JSON, and the files of a run.

A folder holds what the official runner leaves: results.txt and log.txt; and results.json with everything that
has no place there. What a virtual bench made says "simulated" in each of them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pytest_lan_hil.dut.console import RECEIVED
from pytest_lan_hil.model.errors import HilError, InputError
from pytest_lan_hil.model.record import ConsoleLine, DeviceIdentity, FirmwareIdentity
from pytest_lan_hil.run.mlperf import rules
from pytest_lan_hil.run.mlperf.procedures import Answers, DutIdentity, Window
from pytest_lan_hil.run.mlperf.results import (
    ENERGY,
    PERFORMANCE,
    EnergyWindow,
    PerformanceWindow,
    Results,
    render,
)
from pytest_lan_hil.run.mlperf.rules import BENCHMARKS, Check, Metric
from pytest_lan_hil.run.mlperf.scoring import Score, auc, mean_auc, top_1

SIMULATED = "SIMULATED: no real device was measured; not a result of any hardware"


@dataclass(frozen=True, slots=True)
class System:
    """What was run.

    Attributes:
        board, bench: Names; empty if a console alone was given.
        devices: What stood on the bench.
        firmware: The proved image; None where nothing could be proved.
        simulated: True if any device was.
    """

    board: str
    bench: str
    devices: tuple[DeviceIdentity, ...]
    firmware: FirmwareIdentity | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished procedure.

    Attributes:
        mode: "performance", "energy" or "accuracy".
        dut: Who answered.
        results: In the official form.
        checks: The rules.
        details: What JSON holds beside them.
    """

    mode: str
    dut: DutIdentity
    results: Results
    checks: tuple[Check, ...]
    details: dict[str, Any]

    @property
    def valid(self) -> bool:
        """True if no rule is broken."""
        return not rules.failed(self.checks)


def of_windows(
    mode: str, dut: DutIdentity, windows: Sequence[Window], asked_model: str | None, system: System
) -> Outcome:
    """Results of performance or energy mode.

    Args:
        mode: "performance" or "energy".
        dut: Who answered.
        windows: At least one.
        asked_model: The model that the user wants a result of, or None.
        system: What was run.
    """
    readings = [window.energy for window in windows if window.energy is not None]
    # The official runner counts stamps: the first is the `timestamp` command's, then two for each window.
    numbers = range(2, 2 * len(windows) + 1, 2)
    speeds = tuple(
        PerformanceWindow(
            number, one.inferences, one.runtime_s, one.throughput,
            rules.long_enough(one.runtime_s, one.inferences),
        )
        for number, one in zip(numbers, windows, strict=True)
    )  # fmt: skip
    began = min(window.captured_at_s for window in windows)
    energies = tuple(
        EnergyWindow(
            number,
            one.captured_at_s - began + one.energy.start_s,
            one.energy.duration_s,
            one.energy.energy_uj,
            one.energy.energy_uj / one.energy.duration_s,
            one.energy.energy_uj / one.inferences,
        )
        for number, one in zip(numbers, windows, strict=True)
        if one.energy is not None
    )
    laps = [(one.lap.dut_s, one.lap.host_s) for one in windows if one.lap.dut_s is not None]
    checks = [
        rules.check_profile(dut.profile),
        rules.check_model(dut.model, asked_model),
        rules.check_windows(len(windows)),
        rules.check_inputs([one.input for one in windows if one.input], len(windows)),
        rules.check_runtime([(one.runtime_s, one.inferences) for one in windows]),
        rules.check_clock(laps, simulated=system.simulated),
    ]
    if readings:
        checks.append(rules.check_lost(max(reading.lost_share for reading in readings)))
    results = Results(
        source=ENERGY if readings else PERFORMANCE,
        energy=energies,
        median_energy_uj=median(one.per_inference_uj for one in energies) if energies else None,
        performance=speeds,
        median_throughput=median(one.throughput for one in speeds),
        remarks=(*_labels(system), *_uncertainty(windows, energies), *map(str, checks)),
    )
    return Outcome(mode, dut, results, tuple(checks), {"windows": windows_json(windows)})


def of_answers(
    dut: DutIdentity, answers: Answers, asked_model: str | None, folder: Path, system: System
) -> Outcome:
    """Results of accuracy mode.

    Args:
        dut: Who answered.
        answers: To the whole dataset.
        asked_model: The model that the user wants a result of, or None.
        folder: Of the dataset.
        system: What was run.

    Raises:
        InputError: The dataset has inputs of one class only.
    """
    outputs, labels = answers.outputs, answers.labels
    one_score = outputs.shape[1] == 1
    # Class 1 is the anomaly, and a higher score means anomaly (EnergyRunner datasets README).
    area = auc(outputs[:, 0], labels == 1) if one_score else mean_auc(outputs, labels)
    scores: dict[str, Score] = {Metric.AUC.value: area}
    if not one_score:
        scores[Metric.TOP_1.value] = top_1(outputs, labels)
    benchmark = BENCHMARKS.get(asked_model or dut.model)
    metric = benchmark.metric if benchmark else Metric.AUC if one_score else Metric.TOP_1
    if metric.value not in scores:
        raise InputError(
            f"{metric.value} of {benchmark.title if benchmark else dut.model} needs a result for each class;"
            " the DUT answers one score",
            fix="give the --model that the DUT runs",
        )
    checks = (
        rules.check_profile(dut.profile),
        rules.check_model(dut.model, asked_model),
        rules.check_quality(benchmark, scores[metric.value].value, len(labels)),
    )
    spoken = [
        f"{name} {one.value:.4f}, 95 % interval {one.low:.4f} to {one.high:.4f}, {one.n} inputs"
        for name, one in scores.items()
    ]
    found = scores.get(Metric.TOP_1.value)
    results = Results(
        source=PERFORMANCE,
        top_1=None if found is None else 100 * found.value,
        auc=area.value,
        remarks=(*_labels(system), *spoken, *map(str, checks)),
    )
    details = {
        "dataset": str(folder),
        "inferences": answers.inferences,
        "scores": {name: dataclasses.asdict(one) for name, one in scores.items()},
    }
    return Outcome("accuracy", dut, results, checks, details)


def to_json(outcome: Outcome, system: System) -> dict[str, Any]:
    """Everything about a run, as results.json holds it."""
    official = dataclasses.asdict(outcome.results)
    return {
        "mode": outcome.mode,
        "simulated": system.simulated,
        "valid": outcome.valid,
        "board": system.board or None,
        "bench": system.bench or None,
        "dut": dataclasses.asdict(outcome.dut),
        "devices": [dataclasses.asdict(device) for device in system.devices],
        "firmware": None if system.firmware is None else dataclasses.asdict(system.firmware),
        "median_energy_uj": official["median_energy_uj"],
        "median_throughput": official["median_throughput"],
        "top_1_percent": official["top_1"],
        "auc": official["auc"],
        **outcome.details,
        "rules": [
            {"rule": one.rule, "standing": one.standing.value, "found": one.found, "source": one.source}
            for one in outcome.checks
        ],
    }


def write(
    outcome: Outcome,
    system: System,
    console: Sequence[ConsoleLine],
    folder: Path,
    *,
    started_s: float,
    ended_s: float,
) -> None:
    """Write results.txt, results.json and log.txt.

    Args:
        outcome: What came of it.
        system: What was run.
        console: Everything that was said.
        folder: Made if it is not there.
        started_s, ended_s: Of the session, on the console's clock.

    Raises:
        InputError: The folder can't be written.
    """
    _write(folder / "log.txt", log_text(console, started_s, system))
    _write(folder / "results.txt", render(outcome.results, ended_s - started_s))
    _write(folder / "results.json", json.dumps(to_json(outcome, system), indent=2, allow_nan=False) + "\n")


def write_rest(
    error: HilError,
    windows: Sequence[Window],
    system: System,
    console: Sequence[ConsoleLine],
    folder: Path,
    *,
    started_s: float,
) -> None:
    """Write what is left of a run that failed: log.txt, and incomplete.json. There is no results.txt.

    Args:
        error: Why it failed.
        windows: Those that were measured before.
        system, console, folder, started_s: See `write`.

    Raises:
        InputError: The folder can't be written.
    """
    _write(folder / "log.txt", log_text(console, started_s, system))
    left = {"simulated": system.simulated, "error": str(error), "windows": windows_json(windows)}
    _write(folder / "incomplete.json", json.dumps(left, indent=2, allow_nan=False) + "\n")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"writing {path}: {error.strerror or error}", fix="give another folder: --out DIR"
        ) from error


def log_text(console: Sequence[ConsoleLine], started_s: float, system: System) -> str:
    """The conversation in the official runner's form; the pieces of an input are left out, as there."""
    lines = [f"{0:09.3f} lan-hil: {label}" for label in _labels(system)]
    loading = False
    for line in console:
        stamp = f"{max(line.time_s - started_s, 0.0):09.3f}"
        if line.direction == RECEIVED:
            if not loading or not line.text.startswith(("m-ready", "m-load-done", "m-[Expecting")):
                lines.append(f"{stamp} dut: {line.text}")
            continue
        loading = line.text.startswith("db ")
        if not loading:
            lines.append(f'{stamp} parser: Command "dut {line.text.removesuffix("%")}"')
        elif line.text.startswith("db load "):
            size = line.text.removesuffix("%").split()[-1]
            lines.append(f"{stamp} parser: Sending {size} bytes")
    return "".join(f"{line}\n" for line in lines)


def _labels(system: System) -> tuple[str, ...]:
    return (SIMULATED,) if system.simulated else ()


def _uncertainty(windows: Sequence[Window], energies: Sequence[EnergyWindow]) -> list[str]:
    """What the official form has no line for."""
    lines = []
    for number, one in zip(range(2, 2 * len(windows) + 1, 2), windows, strict=True):
        if one.energy is not None:
            lines.append(
                f"Uncertainty of window {number}: +-{one.energy.energy_error_uj:.3f} uJ,"
                f" +-{one.energy.energy_error_uj / one.inferences:.3f} uJ/inf.,"
                f" +-{1e6 * one.energy.duration_error_s:.1f} us (95 %, the instrument's)"
            )
    if energies:
        each = [one.per_inference_uj for one in energies]
        worst = max(one.energy.energy_error_uj / one.inferences for one in windows if one.energy is not None)
        lines.append(
            f"Uncertainty of the median energy cost: +-{worst:.3f} uJ/inf. (95 %, the instrument's, the same"
            f" in every window); windows from {min(each):.3f} to {max(each):.3f} uJ/inf."
        )
        lines += dict.fromkeys(note for one in windows if one.energy is not None for note in one.energy.notes)
    speeds = [one.throughput for one in windows]
    lines.append(f"Throughput of the windows from {min(speeds):.3f} to {max(speeds):.3f} inf./sec.")
    return lines


def windows_json(windows: Sequence[Window]) -> list[dict[str, Any]]:
    """The windows as results.json holds them."""
    return [_window_json(2 * number, one) for number, one in enumerate(windows, 1)]


def _window_json(number: int, window: Window) -> dict[str, Any]:
    found: dict[str, Any] = {
        "window": number,
        "input": window.input or None,
        "inferences": window.inferences,
        "warmups": window.lap.result.warmups,
        "runtime_s": window.runtime_s,
        "throughput": window.throughput,
        "dut_clock_s": window.lap.dut_s,
        "host_clock_s": window.lap.host_s,
        "results": list(window.lap.result.results),
    }
    if window.energy is not None:
        found |= {
            "energy_uj": window.energy.energy_uj,
            "energy_uncertainty_uj": window.energy.energy_error_uj,
            "per_inference_uj": window.energy.energy_uj / window.inferences,
            "runtime_uncertainty_s": window.energy.duration_error_s,
            "marker": window.energy.marker,
            "lost_share": window.energy.lost_share,
            "contributions": [dataclasses.asdict(part) for part in window.energy.contributions],
            "notes": list(window.energy.notes),
        }
    return found
