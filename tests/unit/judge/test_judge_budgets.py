import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.judge import budgets
from pytest_lan_hil.judge.budgets import combine, judge
from pytest_lan_hil.measure.quantities import from_values, memory
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Budget, Outcome, VerdictKind

WITHIN, OVER, INCONCLUSIVE = VerdictKind.WITHIN, VerdictKind.OVER, VerdictKind.INCONCLUSIVE


def latencies(count=200, value=1.43, step=1e-5, error=4e-4):
    values = [value + step * (k * 7 % count) for k in range(count)]
    return from_values("latency", values, instrument_error=error, instrument="JS220 1")


def budget(limit, quantity="latency", statistic="p95", source="marker"):
    return Budget(quantity, limit, statistic, source)


@pytest.mark.parametrize(("limit", "kind"), [(12.0, WITHIN), (1.0, OVER), (1.432, INCONCLUSIVE)])
def test_only_an_interval_wholly_on_one_side_decides(limit, kind):
    assert judge(latencies(), budget(limit)).kind is kind


@given(limit=st.floats(0.1, 100), values=st.lists(st.floats(0.1, 100), min_size=1, max_size=90))
def test_within_and_over_are_told_by_the_ends_of_the_interval(limit, values):
    verdict = judge(from_values("latency", values, instrument_error=0.1), budget(limit))
    found = verdict.estimate
    assert (verdict.kind is WITHIN) == (found.high <= limit)
    assert (verdict.kind is OVER) == (found.low > limit)


@given(values=st.lists(st.floats(0.1, 100), min_size=72, max_size=90), limit=st.floats(0.1, 100))
def test_a_looser_budget_never_turns_within_into_something_else(values, limit):
    measured = from_values("latency", values)
    if judge(measured, budget(limit)).kind is WITHIN:
        assert judge(measured, budget(limit * 1.5)).kind is WITHIN


def test_the_reason_shows_value_uncertainty_count_and_budget():
    within = judge(latencies(), budget(12.0)).reason
    assert within == "latency p95 1.43189 ms ± 0.00041 (n=200) is within 12 ms, the budget"
    over = judge(latencies(), budget(1.0, source="board nrf52840")).reason
    assert over.endswith("is over 1 ms, the target of board nrf52840")


def test_an_exact_figure_is_called_exact_and_may_equal_its_limit():
    assert judge(memory(4096, 0), budget(4.0, "memory", "max")).kind is WITHIN
    verdict = judge(memory(4096, 1), budget(4.0, "memory", "max"))
    assert verdict.kind is OVER
    assert verdict.reason == "memory max 4.001 KB (n=1, exact) is over 4 KB, the budget"


def test_another_statistic_is_estimated_anew_from_the_same_values():
    measured = latencies()
    verdict = judge(measured, budget(12.0, statistic="max"))
    assert verdict.estimate.statistic == "max"
    assert verdict.estimate.value == max(measured.values)
    assert verdict.estimate.instrument_error == measured.estimate.instrument_error


def test_an_unknown_statistic_is_refused():
    with pytest.raises(InputError, match="is not a statistic"):
        judge(latencies(), budget(12.0, statistic="typical"))


def test_too_few_inferences_for_a_percentile_say_how_many_it_takes():
    verdict = judge(latencies(count=20), budget(12.0))
    assert verdict.kind is INCONCLUSIVE
    assert "no upper limit" in verdict.reason
    assert "p95 needs at least 72 inferences, this test made 20" in verdict.reason


def test_too_few_inferences_can_still_be_over():
    assert judge(latencies(count=20, value=50.0), budget(12.0)).kind is OVER


def test_a_limit_inside_the_instruments_error_asks_for_a_better_instrument():
    verdict = judge(
        from_values("energy", [10.0] * 50, instrument_error=0.5, instrument="JS220 1"),
        budget(10.2, "energy", "mean"),
    )
    assert verdict.kind is INCONCLUSIVE
    assert "JS220 1 is sure to ± 0.5 uJ only, more data won't help" in verdict.reason
    assert "lower current range or a more accurate instrument" in verdict.reason


def test_an_error_without_bound_decides_nothing_and_the_reason_says_what_bounds_it():
    note = "the error has no bound: name the instrument"
    measured = replace(latencies(error=math.inf), notes=(note,))
    for limit in (12.0, 1.0, 1.432):
        verdict = judge(measured, budget(limit))
        assert verdict.kind is INCONCLUSIVE
        assert verdict.reason.endswith(note)
    untold = judge(latencies(error=math.inf), budget(12.0)).reason
    assert untold.endswith("nothing bounds the error of JS220 1")


