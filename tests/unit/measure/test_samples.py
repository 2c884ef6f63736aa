"""A sample's standard error is what the figure would scatter by, were the run made again."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.measure.samples import sample_of


def _scatter_and_claim(statistic, draw, runs=300):
    """Standard deviation of a statistic over runs, and the median standard error that one run claims."""
    rng = np.random.default_rng(3)
    found = [
        sample_of(from_values("x", draw(rng).tolist(), unit="1", statistic=statistic)) for _ in range(runs)
    ]
    return np.std([one.value for one in found]), np.median([one.standard_error for one in found])


@pytest.mark.parametrize(
    ("statistic", "tolerance"), [("mean", 0.1), ("p50", 0.15), ("p95", 0.25)], ids=["mean", "p50", "p95"]
)
def test_the_standard_error_is_the_scatter_of_the_figure_from_run_to_run(statistic, tolerance):
    scatter, claim = _scatter_and_claim(statistic, lambda rng: 10 + rng.standard_normal(200))
    assert claim == pytest.approx(scatter, rel=tolerance)


def test_the_standard_error_of_a_share_is_its_scatter():
    scatter, claim = _scatter_and_claim("share", lambda rng: 100.0 * (rng.random(150) < 0.9))
    assert claim == pytest.approx(scatter, rel=0.15)


def test_neighbours_that_resemble_each_other_count_less():
    def wandering(rng):
        return 10 + np.repeat(rng.standard_normal(50), 8)

    one = sample_of(from_values("energy", wandering(np.random.default_rng(1)).tolist()))
    assert one.degrees < 100 < one.n
    scatter, claim = _scatter_and_claim("mean", wandering, runs=100)
    # A plain standard deviation / sqrt(n) would claim 0.05, a third of it.
    assert 0.85 * scatter < claim < 1.5 * scatter


def test_a_mean_of_known_values():
    found = sample_of(from_values("energy", [1.0, 2.0, 3.0, 4.0]))
    assert found.value == 2.5
    assert found.standard_error == pytest.approx(math.sqrt(5 / 3) / 2)
    assert found.degrees == 3
    assert (found.n, found.spread.maximum) == (4, 4.0)


def test_the_instruments_gain_cancels_between_two_runs_and_is_left_out_of_a_mean():
    plain = sample_of(from_values("energy", [1.0, 2.0, 3.0]))
    assert sample_of(from_values("energy", [1.0, 2.0, 3.0], instrument_error=5.0)) == plain


def test_a_counter_rounds_anew_in_every_run_so_its_resolution_counts():
    assert sample_of(from_values("uptime", [7.0], instrument_error=0.0098)).standard_error == pytest.approx(
        0.005
    )


def test_memory_is_exact():
    found = sample_of(from_values("memory", [15.53125]))
    assert (found.value, found.standard_error, found.degrees) == (15.53125, 0.0, math.inf)


@pytest.mark.parametrize(
    ("quantity", "values"),
    [("latency", [1.0 + 0.001 * k for k in range(20)]), ("energy", [3.0])],
    ids=["p95 of 20 values", "mean of one value"],
)
def test_what_a_runs_values_cannot_bound_has_an_infinite_error(quantity, values):
    found = sample_of(from_values(quantity, values))
    assert found.standard_error == math.inf
    assert found.degrees == math.inf


@given(right=st.integers(0, 100), n=st.integers(1, 100))
def test_a_share_keeps_its_plain_value_and_is_never_taken_for_certain(right, n):
    right = min(right, n)
    found = sample_of(from_values("accuracy", [100.0] * right + [0.0] * (n - right)))
    assert found.value == pytest.approx(100 * right / n)
    p = (right + 1) / (n + 2)
    assert found.standard_error == pytest.approx(100 * math.sqrt(p * (1 - p) / (n + 2)))
    assert found.standard_error > 0
