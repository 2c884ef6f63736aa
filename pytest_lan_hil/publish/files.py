"""Where a run's files lie, and how they are written: whole or not at all.

    <hil-output>/runs/<run_id>/record.json, report.html, report.txt, metrics.prom, waveform-NNN.json
    <hil-output>/latest        the newest run: a symlink to its folder, or a file that holds the folder's path
    <hil-output>/spool/        runs that no Pushgateway has taken yet (see `spool`)

Lasting names here are interfaces: docs/reference/outputs.md.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

from pytest_lan_hil.model.errors import InputError

RECORD_NAME = "record.json"
HTML_NAME = "report.html"
TEXT_NAME = "report.txt"
METRICS_NAME = "metrics.prom"
LATEST_NAME = "latest"

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def run_directory(output: Path, run_id: str) -> Path:
    """Folder of one run below the output folder; nothing is created.

    Raises:
        InputError: The run id can't be a folder's name.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise InputError(
            f"run id {run_id!r} can't name a folder",
            fix="use letters, digits and . _ + - only, beginning with a letter or digit",
        )
    return output / "runs" / run_id


def write_atomically(path: Path, text: str) -> Path:
    """Write UTF-8 text so that `path` holds all of it, or what it held before.

    A temporary file in the same folder is written, flushed to the disk and renamed over `path`; the folder is
    flushed too, so that the name survives a power cut. Folders are made as needed. Code points that UTF-8
    can't hold (garbage from a console) are written as backslash escapes.

    Raises:
        InputError: The file can't be written; nothing is left behind.
    """
    data = text.encode("utf-8", "backslashreplace")
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes the file private; a report is meant for whoever may read the folder
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        temporary = ""
        _flush_folder(path.parent)
    except OSError as error:
        raise InputError(
            f"writing {path}: {error.strerror or error}",
            fix="make room or rights there, or choose another folder with --hil-output DIR",
        ) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
    return path


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def point_latest(output: Path, run_id: str) -> Path:
    """Make `<output>/latest` name this run: a relative symlink, or a small file where links aren't allowed.

    Raises:
        InputError: Neither can be written.
    """
    pointer = output / LATEST_NAME
    target = run_directory(Path(), run_id)
    temporary = output / f".{LATEST_NAME}-{os.getpid()}"
    try:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        temporary.symlink_to(target, target_is_directory=True)
        temporary.replace(pointer)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        return write_atomically(pointer, f"{target.as_posix()}\n")
    return pointer


def latest_directory(output: Path) -> Path:
    """Folder of the newest run.

    Raises:
        InputError: There is none.
    """
    pointer = output / LATEST_NAME
    folder = pointer.resolve() if pointer.is_symlink() else pointer
    if pointer.is_file():
        folder = output / pointer.read_text(encoding="utf-8").strip()
    if not (folder / RECORD_NAME).is_file():
        raise InputError(
            f"no run is recorded in {output}",
            fix="run `pytest --board NAME` first, or name the folder with --hil-output DIR",
        )
    return folder
