"""The bench's own variation from run to run, pooled over firmwares."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.measure.repeatability import repeatability_of
from pytest_lan_hil.measure.samples import sample_of
from pytest_lan_hil.model.comparison import Repeatability


def _group(*values):
    return [sample_of(from_values("power", [value])) for value in values]


def test_firmwares_of_different_power_are_pooled_by_their_relative_spread():
    found = repeatability_of([_group(0.98, 1.0, 1.02), _group(98.0, 100.0, 102.0)])
    assert found.relative_std == pytest.approx(0.02)
    assert found.degrees == 4


def test_the_difference_between_firmwares_is_no_noise():
    assert repeatability_of([_group(1.0, 1.0), _group(9.0, 9.0)]) == Repeatability(0.0, 2.0)


@pytest.mark.parametrize("groups", [[], [_group(1.0)], [_group(1.0), _group(2.0)], [_group(0.0, 0.0)]])
def test_single_runs_and_values_of_zero_tell_nothing(groups):
    assert repeatability_of(groups) == Repeatability(0.0, 0.0)


def test_the_spread_of_a_bench_is_found():
    rng = np.random.default_rng(5)
    groups = [_group(*(scale * (1 + 0.03 * rng.standard_normal(4)))) for scale in np.geomspace(0.1, 100, 200)]
    assert repeatability_of(groups).relative_std == pytest.approx(0.03, rel=0.1)


@given(
    st.lists(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=4), min_size=1, max_size=4),
    st.floats(1e-6, 1e6),
)
def test_the_unit_does_not_matter(groups, scale):
    found = repeatability_of([_group(*group) for group in groups])
    other = repeatability_of([_group(*(scale * value for value in group)) for group in groups])
    assert other.degrees == found.degrees == sum(len(group) - 1 for group in groups)
    assert math.isclose(other.relative_std, found.relative_std, rel_tol=1e-6, abs_tol=1e-12)
