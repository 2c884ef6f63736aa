"""The committed images: their identity is proved from the outside, and they fit the memory targets."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from firmware_host import FIRMWARE

from pytest_lan_hil.config import read_board
from pytest_lan_hil.dut.image import check_fits, load_image

BOARDS = FIRMWARE.parent / "boards"
PREBUILT = {"nrf52840": "nrf52840", "stm32f4": "stm32f412"}  # board to the folder of its port
every_port = pytest.mark.parametrize("port", PREBUILT.values())


def image_of(port: str) -> Path:
    return FIRMWARE / "prebuilt" / port / "lan.elf"


def stamp() -> ModuleType:
    spec = importlib.util.spec_from_file_location("firmware_stamp", FIRMWARE / "tools" / "stamp.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def identity(port: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in load_image(image_of(port)).build_id.split(","))


@every_port
def test_the_image_hash_is_that_of_the_flash_with_its_own_field_zero(port: str) -> None:
    image = load_image(image_of(port))
    (segment,) = image.segments
    field = image.symbols["lan_build_id"] - segment.address + 28
    blank = segment.data[:field] + bytes(32) + segment.data[field + 32 :]
    assert identity(port)["image"] == hashlib.sha256(blank).hexdigest()


@every_port
def test_the_git_hash_is_the_tree_of_the_committed_sources(port: str, tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    for part in ("Makefile", "common", "cortex_m4", port, "tools"):
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
    assert git("write-tree") == identity(port)["git"], "run make -C firmware prebuilt"


def test_changing_one_source_byte_changes_the_git_hash(tmp_path: Path) -> None:
    module = stamp()
    (tmp_path / "common").mkdir()
    source = tmp_path / "common" / "app.c"
    source.write_bytes(b"int a;\n")
    before = module.git_tree([tmp_path / "common"])
    source.write_bytes(b"int b;\n")
    assert module.git_tree([tmp_path / "common"]) != before


@pytest.mark.parametrize("name", PREBUILT)
def test_static_ram_and_the_whole_stack_fit_the_boards_memory_target(name: str) -> None:
    board = read_board(BOARDS / f"{name}.toml")
    image = load_image(image_of(PREBUILT[name]))
    check_fits(image, board)
    assert image.stack is not None
    bottom, top = image.stack
    assert (image.static_ram_bytes + top - bottom) / 1024 <= board.targets["memory"]


@every_port
def test_harness_and_linker_agree_on_static_ram(port: str) -> None:
    image = load_image(image_of(port))
    assert image.static_ram_bytes == image.symbols["__static_ram_size"]


@every_port
def test_the_identity_lies_right_behind_the_vectors(port: str) -> None:
    image = load_image(image_of(port))
    (segment,) = image.segments
    vectors = 4 * (16 + {"nrf52840": 48, "stm32f412": 97}[port])
    assert image.symbols["lan_build_id"] == segment.address + vectors


@every_port
def test_the_map_names_objects_and_no_machine(port: str) -> None:
    text = image_of(port).with_name("lan.map").read_text()
    assert " common/run.o\n" in text
    assert not re.search(r"(^|\s)/(?!DISCARD/)\w", text, re.MULTILINE)
