"""The model card and what it is written from: nothing in it may be stale or typed by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from firmware_host import FIRMWARE

from liquid import card, quantise
from liquid.config import LABELS
from liquid.dataset import Recording, is_trainable, is_validation, read_folder
from liquid.scores import Share, heard_labels, share
from liquid.weights import WEIGHTS_FILE, load_weights, save_weights

FOUND = json.loads((FIRMWARE / "model" / "evaluation.json").read_text(encoding="utf-8"))
SHIPPED = FIRMWARE.parent / "datasets" / "spoken-digits"


def test_the_evaluation_is_that_of_the_committed_weights() -> None:
    assert FOUND["weights_sha256"] == hashlib.sha256(WEIGHTS_FILE.read_bytes()).hexdigest()


def test_the_card_says_what_the_evaluation_found() -> None:
    text = (FIRMWARE / "model" / "README.md").read_text(encoding="utf-8")
    assert card.replaced(text, FOUND) == text


def test_the_shipped_set_is_heard_as_the_evaluation_says() -> None:
    recordings = read_folder(SHIPPED)
    got = share(recordings, heard_labels(recordings, load_weights()))
    assert got.as_json() == FOUND["shipped"]["all"]
    assert got.percent > 97.0


def test_the_shipped_set_has_every_class_and_stays_small() -> None:
    recordings = read_folder(SHIPPED)
    assert {r.label for r in recordings} == set(range(len(LABELS)))
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.wav")) < 2_500_000


def test_validation_accuracy_is_above_every_boards_target_for_certain() -> None:
    assert FOUND["validation"]["all"]["ci95_percent"][0] > 95.0


def test_int8_loses_little_so_that_the_choice_is_one_of_cost() -> None:
    weights = load_weights()
    rounded = quantise.int8_weights(weights)
    for name in ("backbone_weight", "head_weight", "readout_weight"):
        steps = np.abs(weights[name]).max(axis=1, keepdims=True) / 127
        assert (np.abs(rounded[name] - weights[name]) <= steps * 0.5001).all()
    assert quantise.int8_bytes() < quantise.float_bytes() / 3


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(293, 300, 95.26, 98.87), (0, 10, 0.0, 27.75), (10, 10, 72.25, 100.0)]
)
def test_intervals_are_wilsons(right: int, n: int, low: float, high: float) -> None:
    assert Share(right, n).as_json()["ci95_percent"] == pytest.approx([low, high], abs=0.01)


@pytest.mark.parametrize("index", range(12))
def test_people_are_never_both_trained_with_and_validated_by(index: int) -> None:
    recording = Recording(0, "theo", index, np.zeros(1, np.int16))
    assert is_validation(recording) == (5 <= index < 10)
    assert is_trainable(recording) == (index >= 10)


def test_a_wrong_name_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "eleven_theo_0.wav").write_bytes(b"")
    with pytest.raises(ValueError, match="eleven_theo_0"):
        read_folder(tmp_path)


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    weights = load_weights() | {"readout_bias": np.zeros(3, np.float32)}
    save_weights(weights, tmp_path / "w.npz")
    with pytest.raises(ValueError, match=r"run train\.py"):
        load_weights(tmp_path / "w.npz")


def test_the_same_weights_make_the_same_file(tmp_path: Path) -> None:
    save_weights(load_weights(), tmp_path / "w.npz")
    assert (tmp_path / "w.npz").read_bytes() == WEIGHTS_FILE.read_bytes()
