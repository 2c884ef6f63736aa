"""What would settle an inconclusive comparison: more runs, of the head or of the baseline, or none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from pytest_lan_hil.judge.decision import Outlook
from pytest_lan_hil.judge.noise import Noise
from pytest_lan_hil.judge.student import upper_tail

# Nobody repeats a test more often for one verdict.
_MOST_RUNS = 100
#: If the difference stays as it is, so many runs settle it four times in five (80 % point of the normal).
POWER = 0.8416


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is known when a verdict turns out inconclusive.

    Attributes:
        excess: Worse by how much more than the margin, display unit.
        base_factor: See `Noise.of_difference`.
        noise: Of one run on both sides.
        base_runs, head_runs: So far.
        statistic: Of the subject.
        fewest_values: Of the runs whose values can't bound it; 0 if all can.
    """

    excess: float
    base_factor: float
    noise: Noise
    base_runs: int
    head_runs: int
    statistic: str
    fewest_values: int


def outlook_of(known: Prospect, regressed: float, within: float) -> Outlook:
    """Runs that would about settle it, if the difference stays what it looks like now.

    Args:
        known: The comparison.
        regressed, within: The levels that its p-values have to get below.
    """
    if math.isinf(known.noise.of_difference(known.base_factor, 1, 1)[0]):
        return _unbounded(known)
    level = regressed if known.excess > 0 else within
    head = first_that_settles(
        known.head_runs + 1,
        lambda runs: _settled(known, level, base_runs=known.base_runs, head_runs=runs),
    )
    if head is not None:
        have = f"this is {known.head_runs}" if known.head_runs == 1 else f"these are {known.head_runs}"
        return Outlook(head, f"about {head} runs would settle it, {have}")
    both = first_that_settles(
        known.base_runs + 1,
        lambda runs: _settled(known, level, base_runs=runs, head_runs=max(runs, known.head_runs)),
    )
    if both is not None:
        return Outlook(
            None,
            f"the baseline itself is too uncertain: save it from about {both} runs"
            f" (it has {known.base_runs}), and run as many",
        )
    return Outlook(
        None,
        "the change lies on the margin, and runs differ too much to tell; make each run steadier or longer,"
        " or choose another margin",
    )


def _unbounded(known: Prospect) -> Outlook:
    from pytest_lan_hil.measure.statistics import fewest_for  # numpy: who only compares does without

    least = fewest_for(known.statistic)
    more = "measure for longer in each run"
    if known.fewest_values < least:
        more = f"it needs at least {least} values in a run, one has {known.fewest_values}"
    return Outlook(
        None,
        f"the values of one run do not bound its {known.statistic}: {more}; or save and make several runs",
    )


def _settled(known: Prospect, level: float, *, base_runs: int, head_runs: int) -> bool:
    noise = known.noise.after(base_runs - known.base_runs + head_runs - known.head_runs)
    error, degrees = noise.of_difference(known.base_factor, base_runs, head_runs)
    return error == 0 or upper_tail(abs(known.excess) / error - POWER, degrees) <= level


def first_that_settles(start: int, settles: Callable[[int], bool]) -> int | None:
    """Smallest number of runs from `start` on that settles it; more runs never unsettle it."""
    if not settles(max(start, _MOST_RUNS)):
        return None
    low, high = start, max(start, _MOST_RUNS)
    while low < high:
        middle = (low + high) // 2
        if settles(middle):
            high = middle
        else:
            low = middle + 1
    return low
