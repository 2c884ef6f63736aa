"""The console of a board whose image is a program of this host: a port that outlives the program behind it.

Until a program is started, and after it has ended, the line is silent, as that of a board without power.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lan_hil.config.uris import IMAGE
from pytest_lan_hil.dut.process import ProcessPort, words_of
from pytest_lan_hil.model.errors import ConsoleError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ProgramPort(ProcessPort):
    """A serial port at whose far end one program after another is started.

    `port` is the bench's `exec:{image} ARGUMENT ...`; see `ProcessPort` for the rest.
    """

    def open(self) -> None:
        """Nothing runs yet; see `start`.

        Raises:
            InputError: The URI names no program.
        """
        self._template = words_of(str(self.port))
        self._running = False
        # The console's reader polls from its own thread while a program is exchanged.
        self._exchange = threading.RLock()
        self.description = "the board's image as a process of this host"
        self.is_open = True

    def start(self, program: Path) -> None:
        """End the program that runs, if one does, and start this one.

        Raises:
            ConsoleError: It can't be started.
        """
        with self._exchange:
            self._stop()
            self._start([word.replace(IMAGE, str(program)) for word in self._template])
            self._running = True

    @property
    def process_id(self) -> int | None:
        """Of the program that was started last, ended or not; None before the first."""
        return self._process.pid if self._running else None

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived."""
        with self._exchange:
            return super().in_waiting if self._running else 0

    def read(self, size: int = 1) -> bytes:
        """As `ProcessPort.read`; nothing comes where no program was started yet."""
        with self._exchange:
            if self._running:
                return super().read(size)
        time.sleep(self.timeout or 0.0)
        return b""

    def write(self, b: ReadableBuffer, /) -> int:
        """As `ProcessPort.write`.

        Raises:
            DutFault: The program has ended.
            ConsoleError: None was started yet.
        """
        with self._exchange:
            if self._running:
                return super().write(b)
        raise ConsoleError(
            f"console {self.port}: no program runs yet that could be talked to",
            fix="ask for the `dut` fixture, which starts the board's image",
        )

    def close(self) -> None:
        """End the program; harmless in every state."""
        if self.is_open:
            with self._exchange:
                self.is_open = False
                self._stop()

    def _stop(self) -> None:
        if self._running:
            self._running = False
            self._end()


def open_program_port(uri: str, *, baudrate: int, timeout: float) -> ProgramPort:
    """The port of an `exec:{image}` URI, with nothing behind it yet; arguments as of `open_process`.

    Raises:
        InputError: The URI names no program.
    """
    port = ProgramPort(baudrate=baudrate, timeout=timeout, write_timeout=5.0)
    port.port = uri
    port.open()
    return port
