"""The firmware's arithmetic against numpy in double precision: the bounds that fmath.h and cfc.c promise."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from firmware_host import cfc_step, features, floats, power_spectrum, softmax

from liquid.config import CONFIG
from liquid.weights import load_weights

FRAME, MELS, INPUTS, HIDDEN, CLASSES = (CONFIG[k] for k in ("FRAME", "MELS", "INPUTS", "HIDDEN", "CLASSES"))
WEIGHTS = {name: array.astype(np.float64) for name, array in load_weights().items()}


def test_log2_is_within_its_bound_over_all_exponents(firmware: ctypes.CDLL) -> None:
    mantissas = np.linspace(1, 2, 20_000, endpoint=False, dtype=np.float32)
    for exponent in range(-126, 128):
        x = np.ldexp(mantissas, exponent)
        error = floats(firmware, "log2f", x) - np.log2(x.astype(np.float64))
        assert np.abs(error).max() < 4e-6
    near_one = np.linspace(0.5, 2, 1_000_000, endpoint=False, dtype=np.float32)
    assert np.abs(floats(firmware, "log2f", near_one) - np.log2(near_one.astype(np.float64))).max() < 1.7e-7


def test_exp2_is_within_its_relative_bound_and_clamped(firmware: ctypes.CDLL) -> None:
    x = np.linspace(-126, 126, 4_000_001, dtype=np.float32)
    true = np.exp2(x.astype(np.float64))
    assert np.abs(floats(firmware, "exp2f", x) / true - 1).max() < 3e-7
    ends = floats(firmware, "exp2f", np.array([-np.inf, -1e30, 1e30, np.inf], np.float32))
    assert ends.tolist() == [2.0**-126, 2.0**-126, 2.0**126, 2.0**126]


@pytest.mark.parametrize(("name", "bound"), [("tanhf", 1e-4), ("sigmoidf", 5e-5)])
def test_squashing_functions_are_within_their_bounds(firmware: ctypes.CDLL, name: str, bound: float) -> None:
    x = np.linspace(-20, 20, 4_000_001, dtype=np.float32)
    wide = x.astype(np.float64)
    true = np.tanh(wide) if name == "tanhf" else 1 / (1 + np.exp(-wide))
    got = floats(firmware, name, x)
    assert np.abs(got - true).max() < bound
    assert got.min() >= (-1 if name == "tanhf" else 0)
    assert got.max() <= 1


def test_tanh_is_closer_where_it_is_not_limited(firmware: ctypes.CDLL) -> None:
    x = np.linspace(-4, 4, 2_000_001, dtype=np.float32)
    assert np.abs(floats(firmware, "tanhf", x) - np.tanh(x.astype(np.float64))).max() < 1.6e-5


@pytest.mark.parametrize("name", ["tanhf", "sigmoidf"])
def test_squashing_functions_stay_finite_for_every_input(firmware: ctypes.CDLL, name: str) -> None:
    x = np.array([-np.inf, -3e38, -1e-45, 0.0, 1e-45, 3e38, np.inf], np.float32)
    low = -1.0 if name == "tanhf" else 0.0
    got = floats(firmware, name, x)
    assert (got[0], got[1]) == (low, low)
    assert (got[-2], got[-1]) == (1.0, 1.0)
    assert np.isfinite(got).all()


def test_power_spectrum_is_that_of_numpy(firmware: ctypes.CDLL) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        x = rng.normal(size=FRAME).astype(np.float32) * np.float32(10.0 ** rng.uniform(-5, 3))
        true = np.abs(np.fft.rfft(x.astype(np.float64))) ** 2
        assert np.abs(power_spectrum(firmware, x) - true).max() < 1e-6 * true.max()


@pytest.mark.parametrize("bin_number", [0, 1, 5, 31, 64, 100, 127, 128])
def test_a_tone_shows_in_its_own_bin_only(firmware: ctypes.CDLL, bin_number: int) -> None:
    x = np.cos(2 * np.pi * bin_number * np.arange(FRAME) / FRAME)
    power = power_spectrum(firmware, x)
    assert int(np.argmax(power)) == bin_number
    assert np.delete(power, bin_number).max() < 1e-10 * power[bin_number]


def log_mel(pcm: np.ndarray) -> np.ndarray:
    """The front end in double precision, from its definition: no table of the firmware is used."""
    rate = CONFIG["SAMPLE_RATE"]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    power = np.abs(np.fft.rfft(window * pcm / 32768.0)) ** 2
    mel = 2595 * np.log10(1 + np.arange(FRAME // 2 + 1) * rate / FRAME / 700)
    edges = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 3800 / 700), MELS + 2)
    bands = np.array([np.interp(mel, edges[b : b + 3], [0, 1, 0], left=0, right=0) for b in range(MELS)])
    return (np.log2(bands @ power + 2.0**-20) - WEIGHTS["norm_mean"]) * WEIGHTS["norm_scale"]


def test_features_are_log_mel_energies(firmware: ctypes.CDLL) -> None:
    rng = np.random.default_rng(2)
    n = np.arange(FRAME)
    frames = [
        np.zeros(FRAME),
        np.full(FRAME, -32768),
        rng.integers(-4, 5, FRAME),
        rng.integers(-32768, 32768, FRAME),
        *(32767 * np.sin(2 * np.pi * f * n / 8000) for f in (100, 440, 1000, 3000)),
    ]
    for frame in frames:
        pcm = frame.astype(np.int16)
        assert features(firmware, pcm, MELS) == pytest.approx(log_mel(pcm.astype(np.float64)), abs=1e-3)


def cfc(hidden: np.ndarray, inputs: np.ndarray, elapsed_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The cell as its paper gives it, in double precision: x(t) = s(-f t) g + (1 - s(-f t)) h."""
    joined = np.concatenate([inputs, hidden])
    backbone = np.tanh(WEIGHTS["backbone_weight"] @ joined + WEIGHTS["backbone_bias"])
    f, g, h = np.split(WEIGHTS["head_weight"] @ backbone + WEIGHTS["head_bias"], 3)
    gate = 0.5 - 0.5 * np.tanh(0.5 * f * elapsed_s / 0.032)  # the logistic function of -f t, without overflow
    hidden = gate * np.tanh(g) + (1 - gate) * np.tanh(h)
    return hidden, WEIGHTS["readout_weight"] @ hidden + WEIGHTS["readout_bias"]


