"""Looking after every repeat keeps the error that was asked for."""

from statistics import NormalDist

import numpy as np
import pytest
from samples_of import pair

from pytest_lan_hil.judge.regression import compare
from pytest_lan_hil.judge.sequential import LOOKS, nominal_level, settled
from pytest_lan_hil.model.comparison import Repeatability
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import VerdictKind


@pytest.mark.parametrize(
    ("looks", "constant"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (8, 2.512), (10, 2.555)]
)
def test_the_levels_are_pococks(looks, constant):
    """Published for 5 % two-sided, which is 2.5 % one-sided but for a crossing on both sides."""
    assert -NormalDist().inv_cdf(nominal_level(looks, 0.025)) == pytest.approx(constant, abs=0.0015)


def test_one_look_is_an_ordinary_test():
    assert nominal_level(1, 0.05) == pytest.approx(0.05)


def test_a_random_walk_crosses_as_often_as_asked_for():
    rng = np.random.default_rng(2)
    steps = rng.standard_normal((40_000, LOOKS)).cumsum(axis=1) / np.sqrt(np.arange(1, LOOKS + 1))
    crossed = (steps > -NormalDist().inv_cdf(nominal_level())).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.0035)


def test_more_looks_ask_for_more():
    levels = [nominal_level(looks) for looks in (1, 2, 4, 8, 16)]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] > 0.05 / 16


def test_in_a_family_a_smaller_level_grows_by_more_and_is_smaller_from_the_start():
    assert nominal_level(8, 0.05, tests=12) == pytest.approx(12 * nominal_level(8, 0.05 / 12))
    assert nominal_level(8, 0.05, tests=12) < nominal_level(8, 0.05)


@pytest.mark.parametrize("looks", [0, -1, 2.5, 1000])
def test_a_senseless_number_of_looks_is_refused(looks):
    with pytest.raises(InputError, match="looks"):
        nominal_level(looks)


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": 0.6}, {"tests": 0}])
def test_a_senseless_level_or_family_is_refused(options):
    with pytest.raises(InputError):
        nominal_level(8, **options)


def _regressed(level, *, pairs=200, base_runs=20):
    """Share of pairs on the margin that are called regressed at some look; one baseline for all looks."""
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(pairs):
        base = 1 + 0.02 * rng.standard_normal(base_runs)
        head = 1.1 * (1 + 0.02 * rng.standard_normal(LOOKS))
        for look in range(1, LOOKS + 1):
            found = compare([pair(base, head[:look], error=1e-4)], alpha=level)
            if settled(found):
                hits += found[0].kind is VerdictKind.REGRESSED
                break
    return hits / pairs


def test_the_verdict_keeps_its_error_over_all_looks_and_would_not_without_the_level():
    """200 pairs show 5 % to 1.5 points."""
    assert _regressed(nominal_level()) < 0.096
    assert _regressed(0.05) > 0.096


class TestSettled:
    def test_a_verdict_settles(self):
        assert settled(compare([pair((1.0,), (1.0,)), pair((1.0,), (2.0,))]))

    def test_one_that_lacks_runs_does_not(self):
        noisy = pair((1.0,), (1.1,), repeatability=Repeatability(0.1, 20))
        assert not settled(compare([pair((1.0,), (1.0,)), noisy]))

    def test_no_repeat_brings_a_missing_baseline(self):
        assert settled(compare([pair((), (1.0,))]))
