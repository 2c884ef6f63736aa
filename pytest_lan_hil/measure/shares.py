"""How many cases it takes to tell a share from a limit. Pure."""

from __future__ import annotations

import math

_NORMAL = 1.959963984540054  # two-sided 95 % point of the normal distribution, as `statistics` has it


def deciding_count(share: float, limit: float) -> float:
    """Cases from which Wilson's 95 % interval around `share` leaves out `limit`, if the share stays.

    The interval is the score test turned round: it leaves out p0 as soon as the share is further from p0 than
    1.96 standard deviations under p0, sqrt(p0 (1 - p0) / n) (E. B. Wilson, JASA 22 (1927), 209-212).

    Args:
        share: Found so far, percent.
        limit: In percent.

    Returns:
        A whole number, at least 1; infinite where the two are equal.
    """
    p, p0 = share / 100, limit / 100
    if p == p0:
        return math.inf
    return max(1, math.ceil(_NORMAL**2 * p0 * (1 - p0) / (p - p0) ** 2))
