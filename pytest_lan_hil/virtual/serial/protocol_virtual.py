"""pyserial's `virtual://BOARD/UART[?fault=...]`: the host's end of a virtual board's UART.

A read with a timeout lets virtual time pass until the bytes are there or that many virtual seconds are over.
Nothing else here takes time: a write is queued on the line, and what has arrived can be looked at and taken
without waiting, from any thread. Line and chip are in `uart_line` and `silicon`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from serial import EIGHTBITS, PARITY_NONE, STOPBITS_ONE, PortNotOpenError, SerialBase, SerialException

from pytest_lan_hil.model.errors import HilError
from pytest_lan_hil.virtual.names import is_board, known_boards, silicon_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

    from pytest_lan_hil.model.clock import Clock
    from pytest_lan_hil.virtual.board import VirtualBoard
    from pytest_lan_hil.virtual.uart_line import UartLine

# A read without a timeout looks this often whether the port was closed or the read cancelled.
_ENDLESS_SLICE_S = 0.1


class Serial(SerialBase):
    """A virtual port.

    Attributes:
        simulated: Always True.
        description: For people.
    """

    simulated = True
    description = ""

    # -- opening -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the board of the URL, and listen from now on.

        Raises:
            SerialException: No such board or UART, or another process has the board.
            ValueError: Line settings that a virtual line does not have.
        """
        if self.is_open:
            raise SerialException(f"{self.port} is open already")
        name, uart, faults = self._parse()
        self._check_settings()
        try:
            from pytest_lan_hil.virtual.board import acquire, release
        except ImportError as error:
            raise SerialException(f"{self.port}: {error}; install pytest-lan-hil[virtual]") from error
        try:
            silicon = silicon_of(name)
            board = acquire(name)
        except HilError as error:
            raise SerialException(f"{self.port}: {error}") from error
        line: UartLine = board.uarts[uart]
        try:
            with board.lock:
                line.add_faults(faults)
                line.host_baud = self.baudrate
                line.host_read()
        except HilError as error:
            release(board)
            raise SerialException(f"{self.port}: {error}") from error
        self._board: VirtualBoard = board
        self._line = line
        self._let_go: Callable[[], None] = lambda: release(board)
        self._cancelled = False
        self.description = (
            f"{uart} ({silicon.uarts[uart]}) of {name} (virtual {silicon.title}) at {self.baudrate} baud"
        )
        self.is_open = True

    def close(self) -> None:
        """Let the board go; harmless in every state."""
        if self.is_open:
            self.is_open = False
            self._let_go()

    def _parse(self) -> tuple[str, str, str]:
        """Board, UART and faults of the URL."""
        if self.port is None:
            raise SerialException("a virtual port needs a URL: virtual://nrf52840/uart0")
        url = urlsplit(self.port)
        uart = url.path.strip("/")
        options = parse_qs(url.query, keep_blank_values=True)
        unknown = sorted(options.keys() - {"fault"})
        known = is_board(url.netloc)
        if url.scheme != "virtual" or (known and uart not in silicon_of(url.netloc).uarts) or unknown:
            what = f"option {unknown[0]!r}" if unknown else f"UART {uart!r}"
            ports = [f"virtual://{name}/{each}" for name in known_boards() for each in silicon_of(name).uarts]
            raise SerialException(
                f"{self.port}: there is no {what}; virtual ports are {', '.join(ports)}, "
                "each with ?fault=... if wanted"
            )
        return url.netloc, uart, ",".join(options.get("fault", ()))

    def _check_settings(self) -> None:
        if self.bytesize != EIGHTBITS or self.parity != PARITY_NONE or self.stopbits != STOPBITS_ONE:
            raise ValueError(f"{self.port}: a virtual line carries 8 data bits, no parity, one stop bit")
        if self.xonxoff or self.rtscts or self.dsrdtr:
            raise ValueError(f"{self.port}: a virtual line has no flow control")
        if not self.baudrate > 0:
            raise ValueError(f"{self.port}: {self.baudrate} is not a baud rate")

    # -- what the harness asks ---------------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The board's clock, while the port is open."""
        self._require_open()
        return self._board.clock

    # -- reading -----------------------------------------------------------------------------------------

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived; no time passes."""
        self._require_open()
        with self._board.lock:
            return self._line.host_waiting

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; waits for them for `timeout` virtual seconds (None: for ever, 0: not at all).

        Raises:
            PortNotOpenError: The port is closed.
            BlockedError: The board came to something that the virtual bench does not model.
        """
        self._require_open()
        self._cancelled = False
        timeout = self.timeout
        if timeout is not None:
            self._wait(size, timeout)
        else:
            while not self._wait(size, _ENDLESS_SLICE_S):
                pass
        with self._board.lock:
            return self._line.host_read(size)

    def _wait(self, size: int, seconds: float) -> bool:
        """Let time pass until `size` bytes are there or nobody wants them; False if there was too little."""
        line = self._line

        def done() -> bool:
            return line.host_waiting >= size or self._cancelled or not self.is_open

        return self._board.advance_until(done, seconds)

    def cancel_read(self) -> None:
        """Make a waiting read return with what it has."""
        self._cancelled = True

    def reset_input_buffer(self) -> None:
        """Forget what has arrived."""
        self._require_open()
        with self._board.lock:
            self._line.host_read()

    # -- writing -----------------------------------------------------------------------------------------

    def write(self, b: ReadableBuffer, /) -> int:
        """Queue bytes on the line; they travel at the line rate as time passes. Takes no time.

        Returns:
            Their number.
        """
        self._require_open()
        data = bytes(memoryview(b))
        with self._board.lock:
            self._line.host_write(data)
        return len(data)

    @property
    def out_waiting(self) -> int:
        """Bytes that are still on their way to the board."""
        self._require_open()
        with self._board.lock:
            return self._line.host_sending

    def flush(self) -> None:
        """Let time pass until everything written has reached the board."""
        self._require_open()
        self.clock.sleep(self._line.host_busy_s)

    def reset_output_buffer(self) -> None:
        """Take back what has not reached the board yet."""
        self._require_open()
        with self._board.lock:
            self._line.host_abort()

    # -- lines and settings ------------------------------------------------------------------------------

    def _reconfigure_port(self, force_update: bool = False) -> None:  # noqa: FBT001, FBT002 - pyserial's
        del force_update
        self._check_settings()
        with self._board.lock:
            self._line.host_baud = self.baudrate

    def _update_rts_state(self) -> None:
        """RTS is kept and wired to nothing."""

    def _update_dtr_state(self) -> None:
        """DTR is kept and wired to nothing."""

    def _update_break_state(self) -> None:
        raise SerialException(f"{self.port}: a virtual line does not model a break")

    def send_break(self, duration: float = 0.25) -> None:
        """A break is not modelled.

        Raises:
            SerialException: Always.
        """
        del duration
        self._update_break_state()

    @property
    def cts(self) -> bool:
        """Asserted: a virtual line has no such wire."""
        return True

    @property
    def dsr(self) -> bool:
        """Asserted: a virtual line has no such wire."""
        return True

    @property
    def cd(self) -> bool:
        """Asserted: a virtual line has no such wire."""
        return True

    @property
    def ri(self) -> bool:
        """Never: a virtual line has no such wire."""
        return False

    def _require_open(self) -> None:
        if not self.is_open:
            raise PortNotOpenError
