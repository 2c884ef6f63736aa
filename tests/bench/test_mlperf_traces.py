"""Energy traces that real boards left behind, against what the official runner reported of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.cli.traces import measure_trace
from pytest_lan_hil.instruments.files.results import read_results
from pytest_lan_hil.measure.reported import Comparison, compare

DATA = os.environ.get("LAN_HIL_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="LAN_HIL_DATA names no folder of MLPerf Tiny energy traces")
TRACES = Path(DATA or ".") / "mlperf-tiny-energy"
FOUND = sorted(TRACES.rglob("trace*-energy.bin")) if DATA else []
SHORT = "v1.1/STMicroelectronics/NUCLEO_H7A3ZI_Q/ad"
LOST = "v1.1/STMicroelectronics/NUCLEO_L4R5ZI/ic"


def comparisons(trace: Path) -> list[Comparison]:
    analysis = measure_trace(trace, timestamps=None, marker=None, instrument=None, supply_v=None)
    assert analysis.trace.stamps is not None
    reported = read_results(trace.with_name("results.txt"))
    return compare(analysis.trace.capture, analysis.trace.stamps.times_s, analysis.energies, reported)


def name_of(trace: Path) -> str:
    return str(trace.parent.relative_to(TRACES))


def test_all_traces_are_here() -> None:
    assert len(FOUND) == 9
    assert {SHORT, LOST} <= {name_of(trace) for trace in FOUND}


@pytest.mark.parametrize("trace", FOUND, ids=name_of)
def test_reported_energies_are_reproduced_and_lie_inside_our_uncertainty(trace: Path) -> None:
    for one in comparisons(trace):
        assert one.deviation is not None
        one_sample = 1e-3 / one.reported.duration_s
        assert abs(one.deviation) <= (one_sample if name_of(trace) == SHORT else 1e-4)
        assert one.inside


@pytest.mark.parametrize("trace", FOUND, ids=name_of)
def test_the_whole_samples_that_the_runner_summed_give_its_energy_to_the_last_digit(trace: Path) -> None:
    for one in comparisons(trace):
        assert one.summed_uj is not None
        assert one.summed_uj == pytest.approx(one.reported.energy_uj, abs=0.0006)  # it prints three digits
        assert one.summed_deviation == pytest.approx(0, abs=5e-9)


def test_the_trace_without_one_stamp_reported_the_pauses() -> None:
    analysis = measure_trace(
        TRACES / LOST / "trace1-energy.bin", timestamps=None, marker=None, instrument=None, supply_v=None
    )
    assert any("the one at about 10.955 s is missing" in note for note in analysis.notes)
    # The power tells it too: it rises there, to the millisecond, as it does at each start that has its stamp,
    power_w = analysis.trace.capture.power_w
    assert power_w is not None
    for start in (10_955, 31_741, 52_446, 73_129, 93_889):
        assert power_w[start - 20 : start - 1].max() < 34e-3 < 46e-3 < power_w[start + 2 : start + 20].min()
    # and is lower in every window that was reported than in every one that was not.
    mean = {one.index: one.mean_power_uw for one in analysis.energies}
    assert max(mean[k] for k in (2, 4, 6, 8)) < 36e3 < 46e3 < min(mean[k] for k in (3, 5, 7, 9))


def test_one_command_prints_the_table_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["analyze", "--check", str(TRACES)]) == 0
    out = capsys.readouterr().out
    assert "9 traces, 44 reported energies, 44 inside our stated uncertainty" in out
    assert run(app, ["analyze", "--check", str(TRACES), "--json"]) == 0
    worst = [
        abs(one["summed_deviation"])
        for trace in json.loads(capsys.readouterr().out)
        for one in trace["windows"]
    ]
    assert np.max(worst) < 5e-9
