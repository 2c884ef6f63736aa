"""Recordings named `{label}_{speaker}_{index}.wav`, and how those of people are split.

The free spoken digit dataset's indices 0 to 4 are its official test part; 5 to 9 are our validation part:
nothing is chosen by it, it is looked at when training is over. All else may be trained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liquid.audio import Pcm, read_wave, resample, to_pcm
from liquid.config import LABELS, RATE

TEST, VALIDATION = range(5), range(5, 10)
REAL_SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@dataclass(frozen=True, slots=True)
class Recording:
    """One labelled clip at RATE."""

    label: int  # index into LABELS
    speaker: str
    index: int
    pcm: Pcm

    @property
    def is_real(self) -> bool:
        """Spoken by a person of the free spoken digit dataset."""
        return self.speaker in REAL_SPEAKERS


def read_folder(folder: Path) -> list[Recording]:
    """All wave files below a folder, sorted by name. ValueError: a name or format does not fit."""
    recordings = []
    for path in sorted(folder.rglob("*.wav")):
        parts = path.stem.split("_")
        if len(parts) != 3 or parts[0] not in LABELS or not parts[2].isdigit():
            raise ValueError(
                f"{path}: the name is not {{label}}_{{speaker}}_{{index}}.wav with a known label"
            )
        pcm, rate = read_wave(path)
        if rate != RATE:
            pcm = to_pcm(resample(pcm.astype(np.float64), rate))
        recordings.append(Recording(LABELS.index(parts[0]), parts[1], int(parts[2]), pcm))
    if not recordings:
        raise ValueError(f"{folder}: no wave files")
    return recordings


def is_trainable(recording: Recording) -> bool:
    """Neither test nor validation part."""
    return not recording.is_real or recording.index >= VALIDATION.stop


def is_validation(recording: Recording) -> bool:
    """A real recording of the validation part."""
    return recording.is_real and recording.index in VALIDATION
