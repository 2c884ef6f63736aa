"""Mean power of a load that repeats: which stretches of the record can count as independent of each other.

The samples of a current are far from independent (a duty cycle repeats, regulators ring), so n samples say
much less than n independent values would. The record is cut into cells instead, whole marker periods where
the marker line shows them, and cells are joined into some dozens of blocks (batch means; G. S. Fishman,
Management Science 24, 1978). Correlation that lasts shorter than a block is gone then; what is left is
counted by the blocks' effective number. benchmarks/bench_coverage.py measures how often the intervals hold
the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.statistics import effective_n

# Cells that an unmarked record is cut into before joining, and the fewest samples of a cell.
_CELLS = 1024
_FEWEST_SAMPLES = 8
# The most blocks worth having: more shorten Student's t by less than 2 %, and let correlation in that is too
# weak to be seen in each block and not in all of them.
_MOST_BLOCKS = 64
# The fewest that can be tested for resembling each other, and how many independent ones they must be worth.
_FEWEST_BLOCKS = 8
_FEWEST_WORTH = 5
# A record counts as periodic if what lies outside whole periods is not longer than a period (and 5 %).
_SLACK = 1.05


@dataclass(frozen=True, slots=True)
class Cells:
    """Stretches of the record, in order: shape (n,) each, seconds. `periodic`: whole marker periods."""

    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    periodic: bool


def cells_of(spans: list[tuple[float, float]], rises_s: NDArray[np.float64], sample_rate_hz: float) -> Cells:
    """Cut spans into cells: marker periods if every span is made of them, else about 1,024 equal parts.

    Args:
        spans: Start and stop, seconds, each with positive length.
        rises_s: Rising edges of the marker line that shows the period; may be empty.
        sample_rate_hz: Of the current.
    """
    periods = [_periods(start, stop, rises_s) for start, stop in spans]
    if all(len(edges) for edges in periods):
        return Cells(
            np.concatenate([edges[:-1] for edges in periods]),
            np.concatenate([edges[1:] for edges in periods]),
            periodic=True,
        )
    total = sum(stop - start for start, stop in spans)
    shortest = max(total / _CELLS, _FEWEST_SAMPLES / sample_rate_hz)
    cuts = [
        np.linspace(start, stop, max(1, int((stop - start) / shortest * (1 + 1e-9))) + 1)
        for start, stop in spans
    ]
    return Cells(
        np.concatenate([edges[:-1] for edges in cuts]),
        np.concatenate([edges[1:] for edges in cuts]),
        periodic=False,
    )


def _periods(start: float, stop: float, rises_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of the whole periods inside a span; empty unless they make up all but the span's ends."""
    rises = rises_s[(rises_s >= start) & (rises_s <= stop)]
    if len(rises) < 3:
        return np.empty(0)
    longest = float(np.diff(rises).max()) * _SLACK
    if rises[0] - start > longest or stop - rises[-1] > longest:
        return np.empty(0)
    return rises


def independent_blocks(
    energy_j: NDArray[np.float64], duration_s: NDArray[np.float64], *, periodic: bool
) -> NDArray[np.float64] | None:
    """Join cells into blocks that tell how certain the mean is; see `blocks_of` for their values.

    Args:
        energy_j: shape (n,), of each cell.
        duration_s: shape (n,), of each cell.
        periodic: As `Cells` says. A load that repeats by construction has a mean to be found, however slowly
            it wanders: its blocks are kept, and the estimate counts them as the few independent values that
            they are worth.

    Returns:
        shape (blocks,), watts, or None if there are too few cells (2 periods, 8 others), or if the power
        varies so slowly that the record shows less than five independent values of it.
    """
    cells = len(energy_j)
    if cells < (2 if periodic else _FEWEST_BLOCKS):
        return None
    values = blocks_of(energy_j, duration_s, cells // -(-cells // _MOST_BLOCKS))
    return values if periodic or effective_n(values.tolist()) >= _FEWEST_WORTH else None


def blocks_of(
    energy_j: NDArray[np.float64], duration_s: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Join cells into `count` blocks (or as many as there are cells), and give each one's value in watts.

    A block's value is the ratio estimator's: mean power plus the block's deviation from it, weighted by the
    block's share of time (W. G. Cochran, Sampling Techniques, 6.3). The mean of the values is therefore
    exactly energy over time, also where blocks differ in length; for equal lengths it is each block's power.
    """
    cells = len(energy_j)
    mean = float(energy_j.sum() / duration_s.sum())
    first = np.arange(min(count, cells)) * cells // min(count, cells)
    energy = np.add.reduceat(energy_j, first)
    duration = np.add.reduceat(duration_s, first)
    values: NDArray[np.float64] = mean + (energy - mean * duration) / duration.mean()
    return values
