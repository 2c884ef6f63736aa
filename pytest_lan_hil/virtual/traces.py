"""What the virtual silicon did, as far as somebody still wants to know: supply current and pin edges.

A trace keeps its present value always, and its history only while a recorder is attached; a recorder forgets
what it has handed out. Times are ticks of the chip's timeline.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Steps:
    """A piecewise constant signal on [start, stop) ticks.

    Attributes:
        start, stop: Ticks.
        initial: Value at `start`.
        ticks: shape (n,), int64: when it changed, rising, within (start, stop).
        values: shape (n,), float64: its value from then on.
    """

    start: int
    stop: int
    initial: float
    ticks: NDArray[np.int64]
    values: NDArray[np.float64]


class Recorder:
    """The history of one signal from the tick at which recording began."""

    def __init__(self, start: int, initial: float) -> None:
        self._start = start
        self._initial = initial
        self._ticks: array[int] = array("q")
        self._values: array[float] = array("d")

    @property
    def start(self) -> int:
        """First tick that has not been handed out."""
        return self._start

    def add(self, tick: int, value: float) -> None:
        """The signal changed. A second change at the same tick replaces the first."""
        if tick <= self._start and not self._ticks:
            self._initial = value
        elif self._ticks and self._ticks[-1] >= tick:
            self._values[-1] = value
        else:
            self._ticks.append(tick)
            self._values.append(value)

    def take(self, stop: int) -> Steps:
        """The signal from the last `take` to `stop`; it is forgotten here."""
        ticks = np.array(self._ticks, dtype=np.int64)
        values = np.array(self._values, dtype=np.float64)
        cut = int(np.searchsorted(ticks, stop, side="left"))
        steps = Steps(self._start, stop, self._initial, ticks[:cut], values[:cut])
        if cut:
            self._initial = float(values[cut - 1])
            self._ticks = array("q", ticks[cut:].tobytes())
            self._values = array("d", values[cut:].tobytes())
        # A change at exactly `stop` is the next part's initial value.
        if self._ticks and self._ticks[0] == stop:
            self._initial = self._values[0]
            del self._ticks[0], self._values[0]
        self._start = stop
        return steps

    def __len__(self) -> int:
        return len(self._ticks)


class PowerTrace:
    """Supply current in amperes."""

    def __init__(self) -> None:
        self.level = 0.0
        self._recorders: list[Recorder] = []

    def step(self, tick: int, current_a: float) -> None:
        """The current changed at `tick`."""
        self.level = current_a
        for recorder in self._recorders:
            recorder.add(tick, current_a)

    def record(self, now: int) -> Recorder:
        """Keep history from now on."""
        recorder = Recorder(now, self.level)
        self._recorders.append(recorder)
        return recorder

    def stop(self, recorder: Recorder) -> None:
        """Forget this recorder."""
        if recorder in self._recorders:
            self._recorders.remove(recorder)


class PinTrace:
    """Levels of all pins by name ("P0.13")."""

    def __init__(self) -> None:
        self.levels: dict[str, bool] = {}
        self._recorders: dict[str, list[Recorder]] = {}

    def edge(self, tick: int, pin: str, level: bool) -> None:  # noqa: FBT001 - the value of the signal
        """A pin changed its level at `tick`."""
        self.levels[pin] = level
        for recorder in self._recorders.get(pin, ()):
            recorder.add(tick, float(level))

    def record(self, pin: str, now: int) -> Recorder:
        """Keep this pin's history from now on."""
        recorder = Recorder(now, float(self.levels.get(pin, False)))
        self._recorders.setdefault(pin, []).append(recorder)
        return recorder

    def stop(self, pin: str, recorder: Recorder) -> None:
        """Forget this recorder."""
        kept = self._recorders.get(pin, [])
        if recorder in kept:
            kept.remove(recorder)
        if not kept:
            self._recorders.pop(pin, None)
