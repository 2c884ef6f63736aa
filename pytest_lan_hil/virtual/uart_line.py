"""The wire between a virtual UART and the host's serial port.

Bytes arrive one by one at the line rate of whoever sends them; a host that listens at another rate reads
garbage, as on a real bench. The serial port (`virtual/serial/`) is the host's end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.silicon.timeline import Event, Timeline
from pytest_lan_hil.virtual.silicon.uart import Uart

_KEEP_BYTES = 1 << 20
_RATE_TOLERANCE = 0.04  # a 10-bit frame sampled in mid-bit survives about this much
_BITS = 10


def _garble(byte: int) -> int:
    return (byte * 0x5D + 0x3B) & 0xFF


@dataclass(slots=True)
class _Burst:
    """Bytes that the host sends without a pause: start, ticks of each, those that have not arrived yet."""

    start: int
    byte_ticks: int
    data: bytes

    def arrived(self, now: int) -> int:
        """Number of bytes that have arrived."""
        return min((now - self.start) // self.byte_ticks, len(self.data))

    def drop(self, count: int) -> None:
        """The first bytes have been delivered."""
        self.start += count * self.byte_ticks
        self.data = self.data[count:]


class UartLine:
    """A full-duplex serial line.

    Args:
        timeline: Virtual time.
        faults: Scripted faults; their times count from the line's creation.

    Attributes:
        on_rx: Called with (tick, byte value) for every byte that reaches the host, if set.
        host_baud: The host's rate, bit/s.
        host_line_free_at: Tick at which the last of the bytes that the host has written has arrived.
        last_activity: Tick at which a byte last moved in either direction.
    """

    def __init__(self, timeline: Timeline, faults: Faults) -> None:
        self._timeline = timeline
        self._faults = faults
        self._start = timeline.now
        self._received = bytearray()
        self._bursts: deque[_Burst] = deque()
        self._next: Event | None = None
        self.host_line_free_at = 0
        self.receiver: Uart | None = None
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
        if not data:
            return
        byte_ticks = _BITS * timeline.tick_hz // self.host_baud
        at = max(timeline.now, self.host_line_free_at)
        paused = at > self.host_line_free_at or not self._bursts
        self._bursts.append(_Burst(at, byte_ticks, bytes(data)))
        self.host_line_free_at = at + len(data) * byte_ticks
        if paused and self.receiver is not None:
            self.receiver.line_falls()
        self._plan()

    @property
    def host_sending(self) -> int:
        """Number of bytes that the host has written and the chip has not received yet."""
        return sum(len(burst.data) for burst in self._bursts)

    @property
    def host_busy_s(self) -> float:
        """How long the host's bytes need to arrive, in virtual seconds."""
        return self._timeline.seconds(max(0, self.host_line_free_at - self._timeline.now))

    def host_abort(self) -> None:
        """Take back the bytes that have not arrived yet."""
        self._bursts.clear()
        self.host_line_free_at = self._timeline.now
        self._plan()

    # -- arrival: one event for each byte that the chip notices, whatever comes between with it ------------

    def replan(self) -> None:
        """How many bytes the chip can take without noticing has changed."""
        if self._bursts:
            self.catch_up()
            self._plan()

    def _plan(self) -> None:
        self._timeline.cancel(self._next)
        self._next = None
        if self._bursts:
            burst = self._bursts[0]
            alone = min(self._unnoticed(), len(burst.data) - 1)
            self._next = self._timeline.schedule(burst.start + (alone + 1) * burst.byte_ticks, self._due)

    def _due(self) -> None:
        self.catch_up()
        self._plan()

    def _unnoticed(self) -> int:
        receiver = self.receiver
        if receiver is None or not self._rates_agree(receiver.baud):
            return 0
        return receiver.unnoticed()

    def catch_up(self) -> None:
        """Deliver what has arrived by now."""
        now = self._timeline.now
        while self._bursts and (count := self._bursts[0].arrived(now)) > 0:
            burst = self._bursts[0]
            together = min(self._unnoticed(), count)
            part = burst.data[: together or 1]
            self.last_activity = burst.start + len(part) * burst.byte_ticks
            burst.drop(len(part))
            if not burst.data:
                self._bursts.popleft()
            if self.receiver is None:
                continue
            if together:
                self.receiver.received_unnoticed(part)
            else:
                good = self._rates_agree(self.receiver.baud)
                self.receiver.received(part[0] if good else _garble(part[0]), framing_error=not good)

    def _rates_agree(self, baud: int) -> bool:
        return abs(baud / self.host_baud - 1) <= _RATE_TOLERANCE
