"""Datasets in the official layout, and what is said about those that are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.run.mlperf.dataset import load_dataset


def write(folder: Path, rows: str, **files: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "y_labels.csv").write_text(rows)
    for name, data in files.items():
        (folder / f"{name}.bin").write_bytes(data)
    return folder


def test_inputs_come_in_the_order_of_the_labels(tmp_path: Path) -> None:
    write(tmp_path, "b.bin,12,7\na.bin, 12, 0\n\n", a=b"aa", b=b"bb")
    dataset = load_dataset(tmp_path, "other")
    assert [(one.path.name, one.label) for one in dataset.inputs] == [("b.bin", 7), ("a.bin", 0)]
    assert dataset.classes == 12
    assert list(dataset.inputs[0].pieces()) == [b"bb"] == [dataset.inputs[0].first_piece()]


def test_the_runner_s_folder_of_datasets_is_searched_by_model(tmp_path: Path) -> None:
    write(tmp_path / "ad01", "a.bin,2,1,2560,2\n", a=bytes(2570))
    assert load_dataset(tmp_path, "ad01").folder == tmp_path / "ad01"


def test_an_anomaly_input_is_cut_into_every_window_that_fits(tmp_path: Path) -> None:
    write(tmp_path, "a.bin,2,1,4,3\n", a=bytes(range(11)))
    (one,) = load_dataset(tmp_path, "other").inputs
    assert [piece[0] for piece in one.pieces()] == [0, 3, 6]
    assert all(len(piece) == 4 for piece in one.pieces())
    assert one.first_piece() == bytes(range(4))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("", "has no rows"),
        ("a.bin,12\n", "y_labels.csv:1: 'a.bin,12' is not a row"),
        ("file,classes,class\na.bin,2,0\n", "y_labels.csv:1"),
        ("a.bin,2,2\n", "y_labels.csv:1: class 2 of 2 classes"),
        ("a.bin,2,0\nb.bin,2,0\n", "y_labels.csv:2: there is no file b.bin"),
        ("a.bin,2,0\na.bin,3,0\n", "differ in the number of classes"),
        ("a.bin,2,0,0,2\n", "a window of 0 bytes"),
        ("a.bin,2,-1\n", "y_labels.csv:1"),
    ],
)
def test_a_row_that_can_t_be_meant_is_named(tmp_path: Path, rows: str, told: str) -> None:
    write(tmp_path, rows, a=b"aa")
    with pytest.raises(InputError, match=re.escape(told)):
        load_dataset(tmp_path, "other")


def test_a_folder_without_labels_and_an_input_that_is_cut_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no y_labels\.csv"):
        load_dataset(tmp_path, "kws01")
    write(tmp_path, "a.bin,2,0,10,2\n", a=b"aa")
    with pytest.raises(InputError, match=r"y_labels\.csv:1: input .* has 2 bytes, at least 10"):
        load_dataset(tmp_path, "other")
    write(tmp_path, "empty.bin,2,0\n", empty=b"")
    with pytest.raises(InputError, match="has 0 bytes, at least 1"):
        load_dataset(tmp_path, "other")


def test_an_input_that_becomes_shorter_meanwhile_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.bin,2,0,10,2\n", a=bytes(20))
    (one,) = load_dataset(tmp_path, "other").inputs
    write(tmp_path, "a.bin,2,0,10,2\n", a=b"aa")
    with pytest.raises(InputError, match="has 2 bytes, at least 10"):
        one.first_piece()


@pytest.mark.parametrize(
    ("model", "row", "size"), [("kws01", "a.bin,12,0", 490), ("ad01", "a.bin,2,1,2560,512", 5000)]
)
def test_a_model_of_the_suite_takes_inputs_of_its_size_only(
    tmp_path: Path, model: str, row: str, size: int
) -> None:
    write(tmp_path, row, a=bytes(size))
    assert load_dataset(tmp_path, model).inputs
    with pytest.raises(
        InputError, match=rf"{2560 if size > 490 else 490} bytes of a\.bin .* vww01 takes 27648"
    ):
        load_dataset(tmp_path, "vww01")
    assert load_dataset(tmp_path, "a model of somebody else").inputs


def test_one_class_alone_shows_nothing_about_accuracy(tmp_path: Path) -> None:
    write(tmp_path, "a.bin,12,7\nb.bin,12,7\n", a=b"a", b=b"b")
    with pytest.raises(InputError, match="all 2 inputs are of class 7"):
        load_dataset(tmp_path, "other").require_two_classes()
    write(tmp_path, "a.bin,12,7\nb.bin,12,6\n")
    load_dataset(tmp_path, "other").require_two_classes()
