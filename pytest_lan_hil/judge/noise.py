"""How much one more run would differ: the variance of a run, for each side of a comparison.

Two things know of it. Runs of one firmware show how far apart they lie, which is all of it, but few runs
show it badly. The values within a run show how far its own figure could lie off, which many values show well,
but a bench that changes from run to run does not show there. While few runs are known the larger counts.
Explained for readers in docs/explanation/verdicts.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from pytest_lan_hil.judge.student import ratio_tail, satterthwaite
from pytest_lan_hil.model.comparison import Arm, Repeatability, Sample

#: Degrees of freedom from which the spread between runs counts alone. Student's t is then within 15 % of
#: normal, and a load that varies within a run, but in the same way in every run, is not taken for noise.
ENOUGH_RUNS = 8
# A side keeps a spread of its own from three runs on, where it is larger than the others' beyond chance.
_FEWEST_OF_ITS_OWN = 3
_CHANCE = 0.05


class Source(Enum):
    """What a scatter is known from."""

    POOLED = "how far runs of one firmware lie apart, on both sides and in the history"
    OWN = "how far this side's runs lie apart"
    WITHIN = "the values within this side's runs"


@dataclass(frozen=True, slots=True)
class Scatter:
    """Variance of one run's figure.

    Attributes:
        variance: Display unit squared; 0 for an exact figure, infinite where nothing bounds it.
        degrees: Degrees of freedom.
        source: What it is known from.
    """

    variance: float
    degrees: float
    source: Source = Source.OWN

    def after(self, more: int) -> Scatter:
        """As it would be known after more runs that lie as far apart."""
        if self.source is Source.WITHIN:
            return self
        return replace(self, degrees=self.degrees + more)


@dataclass(frozen=True, slots=True)
class Noise:
    """The scatter of a run on both sides.

    Attributes:
        base, head: Of one run.
        between: The pooled spread between runs, whether or not it counts; without degrees it is not known.
    """

    base: Scatter
    head: Scatter
    between: Scatter

    def after(self, more: int) -> Noise:
        """As it would be known after more runs that lie as far apart: from enough on, values don't count."""
        between = self.between.after(more)
        enough = self.between.degrees > 0 and between.degrees >= ENOUGH_RUNS

        def side(scatter: Scatter) -> Scatter:
            return between if enough and scatter.source is Source.WITHIN else scatter.after(more)

        return Noise(side(self.base), side(self.head), between)

    def of_difference(self, base_factor: float, base_runs: int, head_runs: int) -> tuple[float, float]:
        """Standard error and degrees of freedom of mean head - `base_factor` * mean base, of so many runs.

        What runs differ by is mostly a share of the value. So where the question is whether the head is
        `base_factor` times the base, and its scatter is known from the base, it is taken to be larger by as
        much.
        """
        base = base_factor**2 * self.base.variance / base_runs
        larger = max(1.0, base_factor**2) if self.head.source is Source.POOLED else 1.0
        head = larger * self.head.variance / head_runs
        if self.base.source is self.head.source is Source.POOLED:
            degrees = self.base.degrees
        else:
            degrees = satterthwaite(((base, self.base.degrees), (head, self.head.degrees)))
        return math.sqrt(base + head), degrees


def mean_of(samples: Sequence[Sample]) -> float:
    """Mean over runs; of one run its own figure, without rounding."""
    return math.fsum(one.value for one in samples) / len(samples)


def arm_of(samples: Sequence[Sample], scatter: Scatter) -> Arm:
    """One side, whose runs scatter so."""
    error = math.sqrt(scatter.variance / len(samples))
    return Arm(mean_of(samples), error, scatter.degrees, len(samples))


def lone_arm(samples: Sequence[Sample]) -> Arm:
    """One side where the other is missing."""
    own = spread_of([one.value for one in samples])
    return arm_of(samples, _side(samples, own, own, Scatter(0.0, 0.0)))


def noise_of(base: Sequence[Sample], head: Sequence[Sample], repeatability: Repeatability) -> Noise:
    """The scatter of both sides, from their own runs, their values, and the bench's A/A history.

    Args:
        base, head: At least one run each.
        repeatability: Relative to the value; the baseline's is taken, and of 0 a share says nothing.
    """
    value = mean_of(base)
    history = Scatter((repeatability.relative_std * value) ** 2, repeatability.degrees if value else 0.0)
    of_base, of_head = (spread_of([one.value for one in side]) for side in (base, head))
    between = _pooled([history, of_base, of_head])
    return Noise(
        base=_side(base, of_base, between, _pooled([history, of_head])),
        head=_side(head, of_head, between, _pooled([history, of_base])),
        between=between,
    )


def within_of(samples: Sequence[Sample]) -> Scatter:
    """Mean of what the runs' own values tell."""
    squares = [one.standard_error**2 for one in samples]
    if math.inf in squares:
        return Scatter(math.inf, math.inf, Source.WITHIN)
    degrees = satterthwaite(zip(squares, (one.degrees for one in samples), strict=True))
    return Scatter(math.fsum(squares) / len(squares), degrees, Source.WITHIN)


def _side(samples: Sequence[Sample], own: Scatter, between: Scatter, others: Scatter) -> Scatter:
    enough = between.degrees >= ENOUGH_RUNS
    if own.degrees >= _FEWEST_OF_ITS_OWN - 1 and own.variance > others.variance and others.degrees > 0:
        ratio = own.variance / others.variance if others.variance > 0 else math.inf
        if ratio_tail(ratio, own.degrees, others.degrees) < _CHANCE:
            between = own
    if enough:
        return between
    within = within_of(samples)
    # Runs tell even where the values of one can't bound its figure.
    if between.degrees > 0 and (between.variance >= within.variance or math.isinf(within.variance)):
        return between
    return within


def spread_of(values: Sequence[float]) -> Scatter:
    """How far values lie apart; nothing is known from one."""
    degrees = len(values) - 1
    if degrees == 0 or min(values) == max(values):
        return Scatter(0.0, degrees)
    mean = math.fsum(values) / len(values)
    return Scatter(math.fsum((value - mean) ** 2 for value in values) / degrees, degrees)


def _pooled(parts: Sequence[Scatter]) -> Scatter:
    degrees = math.fsum(one.degrees for one in parts)
    if degrees == 0:
        return Scatter(0.0, 0.0, Source.POOLED)
    return Scatter(math.fsum(one.degrees * one.variance for one in parts) / degrees, degrees, Source.POOLED)
