"""Top-1 and AUC: the numbers of the definitions, and intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.mlperf.scoring import auc, mean_auc, share, top_1


def test_top_1_counts_the_first_of_equal_outputs() -> None:
    outputs = np.array([[0.1, 0.9], [0.5, 0.5], [0.5, 0.5], [0.8, 0.2]])
    score = top_1(outputs, np.array([1, 0, 1, 1]))
    assert (score.value, score.n) == (0.5, 4)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    # Clopper-Pearson: closed forms at the ends; 15 of 20 from published tables of the exact interval
    [(0, 10, 0.0, 1 - 0.025**0.1), (10, 10, 0.025**0.1, 1.0), (15, 20, 0.508954, 0.913429)],
)
def test_the_interval_of_a_share_is_the_exact_one(right: int, n: int, low: float, high: float) -> None:
    score = share(right, n)
    assert (score.low, score.high) == pytest.approx((low, high), abs=2e-6)


def brute_auc(scores: list[float], positive: list[bool]) -> float:
    pairs = [
        (s > t) + 0.5 * (s == t)
        for s, p in zip(scores, positive, strict=True)
        if p
        for t, q in zip(scores, positive, strict=True)
        if not q
    ]
    return sum(pairs) / len(pairs)


@given(
    st.lists(st.tuples(st.integers(0, 9).map(float), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({positive for _, positive in rows}) == 2
    )
)
def test_auc_is_the_chance_that_a_positive_input_scores_higher(rows: list[tuple[float, bool]]) -> None:
    scores, positive = [score for score, _ in rows], [kind for _, kind in rows]
    found = auc(np.array(scores), np.array(positive))
    assert found.value == pytest.approx(brute_auc(scores, positive))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_perfect_auc_of_few_inputs_is_not_certain() -> None:
    few = auc(np.arange(10.0), np.arange(10) >= 5)
    many = auc(np.arange(1000.0), np.arange(1000) >= 500)
    assert few.value == many.value == few.high == 1.0
    assert few.low < 0.8 < 0.99 < many.low


def test_the_interval_of_an_auc_covers_the_truth_in_about_95_of_100_datasets() -> None:
    # Scores of two normal distributions one standard deviation apart: the area is Phi(1 / sqrt(2)).
    truth = 0.7602499389065233
    draw = np.random.default_rng(4)
    positive = np.arange(80) >= 40
    hits = 0
    for _ in range(400):
        found = auc(draw.normal(size=80) + positive, positive)
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 400 <= 0.99


def test_an_auc_of_one_kind_of_inputs_is_refused() -> None:
    with pytest.raises(InputError, match="3 positive and 0 negative"):
        auc(np.arange(3.0), np.ones(3, bool))
    with pytest.raises(InputError, match="two classes"):
        mean_auc(np.eye(3), np.zeros(3, np.int64))


def test_the_auc_of_many_classes_is_the_mean_over_those_that_are_there() -> None:
    outputs = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.7, 0.3, 0.0], [0.85, 0.15, 0.0]])
    labels = np.array([0, 0, 1, 1])
    both = [auc(outputs[:, k], labels == k).value for k in (0, 1)]
    assert mean_auc(outputs, labels).value == pytest.approx(sum(both) / 2)
