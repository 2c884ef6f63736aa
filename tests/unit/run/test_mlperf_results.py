"""results.txt: the official runner's files are read whole and written back the same, line by line."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.mlperf.results import (
    ENERGY,
    PERFORMANCE,
    EnergyWindow,
    PerformanceWindow,
    Results,
    parse,
    render,
)

DATA = os.environ.get("LAN_HIL_DATA")
OFFICIAL = sorted(Path(DATA, "mlperf-tiny-energy").rglob("results.txt")) if DATA else []

PERFORMANCE_FILE = """\
00087.373 ulp-mlperf: Performance results for window 2:
00087.374 ulp-mlperf:   # Inferences :          800
00087.374 ulp-mlperf:   Runtime      :       13.408 sec.
00087.374 ulp-mlperf:   Throughput   :       59.667 inf./sec.
00087.374 ulp-mlperf: Runtime requirements have been met.
00087.375 ulp-mlperf: ---------------------------------------------------------
00087.376 ulp-mlperf: Median throughput is 59.667 inf./sec.
00087.376 ulp-mlperf: ---------------------------------------------------------
00087.376 ulp-mlperf: Cannot compute accuracy metrics in single-run mode.
"""
ACCURACY_FILE = "00198.977 ulp-mlperf: Top-1: 90.2%\n00199.018 ulp-mlperf: AUC: 0.99\n"


def unstamped(text: str) -> list[str]:
    return [re.sub(r"^[0-9]{5}\.[0-9]{3} ", "", line) for line in text.splitlines()]


@pytest.mark.skipif(not DATA, reason="LAN_HIL_DATA names no folder of official results")
def test_there_are_official_results_to_read() -> None:
    assert len(OFFICIAL) >= 9


@pytest.mark.parametrize("path", OFFICIAL, ids=lambda path: "-".join(path.parts[-4:-1]))
def test_an_official_energy_result_is_written_back_line_by_line(path: Path) -> None:
    text = path.read_text()
    results = parse(text, path)
    assert results.source == ENERGY
    assert len(results.energy) == len(results.performance) in (4, 5)
    assert unstamped(render(results, 105.681)) == unstamped(text)


@pytest.mark.parametrize("text", [PERFORMANCE_FILE, ACCURACY_FILE], ids=["performance", "accuracy"])
def test_an_official_performance_or_accuracy_result_is_written_back(text: str) -> None:
    assert unstamped(render(parse(text, "results.txt"), 0.0)) == unstamped(text)


@pytest.mark.skipif(not DATA, reason="LAN_HIL_DATA names no folder of official results")
def test_the_window_that_the_runner_refused_is_read_as_invalid() -> None:
    (path,) = [one for one in OFFICIAL if one.parts[-4:-1] == ("STMicroelectronics", "NUCLEO_L4R5ZI", "ic")]
    windows = parse(path.read_text(), path).performance
    assert [one.valid for one in windows] == [True, True, False, True]
    assert windows[2] == PerformanceWindow(6, 50, 9.987, 5.007, valid=False)


def test_what_is_written_is_read_back_with_our_remarks_and_a_stamp_on_each_line() -> None:
    results = Results(
        source=ENERGY,
        energy=(EnergyWindow(2, 2.78, 11.27, 505626.75, 44880.77, 3370.845),),
        median_energy_uj=3370.845,
        performance=(PerformanceWindow(2, 150, 11.266, 13.314, valid=True),),
        median_throughput=13.314,
        remarks=("SIMULATED: no real device was measured", "met: 5 windows: 5 [somewhere]"),
    )
    text = render(results, 218.6884)
    assert parse(text, "results.txt") == results
    assert all(line.startswith("00218.688 ") for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "its lines are from nobody"),
        ("hello\n", "results.txt:1: 'hello' is not a line"),
        ("00000.000 dut: m-ready\n", "its lines are from dut"),
        (ACCURACY_FILE + "00199.018 ulp-ml: AUC: 0.99\n", "ulp-ml, ulp-mlperf"),
        ("\n".join(PERFORMANCE_FILE.splitlines()[:3]), "results.txt:4: '' is not a line"),
        (PERFORMANCE_FILE.replace("59.667 inf", "fast inf", 1), "results.txt:4"),
    ],
    ids=["empty", "other", "log", "two modes", "truncated", "no number"],
)
def test_another_file_is_refused_by_line(text: str, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        parse(text, "results.txt")


def test_performance_results_have_the_runner_s_other_source() -> None:
    assert parse(PERFORMANCE_FILE, "results.txt").source == PERFORMANCE
