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
        self._running = False
        self.access_cycle: int | None = None
        self.stalled_until = 0
        timeline.notify_sooner(self._event_scheduled)

    def cycles(self) -> int:
        """Core cycles so far; sleep and halts not counted."""
        if self.access_cycle is not None:
            return self.access_cycle
        return int(self._state[h.CYCLES])

    def tick(self) -> int:
        """The tick that the running core has come to."""
        return self._offset + self.cycles() * self._ticks_per_cycle

    def cycle_at(self, tick: int) -> int:
        """First cycle at or after a tick."""
        return -((self._offset - tick) // self._ticks_per_cycle)

    def set_deadline(self, tick: int, *, at_most: int | None) -> None:
        """Have the next run stop at `tick`, and after `at_most` cycles if given; it runs a cycle at least."""
        cycle = int(self._state[h.CYCLES])
        self._offset = self._timeline.now - cycle * self._ticks_per_cycle
        limit = self.cycle_at(tick)
        if at_most is not None:
            limit = min(limit, cycle + at_most)
        self._state[h.DEADLINE] = max(limit, cycle + 1)

    @contextmanager
    def running(self) -> Iterator[None]:
        """For the duration of the block the timeline follows the core."""
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
