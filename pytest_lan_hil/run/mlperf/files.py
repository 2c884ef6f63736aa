"""The files of a run: log.txt, results.txt and results.json; after a failure log.txt and incomplete.json.

results.txt and log.txt are what the official runner leaves; results.json has everything that has no place
there. What a virtual bench made says "simulated" in each of them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_lan_hil.dut.console import RECEIVED
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.record import ConsoleLine
from pytest_lan_hil.run.mlperf.outcome import (
    Outcome,
    System,
    answers_json,
    labels_of,
    to_json,
    windows_json,
    without_infinities,
)
from pytest_lan_hil.run.mlperf.procedures import Answer, Window
from pytest_lan_hil.run.mlperf.results import render

LOG, TEXT, JSON, INCOMPLETE = "log.txt", "results.txt", "results.json", "incomplete.json"


@contextmanager
def results_folder(folder: Path) -> Iterator[None]:
    """Make sure, before anything is measured, that results can be written; a folder left empty is removed.

    Raises:
        InputError: The folder can't be made, or no file can be written in it.
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):
                folder.rmdir()


def write(
    outcome: Outcome,
    system: System,
    console: Sequence[ConsoleLine],
    folder: Path,
    *,
    started_s: float,
    ended_s: float,
) -> None:
    """Write results.txt, results.json and log.txt.

    Args:
        outcome: What came of it.
        system: What was run.
        console: Everything that was said.
        folder: Made if it is not there.
        started_s, ended_s: Of the session, on the console's clock.

    Raises:
        InputError: The folder can't be written.
    """
    _write(folder / LOG, log_text(console, started_s, system))
    _write(folder / TEXT, render(outcome.results, ended_s - started_s))
    _write(folder / JSON, json.dumps(to_json(outcome, system), indent=2, allow_nan=False) + "\n")
    _remove(folder / INCOMPLETE)


def write_rest(
    reason: str,
    windows: Sequence[Window],
    answers: Sequence[Answer],
    system: System,
    console: Sequence[ConsoleLine],
    folder: Path,
    *,
    started_s: float,
) -> None:
    """Write what is left of a run that did not end: log.txt, and incomplete.json. There is no results.txt.

    Args:
        reason: Why it did not.
        windows, answers: Those that came before.
        system, console, folder, started_s: See `write`.

    Raises:
        InputError: The folder can't be written.
    """
    left = {
        "simulated": system.simulated,
        "error": reason,
        "windows": windows_json(windows),
        "answers": answers_json(answers),
    }
    _write(folder / LOG, log_text(console, started_s, system))
    _write(folder / INCOMPLETE, json.dumps(without_infinities(left), indent=2, allow_nan=False) + "\n")
    for name in (TEXT, JSON):
        _remove(folder / name)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _remove(path: Path) -> None:
    """Remove a file that an earlier run left under this name: it says nothing of this one."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"writing {path}: {error.strerror or error}", fix="give another folder: --out DIR")


def log_text(console: Sequence[ConsoleLine], started_s: float, system: System) -> str:
    """The conversation in the official runner's form; the pieces of an input are left out, as there."""
    lines = [f"{0:09.3f} lan-hil: {label}" for label in labels_of(system)]
    loading = False
    for line in console:
        stamp = f"{max(line.time_s - started_s, 0.0):09.3f}"
        if line.direction == RECEIVED:
            if not loading or not line.text.startswith(("m-ready", "m-load-done", "m-[Expecting")):
                lines.append(f"{stamp} dut: {line.text}")
            continue
        loading = line.text.startswith("db ")
        if not loading:
            lines.append(f'{stamp} parser: Command "dut {line.text.removesuffix("%")}"')
        elif line.text.startswith("db load "):
            size = line.text.removesuffix("%").split()[-1]
            lines.append(f"{stamp} parser: Sending {size} bytes")
    return "".join(f"{line}\n" for line in lines)
