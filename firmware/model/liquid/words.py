"""Which frames of a recording run, after how much time, and where words begin, as in common/pipeline.c.

Recordings are stepped together, each from a reset, frames of HOP_S one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liquid.audio import Pcm
from liquid.config import CONFIG, FRAME, HOP_S
from liquid.fmath import F, Floats
from liquid.gate import Bools, frame_energy, open_frames

PAUSE_S = F(CONFIG["PAUSE_MS"]) * F(0.001)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Does the network run, over which time in s, and does a word begin; all [recordings, frames]."""

    ran: Bools
    elapsed_s: Floats
    fresh: Bools


def frames_of(recordings: list[Pcm]) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """[recordings, frames, FRAME], padded with zeros, and how many frames each recording fills."""
    counts = np.array([-(-pcm.size // FRAME) for pcm in recordings], np.int64)
    padded = np.zeros((len(recordings), int(counts.max()) * FRAME), np.int16)
    for row, pcm in zip(padded, recordings, strict=True):
        row[: pcm.size] = pcm
    return padded.reshape(len(recordings), -1, FRAME), counts


def schedule(frames: npt.NDArray[np.int16], counts: npt.NDArray[np.int64]) -> Schedule:
    """What the firmware does with these recordings."""
    ran = open_frames(frame_energy(frames)) & (np.arange(frames.shape[1]) < counts[:, None])
    elapsed_s = np.zeros(ran.shape, np.float32)
    fresh = np.zeros(ran.shape, np.bool_)
    idle_s = np.zeros(len(counts), np.float32)
    rest = np.ones(len(counts), np.bool_)
    for k in range(ran.shape[1]):
        gap_s = idle_s + F(HOP_S)
        fresh[:, k] = ran[:, k] & (rest | (gap_s > PAUSE_S))
        elapsed_s[:, k] = np.where(fresh[:, k], F(HOP_S), gap_s)
        idle_s = np.where(ran[:, k], F(0), gap_s).astype(np.float32)
        rest &= ~ran[:, k]
    return Schedule(ran, elapsed_s, fresh)
