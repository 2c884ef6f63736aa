"""Two profiles beside each other."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.measure.profiles import compare_profiles
from pytest_lan_hil.model.profile import Counted, FunctionTime, Profile

AMOUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 10**9), min_size=1)


def exact(amounts: dict[str, int], inferences: int = 10) -> Profile:
    rows = tuple(FunctionTime(name, amount, 0.0) for name, amount in amounts.items())
    return Profile("aa", Counted.CYCLES, inferences, 1.0, 0.25, sum(amounts.values()), rows)


def sampled(amounts: dict[str, int], error: float, total: int = 1000) -> Profile:
    rows = tuple(FunctionTime(name, amount, error) for name, amount in amounts.items())
    return Profile("aa", Counted.SAMPLES, 50, 2.0, 0.5, total, rows)


@given(AMOUNTS, AMOUNTS, st.integers(1, 100), st.integers(1, 100))
def test_changes_of_the_functions_add_up_to_that_of_all_and_the_largest_growth_comes_first(
    old: dict[str, int], new: dict[str, int], old_count: int, new_count: int
) -> None:
    found = compare_profiles(exact(old, old_count), exact(new, new_count))
    assert {row.name for row in found.functions} == old.keys() | new.keys()
    added = math.fsum(row.change for row in found.functions)
    assert added == pytest.approx(found.after - found.before, abs=1e-6 * (found.after + found.before))
    changes = [row.change for row in found.functions]
    assert changes == sorted(changes, reverse=True)


@given(AMOUNTS)
def test_a_profile_does_not_differ_from_itself(amounts: dict[str, int]) -> None:
    assert {row.state for row in compare_profiles(exact(amounts), exact(amounts)).functions} == {"same"}


def test_figures_are_for_one_inference_however_many_were_made() -> None:
    found = compare_profiles(exact({"f": 1000, "g": 50}, 10), exact({"f": 2400, "h": 20}, 20))
    assert found.unit == "cycles"
    rows = {row.name: (row.before, row.after, row.state) for row in found.functions}
    assert rows == {"f": (100, 120, "slower"), "g": (5, None, "gone"), "h": (None, 1, "new")}
    assert (found.asleep_before_s, found.asleep_after_s) == (0.025, 0.0125)


def test_samples_become_microseconds_of_one_inference_with_their_error() -> None:
    # 2 s, 1000 samples, 50 inferences: a sample stands for 40 us of an inference
    found = compare_profiles(sampled({"f": 300, "g": 100}, 3.0), sampled({"f": 400, "g": 105}, 4.0))
    assert found.unit == "us"
    f, g = found.functions
    assert (f.name, f.before, f.after, f.error, f.state) == ("f", 12_000, 16_000, 200, "slower")
    assert (g.name, g.change, g.state) == ("g", 200, "same")  # within 1.96 standard errors


def test_cycles_and_samples_are_never_compared() -> None:
    with pytest.raises(ValueError, match="cycles and samples"):
        compare_profiles(exact({"f": 1}), sampled({"f": 1}, 1.0))
