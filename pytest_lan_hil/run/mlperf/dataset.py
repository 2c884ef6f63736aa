"""A dataset in the official layout: a folder with y_labels.csv and one binary file for each input.

y_labels.csv (eembc/energyrunner, datasets/README.md) has no heading; a row is

    file, number of classes, class[, window width in bytes, stride in bytes]

The last two are those of anomaly detection: its file is cut into overlapping windows, one inference each, and
the file's score is the mean over them (mlcommons/tiny, benchmark/runner: script.py, main.py). Where time or
energy is measured only the first window is used.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.mlperf.rules import BENCHMARKS

TRUTH = "y_labels.csv"
_COLUMNS = "file,classes,class  or  file,classes,class,width,stride"


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Attributes:
        path: Its file.
        classes: Number of classes.
        label: The right one, 0 to classes - 1.
        width, stride: Of the sliding window in bytes; 0 if the file is loaded whole.
    """

    path: Path
    classes: int
    label: int
    width: int = 0
    stride: int = 0

    def pieces(self) -> Iterator[bytes]:
        """What is loaded for each inference, at least one piece.

        Raises:
            InputError: The file can't be read, or has become shorter than the window.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise InputError(f"input {self.path}: {error.strerror}", fix="complete the dataset") from error
        width = self.width or len(data)
        if not data or len(data) < width:
            raise InputError(
                f"input {self.path} has {len(data)} bytes, at least {max(width, 1)} are loaded",
                fix="get the file again; this one is cut",
            )
        for start in range(0, len(data) - width + 1, self.stride or len(data)):
            yield data[start : start + width]

    def first_piece(self) -> bytes:
        """What is loaded where only speed matters.

        Raises:
            InputError: See `pieces`.
        """
        return next(self.pieces())


@dataclass(frozen=True, slots=True)
class Dataset:
    """The inputs, in the order of y_labels.csv; at least one, all with one number of classes."""

    folder: Path
    inputs: tuple[Input, ...]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.inputs[0].classes

    def require_two_classes(self) -> None:
        """Refuse inputs of one class only: they can't show whether a model tells classes apart.

        Raises:
            InputError: All labels are the same.
        """
        labels = {one.label for one in self.inputs}
        if len(labels) < 2:
            raise InputError(
                f"{self.folder / TRUTH}: all {len(self.inputs)} inputs are of class {min(labels)}; accuracy"
                " and AUC need inputs of two classes at least",
                fix="use the whole dataset",
            )


def load_dataset(folder: Path, model: str) -> Dataset:
    """Read a dataset.

    Args:
        folder: That holds y_labels.csv, or has a folder of the model's name that does, as the runner's own.
        model: As the DUT reports it.

    Raises:
        InputError: No such folder or file, a row that can't be meant, or a file whose size is not what the
            row or the model asks for; names file, line and what to do.
    """
    choices = [folder, folder / model]
    found = [choice for choice in choices if (choice / TRUTH).is_file()]
    if not found:
        raise InputError(
            f"--dataset {folder}: there is no {TRUTH} in it, nor in {folder / model}",
            fix=f"give the folder that holds {TRUTH} and the inputs",
        )
    path = found[0] / TRUTH
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} can't be read: {error}", fix="mend the file") from error
    inputs = tuple(_input(row, path, line, model) for line, row in enumerate(rows, 1) if any(row))
    if not inputs:
        raise InputError(f"{path} has no rows", fix=f"write a row for each input: {_COLUMNS}")
    if len({one.classes for one in inputs}) > 1:
        raise InputError(f"{path}: its rows differ in the number of classes", fix="mend the second column")
    return Dataset(found[0], inputs)


def _input(row: list[str], path: Path, line: int, model: str) -> Input:
    name, *texts = (field.strip() for field in row)
    if len(texts) not in (2, 4) or not all(text.isdecimal() for text in texts):
        raise InputError(f"{path}:{line}: {','.join(row)!r} is not a row of labels", fix=f"write {_COLUMNS}")
    classes, label, width, stride = (*map(int, texts), 0, 0)[:4]
    if not (classes >= 2 and label < classes):
        raise InputError(
            f"{path}:{line}: class {label} of {classes} classes", fix="count classes from 0, two at least"
        )
    if len(texts) == 4 and not (width and stride):
        raise InputError(f"{path}:{line}: a window of {width} bytes every {stride}", fix="give more than 0")
    if not (path.parent / name).is_file():
        raise InputError(f"{path}:{line}: there is no file {name} beside it", fix="complete the dataset")
    found = Input(path.parent / name, classes, label, width, stride)
    _check_size(found, f"{path}:{line}", model)
    return found


def _check_size(one: Input, where: str, model: str) -> None:
    size = one.path.stat().st_size
    if size < max(one.width, 1):
        raise InputError(
            f"{where}: input {one.path} has {size} bytes, at least {max(one.width, 1)} are loaded",
            fix="get the file again; this one is cut",
        )
    benchmark = BENCHMARKS.get(model)
    loaded = one.width or size
    if benchmark is not None and loaded != benchmark.input_bytes:
        raise InputError(
            f"{where}: {loaded} bytes of {one.path.name} would be loaded for one inference, model {model}"
            f" takes {benchmark.input_bytes}",
            fix=f"use the dataset of {benchmark.title}, or name the model that the DUT runs: --model NAME",
        )
