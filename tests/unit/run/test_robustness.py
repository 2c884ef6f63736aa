"""False positives and drift: what is played, what is counted, what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_lan_hil.dut.hearing import Answer
from pytest_lan_hil.dut.metrics_values import FeatureHistogram
from pytest_lan_hil.model.errors import (
    CapabilityMissing,
    DutProtocolError,
    InputError,
    MeasurementInvalid,
)
from pytest_lan_hil.run import robustness as module
from pytest_lan_hil.run.robustness import Robustness

LABELS = (*map(str, range(10)), "silence", "unknown")
TRAINING = (0.1,) * 10


class Dut:
    """Answers `answer(samples)` and counts 30 frames into the bins that `bins(samples)` names."""

    def __init__(self) -> None:
        self.console = SimpleNamespace(uri="fake0")
        self.labels = LABELS
        self.answer = lambda samples: "unknown"
        self.bins = lambda samples: range(30)
        self.dropped = 0
        self.counts = np.zeros(10, int)
        self.heard: list[np.ndarray] = []

    def hear(self, samples: np.ndarray) -> Answer:
        self.heard.append(samples)
        for place in self.bins(samples):
            self.counts[place % 10] += 1
        label = self.answer(samples)
        return Answer(LABELS.index(label), label, 800, 31, 30, self.dropped)


class Test:
    """The seam to the test: takes measurements."""

    __test__ = False

    def __init__(self) -> None:
        self.added: dict[str, Any] = {}

    def add(self, measurement: Any) -> None:
        self.added[measurement.quantity] = measurement

    def open_bench(self) -> Any:
        return SimpleNamespace(simulated=True)


@pytest.fixture
def dut(monkeypatch: pytest.MonkeyPatch) -> Dut:
    made = Dut()

    def ask(dut: Dut) -> Any:
        counts = tuple(int(count) % (1 << 32) for count in dut.counts)
        return SimpleNamespace(features=FeatureHistogram((0,) * 9, TRAINING, counts))

    monkeypatch.setattr(module, "hear", lambda dut, samples: dut.hear(samples))
    monkeypatch.setattr(module, "labels", lambda dut: dut.labels)
    monkeypatch.setattr(module.metrics_source, "ask", ask)
    return made


def made_for(dut: Dut) -> tuple[Robustness, Test]:
    test = Test()
    fixture: Any = Robustness(test, dut, Path("/tests"))
    return fixture, test


def speech(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(-1000, 1000, 4000).astype(np.int16) for _ in range(count)]


def test_answers_that_are_a_word_are_false_positives(dut: Dut) -> None:
    dut.answer = lambda samples: "7" if len(dut.heard) in (2, 5, 40) else "silence"
    fixture, test = made_for(dut)
    measured = fixture.false_positives(n=60)
    assert test.added == {"false_positive_rate": measured}
    assert measured.estimate.value == 5.0
    assert (measured.n, measured.estimate.statistic, measured.simulated) == (60, "share", True)
    assert measured.estimate.low < 5 < measured.estimate.high < 15  # Wilson
    assert "pink noise as 7" in measured.notes[1]
    assert len(fixture.heard) == 60


def test_unknown_and_silence_are_no_words(dut: Dut) -> None:
    fixture, _ = made_for(dut)
    assert fixture.false_positives(n=12).estimate.value == 0.0


def test_frames_that_were_lost_block(dut: Dut) -> None:
    dut.dropped = 2
    fixture, test = made_for(dut)
    with pytest.raises(MeasurementInvalid, match="white noise: the DUT lost 2 of 33 frames"):
        fixture.false_positives(n=3)
    assert test.added == {}


def test_a_network_that_can_only_name_words_is_refused(dut: Dut) -> None:
    dut.labels = ("yes", "no")
    fixture, _ = made_for(dut)
    with pytest.raises(InputError, match="every answer of this DUT is a word"):
        fixture.false_positives()


def test_firmware_that_can_not_be_given_sounds_skips(dut: Dut, monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(dut: Dut) -> Any:
        raise InputError("the firmware on the DUT does not know 'lnn labels'")

    monkeypatch.setattr(module, "labels", deaf)
    fixture, _ = made_for(dut)
    with pytest.raises(CapabilityMissing, match="does not know 'lnn labels'"):
        fixture.false_positives()


def test_no_sounds_are_refused(dut: Dut) -> None:
    fixture, _ = made_for(dut)
    with pytest.raises(InputError, match="of 0 sounds"):
        fixture.false_positives(n=0)


def test_drift_counts_only_what_was_heard_since_it_was_asked_for(dut: Dut) -> None:
    dut.counts += np.arange(10) * 1000  # something was heard before
    fixture, test = made_for(dut)
    measured = fixture.drift(speech(40))
    assert measured.estimate.value == pytest.approx(0, abs=1e-9)
    assert "1200 frames of 40 recordings" in measured.notes[0]
    assert test.added["confidence"].estimate.value == 80.0
    assert test.added["drift_score"] is measured


def test_other_features_than_those_of_the_training_drift(dut: Dut) -> None:
    dut.bins = lambda samples: [k % 3 for k in range(30)]
    fixture, _ = made_for(dut)
    assert fixture.drift(speech(20)).estimate.low > 0.25


def test_counters_of_the_dut_may_wrap_while_it_hears(dut: Dut) -> None:
    dut.counts += (1 << 32) - 5
    fixture, _ = made_for(dut)
    assert fixture.drift(speech(20)).estimate.value == pytest.approx(0, abs=1e-9)


def test_a_dut_that_was_reset_while_it_heard_blocks(dut: Dut) -> None:
    dut.counts += 100

    def reset(samples: np.ndarray) -> list[int]:
        dut.counts[:] = 0
        return list(range(30))

    dut.bins = reset
    fixture, _ = made_for(dut)
    with pytest.raises(MeasurementInvalid, match="was reset while it heard"):
        fixture.drift(speech(20))


def test_only_the_first_recordings_are_played_where_a_limit_is_given(dut: Dut) -> None:
    fixture, _ = made_for(dut)
    fixture.drift(speech(40), limit=10)
    assert len(dut.heard) == 10


def test_too_few_recordings_are_refused(dut: Dut) -> None:
    fixture, _ = made_for(dut)
    with pytest.raises(InputError, match="spread can't be told"):
        fixture.drift(speech(3))


@pytest.mark.parametrize("lacks", ["the command", "the histogram"])
def test_firmware_without_a_histogram_can_not_tell_a_drift(
    dut: Dut, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    def ask(dut: Dut) -> Any:
        if lacks == "the command":
            raise DutProtocolError("Unknown command: lnn metrics")
        return SimpleNamespace(features=None)

    monkeypatch.setattr(module.metrics_source, "ask", ask)
    fixture, _ = made_for(dut)
    with pytest.raises(CapabilityMissing, match="does not keep a histogram"):
        fixture.drift(speech(20))
