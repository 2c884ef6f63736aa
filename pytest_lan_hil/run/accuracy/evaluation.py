"""What the DUT made of a dataset: right answers by label and by speaker, and what it confused. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.model.record import Confusion
from pytest_lan_hil.run.accuracy.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Reply:
    """What the DUT answered to one recording.

    Attributes:
        file: Name of the recording.
        label, speaker: Of it.
        answer: The label that the DUT gave it.
        confidence_percent: Probability that the network gives its answer.
        frames, ran: Frames heard, and those in which the network ran.
        resent: Times that the recording was sent again.
        audio_s: How long the recording lasts.
        dut_s, wall_s: What it took, on the DUT's clock and on that of the wall.
    """

    file: str
    label: str
    speaker: str
    answer: str
    confidence_percent: float
    frames: int
    ran: int
    resent: int
    audio_s: float
    dut_s: float
    wall_s: float

    @property
    def right(self) -> bool:
        """True if the DUT named it as it is labelled."""
        return self.answer == self.label


@dataclass(frozen=True, slots=True)
class Part:
    """The answers to some of the recordings.

    Attributes:
        name: Their label, or their speaker.
        n, correct: How many, and how many of them were named rightly.
        confused: The most frequent wrong answer, "" if there was none.
        confused_count: How often it was given.
    """

    name: str
    n: int
    correct: int
    confused: str
    confused_count: int

    @property
    def percent(self) -> float:
        """Share of right answers."""
        return 100 * self.correct / self.n


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A dataset played to its end.

    Attributes:
        dataset: What was played.
        labels: The DUT's.
        replies: One for each recording, in the dataset's order.
        source: Who heard it, for people.
        simulated: True if a virtual bench did.
    """

    dataset: Dataset
    labels: tuple[str, ...]
    replies: tuple[Reply, ...]
    source: str
    simulated: bool

    @property
    def n(self) -> int:
        """How many recordings."""
        return len(self.replies)

    @property
    def correct(self) -> int:
        """How many of them were named rightly."""
        return sum(reply.right for reply in self.replies)

    @property
    def resampled(self) -> tuple[str, ...]:
        """Which recordings were resampled, in words; none of them, no word."""
        return tuple(
            f"{count} of {self.n} recordings were resampled from {rate} Hz to 8000 Hz"
            for rate, count in self.dataset.rates_hz.items()
        )

    @property
    def accuracy(self) -> Measurement:
        """Share of right answers, percent, with Wilson's 95 % interval."""
        return self._measurement("accuracy", [100.0 if reply.right else 0.0 for reply in self.replies])

    @property
    def confidence(self) -> Measurement:
        """Confidence of every answer, right or wrong, percent."""
        return self._measurement("confidence", [reply.confidence_percent for reply in self.replies])

    @property
    def dropped_frames(self) -> Measurement:
        """Share of frames lost, percent: 0 of each recording, or there would be no evaluation."""
        return self._measurement("dropped_frames", [0.0 for _ in self.replies])

    def _measurement(self, quantity: str, values: list[float]) -> Measurement:
        about = f"dataset {self.dataset.folder.name}, sha256 {self.dataset.sha256[:16]}"
        return from_values(
            quantity, values, instrument=self.source, simulated=self.simulated,
            notes=(about, *self.resampled),
        )  # fmt: skip

    @property
    def confusion(self) -> Confusion:
        """How many recordings of each label were given each label."""
        pairs = Counter((reply.label, reply.answer) for reply in self.replies)
        return Confusion(
            dataset=str(self.dataset.folder),
            sha256=self.dataset.sha256,
            labels=self.labels,
            counts=tuple(tuple(pairs[label, answer] for answer in self.labels) for label in self.labels),
        )

    @property
    def per_class(self) -> tuple[Part, ...]:
        """By label, in the DUT's order; only labels that the dataset has."""
        parts = {part.name: part for part in _parts(self.replies, lambda reply: reply.label)}
        return tuple(parts[label] for label in self.labels if label in parts)

    @property
    def per_speaker(self) -> tuple[Part, ...]:
        """By speaker, in order of name."""
        return _parts(self.replies, lambda reply: reply.speaker)


def _parts(replies: Sequence[Reply], key: Callable[[Reply], str]) -> tuple[Part, ...]:
    groups: dict[str, list[Reply]] = {}
    for reply in replies:
        groups.setdefault(key(reply), []).append(reply)
    return tuple(_part(name, groups[name]) for name in sorted(groups))


def _part(name: str, replies: Sequence[Reply]) -> Part:
    wrong = Counter(reply.answer for reply in replies if not reply.right)
    # Of answers that are equally frequent the first by name, so that equal replies give an equal report.
    confused, count = min(wrong.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    return Part(name, len(replies), sum(reply.right for reply in replies), confused, count)
