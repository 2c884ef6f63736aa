"""The running core's part of virtual time: from cycles to ticks and back, and when to stop.

Between two runs the timeline keeps its own time; while the core runs, time is its cycle counter. All of it
lies in the block table's state buffer, where the compiled hook reads and advances it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon.timeline import Timeline

_AT_ONCE = -1


class CoreClock:
    """Cycles of one core.

    Args:
        timeline: The chip's time.
        ticks_per_cycle: Timeline ticks of one cycle.
        state: The block table's buffer.

    Attributes:
        access_cycle: Cycle of the memory access that a callback serves now; None outside of one.
        stalled_until: Tick until which the core waits before it goes on.
    """

    def __init__(self, timeline: Timeline, ticks_per_cycle: int, state: NDArray[np.int64]) -> None:
        self._timeline = timeline
        self._ticks_per_cycle = ticks_per_cycle
        self._state = state
        self._offset = 0  # tick of cycle 0
        self._ran = (0, 0)  # cycles until the rate was changed last, and the ticks that they took
        self._running = False
        self._limit = 0  # cycle at which the present run ends, whatever is scheduled
        self.access_cycle: int | None = None
        self.stalled_until = 0
        timeline.notify_sooner(self._event_scheduled)

    def set_rate(self, ticks_per_cycle: int) -> None:
        """From now on a cycle takes this many ticks; the rest of the block that runs, too."""
        now = self.tick() if self._running else 0
        self._ran = (self.cycles(), self.running_ticks())
        self._ticks_per_cycle = ticks_per_cycle
        if self._running:
            self._offset = now - self.cycles() * ticks_per_cycle
            self.attention()

    def cycles(self) -> int:
        """Core cycles so far; sleep and halts not counted."""
        if self.access_cycle is not None:
            return self.access_cycle
        return int(self._state[h.CYCLES])

    def running_ticks(self) -> int:
        """Ticks that all its cycles took so far."""
        cycles, ticks = self._ran
        return ticks + (self.cycles() - cycles) * self._ticks_per_cycle

    def tick(self) -> int:
        """The tick that the running core has come to."""
        return self._offset + self.cycles() * self._ticks_per_cycle

    def cycle_at(self, tick: int) -> int:
        """First cycle at or after a tick."""
        return -((self._offset - tick) // self._ticks_per_cycle)

    def set_deadline(self, tick: int, *, at_most: int | None) -> None:
        """Have the next run stop at `tick`, at the next event, and after `at_most` cycles if given.

        It runs a cycle at least.
        """
        cycle = int(self._state[h.CYCLES])
        self._meet_timeline()
        limit = self.cycle_at(tick)
        if at_most is not None:
            limit = min(limit, cycle + at_most)
        self._limit = max(limit, cycle + 1)
        self._state[h.DEADLINE] = max(self._next_stop(), cycle + 1)

    def _next_stop(self) -> int:
        due = self._timeline.next_at()
        return self._limit if due is None else min(self._limit, self.cycle_at(due))

    def events_ran(self) -> None:
        """What was due has happened in the middle of a block: the core need not stop for it any more.

        An event that concerns the core has asked for its attention.
        """
        if self._state[h.DEADLINE] != _AT_ONCE:
            self._state[h.DEADLINE] = self._next_stop()

    def _meet_timeline(self) -> None:
        self._offset = self._timeline.now - int(self._state[h.CYCLES]) * self._ticks_per_cycle

    @contextmanager
    def running(self) -> Iterator[None]:
        """The timeline follows the core: code runs, or an exception is entered, which takes cycles too."""
        self._meet_timeline()
        self._running = True
        self._timeline.follow(self.tick)
        try:
            yield
        finally:
            self._running = False
            self._timeline.follow(None)
            self.access_cycle = None

    def attention(self) -> None:
        """Have a running core stop before its next block."""
        if self._running:
            self._state[h.DEADLINE] = _AT_ONCE

    def _event_scheduled(self, at: int) -> None:
        if self._running:
            cycle = self.cycle_at(at)
            if cycle < self._state[h.DEADLINE]:
                self._state[h.DEADLINE] = cycle

    def stall(self, ticks: int) -> None:
        """The core waits for this long before it goes on."""
        if not self._running:
            self.stalled_until = max(self.stalled_until, self._timeline.now + ticks)
            return
        cycles = -(-ticks // self._ticks_per_cycle)
        self._state[h.CYCLES] += cycles
        self._state[h.BLOCK_BASE] += cycles
        if self.access_cycle is not None:
            self.access_cycle += cycles
