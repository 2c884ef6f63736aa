"""Training clips: a word in a noisy room, as loud and as fast as chance has it, or a room without a word."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from liquid.audio import Pcm, Signal, to_pcm
from liquid.config import RATE, SILENCE, UNKNOWN
from liquid.dataset import Recording
from liquid.noises import kinds_of_noise, kinds_of_unknown

CLIP = 12288  # samples, 48 frames
POOL_S = 4
POOL_OF_EACH = 40
BACKWARDS_ALIKE = 9  # nine


class Noises:
    """Pieces cut at random from a pool of made sounds: to make them takes longer than to mix them in."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._noise = [
            make(rng, POOL_S * RATE) for make in kinds_of_noise().values() for _ in range(POOL_OF_EACH)
        ]
        self._sound = [
            make(rng, POOL_S * RATE) for make in kinds_of_unknown().values() for _ in range(POOL_OF_EACH)
        ]

    def _piece(self, pool: list[Signal], size: int) -> Signal:
        whole = pool[self._rng.integers(len(pool))]
        start = self._rng.integers(0, whole.size - size + 1)
        return whole[start : start + size]

    def noise(self, size: int) -> Signal:
        """Steady noise of about unit RMS."""
        return self._piece(self._noise, size)

    def sound(self, size: int) -> Signal:
        """Something that is no word, about unit RMS."""
        return self._piece(self._sound, size)


def _changed_speed(signal: Signal, factor: float) -> Signal:
    at = np.arange(0, signal.size - 1, factor)
    return np.interp(at, np.arange(signal.size), signal)


def word_clip(recording: Recording, noises: Noises, rng: np.random.Generator) -> Pcm:
    """A recording at another speed, level and place, often with noise, sometimes cut right at its ends."""
    word = _changed_speed(recording.pcm.astype(np.float64), rng.uniform(0.88, 1.14))[: CLIP - 512]
    peak = max(float(np.abs(word).max()), 1.0)
    loudness = np.exp(rng.uniform(np.log(250), np.log(30000)))
    word = word * (loudness / peak)
    # a recording that begins or ends with the word is the rule in the data set, and the exception in a room
    lead = 0 if rng.random() < 0.5 else int(rng.integers(0, min(4096, CLIP - word.size)))
    tail = 0 if rng.random() < 0.5 else int(rng.integers(0, CLIP - word.size - lead))
    clip = np.zeros(lead + word.size + tail)
    clip[lead : lead + word.size] = word
    if rng.random() < 0.55:
        rms = np.sqrt(np.mean(word * word))
        clip += noises.noise(clip.size) * rms * 10 ** (-rng.uniform(12, 42) / 20)
    return to_pcm(clip + rng.normal(0, rng.uniform(0, 3), clip.size))


def room_clip(noises: Noises, rng: np.random.Generator) -> Pcm:
    """Noise loud enough to open the gate, at least now and then."""
    size = int(rng.integers(2048, CLIP))
    swell = np.interp(np.arange(size), np.sort(rng.uniform(0, size, 4)), rng.uniform(0.1, 1, 4))
    return to_pcm(noises.noise(size) * swell * np.exp(rng.uniform(np.log(8), np.log(8000))))


def sound_clip(noises: Noises, rng: np.random.Generator) -> Pcm:
    """Music and other sounds, over a little noise."""
    size = int(rng.integers(2048, CLIP))
    loud = np.exp(rng.uniform(np.log(30), np.log(8000)))
    return to_pcm(loud * (noises.sound(size) + noises.noise(size) * rng.uniform(0, 0.1)))


def foreign_word(recordings: list[Recording], rng: np.random.Generator) -> Recording:
    """No digit, but a real voice: a recording backwards, or the ends of two digits of one speaker.

    Without these, all that is unknown would be synthesizers and noise, and the network would learn just that.
    """
    first = recordings[rng.integers(len(recordings))]
    if rng.random() < 0.5 and first.label != BACKWARDS_ALIKE:
        return replace(first, label=UNKNOWN, pcm=first.pcm[::-1].copy())
    others = [r for r in recordings if r.speaker == first.speaker and r.label != first.label]
    second = others[rng.integers(len(others))]
    pcm = np.concatenate([first.pcm[first.pcm.size // 2 :], second.pcm[second.pcm.size // 2 :]])
    return replace(first, label=UNKNOWN, pcm=pcm)


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many clips of each kind make one epoch, besides one of every real digit."""

    digits: int = 1400  # by synthesizers
    words: int = 150  # other words by synthesizers
    foreign: int = 40  # real voices that say no digit
    rooms: int = 250  # silence
    sounds: int = 250  # music and the like


def epoch(
    recordings: list[Recording], mixture: Mixture, noises: Noises, rng: np.random.Generator
) -> tuple[list[Pcm], npt.NDArray[np.int64]]:
    """Clips of one epoch and their labels."""
    real = [r for r in recordings if r.is_real]
    said = [r for r in recordings if not r.is_real and r.label < SILENCE]
    other = [r for r in recordings if not r.is_real and r.label == UNKNOWN]
    words = list(real)
    words += [said[k] for k in rng.choice(len(said), mixture.digits if said else 0)]
    words += [other[k] for k in rng.choice(len(other), mixture.words if other else 0)]
    words += [foreign_word(real or said, rng) for _ in range(mixture.foreign)]
    clips = [word_clip(word, noises, rng) for word in words]
    clips += [room_clip(noises, rng) for _ in range(mixture.rooms)]
    clips += [sound_clip(noises, rng) for _ in range(mixture.sounds)]
    labels = [word.label for word in words] + [SILENCE] * mixture.rooms + [UNKNOWN] * mixture.sounds
    return clips, np.array(labels)
