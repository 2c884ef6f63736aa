"""The DUT's console: a serial port that is always read, every line kept with its time stamp.

A waiting call reads the port itself (a blocking read: on a simulated port this is what lets time pass).
Between waits a background thread keeps the port drained with non-blocking reads, so that nothing is lost to a
full driver buffer; it steps back whenever somebody waits. All times are of the port's own clock.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from types import TracebackType

import serial

from pytest_lan_hil.dut.cursor import RECEIVED, REMARK, SENT, Cursor
from pytest_lan_hil.dut.lines import LineAssembler, printable
from pytest_lan_hil.dut.port import WAIT_SLICE_S, open_port
from pytest_lan_hil.model.clock import Clock, clock_of
from pytest_lan_hil.model.errors import ConsoleError
from pytest_lan_hil.model.record import ConsoleLine

__all__ = ["RECEIVED", "REMARK", "SENT", "Console", "Cursor"]

_DRAIN_PERIOD_S = 0.02
_RAW_KEPT = 4096
_RAW_SHOWN = 120
# A simulated clock that does not move in this many waiting reads stands still for good.
_STALLED_READS = 200
# More than a driver keeps. A device that talks faster than it is read must not keep its reader for ever.
_TAKEN_AT_ONCE = 1 << 16


class Console:
    """An open console.

    Attributes:
        uri: As the bench names it.
        clock: The port's clock.
        baudrate: Of the line, 10 bits a byte: start, 8 data, stop.
        simulated: True if no real port stands behind it.
        description: For people.
    """

    def __init__(self, port: serial.SerialBase, uri: str) -> None:
        self.uri = uri
        self.clock: Clock = clock_of(port)
        self.baudrate: int = port.baudrate
        self.simulated = bool(getattr(port, "simulated", False))
        self.description = str(
            getattr(port, "description", "") or f"serial port {port.name} at {port.baudrate} baud"
        )
        self._port = port
        self._reading = threading.Lock()
        self._store = threading.RLock()
        self._lines: list[ConsoleLine] = []
        self._assembler = LineAssembler()
        self._line_start_s = 0.0
        self._raw = bytearray()
        self._received = 0
        self._busy_start: list[float] = []
        self._busy_stop: list[float] = []
        self._broken: ConsoleError | None = None
        self._closed = threading.Event()
        self._default = Cursor(self)
        self._thread = threading.Thread(target=self._keep_drained, name=f"console {uri}", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, uri: str, *, baudrate: int) -> Console:
        """Open the port and start reading.

        Raises:
            ConsoleError: The port can't be opened.
        """
        return cls(open_port(uri, baudrate=baudrate), uri)

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the reader and close the port; harmless in every state."""
        self._closed.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=2.0)
        # Whoever is in a blocking read gets out of it first; it lasts one slice.
        waited = self._reading.acquire(timeout=2.0)
        try:
            self._port.close()
        except (OSError, serial.SerialException):
            return  # a port that vanished can't be closed any more than it is
        finally:
            if waited:
                self._reading.release()

    # What was said ----------------------------------------------------------------------------------------

    @property
    def lines(self) -> Sequence[ConsoleLine]:
        """Every finished line so far, received and sent, in order of their first byte."""
        self.poll()
        with self._store:
            return tuple(self._lines)

    def tail(self, n: int = 200) -> tuple[ConsoleLine, ...]:
        """The last `n` lines, the unfinished one included."""
        return self.lines_since(0)[-n:]

    def lines_since(self, count: int) -> tuple[ConsoleLine, ...]:
        """The lines after the first `count` finished ones, the unfinished one included."""
        self.poll()
        with self._store:
            lines = self._lines[count:]
            if self._assembler.has_pending:
                lines.append(ConsoleLine(self._line_start_s, RECEIVED, self._assembler.pending))
            return tuple(lines)

    @property
    def bytes_received(self) -> int:
        """Bytes that came since the console was opened."""
        self.poll()
        return self._received

    def last_bytes(self, n: int = _RAW_SHOWN) -> str:
        """The last bytes received, control characters and bytes that are no text escaped."""
        with self._store:
            raw = bytes(self._raw[-n:])
        return "\\n".join(printable(piece.replace(b"\r", b"")) for piece in raw.split(b"\n"))

    def cursor(self) -> Cursor:
        """A reader of its own that starts behind everything received so far."""
        self.poll()
        cursor = Cursor(self)
        cursor.skip()
        return cursor

    # Bytes at rest ----------------------------------------------------------------------------------------

    def quiet_between(self, start: float, stop: float) -> bool:
        """True if no byte moved in the open interval from `start` to `stop`, times of `clock`.

        Call `poll` (every property here does) at `start`, so that bytes that had arrived before get an
        earlier stamp.
        """
        self.poll()
        with self._store:
            before_stop = bisect_left(self._busy_start, stop)
            until_start = bisect_right(self._busy_stop, start)
            return until_start >= before_stop

    def at_rest_since(self, t: float) -> bool:
        """True if no byte moved after `t`."""
        return self.quiet_between(t, float("inf"))

    # Talking ----------------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Send `text` as it stands (a command needs its terminator).

        Raises:
            ConsoleError: The port broke.
        """
        data = text.encode("utf-8")
        self._send(data, [printable(piece) for piece in data.splitlines()])

    def write_bytes(self, data: bytes) -> None:
        """Send raw bytes; they are kept as one line that says how many.

        Raises:
            ConsoleError: The port broke.
        """
        self._send(data, [f"({len(data)} raw bytes)"])

    def remark(self, text: str) -> None:
        """Keep a line of the harness's own among those that were said, for who reads them later."""
        self.poll()
        with self._store:
            self._lines.append(ConsoleLine(self.clock.monotonic(), REMARK, text))

    def _send(self, data: bytes, shown: list[str]) -> None:
        self.poll()
        now = self.clock.monotonic()
        try:
            self._port.write(data)
        except (OSError, serial.SerialException) as error:
            raise self._break(error) from error
        with self._store:
            self._note_busy(now, now + 10 * len(data) / self.baudrate)
            self._lines.extend(ConsoleLine(now, SENT, line) for line in shown)

    def expect(self, pattern: str | re.Pattern[str], *, timeout_s: float) -> re.Match[str]:
        """Wait for a line in which the regular expression is found; see `Cursor.expect`.

        Reads with a cursor of its own: lines that other callers consumed meanwhile are still seen here.

        Raises:
            DutTimeout: Not seen within `timeout_s`.
            ConsoleError: The port broke.
        """
        return self._default.expect(pattern, timeout_s=timeout_s)

    def drain(self, seconds: float) -> None:
        """Go on reading for this long.

        Raises:
            ConsoleError: The port broke.
        """
        stop = self.clock.monotonic() + seconds
        stalled = 0
        while (left := stop - self.clock.monotonic()) > 0:
            before = self.clock.monotonic()
            self.wait_bytes(left)
            stalled = stalled + 1 if self.clock.monotonic() <= before else 0
            self._check_clock(stalled)

    def poll(self) -> None:
        """Take what has arrived, without waiting. Never raises; a broken port is reported by the next
        wait."""
        with self._reading:
            self._take_waiting()

    def wait_bytes(self, seconds: float) -> bool:
        """Wait at most `seconds` (and at most one slice) for bytes; True if some came.

        Raises:
            ConsoleError: The port broke or is closed.
        """
        with self._reading:
            if self._broken is not None:
                raise self._broken
            if self._closed.is_set():
                raise ConsoleError(f"reading console {self.uri}: it is closed")
            try:
                wanted = min(WAIT_SLICE_S, max(seconds, 0.0))
                if self._port.timeout != wanted:
                    self._port.timeout = wanted
                data = self._port.read(1)
            except (OSError, serial.SerialException) as error:
                raise self._break(error) from error
            if data:
                self._store_bytes(data)
            self._take_waiting()
            return bool(data)

    # Inside -----------------------------------------------------------------------------------------------

    def _keep_drained(self) -> None:
        while not self._closed.wait(_DRAIN_PERIOD_S) and self._broken is None:
            if self._reading.acquire(blocking=False):
                try:
                    self._take_waiting()
                finally:
                    self._reading.release()

    def _take_waiting(self) -> None:
        """Read what is there, and some of what comes meanwhile; the caller holds `_reading`."""
        if self._broken is not None or self._closed.is_set():
            return
        taken = 0
        try:
            while taken < _TAKEN_AT_ONCE:
                waiting = self._port.in_waiting  # type: ignore[attr-defined]  # every port has it
                if not waiting:
                    return
                self._store_bytes(self._port.read(waiting))
                taken += waiting
        except (OSError, serial.SerialException) as error:
            self._break(error)

    def _store_bytes(self, data: bytes) -> None:
        now = self.clock.monotonic()
        with self._store:
            self._received += len(data)
            self._raw += data
            del self._raw[:-_RAW_KEPT]
            self._note_busy(now, now)
            if not self._assembler.has_pending:
                self._line_start_s = now
            for text in self._assembler.feed(data):
                self._lines.append(ConsoleLine(self._line_start_s, RECEIVED, text))
                self._line_start_s = now

    def _note_busy(self, start: float, stop: float) -> None:
        """Remember that bytes moved from `start` to `stop`; intervals stay disjoint and rising."""
        if self._busy_stop and start <= self._busy_stop[-1]:
            self._busy_stop[-1] = max(self._busy_stop[-1], stop)
            return
        self._busy_start.append(start)
        self._busy_stop.append(stop)

    def _break(self, error: Exception) -> ConsoleError:
        if self._broken is None:
            self._broken = ConsoleError(
                f"console {self.uri} broke while in use: {error or type(error).__name__}; "
                f"last bytes: {self.last_bytes() or '(none)'}",
                fix="check the cable, and that no other program has the port open",
            )
        return self._broken

    def _check_clock(self, stalled: int) -> None:
        if stalled > _STALLED_READS:
            raise ConsoleError(f"console {self.uri}: its clock stands still while it is being waited for")
