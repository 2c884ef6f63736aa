"""From what a procedure brought to the results: the official form, the rules, and JSON. Pure.

What a virtual bench made says "simulated" in each of them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import DeviceIdentity, FirmwareIdentity
from pytest_lan_hil.run.mlperf import rules
from pytest_lan_hil.run.mlperf.medians import Median, half_width, median_of
from pytest_lan_hil.run.mlperf.procedures import Answer, DutIdentity, Window
from pytest_lan_hil.run.mlperf.results import (
    ENERGY,
    PERFORMANCE,
    EnergyWindow,
    PerformanceWindow,
    Results,
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
        throughput: Median of the windows, None in accuracy mode.
        energy: Likewise, of the energy for one inference; None but in energy mode.
    """

    mode: str
    dut: DutIdentity
    results: Results
    checks: tuple[Check, ...]
    details: Mapping[str, Any]
    throughput: Median | None = None
    energy: Median | None = None

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
    speed = median_of(
        [one.throughput for one in windows], "inf./sec.", max(one.throughput_error for one in windows)
    )
    cost = None
    if energies:
        errors = [one.energy.energy_error_uj / one.inferences for one in windows if one.energy is not None]
        cost = median_of([one.per_inference_uj for one in energies], "uJ/inf.", max(errors))
    results = Results(
        source=ENERGY if readings else PERFORMANCE,
        energy=energies,
        median_energy_uj=None if cost is None else cost.value,
        performance=speeds,
        median_throughput=speed.value,
        remarks=(*labels_of(system), *_uncertainty(windows, speed, cost), *map(str, checks)),
    )
    details = {"windows": windows_json(windows)}
    return Outcome(mode, dut, results, tuple(checks), details, throughput=speed, energy=cost)


def require_scorable(answer: Answer, labels: Sequence[int], model: str) -> None:
    """Refuse answers that the benchmark's metric can't be made of; the first one shows it.

    Args:
        answer: The first.
        labels: Of the whole dataset.
        model: That a result is wanted of.

    Raises:
        InputError: Top-1 is wanted, and there is one score; or there is one score, and none or all of the
            inputs are anomalies.
    """
    if len(answer.outputs) > 1:
        return
    benchmark = BENCHMARKS.get(model)
    if benchmark is not None and benchmark.metric is not Metric.AUC:
        raise InputError(
            f"{benchmark.metric.value} of {benchmark.title} needs a result for each class; the DUT answers"
            " one score",
            fix="give the --model that the DUT runs",
        )
    anomalies = sum(label == 1 for label in labels)
    if anomalies in (0, len(labels)):
        raise InputError(
            f"the DUT answers one score, an anomaly's; {anomalies} of the dataset's {len(labels)} inputs are"
            " anomalies (class 1)",
            fix="use the dataset of the model that the DUT runs, the whole of it",
        )


def of_answers(
    dut: DutIdentity, answers: Sequence[Answer], asked_model: str | None, folder: Path, system: System
) -> Outcome:
    """Results of accuracy mode.

    Args:
        dut: Who answered.
        answers: To the whole dataset, which can be scored (`require_scorable`).
        asked_model: The model that the user wants a result of, or None.
        folder: Of the dataset.
        system: What was run.

    Raises:
        InputError: The dataset has inputs of one class only.
    """
    outputs = np.array([one.outputs for one in answers], np.float64)
    labels = np.array([one.label for one in answers], np.int64)
    one_score = outputs.shape[1] == 1
    # Class 1 is the anomaly, and a higher score means anomaly (EnergyRunner datasets README).
    area = auc(outputs[:, 0], labels == 1) if one_score else mean_auc(outputs, labels)
    scores: dict[str, Score] = {Metric.AUC.value: area}
    if not one_score:
        scores[Metric.TOP_1.value] = top_1(outputs, labels)
    benchmark = BENCHMARKS.get(asked_model or dut.model)
    metric = benchmark.metric if benchmark else Metric.AUC if one_score else Metric.TOP_1
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
        remarks=(*labels_of(system), *spoken, *map(str, checks)),
    )
    details = {
        "dataset": str(folder),
        "inferences": sum(one.inferences for one in answers),
        "scores": {name: dataclasses.asdict(one) for name, one in scores.items()},
        "answers": answers_json(answers),
    }
    return Outcome("accuracy", dut, results, checks, details)


def to_json(outcome: Outcome, system: System) -> dict[str, Any]:
    """Everything about a run, as results.json holds it."""
    found = {
        "mode": outcome.mode,
        "simulated": system.simulated,
        "valid": outcome.valid,
        "board": system.board or None,
        "bench": system.bench or None,
        "dut": dataclasses.asdict(outcome.dut),
        "devices": [dataclasses.asdict(device) for device in system.devices],
        "firmware": None if system.firmware is None else dataclasses.asdict(system.firmware),
        "median_energy_uj": None if outcome.energy is None else dataclasses.asdict(outcome.energy),
        "median_throughput": None if outcome.throughput is None else dataclasses.asdict(outcome.throughput),
        "top_1_percent": outcome.results.top_1,
        "auc": outcome.results.auc,
        **outcome.details,
        "rules": [
            {"rule": one.rule, "standing": one.standing.value, "found": one.found, "source": one.source}
            for one in outcome.checks
        ],
    }
    bounded: dict[str, Any] = without_infinities(found)
    return bounded


def labels_of(system: System) -> tuple[str, ...]:
    """What must be said of everything that comes from this system."""
    return (SIMULATED,) if system.simulated else ()


def _uncertainty(windows: Sequence[Window], speed: Median, cost: Median | None) -> list[str]:
    """What the official form has no line for."""
    whose = "the DUT's clock, as far as the host's confirms it" if cost is None else "the instrument's"
    lines = []
    for number, one in zip(range(2, 2 * len(windows) + 1, 2), windows, strict=True):
        parts = [f"{half_width(one.throughput_error)} inf./sec.", f"+-{1e6 * one.runtime_error_s:.1f} us"]
        if one.energy is not None:
            error_uj = one.energy.energy_error_uj
            parts += [f"{half_width(error_uj)} uJ", f"{half_width(error_uj / one.inferences)} uJ/inf."]
        lines.append(f"Uncertainty of window {number}: {', '.join(parts)} (95 %, {whose})")
    if cost is not None:
        lines.append(f"Uncertainty of the median energy cost: {cost}")
        lines += dict.fromkeys(note for one in windows if one.energy is not None for note in one.energy.notes)
    lines.append(f"Uncertainty of the median throughput: {speed}")
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
        "runtime_uncertainty_s": window.runtime_error_s,
        "throughput": window.throughput,
        "throughput_uncertainty": window.throughput_error,
        "dut_clock_s": window.lap.dut_s,
        "host_clock_s": window.lap.host_s,
        "results": list(window.lap.result.results),
    }
    if window.energy is not None:
        found |= {
            "energy_uj": window.energy.energy_uj,
            "energy_uncertainty_uj": window.energy.energy_error_uj,
            "per_inference_uj": window.energy.energy_uj / window.inferences,
            "marker": window.energy.marker,
            "lost_share": window.energy.lost_share,
            "contributions": [dataclasses.asdict(part) for part in window.energy.contributions],
            "notes": list(window.energy.notes),
        }
    return found


def answers_json(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """The answers as results.json holds them."""
    return [dataclasses.asdict(one) for one in answers]


def without_infinities(value: Any) -> Any:
    """The same with null for every number that JSON has no word for: an error without a bound."""
    if isinstance(value, Mapping):
        return {key: without_infinities(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinities(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
