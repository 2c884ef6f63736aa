"""Steps are found where they are, spikes and chance are not taken for steps."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lan_hil.measure.changepoints import SHORTEST, Step, _partition, noise_of, steps

SEED = 20261129


def normal(count: int, seed: int, level: float = 10.0, std: float = 0.1) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(level, std) for _ in range(count)]


def test_a_step_is_found_at_its_run_with_both_levels() -> None:
    values = [*normal(30, 1), *normal(20, 2, level=11.5)]
    (found,) = steps(values)
    assert found.index == 30
    assert found.before == pytest.approx(10.0, abs=0.06)
    assert found.after == pytest.approx(11.5, abs=0.06)


def test_an_exact_series_steps_at_the_smallest_change() -> None:
    assert steps([21.25] * 5 + [21.5] * 3) == (Step(5, 21.25, 21.5),)
    assert steps([21.25] * 8) == ()


def test_there_and_back_are_two_steps() -> None:
    values = [*normal(20, 3), *normal(8, 4, level=12.0), *normal(20, 5)]
    assert [found.index for found in steps(values)] == [20, 28]


@pytest.mark.parametrize("place", [0, 1, 7, 18, 19])
def test_one_run_is_a_spike_and_not_a_step(place: int) -> None:
    for values in ([10.0] * 20, normal(20, 6)):
        values[place] = 70.0
        assert steps(values) == ()


def test_a_spike_does_not_hide_the_step_after_it() -> None:
    values = [*normal(20, 11), *normal(20, 12, level=11.0)]
    values[10] = 40.0
    assert [found.index for found in steps(values)] == [20]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [1.0, 1.0, 2.0]])
def test_too_few_runs_have_no_step(values: list[float]) -> None:
    assert steps(values) == ()


def test_two_runs_on_either_side_are_enough_where_there_is_no_noise() -> None:
    assert steps([1.0, 1.0, 2.0, 2.0]) == (Step(2, 1.0, 2.0),)


def test_a_step_below_the_smallest_is_left_out_and_the_larger_one_stays() -> None:
    values = [100.0] * 10 + [101.0] * 10 + [120.0] * 10
    assert [found.index for found in steps(values)] == [10, 20]
    (found,) = steps(values, smallest=5.0)
    assert (found.index, found.before, found.after) == (20, 100.5, 120.0)


def test_small_steps_in_one_direction_add_up_to_one_that_is_told() -> None:
    values = [float(level) for level in range(100, 110) for _ in range(5)]
    assert sum(found.after - found.before for found in steps(values, smallest=2.5)) > 5


def test_noise_that_the_runs_know_of_themselves_is_believed() -> None:
    values = [10.0, 10.0, 10.0, 10.0, 10.1, 10.1, 10.1, 10.1]
    assert steps(values)
    assert steps(values, noise=0.1) == ()


@pytest.mark.parametrize("count", [6, 10, 20, 50, 100])
def test_steady_series_of_any_length_show_a_step_in_few_cases(count: int) -> None:
    series = 400
    found = sum(bool(steps(normal(count, SEED + k))) for k in range(series))
    # 6 % and what chance adds to it in 400 series (two standard deviations)
    assert found / series <= 0.06 + 2 * math.sqrt(0.06 * 0.94 / series)


def test_a_step_of_four_standard_deviations_is_found_in_most_series() -> None:
    found = 0
    for k in range(200):
        values = [*normal(10, SEED + k), *normal(10, SEED - k - 1, level=10.4)]
        found += any(abs(step.index - 10) <= 1 for step in steps(values))
    assert found >= 190


def test_noise_is_the_standard_deviation_of_a_steady_series_and_of_one_that_steps() -> None:
    steady = normal(2000, 9, std=0.1)
    stepped = [value + (k >= 1000) * 50 for k, value in enumerate(steady)]
    assert noise_of(steady) == pytest.approx(0.1, rel=0.08)
    assert noise_of(stepped) == pytest.approx(noise_of(steady), rel=0.01)


def test_a_large_level_does_not_drown_a_small_step() -> None:
    (found,) = steps([1e9] * 5 + [1e9 + 1e-3] * 5)
    assert found.index == 5


@pytest.mark.parametrize(
    ("values", "noise", "smallest"),
    [([1.0, math.nan] * 4, 0, 0), ([math.inf] * 4, 0, 0), ([1.0] * 4, -1, 0), ([1.0] * 4, 0, -1)],
)
def test_what_is_no_series_is_refused(values: list[float], noise: float, smallest: float) -> None:
    with pytest.raises(ValueError):
        steps(values, noise=noise, smallest=smallest)


def cost(values: list[float], cuts: tuple[int, ...], penalty: float) -> float:
    ends = [0, *cuts, len(values)]
    parts = [values[a:b] for a, b in itertools.pairwise(ends)]
    return sum(sum((v - statistics.fmean(part)) ** 2 for v in part) for part in parts) + penalty * len(cuts)


@given(
    st.lists(st.integers(-4, 4).map(float), min_size=2 * SHORTEST, max_size=8),
    st.sampled_from([0.1, 0.5, 1.0, 3.0, 10.0]),
)
@settings(max_examples=150, deadline=None)
def test_no_other_partition_costs_less(values: list[float], penalty: float) -> None:
    places = range(SHORTEST, len(values) - SHORTEST + 1)
    allowed = [
        cuts
        for count in range(len(values) // SHORTEST)
        for cuts in itertools.combinations(places, count)
        if all(b - a >= SHORTEST for a, b in itertools.pairwise(cuts))
    ]
    least = min(cost(values, cuts, penalty) for cuts in allowed)
    found = tuple(_partition(values, penalty))
    assert found in allowed
    assert cost(values, found, penalty) == pytest.approx(least, abs=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.floats(0, 10), st.floats(0, 10))
@settings(max_examples=200, deadline=None)
def test_steps_keep_their_distance_and_their_size(values: list[float], noise: float, smallest: float) -> None:
    found = steps(values, noise=noise, smallest=smallest)
    ends = [0, *(one.index for one in found), len(values)]
    if found:
        assert min(b - a for a, b in itertools.pairwise(ends)) >= SHORTEST
    assert all(abs(one.after - one.before) >= smallest for one in found)
    assert all(one.before == other.after for other, one in itertools.pairwise(found))
