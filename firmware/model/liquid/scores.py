"""Counting right answers: shares with Wilson intervals, confusion, per class and per speaker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from liquid.config import LABELS
from liquid.dataset import Recording
from liquid.network import answers, hear
from liquid.packing import labels_of
from liquid.weights import Weights

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """Right answers out of n."""

    right: int
    n: int

    @property
    def percent(self) -> float:
        """Point estimate; 0 where nothing was asked."""
        return 100.0 * self.right / self.n if self.n else 0.0

    @property
    def interval_percent(self) -> tuple[float, float]:
        """Wilson's score interval of 95 %."""
        if not self.n:
            return 0.0, 100.0
        p, z2 = self.right / self.n, Z95 * Z95 / self.n
        centre, half = p + z2 / 2, Z95 * float(np.sqrt(p * (1 - p) / self.n + z2 / (4 * self.n)))
        return 100 * (centre - half) / (1 + z2), 100 * (centre + half) / (1 + z2)

    def as_json(self) -> dict[str, object]:
        """For evaluate.py."""
        low, high = self.interval_percent
        return {
            "right": self.right,
            "n": self.n,
            "percent": round(self.percent, 2),
            "ci95_percent": [round(low, 2), round(high, 2)],
        }


def heard_labels(recordings: list[Recording], weights: Weights) -> npt.NDArray[np.int64]:
    """What the firmware answers to each recording."""
    return np.asarray(answers(hear([r.pcm for r in recordings], weights), weights).argmax(axis=1))


def share(recordings: list[Recording], heard: npt.NDArray[np.int64]) -> Share:
    """Right answers of all."""
    return Share(int((labels_of(recordings) == heard).sum()), len(recordings))


def by(recordings: list[Recording], heard: npt.NDArray[np.int64], names: list[str]) -> dict[str, Share]:
    """Right answers by a name per recording (speaker, label), sorted."""
    right = labels_of(recordings) == heard
    groups = np.array(names)
    return {
        str(name): Share(int(right[groups == name].sum()), int((groups == name).sum()))
        for name in sorted(set(names))
    }


def confusion(recordings: list[Recording], heard: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """[said, heard], in the order of LABELS."""
    matrix = np.zeros((len(LABELS), len(LABELS)), np.int64)
    np.add.at(matrix, (labels_of(recordings), heard), 1)
    return matrix
