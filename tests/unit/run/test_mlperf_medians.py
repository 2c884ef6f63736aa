"""The median over windows: never without its uncertainty, and never more certain than so few windows are."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from pytest_lan_hil.dut.dut import InferResult
from pytest_lan_hil.run.mlperf import outcome
from pytest_lan_hil.run.mlperf.medians import median_of
from pytest_lan_hil.run.mlperf.procedures import DutIdentity, Lap, Window


def test_five_windows_have_their_range_with_the_confidence_that_it_has() -> None:
    found = median_of([3.0, 1.0, 2.0, 5.0, 4.0], "uJ/inf.", 1.5)
    assert (found.value, found.n) == (3.0, 5)
    assert (found.interval_low, found.interval_high) == (1.0, 5.0)
    assert found.confidence == 0.9375
    assert (found.low, found.high) == (0.5, 5.5)  # 2 and 1.5, root sum of squares
    told = str(found)
    assert "holds the median with 93.75 %, not with 95 % (needs 6 windows)" in told
    assert "instrument +-1.500 (95 %)" in told
    assert "combined 0.500 to 5.500 uJ/inf." in told


def test_the_range_of_five_holds_the_median_as_often_as_is_said() -> None:
    windows = np.random.default_rng(1).exponential(size=(20_000, 5))
    inside = (windows.min(axis=1) <= math.log(2)) & (windows.max(axis=1) >= math.log(2))
    assert inside.mean() == pytest.approx(0.9375, abs=0.006)


def test_from_six_windows_on_the_interval_has_95_percent() -> None:
    found = median_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "inf./sec.", 0.0)
    assert (found.interval_low, found.interval_high, found.confidence) == (1.0, 6.0, 0.95)
    more = median_of([float(k) for k in (3, 9, 1, 7, 5, 11, 2, 8, 4, 10, 6, 12)], "inf./sec.", 0.0)
    assert 1.0 < more.interval_low < more.value < more.interval_high < 12.0
    assert "95 % interval 3.000 to 10.000" in str(more)


def test_one_window_is_trusted_with_nothing() -> None:
    found = median_of([7.0], "inf./sec.", 0.1)
    assert found.confidence == 0.0
    assert "holds the median with 0 %" in str(found)


def windows(*laps: tuple[float, float]) -> list[Window]:
    """Windows of 100 inferences, lengths by the DUT's clock and by the host's."""
    result = InferResult(100, 1, (1.0,), (0, 1))
    return [Window("", 100, dut_s, Lap(result, dut_s, host_s)) for dut_s, host_s in laps]


SYSTEM = outcome.System("", "", (), None, simulated=False)
DUT = DutIdentity("dut", "ULPMark for tinyML Firmware V0.0.1", "kws01")


def test_throughput_is_as_certain_as_the_host_s_clock_confirms_the_dut_s() -> None:
    (window,) = windows((10.0, 10.05))
    assert window.runtime_error_s == pytest.approx(0.1)  # what they differ, and what the host's stamps may
    assert window.throughput_error == pytest.approx(100 / 9.9 - 10)


def test_results_never_hold_a_median_without_its_uncertainty() -> None:
    made = outcome.of_windows(
        "performance", DUT, windows(*[(10.0 + 0.1 * k, 10.0 + 0.1 * k) for k in range(5)]), None, SYSTEM
    )
    report = outcome.to_json(made, SYSTEM)
    median = report["median_throughput"]
    assert median["value"] == made.results.median_throughput == pytest.approx(100 / 10.2)
    assert (median["n"], median["confidence"]) == (5, 0.9375)
    assert median["low"] < median["interval_low"] == pytest.approx(100 / 10.4)
    assert median["instrument_error"] == pytest.approx(100 / 9.95 - 10.0)
    (told,) = [line for line in made.results.remarks if "median throughput" in line]
    assert "5 windows from 9.615 to 10.000 inf./sec." in told
    assert "combined" in told


def test_a_clock_that_the_host_contradicts_bounds_nothing_and_is_still_written() -> None:
    made = outcome.of_windows("performance", DUT, windows(*[(10.0, 0.01)] * 5), None, SYSTEM)
    report = json.loads(json.dumps(outcome.to_json(made, SYSTEM), allow_nan=False))
    assert report["median_throughput"]["instrument_error"] is None
    assert report["windows"][0]["throughput_uncertainty"] is None
    assert any("error without a bound" in line for line in made.results.remarks)
