"""A program whose output goes to a file, and which is ended properly after Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

#: How long a program may take to clean up after Ctrl-C: a bench is released, a board reset.
CLEAN_UP_S = 60.0
_LINES_SHOWN = 12

# Set where git itself runs us (a hook, `git bisect run`); they would name the user's own checkout.
_OF_A_CHECKOUT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


def environment() -> dict[str, str]:
    """The environment without what ties git to one checkout."""
    return {name: value for name, value in os.environ.items() if name not in _OF_A_CHECKOUT}


def run_logged(command: Sequence[str], folder: Path, log: Path) -> int:
    """Run a program to its end, and return its exit code.

    The program is in a session of its own, so that Ctrl-C reaches it once, from here, however this process
    was interrupted; then it is given time to clean up.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        log: What it says is written here.

    Raises:
        OSError: It can't be started, or the log can't be written.
        KeyboardInterrupt: Ctrl-C.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait()
        except BaseException:
            _interrupt(process)
            raise


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(CLEAN_UP_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def tail(log: Path) -> str:
    """The last lines of a log, each indented on a line of its own; "" if it has none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if line.strip()]
    return "".join(f"\n    {line}" for line in said[-_LINES_SHOWN:])
