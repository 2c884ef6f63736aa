"""Time, as a property that a device reports.

A real device lives in the host's time. A simulated one brings its own clock, which advances only when the
harness waits on the device. Whoever waits asks the device's handle for its clock with `clock_of`.
"""

from __future__ import annotations

import time
from typing import Protocol

#: Relative error limit of CLOCK_MONOTONIC, the host's clock: NTP corrects its frequency (clock_gettime(2)) by
#: 500 ppm at most (adjtimex(2), ADJ_FREQUENCY: 32768000 / 65536 ppm).
HOST_TIMEBASE = 500e-6


class Clock(Protocol):
    """Monotonic seconds, and a way to let them pass."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on this clock."""
        ...


class HostClock:
    """The host's monotonic clock."""

    def monotonic(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep in wall time."""
        time.sleep(seconds)


HOST_CLOCK = HostClock()


def clock_of(handle: object) -> Clock:
    """The clock that a device's handle reports as its `clock` attribute, else the host's."""
    clock: Clock = getattr(handle, "clock", HOST_CLOCK)
    return clock
