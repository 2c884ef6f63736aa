"""USART2 and USART3: asynchronous, 8 data bits. RM0402, chapter "USART".

A byte takes the time that its bits take at the configured rate, in both directions. Without its clock, or in
Stop mode, the receiver sees nothing. Parity, 9 bits, single-wire, smartcard, LIN, IrDA, synchronous mode and
flow control are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block
from pytest_lan_hil.virtual.silicon.stm32f412.dma import ANY_NUMBER, Stream
from pytest_lan_hil.virtual.silicon.timeline import Event
from pytest_lan_hil.virtual.silicon.uart import Line
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

_SR, _DR, _BRR, _CR1, _CR2, _CR3 = range(0x00, 0x18, 4)
_FE, _NF, _ORE, _IDLE, _RXNE, _TC, _TXE = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7
_RE, _TE, _IDLEIE, _RXNEIE, _TCIE, _TXEIE, _UE, _OVER8 = (
    1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 13, 1 << 15,
)  # fmt: skip
_CR1_UNMODELLED = 1 << 0 | 1 << 1 | 1 << 8 | 1 << 10 | 1 << 12  # break, mute, parity, 9 bits
_CR2_UNMODELLED = 0x4960
_EIE, _DMAR, _DMAT, _CR3_UNMODELLED = 1, 1 << 6, 1 << 7, 0x33E
_BITS = 10


class Usart(Block):
    """One USART.

    Args:
        fabric, name, base, note: As for every block.
        irq: Interrupt number.
        pclk_hz: Its bus clock now.
        pins_connected: (TX, RX): whether the wired pins are in its alternate function.
        rx_stream, tx_stream: The DMA stream that serves it now, or None.
        on_start_bit: Called when RXD falls after a pause (EXTI).
    """

    def __init__(
        self,
        fabric: Fabric,
        name: str,
        base: int,
        irq: int,
        *,
        note: Callable[[str], None],
        pclk_hz: Callable[[], int],
        pins_connected: Callable[[], tuple[bool, bool]],
        rx_stream: Callable[[], Stream | None],
        tx_stream: Callable[[], Stream | None],
        on_start_bit: Callable[[], None],
    ) -> None:
        super().__init__(fabric, name, base, note=note)
        self.line: Line | None = None
        self._irq = irq
        self._pclk_hz = pclk_hz
        self._pins_connected = pins_connected
        self._rx_stream, self._tx_stream = rx_stream, tx_stream
        self._on_start_bit = on_start_bit
        self._stopped = False
        self._seeing_since = 0  # a byte whose start bit came before was not seen
        self._flags = _TC | _TXE
        self._seen = 0  # flags that a read of SR has shown
        self._received = 0
        self._waiting: int | None = None  # TDR
        self._shifting: int | None = None
        self._shift_event: Event | None = None
        self._idle_event: Event | None = None
        self.declare("SR", _SR, reset=0, on_read=self._read_sr, on_write=self._write_sr)
        self.declare("DR", _DR, mask=0x1FF, on_read=self._read_dr, on_write=self._write_dr)
        self.declare("BRR", _BRR, mask=0xFFFF)
        self.declare("CR1", _CR1, mask=0xBFFF, on_write=self._write_cr1)
        self.declare("CR2", _CR2, mask=0x7F6F, on_write=self._write_cr2)
        self.declare("CR3", _CR3, mask=0xFFF, on_write=self._write_cr3)
        self.declare("GTPR", 0x18, mask=0xFFFF)

    # -- rate --------------------------------------------------------------------------------------------

    @property
    def baud(self) -> int:
        """Rate, bit/s."""
        divider = self.values[_BRR]
        if self.values[_CR1] & _OVER8:
            divider = (divider & 0xFFF0) + 2 * (divider & 7) >> 1
        return self._pclk_hz() // max(divider, 1)

    @property
    def _byte_ticks(self) -> int:
        stop_bits = 1 if self.values[_CR2] >> 12 & 3 == 2 else 0
        return (_BITS + stop_bits) * self.fabric.timeline.tick_hz // self.baud

    # -- registers ---------------------------------------------------------------------------------------

    def _read_sr(self) -> int:
        self._seen = self._flags
        return self._flags

    def _write_sr(self, value: int) -> None:
        self._flags &= value | ~(_TC | _RXNE)
        self._update_irq()

    def _read_dr(self) -> int:
        self._flags &= ~(_RXNE | self._seen & (_FE | _NF | _ORE | _IDLE))
        self._seen = 0
        self._update_irq()
        return self._received

    def _write_dr(self, value: int) -> None:
        if self._seen & _TC:
            self._flags &= ~_TC
        self._waiting = value & 0xFF
        self._flags &= ~_TXE
        self._shift()
        self._update_irq()

    def _write_cr1(self, value: int) -> None:
        if value & _UE and value & _CR1_UNMODELLED:
            raise NotModelled(
                f"{self.name}_CR1 = 0x{value:04x}: only 8 data bits without parity are modelled"
            )
        self.values[_CR1] = value
        self._switched()

    def _write_cr2(self, value: int) -> None:
        if value & _CR2_UNMODELLED:
            raise NotModelled(f"{self.name}_CR2 = 0x{value:04x}: LIN and synchronous mode are not modelled")
        self.values[_CR2] = value

    def _write_cr3(self, value: int) -> None:
        if value & _CR3_UNMODELLED:
            raise NotModelled(f"{self.name}_CR3 = 0x{value:04x}: only DMA and error interrupts are modelled")
        self.values[_CR3] = value
        self._switched()

    def _switched(self) -> None:
        self.dma_ready()
        self._shift()
        self._update_irq()
        if self.line is not None:
            self.line.replan()

    def _update_irq(self) -> None:
        flags, cr1, cr3 = self._flags, self.values[_CR1], self.values[_CR3]
        level = bool(
            (cr1 & _TXEIE and flags & _TXE)
            or (cr1 & _TCIE and flags & _TC)
            or (cr1 & _RXNEIE and flags & (_RXNE | _ORE))
            or (cr1 & _IDLEIE and flags & _IDLE)
            or (cr3 & _EIE and cr3 & _DMAR and flags & (_FE | _NF | _ORE))
        )
        self.fabric.drive_irq(self._irq, self.name, level=level)

    def _on(self, direction: int) -> bool:
        cr1 = self.values[_CR1]
        return bool(cr1 & _UE and cr1 & direction) and self.clocked() and not self._stopped

    # -- transmitter -------------------------------------------------------------------------------------

    def dma_ready(self) -> None:
        """A stream was switched on, or the requests were."""
        if self._flags & _RXNE and self.values[_CR3] & _DMAR:
            stream = self._rx_stream()
            if stream is not None:
                self._flags &= ~_RXNE
                stream.put(bytes((self._received,)))
        self._refill()
        if self.line is not None:
            self.line.replan()

    def _refill(self) -> None:
        """DMA writes the data register while it is empty."""
        while self._waiting is None and self.values[_CR3] & _DMAT and self._on(_TE):
            stream = self._tx_stream()
            if stream is None:
                return
            self._waiting = stream.get()
            self._flags &= ~_TXE
            self._shift()

    def _shift(self) -> None:
        if self._shifting is None and self._waiting is not None and self._on(_TE):
            self._shifting, self._waiting = self._waiting, None
            self._flags = self._flags & ~_TC | _TXE
            self._shift_event = self.fabric.schedule(self.fabric.now + self._byte_ticks, self._sent)

    def _sent(self) -> None:
        byte, self._shifting = self._shifting, None
        if byte is not None and self.line is not None and self._pins_connected()[0]:
            self.line.transmitted(byte, self.baud)
        self._shift()
        self._refill()
        if self._shifting is None:
            self._flags |= _TC
        self._update_irq()

    # -- receiver ----------------------------------------------------------------------------------------

    @property
    def _receives(self) -> bool:
        return self._on(_RE) and self._pins_connected()[1]

    def _noticed_without_dma(self) -> bool:
        return not self.values[_CR3] & _DMAR or bool(self.values[_CR1] & _RXNEIE)

    def unnoticed(self) -> int:
        """Bytes that go to memory without the chip noticing: see `uart.Uart`."""
        if self.fabric.cpu_awake:
            return 0
        if not self._receives:
            return 0 if self._stopped else ANY_NUMBER  # in Stop mode each byte is an edge that may wake
        if self._noticed_without_dma():
            return 0
        stream = self._rx_stream()
        return 0 if stream is None else stream.unnoticed()

    def line_falls(self) -> None:
        """The start bit after a pause."""
        self._on_start_bit()

    def received_unnoticed(self, data: bytes) -> None:
        """Bytes that `unnoticed` allowed."""
        stream = self._rx_stream() if self._receives else None
        if stream is not None:
            stream.put(data)
            self._received = data[-1]
            self._expect_idle()

    def received(self, byte: int, *, framing_error: bool = False) -> None:
        """A byte has arrived at RXD. It is lost if the receiver is off, or was as it began."""
        if self._stopped:
            self._on_start_bit()
        if not self._receives or self.fabric.now - self._byte_ticks < self._seeing_since:
            return
        if self._flags & _RXNE:
            self._flags |= _ORE
        else:
            self._received = byte
            self._flags |= _RXNE | (_FE | _NF if framing_error else 0)
            stream = self._rx_stream() if self.values[_CR3] & _DMAR else None
            if stream is not None:
                self._flags &= ~_RXNE
                stream.put(bytes((byte,)))
        self._expect_idle()
        self._update_irq()

    def _expect_idle(self) -> None:
        """The line is idle one frame after the last byte; looked at once for a whole burst of them."""
        if self._idle_event is None or not self._idle_event.live:
            self._idle_event = self.fabric.schedule(self._idle_at(), self._look_for_idle)

    def _idle_at(self) -> int:
        free_at = self.line.host_line_free_at if self.line is not None else 0
        return max(free_at, self.fabric.now) + self._byte_ticks

    def _look_for_idle(self) -> None:
        if self.line is not None:
            self.line.catch_up()
        if self.line is not None and self.line.host_line_free_at + self._byte_ticks > self.fabric.now:
            self._idle_event = self.fabric.schedule(self._idle_at(), self._look_for_idle)
        elif self._receives:
            self._flags |= _IDLE
            self._update_irq()

    # -- clocks ------------------------------------------------------------------------------------------

    def clocks_stop(self) -> None:
        """Stop mode: what was being sent stands still."""
        self._stopped = True
        if self._shifting is not None:
            self.note(f"{self.name} was sending when Stop mode began: the byte is cut short")
            self.fabric.timeline.cancel(self._shift_event)
            self._shifting = None

    def clocks_run(self) -> None:
        """Stop mode has ended."""
        self._stopped = False
        self._seeing_since = self.fabric.now
        self._shift()

    def on_reset(self) -> None:
        """Off; bytes on the wire are lost."""
        self.fabric.timeline.cancel(self._shift_event)
        self.fabric.timeline.cancel(self._idle_event)
        self._flags = _TC | _TXE
        self._seen = self._received = 0
        self._waiting = self._shifting = None
        self._stopped = False
        self._update_irq()
