"""One capture of the virtual JS220: from what the board did to the driver's stream messages.

Message form, field ids and decimation follow pyjoulescope_driver 2.2 (js220_usb.c, binding.pyx).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.measured import MeasuredBoard
from pytest_lan_hil.virtual.sampling import Sensor, packed_levels, sample_means
from pytest_lan_hil.virtual.traces import Recorder, Steps

SAMPLE_ID_HZ = 2_000_000
GPI_LINES = ("gpi0", "gpi1", "gpi2", "gpi3")
_CHUNK_SECONDS = 0.05  # the longest message of the real driver, js220_usb.c
_UTC_ORIGIN = 252_460_800 << 30  # 2026-01-01 as time64: 2^-30 s since 2018-01-01


@dataclass(frozen=True, slots=True)
class Signal:
    """A stream: JSDRV_FIELD id and index."""

    field_id: int
    index: int


SIGNALS = {
    "s/i": Signal(1, 0),
    "s/v": Signal(2, 0),
    "s/p": Signal(3, 0),
    "s/i/range": Signal(4, 0),
    **{f"s/gpi/{n}": Signal(5, n) for n in range(len(GPI_LINES))},
    "s/gpi/7": Signal(5, 7),  # trigger input
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What a capture looks at.

    Attributes:
        board: Whose supply is measured.
        sensor: The instrument's analog side.
        supply_v: Voltage passed through to the board.
        pins: GPI line ("gpi0") to pin name ("P0.13").
        faults: Scripted faults.
    """

    board: MeasuredBoard
    sensor: Sensor
    supply_v: float
    pins: Mapping[str, str]
    faults: Faults


