"""What an instrument offers that can record straight to disk, for captures longer than memory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What became of a recording to disk.

    Attributes:
        path: The file.
        duration_s: On the sample clock.
        lost_share: Share of current and voltage samples that are missing, 0 to 1.
        size_bytes: Of the file.
        complete: False if it ended before it was told to.
        problem: Why, else "".
    """

    path: Path
    duration_s: float
    lost_share: float
    size_bytes: int
    complete: bool
    problem: str


class Stream(Protocol):
    """A recording to disk that is being made."""

    @property
    def problem(self) -> str:
        """Why nothing more is recorded (unplugged, disk full), "" while all is well."""
        ...

    @property
    def report(self) -> StreamReport | None:
        """What became of it, once the block has ended."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A power analyzer that can stream to disk; others record in memory."""

    def stream_to(self, path: Path) -> AbstractContextManager[Stream]:
        """Record into a JLS file while the block runs.

        The file is closed however the block ends, so that what was recorded can be read.

        Args:
            path: Overwritten if it exists.

        Raises:
            InputError: The file can't be made.
            InstrumentError: A recording is under way, the instrument is gone, or the disk is full at the end.
        """
        ...
