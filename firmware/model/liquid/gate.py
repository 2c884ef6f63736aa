"""common/gate.c: the integer energy gate, stepped over many recordings at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from liquid.config import CONFIG, FRAME

FLOOR, RATIO, HANG = CONFIG["GATE_FLOOR"], CONFIG["GATE_RATIO"], CONFIG["GATE_HANG"]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def frame_energy(frames: npt.NDArray[np.int16]) -> Ints:
    """Mean square of the sample-to-sample difference within each frame [..., FRAME], cut to an integer."""
    difference = np.diff(frames.astype(np.int64), axis=-1)
    return (difference * difference).sum(axis=-1) // FRAME


def open_frames(energy: Ints) -> Bools:
    """Which frames of recordings [recordings, frames] the gate lets through, each recording after a reset."""
    recordings, frames = energy.shape
    opened = np.zeros((recordings, frames), np.bool_)
    floor = np.full(recordings, FLOOR, np.int64)
    hang = np.zeros(recordings, np.int64)
    for k in range(frames):
        e = energy[:, k]
        loud = e >= RATIO * floor
        rise = floor + np.minimum((floor >> 5) + 1, e - floor)
        fall = np.maximum(floor - ((floor - e + 3) >> 2), FLOOR)
        floor = np.where(e > floor, rise, fall)
        hang = np.where(loud, HANG + 1, np.maximum(hang - 1, 0))
        opened[:, k] = hang > 0
    return opened
