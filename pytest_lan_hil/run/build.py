"""A board's `build`: the command that makes its images, run before the first of them is flashed."""

from __future__ import annotations

import shlex
import shutil
import subprocess

from pytest_lan_hil.config import Board
from pytest_lan_hil.model.errors import ConfigError
from pytest_lan_hil.run.lease import lease

LIMIT_S = 600.0
_LINES_SHOWN = 12


def build_images(board: Board, *, wait_s: float) -> None:
    """Run the board's build command in the folder of its file; none: nothing to do.

    Two processes never build in one folder at a time.

    Raises:
        ConfigError: It can't be run, fails, or takes longer than `LIMIT_S`; with the last lines that it said.
        LeaseError: Another process builds there for longer than `wait_s`.
    """
    if not board.build:
        return
    folder = board.path.parent
    if shutil.which(board.build[0]) is None and not (folder / board.build[0]).exists():
        raise _failed(
            board, f"there is no program {board.build[0]}", [], "install it, or correct the command"
        )
    with lease([f"build of {folder.resolve()}"], wait_s=wait_s):
        try:
            done = subprocess.run(
                board.build,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = error.output or b""
            text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
            problem = f"not done within {LIMIT_S:g} s"
            raise _failed(board, problem, text.splitlines(), "build by hand first") from error
        except OSError as error:
            raise _failed(board, error.strerror or str(error), [], "correct the command") from error
    if done.returncode != 0:
        problem = f"ended with exit code {done.returncode}"
        raise _failed(board, problem, done.stdout.splitlines(), "mend what it complains about")


def _failed(board: Board, problem: str, said: list[str], fix: str) -> ConfigError:
    tail = "".join(f"\n    {line}" for line in said[-_LINES_SHOWN:])
    return ConfigError(
        f"making the images of board {board.name} with `{shlex.join(board.build)}` in {board.path.parent}:"
        f" {problem}{tail}",
        path=board.path,
        key="build",
        fix=f"{fix}, or name an image that is there: --image FILE, @pytest.mark.firmware(FILE)",
    )
