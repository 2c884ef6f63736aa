"""Playing a dataset to the DUT, recording by recording."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.hearing import hear
from pytest_lan_hil.model.errors import DutProtocolError, MeasurementInvalid
from pytest_lan_hil.run.accuracy.dataset import Dataset, Recording
from pytest_lan_hil.run.accuracy.evaluation import Reply


def play(
    dut: Dut, dataset: Dataset, labels: tuple[str, ...], *, skip: Collection[str] = ()
) -> Iterator[Reply]:
    """Let the DUT hear every recording, in order; yields each answer as soon as it came.

    Args:
        dut: Ready.
        dataset: Whose labels the DUT knows (`Dataset.require_labels`).
        labels: The DUT's.
        skip: Files that need not be played.

    Raises:
        MeasurementInvalid: The DUT lost frames, so what it heard is not what was sent.
        InputError, BlockedError, DutError: See `hearing.hear`; or a file has changed since it was checked.
    """
    for recording in dataset.recordings:
        if recording.path.name not in skip:
            yield _play_one(dut, recording, labels)


def _play_one(dut: Dut, recording: Recording, labels: tuple[str, ...]) -> Reply:
    samples = recording.samples()
    began_s, began_wall_s = dut.clock.monotonic(), time.monotonic()
    answer = hear(dut, samples)
    name = recording.path.name
    if not (answer.index < len(labels) and labels[answer.index] == answer.label):
        raise DutProtocolError(
            f"recording {name}: the DUT heard class {answer.index}, {answer.label!r}, and says that its"
            f" labels are {', '.join(labels)}",
            fix="answer `lnn hear end` with the class of the network and its own label",
        )
    if answer.dropped:
        raise MeasurementInvalid(
            f"recording {name}: the DUT lost {answer.dropped} of {answer.frames + answer.dropped} frames:"
            " what it heard is not what was sent",
            fix="lower the baud rate, or make the firmware faster than its audio; the same command then goes"
            " on with this recording",
        )
    return Reply(
        file=name,
        label=recording.label,
        speaker=recording.speaker,
        answer=answer.label,
        confidence_percent=answer.confidence_percent,
        frames=answer.frames,
        ran=answer.ran,
        resent=answer.resent,
        audio_s=recording.seconds,
        dut_s=dut.clock.monotonic() - began_s,
        wall_s=time.monotonic() - began_wall_s,
    )
