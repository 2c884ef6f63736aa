"""One recording of a Joulescope's messages while it is made: the part that lives on the driver's thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from pytest_lan_hil.instruments.assembly import assemble, common_span
from pytest_lan_hil.instruments.joulescope_time import ClockLog
from pytest_lan_hil.instruments.memory import Blocks
from pytest_lan_hil.instruments.stream import AnalogLog, LineLog, RangeLog, SignalLog
from pytest_lan_hil.model.capture import Accuracy, Capture, InstrumentIdentity
from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import InstrumentError

#: Topics of the streams, below the device's path.
CURRENT, VOLTAGE, RANGE = "s/i", "s/v", "s/i/range"


class Recording:
    """Takes messages in until it ends or fails.

    Args:
        logs: Topic to its signal.
        clock: The harness's.

    Attributes:
        started_at: When it was made, on `clock`, before the streams were switched on.
        unplugged: The instrument went away while it was made.
        failure: Why nothing more is taken in.
    """

    def __init__(self, logs: Mapping[str, SignalLog], clock: Clock) -> None:
        self.started_at = clock.monotonic()
        self.unplugged = False
        self.failure: Exception | None = None
        self.timing = ClockLog(self.started_at)
        self._logs = logs
        self._clock = clock
        self._lock = threading.Lock()
        self._ended = False

    def add(self, signal: str, message: Mapping[str, Any]) -> None:
        """Take one message in, unless the recording has ended or failed."""
        arrived_s = self._clock.monotonic() if signal == CURRENT else 0.0
        with self._lock:
            if self._ended or self.failure is not None:
                return
            try:
                if signal == CURRENT:
                    self.timing.note(message, arrived_s)
                self._logs[signal].add(message)
            except (InstrumentError, MemoryError, OSError, RuntimeError) as error:
                self.failure = error

    def recorded_s(self) -> float:
        """How much every signal has delivered; a range that was never told is not waited for."""
        with self._lock:
            logs = [log for topic, log in self._logs.items() if topic != RANGE or log.has_samples]
            start, stop = common_span(logs)
            return (stop - start) / self._logs[CURRENT].clock_hz if stop > start else 0.0

    def end(self) -> None:
        """Nothing is added any more, however late the driver's thread is."""
        with self._lock:
            self._ended = True


class MemoryRecording(Recording):
    """A recording that becomes a capture.

    Args:
        markers: Marker line to topic.
        memory: Where samples go.
        range_indices: Code of a range to its index in `Accuracy.current_ranges`; empty if none is streamed.
        clock: The harness's.
    """

    def __init__(
        self, markers: Mapping[str, str], memory: Blocks, range_indices: tuple[int, ...], clock: Clock
    ) -> None:
        self._current = AnalogLog("current", memory)
        self._voltage = AnalogLog("voltage", memory)
        self._lines = {marker: LineLog(f"marker line {marker!r}") for marker in markers}
        self._ranges = RangeLog("current range") if range_indices else None
        self._range_indices = range_indices
        logs: dict[str, SignalLog] = {CURRENT: self._current, VOLTAGE: self._voltage}
        logs |= {topic: self._lines[marker] for marker, topic in markers.items()}
        if self._ranges is not None:
            logs[RANGE] = self._ranges
        super().__init__(logs, clock)

    def capture(
        self, *, limit_s: float, instrument: InstrumentIdentity, accuracy: Accuracy, complete: bool
    ) -> Capture:
        """What was recorded; see `assemble`.

        Raises:
            InstrumentError: The signals do not share a sample clock.
        """
        return assemble(
            self._current,
            self._voltage,
            self._lines,
            ranges=self._ranges,
            range_indices=self._range_indices,
            clock=self.timing,
            limit_s=limit_s,
            instrument=instrument,
            accuracy=accuracy,
            complete=complete,
        )
