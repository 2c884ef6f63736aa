"""Sounds that hold no speech, made with numpy from a seed: what a word must not be heard in. Pure.

Each is one second at 8 kHz, 16 bit. Kinds and loudness change from one to the next, so that any number of
them, from the first on, is a fair mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
SAMPLES = RATE_HZ
# Loudness (root mean square) relative to full scale, in decibels: near, usual and far from a microphone.
_LEVELS_DB = (-15.0, -25.0, -40.0)
_FULL_SCALE = 32767

Wave = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound without speech.

    Attributes:
        kind: "white noise", ...
        samples: shape (8000,), int16.
    """

    kind: str
    samples: NDArray[np.int16]


def non_speech(count: int, seed: int = 0) -> Iterator[Sound]:
    """`count` sounds, the same ones for the same seed; the first n of more are those of n."""
    rng = np.random.default_rng(seed)
    for index, (kind, make) in enumerate(islice(cycle(_KINDS.items()), count)):
        level_db = _LEVELS_DB[index // len(_KINDS) % len(_LEVELS_DB)]
        yield Sound(kind, _at_level(make(rng), level_db))


def _white(rng: np.random.Generator) -> Wave:
    return rng.standard_normal(SAMPLES)


def _pink(rng: np.random.Generator) -> Wave:
    """Power falls with 1 / frequency."""
    spectrum = np.fft.rfft(rng.standard_normal(SAMPLES))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    return np.fft.irfft(spectrum, SAMPLES)


def _hum(rng: np.random.Generator) -> Wave:
    """A mains transformer: odd and even harmonics of 50 or 60 Hz, weaker with their order."""
    mains = 50.0 + 10.0 * int(rng.integers(2))
    return _tones(rng, [(mains * order, 1 / order) for order in range(1, 11)])


def _chord(rng: np.random.Generator) -> Wave:
    """Three or four notes of an equal-tempered scale, each with overtones, struck and dying away."""
    root = 110.0 * 2.0 ** (int(rng.integers(0, 24)) / 12)
    steps = (0, 4, 7) if rng.integers(2) else (0, 3, 7, 10)
    notes = [root * 2.0 ** (step / 12) for step in steps]
    tones = [(note * order, 1 / order**1.5) for note in notes for order in range(1, 6)]
    return _tones(rng, tones) * np.exp(-_time() * rng.uniform(0.5, 4.0))


def _chirp(rng: np.random.Generator) -> Wave:
    """A tone that glides from one pitch to another."""
    start, stop = rng.uniform(200, 3500, size=2)
    wave: Wave = np.sin(2 * np.pi * (start * _time() + (stop - start) * _time() ** 2 / 2))
    return wave


def _silence(rng: np.random.Generator) -> Wave:
    """What is left of a microphone in a silent room: nothing but its own last bit."""
    del rng
    return np.zeros(SAMPLES)


_KINDS: dict[str, Callable[[np.random.Generator], Wave]] = {
    "white noise": _white,
    "pink noise": _pink,
    "hum": _hum,
    "chord": _chord,
    "chirp": _chirp,
    "silence": _silence,
}
KINDS = tuple(_KINDS)


def _time() -> Wave:
    return np.arange(SAMPLES) / RATE_HZ


def _tones(rng: np.random.Generator, tones: list[tuple[float, float]]) -> Wave:
    """Sum of (frequency in Hz, amplitude) below half the sample rate, at random phases."""
    phases = rng.uniform(0, 2 * np.pi, len(tones))
    waves = [
        amplitude * np.sin(2 * np.pi * hz * _time() + phase)
        for (hz, amplitude), phase in zip(tones, phases, strict=True)
        if hz < RATE_HZ / 2
    ]
    total: Wave = np.sum(waves, axis=0)
    return total


def _at_level(wave: Wave, level_db: float) -> NDArray[np.int16]:
    """Scaled to a loudness, clipped at full scale; silence stays silence."""
    loudness = float(np.sqrt(np.mean(wave**2)))
    if loudness > 0:
        wave = wave * (_FULL_SCALE * 10 ** (level_db / 20) / loudness)
    return np.clip(np.round(wave), -_FULL_SCALE, _FULL_SCALE).astype(np.int16)
