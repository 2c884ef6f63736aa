"""The virtual bench's clock: seconds of the simulation, which pass only when somebody waits."""

from __future__ import annotations

from collections.abc import Callable


class VirtualClock:
    """A `model.clock.Clock` on a chip's timeline.

    Args:
        now: The current tick.
        advance: Lets a number of ticks pass.
        tick_hz: Ticks per second.
    """

    def __init__(self, now: Callable[[], int], advance: Callable[[int], None], tick_hz: int) -> None:
        self._now = now
        self._advance = advance
        self._tick_hz = tick_hz

    def monotonic(self) -> float:
        """Virtual seconds since the chip was created."""
        return self._now() / self._tick_hz

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass, a tick at least; returns as soon as the machine has simulated it."""
        if seconds > 0:
            self._advance(max(round(seconds * self._tick_hz), 1))
