"""Replies on disk, so that an evaluation that was interrupted goes on where it stopped.

One JSON line each, after a first line that says whose they are: board, bench, image, dataset. A line counts
once its line end is written; what an interruption left of a last line is cut off.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from pydantic import TypeAdapter, ValidationError

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.publish.files import write_atomically
from pytest_lan_hil.run.accuracy.evaluation import Reply

_REPLY = TypeAdapter(Reply)


@dataclass(frozen=True, slots=True)
class Key:
    """Which evaluation: only replies to the same recordings, by the same image, may be put together.

    Attributes:
        board, bench: Names.
        image: SHA-256 of the image file.
        dataset: SHA-256 of the dataset.
    """

    board: str
    bench: str
    image: str
    dataset: str

    @property
    def name(self) -> str:
        """Of the journal's file, without its suffix."""
        return f"{self.board}-{self.bench}-{self.image[:12]}-{self.dataset[:12]}"


class Journal:
    """An open journal; close it, or use it in a `with`.

    Attributes:
        path: Its file.
        replies: Those on file, by the name of the recording.
    """

    def __init__(self, path: Path, key: Key) -> None:
        """Open the journal of `key`, or begin it.

        Raises:
            InputError: It can't be read or written, or is damaged.
        """
        self.path = path
        self._heading = heading = json.dumps(dataclasses.asdict(key)) + "\n"
        try:
            found = path.read_text(encoding="utf-8") if path.exists() else ""
            kept = found[: found.rfind("\n") + 1]
            if not kept.startswith(heading):
                kept = heading
            self.replies = {reply.file: reply for reply in _read(kept.splitlines()[1:], path)}
            if kept != found:
                write_atomically(path, kept)
            self._file: IO[str] = path.open("a", encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _unusable(path, error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def drop(self, files: Collection[str]) -> None:
        """Forget the replies to these recordings; those to others stay.

        Raises:
            InputError: It can't be written.
        """
        kept = {file: reply for file, reply in self.replies.items() if file not in files}
        try:
            self._file.close()
            write_atomically(self.path, self._heading + "".join(map(_line, kept.values())))
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise _unusable(self.path, error) from error
        self.replies = kept

    def append(self, reply: Reply) -> None:
        """Add a reply; it is on file when this returns.

        Raises:
            InputError: It can't be written.
        """
        try:
            self._file.write(_line(reply))
            self._file.flush()
        except OSError as error:
            raise _unusable(self.path, error) from error
        self.replies[reply.file] = reply


def forget(path: Path) -> None:
    """Remove a journal, if it is there.

    Raises:
        InputError: It can't be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(path, error) from error


def _line(reply: Reply) -> str:
    return json.dumps(dataclasses.asdict(reply)) + "\n"


def _read(lines: list[str], path: Path) -> list[Reply]:
    replies = []
    for number, line in enumerate(lines, start=2):
        try:
            replies.append(_REPLY.validate_json(line, strict=True))
        except ValidationError as error:
            raise InputError(
                f"{path}:{number} is no reply of an earlier run: {error.errors()[0]['msg']}",
                fix="start anew with --restart",
            ) from error
    return replies


def _unusable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"journal {path}: {getattr(error, 'strerror', None) or error}",
        fix="give another folder with --out DIR, or start anew with --restart",
    )
