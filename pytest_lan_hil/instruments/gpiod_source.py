"""GPIO lines of the host as an edge source. See `gpiod_open`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_lan_hil.instruments.gpiod_chip import Chip, LineRequest, LineSettings, NoLines, failed
from pytest_lan_hil.instruments.gpiod_edges import find
from pytest_lan_hil.instruments.gpiod_reader import Recorder
from pytest_lan_hil.model.capture import EdgeLine, EdgeRecord, InstrumentIdentity
from pytest_lan_hil.model.clock import Clock, clock_of
from pytest_lan_hil.model.errors import InstrumentError


@dataclass(frozen=True, slots=True)
class Timing:
    """What is known of the time stamps; see `EdgeLine` and `EdgeRecord`."""

    resolution_s: float
    jitter_s: float
    timebase: float


class GpiodSource:
    """Opened GPIO lines. See `instruments.base.EdgeSource`; made by `gpiod_open.open_gpiod`.

    The lines are held from here to `close`, and asked for again at each start: the numbers of a record's
    events then begin with 1, and none from before is among them.

    Args:
        chip: Released by `close`.
        lines: Marker line name to offset.
        settings: How to ask for the lines.
        timing: Of its time stamps.
        identity: Who records.
        device: The chip, for messages.

    Raises:
        InstrumentError: A line is held by someone else, or can't be watched.
    """

    def __init__(
        self,
        chip: Chip,
        lines: Mapping[str, int],
        *,
        settings: LineSettings,
        timing: Timing,
        identity: InstrumentIdentity,
        device: str,
    ) -> None:
        self._chip: Chip | None = chip
        self._lines = dict(lines)
        self._settings = settings
        self._timing = timing
        self._device = device
        self._recorder: Recorder | None = None
        self._request: LineRequest | None = None
        self.identity = identity
        self._clock = clock_of(chip)
        self._hold(chip)

    @property
    def capabilities(self) -> frozenset[str]:
        """Edges, if any line is wired."""
        return frozenset({"edges"} if self._lines else ())

    @property
    def clock(self) -> Clock:
        """The chip's clock if it brings one, else the host's, which the kernel stamps with."""
        return self._clock

    def start(self) -> None:
        """Begin a record; see `EdgeSource`.

        Raises:
            InstrumentError: One is under way, the source is closed, or a line can't be had.
        """
        if self._recorder is not None:
            raise InstrumentError(f"{self.identity} is recording already", fix="stop the first record first")
        if self._chip is None:
            raise InstrumentError(f"{self.identity} is closed", fix="open it again")
        self._let_go()
        requested_s = self._clock.monotonic()
        request = self._hold(self._chip)
        try:
            self._recorder = Recorder(
                self._chip, request, tuple(self._lines.values()), self._settings, requested_s
            )
        except OSError as error:
            raise failed(f"reading GPIO lines of {self._device}", error, device=self._device) from error

    def stop(self) -> EdgeRecord:
        """End the record; see `EdgeSource`. A chip that was unplugged leaves what was read until then.

        Raises:
            InstrumentError: No record was started, or its events can't be (see `gpiod_edges.find`).
        """
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            raise InstrumentError(f"{self.identity} is not recording", fix="call start first")
        times = recorder.end()
        lines = {}
        for name, offset in self._lines.items():
            found = find(
                recorder.events(offset), times, high_when_read=recorder.levels[offset], line=str(offset)
            )
            lines[name] = EdgeLine(
                times_s=found.times_s,
                high_at_start=found.high_at_start,
                duration_s=(times.stop - times.start) / 1e9,
                resolution_s=self._timing.resolution_s,
                jitter_s=self._timing.jitter_s,
                lost=found.lost,
            )
        return EdgeRecord(
            lines=lines,
            start_s=times.start / 1e9,
            instrument=self.identity,
            timebase=self._timing.timebase,
            complete=recorder.failure is None,
        )

    def close(self) -> None:
        """Let go of lines and chip. Safe to repeat."""
        if self._recorder is not None:
            self._recorder.halt()
            self._recorder = None
        self._let_go()
        if self._chip is not None:
            chip, self._chip = self._chip, None
            with contextlib.suppress(OSError):
                chip.close()

    def _hold(self, chip: Chip) -> LineRequest:
        if not self._lines:
            return NoLines()
        try:
            request = chip.request_lines(tuple(self._lines.values()), self._settings)
        except OSError as error:
            line, holder = self._holder(chip)
            raise failed(
                f"watching GPIO line {line} of {self._device}", error, device=self._device, holder=holder
            ) from error
        self._request = request
        return request

    def _holder(self, chip: Chip) -> tuple[str, str]:
        """The line that someone holds, as the bench file's marker line and offset; else all of them."""
        for name, offset in self._lines.items():
            with contextlib.suppress(OSError):
                if holder := chip.consumer(offset):
                    return f"{offset} ({name})", holder
        return ", ".join(map(str, self._lines.values())), ""

    def _let_go(self) -> None:
        if self._request is not None:
            request, self._request = self._request, None
            with contextlib.suppress(OSError):
                request.release()
