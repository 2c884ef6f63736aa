"""A folder of labelled recordings: `{label}_{speaker}_{index}.wav`, all checked before one is played.

    7_george_5.wav      label 7, speaker george, his recording number 5

The order is fixed, and such that the first recordings of a dataset are of every label and of many speakers:
by index, and for each of them in rounds that have every label once, each by another speaker. Names and
contents of all files together make its hash.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.dut.hearing import SAMPLE_RATE_HZ
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.accuracy.wave_file import Unusable, as_heard, load_resampler, read_file, read_wave

PATTERN = "{label}_{speaker}_{index}.wav"
_NAME = re.compile(r"(?P<label>.+)_(?P<speaker>[^_]+)_(?P<index>[0-9]{1,9})\.wav", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording.

    Attributes:
        path: Its file.
        label: What is said in it.
        speaker: Who says it.
        index: Which of the speaker's recordings of this label.
        rate_hz: Of the file.
        seconds: How long it lasts.
    """

    path: Path
    label: str
    speaker: str
    index: int
    rate_hz: int
    seconds: float

    @property
    def resampled(self) -> bool:
        """True if the DUT hears it at another rate than that of the file."""
        return self.rate_hz != SAMPLE_RATE_HZ

    def samples(self) -> NDArray[np.int16]:
        """What the DUT hears, at 8 kHz.

        Raises:
            InputError: The file has changed since it was checked, or soxr is missing.
        """
        try:
            return as_heard(read_wave(read_file(self.path), self.path.name))
        except Unusable as error:
            raise InputError(
                f"{self.path}: {error.found}, which it was not before", fix=error.mend
            ) from error


@dataclass(frozen=True, slots=True)
class Dataset:
    """The recordings of a folder, in their order; at least one.

    Attributes:
        folder: Where they lie.
        sha256: Over names and contents of all files of the folder, also where a part was chosen.
        recordings: Those chosen.
    """

    folder: Path
    sha256: str
    recordings: tuple[Recording, ...]

    @property
    def seconds(self) -> float:
        """Of audio."""
        return sum(one.seconds for one in self.recordings)

    @property
    def rates_hz(self) -> dict[int, int]:
        """Sample rate of the files to how many have it; only those that are resampled."""
        rates = [one.rate_hz for one in self.recordings if one.resampled]
        return {rate: rates.count(rate) for rate in sorted(set(rates))}

    def first(self, count: int | None) -> Dataset:
        """Only the first `count`; all for None, or where there are no more.

        Raises:
            InputError: Fewer than one.
        """
        if count is None:
            return self
        if count < 1:
            raise InputError(f"the first {count} recordings of a dataset", fix="ask for one at least")
        return Dataset(self.folder, self.sha256, self.recordings[:count])

    def require_labels(self, known: Sequence[str]) -> None:
        """Make sure that the DUT's network can name every recording.

        Raises:
            InputError: It lacks labels of the dataset; shows both lists, and which files have those labels.
        """
        own = sorted({one.label for one in self.recordings})
        foreign = [label for label in own if label not in known]
        if not foreign:
            return
        files = "\n".join(
            f"  {label}: {', '.join(one.path.name for one in self.recordings if one.label == label)}"
            for label in foreign
        )
        raise InputError(
            f"the DUT's network does not know {len(foreign)} of the {len(own)} labels of dataset"
            f" {self.folder}\n  the DUT's labels:     {', '.join(known)}\n"
            f"  the dataset's labels: {', '.join(own)}\n  files with labels that the DUT does not know:\n"
            f"{files}",
            fix=f"flash the image whose network was trained for this dataset, or name the files {PATTERN}"
            " with the DUT's labels",
        )


def load_dataset(folder: Path) -> Dataset:
    """Read and check every recording of a folder; files that are not called .wav are left alone.

    Raises:
        InputError: No such folder, no recordings in it, or recordings that can't be used: all of them, each
            with what was found and what mends it. Or one must be resampled, and soxr is not installed.
    """
    if not folder.is_dir():
        raise InputError(
            f"dataset {folder}: there is no such folder", fix=f"give the folder of the {PATTERN} files"
        )
    paths = _wave_files(folder)
    if not paths:
        raise _without_recordings(folder)
    digest = hashlib.sha256()
    recordings, problems = [], []
    for path in paths:
        try:
            recording, content = _read(path)
        except Unusable as error:
            problems.append(f"  {path.name}: {error.found}\n    mend: {error.mend}")
            continue
        recordings.append(recording)
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    if problems:
        raise InputError(
            "\n".join(
                [f"{len(problems)} of the {len(paths)} recordings in {folder} can't be used:", *problems]
            ),
            fix=f"mend them in {folder}, or give another folder",
        )
    foreign = next((one for one in recordings if one.resampled), None)
    if foreign is not None:
        load_resampler(foreign.rate_hz)
    return Dataset(folder, digest.hexdigest(), tuple(_in_rounds(recordings)))


def _in_rounds(recordings: list[Recording]) -> list[Recording]:
    labels = {label: number for number, label in enumerate(sorted({one.label for one in recordings}))}
    speakers = {name: number for number, name in enumerate(sorted({one.speaker for one in recordings}))}

    def place(one: Recording) -> tuple[int, int, int, str]:
        label = labels[one.label]
        return one.index, (label + speakers[one.speaker]) % len(speakers), label, one.path.name

    return sorted(recordings, key=place)


def _wave_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() == ".wav" and not path.name.startswith(".") and path.is_file()
    )


def _without_recordings(folder: Path) -> InputError:
    below = sorted(path.name for path in folder.iterdir() if path.is_dir() and _wave_files(path))
    return InputError(
        f"dataset {folder}: there is no .wav file in it",
        fix=f"give the folder {folder / below[0]}" if below else f"give the folder of the {PATTERN} files",
    )


def _read(path: Path) -> tuple[Recording, bytes]:
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise Unusable(
            f"its name does not say what is in it; it should be {PATTERN}",
            f"mv {shlex.quote(path.name)} LABEL_SPEAKER_NUMBER.wav  (7_george_5.wav)",
        )
    content = read_file(path)
    sound = read_wave(content, path.name)
    recording = Recording(
        path, named["label"], named["speaker"], int(named["index"]), sound.rate_hz, sound.seconds
    )
    return recording, content
