"""Figures are rounded to what their uncertainty supports, and open intervals are said in words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.model.measurement import Budget, Estimate
from pytest_lan_hil.publish.numbers import budget_text, estimate_text, interval_text, rounded


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate("mean", value, low, high, 0.0, low, high)


@pytest.mark.parametrize(
    ("value", "low", "high", "text", "interval"),
    [
        (12.34567, 12.33367, 12.35767, "12.346 ± 0.012 ms", "12.334 to 12.358 ms"),
        (1235.2, 1201.0, 1269.0, "1235 ± 34 ms", "1201 to 1269 ms"),
        (0.5, 0.4004, 0.5996, "0.50 ± 0.10 ms", "0.40 to 0.60 ms"),
        (21.25, 21.25, 21.25, "21.25 ms", "exact"),
        (9.88, 9.875, math.inf, "9.8800 ms (at least 9.8750)", "at least 9.8750 ms"),
        (9.88, -math.inf, 9.9, "9.880 ms (at most 9.900)", "at most 9.900 ms"),
        (9.88, -math.inf, math.inf, "9.88 ms (no bound)", "not bounded"),
    ],
)
def test_estimate_and_interval_in_words(
    value: float, low: float, high: float, text: str, interval: str
) -> None:
    assert estimate_text(estimate(value, low, high), "ms") == text
    assert interval_text(estimate(value, low, high), "ms") == interval


@given(
    st.floats(-1e9, 1e9, allow_nan=False),
    st.floats(1e-6, 1e6, allow_nan=False),
)
def test_rounding_moves_a_value_by_less_than_a_tenth_of_its_uncertainty(
    value: float, uncertainty: float
) -> None:
    assert abs(float(rounded(value, uncertainty)) - value) <= max(uncertainty * 0.1, 0.5000001)
    if uncertainty < 1:
        assert abs(float(rounded(value, uncertainty)) - value) <= uncertainty * 0.1 + abs(value) * 1e-12


def test_budget_says_the_side_that_the_direction_demands() -> None:
    assert budget_text(Budget("power", 1.2, "mean", "marker"), "mW") == "≤ 1.2 mW"
    assert budget_text(Budget("own", 3, "mean", "marker"), "1/s") == "≤ 3 1/s"
