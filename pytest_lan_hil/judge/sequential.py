"""Repeat until decided: the level of each look, so that looking often does not make errors more often.

Who tests after every repeat at 5 % and stops at the first "regressed" is wrong far more often than 5 %. With
one smaller level for every look (S. J. Pocock, Biometrika 64 (1977), 191-199) the chance that any of them is
wrong is alpha. The level is computed as for a random walk with independent steps (P. Armitage, C. K.
McPherson, B. C. Rowe, J. R. Statist. Soc. A 132 (1969), 235-244). Here all looks share one baseline, whose
error they have in common. That makes them resemble each other more than such a walk does, and so the chance
that at least one goes astray is smaller (D. Slepian, Bell System Tech. J. 41 (1962), 463-501): the level is
safe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.judge.decision import ALPHA
from pytest_lan_hil.model.comparison import Comparison
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import VerdictKind

#: A test is repeated at most so often, and judged after each.
LOOKS = 8
_MOST_LOOKS = 100
# Gauss-Legendre nodes for each look, and how many standard deviations down the walk is followed.
_NODES = 128
_REACH = 8.0
_HALVINGS = 40


def nominal_level(looks: int = LOOKS, alpha: float = ALPHA, tests: int = 1) -> float:
    """The `alpha` to give to `compare` at each of `looks` looks, so that over all of them it is `alpha`.

    Args:
        looks: How often it is looked at most; stopping earlier, at any time, is safe.
        alpha: Chance of a false verdict over all looks and tests.
        tests: Size of the family that `compare` corrects for. A smaller level grows by a larger factor over
            the looks, so that a level for one test, divided by their number, would be a little too large.

    Raises:
        InputError: `looks` or `tests` is no whole number from 1, or `alpha` is not between 0 and 0.5.
    """
    if not (isinstance(looks, int) and 1 <= looks <= _MOST_LOOKS):
        raise InputError(f"{looks} looks", fix=f"give a whole number from 1 to {_MOST_LOOKS}")
    if not (isinstance(tests, int) and tests >= 1):
        raise InputError(f"a family of {tests} tests", fix="give a whole number from 1")
    if not 0 < alpha < 0.5:
        raise InputError(f"alpha = {alpha} is not a probability of error", fix="give for instance 0.05")
    return tests * _level(looks, alpha / tests)


def settled(comparisons: Sequence[Comparison]) -> bool:
    """True if no repeat of the head would change a verdict: none is inconclusive for lack of runs."""
    return all(
        one.kind is not VerdictKind.INCONCLUSIVE or one.base is None or one.head is None
        for one in comparisons
    )


@lru_cache(maxsize=256)
def _level(looks: int, alpha: float) -> float:
    normal = NormalDist()
    low, high = -normal.inv_cdf(alpha), -normal.inv_cdf(alpha / looks)
    for _ in range(_HALVINGS if looks > 1 else 0):
        middle = 0.5 * (low + high)
        if _crossing(middle, looks) > alpha:
            low = middle
        else:
            high = middle
    return 0.5 * math.erfc(high / math.sqrt(2))


@lru_cache(maxsize=1)
def _quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def _crossing(bound: float, looks: int) -> float:
    """Chance that a walk with standard normal steps is above `bound` * sqrt(k) after any step k <= looks."""
    nodes, weights = _quadrature()
    place, mass = np.zeros(1), np.ones(1)  # where the walk may be, not having crossed, and how likely
    crossed = 0.0
    for k in range(1, looks + 1):
        top, bottom = bound * math.sqrt(k), -_REACH * math.sqrt(k)
        above = [0.5 * math.erfc((top - one) / math.sqrt(2)) for one in place]
        crossed += float(np.dot(mass, above))
        half = 0.5 * (top - bottom)
        new = bottom + half * (nodes + 1)
        step = np.exp(-0.5 * (new[:, None] - place[None, :]) ** 2) / math.sqrt(2 * math.pi)
        place, mass = new, half * weights * (step @ mass)
    return crossed
