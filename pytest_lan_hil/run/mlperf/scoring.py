"""Top-1 and area under the ROC curve from outputs and labels, with 95 % intervals. Pure.

Top-1: exact binomial interval (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934). AUC: the Mann-Whitney
statistic, which is what `sklearn.metrics.roc_auc_score` gives and the MLPerf Tiny rules ask for; its interval
is method 5 of R. G. Newcombe (Statistics in Medicine 25, 2006, 559), which stays wide where the area is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.distributions import binomial_cdf
from pytest_lan_hil.model.errors import InputError

_CONFIDENCE = 0.95
_Z = 1.959963984540054  # of the normal distribution, two-sided 95 %


@dataclass(frozen=True, slots=True)
class Score:
    """A share with its interval, all 0 to 1.

    Attributes:
        value: The share itself.
        low, high: 95 % confidence interval.
        n: Number of inputs.
    """

    value: float
    low: float
    high: float
    n: int


def top_1(outputs: NDArray[np.float64], labels: NDArray[np.int64]) -> Score:
    """Share of inputs whose largest output is the label's; of equal outputs the first counts.

    Args:
        outputs: shape (n, classes).
        labels: shape (n,), 0 to classes - 1.
    """
    right = int((outputs.argmax(axis=1) == labels).sum())
    return share(right, len(labels))


def share(right: int, n: int) -> Score:
    """`right` of `n`, with the exact binomial interval.

    Raises:
        InputError: No inputs.
    """
    if n < 1:
        raise InputError("a share of no inputs", fix="give a dataset with at least one input")
    tail = (1 - _CONFIDENCE) / 2
    low = 0.0 if right == 0 else _root(lambda p: 1 - binomial_cdf(right - 1, n, p) - tail)
    high = 1.0 if right == n else _root(lambda p: tail - binomial_cdf(right, n, p))
    return Score(right / n, low, high, n)


def auc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> Score:
    """Chance that a positive input scores higher than a negative one; equal scores count half.

    Args:
        scores: shape (n,).
        positive: shape (n,).

    Raises:
        InputError: All inputs are of one kind: there is no such area.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        raise InputError(
            f"an AUC needs inputs of both kinds; the dataset has {m} positive and {n} negative",
            fix="use the whole dataset",
        )
    values, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    del values
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[where]  # of equal scores their mean rank
    area = float((ranks[positive].sum() - m * (m + 1) / 2) / (m * n))
    low, high = _newcombe(area, m, n)
    return Score(area, low, high, m + n)


def mean_auc(outputs: NDArray[np.float64], labels: NDArray[np.int64]) -> Score:
    """Mean over the classes of the AUC of each against the rest.

    The interval is the mean of the classes' intervals: right if they err together, too wide otherwise.

    Args:
        outputs: shape (n, classes).
        labels: shape (n,).

    Raises:
        InputError: No class has inputs of its own and of others.
    """
    present = [k for k in range(outputs.shape[1]) if 0 < int((labels == k).sum()) < len(labels)]
    if not present:
        raise InputError("an AUC needs inputs of two classes at least", fix="use the whole dataset")
    each = [auc(outputs[:, k], labels == k) for k in present]

    def mean(values: Sequence[float]) -> float:
        return math.fsum(values) / len(values)

    return Score(
        mean([one.value for one in each]),
        mean([one.low for one in each]),
        mean([one.high for one in each]),
        len(labels),
    )


def _newcombe(area: float, m: int, n: int) -> tuple[float, float]:
    """Areas that differ from `area` by 1.96 standard errors, taken at those areas."""
    extra = (m + n) / 2 - 1

    def error(theta: float) -> float:
        spread = 1 + extra * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return _Z * math.sqrt(theta * (1 - theta) * spread / (m * n))

    low = 0.0 if area <= 0 else _root(lambda theta: theta + error(theta) - area, 0.0, area)
    high = 1.0 if area >= 1 else _root(lambda theta: theta - error(theta) - area, area, 1.0)
    return low, high


def _root(function: Callable[[float], float], low: float = 0.0, high: float = 1.0) -> float:
    """Where a function that is negative at `low` and positive at `high` changes its sign."""
    for _ in range(60):
        middle = 0.5 * (low + high)
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
