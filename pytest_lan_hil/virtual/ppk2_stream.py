"""One capture of the virtual PPK2: from what the board did to the bytes that it sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.measured import MeasuredBoard
from pytest_lan_hil.virtual.ppk2_front_end import FrontEnd
from pytest_lan_hil.virtual.sampling import Runs, sample_means
from pytest_lan_hil.virtual.traces import Recorder, Steps

RATE_HZ = 100_000
LINES = tuple(f"d{n}" for n in range(8))
_CHUNK = RATE_HZ // 100


class Stream:
    """Everything between the command that starts it and the one that stops it.

    Args:
        board: Whose supply is measured.
        front_end: The analog side.
        pins: Line ("d0") to pin name.
        faults: Scripted faults.
        supply_v: That the source is set to.
        powered: Whether the output is on.
        deliver: Called with each chunk of bytes.
        vanish: Called when a scripted fault unplugs it.
    """

    def __init__(
        self,
        board: MeasuredBoard,
        front_end: FrontEnd,
        *,
        pins: Mapping[str, str],
        faults: Faults,
        supply_v: float,
        powered: bool,
        deliver: Callable[[bytes], None],
        vanish: Callable[[], None],
    ) -> None:
        self._board = board
        self._front_end = front_end
        self._faults = faults
        self._supply_v = supply_v
        self._powered = powered
        self._deliver = deliver
        self._vanish = vanish
        self._period = board.tick_hz // RATE_HZ
        self._start = board.now
        self._sample = 0
        self._pins = dict(pins)
        self._power = board.power.record(self._start)
        self._lines: dict[str, Recorder] = {
            line: board.pins.record(pin, self._start) for line, pin in pins.items()
        }
        self._drops = tuple(
            (round(f.at * RATE_HZ), round((f.at + f.length) * RATE_HZ)) for f in faults.named("drop")
        )
        gone = faults.first("analyzer_vanish")
        self._vanish_at = None if gone is None else self._start + round(gone.at * board.tick_hz)
        front_end.start()

    def close(self) -> None:
        """Stop recording."""
        self._board.power.stop(self._power)
        for line, recorder in self._lines.items():
            self._board.pins.stop(self._pins[line], recorder)

    # -- the board's listener ----------------------------------------------------------------------------

    def next_tick(self) -> int:
        """The board stops here to let a chunk be delivered."""
        due = self._tick(self._due())
        return due if self._vanish_at is None else min(due, self._vanish_at)

    def advanced(self, now: int) -> None:
        """Virtual time has passed."""
        while now >= self._tick(self._due()):
            self._send(self._due())
        if self._vanish_at is not None and now >= self._vanish_at:
            self._vanish()

    def deliver(self, now: int) -> None:
        """Hand out every sample that is over at `now`."""
        until = (now - self._start) // self._period
        while self._sample < until:
            self._send(min(self._sample + _CHUNK, until))

    def _due(self) -> int:
        """Where the next chunk ends: at a loss if one begins, as what was sent before it is not late."""
        losses = [start for start, _ in self._drops if self._sample < start]
        return min([self._sample + _CHUNK, *losses])

    def _tick(self, sample: int) -> int:
        return self._start + sample * self._period

    # -- words -------------------------------------------------------------------------------------------

    def _send(self, until: int) -> None:
        first, self._sample = self._sample, until
        stop = self._tick(until)
        runs = sample_means(self._power.take(stop), self._period)
        if not self._powered:
            runs = Runs(np.zeros(1), np.array([until - first], np.int64))
        words = self._front_end.words(runs, self._supply_v, first)
        numbers = np.arange(first, until)
        words |= (numbers % 64).astype(np.uint32) << np.uint32(18)
        for n, line in enumerate(LINES):
            words |= self._levels(line, stop, until - first).astype(np.uint32) << np.uint32(24 + n)
        kept = np.ones(until - first, np.bool_)
        for start, end in self._drops:
            kept &= (numbers < start) | (numbers >= end)
        data = words[kept].astype("<u4").tobytes()
        if data:
            self._deliver(data)

    def _levels(self, line: str, stop: int, count: int) -> NDArray[np.uint8]:
        taken = self._lines[line].take(stop) if line in self._lines else None
        stuck = self._faults.stuck(line)
        if stuck is not None or taken is None:
            return np.full(count, bool(stuck), np.uint8)
        return levels(taken, self._period)


def levels(steps: Steps, period: int) -> NDArray[np.uint8]:
    """A logic level at the start of every period; an edge is seen by the first sample at or after it."""
    total = (steps.stop - steps.start) // period
    index = np.minimum(-(-(steps.ticks - steps.start) // period), total)
    bounds = np.concatenate(([0], index, [total]))
    values = np.concatenate(([steps.initial], steps.values)).astype(np.uint8)
    return np.repeat(values, np.diff(bounds))
