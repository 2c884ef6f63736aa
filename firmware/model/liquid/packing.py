"""From what was heard to arrays that a training step takes: one word per clip, frames that ran in a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liquid.audio import Pcm
from liquid.dataset import Recording
from liquid.fmath import F, Floats
from liquid.frontend import log_mel
from liquid.network import Heard, drift_scalars, hear
from liquid.weights import DRIFT_BINS, INPUTS, MELS, Weights
from liquid.words import frames_of, schedule

BLOT, MASKED_BANDS = F(-1), 5
LONGEST = 40  # frames of a word; what comes later is cut off, in training only


@dataclass(frozen=True, slots=True)
class Batch:
    """The longest word of each clip."""

    inputs: Floats  # [clips, LONGEST, INPUTS]
    elapsed_s: Floats  # [clips, LONGEST]
    ran: Floats  # [clips, LONGEST], 1 or 0


def longest_words(heard: Heard) -> Batch:
    """Pack frames that ran to the left, all but those of a clip's longest word left out."""
    number = np.cumsum(heard.fresh, axis=1)
    sizes = np.stack([(heard.ran & (number == word)).sum(axis=1) for word in range(1, number.max() + 1)])
    used = heard.ran & (number == 1 + sizes.argmax(axis=0)[:, None])
    row, k = np.nonzero(used)
    place = (np.cumsum(used, axis=1) - 1)[row, k]
    fits = place < LONGEST
    row, k, place = row[fits], k[fits], place[fits]
    inputs = np.zeros((len(used), LONGEST, INPUTS), np.float32)
    elapsed_s, ran = np.zeros(inputs.shape[:2], np.float32), np.zeros(inputs.shape[:2], np.float32)
    inputs[row, place], elapsed_s[row, place], ran[row, place] = (
        heard.inputs[row, k],
        heard.elapsed_s[row, k],
        1,
    )
    return Batch(inputs, elapsed_s, ran)


def masked(inputs: Floats, share: float, rng: np.random.Generator) -> Floats:
    """Some clips [n, frames, INPUTS] with up to MASKED_BANDS neighbouring bands blotted out, in every frame.

    After SpecAugment (Park et al., Interspeech 2019): no answer may hang on a few bands alone.
    """
    band = np.arange(MELS)
    first, width = rng.integers(0, MELS, len(inputs)), rng.integers(0, MASKED_BANDS + 1, len(inputs))
    width[rng.random(len(inputs)) >= share] = 0
    hidden = (band >= first[:, None]) & (band < (first + width)[:, None])
    return np.where(np.tile(hidden, (1, INPUTS // MELS))[:, None, :], BLOT, inputs).astype(np.float32)


def normalisation(recordings: list[Pcm]) -> dict[str, Floats]:
    """Mean and scale (one by the standard deviation) of every mel band over the frames that run."""
    frames, counts = frames_of(recordings)
    bands = log_mel(frames[schedule(frames, counts).ran]).astype(np.float64)
    mean, spread = bands.mean(axis=0), bands.std(axis=0)
    return {"norm_mean": mean.astype(np.float32), "norm_scale": (1 / spread).astype(np.float32)}


def drift_histogram(recordings: list[Recording], weights: Weights) -> dict[str, Floats]:
    """Edges at the tenths of the training distribution, and its shares between them."""
    scalars = drift_scalars(hear([r.pcm for r in recordings], weights))
    edges = np.quantile(scalars.astype(np.float64), np.arange(1, DRIFT_BINS) / DRIFT_BINS).astype(F)
    counts = np.bincount(np.searchsorted(edges, scalars, side="right"), minlength=DRIFT_BINS)
    return {"drift_edges": edges, "drift_share": (counts / len(scalars)).astype(np.float32)}


def labels_of(recordings: list[Recording]) -> npt.NDArray[np.int64]:
    """Labels as an array."""
    return np.array([r.label for r in recordings])
