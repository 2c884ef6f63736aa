"""Virtual time: integer ticks, and what is due when.

One timeline per virtual chip. It never looks at the wall clock. While the core runs, `now` follows the
core's cycle counter through a source that the core installs; while the core sleeps or is halted, the core
moves `now` itself with `advance_to`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Event:
    """A callback that is due at a tick; made by `Timeline.schedule` only.

    Attributes:
        at: Tick at which it is due.
        callback: Called with `timeline.now == at`.
        live: False once it has run or was cancelled.
    """

    at: int
    callback: Callable[[], None]
    live: bool = True


class Timeline:
    """Ticks since power-on, and the queue of events.

    Args:
        tick_hz: Ticks per virtual second. Choose it so that every clock of the chip is a whole number of
            ticks (nRF52840: 512 MHz).
    """

    def __init__(self, tick_hz: int) -> None:
        if tick_hz <= 0:
            raise ValueError(f"tick_hz must be positive, got {tick_hz}")
        self.tick_hz = tick_hz
        self._now = 0
        self._held: int | None = None
        self._sequence = 0
        self._queue: list[tuple[int, int, Event]] = []
        self._source: Callable[[], int] | None = None
        self._on_sooner: Callable[[int], None] | None = None

    @property
    def now(self) -> int:
        """Current tick; inside an event's callback exactly the tick it was due at."""
        if self._held is not None:
            return self._held
        if self._source is not None:
            return self._source()
        return self._now

    def seconds(self, ticks: int) -> float:
        """Ticks as seconds."""
        return ticks / self.tick_hz

    def ticks(self, seconds: float) -> int:
        """Seconds as ticks, rounded to the nearest."""
        return round(seconds * self.tick_hz)

    def schedule(self, at: int, callback: Callable[[], None]) -> Event:
        """Have `callback` run at tick `at`. Events of the same tick run in order of scheduling.

        An event in the past runs at the next opportunity, with `now` not going backwards.
        """
        event = Event(max(at, self.now), callback)
        self._sequence += 1
        heapq.heappush(self._queue, (event.at, self._sequence, event))
        if self._on_sooner is not None:
            self._on_sooner(event.at)
        return event

    def cancel(self, event: Event | None) -> None:
        """Make sure that `event` doesn't run. Cancelling a finished event, or None, does nothing."""
        if event is not None:
            event.live = False

    def next_at(self) -> int | None:
        """Tick of the earliest live event, or None."""
        while self._queue and not self._queue[0][2].live:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def run_due(self) -> None:
        """Run callbacks with `at <= now`, in order, each with `now` held at its own tick."""
        if self._held is not None:
            return
        limit = self.now
        try:
            while (at := self.next_at()) is not None and at <= limit:
                event = heapq.heappop(self._queue)[2]
                event.live = False
                self._held = at
                event.callback()
        finally:
            self._held = None

    def advance_to(self, tick: int) -> None:
        """Move `now` forward to `tick` without running anything. Moving backwards does nothing."""
        self._now = max(self._now, tick)

    def follow(self, source: Callable[[], int] | None) -> None:
        """Let `now` come from `source` (a running core); None goes back to the timeline's own count."""
        if source is None and self._source is not None:
            self._now = max(self._now, self._source())
        self._source = source

    def notify_sooner(self, listener: Callable[[int], None] | None) -> None:
        """Call `listener(at)` whenever an event is scheduled: a running core may have to stop earlier."""
        self._on_sooner = listener
