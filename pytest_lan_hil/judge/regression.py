"""Baseline and head to verdict: is it worse by more than the margin, and can that be believed?

A non-inferiority test for every subject (docs/explanation/verdicts.md): head less base less margin, with the
noise of the runs and of the bench; corrected for the number of subjects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_lan_hil.judge.decision import ALPHA, Difference, Finding, decide, undecided
from pytest_lan_hil.judge.noise import arm_of, lone_arm, noise_of
from pytest_lan_hil.judge.repeats import Prospect, outlook_of
from pytest_lan_hil.model.comparison import Comparison, Repeatability, Sample, Subject
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.quantities import Direction, Margin


@dataclass(frozen=True, slots=True)
class Pair:
    """A subject's samples on both sides.

    Attributes:
        subject, unit, statistic: What was measured; the same on both sides.
        direction: Which way is better.
        margin: How much worse is still within.
        base, head: One sample for each run, or repeat; empty where a side was not measured.
        repeatability: The bench's A/A history of this subject, without the runs in `base` and `head`.
    """

    subject: Subject
    unit: str
    statistic: str
    direction: Direction
    margin: Margin
    base: tuple[Sample, ...]
    head: tuple[Sample, ...]
    repeatability: Repeatability = field(default_factory=Repeatability)


def compare(
    pairs: Sequence[Pair], *, alpha: float = ALPHA, tests: int | None = None
) -> tuple[Comparison, ...]:
    """Judge all subjects of a comparison, in the given order.

    Args:
        pairs: The family. One with an empty side is inconclusive, and does not count in the correction.
        alpha: Chance of a false "regressed" over the whole family, and of a false "within" for each subject;
            with repeats until decided, the level of `judge.sequential.nominal_level`.
        tests: Size of the family where not all of it is at hand: each p-value is then corrected for as many
            tests (Bonferroni), not by Holm's procedure, which has to see them all.

    Raises:
        InputError: `alpha` is not between 0 and 1, or there are more pairs than tests.
    """
    whole = [pair for pair in pairs if pair.base and pair.head]
    judged = iter(decide([_finding(pair) for pair in whole], alpha=alpha, tests=tests))
    return tuple(next(judged) if pair.base and pair.head else _one_sided(pair) for pair in pairs)


def combined(comparisons: Sequence[Comparison]) -> VerdictKind:
    """Of them all: regressed if any is, else inconclusive if any is (or none is there), else improved if any
    is, else within.
    """
    kinds = {one.kind for one in comparisons}
    for kind in (VerdictKind.REGRESSED, VerdictKind.INCONCLUSIVE, VerdictKind.IMPROVED, VerdictKind.WITHIN):
        if kind in kinds:
            return kind
    return VerdictKind.INCONCLUSIVE


def worse_sign(direction: Direction) -> int:
    """1 where more is worse, -1 where less is."""
    return 1 if direction is Direction.LOWER else -1


@dataclass(frozen=True, slots=True)
class Weights:
    """What head is held against: so many times the baseline, and a fixed amount.

    A relative margin is a share of the baseline, so an error of the baseline moves the margin too.

    Attributes:
        for_excess, for_gain: Excess = sign * (head - `for_excess` * base) - `fixed`, where the sign is 1 if
            more is worse; gain = -sign * (head - `for_gain` * base) - `fixed`.
        fixed: In display unit.
    """

    for_excess: float
    for_gain: float
    fixed: float


def weights_of(direction: Direction, margin: Margin, base: float) -> Weights:
    """How the larger margin, relative or absolute, weighs at this baseline."""
    # Where both are equal, rounding must not choose.
    if margin.relative * abs(base) < margin.absolute * (1 - 1e-9) or not margin.relative:
        return Weights(1.0, 1.0, margin.absolute)
    share = math.copysign(margin.relative, base) * worse_sign(direction)
    return Weights(1 + share, 1 - share, 0.0)


def _finding(pair: Pair) -> Finding:
    noise = noise_of(pair.base, pair.head, pair.repeatability)
    base, head = arm_of(pair.base, noise.base), arm_of(pair.head, noise.head)
    runs = len(pair.base), len(pair.head)
    change = head.value - base.value
    worse = worse_sign(pair.direction) * change
    margin = pair.margin.at(base.value)
    weights = weights_of(pair.direction, pair.margin, base.value)
    excess = Difference(worse - margin, *noise.of_difference(weights.for_excess, *runs))
    unknown = noise.between.degrees == 0 and excess.error > 0
    prospect = Prospect(excess.value, weights.for_excess, noise, *runs, pair.statistic, _fewest_values(pair))
    return Finding(
        subject=pair.subject,
        unit=pair.unit,
        statistic=pair.statistic,
        direction=pair.direction,
        margin=pair.margin,
        base=base,
        head=head,
        change=Difference(change, *noise.of_difference(1.0, *runs)),
        excess=excess,
        gain=Difference(-worse - margin, *noise.of_difference(weights.for_gain, *runs)),
        outlook=lambda regressed, within: outlook_of(prospect, regressed, within),
        caveat="one run each and no history: how much runs differ is not known" if unknown else "",
    )


def _fewest_values(pair: Pair) -> int:
    """Values of the run that has the fewest, among those that can't bound their statistic."""
    return min((one.n for one in (*pair.base, *pair.head) if math.isinf(one.standard_error)), default=0)


def _one_sided(pair: Pair) -> Comparison:
    base, head = (lone_arm(side) if side else None for side in (pair.base, pair.head))
    name = f"{pair.subject.quantity} of {pair.subject.test}"
    if base is None and head is None:
        reason = f"{name} was measured on neither side"
    elif base is None:
        reason = f"no baseline for {name}: save one"
    else:
        reason = f"{name} is not measured any more: nothing says that it still holds"
    return undecided(
        pair.subject, pair.unit, pair.statistic, pair.direction, pair.margin,
        base=base, head=head, reason=reason,
    )  # fmt: skip
