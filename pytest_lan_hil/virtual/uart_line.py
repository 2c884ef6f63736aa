"""The wire between a virtual UART and the host's serial port.

Bytes arrive one by one at the line rate of whoever sends them; a host that listens at another rate reads
garbage, as on a real bench. The serial port (`virtual/serial/`) is the host's end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.silicon.timeline import Event, Timeline

_KEEP_BYTES = 1 << 20
_RATE_TOLERANCE = 0.04  # a 10-bit frame sampled in mid-bit survives about this much
_BITS = 10


class Receiver(Protocol):
    """The chip's end of the wire."""

    def received(self, byte: int, *, framing_error: bool = False) -> None:
        """A byte has arrived at RXD."""
        ...

    @property
    def baud(self) -> int:
        """Rate of the chip's end."""
        ...


def _garble(byte: int) -> int:
    return (byte * 0x5D + 0x3B) & 0xFF


class UartLine:
    """A full-duplex serial line.

    Args:
        timeline: Virtual time.
        faults: Scripted faults; their times count from the line's creation.

    Attributes:
        on_rx: Called with (tick, byte value) for every byte that reaches the host, if set.
        host_baud: The host's rate, bit/s.
        last_activity: Tick at which a byte last moved in either direction.
    """

    def __init__(self, timeline: Timeline, faults: Faults) -> None:
        self._timeline = timeline
        self._faults = faults
        self._start = timeline.now
        self._received = bytearray()
        self._sending: deque[Event] = deque()
        self._host_line_free_at = 0
        self.receiver: Receiver | None = None
        self.on_rx: Callable[[int, int], None] | None = None
        self.host_baud = 115200
        self.last_activity = timeline.now
        for fault in faults.named("console_garbage"):
            at = self._start + timeline.ticks(fault.at)
            timeline.schedule(at, lambda n=int(fault.length): self._garbage(n))  # type: ignore[misc]

    def add_faults(self, text: str) -> None:
        """Faults from a device URI, on top of those of the environment.

        Raises:
            InputError: Not understood.
        """
        added = Faults.parse(text)
        for fault in added.named("console_garbage"):
            at = self._timeline.now + self._timeline.ticks(fault.at)
            self._timeline.schedule(at, lambda n=int(fault.length): self._garbage(n))  # type: ignore[misc]
        self._faults = Faults(self._faults.entries + added.entries)

    # -- chip to host ------------------------------------------------------------------------------------

    def transmitted(self, byte: int, baud: int) -> None:
        """The chip has sent a byte."""
        silent = self._faults.first("console_silent")
        if silent is not None and self._timeline.now >= self._start + self._timeline.ticks(silent.at):
            return
        self._deliver(byte if self._rates_agree(baud) else _garble(byte))

    def _deliver(self, byte: int) -> None:
        self.last_activity = self._timeline.now
        self._received.append(byte)
        if len(self._received) > _KEEP_BYTES:  # nobody reads: a real port's buffer overflows, too
            del self._received[: len(self._received) - _KEEP_BYTES]
        if self.on_rx is not None:
            self.on_rx(self._timeline.now, byte)

    def _garbage(self, count: int) -> None:
        value = 0xA5
        for _ in range(count):
            value = (value * 0x6D + 0x2F) & 0xFF
            self._deliver(value)

    def host_read(self, limit: int = _KEEP_BYTES) -> bytes:
        """The first `limit` bytes that have reached the host and were not read."""
        data = bytes(self._received[:limit])
        del self._received[:limit]
        return data

    @property
    def host_waiting(self) -> int:
        """Number of bytes that have reached the host and were not read."""
        return len(self._received)

    # -- host to chip ------------------------------------------------------------------------------------

    def host_write(self, data: bytes) -> None:
        """Queue bytes for the RXD pin; they arrive at the line rate from now on."""
        timeline = self._timeline
        byte_ticks = _BITS * timeline.tick_hz // self.host_baud
        at = max(timeline.now, self._host_line_free_at)
        for byte in data:
            at += byte_ticks
            event = timeline.schedule(at, lambda value=byte: self._arrive(value))  # type: ignore[misc]
            self._sending.append(event)
        self._host_line_free_at = at

    @property
    def host_sending(self) -> int:
        """Number of bytes that the host has written and the chip has not received yet."""
        return len(self._sending)

    @property
    def host_busy_s(self) -> float:
        """How long the host's bytes need to arrive, in virtual seconds."""
        return self._timeline.seconds(max(0, self._host_line_free_at - self._timeline.now))

    def host_abort(self) -> None:
        """Take back the bytes that have not arrived yet."""
        while self._sending:
            self._timeline.cancel(self._sending.popleft())
        self._host_line_free_at = self._timeline.now

    def _arrive(self, byte: int) -> None:
        self._sending.popleft()
        self.last_activity = self._timeline.now
        if self.receiver is not None:
            good = self._rates_agree(self.receiver.baud)
            self.receiver.received(byte if good else _garble(byte), framing_error=not good)

    def _rates_agree(self, baud: int) -> bool:
        return abs(baud / self.host_baud - 1) <= _RATE_TOLERANCE
