"""Talking to a device over its serial port for months: a command, the lines of its answer, nothing kept.

`dut.console` keeps every line of a session and its time; this keeps none, and every wait is bounded both on
the port's clock and on the host's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import serial

from pytest_lan_hil.dut import protocol
from pytest_lan_hil.dut.lines import LineAssembler
from pytest_lan_hil.dut.port import WAIT_SLICE_S, open_port, register_protocols
from pytest_lan_hil.dut.process import SCHEME
from pytest_lan_hil.model.clock import clock_of

READY = "m-ready"
GREETING = "m-init-done"
#: Answers to `lnn metrics` begin with it.
FRAME = "m-lnn-metrics-"
#: Longest that a device may take for an answer, seconds of its own clock.
ANSWER_S = 2.0

# Bytes that are taken of what came unasked: a device that never stops talking is left at that.
_UNASKED_BYTES = 1 << 16
# The port of a simulated device has a clock of its own, which may stand still: then the host's ends the wait.
_HOST_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a command.

    Attributes:
        lines: Every line, unasked ones before it included, the closing `m-ready` left out.
        finished: `m-ready` came.
    """

    lines: tuple[str, ...]
    finished: bool

    @property
    def frames(self) -> tuple[str, ...]:
        """Lines that want to be metrics frames."""
        return tuple(line for line in self.lines if line.startswith(FRAME))

    @property
    def out_of_step(self) -> bool:
        """It closes another answer, or the greeting after a reset: ask again."""
        return self.finished and not self.frames and (not self.lines or GREETING in self.lines)

    @property
    def error(self) -> str:
        """The device's first error message, or ""."""
        return next((line for line in self.lines if line.startswith("e-")), "")


class Link:
    """An open port, spoken to by one thread.

    Raises (all methods): OSError, serial.SerialException, DutFault when the port or the program is gone.
    """

    def __init__(self, port: Any) -> None:
        self._port = port  # serial.SerialBase, whose stubs lack what all ports have: in_waiting
        self._clock = clock_of(port)
        self._assembler = LineAssembler()

    @property
    def place(self) -> str:
        """What was opened: the device file, or the URI."""
        return str(self._port.port)

    def ask(self, command: str, *, limit_s: float = ANSWER_S) -> Answer:
        """Send a command and wait for its answer, `limit_s` at most."""
        lines = self._unasked()
        self._port.write(protocol.command(command).encode("ascii"))
        stop = self._clock.monotonic() + limit_s
        host_stop = time.monotonic() + max(limit_s, _HOST_LIMIT_S)
        while (left := stop - self._clock.monotonic()) > 0 and time.monotonic() < host_stop:
            self._port.timeout = min(WAIT_SLICE_S, left)
            for line in self._assembler.feed(self._read()):
                if line == READY:
                    return Answer(tuple(lines), finished=True)
                lines.append(line)
        return Answer((*lines, *self._unfinished()), finished=False)

    def _read(self) -> bytes:
        """Whatever is there, waiting for the first byte as long as the port's timeout."""
        data: bytes = self._port.read(1)
        waiting = self._port.in_waiting if data else 0
        return data + self._port.read(waiting) if waiting else data

    def _unasked(self) -> list[str]:
        """Lines that came since the last answer; the rest of a line goes, so that the next begins clean."""
        self._port.timeout = 0
        lines: list[str] = []
        taken = 0
        while taken < _UNASKED_BYTES and (waiting := self._port.in_waiting):
            data = self._port.read(waiting)
            taken += len(data)
            lines += self._assembler.feed(data)
        lines += self._unfinished()
        return [line for line in lines if line != READY]

    def _unfinished(self) -> list[str]:
        """A frame that was cut, if one was: a line that did not end."""
        pending = self._assembler.pending
        self._assembler = LineAssembler()
        return [pending] if pending.startswith(FRAME) else []


@contextmanager
def opened(uri: str, *, baudrate: int) -> Iterator[Link]:
    """A link to the port; closed in every case.

    Raises:
        ConsoleError: It can't be opened.
        InputError: It names no program.
    """
    port = open_port(uri, baudrate=baudrate)
    try:
        yield Link(port)
    finally:
        with suppress(OSError, serial.SerialException):  # what vanished is closed already
            port.close()


def is_simulated(uri: str) -> bool:
    """True if no real device can stand behind this URI; nothing is opened."""
    if uri.startswith(SCHEME) or "://" not in uri:
        return False
    register_protocols()
    try:
        port = serial.serial_for_url(uri, do_not_open=True)
    except (OSError, ValueError, serial.SerialException):
        return False  # an unknown protocol: opening it will say so
    return bool(getattr(port, "simulated", False))
