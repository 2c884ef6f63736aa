import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.measure.statistics import (
    describe,
    effective_n,
    estimate,
    fewest_for,
    is_autocorrelated,
    percentile_of,
    variance_inflation,
)
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=120)
STATISTICS = st.sampled_from(["mean", "max", "min", "p50", "p95", "p5"])


def autoregressive(rho: float, count: int, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=count)
    values = np.empty(count)
    values[0] = noise[0]
    for k in range(1, count):
        values[k] = rho * values[k - 1] + noise[k]
    return values


@given(values=VALUES, statistic=STATISTICS, error=st.floats(0, 1e3))
def test_intervals_are_ordered_and_hold_the_value(values, statistic, error):
    found = estimate(values, statistic, error)
    assert found.low <= found.ci95_low <= found.value <= found.ci95_high <= found.high
    assert min(values) <= found.value <= max(values)


@given(values=VALUES, statistic=STATISTICS, error=st.floats(0, 100), more=st.floats(0, 100))
def test_a_worse_instrument_never_narrows_the_interval(values, statistic, error, more):
    near, far = estimate(values, statistic, error), estimate(values, statistic, error + more)
    if far.ci95_high == near.ci95_high and far.ci95_low == near.ci95_low:
        assert far.high >= near.high
        assert far.low <= near.low


@given(values=VALUES, statistic=STATISTICS, step=st.floats(0, 1e3))
def test_raising_every_value_never_lowers_the_estimate(values, statistic, step):
    before = estimate(values, statistic, 0.0)
    after = estimate([value + step for value in values], statistic, 0.0)
    assert after.value >= before.value - 1e-6


def test_the_mean_of_three_values_has_the_half_width_of_student_t():
    found = estimate([1.0, 2.0, 3.0], "mean", 0.0)
    assert found.value == 2.0
    assert found.high - found.value == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_one_value_leaves_the_mean_unbounded():
    found = estimate([5.0], "mean", 0.1)
    assert (found.value, found.low, found.high) == (5.0, -math.inf, math.inf)


def test_equal_values_leave_only_the_instruments_error():
    found = estimate([5.0] * 20, "mean", 0.25)
    assert (found.ci95_low, found.ci95_high) == (5.0, 5.0)
    assert (found.low, found.high) == (4.75, 5.25)


def test_statistics_and_instrument_combine_as_root_sum_of_squares_per_side():
    values = [float(k) for k in range(100)]
    found = estimate(values, "p95", 3.0)
    assert found.high == pytest.approx(found.value + math.hypot(found.ci95_high - found.value, 3.0))
    assert found.low == pytest.approx(found.value - math.hypot(found.value - found.ci95_low, 3.0))
    assert found.ci95_high - found.value != found.value - found.ci95_low


@pytest.mark.parametrize(("count", "bounded"), [(20, False), (59, False), (71, False), (72, True)])
def test_p95_has_an_upper_limit_from_72_values(count, bounded):
    rng = np.random.default_rng(3)
    found = estimate(rng.permutation(count).astype(float).tolist(), "p95", 0.0)
    assert math.isfinite(found.high) is bounded
    assert fewest_for("p95") == 72


@pytest.mark.parametrize("statistic", ["p50", "p90", "p95", "p99", "p10"])
def test_fewest_for_is_the_first_count_with_two_finite_sides(statistic):
    need = fewest_for(statistic)
    for count in (need - 1, need):
        found = estimate([1.0] * count, statistic, 0.0)
        finite = math.isfinite(found.ci95_low) and math.isfinite(found.ci95_high)
        assert finite is (count == need)


def test_the_maximum_is_the_largest_value_and_has_no_statistical_interval():
    found = estimate([1.0, 9.0, 4.0], "max", 0.5)
    assert (found.value, found.ci95_low, found.ci95_high, found.low, found.high) == (9.0, 9.0, 9.0, 8.5, 9.5)


def test_the_minimum_is_the_smallest_value_and_has_no_statistical_interval():
    found = estimate([4.0, 1.0, 9.0], "min", 0.5)
    assert (found.value, found.ci95_low, found.ci95_high, found.low, found.high) == (1.0, 1.0, 1.0, 0.5, 1.5)


# Cases 1 to 4 of R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, score method.
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (1, 29, 0.61, 17.18)],
)
def test_a_share_has_the_published_interval_of_wilson(right, n, low, high):
    found = estimate([100.0] * right + [0.0] * (n - right), "share", 0.0)
    assert found.value == pytest.approx(100 * right / n)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    mirrored = estimate([0.0] * right + [100.0] * (n - right), "share", 0.0)
    assert (mirrored.low, mirrored.high) == (
        pytest.approx(100 - high, abs=0.01),
        pytest.approx(100 - low, abs=0.01),
    )


