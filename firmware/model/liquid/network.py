"""common/{features,cfc,pipeline}.c in float32, operation by operation, over many recordings at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liquid.audio import Pcm
from liquid.config import CONFIG, SILENCE
from liquid.fmath import F, Floats, exp2f, sigmoidf, tanhf
from liquid.frontend import POINTS, log_mel
from liquid.gate import Bools
from liquid.weights import HIDDEN, INPUTS, MELS, TIME_UNIT_S, Weights
from liquid.words import frames_of, schedule

CLOSED_LOGIT = F(8)
WORD_FRAMES = CONFIG["WORD_FRAMES"]


@dataclass(frozen=True, slots=True)
class Heard:
    """Recordings after gate and features: what runs, and what the network sees on frames that ran."""

    ran: Bools  # [recordings, frames]
    fresh: Bools  # a word begins
    elapsed_s: Floats
    inputs: Floats  # [recordings, frames, INPUTS], zero where the network did not run


def normalised(frames: npt.NDArray[np.int16], weights: Weights) -> Floats:
    """lan_features() of [n, FRAME]."""
    return (log_mel(frames) - weights["norm_mean"]) * weights["norm_scale"]


def hear(recordings: list[Pcm], weights: Weights) -> Heard:
    """Gate and features, each recording after a reset."""
    frames, counts = frames_of(recordings)
    plan = schedule(frames, counts)
    row, k = np.nonzero(plan.ran)
    here = frames[row, k]
    before = np.where((k > 0)[:, None], frames[row, np.maximum(k - 1, 0), POINTS:], np.int16(0))
    straddling = np.concatenate([before, here[:, :POINTS]], axis=1)
    seen = np.concatenate([normalised(here, weights), normalised(straddling, weights)], axis=1)
    inputs = np.zeros((*plan.ran.shape, INPUTS), np.float32)
    inputs[row, k] = seen
    loudest = np.zeros(len(recordings), np.float32)
    for frame in range(plan.ran.shape[1]):
        total = np.zeros(len(recordings), np.float32)
        for column in range(INPUTS):
            total = total + inputs[:, frame, column]
        loudness = total * (F(1) / F(INPUTS))
        rises = plan.fresh[:, frame] | (plan.ran[:, frame] & (loudness > loudest))
        loudest = np.where(rises, loudness, loudest)
        shifted = inputs[:, frame] + (F(1) - loudest)[:, None]
        inputs[:, frame] = np.where(plan.ran[:, frame, None], shifted, F(0))
    return Heard(plan.ran, plan.fresh, plan.elapsed_s, inputs)


def dense(weight: Floats, bias: Floats, given: Floats) -> Floats:
    """lan_dense() of [n, inputs]: products added in the order of the inputs, starting from the bias."""
    total = np.repeat(bias[None], len(given), axis=0)
    for column in range(weight.shape[1]):
        total = total + weight[:, column] * given[:, column, None]
    return total


def step(weights: Weights, hidden: Floats, inputs: Floats, elapsed_s: Floats) -> tuple[Floats, Floats]:
    """lan_cfc_step() of n states: the next hidden states [n, HIDDEN] and the logits [n, CLASSES]."""
    joined = np.concatenate([inputs, hidden], axis=1)
    backbone = tanhf(dense(weights["backbone_weight"], weights["backbone_bias"], joined))
    heads = dense(weights["head_weight"], weights["head_bias"], backbone)
    t = elapsed_s * (F(1) / F(TIME_UNIT_S))
    gate = sigmoidf(-heads[:, :HIDDEN] * t[:, None])
    g, h = tanhf(heads[:, HIDDEN : 2 * HIDDEN]), tanhf(heads[:, 2 * HIDDEN :])
    following = h + gate * (g - h)
    return following, dense(weights["readout_weight"], weights["readout_bias"], following)


def answers(heard: Heard, weights: Weights) -> Floats:
    """lan_pipeline_result()->logits after the last frame of each recording: [recordings, CLASSES]."""
    recordings, frames = heard.ran.shape
    hidden = np.zeros((recordings, HIDDEN), np.float32)
    total = np.zeros((recordings, len(weights["readout_bias"])), np.float32)
    count, words = np.zeros(recordings, np.int64), np.zeros(recordings, np.int64)
    shown = np.zeros_like(total)
    shown[:, SILENCE] = CLOSED_LOGIT
    for k in range(frames):
        runs = np.flatnonzero(heard.ran[:, k])
        begins = np.flatnonzero(heard.fresh[:, k])
        hidden[begins], total[begins], count[begins] = F(0), F(0), 0
        words[begins] += 1
        hidden[runs], logits = step(weights, hidden[runs], heard.inputs[runs, k], heard.elapsed_s[runs, k])
        total[runs] += logits
        count[runs] += 1
        shows = runs[(words[runs] == 1) | (count[runs] >= WORD_FRAMES)]
        shown[shows] = total[shows] * (F(1) / count[shows].astype(np.float32))[:, None]
    return shown


def probabilities(logits: Floats) -> Floats:
    """lan_softmax() of [n, CLASSES]."""
    raised = exp2f((logits - logits.max(axis=1, keepdims=True)) * F(1.44269504))
    total = np.zeros(len(logits), np.float32)
    for column in range(logits.shape[1]):
        total = total + raised[:, column]
    return raised * (F(1) / total)[:, None]


def drift_scalars(heard: Heard) -> Floats:
    """Mean of the LAN_MELS features of the frame itself, of every frame that ran, in float32 and in order."""
    seen = heard.inputs[heard.ran]
    total = np.zeros(len(seen), np.float32)
    for column in range(MELS):
        total = total + seen[:, column]
    return total * (F(1) / F(MELS))
