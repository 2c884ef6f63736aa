import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.measure.distributions import (
    binomial_cdf,
    incomplete_beta,
    order_statistic_ranks,
    student_t_cdf,
    student_t_quantile,
)


# The usual table of Student's t (for instance JCGM 100:2008, table G.2), and closed forms below.
@pytest.mark.parametrize(
    ("degrees", "t"),
    [(3, 3.182446), (4, 2.776445), (5, 2.570582), (10, 2.228139), (30, 2.042272), (120, 1.979930)],
)
def test_quantile_of_student_t_agrees_with_the_table(degrees, t):
    assert student_t_quantile(0.975, degrees) == pytest.approx(t, abs=1e-6)


@given(p=st.floats(0.01, 0.99).filter(lambda p: abs(p - 0.5) > 1e-3))
def test_quantile_of_student_t_agrees_with_the_closed_forms_for_one_and_two_degrees(p):
    assert student_t_quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-9)
    alpha = 4 * p * (1 - p)
    assert student_t_quantile(p, 2) == pytest.approx(2 * (p - 0.5) * math.sqrt(2 / alpha), rel=1e-9)


@given(p=st.floats(0.51, 0.999), degrees=st.floats(0.5, 1e4))
def test_quantile_of_student_t_inverts_its_distribution(p, degrees):
    assert student_t_cdf(student_t_quantile(p, degrees), degrees) == pytest.approx(p, abs=1e-9)


def test_student_t_becomes_normal_with_many_degrees():
    assert student_t_quantile(0.975, 1e7) == pytest.approx(1.959963985, abs=1e-6)


@given(n=st.integers(1, 200), q=st.floats(0.01, 0.99), k=st.integers(-1, 201))
def test_binomial_distribution_agrees_with_the_sum_of_its_terms(n, q, k):
    expected = math.fsum(math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(min(k, n) + 1))
    assert binomial_cdf(k, n, q) == pytest.approx(expected, abs=1e-11)


@given(n=st.integers(1, 300), q=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_ranks_hold_the_quantile_with_at_least_the_confidence_and_are_the_closest_that_do(n, q):
    lower, upper = order_statistic_ranks(n, q, 0.95)
    assert binomial_cdf(lower - 1, n, q) <= 0.025 < binomial_cdf(lower, n, q)
    if upper <= n:
        assert binomial_cdf(upper - 1, n, q) >= 0.975 > binomial_cdf(upper - 2, n, q)
    else:
        assert binomial_cdf(n - 1, n, q) < 0.975


@pytest.mark.parametrize("arguments", [(0.0, 1.0, 0.5), (1.0, -1.0, 0.5), (1.0, 1.0, 1.5)])
def test_incomplete_beta_refuses_what_it_is_not_defined_for(arguments):
    with pytest.raises(ValueError, match="needs a, b > 0"):
        incomplete_beta(*arguments)


@pytest.mark.parametrize(("p", "degrees"), [(0.0, 3), (1.0, 3), (0.9, 0)])
def test_quantile_refuses_what_it_is_not_defined_for(p, degrees):
    with pytest.raises(ValueError, match="need 0 < probability < 1"):
        student_t_quantile(p, degrees)
