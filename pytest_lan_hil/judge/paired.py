"""Two images on one board in one session: flashed A, B, B, A and so on, judged by the paired difference.

What changes slowly (temperature, battery, the host's load) hits both images of a block alike, and a steady
drift cancels within it, because B stands in the middle. So the spread of the differences is smaller than that
of the runs. A regression is only called one if it recurs: seen in every block, of two at least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_lan_hil.judge.decision import ALPHA, Difference, Finding, Outlook, decide, undecided
from pytest_lan_hil.judge.noise import ENOUGH_RUNS, Scatter, Source, lone_arm, mean_of, spread_of
from pytest_lan_hil.judge.regression import weights_of, worse_sign
from pytest_lan_hil.judge.repeats import POWER, first_that_settles
from pytest_lan_hil.judge.student import satterthwaite, upper_tail
from pytest_lan_hil.model.comparison import Comparison, Sample, Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.quantities import Direction, Margin

_FEWEST_BLOCKS = 2


@dataclass(frozen=True, slots=True)
class Block:
    """One round of both images, near in time: usually A, B, B, A.

    Attributes:
        base, head: One sample for each turn of the image; at least one each.
    """

    base: tuple[Sample, ...]
    head: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Blocks:
    """A subject in all whole blocks of a session.

    Attributes:
        subject, unit, statistic, direction, margin: See `judge.regression.Pair`.
        blocks: In order of time; without one that was cut short.
    """

    subject: Subject
    unit: str
    statistic: str
    direction: Direction
    margin: Margin
    blocks: tuple[Block, ...]


def compare_blocks(
    subjects: Sequence[Blocks], *, alpha: float = ALPHA, tests: int | None = None
) -> tuple[Comparison, ...]:
    """Judge all subjects of a session, in the given order; `alpha` and `tests` as for `regression.compare`.

    Raises:
        InputError: A block without one of its images; see also `regression.compare`.
    """
    for one in subjects:
        if not all(block.base and block.head for block in one.blocks):
            raise InputError(
                f"a block of {one.subject.quantity} has one image only", fix="leave out blocks cut short"
            )
    findings = [_finding(one) for one in subjects if one.blocks]
    judged = iter(decide(findings, alpha=alpha, tests=tests))
    return tuple(next(judged) if one.blocks else _nothing(one) for one in subjects)


def _finding(found: Blocks) -> Finding:
    blocks = found.blocks
    base = lone_arm([sample for block in blocks for sample in block.base])
    head = lone_arm([sample for block in blocks for sample in block.head])
    weights = weights_of(found.direction, found.margin, base.value)
    sign = worse_sign(found.direction)

    def seen(factor: float, way: int) -> list[float]:
        return [way * (mean_of(one.head) - factor * mean_of(one.base)) - weights.fixed for one in blocks]

    excess = seen(weights.for_excess, sign)
    over_blocks = _mean(excess, _within(blocks, weights.for_excess))
    beyond = sum(one > 0 for one in excess)
    return Finding(
        subject=found.subject,
        unit=found.unit,
        statistic=found.statistic,
        direction=found.direction,
        margin=found.margin,
        base=base,
        head=head,
        change=_mean([mean_of(one.head) - mean_of(one.base) for one in blocks], _within(blocks, 1.0)),
        excess=over_blocks,
        gain=_mean(seen(weights.for_gain, -sign), _within(blocks, weights.for_gain)),
        outlook=lambda regressed, within: _outlook(found, over_blocks, beyond, regressed, within),
        recurs=len(blocks) >= _FEWEST_BLOCKS and beyond == len(blocks),
        caveat=_caveat(len(blocks), over_blocks),
    )


def _caveat(blocks: int, excess: Difference) -> str:
    return "" if blocks > 1 or excess.error == 0 else "one block: how much blocks differ is not known"


def _mean(differences: Sequence[float], within: Scatter) -> Difference:
    """Mean over blocks; its error from the spread of the blocks, at least what values within runs tell."""
    count = len(differences)
    between = spread_of(differences)
    known = between.degrees >= ENOUGH_RUNS or (
        between.degrees > 0 and (between.variance >= within.variance or math.isinf(within.variance))
    )
    scatter = between if known else within
    return Difference(math.fsum(differences) / count, math.sqrt(scatter.variance / count), scatter.degrees)


def _within(blocks: Sequence[Block], base_factor: float) -> Scatter:
    """Variance of one block's difference, from the values within its runs: mean over the blocks."""
    parts = [
        (factor**2 * sample.standard_error**2 / len(side) ** 2, sample.degrees)
        for block in blocks
        for factor, side in ((base_factor, block.base), (1.0, block.head))
        for sample in side
    ]
    total = math.fsum(variance for variance, _ in parts)
    degrees = satterthwaite(parts) if math.isfinite(total) else math.inf
    return Scatter(total / len(blocks), degrees, Source.WITHIN)


def _outlook(found: Blocks, excess: Difference, beyond: int, regressed: float, within: float) -> Outlook:
    blocks = len(found.blocks)
    turns = len(found.blocks[0].head)
    if excess.value > 0 and 0 < beyond < blocks:
        return Outlook(None, f"beyond the margin in {beyond} of {blocks} blocks, not in every one")
    if excess.value > 0 and blocks < _FEWEST_BLOCKS:
        return Outlook(
            _FEWEST_BLOCKS * turns, f"it has to be seen in {_FEWEST_BLOCKS} blocks at least, this is one"
        )
    level = regressed if excess.value > 0 else within
    one_block = excess.error * math.sqrt(blocks)

    def settles(count: int) -> bool:
        t = abs(excess.value) * math.sqrt(count) / one_block
        return upper_tail(t - POWER, excess.degrees + count - blocks) <= level

    more = first_that_settles(blocks + 1, settles) if 0 < one_block < math.inf else None
    if more is None:
        return Outlook(
            None, "the change lies on the margin, or blocks differ too much; make each run steadier or longer"
        )
    return Outlook(more * turns, f"about {more} blocks would settle it ({blocks} so far)")


def _nothing(found: Blocks) -> Comparison:
    name = f"{found.subject.quantity} of {found.subject.test}"
    return undecided(
        found.subject, found.unit, found.statistic, found.direction, found.margin,
        reason=f"{name} was not measured in one whole block",
    )  # fmt: skip
