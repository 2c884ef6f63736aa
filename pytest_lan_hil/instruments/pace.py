"""Doing something again and again in a device's own time.

A device that does not live in the host's time brings its clock, and with it a method `repeat`: only it knows
when its time passes. For any other a thread of the host sleeps between calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

# An I2C transfer takes 0.1 ms and more, and no core of a Raspberry Pi is to be kept busy by waiting.
_SHORTEST_S = 0.5e-3
_LONGEST_CALL_S = 5.0


class Repetition(Protocol):
    """Something that is done again and again."""

    def stop(self) -> None:
        """Not done any more once this returns."""
        ...


Repeat = Callable[[Callable[[], float]], Repetition]


def repeat_of(handle: object) -> Repeat:
    """How to repeat something in the time of a device: call `act`, wait as many seconds as it returns.

    Args:
        handle: Of the device; its `repeat(act)` is used if it has one, else the host's.
    """
    repeat: Repeat = getattr(handle, "repeat", HostRepetition)
    return repeat


class HostRepetition:
    """Calls `act` on a thread of its own, and waits in the host's time as many seconds as it returned."""

    def __init__(self, act: Callable[[], float]) -> None:
        self._act = act
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lan-hil sampling", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(max(self._act(), _SHORTEST_S)):
            pass

    def stop(self) -> None:
        """End the thread; waits for a call under way."""
        self._stopped.set()
        self._thread.join(_LONGEST_CALL_S)
