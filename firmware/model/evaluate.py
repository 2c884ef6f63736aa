"""Measure the trained network and write the model card's numbers.

    python firmware/model/evaluate.py --data FSDD --left-out DIR [--shipped datasets/spoken-digits]

FSDD: the free spoken digit dataset's recordings. DIR: {speaker}.npz of every speaker, made by
`train.py --without SPEAKER --epochs N --out DIR/SPEAKER.npz`, and epochs.txt with N. Writes evaluation.json
and the measured part of README.md. Needs numpy and pytest-lan-hil itself, whose sounds training never heard.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from liquid import card, quantise
from liquid.audio import to_pcm
from liquid.config import LABELS, RATE, SILENCE
from liquid.dataset import REAL_SPEAKERS, Recording, is_validation, read_folder
from liquid.network import answers, hear
from liquid.noises import kinds_of_noise, kinds_of_unknown
from liquid.recipe import Recipe
from liquid.scores import Share, by, confusion, heard_labels, share
from liquid.weights import WEIGHTS_FILE, Weights, load_weights
from pytest_lan_hil.run.sounds import KINDS, non_speech

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[1] / "datasets" / "spoken-digits"
SOUNDS_OF_EACH = 60
HARNESS_SOUNDS_OF_EACH = 120  # 40 in each of three loudnesses


def of_recordings(recordings: list[Recording], weights: Weights) -> dict[str, Any]:
    """All the shares of one set, and its confusion matrix."""
    heard = heard_labels(recordings, weights)
    ran = hear([r.pcm for r in recordings], weights).ran.sum()
    frames = sum(-(-r.pcm.size // 256) for r in recordings)
    return {
        "all": share(recordings, heard).as_json(),
        "by_speaker": {
            k: v.as_json() for k, v in by(recordings, heard, [r.speaker for r in recordings]).items()
        },
        "by_label": {
            k: v.as_json() for k, v in by(recordings, heard, [LABELS[r.label] for r in recordings]).items()
        },
        "confusion": confusion(recordings, heard).tolist(),
        "ran_percent": round(100 * float(ran) / frames, 1),
    }


def no_speech(weights: Weights) -> dict[str, Any]:
    """How often noise and other sounds are taken for no digit, by kind."""
    rng = np.random.default_rng(7)
    found = {}
    for kind, make in (kinds_of_noise() | kinds_of_unknown()).items():
        clips = [
            to_pcm(make(rng, 2 * RATE) * np.exp(rng.uniform(np.log(30), np.log(6000))))
            for _ in range(SOUNDS_OF_EACH)
        ]
        heard = answers(hear(clips, weights), weights).argmax(axis=1)
        found[kind] = Share(int((heard >= SILENCE).sum()), SOUNDS_OF_EACH).as_json()
    return found


def harness_sounds(weights: Weights) -> dict[str, Any]:
    """The same of the sounds of the `robustness` fixture, whose makers are not those of the training."""
    sounds = list(non_speech(HARNESS_SOUNDS_OF_EACH * len(KINDS)))
    heard = answers(hear([sound.samples for sound in sounds], weights), weights).argmax(axis=1)
    no_digit = dict.fromkeys(KINDS, 0)
    for sound, label in zip(sounds, heard, strict=True):
        no_digit[sound.kind] += int(label >= SILENCE)
    shares = {kind: Share(right, HARNESS_SOUNDS_OF_EACH).as_json() for kind, right in no_digit.items()}
    return {"all": Share(sum(no_digit.values()), len(sounds)).as_json(), "by_kind": shares}


def left_out(recordings: list[Recording], folder: Path) -> dict[str, Any]:
    """Each speaker asked of the network that was trained without."""
    found = {}
    for speaker in REAL_SPEAKERS:
        own = [r for r in recordings if r.speaker == speaker]
        found[speaker] = share(own, heard_labels(own, load_weights(folder / f"{speaker}.npz"))).as_json()
    epochs = int((folder / "epochs.txt").read_text(encoding="utf-8"))
    return {"by_speaker": found, "epochs": epochs, "full_epochs": Recipe().epochs}


def costs(validation: list[Recording], weights: Weights) -> dict[str, Any]:
    """float32 against int8 weights."""
    count = quantise.multiplications()
    kinds = {
        "float": (weights, quantise.float_bytes(), quantise.FLOAT_CYCLES),
        "int8": (quantise.int8_weights(weights), quantise.int8_bytes(), quantise.INT8_CYCLES),
    }
    return {"multiplications": count} | {
        kind: {
            "bytes": size,
            "cycles": round(count * cycles),
            "validation": share(validation, heard_labels(validation, used)).as_json(),
        }
        for kind, (used, size, cycles) in kinds.items()
    }


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description="Measure the trained network.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--left-out", type=Path, required=True)
    parser.add_argument("--shipped", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    weights = load_weights()
    people = [r for r in read_folder(arguments.data) if r.is_real]
    validation = [r for r in people if is_validation(r)]
    found: dict[str, Any] = {
        "weights_sha256": hashlib.sha256(WEIGHTS_FILE.read_bytes()).hexdigest(),
        "validation": of_recordings(validation, weights),
        "left_out": left_out(people, arguments.left_out),
        "shipped": of_recordings(read_folder(arguments.shipped), weights),
        "no_speech": no_speech(weights),
        "harness_sounds": harness_sounds(weights),
        "costs": costs(validation, weights),
    }
    (HERE / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    path = HERE / "README.md"
    path.write_text(card.replaced(path.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(json.dumps({name: found[name]["all"] for name in ("validation", "shipped")}, indent=1))


if __name__ == "__main__":
    main()