# after a minute the gate is a step function of f: an error of f counts 2,000 times
@pytest.mark.parametrize(("elapsed_s", "bound"), [(0.001, 1e-3), (0.032, 1e-3), (0.5, 1e-3), (60.0, 5e-2)])
def test_every_step_of_the_cell_follows_its_closed_form(
    firmware: ctypes.CDLL, elapsed_s: float, bound: float
) -> None:
    rng = np.random.default_rng(3)
    true = np.zeros(HIDDEN)
    for _ in range(100):
        state, before = true.astype(np.float32), true.astype(np.float32).astype(np.float64)
        inputs = rng.normal(size=INPUTS).astype(np.float32)
        logits = cfc_step(firmware, state, inputs, elapsed_s, CLASSES)
        true, true_logits = cfc(before, inputs.astype(np.float64), elapsed_s)
        assert np.abs(state - true).max() < bound
        assert np.abs(logits - true_logits).max() < 20 * bound


def test_softmax_is_a_distribution_for_any_finite_logits(firmware: ctypes.CDLL) -> None:
    rng = np.random.default_rng(4)
    for scale in (1e-6, 1.0, 30.0, 1e6, 1e37):
        logits = (rng.normal(size=CLASSES) * scale).astype(np.float32)
        got = softmax(firmware, logits)
        with np.errstate(under="ignore"):
            e = np.exp(logits.astype(np.float64) - logits.max())
        assert got == pytest.approx(e / e.sum(), abs=2e-6)
        assert got.sum() == pytest.approx(1.0, abs=2e-6)
