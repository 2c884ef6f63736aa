"""UARTE0 and UARTE1 with EasyDMA, and the legacy UART behind the same address.

Follows the nRF52840 Product Specification, chapters "UARTE" and "UART". A byte takes the time that its bits
take at the configured rate, in both directions; the receiver has a six-byte FIFO.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICK_HZ, Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block
from pytest_lan_hil.virtual.silicon.uart import Line

# Actual rates of the values in the BAUDRATE register's description (SVD); others follow reg * 16 MHz / 2^32.
_ACTUAL_BAUD = {
    0x0004F000: 1205, 0x0009D000: 2396, 0x0013B000: 4808, 0x00275000: 9598, 0x003AF000: 14401,
    0x004EA000: 19208, 0x0075C000: 28777, 0x00800000: 31250, 0x009D0000: 38369, 0x00E50000: 55944,
    0x00EB0000: 57554, 0x013A9000: 76923, 0x01D60000: 115108, 0x03B00000: 231884, 0x04000000: 250000,
    0x07400000: 457143, 0x0F000000: 941176, 0x10000000: 1000000,
}  # fmt: skip
_FIFO_BYTES = 6
_UART_ENABLED, _UARTE_ENABLED = 4, 8
_OVERRUN, _FRAMING = 1, 4
_ANY_NUMBER = 1 << 30
_RXTO_BYTES = 5  # the receiver is kept on this long after STOPRX

_ENABLE, _PSEL_TXD, _PSEL_RXD, _BAUDRATE, _CONFIG = 0x500, 0x50C, 0x514, 0x524, 0x56C
_RXD_PTR, _RXD_MAXCNT, _TXD_PTR, _TXD_MAXCNT = 0x534, 0x538, 0x544, 0x548
_DISCONNECTED = 0x8000_0000


class Uarte(Block):
    """One UARTE (or UART) instance.

    Args:
        fabric: Shared by the peripherals.
        name, base, irq: As in the SVD.
        line: Where transmitted bytes go, or None if the pins are not wired.
        on_active: Called with name, direction ("rx", "tx") and True or False (power model).
    """

    def __init__(
        self,
        fabric: Fabric,
        name: str,
        base: int,
        irq: int,
        *,
        line: Line | None,
        on_active: Callable[[str, bool], None] | None = None,
    ) -> None:
        super().__init__(fabric, name, base, irq=irq)
        self.line = line
        self._on_active = on_active
        self._tx: deque[int] = deque()
        self._tx_running = False
        self._tx_generation = 0
        self._tx_amount = 0
        self._rx_on = False
        self._rx_dma: tuple[int, int] | None = None  # pointer and length latched at STARTRX
        self._rx_amount = 0
        self._rx_last_amount = 0
        self._rx_generation = 0
        self._fifo: deque[int] = deque()
        self._errors = 0
        self._declare()

    def _declare(self) -> None:
        self.declare_task("TASKS_STARTRX", 0x000, self._start_rx)
        self.declare_task("TASKS_STOPRX", 0x004, self._stop_rx)
        self.declare_task("TASKS_STARTTX", 0x008, self._start_tx)
        self.declare_task("TASKS_STOPTX", 0x00C, self._stop_tx)
        self.declare_task("TASKS_FLUSHRX", 0x02C, self._flush_rx)
        self.declare_event("EVENTS_CTS", 0x100)
        self.declare_event("EVENTS_NCTS", 0x104)
        self._rxdrdy = self.declare_event("EVENTS_RXDRDY", 0x108)
        self._endrx = self.declare_event("EVENTS_ENDRX", 0x110)
        self._txdrdy = self.declare_event("EVENTS_TXDRDY", 0x11C)
        self._endtx = self.declare_event("EVENTS_ENDTX", 0x120)
        self._error = self.declare_event("EVENTS_ERROR", 0x124)
        self._rxto = self.declare_event("EVENTS_RXTO", 0x144)
        self._rxstarted = self.declare_event("EVENTS_RXSTARTED", 0x14C)
        self._txstarted = self.declare_event("EVENTS_TXSTARTED", 0x150)
        self._txstopped = self.declare_event("EVENTS_TXSTOPPED", 0x158)
        self.declare_short(5, self._endrx, self._start_rx)
        self.declare_short(6, self._endrx, self._stop_rx)
        self.declare("ERRORSRC", 0x480, on_read=lambda: self._errors, on_write=self._clear_errors)
        self.declare("ENABLE", _ENABLE, mask=0xF, on_write=self._write_enable)
        for offset, name in ((0x508, "RTS"), (_PSEL_TXD, "TXD"), (0x510, "CTS"), (_PSEL_RXD, "RXD")):
            self.declare(f"PSEL.{name}", offset, reset=0xFFFF_FFFF)
        self.declare("RXD", 0x518, on_read=self._read_rxd, writable=False)
        self.declare("TXD", 0x51C, on_read=lambda: 0, on_write=self._write_txd)
        self.declare("BAUDRATE", _BAUDRATE, reset=0x0400_0000)
        self.declare("RXD.PTR", _RXD_PTR)
        self.declare("RXD.MAXCNT", _RXD_MAXCNT, mask=0xFFFF)
        self.declare_read_only("RXD.AMOUNT", 0x53C, lambda: self._rx_last_amount)
        self.declare("TXD.PTR", _TXD_PTR)
        self.declare("TXD.MAXCNT", _TXD_MAXCNT, mask=0xFFFF)
        self.declare_read_only("TXD.AMOUNT", 0x54C, lambda: self._tx_amount)
        self.declare("CONFIG", _CONFIG, mask=0x1F)

    # -- common ------------------------------------------------------------------------------------------

    @property
    def _enabled(self) -> bool:
        return self.values[_ENABLE] in (_UART_ENABLED, _UARTE_ENABLED)

    @property
    def _legacy(self) -> bool:
        return self.values[_ENABLE] == _UART_ENABLED

    @property
    def baud(self) -> int:
        """Actual rate of the BAUDRATE register, bit/s."""
        register = self.values[_BAUDRATE]
        return _ACTUAL_BAUD.get(register) or max(register * 16_000_000 >> 32, 1)

    @property
    def byte_ticks(self) -> int:
        """Ticks that one byte takes: start bit, 8 data bits, parity if configured, 1 or 2 stop bits."""
        config = self.values[_CONFIG]
        bits = 10 + (config >> 1 & 7 == 7) + (config >> 4 & 1)
        return bits * TICK_HZ // self.baud

    @property
    def rx_pin(self) -> int | None:
        """Chip-wide pin number of RXD, or None if disconnected."""
        psel = self.values[_PSEL_RXD]
        return None if psel & _DISCONNECTED else psel & 0x3F

    @property
    def tx_pin(self) -> int | None:
        """Chip-wide pin number of TXD, or None if disconnected."""
        psel = self.values[_PSEL_TXD]
        return None if psel & _DISCONNECTED else psel & 0x3F

    def _report(self) -> None:
        active = self._enabled and (self._rx_on or self._tx_running)
        self.fabric.request_hfclk(self.name, wanted=active)
        if self._on_active is not None:
            self._on_active(self.name, active)

    def _write_enable(self, value: int) -> None:
        self.values[_ENABLE] = value
        if not self._enabled:
            self._abort()
        self._report()

    def _abort(self) -> None:
        self._tx.clear()
        self._fifo.clear()
        self._tx_running = self._rx_on = False
        self._rx_dma = None
        self._tx_generation += 1
        self._rx_generation += 1

    def _clear_errors(self, value: int) -> None:
        self._errors &= ~value

    def _fail(self, source: int) -> None:
        self._errors |= source
        self._error.fire()

    # -- transmitter -------------------------------------------------------------------------------------

    def _start_tx(self) -> None:
        if not self._enabled:
            return
        if self._legacy:
            self._tx_running = True
            self._report()
            return
        data = self.fabric.dma_read(self.values[_TXD_PTR], self.values[_TXD_MAXCNT], who=f"{self.name}.TXD")
        self._tx = deque(data)
        self._tx_amount = 0
        self._tx_running = True
        self._txstarted.fire()
        self._report()
        self._tx_generation += 1
        if self._tx:
            self._next_byte()
        else:
            self._end_tx()

    def _next_byte(self) -> None:
        generation = self._tx_generation

        def sent() -> None:
            if self._tx_generation == generation:
                self._byte_sent()

        self.fabric.schedule(self.fabric.now + self.byte_ticks, sent)

    def _byte_sent(self) -> None:
        byte = self._tx.popleft()
        self._tx_amount += 1
        if self.line is not None and self.tx_pin is not None:
            self.line.transmitted(byte, self.baud)
        if self._tx:
            self._next_byte()
        self._txdrdy.fire()
        if not self._tx and not self._legacy:
            self._end_tx()

    def _end_tx(self) -> None:
        self._tx_running = False
        self._report()
        self._endtx.fire()

    def _stop_tx(self) -> None:
        if self._tx_running and self._tx and not self._legacy:
            # The byte on the wire is completed; the rest is dropped.
            while len(self._tx) > 1:
                self._tx.pop()
            self.fabric.schedule(self.fabric.now + self.byte_ticks, self._txstopped.fire)
            return
        self._tx_running = False
        self._report()
        if not self._legacy:
            self._txstopped.fire()

    def _write_txd(self, value: int) -> None:
        if self._legacy and self._tx_running:
            self._tx.append(value & 0xFF)
            if len(self._tx) == 1:
                self._tx_generation += 1
                self._next_byte()

    # -- receiver ----------------------------------------------------------------------------------------

    def _start_rx(self) -> None:
        if not self._enabled:
            return
        self._rx_on = True
        self._rx_generation += 1  # a pending time-out is off
        if not self._legacy:
            self._rx_dma = self.values[_RXD_PTR], self.values[_RXD_MAXCNT]
            self._rx_amount = 0
            self._rxstarted.fire()
            while self._fifo and self._rx_dma is not None:
                self._store(self._fifo.popleft())
        self._report()

    @property
    def _receives(self) -> bool:
        return self._enabled and self._rx_on and self.rx_pin is not None

    def unnoticed(self) -> int:
        """Bytes that go to memory without the chip noticing: see `uart.Uart`."""
        if self.fabric.cpu_awake:
            return 0
        if not self._receives:
            return _ANY_NUMBER
        if self._legacy or self._rx_dma is None or self._rxdrdy.watched:
            return 0
        return max(self._rx_dma[1] - self._rx_amount - 1, 0)

    def line_falls(self) -> None:
        """A start bit: nothing that sleeps is woken by it."""

    def received_unnoticed(self, data: bytes) -> None:
        """Bytes that `unnoticed` allowed."""
        if self._receives and self._rx_dma is not None:
            self.fabric.dma_write(self._rx_dma[0] + self._rx_amount, data, who=f"{self.name}.RXD")
            self._rx_amount += len(data)
            self._rxdrdy.flag = True

    def received(self, byte: int, *, framing_error: bool = False) -> None:
        """A byte has arrived at the RXD pin. It is lost if the receiver is off or no pin is connected."""
        if not self._receives:
            return
        if framing_error:
            self._fail(_FRAMING)
        if not self._legacy and self._rx_dma is not None:
            self._store(byte)
        elif len(self._fifo) < _FIFO_BYTES:
            self._fifo.append(byte)
            if self._legacy:
                self._rxdrdy.fire()
        else:
            self._fail(_OVERRUN)

    def _store(self, byte: int) -> None:
        assert self._rx_dma is not None
        pointer, limit = self._rx_dma
        if limit:
            self.fabric.dma_write(pointer + self._rx_amount, bytes((byte,)), who=f"{self.name}.RXD")
            self._rx_amount += 1
            self._rxdrdy.fire()
        if self._rx_amount >= limit:
            self._end_rx()

    def _end_rx(self) -> None:
        self._rx_dma = None
        self._rx_last_amount = self._rx_amount
        self._endrx.fire()

    def _stop_rx(self) -> None:
        if not self._rx_on:
            return
        if self._rx_dma is not None:
            self._end_rx()
        generation = self._rx_generation = self._rx_generation + 1

        def timed_out() -> None:
            if self._rx_generation == generation:
                self._rx_on = False
                self._report()
                self._rxto.fire()

        self.fabric.schedule(self.fabric.now + _RXTO_BYTES * self.byte_ticks, timed_out)

    def _flush_rx(self) -> None:
        """Move what is left in the FIFO to RAM."""
        pointer, limit = self.values[_RXD_PTR], self.values[_RXD_MAXCNT]
        data = bytes(self._fifo.popleft() for _ in range(min(len(self._fifo), limit)))
        if data:
            self.fabric.dma_write(pointer, data, who=f"{self.name}.RXD")
        self._rx_last_amount = len(data)
        self._endrx.fire()

    def _read_rxd(self) -> int:
        byte = self._fifo.popleft() if self._fifo else 0
        if self._fifo:
            self._rxdrdy.fire()
        return byte

    def on_reset(self) -> None:
        """Disabled; bytes on the wire are lost."""
        self._abort()
        self._errors = self._tx_amount = self._rx_amount = self._rx_last_amount = 0
        self._report()
