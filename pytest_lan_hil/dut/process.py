"""A program of this host as a DUT: `exec:./dut_program argument ...`, talked to over a pseudo terminal.

The program's standard input and output are a terminal in raw mode, so that it sends each line at once and
nothing is echoed or translated. Its standard error goes to a file and is quoted when it ends. A program that
ends while it is being talked to is a DUT that failed (`DutFault`), not a broken bench; what it said before is
read to the last byte.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

import serial

from pytest_lan_hil.model.errors import ConsoleError, DutFault, InputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SCHEME = "exec:"
# How long a program may take to end by itself, once its terminal is gone and once it was told to.
_GRACE_S = 0.5
_STDERR_SHOWN = 1000
_PR_SET_PDEATHSIG = 1


class ProcessPort(serial.SerialBase):
    """A serial port whose far end is a program; the program runs while the port is open.

    Attributes:
        description: For people.
        simulated: False: what runs is the program itself, in the host's time.
    """

    simulated = False
    description = ""

    def open(self) -> None:
        """Start the program that `port` ("exec:PROGRAM ARGUMENT ...") names.

        Raises:
            InputError: It names no program.
            ConsoleError: It can't be started, or this system has no pseudo terminals.
        """
        self._start(words_of(str(self.port)))
        self.is_open = True

    def _start(self, words: list[str]) -> None:
        """Start a program, its standard input and output our terminal."""
        terminal = self._open_terminal()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the port
        try:
            # A session of its own: Ctrl-C is for the harness, which then ends the program in order.
            self._process = subprocess.Popen(
                words,
                stdin=terminal,
                stdout=terminal,
                stderr=self._stderr,
                start_new_session=True,
                preexec_fn=_end_with_parent(),
            )
        except OSError as error:
            os.close(self._fd)
            self._stderr.close()
            raise ConsoleError(
                f"console {self.port}: starting {words[0]}: {error.strerror}",
                fix="check that the file is there, is a program for this machine, and may be executed",
            ) from error
        finally:
            os.close(terminal)
        self.description = f"process {self._process.pid} of this host: {shlex.join(words)}"

    def _open_terminal(self) -> int:
        """Open the pair, keep our end, return the program's."""
        try:
            import tty

            self._fd, terminal = os.openpty()
        except (ImportError, AttributeError, OSError) as error:
            raise ConsoleError(
                f"console {self.port}: this system gives no pseudo terminal: {error}",
                fix="run it on Linux or macOS",
            ) from error
        tty.setraw(terminal)
        os.set_blocking(self._fd, False)
        return terminal

    def close(self) -> None:
        """End the program and everything that it started; harmless in every state."""
        if not self.is_open:
            return
        self.is_open = False
        self._end()

    def _end(self) -> None:
        """Hang up, and see to it that the program ends."""
        os.close(self._fd)  # the program reads an end of file
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_GRACE_S)
        for last in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, last)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_GRACE_S)
        self._stderr.close()

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived."""
        self._require_open()
        import fcntl
        import termios

        (count,) = struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4)))
        return int(count)

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; waits for them for `timeout` seconds (None: for ever).

        Raises:
            DutFault: The program has ended, and everything that it said has been read.
        """
        self._require_open()
        stop = None if self.timeout is None else time.monotonic() + self.timeout
        data = b""
        while len(data) < size:
            left = None if stop is None else max(stop - time.monotonic(), 0.0)
            if not select.select([self._fd], [], [], left)[0]:
                break
            try:
                piece = os.read(self._fd, size - len(data))
            except OSError:  # Linux's way to say that the other end is closed; others say it with no bytes
                piece = b""
            if not piece:
                if data:
                    break
                raise self.ended()
            data += piece
        return data

    def write(self, b: ReadableBuffer, /) -> int:
        """Send all bytes.

        Raises:
            DutFault: The program has ended.
            SerialTimeoutException: It takes nothing within `write_timeout`.
        """
        self._require_open()
        data = bytes(b)
        sent = 0
        while sent < len(data):
            if not select.select([], [self._fd], [], self.write_timeout)[1]:
                raise serial.SerialTimeoutException(f"{self.description} reads nothing")
            try:
                sent += os.write(self._fd, data[sent:])
            except OSError as error:
                raise self.ended() from error
        return sent

    def ended(self) -> DutFault:
        """What the user must know of a program that is about to be gone; waits a little for that."""
        try:
            code = self._process.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            how = "closed its standard input and output, but runs on" if self._hung_up() else "runs on"
        else:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            how += " while it was being talked to"
        length = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, length - _STDERR_SHOWN))
        said = self._stderr.read().decode("utf-8", "replace").strip()
        told = f"its standard error:\n{said}" if said else "it said nothing on its standard error"
        return DutFault(
            f"{self.description}: the program {how}; {told}",
            fix="run it in a terminal and type the commands that the log shows, each ended by %",
        )

    def _hung_up(self) -> bool:
        """True if nobody holds the program's end of the terminal any more."""
        terminal = select.poll()
        terminal.register(self._fd, 0)
        return any(events & select.POLLHUP for _, events in terminal.poll(0))

    def _require_open(self) -> None:
        if not self.is_open:
            raise serial.PortNotOpenError

    def _reconfigure_port(self, force_update: bool = False) -> None:  # noqa: FBT001, FBT002 - pyserial's
        """Baud rate and framing mean nothing to a pseudo terminal."""

    def _update_rts_state(self) -> None:
        """RTS is kept and wired to nothing."""

    def _update_dtr_state(self) -> None:
        """DTR is kept and wired to nothing."""


def _end_with_parent() -> Callable[[], None] | None:
    """What makes Linux kill the program if this process is killed and can't do it; None elsewhere.

    prctl(2), PR_SET_PDEATHSIG.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    # Looked up here: between fork and exec nothing may be imported.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    kill = int(signal.SIGKILL)
    return lambda: prctl(_PR_SET_PDEATHSIG, kill, 0, 0, 0) and None


def open_process(uri: str, *, baudrate: int, timeout: float) -> ProcessPort:
    """Start the program of an `exec:` URI.

    Args:
        uri: "exec:PROGRAM ARGUMENT ...", quoted as a shell would read it; no shell is used.
        baudrate: Reported, and without effect.
        timeout: How long a read waits at most, seconds.

    Raises:
        InputError: It names no program.
        ConsoleError: It can't be started.
    """
    port = ProcessPort(baudrate=baudrate, timeout=timeout, write_timeout=5.0)
    port.port = uri
    port.open()
    return port


def words_of(uri: str) -> list[str]:
    """Program and arguments of an `exec:` URI, quoted as a shell would read it.

    Raises:
        InputError: It names no program.
    """
    try:
        words = shlex.split(uri.removeprefix(SCHEME))
    except ValueError as error:
        raise InputError(f"console {uri}: {error}", fix="pair the quotes, as for a shell") from error
    if not words:
        raise InputError(f"console {uri}: it names no program", fix="write exec:./program argument ...")
    return words
