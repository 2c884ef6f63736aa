"""What a debug probe's transfers cost in virtual time, wire and USB, and the fault they can meet.

A transfer takes its frame on the wire; the host learns a result one USB frame later at the earliest. Writes,
and reads whose result nobody has asked for yet, share a round trip, as in a CMSIS-DAP packet. A host that
asks the same again and gets the same answer is polling: it waits for the target, so its round trips double
(up to a limit), and polling something slow takes a few calls instead of thousands.
"""

from __future__ import annotations

from collections.abc import Callable

# Request 8 bits, turnaround 1, acknowledge 3, data 32 and parity 1, turnaround 1 (ARM IHI 0031, chapter B4
# "The Serial Wire Debug port", with the default turnaround of one clock).
FRAME_BITS = 46
USB_FRAME_S = 0.001  # full-speed USB (USB 2.0 specification, 5.12)
DEFAULT_CLOCK_HZ = 1_000_000.0  # what pyOCD asks for unless told otherwise
_LONGEST_POLL = 64


class TransferFault(Exception):
    """The transfer was answered with FAULT: a sticky error is set, or this access set it."""


class Wire:
    """What a probe's traffic costs.

    Args:
        advance: Lets ticks of virtual time pass.
        tick_hz: Ticks per virtual second.
    """

    def __init__(self, advance: Callable[[int], None], tick_hz: int) -> None:
        self._advance = advance
        self._tick_hz = tick_hz
        self._frame_ticks = 0
        self.set_clock(DEFAULT_CLOCK_HZ)
        self._packet: list[object] = []
        self._pending = 0
        self._last: list[object] = []
        self._patience = 1

    def set_clock(self, frequency_hz: float) -> None:
        """The SWD clock."""
        self._frame_ticks = round(FRAME_BITS * self._tick_hz / frequency_hz)

    def transfer(self, what: object, frames: int = 1) -> None:
        """Something was transferred; `what` tells it from other transfers, its result included."""
        self._packet.append(what)
        self._pending += frames

    def round_trip(self) -> None:
        """The host waits for the results of everything transferred since the last round trip."""
        if not self._packet:
            return
        packet, self._packet = self._packet, []
        wire_ticks, self._pending = self._pending * self._frame_ticks, 0
        self._patience = min(2 * self._patience, _LONGEST_POLL) if packet == self._last else 1
        self._last = packet
        self._advance(max(wire_ticks, self._patience * round(USB_FRAME_S * self._tick_hz)))
