"""The committed image: its identity is proved from the outside, and it fits the board's memory target."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from firmware_host import FIRMWARE

from pytest_lan_hil.config import read_board
from pytest_lan_hil.dut.image import check_fits, load_image

BOARDS = FIRMWARE.parent / "boards"
IMAGE = FIRMWARE / "prebuilt" / "nrf52840" / "lan.elf"
PARTS = ("Makefile", "common", "cortex_m4", "nrf52840", "tools")


def stamp() -> ModuleType:
    spec = importlib.util.spec_from_file_location("firmware_stamp", FIRMWARE / "tools" / "stamp.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def identity() -> dict[str, str]:
    return dict(part.split("=", 1) for part in load_image(IMAGE).build_id.split(","))


def test_the_image_hash_is_that_of_the_flash_with_its_own_field_zero() -> None:
    image = load_image(IMAGE)
    (segment,) = image.segments
    field = image.symbols["lan_build_id"] - segment.address + 28
    blank = segment.data[:field] + bytes(32) + segment.data[field + 32 :]
    assert identity()["image"] == hashlib.sha256(blank).hexdigest()


def test_the_git_hash_is_the_tree_of_the_committed_sources(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    for part in PARTS:
        source = FIRMWARE / part
        if source.is_dir():
            shutil.copytree(source, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, tmp_path / part)

    def git(*arguments: str) -> str:
        plain = ["git", "-C", str(tmp_path), "-c", "core.autocrlf=false", "-c", "core.fileMode=true"]
        return subprocess.run([*plain, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", "--all", "--force", ".")
    assert git("write-tree") == identity()["git"], "run make -C firmware prebuilt"


def test_changing_one_source_byte_changes_the_git_hash(tmp_path: Path) -> None:
    module = stamp()
    (tmp_path / "common").mkdir()
    source = tmp_path / "common" / "app.c"
    source.write_bytes(b"int a;\n")
    before = module.git_tree([tmp_path / "common"])
    source.write_bytes(b"int b;\n")
    assert module.git_tree([tmp_path / "common"]) != before


def test_static_ram_and_the_whole_stack_fit_the_boards_memory_target() -> None:
    board = read_board(BOARDS / "nrf52840.toml")
    image = load_image(IMAGE)
    check_fits(image, board)
    assert image.stack is not None
    bottom, top = image.stack
    assert (image.static_ram_bytes + top - bottom) / 1024 <= board.targets["memory"]


def test_harness_and_linker_agree_on_static_ram() -> None:
    image = load_image(IMAGE)
    assert image.static_ram_bytes == image.symbols["__static_ram_size"]
