"""The two distributions that the intervals need, to double precision and without scipy.

Both rest on the regularized incomplete beta function, evaluated by its continued fraction
(NIST Digital Library of Mathematical Functions, 8.17.22, with the modified Lentz method of 3.10(iii)).
"""

from __future__ import annotations

import math
from functools import lru_cache

#: Half-width of 95 % for a standard deviation of 1 ...
NORMAL_95 = 1.96
#: ... and for a uniform distribution of width 1, whose standard deviation is 1 / sqrt(12).
UNIFORM_95 = NORMAL_95 / math.sqrt(12)
_TINY = 1e-300
_STEPS = 10_000


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularized incomplete beta function I_x(a, b).

    Args:
        a: Positive.
        b: Positive.
        x: 0 to 1.

    Raises:
        ValueError: An argument outside its range.
    """
    if not (a > 0 and b > 0 and 0 <= x <= 1):
        raise ValueError(f"I_x(a, b) needs a, b > 0 and 0 <= x <= 1, got a={a}, b={b}, x={x}")
    if x in (0.0, 1.0):
        return x
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _fraction(a, b, x) / a
    return 1.0 - math.exp(log_front) * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Continued fraction of I_x(a, b) (DLMF 8.17.22), which converges quickly for x < (a+1)/(a+b+2)."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    result = d
    for m in range(1, _STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + term / c
            c = c if abs(c) > _TINY else _TINY
            result *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return result


def student_t_cdf(t: float, degrees: float) -> float:
    """P(T <= t) of Student's t distribution with `degrees` > 0 degrees of freedom, not only whole ones."""
    if math.isinf(t):
        return 1.0 if t > 0 else 0.0
    tail = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))
    return 1.0 - tail if t > 0 else tail


@lru_cache(maxsize=1024)
def student_t_quantile(probability: float, degrees: float) -> float:
    """The t with P(T <= t) = `probability`, accurate to about 1e-9 relative.

    Raises:
        ValueError: `probability` not strictly between 0 and 1, or `degrees` not positive.
    """
    if not (0 < probability < 1 and degrees > 0):
        raise ValueError(f"need 0 < probability < 1 and degrees > 0, got {probability}, {degrees}")
    if probability < 0.5:
        return -student_t_quantile(1.0 - probability, degrees)
    low, high = 0.0, 2.0
    while student_t_cdf(high, degrees) < probability:
        low, high = high, high * 2
    while high - low > 1e-12 * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if student_t_cdf(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def binomial_cdf(k: int, n: int, probability: float) -> float:
    """P(K <= k) of the binomial distribution of n trials, each true with `probability`."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    return incomplete_beta(n - k, k + 1, 1.0 - probability)


@lru_cache(maxsize=1024)
def order_statistic_ranks(n: int, quantile: float, confidence: float) -> tuple[int, int]:
    """Ranks of the order statistics between which the quantile lies with at least `confidence`.

    Distribution-free, two-sided, with equal tails: each tail holds at most (1 - confidence) / 2 (H. A. David,
    H. N. Nagaraja: Order Statistics, 7.1).

    Returns:
        (lower, upper), counted from 1; lower 0 or upper n + 1 where n values can't bound that side.
    """
    tail = (1 - confidence) / 2
    # The quantile is below the r-th value exactly if fewer than r values lie below the quantile.
    lower = _first_rank_above(n, quantile, tail) - 1
    upper = _first_rank_above(n, quantile, 1 - tail, strict=False)
    return lower, upper


def _first_rank_above(n: int, quantile: float, level: float, *, strict: bool = True) -> int:
    """Smallest r in 1..n+1 with P(K <= r - 1) > level (or >= level where not strict); n + 1 if none."""
    low, high = 1, n + 1
    while low < high:
        middle = (low + high) // 2
        p = binomial_cdf(middle - 1, n, quantile)
        if p > level or (not strict and p >= level):
            high = middle
        else:
            low = middle + 1
    return low
