"""What the `robustness` fixture gives: what the DUT makes of sounds that are no speech, and of other speech.

Sounds are played to the DUT over its console (`dut.hearing`), so that nothing but its gate, its features and
its network is under test. What was measured is handed to the test, whose budgets judge it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.dut import metrics_source
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.hearing import Answer, hear, labels
from pytest_lan_hil.dut.metrics_values import FeatureHistogram
from pytest_lan_hil.measure.drift import drift_score
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.errors import CapabilityMissing, DutProtocolError, InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.run.accuracy.dataset import load_dataset
from pytest_lan_hil.run.sounds import KINDS, non_speech
from pytest_lan_hil.run.test_run import TestRun

NO_WORD = frozenset({"silence", "unknown"})
"""Labels that say that no word was heard."""

Samples: TypeAlias = NDArray[np.int16]


class Robustness:
    """Measure how the DUT takes what it was not trained to name.

    Args:
        test: Takes over what was measured.
        dut: Flashed and ready.
        folder: Where relative folders of datasets begin: that of the test's file.

    Attributes:
        heard: Every answer so far: what was played, and what the DUT made of it.
    """

    def __init__(self, test: TestRun, dut: Dut, folder: Path) -> None:
        self._test = test
        self._dut = dut
        self._folder = folder
        self.heard: list[tuple[str, Answer]] = []

    def false_positives(self, n: int = 60, seed: int = 0) -> Measurement:
        """Let the DUT hear `n` sounds without speech; measures `false_positive_rate`.

        White and pink noise, hum, chords, chirps and silence, one second each, in three loudnesses; the same
        ones for the same seed.

        Raises:
            InputError: Fewer than one sound, or a network that knows nothing but words.
            CapabilityMissing: The firmware can't be given sounds to hear.
            MeasurementInvalid: The DUT lost frames.
            DutError, ConsoleError: It does not answer.
        """
        if n < 1:
            raise InputError(f"false positives of {n} sounds", fix="let it hear at least one, better 60")
        self._require_words()
        answers = [(sound.kind, self._hear(sound.kind, sound.samples)) for sound in non_speech(n, seed)]
        wrong = [f"{kind} as {answer.label}" for kind, answer in answers if answer.label not in NO_WORD]
        notes = [f"{n} sounds of one second, seed {seed}: {', '.join(KINDS)}"]
        notes += [f"taken for a word: {', '.join(wrong)}"] if wrong else []
        return self._add(
            from_values(
                "false_positive_rate",
                [0.0 if answer.label in NO_WORD else 100.0 for _, answer in answers],
                instrument=self._instrument("seeded sounds"),
                simulated=self._simulated,
                notes=tuple(notes),
            )
        )

    def drift(self, speech: str | Path | Iterable[Samples], limit: int | None = None) -> Measurement:
        """Let the DUT hear speech; measures `drift_score` of its features, and `confidence` of its answers.

        Args:
            speech: Folder of `{label}_{speaker}_{index}.wav` files, or recordings of one's own: 8 kHz, int16.
            limit: Play only so many.

        Raises:
            InputError: No dataset, or too few recordings to tell their spread.
            CapabilityMissing: The firmware does not keep the histogram of its feature.
            MeasurementInvalid: The DUT lost frames, was reset, or its network never ran.
            DutError, ConsoleError: It does not answer.
        """
        before = self._features()
        histograms, confidences, about = [], [], "recordings of the test"
        if isinstance(speech, (str, Path)):
            about = f"dataset {Path(speech).name}"
        for name, samples in self._recordings(speech, limit):
            confidences.append(self._hear(name, samples).confidence_percent)
            after = self._features()
            histograms.append(_between(before, after))
            before = after
        score = self._add(
            drift_score(
                histograms, before.training, instrument=self._instrument(about), simulated=self._simulated
            )
        )
        self._add(
            from_values(
                "confidence", confidences, instrument=self._instrument(about), simulated=self._simulated
            )
        )
        return score

    @property
    def _simulated(self) -> bool:
        return self._test.open_bench().simulated

    def _instrument(self, what: str) -> str:
        return f"{what}, heard by the DUT"

    def _add(self, measured: Measurement) -> Measurement:
        self._test.add(measured)
        return measured

    def _hear(self, name: str, samples: Samples) -> Answer:
        answer = hear(self._dut, samples)
        if answer.dropped:
            raise MeasurementInvalid(
                f"{name}: the DUT lost {answer.dropped} of {answer.frames + answer.dropped} frames: what it"
                " heard is not what was sent",
                fix="lower the baud rate, or make the firmware faster than its audio",
            )
        self.heard.append((name, answer))
        return answer

    def _require_words(self) -> None:
        """A network whose labels all are words could not help naming one."""
        try:
            known = labels(self._dut)
        except InputError as error:  # firmware that hears nothing: not what the test got wrong
            raise CapabilityMissing(error.problem, fix=error.fix) from error
        if not NO_WORD & set(known):
            raise InputError(
                f"every answer of this DUT is a word: its labels are {', '.join(known)}",
                fix=f"give the network a class called {' or '.join(sorted(NO_WORD))}",
            )

    def _recordings(
        self, speech: str | Path | Iterable[Samples], limit: int | None
    ) -> Iterator[tuple[str, Samples]]:
        if isinstance(speech, (str, Path)):
            for recording in load_dataset(self._folder / speech).first(limit).recordings:
                yield recording.path.name, recording.samples()
            return
        for number, samples in enumerate(islice(speech, limit), start=1):
            yield f"recording {number}", samples

    def _features(self) -> FeatureHistogram:
        found = None
        with suppress(DutProtocolError):
            found = metrics_source.ask(self._dut).features
        if found is None:
            raise CapabilityMissing(
                "this firmware does not keep a histogram of its feature (`lnn metrics`), so a drift can't be"
                " told",
                fix="call lnn_set_drift_reference() and lnn_record_feature() in it",
            )
        return found


def _between(before: FeatureHistogram, after: FeatureHistogram) -> list[int]:
    """Frames in each bin between two readings; the counters are 32 bits wide."""
    grown = [(a - b) % (1 << 32) for b, a in zip(before.counts, after.counts, strict=True)]
    if sum(grown) > 1 << 31:
        raise MeasurementInvalid(
            "the DUT was reset while it heard: its counters ran backwards",
            fix="look for a fault or a watchdog",
        )
    return grown
