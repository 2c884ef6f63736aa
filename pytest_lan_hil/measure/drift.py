"""Drift of a feature against its training: the population stability index of two histograms. Pure.

    PSI = sum over bins of (a - e) * ln(a / e)

with a bin's share a of what was heard and e of the training: the sum of both Kullback-Leibler divergences
(S. Kullback, R. A. Leibler, Ann. Math. Statist. 22 (1951), 79-86), 0 for equal shares. Credit scoring reads
less than 0.1 as no drift, more than 0.25 as much of it: a habit, not a test.

An empty bin would make it infinite. Shares are floored at half a frame of their own sample (the training's,
whose size is not known here, at 1e-4) and scaled to sum to 1 again.

A small sample drifts by chance: for small differences the index is Pearson's chi-square over the number of
frames, so n independent frames of the training's own distribution score about (bins - 1) / n, and a training
of m frames adds (bins - 1) / m. Frames of one recording resemble each other and count for less. So it is
recordings that are drawn: their spread, by bootstrap, gives the sampling error and how many independent
frames they are worth, and what that many score by chance is a contribution of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_lan_hil.measure.distributions import NORMAL_95
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Contribution, Measurement

LEAST_RECORDINGS = 8
"""Recordings whose spread can be told."""

_FLOOR = 1e-4
_DRAWS = 1000
_SEED = 20260101


def stability_index(counts: ArrayLike, training: ArrayLike) -> float:
    """The population stability index of frames counted by bin against the training's shares.

    Args:
        counts: Frames in each bin, at least one in all.
        training: The training's shares (or frames) in the same bins.

    Raises:
        InputError: Histograms of different or fewer than two bins, or negative ones.
        MeasurementInvalid: No frame was counted.
    """
    found, expected = np.asarray(counts, np.float64), np.asarray(training, np.float64)
    if found.ndim != 1 or found.shape != expected.shape or len(found) < 2:
        raise InputError(
            f"a drift between histograms of {found.shape} and {expected.shape} bins",
            fix="use the same bins, two at least, for the DUT and the training",
        )
    if not (np.isfinite(found).all() and np.isfinite(expected).all()) or min(found.min(), expected.min()) < 0:
        raise InputError("a histogram with a bin that holds less than nothing", fix="give counts from 0")
    if not expected.sum() > 0:
        raise InputError(
            "a training histogram that is empty", fix="export the model again, with its histogram"
        )
    if not found.sum() > 0:
        raise MeasurementInvalid(
            "the network ran in no frame, so no feature was counted",
            fix="let the DUT hear something that opens its gate, speech for instance",
        )
    return float(_indices(found[np.newaxis], expected)[0])


def chance_index(bins: int, frames: float, training_frames: float = math.inf) -> float:
    """Mean of the index for so many independent frames of the training's own distribution."""
    return (bins - 1) * (1 / frames + 1 / training_frames)


def drift_score(
    per_recording: Sequence[Sequence[int]], training: Sequence[float], *, instrument: str, simulated: bool
) -> Measurement:
    """The drift of what was heard, with the error that so few recordings leave.

    Args:
        per_recording: Frames in each bin, for each recording that was heard.
        training: The training's shares in the same bins.
        instrument: Who counted.
        simulated: True if a virtual bench did.

    Raises:
        InputError: Fewer than `LEAST_RECORDINGS` recordings, or unlike histograms.
        MeasurementInvalid: No frame was counted.
    """
    if len(per_recording) < LEAST_RECORDINGS:
        raise InputError(
            f"a drift from {len(per_recording)} recordings: their spread can't be told",
            fix=f"let the DUT hear at least {LEAST_RECORDINGS}, better 50",
        )
    counts = np.asarray(per_recording, np.float64)
    pooled = counts.sum(axis=0)
    score = stability_index(pooled, training)
    spread, worth = _by_bootstrap(counts, training)
    bias = chance_index(len(pooled), worth)
    frames = int(pooled.sum())
    return from_values(
        "drift_score",
        [score],
        instrument=instrument,
        simulated=simulated,
        contributions=(
            Contribution("choice of recordings", spread, "1", f"bootstrap of {len(counts)} recordings"),
            Contribution("few frames", bias, "1", f"{len(pooled) - 1} / {worth:.0f} independent frames"),
        ),
        notes=(
            f"{frames} frames of {len(counts)} recordings, worth {worth:.0f} independent ones; without any"
            f" drift the score would be about {bias:.2g}",
        ),
    )


def _indices(counts: NDArray[np.float64], training: NDArray[np.float64]) -> NDArray[np.float64]:
    """The index of each histogram, shape (histograms, bins), none of them empty."""
    frames = counts.sum(axis=1, keepdims=True)
    a = np.maximum(counts / frames, 0.5 / frames)
    a /= a.sum(axis=1, keepdims=True)
    e = np.maximum(training / training.sum(), _FLOOR)
    e /= e.sum()
    indices: NDArray[np.float64] = np.sum((a - e) * np.log(a / e), axis=1)
    return indices


def _by_bootstrap(counts: NDArray[np.float64], training: Sequence[float]) -> tuple[float, float]:
    """95 % half-width of the index from the choice of recordings, and what their frames are worth.

    Worth: as many independent frames as would make the bins' shares vary as much as these recordings do, at
    most all of them.
    """
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, len(counts), size=(_DRAWS, len(counts)))
    histograms = counts[drawn].sum(axis=1)
    histograms = histograms[histograms.sum(axis=1) > 0]
    indices = _indices(histograms, np.asarray(training, np.float64))
    shares = histograms / histograms.sum(axis=1, keepdims=True)
    pooled = counts.sum(axis=0) / counts.sum()
    frames = float(counts.sum())
    varies = float(shares.var(axis=0).sum())
    as_independent = float((pooled * (1 - pooled)).sum())
    worth = min(as_independent / varies, frames) if varies > 0 else frames
    return NORMAL_95 * float(np.std(indices)), max(worth, 1.0)
