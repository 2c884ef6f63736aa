"""Training with JAX: the cell of network.py with exact tanh, unrolled over the frames that ran."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from liquid.clips import Noises, epoch
from liquid.dataset import Recording
from liquid.network import hear
from liquid.packing import drift_histogram, longest_words, masked, normalisation
from liquid.recipe import Recipe
from liquid.weights import BACKBONE, CLASSES, HIDDEN, INPUTS, TIME_UNIT_S, Weights

Parameters = dict[str, jax.Array]
BATCH = 64


def initial(seed: int) -> Parameters:
    """Uniform weights of Glorot and Bengio (2010); time gates that start nearly shut."""
    keys = jax.random.split(jax.random.key(seed), 5)

    def glorot(key: jax.Array, outputs: int, inputs: int) -> jax.Array:
        limit = (6.0 / (outputs + inputs)) ** 0.5
        return jax.random.uniform(key, (outputs, inputs), minval=-limit, maxval=limit)

    return {
        "backbone_weight": glorot(keys[0], BACKBONE, INPUTS + HIDDEN),
        "backbone_bias": jnp.zeros(BACKBONE),
        "head_weight": jnp.concatenate([glorot(key, HIDDEN, BACKBONE) for key in keys[1:4]]),
        "head_bias": jnp.concatenate([jnp.full(HIDDEN, -1.0), jnp.zeros(2 * HIDDEN)]),
        "readout_weight": glorot(keys[4], CLASSES, HIDDEN),
        "readout_bias": jnp.zeros(CLASSES),
    }


def answer(parameters: Parameters, inputs: jax.Array, elapsed_s: jax.Array, ran: jax.Array) -> jax.Array:
    """Logits of each clip: the mean over the frames that ran. [clips, frames, ...] to [clips, CLASSES]."""

    def step(hidden: jax.Array, frame: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        given, span_s, runs = frame
        joined = jnp.concatenate([given, hidden], axis=1)
        backbone = jnp.tanh(joined @ parameters["backbone_weight"].T + parameters["backbone_bias"])
        f, g, h = jnp.split(backbone @ parameters["head_weight"].T + parameters["head_bias"], 3, axis=1)
        gate = jax.nn.sigmoid(-f * (span_s / TIME_UNIT_S)[:, None])
        following = jnp.tanh(h) + gate * (jnp.tanh(g) - jnp.tanh(h))
        return jnp.where(runs[:, None] > 0, following, hidden), following

    rest = jnp.zeros((inputs.shape[0], HIDDEN))
    _, states = jax.lax.scan(step, rest, (inputs.swapaxes(0, 1), elapsed_s.T, ran.T))
    mean = jnp.einsum("tnh,nt->nh", states, ran) / jnp.maximum(ran.sum(axis=1), 1)[:, None]
    return mean @ parameters["readout_weight"].T + parameters["readout_bias"]


def loss(parameters: Parameters, batch: tuple[jax.Array, ...], labels: jax.Array) -> jax.Array:
    """Mean cross entropy."""
    return optax.softmax_cross_entropy_with_integer_labels(answer(parameters, *batch), labels).mean()


def train(
    recordings: list[Recording], recipe: Recipe, seed: int, report: Callable[[int, float, Weights], None]
) -> Weights:
    """Train from scratch; `report` is called after every epoch: its number, mean loss, the weights so far."""
    rng = np.random.default_rng(seed)
    noises = Noises(rng)
    fixed = normalisation([r.pcm for r in recordings])
    clips, _ = epoch(recordings, recipe.mixture, noises, rng)
    steps = recipe.epochs * recipe.passes * (len(clips) // BATCH)
    schedule = optax.warmup_cosine_decay_schedule(0.0, recipe.learning_rate, steps // 20, steps, 1e-5)
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=recipe.weight_decay)
    )
    parameters = initial(seed)
    state = optimiser.init(parameters)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(
        parameters: Parameters, state: optax.OptState, batch: tuple[jax.Array, ...], labels: jax.Array
    ) -> tuple[Parameters, optax.OptState, jax.Array]:
        value, slope = jax.value_and_grad(loss)(parameters, batch, labels)
        change, state = optimiser.update(slope, state, parameters)
        return optax.apply_updates(parameters, change), state, value

    weights: Weights = fixed
    for number in range(recipe.epochs):
        clips, labels = epoch(recordings, recipe.mixture, noises, rng)
        heard = hear(clips, fixed)
        opened = np.flatnonzero(heard.ran.any(axis=1))  # what the gate keeps out teaches nothing
        batch, losses = longest_words(heard), []
        for _ in range(recipe.passes):
            order = rng.permutation(opened)
            for start in range(0, len(order) - BATCH + 1, BATCH):
                rows = order[start : start + BATCH]
                given = masked(batch.inputs[rows], recipe.masked, rng), batch.elapsed_s[rows], batch.ran[rows]
                parameters, state, value = update(parameters, state, given, labels[rows])
                losses.append(value)
        weights = {name: np.asarray(array) for name, array in parameters.items()} | fixed
        report(number, float(np.mean(losses)), weights)
    return weights | drift_histogram(recordings, weights)
