"""A board's `build` command: run in the folder of its file, and loud when it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_lan_hil.config import Board, Wiring, read_board
from pytest_lan_hil.model.errors import ConfigError
from pytest_lan_hil.run import board_run, build
from pytest_lan_hil.run.build import build_images

ECHO = "import sys; [print('line', n) for n in range(30)]; open('made', 'a').write('x'); sys.exit({code})"


def board(folder: Path, *command: str) -> Board:
    words = ", ".join(f'"{word}"' for word in command)
    path = folder / "mine.toml"
    path.write_text(f'target = "native"\nbuild = [{words}]\n')
    return read_board(path)


def python(folder: Path, code: int) -> Board:
    return board(folder, sys.executable, "-c", ECHO.format(code=code))


def test_it_runs_in_the_folder_of_the_board_file(tmp_path: Path) -> None:
    build_images(python(tmp_path, 0), wait_s=1)
    assert (tmp_path / "made").read_text() == "x"


def test_a_board_without_one_builds_nothing(tmp_path: Path) -> None:
    build_images(board(tmp_path), wait_s=1)


def test_a_failure_shows_command_folder_and_the_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        build_images(python(tmp_path, 7), wait_s=1)
    told = str(caught.value)
    assert "exit code 7" in told
    assert str(tmp_path) in told
    assert "-c" in told
    assert "line 29" in told
    assert "line 10\n" not in told
    assert caught.value.key == "build"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no program no-such-make"):
        build_images(board(tmp_path, "no-such-make"), wait_s=1)


def test_a_build_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LIMIT_S", 0.3)
    hanging = board(tmp_path, sys.executable, "-c", "import time; print('began', flush=True); time.sleep(9)")
    with pytest.raises(ConfigError, match=r"not done within 0\.3 s\n    began"):
        build_images(hanging, wait_s=1)


def test_a_session_builds_once_and_a_failure_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def fail(board: Board, *, wait_s: float) -> None:
        built.append(board.name)
        raise ConfigError("broken", path=board.path, key="build")

    monkeypatch.setattr(board_run, "build_images", fail)
    bench = board_run.Bench(name="here", console="exec:{image}")
    wiring = Wiring(None, "exec:{image}", None, {})
    run = board_run.BoardRun(python(tmp_path, 0), bench, wiring, wait_s=1)
    for _ in range(2):
        with pytest.raises(ConfigError, match="broken"):
            run.prepare(None)
    assert built == ["mine"]