class Capture:
    """Everything between the first stream on and the last stream off.

    All spans are whole numbers of `unit` ticks: whole samples of every signal, whole bytes of packed bits.

    Args:
        setup: What is looked at.
        fs: Sampling frequency of current, voltage and power, Hz.
        origin: Tick of sample id 0.
        active: Streams that are on ("s/i"); the driver changes it.
        emit: Called with the subtopic and the message.
        vanish: Called when a scripted fault unplugs the analyzer.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        fs: int,
        origin: int,
        active: set[str],
        emit: Callable[[str, dict[str, Any]], None],
        vanish: Callable[[], None],
    ) -> None:
        board = setup.board
        self._setup = setup
        self._board = board
        self._active = active
        self._emit = emit
        self._vanish = vanish
        self._id_ticks = board.tick_hz // SAMPLE_ID_HZ
        self._decimate = max(SAMPLE_ID_HZ // fs, 2)
        self._period = self._id_ticks * self._decimate
        self._unit = math.lcm(self._period, 8 * self._id_ticks)
        self._start = board.now
        self._at = self._start
        # Sample ids go on counting from `open`; the first is a whole sample of every signal.
        self._first_id = -(-(self._start - origin) // self._unit) * (self._unit // self._id_ticks)
        self._chunk = max(round(_CHUNK_SECONDS * board.tick_hz) // self._unit, 1) * self._unit
        self._power = board.power.record(self._start)
        self._gpi: dict[str, Recorder] = {
            line: board.pins.record(pin, self._start) for line, pin in setup.pins.items()
        }
        second = board.tick_hz
        self._drops = sorted(
            (self._start + self._round(f.at * second), self._start + self._round((f.at + f.length) * second))
            for f in setup.faults.named("drop")
        )
        vanish_fault = setup.faults.first("analyzer_vanish")
        self._vanish_at = None if vanish_fault is None else self._start + round(vanish_fault.at * second)

    def _round(self, ticks: float) -> int:
        return round(ticks / self._unit) * self._unit

    def close(self) -> None:
        """Stop recording."""
        self._board.power.stop(self._power)
        for line, recorder in self._gpi.items():
            self._board.pins.stop(self._setup.pins[line], recorder)

    # -- the board's listener ----------------------------------------------------------------------------

    def next_tick(self) -> int:
        """The board stops here to let chunks be delivered."""
        due = self._at + self._chunk
        return due if self._vanish_at is None else min(due, self._vanish_at)

    def advanced(self, now: int) -> None:
        """Virtual time has passed."""
        if self._vanish_at is not None and now >= self._vanish_at:
            self._vanish()
            return
        self.deliver(now, partial=False)

    def deliver(self, now: int, *, partial: bool) -> None:
        """Hand out whole chunks up to `now`, and with `partial` the rest in whole units."""
        while now - self._at >= self._chunk:
            self._deliver_span(self._at + self._chunk)
        rest = (now - self._at) // self._unit * self._unit
        if partial and rest:
            self._deliver_span(self._at + rest)

    def _deliver_span(self, stop: int) -> None:
        """Deliver to `stop`, leaving out what is dropped."""
        for first, last in self._drops:
            if last <= self._at or first >= stop:
                continue
            if first > self._at:
                self._send(first)
            self._skip(min(last, stop))
        if stop > self._at:
            self._send(stop)

    def _skip(self, stop: int) -> None:
        self._power.take(stop)
        for recorder in self._gpi.values():
            recorder.take(stop)
        self._at = stop

    # -- messages ----------------------------------------------------------------------------------------

    def _send(self, stop: int) -> None:
        start, self._at = self._at, stop
        position = (start - self._start) // self._period
        steps = self._power.take(stop)
        gpi = {line: recorder.take(stop) for line, recorder in self._gpi.items()}
        wanted = self._active & {"s/i", "s/v", "s/p", "s/i/range"}
        if wanted:
            self._send_analog(steps, position, wanted, start)
        for n, line in enumerate(GPI_LINES):
            if f"s/gpi/{n}" in self._active:
                data = packed_levels(self._gpi_steps(line, gpi, start, stop), self._id_ticks)
                self._message(f"s/gpi/{n}", data, start, decimate=1)
        if "s/gpi/7" in self._active:
            data = packed_levels(self._flat(start, stop, level=False), self._id_ticks)
            self._message("s/gpi/7", data, start, decimate=1)

    def _send_analog(self, steps: Steps, position: int, wanted: Iterable[str], start: int) -> None:
        sensor = self._setup.sensor
        runs = sample_means(steps, self._period)
        ranges = sensor.ranges(runs)
        averaging = self._decimate // 2
        need_i, need_v = {"s/i", "s/p"} & set(wanted), {"s/v", "s/p"} & set(wanted)
        current = sensor.current(runs, ranges, position, averaging=averaging) if need_i else None
        voltage = (
            sensor.voltage(runs, ranges, self._setup.supply_v, position, averaging=averaging)
            if need_v
            else None
        )
        if "s/i" in wanted:
            self._message("s/i", current, start, decimate=self._decimate)
        if "s/v" in wanted:
            self._message("s/v", voltage, start, decimate=self._decimate)
        if "s/p" in wanted and current is not None and voltage is not None:
            self._message("s/p", current * voltage, start, decimate=self._decimate)
        if "s/i/range" in wanted:
            codes = np.repeat(sensor.range_codes(runs, ranges), self._decimate)
            self._message("s/i/range", codes, start, decimate=1)

    def _gpi_steps(self, line: str, taken: Mapping[str, Steps], start: int, stop: int) -> Steps:
        stuck = self._setup.faults.stuck(line)
        if stuck is None and line in taken:
            return taken[line]
        return self._flat(start, stop, level=bool(stuck))

    @staticmethod
    def _flat(start: int, stop: int, *, level: bool) -> Steps:
        return Steps(start, stop, float(level), np.empty(0, np.int64), np.empty(0, np.float64))

    def _message(self, topic: str, data: Any, start: int, *, decimate: int) -> None:
        signal = SIGNALS[topic]
        sample_id = self._first_id + (start - self._start) // self._id_ticks
        self._emit(
            f"{topic}/!data",
            {
                "sample_id": sample_id,
                "utc": _UTC_ORIGIN + sample_id * (1 << 30) // SAMPLE_ID_HZ,
                "field_id": signal.field_id,
                "index": signal.index,
                "sample_rate": SAMPLE_ID_HZ,
                "decimate_factor": decimate,
                "time_map": {
                    "offset_time": _UTC_ORIGIN,
                    "offset_counter": 0,
                    "counter_rate": float(SAMPLE_ID_HZ),
                },
                "data": data,
            },
        )
