"""Voices of Debian's speech synthesizers (espeak-ng, flite, festival), and what they are asked to say.

Two sets: one to train with, one for the evaluation set that ships. They share no variant of espeak-ng, and no
speed of flite's and festival's voices. All the same they resemble each other, so that set is easier than
people; see datasets/spoken-digits/README.md.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liquid.audio import Signal, read_wave, resample, trimmed


def _words(text: str) -> list[str]:
    return text.split()


DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
OTHER_WORDS = _words(
    """
    yes no up down left right on off stop go start hello please thank you open close house tree water
    bed bird cat dog happy wow light door music play pause next back call home time weather kitchen
    window table money garden Monday Friday morning evening summer winter eleven twelve twenty hundred
    thousand million first second third follow forward learn visual computer network liquid audio yellow
    orange purple people river mountain street ticket finger shoulder apple banana coffee sugar never
    always maybe because through again under over
    """
)


@dataclass(frozen=True, slots=True)
class Voice:
    """One way to speak. `speaker` is part of a file name: letters and digits only."""

    speaker: str
    engine: str  # "espeak", "flite" or "festival"
    name: str  # the engine's own name of the voice
    stretch: float = 1.0  # duration; above 1 is slower
    pitch: int = 50  # espeak-ng only, 0 to 99

    def say(self, text: str) -> Signal:
        """Trimmed speech at RATE, in counts. FileNotFoundError: no engine; CalledProcessError: no voice."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "said.wav"
            subprocess.run(self._command(text, path), check=True, capture_output=True, timeout=60)
            pcm, rate = read_wave(path)
        return trimmed(resample(pcm.astype(np.float64), rate), margin_s=0.03)

    def _command(self, text: str, path: Path) -> list[str]:
        if self.engine == "espeak":
            speed = str(round(160 / self.stretch))
            return ["espeak-ng", "-v", self.name, "-s", speed, "-p", str(self.pitch), "-w", str(path), text]
        if self.engine == "flite":
            stretch = f"duration_stretch={self.stretch:g}"
            return ["flite", "-voice", self.name, "--setf", stretch, "-t", text, "-o", str(path)]
        said = f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{path}" \'riff)'
        slower = f"(Parameter.set 'Duration_Stretch {self.stretch:g})"
        return ["festival", "-b", f"(voice_{self.name})", slower, said]


ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029")
TRAINING_VARIANTS = _words(
    """
    m1 m2 m3 m4 m6 m8 f1 f2 f3 klatt klatt3 klatt4 adam Alex Andrea Andy Annie antonio belinda benjamin
    boris caleb david Denis Diogo ed Gene gustave Henrique Hugo iven iven3 Jacky john Lee linda marcelo
    Marco Michael michel Mike Nguyen pablo paul pedro quincy rob robert steph steph3 travis victor zac
    """
)
EVALUATION_VARIANTS = _words(
    """
    m5 m7 f4 f5 klatt2 Mario miguel anika Tweaky edward2 sandro
    """
)
# flite and festival have too few voices to keep some back: what is kept back is how fast they speak
RECORDED_VOICES = (
    ("flitekal", "flite", "kal"),
    ("fliteawb", "flite", "awb"),
    ("fliteslt", "flite", "slt"),
    ("fliterms", "flite", "rms"),
    ("festivalkal", "festival", "kal_diphone"),
    ("festivalked", "festival", "ked_diphone"),
    ("festivalhts", "festival", "cmu_us_slt_arctic_hts"),
)
TRAINING_STRETCH, EVALUATION_STRETCH = (0.72, 0.85, 1.0, 1.2), 0.92


def training_voices(rng: np.random.Generator) -> list[Voice]:
    """Training variants of espeak-ng in three accents, speeds, pitches; flite and festival at four speeds."""
    voices = []
    for variant in TRAINING_VARIANTS:
        for take, accent in enumerate(rng.choice(ACCENTS, 3, replace=False)):
            speaker = f"espeak{variant}{take}".lower()
            stretch, pitch = float(rng.uniform(0.7, 1.3)), int(rng.integers(25, 76))
            voices.append(Voice(speaker, "espeak", f"{accent}+{variant}", stretch, pitch))
    for speaker, engine, name in RECORDED_VOICES:
        for take, stretch in enumerate(TRAINING_STRETCH):
            voices.append(Voice(f"{speaker}{take}", engine, name, stretch))
    return voices


def evaluation_voices() -> list[Voice]:
    """Variants of espeak-ng that are no training voices; flite and festival at a speed that is none."""
    speeds, pitches = (0.8, 0.95, 1.1), (35, 45, 55, 65)
    voices = []
    for k, variant in enumerate(EVALUATION_VARIANTS * 2):
        take = k // len(EVALUATION_VARIANTS)
        if take == 1 and k % 3 == 0:
            continue  # enough of them
        name = f"{ACCENTS[(k + take) % 4]}+{variant}"
        voices.append(Voice(f"espeak{variant}{take}".lower(), "espeak", name, speeds[k % 3], pitches[k % 4]))
    voices += [
        Voice(speaker, engine, name, EVALUATION_STRETCH) for speaker, engine, name in RECORDED_VOICES[1:]
    ]
    return voices
