"""Sounds without speech: seeded, of every kind, at the loudness that is meant."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_lan_hil.run.sounds import KINDS, RATE_HZ, SAMPLES, non_speech


def loudness_db(samples: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean((samples / 32767.0) ** 2)))


def spectrum(kind: str, seed: int = 0) -> np.ndarray:
    (sound,) = [sound for sound in non_speech(len(KINDS), seed) if sound.kind == kind]
    return np.abs(np.fft.rfft(sound.samples.astype(float))) ** 2


def test_the_same_seed_gives_the_same_sounds_and_more_of_them_begin_alike() -> None:
    few, many = list(non_speech(9, seed=3)), list(non_speech(30, seed=3))
    assert [sound.kind for sound in few] == [sound.kind for sound in many[:9]]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(few, many, strict=False))
    other = list(non_speech(9, seed=4))
    assert not np.array_equal(few[0].samples, other[0].samples)


def test_every_kind_comes_in_three_loudnesses_and_none_is_clipped() -> None:
    sounds = list(non_speech(3 * len(KINDS)))
    assert [sound.kind for sound in sounds] == list(KINDS) * 3
    for sound in sounds:
        assert sound.samples.dtype == np.int16
        assert sound.samples.shape == (SAMPLES,)
        assert np.mean(np.abs(sound.samples) >= 32767) < 1e-3
    for index, level in enumerate((-15.0, -25.0, -40.0)):
        for sound in sounds[index * len(KINDS) : (index + 1) * len(KINDS)]:
            if sound.kind != "silence":
                assert loudness_db(sound.samples) == pytest.approx(level, abs=0.2)


def test_silence_is_nothing_at_all() -> None:
    assert not [s for s in non_speech(12) if s.kind == "silence" and s.samples.any()]


def test_pink_noise_falls_with_frequency_and_white_noise_does_not() -> None:
    low, high = slice(50, 200), slice(3000, 3900)
    white, pink = spectrum("white noise"), spectrum("pink noise")
    assert white[low].mean() / white[high].mean() == pytest.approx(1, rel=0.5)
    assert pink[low].mean() > 10 * pink[high].mean()


def test_hum_is_made_of_multiples_of_the_mains_frequency() -> None:
    power = spectrum("hum")
    hz = np.arange(len(power)) * RATE_HZ / SAMPLES
    strongest = hz[np.argsort(power)[-10:]]
    assert all(f % 50 == 0 for f in strongest) or all(f % 60 == 0 for f in strongest)
