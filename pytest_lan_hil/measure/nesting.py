"""Windows of one marker line inside those of another: `inference` within `phase`.

`inference` is high for one inference, `phase` for the measured part that holds all of them. What the two
lines show of each other tells whether each is wired where the bench file says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.windows import Windows


@dataclass(frozen=True, slots=True)
class Nesting:
    """Where each inner window lies.

    Attributes:
        outer: shape (n,), int64: index of the outer window that holds the inner one, -1 where none does.
        straddles: shape (n,), bool: an edge of an outer window lies within the inner one.
    """

    outer: NDArray[np.int64]
    straddles: NDArray[np.bool_]


def nested(inner: Windows, outer: Windows) -> Nesting:
    """The outer window of each inner window.

    Edges that both lines can't tell apart, because of their resolution, jitter and clocks, are the same.

    Args:
        inner: Windows on some clock.
        outer: Windows on the same clock, those that the record cuts left out: nothing is in these.
    """
    tolerance_s = same_time_s(inner, outer)
    if not len(outer):
        return Nesting(np.full(len(inner), -1, np.int64), np.zeros(len(inner), bool))
    holder = np.searchsorted(outer.start_s, inner.start_s + tolerance_s, side="right") - 1
    held = (holder >= 0) & (inner.stop_s <= outer.stop_s[np.maximum(holder, 0)] + tolerance_s)
    edges = np.sort(np.concatenate((outer.start_s, outer.stop_s)))
    within = np.searchsorted(edges, inner.stop_s - tolerance_s) > np.searchsorted(
        edges, inner.start_s + tolerance_s, side="right"
    )
    return Nesting(np.where(held, holder, -1).astype(np.int64), within)


def same_time_s(one: Windows, other: Windows) -> float:
    """Two edges of these lines that are no farther apart than this may have happened at once."""
    # The clocks' tie counts once: lines of one source share it, and both of two sources have that of one.
    return one.resolution_s + other.resolution_s + one.jitter_s + other.jitter_s + max(one.tie_s, other.tie_s)
