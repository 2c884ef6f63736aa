"""A GPIO chip of the kernel through the `gpiod` package (libgpiod v2), and what the house uses of any chip.

https://libgpiod.readthedocs.io. The package is imported here and only when a chip is opened. Other chips come
from entry points, see `gpiod_open`; they fail as Linux does, with an OSError and its number.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from pytest_lan_hil.model.errors import InstrumentError

CONSUMER = "lan-hil"
#: Names of a line's bias, as `gpioset` and `gpiomon` of libgpiod's tools take them.
BIASES = ("pull-down", "pull-up", "disabled", "as-is")


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How lines are asked for: one of `BIASES`, debounce time in us, and events that the kernel keeps."""

    bias: str
    debounce_us: int
    event_buffer_size: int


class LineRequest(Protocol):
    """Lines that are held and watched: the methods of `gpiod.LineRequest`. Each may raise OSError."""

    def get_values(self, lines: Sequence[int]) -> Sequence[Any]:
        """Levels by offset, true for high."""
        ...

    def wait_edge_events(self, timeout: float) -> bool:
        """Events, or an error, can be read now; waits so many seconds at most."""
        ...

    def read_edge_events(self, max_events: int) -> Sequence[Any]:
        """The oldest events, with the attributes of `gpiod.EdgeEvent`."""
        ...

    def release(self) -> None:
        """Let go of the lines."""
        ...


class NoLines:
    """The request of a bench whose board raises none of the wired lines; see `LineRequest`."""

    def get_values(self, lines: Sequence[int]) -> Sequence[Any]:  # noqa: ARG002 - the protocol's
        """None."""
        return ()

    def wait_edge_events(self, timeout: float) -> bool:  # noqa: ARG002 - the protocol's
        """There will be none."""
        return False

    def read_edge_events(self, max_events: int) -> Sequence[Any]:  # noqa: ARG002 - the protocol's
        """None."""
        return ()

    def release(self) -> None:
        """Nothing is held."""


class Chip(Protocol):
    """A GPIO chip. Each method may raise OSError.

    It may also report `simulated`, `notes`, and a `clock` together with `repeat(act)` (see `pace`).

    Attributes:
        label: What its driver calls it.
    """

    label: str

    def line_offset_from_id(self, id: str) -> int:
        """Offset of the line with this name or number."""
        ...

    def consumer(self, offset: int) -> str:
        """Who holds the line; empty if nobody does."""
        ...

    def request_lines(self, offsets: Sequence[int], settings: LineSettings) -> LineRequest:
        """Hold lines and watch both edges of each."""
        ...

    def close(self) -> None:
        """Let go of the chip."""
        ...


class KernelChip:
    """The chip at a path such as /dev/gpiochip0; see `Chip`.

    Raises:
        InstrumentError: The `gpiod` package is absent or too old.
        OSError: There is no such chip.
    """

    def __init__(self, path: str) -> None:
        self._gpiod = _package()
        self._chip = self._gpiod.Chip(path)
        self.label = str(self._chip.get_info().label)

    def line_offset_from_id(self, id: str) -> int:
        """See `Chip`. The package says of a number beyond the chip's lines that it is no offset."""
        try:
            return int(self._chip.line_offset_from_id(id))
        except ValueError as error:
            raise OSError(errno.ENOENT, str(error)) from error

    def consumer(self, offset: int) -> str:
        """See `Chip`."""
        info = self._chip.get_line_info(offset)
        return str(info.consumer or "an unnamed process") if info.used else ""

    def request_lines(self, offsets: Sequence[int], settings: LineSettings) -> LineRequest:
        """See `Chip`. Events are stamped with CLOCK_MONOTONIC, which is `time.monotonic`."""
        line = self._gpiod.line
        wish = self._gpiod.LineSettings(
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.BOTH,
            bias=line.Bias[settings.bias.replace("-", "_").upper()],
            debounce_period=timedelta(microseconds=settings.debounce_us),
            event_clock=line.Clock.MONOTONIC,
        )
        request: LineRequest = self._chip.request_lines(
            {tuple(offsets): wish}, consumer=CONSUMER, event_buffer_size=settings.event_buffer_size
        )
        return request

    def close(self) -> None:
        """See `Chip`."""
        self._chip.close()


def failed(attempt: str, error: OSError, *, device: str, holder: str = "") -> InstrumentError:
    """What an error of a GPIO chip means, and what helps.

    Args:
        attempt: What was being done.
        error: As Linux told it.
        device: The chip, for messages.
        holder: Who holds the line, where that is known.
    """
    present = sorted(str(path) for path in Path("/dev").glob("gpiochip*"))
    there = f"chips here: {', '.join(present)}" if present else "no GPIO chip is present on this host"
    list_them = f"{there}; `gpiodetect` describes them"
    problem, fix = {
        errno.ENOENT: ("there is no such chip", list_them),
        errno.ENOTTY: ("that is not a GPIO chip", list_them),
        errno.ENODEV: ("the chip is gone, or is none", f"plug it in again; {list_them}"),
        errno.EACCES: (
            "permission denied",
            f"add yourself to the group that owns {device} (Raspberry Pi OS: `sudo usermod -aG gpio $USER`),"
            " then log in again",
        ),
        errno.EBUSY: (
            f"{holder or 'another process or driver'} holds the line",
            "end it, or wire the marker line to another line: `gpioinfo` shows which are free",
        ),
        errno.ENXIO: (
            "the line can't raise interrupts",
            "wire the marker line to a line that can, for instance of the Raspberry Pi's own header",
        ),
    }.get(error.errno or 0, (error.strerror or str(error), "see `gpioinfo`"))
    return InstrumentError(f"{attempt}: {problem}", fix=fix)


def _package() -> ModuleType:
    try:
        import gpiod
    except ImportError as error:
        raise InstrumentError(
            "opening a GPIO chip: the gpiod package is not installed",
            fix='run `pip install "pytest-lan-hil[gpio]"` (Linux only)',
        ) from error
    if not hasattr(gpiod, "LineRequest"):
        raise InstrumentError(
            "opening a GPIO chip: the installed gpiod package is version 1, which can't tell lost events",
            fix='run `pip install "pytest-lan-hil[gpio]"`, which brings version 2',
        )
    return gpiod
