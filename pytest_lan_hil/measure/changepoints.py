"""Where a series of run values steps: penalised least squares, solved exactly. Pure, and without numpy.

The series is cut into segments of constant level so that the squared distances from the levels, plus a
penalty for each cut, are smallest (optimal partitioning: B. Jackson et al., IEEE Signal Processing Letters 12
(2005), 105-108; candidates that can't win any more are dropped as in R. Killick et al., JASA 107 (2012),
1590-1598).

* Noise is the median distance between neighbours, which steps don't raise, and at least what the runs say of
  themselves. The penalty is (3 + 20 / n) * noise^2 * log(n): a cut has a place and a level to choose, and
  of few values the noise is not well known.
* A run that lies off both its neighbours is a spike, not a step: it is drawn back to the nearer of them
first, as far
  as it lies beyond the noise, and no segment is shorter than two runs.
* Steps that are too small to matter are taken out again, smallest first.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST = 2
_PENALTY = 3.0
# Few neighbours tell the noise poorly: with this, at most 6 in 100 steady normal series of any length show a
# step.
_PENALTY_OF_FEW = 20.0
# Median distance of two normal values with standard deviation 1: sqrt(2) * 0.6745.
_MEDIAN_DISTANCE = 0.953873
# What lies so many standard deviations beyond both neighbours is a spike.
_SPIKE = 3.0


@dataclass(frozen=True, slots=True)
class Step:
    """A place where a series changes its level.

    Attributes:
        index: The first value of the new level.
        before, after: The levels, in the unit of the values.
    """

    index: int
    before: float
    after: float


def steps(values: Sequence[float], *, noise: float = 0.0, smallest: float = 0.0) -> tuple[Step, ...]:
    """The steps of a series, in order.

    Args:
        values: Finite, in order of the runs.
        noise: Standard deviation that each value has at least by its own account.
        smallest: Steps smaller than this are not told.

    Raises:
        ValueError: A value is not finite, or `noise` or `smallest` is negative.
    """
    if not all(map(math.isfinite, values)):
        raise ValueError("a series of finite values is needed")
    if noise < 0 or smallest < 0:
        raise ValueError("noise and smallest step are not negative")
    if len(values) < 2 * SHORTEST:
        return ()
    deviation = max(noise, noise_of(values))
    calm = _without_spikes(values, _SPIKE * deviation)
    n = len(calm)
    cuts = _partition(calm, (_PENALTY + _PENALTY_OF_FEW / n) * deviation**2 * math.log(n))
    cuts = _without_small(calm, cuts, smallest)
    levels = _levels(calm, cuts)
    return tuple(Step(cut, levels[k], levels[k + 1]) for k, cut in enumerate(cuts))


def noise_of(values: Sequence[float]) -> float:
    """Standard deviation of normal values around a level that rarely changes: from the distances of
    neighbours.
    """
    distances = [abs(after - before) for before, after in itertools.pairwise(values)]
    return statistics.median(distances) / _MEDIAN_DISTANCE if distances else 0.0


def _without_spikes(values: Sequence[float], limit: float) -> list[float]:
    calm = []
    last = len(values) - 1
    for k, value in enumerate(values):
        # At an end, the two next to it: there is no second side.
        first, second = (1, 2) if k == 0 else (last - 2, last - 1) if k == last else (k - 1, k + 1)
        low, high = sorted((values[first], values[second]))
        calm.append(min(max(value, low - limit), high + limit))
    return calm


def _partition(values: Sequence[float], penalty: float) -> list[int]:
    """First indices of all segments but the first, at the least cost."""
    n = len(values)
    # About the middle, so that squares don't cancel where the level is large and the noise small.
    middle = statistics.median(values)
    sums, squares = [0.0], [0.0]
    for value in values:
        sums.append(sums[-1] + (value - middle))
        squares.append(squares[-1] + (value - middle) ** 2)

    best = [-penalty] + [math.inf] * n  # cost of the values before an index
    cut_of = [0] * (n + 1)
    candidates, leaving = [0], set[int]()
    for end in range(SHORTEST, n + 1):
        costs = [
            best[start]
            + max(squares[end] - squares[start] - (sums[end] - sums[start]) ** 2 / (end - start), 0.0)
            for start in candidates
        ]
        least = min(costs)
        best[end] = least + penalty
        cut_of[end] = candidates[costs.index(least)]
        # From `end` on, a cut here beats these; but the next value can't be a segment of its own: one round
        # more.
        beaten = {start for start, cost in zip(candidates, costs, strict=True) if cost > best[end]}
        candidates = [start for start in candidates if start not in leaving]
        leaving = beaten
        candidates.append(end - SHORTEST + 1)
    cuts = []
    end = cut_of[n]
    while end > 0:
        cuts.append(end)
        end = cut_of[end]
    return cuts[::-1]


def _without_small(values: Sequence[float], cuts: list[int], smallest: float) -> list[int]:
    kept = list(cuts)
    while kept:
        levels = _levels(values, kept)
        sizes = [abs(after - before) for before, after in itertools.pairwise(levels)]
        least = min(sizes)
        if least >= smallest and least > 0:
            break
        del kept[sizes.index(least)]
    return kept


def _levels(values: Sequence[float], cuts: Sequence[int]) -> list[float]:
    ends = [0, *cuts, len(values)]
    return [math.fsum(values[start:end]) / (end - start) for start, end in itertools.pairwise(ends)]
