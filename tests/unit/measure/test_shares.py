"""Shares: Wilson's interval against published figures, and how many cases decide."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.measure.shares import deciding_count
from pytest_lan_hil.measure.statistics import estimate


def wilson(right: int, n: int) -> tuple[float, float]:
    found = estimate([100.0] * right + [0.0] * (n - right), "share", 0.0)
    return found.low, found.high


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3
        (81, 263, 25.53, 36.62),
        (15, 148, 6.24, 16.05),
        (0, 20, 0.0, 16.11),
        (1, 29, 0.61, 17.18),
    ],
)
def test_wilson_s_interval_is_the_published_one(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == pytest.approx((low, high), abs=0.006)
    assert wilson(n - right, n) == pytest.approx((100 - high, 100 - low), abs=0.006)


@given(right=st.integers(0, 40), n=st.integers(1, 40), limit=st.floats(1, 99))
def test_the_deciding_count_is_the_first_that_decides(right: int, n: int, limit: float) -> None:
    """With the same share: so many cases leave the limit outside of the interval, fewer do not."""
    right = min(right, n)
    share = 100 * right / n
    needed = deciding_count(share, limit)
    if not math.isfinite(needed) or needed > 20_000:
        return
    # As many cases as needed, or as few, in whole multiples of n so that the share stays exactly.
    enough = math.ceil(needed / n)
    low, high = wilson(enough * right, enough * n)
    assert not low < limit < high
    few = math.ceil(needed / n) - 1
    if few >= 1:
        low, high = wilson(few * right, few * n)
        assert low <= limit <= high


def test_a_share_on_the_limit_is_never_decided() -> None:
    assert deciding_count(93.5, 93.5) == math.inf


def test_all_right_takes_56_to_be_above_93_5_percent() -> None:
    assert deciding_count(100.0, 93.5) == 56
    assert wilson(56, 56)[0] > 93.5 > wilson(55, 55)[0]
