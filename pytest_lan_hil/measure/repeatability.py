"""How much one and the same firmware varies from run to run on a bench: its A/A history, pooled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pytest_lan_hil.model.comparison import Repeatability, Sample


def repeatability_of(groups: Iterable[Sequence[Sample]]) -> Repeatability:
    """Pool the spread within groups; each group holds the runs of one firmware, of one subject on one bench.

    The spread is relative to the group's mean, because firmwares differ in the mean. A group of one run, or
    with a mean of 0, tells nothing.

    Args:
        groups: Without the runs that are to be compared, which count by themselves already.
    """
    squares, degrees = 0.0, 0
    for group in groups:
        values = [one.value for one in group]
        if len(values) < 2:
            continue
        mean = math.fsum(values) / len(values)
        if mean == 0:
            continue
        squares += math.fsum((value / mean - 1) ** 2 for value in values)
        degrees += len(values) - 1
    return Repeatability(math.sqrt(squares / degrees), float(degrees)) if degrees else Repeatability()
