"""Programs of this host as images, and which kind of image a board takes."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from pytest_lan_hil.config import Board, SearchPath, load_board
from pytest_lan_hil.dut import program
from pytest_lan_hil.dut.program import load_image_for, load_program
from pytest_lan_hil.model.errors import ImageError

PYTHON = Path(sys.executable).resolve()
ROOT = Path(__file__).resolve().parents[3]
ARM = ROOT / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"


def native() -> Board:
    return Board.model_validate({"name": "here", "target": "native"})


def test_a_program_is_known_by_the_hash_of_its_file_and_has_no_flash() -> None:
    image = load_image_for(native(), PYTHON)
    assert image.sha256 == image.flash_sha256 == hashlib.sha256(PYTHON.read_bytes()).hexdigest()
    assert image.segments == ()
    assert image.build_id == ""


def test_a_boards_target_decides_which_kind_of_image_it_takes(tmp_path: Path) -> None:
    arm_board = load_board("nrf52840", SearchPath.default(tmp_path))
    assert load_image_for(arm_board, ARM).segments
    with pytest.raises(ImageError, match="not for a Cortex-M"):
        load_image_for(arm_board, PYTHON)


def test_a_program_for_another_machine_is_refused() -> None:
    with pytest.raises(ImageError, match="program for another machine: it is for EM_ARM"):
        load_program(ARM)


def test_a_program_for_this_very_processor_family_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.platform, "machine", lambda: "armv7l")
    assert load_program(ARM).build_id.startswith("git=")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "can't read program"),
        (b"", "an empty file"),
        (b"#!/bin/sh\necho m-ready\n", "no program that this host can be tested with"),
        (b"\xcf\xfa\xed\xfe" + bytes(60), "no program that this host can be tested with"),
        (b"\x7fELF" + bytes(4), "damaged ELF"),
    ],
)
def test_what_is_no_program_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "lan"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=problem):
        load_program(path)


def test_a_truncated_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lan"
    path.write_bytes(PYTHON.read_bytes()[:3000])
    with pytest.raises(ImageError, match=r"truncated|damaged"):
        load_program(path)
