"""The probabilities that comparisons are decided by. Pure; degrees of freedom may be infinite.

An infinite number of degrees means that a standard error is known exactly: Student's t is then the normal
distribution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

from pytest_lan_hil.measure.distributions import incomplete_beta, student_t_cdf, student_t_quantile

# From here on Student's t differs from the normal distribution by less than 1e-6.
_MANY = 1e6


def upper_tail(t: float, degrees: float) -> float:
    """P(T > t) of Student's t."""
    if degrees >= _MANY:
        return 0.5 * math.erfc(t / math.sqrt(2))
    return student_t_cdf(-t, degrees)


def critical(level: float, degrees: float) -> float:
    """The t that is exceeded with probability `level`, 0 to 1 exclusive."""
    if degrees >= _MANY:
        return -NormalDist().inv_cdf(level)
    return -student_t_quantile(level, degrees)


def ratio_tail(ratio: float, above: float, below: float) -> float:
    """P(F > ratio) of two variances of one scatter; degrees of freedom above and below the bar are finite."""
    if math.isinf(ratio):
        return 0.0
    return incomplete_beta(below / 2, above / 2, below / (below + above * ratio))


def satterthwaite(parts: Iterable[tuple[float, float]]) -> float:
    """Degrees of freedom of a sum of independent variances, given as (variance, degrees).

    F. E. Satterthwaite, Biometrics Bulletin 2 (1946), 110-114. Infinite if nothing in it is uncertain.
    """
    found = list(parts)
    total = math.fsum(variance for variance, _ in found)
    spread = math.fsum(variance**2 / degrees for variance, degrees in found if variance > 0)
    return total**2 / spread if spread > 0 else math.inf
