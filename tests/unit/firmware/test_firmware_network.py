"""The firmware's network against its float32 mirror in Python: the same bits, whatever the audio."""

from __future__ import annotations

import ctypes

import generate
import numpy as np
import pytest
from firmware_host import FIRMWARE
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from liquid import network
from liquid.audio import Pcm
from liquid.config import CONFIG, FRAME, HOP_S, LABELS, SILENCE
from liquid.weights import CLASSES, INPUTS, load_weights

WEIGHTS = load_weights()
PAUSE_FRAMES = -(-CONFIG["PAUSE_MS"] * 8 // FRAME)


class Firmware:
    """The pipeline in C."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.lan_pipeline_result.restype = ctypes.POINTER(ctypes.c_float * (2 * CLASSES))
        library.lan_pipeline_features.restype = ctypes.POINTER(ctypes.c_float * INPUTS)
        library.lan_gate_energy.restype = ctypes.c_uint32
        self.reset()

    def reset(self) -> None:
        self._library.lan_pipeline_reset()

    def frame(self, pcm: Pcm, elapsed_s: float = HOP_S) -> bool:
        """One frame; did the network run?"""
        samples = np.ascontiguousarray(pcm, np.int16)
        pointer = ctypes.c_void_p(samples.ctypes.data)
        return bool(self._library.lan_pipeline_frame(pointer, ctypes.c_float(elapsed_s)))

    def hears(self, pcm: Pcm) -> list[bool]:
        """A recording, its last frame filled up with zeros: in which frames did the network run?"""
        padded = np.zeros(-(-pcm.size // FRAME) * FRAME, np.int16)
        padded[: pcm.size] = pcm
        return [self.frame(frame) for frame in padded.reshape(-1, FRAME)]

    @property
    def logits(self) -> np.ndarray:
        return np.array(self._library.lan_pipeline_result().contents[:CLASSES], np.float32)

    @property
    def probabilities(self) -> np.ndarray:
        return np.array(self._library.lan_pipeline_result().contents[CLASSES:], np.float32)

    @property
    def label(self) -> str:
        return LABELS[int(self.logits.argmax())]

    @property
    def inputs(self) -> np.ndarray:
        return np.array(self._library.lan_pipeline_features().contents[:], np.float32)

    def energy(self, pcm: Pcm) -> int:
        samples = np.ascontiguousarray(pcm, np.int16)
        return int(self._library.lan_gate_energy(ctypes.c_void_p(samples.ctypes.data)))


@pytest.fixture
def dut(firmware: ctypes.CDLL) -> Firmware:
    return Firmware(firmware)


def noise(frames: int, level: float, seed: int = 0) -> Pcm:
    """White noise of this RMS in counts."""
    return np.clip(np.random.default_rng(seed).normal(0, level, frames * FRAME), -32768, 32767).astype(
        np.int16
    )


def chirp(frames: int, level: float = 8000.0) -> Pcm:
    """Something that changes as speech does."""
    n = np.arange(frames * FRAME)
    return (level * np.sin(2 * np.pi * (150 * n / 8000 + 900 * (n / 8000) ** 2))).astype(np.int16)


def quiet(frames: int) -> Pcm:
    return np.zeros(frames * FRAME, np.int16)


@st.composite
def recordings(draw: st.DrawFn) -> Pcm:
    """Loud, quiet and silent stretches of any length and any samples, in any order: words, pauses, gaps."""
    stretches = draw(
        st.lists(
            st.one_of(
                st.builds(noise, st.integers(1, 8), st.floats(0.1, 20000), st.integers(0, 2**32 - 1)),
                st.builds(chirp, st.integers(1, 8), st.floats(1, 32767)),
                st.builds(quiet, st.integers(1, 14)),
                hnp.arrays(np.int16, st.integers(1, 3 * FRAME)),
            ),
            min_size=1,
            max_size=7,
        )
    )
    return np.concatenate(stretches)


@settings(max_examples=150, deadline=None)
@given(pcm=recordings())
def test_c_and_python_give_the_same_bits(firmware: ctypes.CDLL, pcm: Pcm) -> None:
    dut = Firmware(firmware)
    ran = dut.hears(pcm)
    heard = network.hear([pcm], WEIGHTS)
    assert ran == heard.ran[0].tolist()
    logits = network.answers(heard, WEIGHTS)
    assert dut.logits.tobytes() == logits[0].tobytes()
    assert dut.probabilities.tobytes() == network.probabilities(logits)[0].tobytes()
    if any(ran):
        assert dut.inputs.tobytes() == heard.inputs[0, np.flatnonzero(ran)[-1]].tobytes()


@settings(max_examples=100, deadline=None)
@given(pcm=hnp.arrays(np.int16, FRAME, elements=st.sampled_from([-32768, -1, 0, 3, 32767])))
def test_energy_is_exact_even_for_full_swings(firmware: ctypes.CDLL, pcm: Pcm) -> None:
    wide = pcm.astype(object)
    assert Firmware(firmware).energy(pcm) == sum((wide[1:] - wide[:-1]) ** 2) // FRAME


def test_the_gate_ignores_offset_and_hum(dut: Firmware) -> None:
    n = np.arange(40 * FRAME)
    hum = (5000 + 60 * np.sin(2 * np.pi * 50 * n / 8000)).astype(np.int16)
    assert not any(dut.hears(hum))
    assert any(dut.hears(chirp(2, level=200.0)))


def test_the_gate_stays_open_for_a_while_and_then_shuts(dut: Firmware) -> None:
    assert dut.hears(np.concatenate([quiet(3), chirp(4), quiet(10)])) == (
        [False] * 3 + [True] * (4 + CONFIG["GATE_HANG"]) + [False] * (10 - CONFIG["GATE_HANG"])
    )


def test_the_gate_gets_used_to_steady_noise_and_still_opens_for_more(dut: Firmware) -> None:
    ran = dut.hears(noise(400, 60.0))
    assert all(ran[:20])
    assert not any(ran[-100:])
    assert any(dut.hears(noise(3, 600.0)))


def test_the_gate_is_quick_to_trust_silence_again(dut: Firmware) -> None:
    dut.hears(noise(400, 60.0))
    dut.hears(quiet(40))
    assert all(dut.hears(noise(2, 60.0)))


def test_what_never_opens_the_gate_is_silence(dut: Firmware) -> None:
    assert not any(dut.hears(noise(20, 2.0)))
    assert LABELS[SILENCE] == dut.label
    assert dut.probabilities[SILENCE] > 0.99


def test_a_gated_frame_passes_time_on_to_the_state(dut: Firmware) -> None:
    """Frames that the gate kept shut count as the time that they took, not as nothing."""
    gap = CONFIG["GATE_HANG"] + 2
    dut.hears(np.concatenate([chirp(6), quiet(gap)]))
    dut.frame(chirp(1))
    gated = dut.logits
    dut.reset()
    dut.hears(np.concatenate([chirp(6), quiet(CONFIG["GATE_HANG"])]))
    dut.frame(chirp(1))
    assert np.abs(gated - dut.logits).max() > 1e-4


def test_a_pause_ends_the_word_and_the_next_starts_from_rest(dut: Firmware) -> None:
    first, second = chirp(10), noise(10, 3000.0)
    pause = quiet(CONFIG["GATE_HANG"] + PAUSE_FRAMES + 2)
    dut.hears(np.concatenate([first, pause, second]))
    after = dut.logits
    dut.reset()
    dut.hears(np.concatenate([quiet(3), second]))
    assert after.tobytes() == dut.logits.tobytes()


def test_a_click_after_the_word_leaves_its_answer_alone(dut: Firmware) -> None:
    pause = quiet(CONFIG["GATE_HANG"] + PAUSE_FRAMES + 2)
    dut.hears(chirp(10))
    dut.hears(pause)
    answer = dut.logits
    ran = dut.hears(np.concatenate([noise(1, 9000.0), quiet(20)]))
    assert 0 < sum(ran) < CONFIG["WORD_FRAMES"]
    assert dut.logits.tobytes() == answer.tobytes()


def test_level_does_not_change_what_the_network_sees(dut: Firmware) -> None:
    dut.hears(noise(5, 500.0))
    low = dut.inputs
    dut.reset()
    dut.hears(noise(5, 8000.0))
    assert np.abs(low - dut.inputs).max() < 0.3


def test_a_reset_forgets_everything(dut: Firmware) -> None:
    word = np.concatenate([chirp(12), quiet(4)])
    dut.hears(word)
    once = dut.logits
    dut.hears(noise(200, 4000.0))
    dut.reset()
    dut.hears(word)
    assert dut.logits.tobytes() == once.tobytes()


def test_the_committed_sources_are_what_the_generator_writes() -> None:
    for name, text in generate.written_files().items():
        assert (FIRMWARE / "common" / name).read_text(encoding="utf-8") == text


def test_training_shares_add_up() -> None:
    assert WEIGHTS["drift_share"].sum() == pytest.approx(1.0, abs=1e-6)
    assert (np.diff(WEIGHTS["drift_edges"]) > 0).all()
