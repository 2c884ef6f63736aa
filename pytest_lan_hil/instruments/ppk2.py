"""Nordic Power Profiler Kit II, through the `ppk2_api` package's commands and calibration, unpatched.

Vendor documentation: https://docs.nordicsemi.com, Power Profiler Kit II user guide. Which one, behind which
port: `ppk2_open`; the samples themselves: `ppk2_decode`, `ppk2_placement` and `ppk2_record`.

A PPK2 measures current and eight digital lines at 100 kS/s on one clock: edges and samples lie on a grid of
10 us. It does not measure the voltage.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import serial

from pytest_lan_hil.instruments.ppk2_decode import Decoder, current_table
from pytest_lan_hil.instruments.ppk2_models import SAMPLE_RATE_HZ
from pytest_lan_hil.instruments.ppk2_placement import Arrivals
from pytest_lan_hil.instruments.ppk2_port import reader_of
from pytest_lan_hil.instruments.ppk2_record import WORD_BYTES, Setup, assemble
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity
from pytest_lan_hil.model.clock import Clock, clock_of
from pytest_lan_hil.model.errors import InstrumentError

_log = logging.getLogger(__name__)

# Samples reach the host some milliseconds late; a device that is later than this is not streaming.
_LATEST_S = 0.5
_POLL_S = 0.01
# Fewer samples than this short of the time that passed is start-up, not loss.
_START_UP_S = 0.25
# An arrival each 5 ms tells enough about delays, and costs 3 MB an hour.
_ARRIVAL_S = 0.005


class _Recording:
    """The bytes of one capture (1.4 GB an hour) and when they came; filled on the reader's thread."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.data = bytearray()
        self._words: list[int] = []
        self._times: list[float] = []

    def add(self, data: bytes, by: float | None) -> None:
        """Bytes that came; by when, if that is known."""
        self.data += data
        words = len(self.data) // WORD_BYTES
        if by is not None and words and (not self._times or by >= self._times[-1] + _ARRIVAL_S):
            self._words.append(words)
            self._times.append(by)

    @property
    def recorded_s(self) -> float:
        """How much has come."""
        return len(self.data) / (WORD_BYTES * SAMPLE_RATE_HZ)

    @property
    def arrivals(self) -> Arrivals:
        """How many words had come when."""
        return Arrivals(np.array(self._words, np.int64), np.array(self._times, np.float64))


class Ppk2:
    """An opened PPK2. See `instruments.base.PowerAnalyzer`; made by `open_ppk2`.

    Args:
        api: The package's `PPK2_API` around `port`: calibrated, mode and voltage set.
        port: With the methods of `serial.Serial`, or a `deliver_to` besides.
        setup: What its captures share.
        let_go: Called once when this is closed, before the port is.
    """

    def __init__(self, api: Any, port: Any, setup: Setup, *, let_go: Callable[[], None]) -> None:
        self._api = api
        self._port: Any = port
        self._setup = setup
        self._let_go = let_go
        self._clock = clock_of(port)
        self._reader = reader_of(port, self._clock)
        self._table = current_table(api.modifiers, api.adc_mult, api.current_vdd)
        self._recording: _Recording | None = None
        self._lost = False

    @property
    def identity(self) -> InstrumentIdentity:
        """Which PPK2 this is."""
        return self._setup.instrument

    @property
    def capabilities(self) -> frozenset[str]:
        """Everything, but markers and edges only if a marker line is wired."""
        wired = {"power.markers", "edges"} if self._setup.markers else set()
        return frozenset({"power", "power.waveform"} | wired)

    @property
    def clock(self) -> Clock:
        """The port's clock if it brings one, else the host's."""
        return self._clock

    def start(self) -> None:
        """Begin a capture.

        Raises:
            InstrumentError: One is under way, or the device is gone.
        """
        if self._recording is not None:
            raise InstrumentError(f"{self.identity} is capturing already", fix="stop the first capture first")
        if self._lost or self._port is None:
            raise self._gone("it was unplugged or closed")
        try:
            self._port.read(self._port.in_waiting)
        except (OSError, serial.SerialException) as error:
            self._lost = True
            raise self._gone(str(error)) from error
        # The time is read before the stream is switched on: the capture never ends before `stop` was called.
        self._recording = _Recording(self._clock.monotonic())
        self._reader.start(self._recording.add)
        self._api.start_measuring()

    def stop(self) -> Capture:
        """End the capture; see `PowerAnalyzer.stop`.

        Raises:
            InstrumentError: None was started.
        """
        recording = self._recording
        if recording is None:
            raise InstrumentError(f"{self.identity} is not capturing", fix="call start first")
        asked_s = self._clock.monotonic() - recording.started_at
        waited_s = 0.0
        while recording.recorded_s < asked_s and waited_s < _LATEST_S and self._reader.failure is None:
            self._clock.sleep(_POLL_S)
            waited_s += _POLL_S
        self._end_stream()
        return assemble(
            recording.data,
            recording.arrivals,
            Decoder(
                self._table,
                alpha=self._api.spike_filter_alpha,
                alpha_top=self._api.spike_filter_alpha5,
                samples=self._api.spike_filter_samples,
            ),
            self._setup,
            limit_s=asked_s,
            ended=self._ended(recording, asked_s),
        )

    def close(self) -> None:
        """Release the device. Safe to repeat, and after the device is gone."""
        if self._port is None:
            return
        port = self._port
        for what, act in (
            ("stopping", self._end_stream if self._recording is not None else lambda: None),
            ("letting go of", self._let_go),
            ("sending the last command to", port.flush),
            ("closing", port.close),
        ):
            try:
                act()
            except Exception:  # whatever becomes of one step, the next one has to follow
                _log.debug("%s %s failed; it is gone", what, self.identity, exc_info=True)
        self._port = None

    def _end_stream(self) -> None:
        self._api.stop_measuring()
        self._reader.stop()
        self._lost = self._lost or self._reader.failure is not None
        self._recording = None

    def _ended(self, recording: _Recording, asked_s: float) -> str:
        failure = self._reader.failure
        if failure is not None:
            return f"the PPK2 was lost {recording.recorded_s:.3f} s into the capture: {failure}"
        if recording.recorded_s < asked_s - _START_UP_S:
            return (
                f"the PPK2 sent samples for {recording.recorded_s:.3f} s of the {asked_s:.3f} s that the"
                " capture lasted"
            )
        return ""

    def _gone(self, found: str) -> InstrumentError:
        return InstrumentError(
            f"starting a capture with {self.identity}: {found}",
            fix="plug it in again, then `lan-hil doctor`",
        )
