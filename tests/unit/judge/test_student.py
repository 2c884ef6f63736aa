"""Tails and quantiles against published tables."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.judge.families import bonferroni, holm
from pytest_lan_hil.judge.student import critical, ratio_tail, satterthwaite, upper_tail


@pytest.mark.parametrize(
    ("level", "degrees", "t"),
    [(0.05, 1, 6.3138), (0.05, 4, 2.1318), (0.025, 10, 2.2281), (0.05, math.inf, 1.6449), (0.95, 4, -2.1318)],
)
def test_critical_values_are_those_of_the_tables(level, degrees, t):
    assert critical(level, degrees) == pytest.approx(t, abs=5e-5)
    assert upper_tail(t, degrees) == pytest.approx(level, abs=1e-5)


@pytest.mark.parametrize(("above", "below", "ratio"), [(2, 20, 3.4928), (4, 4, 6.3882), (10, 5, 4.7351)])
def test_ratios_of_variances_are_those_of_the_tables(above, below, ratio):
    assert ratio_tail(ratio, above, below) == pytest.approx(0.05, abs=1e-5)


def test_a_ratio_without_bound_is_no_chance():
    assert ratio_tail(math.inf, 3, 3) == 0


def test_many_degrees_go_over_into_the_normal_distribution():
    assert upper_tail(1.5, 9.9e5) == pytest.approx(upper_tail(1.5, math.inf), abs=1e-6)


def test_the_sum_of_two_equal_variances_has_the_degrees_of_both():
    assert satterthwaite([(2.0, 5), (2.0, 5)]) == pytest.approx(10)


def test_what_is_exact_adds_no_uncertainty():
    assert satterthwaite([(2.0, 5), (0.0, 1)]) == pytest.approx(5)
    assert satterthwaite([(0.0, 5), (0.0, 1)]) == math.inf
    assert satterthwaite([(1.0, math.inf)]) == math.inf


def test_holm_is_the_published_procedure():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lies_between_no_correction_and_bonferroni(p_values):
    corrected = holm(p_values)
    for plain, ours, most in zip(p_values, corrected, bonferroni(p_values, len(p_values)), strict=True):
        assert plain <= ours <= most
