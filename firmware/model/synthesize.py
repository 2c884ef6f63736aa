"""Make speech with Debian's synthesizers.

apt install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts
python firmware/model/synthesize.py training OUT      digits and other words for train.py --data OUT
python firmware/model/synthesize.py evaluation OUT    what datasets/spoken-digits/ holds
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from liquid.audio import Signal, to_pcm, write_wave
from liquid.noises import kinds_of_noise
from liquid.voices import DIGITS, OTHER_WORDS, Voice, evaluation_voices, training_voices

WORDS_PER_VOICE = 6  # of the other words, in training
EVALUATION_UNKNOWN, EVALUATION_SILENCE = 10, 10  # files


def levelled(signal: Signal, rng: np.random.Generator) -> Signal:
    """Peak between -18 and -4 dB of full scale, on a quiet room's noise."""
    peak = 32767 * 10 ** (rng.uniform(-18, -4) / 20)
    scale = peak / float(np.abs(signal).max())
    return signal * scale + rng.normal(0, 2.5, signal.size)


def say(voice: Voice, word: str, path: Path, rng: np.random.Generator) -> None:
    """One word into one file."""
    write_wave(path, to_pcm(levelled(voice.say(word), rng)))


def make_training(folder: Path, rng: np.random.Generator) -> None:
    """Ten digits and some other words by every training voice."""
    for voice in training_voices(rng):
        for digit, word in enumerate(DIGITS):
            say(voice, word, folder / f"{digit}_{voice.speaker}_0.wav", rng)
        for index, word in enumerate(rng.choice(OTHER_WORDS, WORDS_PER_VOICE, replace=False)):
            say(voice, str(word), folder / f"unknown_{voice.speaker}_{index}.wav", rng)


def make_evaluation(folder: Path, rng: np.random.Generator) -> None:
    """Ten digits by every evaluation voice, a few other words, a few rooms without speech."""
    voices = evaluation_voices()
    for voice in voices:
        for digit, word in enumerate(DIGITS):
            say(voice, word, folder / f"{digit}_{voice.speaker}_0.wav", rng)
    for index, word in enumerate(rng.choice(OTHER_WORDS, EVALUATION_UNKNOWN, replace=False)):
        voice = voices[index * 7 % len(voices)]
        say(voice, str(word), folder / f"unknown_{voice.speaker}_{index}.wav", rng)
    for index in range(EVALUATION_SILENCE):
        kind = list(kinds_of_noise())[index % 2]
        noise = kinds_of_noise()[kind](rng, 4800) * 10 ** rng.uniform(0.3, 2.0)
        write_wave(folder / f"silence_{kind}_{index}.wav", to_pcm(noise))


def main() -> None:
    """Parse, make, count."""
    parser = argparse.ArgumentParser(description="Speech made by synthesizers.")
    parser.add_argument("purpose", choices=("training", "evaluation"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=20260701)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(arguments.seed)
    (make_training if arguments.purpose == "training" else make_evaluation)(arguments.folder, rng)
    files = sorted(arguments.folder.glob("*.wav"))
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.2f} MB in {arguments.folder}")


if __name__ == "__main__":
    main()
