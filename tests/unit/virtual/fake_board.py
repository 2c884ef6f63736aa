"""A board without silicon: supply current and pin levels follow a script, virtual time passes on command."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterable

from pytest_lan_hil.virtual.clock import VirtualClock
from pytest_lan_hil.virtual.traces import PinTrace, PowerTrace

TICK_HZ = 512_000_000


class FakeBoard:
    """What the virtual analyzer needs of a board.

    Args:
        current_a: The supply current to begin with.
        loads: (seconds, amperes): the current changes.
        edges: (seconds, pin, level): a pin changes.
    """

    tick_hz = TICK_HZ
    identity_notes: tuple[str, ...] = ("scripted",)

    def __init__(
        self,
        current_a: float = 0.0,
        *,
        loads: Iterable[tuple[float, float]] = (),
        edges: Iterable[tuple[float, str, bool]] = (),
    ) -> None:
        self.lock = threading.RLock()
        self.power = PowerTrace()
        self.pins = PinTrace()
        self.power.level = current_a
        self.clock = VirtualClock(lambda: self.now, self.advance, TICK_HZ)
        self.now = 0
        self._listeners = []
        self._script = [(round(at * TICK_HZ), 0, "", level) for at, level in loads]
        self._script += [(round(at * TICK_HZ), 1, pin, level) for at, pin, level in edges]
        heapq.heapify(self._script)

    def attach(self, listener) -> None:
        self._listeners.append(listener)

    def detach(self, listener) -> None:
        self._listeners.remove(listener)

    def advance(self, ticks: int) -> None:
        target = self.now + ticks
        while self.now < target:
            stop = min([target, *(listener.next_tick() for listener in self._listeners)])
            while self._script and self._script[0][0] <= stop:
                self.now, is_pin, pin, level = heapq.heappop(self._script)
                if is_pin:
                    self.pins.edge(self.now, pin, level)
                else:
                    self.power.step(self.now, level)
            self.now = stop
            for listener in tuple(self._listeners):
                listener.advanced(stop)


def duty_cycle(seconds, sleep_a=3e-6, run_a=4e-3):
    """Loads and edges of a board that is awake for 3 ms of every 32 ms, and infers for 2 ms of them."""
    loads, edges = [], []
    for k in range(int(seconds / 0.032) + 1):
        at = 0.005 + k * 0.032
        loads += [(at, run_a), (at + 0.003, sleep_a)]
        edges += [(at + 0.0005, "P0.13", True), (at + 0.0025, "P0.13", False)]
    return {"current_a": sleep_a, "loads": loads, "edges": edges}


def record(analyzer, seconds):
    """A capture of so many virtual seconds."""
    analyzer.start()
    analyzer.clock.sleep(seconds)
    return analyzer.stop()
