"""`lan-hil mlperf` on the virtual board: each window has ten seconds of its time, and takes less of ours.

One run of each procedure holds what its tests look at, because each costs seconds.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_lan_hil.run.mlperf.results import ENERGY, PERFORMANCE, Results, parse

LIMIT_S = 300
BOARD = ("--board", "nrf52840", "--bench", "virtual")
CONSOLE = ("--console", "virtual://nrf52840/uart0", "--baud", "115200")
ANALYZER = (
    "--analyzer", "joulescope+virtual:nrf52840?gpi0=P0.13&gpi1=P0.14&supply_v=3.0",
    "--marker", "inference=gpi0", "--marker", "phase=gpi1",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What one command left."""

    code: int
    report: dict[str, Any]
    official: Results
    files: dict[str, str]
    errors: str


def command(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").touch()
    state = {
        "LAN_HIL_STATE": str(folder / "state"),
        "LAN_HIL_VIRTUAL_STATE": str(folder / "state" / "virtual"),
    }
    return subprocess.run(
        [sys.executable, "-c", "from pytest_lan_hil.cli import main; main()", "mlperf", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        env={**os.environ, **state, **more},
    )  # fmt: skip


def mlperf(folder: Path, *arguments: str) -> Run:
    done = command(folder, *arguments, "--out", "run", "--json")
    assert done.returncode in (0, 1), done.stderr
    files = {path.name: path.read_text() for path in (folder / "run").iterdir()}
    return Run(
        done.returncode,
        json.loads(done.stdout),
        parse(files["results.txt"], "results.txt"),
        files,
        done.stderr,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlperf")


@pytest.fixture(scope="module")
def inputs(folder: Path) -> Path:
    """Five inputs of 256 samples: a whole window of the network, different each."""
    made = folder / "inputs"
    made.mkdir()
    for index in range(5):
        samples = bytes((7 * index * k) % 251 for k in range(512))
        (made / f"{index}.bin").write_bytes(samples)
    (made / "y_labels.csv").write_text("".join(f"{index}.bin,12,{index}\n" for index in range(5)))
    return made


@pytest.fixture(scope="module")
def performance(folder: Path, inputs: Path) -> Run:
    return mlperf(folder, "performance", *BOARD, "--dataset", str(inputs))


@pytest.fixture(scope="module")
def energy(folder: Path, inputs: Path) -> Run:
    return mlperf(folder, "energy", *BOARD, "--dataset", str(inputs))


def test_performance_meets_every_rule_that_applies(performance: Run) -> None:
    assert performance.code == 0, performance.report["rules"]
    standings = {one["rule"]: one["standing"] for one in performance.report["rules"]}
    assert standings["5 windows"] == "met"
    assert standings["at least 10 seconds and 10 iterations in every window"] == "met"
    assert standings["a different input file for each window"] == "met"
    assert performance.official.source == PERFORMANCE
    assert [one.valid for one in performance.official.performance] == [True] * 5


def test_inferences_run_back_to_back_and_not_at_the_pace_of_audio(performance: Run) -> None:
    # 32 ms of audio a frame would be 31 per second; the network takes 1.7 ms.
    assert 300 < performance.official.median_throughput < 600
    assert len({tuple(one["results"]) for one in performance.report["windows"]}) > 1


def test_energy_meets_every_rule_that_applies(energy: Run) -> None:
    assert energy.code == 0, energy.report["rules"]
    assert energy.official.source == ENERGY
    assert [one.window for one in energy.official.energy] == [2, 4, 6, 8, 10]
    assert all(one.duration_s >= 10 for one in energy.official.energy)
    starts = [one.start_s for one in energy.official.energy]
    assert all(later - sooner > 10 for sooner, later in itertools.pairwise(starts))


def test_the_numbers_of_a_window_agree_with_each_other(energy: Run) -> None:
    for joules, speed in zip(energy.official.energy, energy.official.performance, strict=True):
        assert joules.energy_uj / joules.duration_s == pytest.approx(joules.power_uw, rel=1e-3)
        assert joules.energy_uj / speed.inferences == pytest.approx(joules.per_inference_uj, rel=1e-4)
        assert speed.runtime_s == pytest.approx(joules.duration_s, abs=0.01)


def test_energy_stands_beside_its_uncertainty(energy: Run) -> None:
    for window in energy.report["windows"]:
        assert 0 < window["energy_uncertainty_uj"] < 0.02 * window["energy_uj"]
        assert window["marker"] == "phase"
        assert window["contributions"]
    assert any(line.startswith("Uncertainty of the median energy cost") for line in energy.official.remarks)
    for median in (energy.report["median_energy_uj"], energy.report["median_throughput"]):
        assert (median["n"], median["confidence"]) == (5, 0.9375)
        assert median["low"] < median["value"] < median["high"]
    assert energy.report["median_energy_uj"]["value"] == pytest.approx(
        energy.official.median_energy_uj, abs=1e-3
    )


def test_performance_and_energy_mode_agree_on_the_speed(performance: Run, energy: Run) -> None:
    # The DUT's stamps enclose 3 ms more than `phase`: the console and the crystal are switched in between.
    assert energy.official.median_throughput == pytest.approx(
        performance.official.median_throughput, rel=1e-2
    )


@pytest.mark.parametrize("procedure", ["performance", "energy"])
def test_every_file_says_that_it_was_simulated(procedure: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(procedure)
    assert run.report["simulated"]
    assert run.official.remarks[0].startswith("SIMULATED")
    assert run.files["log.txt"].splitlines()[0].split(" ", 1)[1].startswith("lan-hil: SIMULATED")
    assert json.loads(run.files["results.json"])["simulated"]
    assert set(run.files) == {"results.txt", "results.json", "log.txt"}


def test_the_image_that_ran_is_proved_and_recorded(performance: Run) -> None:
    firmware = performance.report["firmware"]
    assert firmware["proved"]
    assert len(firmware["flash_sha256"]) == 64
    assert {device["role"] for device in performance.report["devices"]} == {"probe", "console", "analyzer"}


def test_accuracy_of_the_board_is_told_with_its_interval(
    folder: Path, inputs: Path, performance: Run
) -> None:
    run = mlperf(folder, "accuracy", *BOARD, "--dataset", str(inputs))
    assert run.code == 0, run.report["rules"]
    score = run.report["scores"]["Top-1"]
    assert score["n"] == 5
    assert score["low"] <= score["value"] <= score["high"]
    assert score["high"] - score["low"] > 0.5  # five inputs tell little
    assert run.official.top_1 == pytest.approx(100 * score["value"], abs=0.05)


def test_a_console_and_an_analyzer_do_without_a_probe(folder: Path, performance: Run) -> None:
    """`performance` has left its image in the flash; nothing is flashed here."""
    run = mlperf(folder, "energy", *CONSOLE, *ANALYZER, "--windows", "2", "--seconds", "0.3")
    assert run.code == 1  # two windows, and short
    assert run.report["firmware"] is None
    assert run.report["simulated"]
    assert all(10 < window["per_inference_uj"] < 30 for window in run.report["windows"])


def test_the_pace_that_the_firmware_had_is_given_back(performance: Run) -> None:
    log = performance.files["log.txt"]
    first, last = log.index('"dut lnn pace 0"'), log.index('"dut lnn pace 32"')
    assert first < log.index('"dut infer') < log.rindex('"dut infer') < last


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("analyzer_vanish@0.5", "stopped after 0.450 s, before it was told to"),
        ("drop@0.5:0.05", "of the samples (limit 1%) were lost"),
        ("drop@0.5:0.002", "samples in 1 of 1 phase windows were lost"),
    ],
)
def test_a_broken_analyzer_is_not_the_dut_s_fault(tmp_path: Path, fault: str, told: str) -> None:
    arguments = ("energy", *BOARD, "--seconds", "0.5", "--windows", "1", "--out", "run")
    done = command(tmp_path, *arguments, LAN_HIL_VIRTUAL_FAULTS=fault)
    assert done.returncode == 3
    assert told in done.stderr
    assert "hang" not in done.stderr
    assert "firmware" not in done.stderr.partition("window 1 of 1")[2]
    assert told in json.loads((tmp_path / "run" / "incomplete.json").read_text())["error"]


def test_a_power_meter_without_marker_lines_is_refused_before_the_dut_is_asked_anything(
    tmp_path: Path,
) -> None:
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "meter.toml").write_text(
        'probe = "virtual:{virtual}"\nconsole = "virtual://{virtual}/uart0"\n'
        'analyzer = "ina219+virtual:{virtual}?shunt_ohm=10&range_mv=80&supply_v={supply_v}"\n'
    )
    done = command(tmp_path, "energy", "--board", "nrf52840", "--bench", "meter")
    assert done.returncode == 3
    assert "no marker line shows from when to when; recorded are none" in done.stderr
    assert "profile" not in done.stderr  # nobody has asked the DUT anything
