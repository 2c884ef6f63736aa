"""Training, where JAX is installed (the extra `train`): it learns, and the mirror sees what JAX saw."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("jax", reason="training needs the extra `train` (pip install pytest-lan-hil[train])")
pytest.importorskip("optax", reason="training needs the extra `train` (pip install pytest-lan-hil[train])")

from liquid.clips import Mixture
from liquid.dataset import Recording
from liquid.network import answers, hear
from liquid.packing import BLOT, longest_words, masked
from liquid.recipe import Recipe
from liquid.training import answer, train
from liquid.weights import DRIFT_BINS, INPUTS, MELS, SHAPES, load_weights


def tone(label: int, index: int) -> Recording:
    """A "digit" that anybody can tell from the others: a gliding tone."""
    n = np.arange(3200) / 8000
    base = 250.0 * 1.4**label
    signal = 6000 * np.sin(2 * np.pi * (base * n + (40 + index) * n * n))
    return Recording(label, "theo", 10 + index, signal.astype(np.int16))


def test_a_short_training_learns_tones_and_is_repeatable() -> None:
    recordings = [tone(label, index) for label in range(4) for index in range(16)]
    recipe = Recipe(epochs=4, passes=10, learning_rate=1e-2, mixture=Mixture(0, 0, 0, 8, 8))
    losses: list[float] = []
    first = train(recordings, recipe, 3, lambda number, loss, weights: losses.append(loss))
    second = train(recordings, recipe, 3, lambda number, loss, weights: None)
    assert losses[-1] < 0.6 * losses[0]
    assert {name: array.shape for name, array in first.items()} == SHAPES
    assert all((first[name] == second[name]).all() for name in SHAPES)
    assert first["drift_share"] == pytest.approx(np.full(DRIFT_BINS, 1 / DRIFT_BINS), abs=0.05)


def test_masking_blots_the_same_few_bands_of_both_windows() -> None:
    inputs = np.zeros((200, 3, INPUTS), np.float32)
    blotted = masked(inputs, 0.5, np.random.default_rng(1)) == BLOT
    assert (blotted == blotted[:, :1]).all()
    assert (blotted[..., :MELS] == blotted[..., MELS:]).all()
    assert blotted[:, 0, :MELS].sum(axis=1).max() == 5
    assert 0.25 < blotted.any(axis=(1, 2)).mean() < 0.5


def test_jax_and_the_mirror_give_the_same_answer() -> None:
    weights = load_weights()
    heard = hear([tone(label, 0).pcm for label in range(6)], weights)
    batch = longest_words(heard)
    parameters = {name: weights[name] for name in SHAPES if not name.startswith(("norm", "drift"))}
    trained = np.asarray(answer(parameters, batch.inputs, batch.elapsed_s, batch.ran))
    assert trained == pytest.approx(answers(heard, weights), abs=0.05)
