"""Sounds that are no speech, made from random numbers: for `silence` and `unknown`, and to mix in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from liquid.audio import Signal
from liquid.config import RATE

Maker = Callable[[np.random.Generator, int], Signal]


def _unit(signal: Signal) -> Signal:
    return signal / max(float(np.sqrt(np.mean(signal * signal))), 1e-12)


def coloured(rng: np.random.Generator, size: int) -> Signal:
    """Noise whose power falls (or rises) as a random power of frequency: white, pink, brown, and between."""
    spectrum = rng.normal(size=size // 2 + 1) + 1j * rng.normal(size=size // 2 + 1)
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 20.0)
    return _unit(np.fft.irfft(spectrum * frequency ** rng.uniform(-1.2, 0.3), size))


def banded(rng: np.random.Generator, size: int) -> Signal:
    """Noise in one band: wind, ventilators, hiss."""
    low = np.exp(rng.uniform(np.log(50), np.log(2000)))
    high = min(low * rng.uniform(1.5, 6), 3900.0)
    spectrum = rng.normal(size=size // 2 + 1) + 1j * rng.normal(size=size // 2 + 1)
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    shape = 1 / (1 + (low / np.maximum(frequency, 1)) ** 4) / (1 + (frequency / high) ** 4)
    return _unit(np.fft.irfft(spectrum * shape, size))


def hum(rng: np.random.Generator, size: int) -> Signal:
    """Mains hum: harmonics of 50 or 60 Hz, a little noise."""
    t = np.arange(size) / RATE
    base = rng.choice([50.0, 60.0])
    signal = sum(
        (
            rng.uniform(0, 1) / k * np.sin(2 * np.pi * base * k * t + rng.uniform(0, 2 * np.pi))
            for k in range(1, 12)
        ),
        np.zeros(size),
    )
    return _unit(_unit(signal) + 0.2 * coloured(rng, size))


def clicks(rng: np.random.Generator, size: int) -> Signal:
    """Knocks: short decaying bursts over faint noise."""
    signal = 0.02 * rng.normal(size=size)
    for _ in range(rng.integers(1, 5)):
        start, length = rng.integers(0, size), int(rng.uniform(0.003, 0.05) * RATE)
        burst = rng.normal(size=length) * np.exp(-np.arange(length) / (length / 4))
        signal[start : start + length] += rng.uniform(0.3, 1) * burst[: size - start]
    return _unit(signal)


def music(rng: np.random.Generator, size: int) -> Signal:
    """Notes of a random scale with harmonics and decay, one or more voices."""
    t = np.arange(size) / RATE
    signal = np.zeros(size)
    for _ in range(rng.integers(1, 4)):
        note_s = rng.uniform(0.08, 0.5)
        start = 0.0
        while start < size / RATE:
            pitch = 110.0 * 2 ** (rng.integers(0, 37) / 12)
            at = np.maximum(t - start, 0.0)
            envelope = np.where(t >= start, np.exp(-at / rng.uniform(0.1, 0.6)), 0.0)
            for harmonic in range(1, 6):
                if pitch * harmonic < RATE / 2:
                    signal += (
                        envelope * np.sin(2 * np.pi * pitch * harmonic * t) * rng.uniform(0, 1) / harmonic
                    )
            start += note_s
    return _unit(signal + 1e-3 * rng.normal(size=size))


def sweep(rng: np.random.Generator, size: int) -> Signal:
    """A tone that glides between two frequencies."""
    start, end = rng.uniform(100, 3500, 2)
    frequency = np.linspace(start, end, size)
    return _unit(np.sin(2 * np.pi * np.cumsum(frequency) / RATE) + 0.01 * rng.normal(size=size))


def bursts(rng: np.random.Generator, size: int) -> Signal:
    """Noise switched on and off."""
    period = rng.uniform(0.05, 0.4)
    on = (np.arange(size) / RATE / period + rng.uniform()) % 1 < rng.uniform(0.3, 0.8)
    return _unit(coloured(rng, size) * np.where(on, 1.0, 0.03))


def kinds_of_noise() -> dict[str, Maker]:
    """What counts as silence: no event worth a word. Each maker returns `size` samples of unit RMS."""
    return {"coloured": coloured, "hum": hum, "banded": banded}


def kinds_of_unknown() -> dict[str, Maker]:
    """What is a sound, but no word: `unknown`."""
    return {"music": music, "sweep": sweep, "clicks": clicks, "bursts": bursts}
