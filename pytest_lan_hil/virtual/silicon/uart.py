"""The two ends of a serial wire, as chip and wire see each other."""

from __future__ import annotations

from typing import Protocol


class Line(Protocol):
    """The wire to the host, as the UART sees it."""

    def transmitted(self, byte: int, baud: int) -> None:
        """The last stop bit of a byte has left the TXD pin."""
        ...

    @property
    def host_line_free_at(self) -> int:
        """Tick at which the last of the bytes that the host has written has arrived."""
        ...

    def catch_up(self) -> None:
        """Deliver what has arrived by now: somebody is about to look."""
        ...

    def replan(self) -> None:
        """How many bytes the UART can take without a stop has changed."""
        ...


class Uart(Protocol):
    """The chip's end of the wire."""

    line: Line | None

    @property
    def baud(self) -> int:
        """Rate of the chip's end, bit/s."""
        ...

    def unnoticed(self) -> int:
        """Bytes that may arrive before anything happens that the chip, as it is, would notice when it
        happens.

        They go to memory by DMA, raise no interrupt, and the core sleeps; they are delivered together, before
        anybody looks.
        """
        ...

    def line_falls(self) -> None:
        """The host pulls RXD low: the start bit after a pause."""
        ...

    def received(self, byte: int, *, framing_error: bool = False) -> None:
        """A byte has arrived at RXD."""
        ...

    def received_unnoticed(self, data: bytes) -> None:
        """So many bytes as `unnoticed` allowed, or fewer, have arrived."""
        ...