def test_a_wide_statistical_interval_says_how_many_inferences_would_settle_it():
    values = [10.0 + (-1) ** k for k in range(50)]
    measured = from_values("energy", values, instrument_error=0.05)
    verdict = judge(measured, budget(10.2, "energy", "mean"))
    half = measured.estimate.ci95_high - 10.0
    expected = math.ceil(50 * 1.1 * half**2 / (0.2**2 - 0.05**2))
    assert verdict.kind is INCONCLUSIVE
    assert f"about {expected} inferences would settle it" in verdict.reason
    more = [10.0 + (-1) ** k for k in range(expected)]
    assert (
        judge(from_values("energy", more, instrument_error=0.05), budget(10.2, "energy", "mean")).kind
        is WITHIN
    )


def test_power_is_settled_by_seconds():
    blocks = [10.0 + (-1) ** k for k in range(50)]
    measured = replace(from_values("power", blocks), duration_s=5.0)
    verdict = judge(measured, budget(10.2, "power", "mean"))
    assert "measure for about 11 s instead of 5 s" in verdict.reason


def test_power_without_an_interval_repeats_what_the_measurement_says():
    note = "the power varies too slowly for an interval from 1 s of record: measure for at least 4 s"
    verdict = judge(from_values("power", [1.0], notes=(note,)), budget(2.0, "power", "mean"))
    assert verdict.kind is INCONCLUSIVE
    assert verdict.reason.endswith(note)


def test_a_value_on_the_limit_asks_for_more_room():
    values = [10.0 + (-1) ** k for k in range(50)]
    verdict = judge(from_values("energy", values), budget(10.0, "energy", "mean"))
    assert "leave more room" in verdict.reason


def shares(right, n, quantity="accuracy"):
    return from_values(quantity, [100.0] * right + [0.0] * (n - right))


def test_higher_is_better_turns_the_comparison_round():
    high = judge(shares(298, 300), budget(93.5, "accuracy", "share"))
    assert high.kind is WITHIN
    assert high.reason == "accuracy share 99.3 % (97.6 to 99.8) (n=300) is within 93.5 %, the budget"
    low = judge(shares(250, 300), budget(93.5, "accuracy", "share"))
    assert low.kind is OVER
    assert "is below 93.5 %, the budget" in low.reason


def test_a_share_of_too_few_cases_says_how_many_would_settle_it():
    unsure = judge(shares(58, 60), budget(93.5, "accuracy", "share"))
    assert unsure.kind is INCONCLUSIVE
    assert "recordings would settle it" in unsure.reason
    assert (
        "sounds would settle it"
        in judge(shares(0, 20, "false_positive_rate"), budget(10.0, "false_positive_rate", "share")).reason
    )


def test_a_plain_number_has_no_unit_behind_it():
    verdict = judge(from_values("drift_score", [0.05]), budget(0.25, "drift_score", "max"))
    assert verdict.reason == "drift_score max 0.05 (n=1, exact) is within 0.25, the budget"


def test_what_more_data_would_settle_asks_for_more_and_not_for_another_instrument():
    drifted = from_values("drift_score", [0.2], instrument_error=0.1, instrument="a DUT")
    assert judge(drifted, budget(0.25, "drift_score", "max")).reason.endswith(
        "let the DUT hear more recordings"
    )


def verdicts_of(*kinds):
    one = judge(latencies(), budget(12.0))
    return [replace(one, kind=kind) for kind in kinds]


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        ((), Outcome.PASSED),
        ((WITHIN, WITHIN), Outcome.PASSED),
        ((WITHIN, INCONCLUSIVE), Outcome.BLOCKED),
        ((INCONCLUSIVE, OVER, WITHIN), Outcome.FAILED),
    ],
)
def test_over_fails_and_inconclusive_blocks(kinds, outcome):
    assert combine(verdicts_of(*kinds)) is outcome


def test_an_interval_is_shown_to_two_digits_of_its_uncertainty():
    found = from_values("energy", [10.0, 10.0], instrument_error=0.0123).estimate
    assert budgets.with_uncertainty(found) == ("10.000", "± 0.012")
