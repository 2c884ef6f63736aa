"""One record of GPIO events while it is made: the kernel's small buffer is emptied as time passes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from pytest_lan_hil.instruments.gpiod_chip import Chip, LineRequest, LineSettings
from pytest_lan_hil.instruments.gpiod_edges import LineEvents, Times
from pytest_lan_hil.instruments.pace import repeat_of
from pytest_lan_hil.model.clock import clock_of

# How long the reader sleeps at a stretch, and how long it rests after it has read: with the largest buffer
# (1024 events) it keeps up with 200,000 edges a second, more than a small host's interrupts can.
_WAIT_S = 0.05
_REST_S = 5e-3
# An edge is stamped in the interrupt, and its event queued by a thread of the kernel some time after.
_QUEUED_S = 2e-3
# `gpiod.EdgeEvent.Type`, by name: the package need not be there where the chip is not the kernel's.
_RISING = "RISING_EDGE"


class Recorder:
    """See the module. It begins to record at once; `end` or `halt` must be called in every case, and once.

    Args:
        chip: Whose time passes.
        request: Its lines, of which nothing has been read yet.
        offsets: Of the lines.
        settings: They were asked for with.
        requested_s: Before they were asked for, seconds on the chip's clock.

    Raises:
        OSError: The levels can't be read.

    Attributes:
        levels: High or not by offset, read at the start.
        failure: Why no more events came, or None.
    """

    def __init__(
        self,
        chip: Chip,
        request: LineRequest,
        offsets: Sequence[int],
        settings: LineSettings,
        requested_s: float,
    ) -> None:
        self._clock = clock_of(chip)
        self._request = request
        self._most = settings.event_buffer_size
        self._requested_s = requested_s
        self._columns = {offset: (array("q"), array("b"), array("q")) for offset in offsets}
        self.failure: OSError | None = None
        self._start_s = self._clock.monotonic()
        levels = request.get_values(offsets)
        self._levels_read_s = self._reached_s = self._clock.monotonic()
        self.levels = {offset: bool(level) for offset, level in zip(offsets, levels, strict=True)}
        self._repetition = repeat_of(chip)(self._look)

    def end(self) -> Times:
        """End the record now, and fetch every event that belongs to it."""
        stop_s = self._clock.monotonic()
        try:
            self._clock.sleep(_QUEUED_S)
        finally:
            self.halt()
        while self.failure is None and self._fetch(0.0):
            pass
        if self.failure is not None:
            stop_s = min(stop_s, self._reached_s)
        instants = (self._requested_s, self._start_s, self._levels_read_s, stop_s, self._clock.monotonic())
        return Times(*(round(instant * 1e9) for instant in instants))

    def halt(self) -> None:
        """Nobody reads events any more once this returns."""
        self._repetition.stop()

    def events(self, offset: int) -> LineEvents:
        """What was read of one line."""
        stamps, rising, numbers = self._columns[offset]
        return LineEvents(np.array(stamps, np.int64), np.array(rising, np.bool_), np.array(numbers, np.int64))

    def _look(self) -> float:
        """Wait for events and fetch them; returns after how many seconds to come back."""
        if self.failure is None:
            self._fetch(_WAIT_S)
        return _REST_S

    def _fetch(self, timeout_s: float) -> bool:
        """Fetch the events that are there, or come within the time; True if there were any."""
        looked_s = self._clock.monotonic()
        try:
            waiting = self._request.wait_edge_events(timeout_s)
            events = self._request.read_edge_events(self._most) if waiting else ()
        except OSError as error:
            # Told by whoever ends the record: nobody listens on a reading thread.
            self.failure = error
            return False
        for event in events:
            stamps, rising, numbers = self._columns[event.line_offset]
            stamps.append(event.timestamp_ns)
            rising.append(event.event_type.name == _RISING)
            numbers.append(event.line_seqno)
        self._reached_s = looked_s
        return bool(events)
