"""The rules of MLPerf Tiny: where the line is drawn, and what is left open instead of failed."""

from __future__ import annotations

import pytest

from pytest_lan_hil.run.mlperf import rules
from pytest_lan_hil.run.mlperf.rules import BENCHMARKS, Standing


@pytest.mark.parametrize(
    ("runtime_s", "inferences", "valid"),
    [(10.0, 10, True), (9.999, 1000, False), (60.0, 9, False), (9.987, 50, False), (10.01, 50, True)],
)
def test_a_window_counts_from_ten_seconds_and_ten_iterations_on(
    runtime_s: float, inferences: int, valid: bool
) -> None:
    assert rules.long_enough(runtime_s, inferences) is valid
    standing = rules.check_runtime([(11.0, 100), (runtime_s, inferences)]).standing
    assert (standing is Standing.MET) is valid


@pytest.mark.parametrize(("count", "standing"), [(5, "met"), (4, "not met"), (6, "not met")])
def test_five_windows_and_no_other_number(count: int, standing: str) -> None:
    assert rules.check_windows(count).standing.value == standing


@pytest.mark.parametrize(
    ("names", "standing"),
    [(["a", "b", "c", "d", "e"], "met"), (["a", "b", "a", "b", "a"], "open"), ([], "open")],
)
def test_fewer_inputs_than_windows_are_told_and_fail_nothing(names: list[str], standing: str) -> None:
    check = rules.check_inputs(names, 5)
    assert check.standing.value == standing
    assert not rules.failed([check])


@pytest.mark.parametrize(
    ("laps", "simulated", "standing"),
    [
        ([(10.0, 10.02), (10.5, 10.48)], False, "met"),
        ([(10.0, 10.0), (10.5, 0.01)], False, "not met"),
        ([(10.0, 10.0), (10.0, 10.4)], False, "not met"),
        ([(10.5, 0.01)], True, "open"),
        ([], False, "open"),
    ],
)
def test_a_dut_s_clock_is_held_against_the_host_s_unless_it_is_simulated(
    laps: list[tuple[float, float]], simulated: bool, standing: str
) -> None:
    assert rules.check_clock(laps, simulated=simulated).standing.value == standing


def test_quality_is_judged_on_the_official_number_of_inputs_only() -> None:
    kws = BENCHMARKS["kws01"]
    assert rules.check_quality(kws, 0.90, 1000).standing is Standing.MET
    assert rules.check_quality(kws, 0.8999, 1000).standing is Standing.NOT_MET
    few = rules.check_quality(kws, 0.5, 40)
    assert few.standing is Standing.OPEN
    assert "not the official dataset (40 inputs, it has 1000)" in few.found
    assert rules.check_quality(None, 0.1, 1000).standing is Standing.OPEN


@pytest.mark.parametrize(
    ("model", "asked", "standing"),
    [("kws01", None, "met"), ("kws01", "kws01", "met"), ("kws01", "ad01", "open"), ("lan", None, "open")],
)
def test_another_model_is_no_result_of_the_suite(model: str, asked: str | None, standing: str) -> None:
    assert rules.check_model(model, asked).standing.value == standing


def test_another_profile_breaks_a_rule_and_a_lost_sample_in_a_thousand_does_not() -> None:
    assert rules.failed([rules.check_profile("something else")])
    assert not rules.failed([rules.check_profile(rules.PROFILE), rules.check_lost(0.001)])
    assert rules.failed([rules.check_lost(0.00101)])


def test_short_names_of_the_suite_s_models_are_completed_and_others_kept() -> None:
    assert [rules.model_name(name) for name in ("kws", "ad", "ic", "vww", "kws01", "lan")] == [
        "kws01", "ad01", "ic01", "vww01", "kws01", "lan",
    ]  # fmt: skip