@given(values=st.lists(st.sampled_from([0.0, 100.0]), min_size=1, max_size=200))
def test_the_interval_of_a_share_lies_between_0_and_100_and_is_never_a_point(values):
    found = estimate(values, "share", 0.0)
    assert 0 <= found.low <= found.value <= found.high <= 100
    assert found.low < found.high


@pytest.mark.parametrize("values", [[0.5], [0.0, 1.0], [100.0, 99.0]])
def test_a_share_of_anything_but_cases_is_refused(values):
    with pytest.raises(MeasurementInvalid, match="0 or 100"):
        estimate(values, "share", 0.0)


@pytest.mark.parametrize(("statistic", "fewest"), [("mean", 2), ("max", 1), ("min", 1), ("share", 1)])
def test_a_mean_takes_two_values_and_the_others_one(statistic, fewest):
    assert fewest_for(statistic) == fewest


def test_independent_values_count_fully_and_autocorrelated_ones_do_not():
    noise = autoregressive(0.0, 2000)
    slow = autoregressive(0.9, 2000)
    assert effective_n(noise.tolist()) == 2000
    # For an AR(1) process the limit is n (1 - rho) / (1 + rho).
    assert effective_n(slow.tolist()) == pytest.approx(2000 * 0.1 / 1.9, rel=0.5)
    assert is_autocorrelated(slow.tolist())
    assert not is_autocorrelated(noise.tolist())


@pytest.mark.parametrize(("coefficient", "n"), [(0.0, 100), (0.4, 100), (0.6, 100), (0.8, 300)])
def test_the_interval_of_a_mean_holds_it_as_often_as_it_says(coefficient, n):
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        values = np.empty(n)
        values[0] = rng.standard_normal() / math.sqrt(1 - coefficient**2)
        for k, step in enumerate(rng.standard_normal(n - 1), start=1):
            values[k] = coefficient * values[k - 1] + step
        found = estimate(values.tolist(), "mean", 0.0)
        held += found.ci95_low <= 0 <= found.ci95_high
    assert 0.92 <= held / 400 <= 0.98  # 95 % to three standard deviations of 400 trials


def test_a_slow_wander_under_noise_inflates_the_variance_of_a_mean_by_what_it_does():
    rng = np.random.default_rng(3)
    kept, n = math.exp(-1 / 6), 100
    found = []
    for _ in range(300):
        wander = np.empty(n)
        wander[0] = rng.standard_normal()
        for k, step in enumerate(rng.standard_normal(n - 1), start=1):
            wander[k] = kept * wander[k - 1] + math.sqrt(1 - kept**2) * step
        found.append(variance_inflation((wander + rng.standard_normal(n)).tolist()))
    # Half of the variance is correlated: 1 + 2 * 0.5 * sum of kept**k, less what n values can't show.
    assert 0.9 < np.mean(found) / (1 + kept / (1 - kept)) < 1.2


def test_autocorrelation_widens_the_interval_of_the_mean_and_of_a_percentile():
    slow = autoregressive(0.9, 2000)
    mixed = np.random.default_rng(2).permutation(slow)
    for statistic in ("mean", "p50", "p90"):
        correlated = estimate(slow.tolist(), statistic, 0.0)
        independent = estimate(mixed.tolist(), statistic, 0.0)
        assert correlated.value == pytest.approx(independent.value)
        wide, narrow = (one.ci95_high - one.ci95_low for one in (correlated, independent))
        assert wide > 2 * narrow


def test_clustered_values_widen_a_percentile_to_the_extremes_seen_but_no_further():
    slow = autoregressive(0.99, 200)
    found = estimate(slow.tolist(), "p95", 0.0)
    assert found.ci95_high == slow.max()
    assert math.isinf(estimate(slow[:71].tolist(), "p95", 0.0).ci95_high)


@given(values=VALUES)
def test_effective_n_lies_between_two_and_n(values):
    assert min(2, len(values)) <= effective_n(values) <= len(values)


def test_description_of_known_values():
    spread = describe([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (spread.mean, spread.minimum, spread.p50, spread.maximum) == (3.0, 1.0, 3.0, 5.0)
    assert spread.std == pytest.approx(math.sqrt(2.5))
    assert spread.p95 == pytest.approx(4.8)
    assert describe([7.0]).std == 0.0


@pytest.mark.parametrize("statistic", ["p0", "p100", "median", "", "p", "pNN", "95", "pnan"])
def test_an_unknown_statistic_is_refused(statistic):
    with pytest.raises(InputError, match="is not a statistic"):
        percentile_of(statistic)


def test_fractional_percentiles_are_statistics():
    assert percentile_of("p99.9") == 99.9


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_values_that_are_no_numbers_are_invalid(values):
    with pytest.raises(MeasurementInvalid):
        estimate(values, "mean", 0.0)


@pytest.mark.parametrize("error", [-1.0, math.nan])
def test_a_negative_instrument_error_is_refused(error):
    with pytest.raises(InputError, match="instrument error"):
        estimate([1.0, 2.0], "mean", error)
