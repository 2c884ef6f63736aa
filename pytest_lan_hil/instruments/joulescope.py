"""Joulescope JS110, JS220 and JS320, through the `joulescope` package's device objects, unpatched.

Vendor documentation: https://joulescope.readthedocs.io and https://github.com/jetperch/joulescope_driver.
Raw data topics are read instead of the package's own buffer, because that one forgets after 30 s, fills gaps
silently and thins the marker lines from 2 MHz to the rate of the current. Which device, behind which driver:
`joulescope_open`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_lan_hil.instruments.joulescope_models import ACCURACY, INPUTS, NOTES, RANGE_INDICES
from pytest_lan_hil.instruments.joulescope_recording import (
    CURRENT,
    RANGE,
    VOLTAGE,
    MemoryRecording,
    Recording,
)
from pytest_lan_hil.instruments.memory import Blocks
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity
from pytest_lan_hil.model.clock import Clock, clock_of
from pytest_lan_hil.model.errors import InputError, InstrumentError

if TYPE_CHECKING:
    from pytest_lan_hil.instruments.jls_stream import JlsRecording

_log = logging.getLogger(__name__)

# Samples reach the host some ten milliseconds late; a device that is later than this is not streaming.
_LATEST_S = 0.5
_POLL_S = 0.01
# Fewer samples than this short of the time that passed is start-up, not loss.
_START_UP_S = 0.25


class Joulescope:
    """An opened Joulescope. See `instruments.base.PowerAnalyzer`; made by `open_joulescope`.

    Args:
        driver: With the methods of `pyjoulescope_driver.Driver`.
        device: The joulescope package's object for the device, not opened yet.
        path: Its path in the driver ("u/js220/002557").
        markers: Marker line to input name, all of which the model has.
        release: Called once when this is closed.
    """

    def __init__(
        self, driver: Any, device: Any, path: str, *, markers: Mapping[str, str], release: Callable[[], None]
    ) -> None:
        self._driver = driver
        self._device = device
        self._path = path
        self._release = release
        self._model = path.split("/")[1].lower()
        self._markers = {marker: f"s/gpi/{INPUTS[self._model][name]}" for marker, name in markers.items()}
        self._range_indices = RANGE_INDICES.get(self._model, ())
        ranges = (RANGE,) if self._range_indices else ()
        self._topics = (CURRENT, VOLTAGE, *self._markers.values(), *ranges)
        self._recording: Recording | None = None
        self._memory = Blocks()
        self._lost = False
        # Bound once: unsubscribing needs the identical object.
        self._data_callback = self._on_data
        self._remove_callback = self._on_remove
        self.identity = InstrumentIdentity(
            model=f"Joulescope {self._model.upper()}",
            serial=path.split("/")[-1],
            simulated=bool(getattr(driver, "simulated", False)),
            notes=tuple(dict.fromkeys((*NOTES, *getattr(driver, "notes", ())))),
        )

    @property
    def capabilities(self) -> frozenset[str]:
        """Everything, but markers and edges only if a marker line is wired."""
        wired = {"power.markers", "edges"} if self._markers else set()
        return frozenset({"power", "power.waveform"} | wired)

    @property
    def clock(self) -> Clock:
        """The driver's clock if it brings one, else the host's."""
        return clock_of(self._driver)

    def open_device(self) -> None:
        """Open the device itself.

        Raises:
            InstrumentError: It can't be opened.
        """
        # The package would reserve and fill a buffer for 30 s that nothing reads.
        self._device.buffer_duration = 1
        self._device.config = "auto"
        try:
            self._driver.subscribe("@/!remove", "pub", self._remove_callback)
            self._device.open()
        except (RuntimeError, TimeoutError) as error:
            raise InstrumentError(
                f"opening {self.identity}: {error}",
                fix="close other programs that use the Joulescope, or plug it in again",
            ) from error
        self.identity = replace(self.identity, version=self._version())

    def configure(self, *, current_range: str, voltage_range: str) -> None:
        """Set the ranges, in the package's words ("auto", "18 mA"; "15V", "2V").

        Raises:
            InputError: The model has no such range.
            InstrumentError: The device does not answer.
        """
        for name, value in (("i_range", current_range), ("v_range", voltage_range)):
            try:
                self._device.parameter_set(name, value)
            except (KeyError, ValueError) as error:
                raise InputError(
                    f"{self.identity} has no {name} {value!r}", fix="leave the option out for the usual range"
                ) from error
            except (RuntimeError, TimeoutError) as error:
                raise InstrumentError(
                    f"setting {name} of {self.identity} to {value!r}: {error}", fix="plug it in again"
                ) from error

    def start(self) -> None:
        """Begin a capture.

        Raises:
            InstrumentError: One is under way, or the device is gone.
        """
        self._require_idle()
        self._begin(MemoryRecording(self._markers, self._memory, self._range_indices, self.clock))

    def stop(self) -> Capture:
        """End the capture; see `PowerAnalyzer.stop`.

        Raises:
            InstrumentError: None was started, or the stream was inconsistent.
        """
        recording = self._recording
        if not isinstance(recording, MemoryRecording):
            raise InstrumentError(f"{self.identity} is not capturing", fix="call start first")
        asked_s = self._finish(recording)
        if recording.failure is not None:
            raise self._unusable(recording.failure, asked_s) from recording.failure
        return recording.capture(
            limit_s=asked_s,
            instrument=self.identity,
            accuracy=ACCURACY[self._model],
            complete=not self._lost and recording.recorded_s() >= asked_s - _START_UP_S,
        )

    @contextmanager
    def stream_to(self, path: Path) -> Iterator[JlsRecording]:
        """Record straight into a JLS file while the block runs; see `streaming.Streaming`.

        Raises:
            InputError: The file can't be made.
            InstrumentError: A recording is under way, the device is gone, or the file could not be closed.
        """
        from pytest_lan_hil.instruments.jls_format import LINES, Header
        from pytest_lan_hil.instruments.jls_stream import JlsRecording

        self._require_idle()
        signals = {f"s/gpi/{number}": signal for number, (signal, _) in LINES.items()}
        recording = JlsRecording(
            path,
            Header(
                instrument=self.identity,
                accuracy=ACCURACY[self._model],
                markers={marker: signals[topic] for marker, topic in self._markers.items()},
                range_indices=self._range_indices,
            ),
            {topic: signals[topic] for topic in self._markers.values()},
            self.clock,
        )
        try:
            self._begin(recording)
        except BaseException:
            recording.close(problem="it never began")
            path.unlink(missing_ok=True)
            raise
        problem = "the recorder was interrupted by an error"
        try:
            yield recording
            problem = ""
        except KeyboardInterrupt:  # being told to stop is no fault of the record
            problem = ""
            raise
        finally:
            asked_s = self._finish(recording) if self._recording is recording else 0.0
            if recording.recorded_s() < asked_s - _START_UP_S:
                problem = problem or f"{self.identity} stopped sending samples"
            recording.close(problem=problem)

    def close(self) -> None:
        """Release the device. Safe to repeat, and after the device is gone."""
        if self._device is None:
            return
        if self._recording is not None:
            self._end_stream()
            self._recording = None
        device, self._device = self._device, None
        self._memory = Blocks()
        self._attempt("unsubscribing", self._driver.unsubscribe, "@/!remove", self._remove_callback)
        self._attempt("closing", device.close)
        self._attempt("releasing", self._release)

    def _on_data(self, topic: str, message: Mapping[str, Any]) -> None:
        """Called on the driver's thread with each message."""
        recording = self._recording
        if recording is not None:
            recording.add(topic[len(self._path) + 1 :].removesuffix("/!data"), message)

    def _on_remove(self, topic: str, path: str) -> None:  # noqa: ARG002 - the driver's signature
        if path == self._path:
            self._lost = True
            if self._recording is not None:
                self._recording.unplugged = True

    def _require_idle(self) -> None:
        if self._recording is not None:
            raise InstrumentError(f"{self.identity} is capturing already", fix="stop the first capture first")
        if self._lost:
            raise InstrumentError(
                f"{self.identity} was unplugged", fix="plug it in again, then `lan-hil doctor`"
            )

    def _begin(self, recording: Recording) -> None:
        # Made before the stream is switched on: the record never ends before `stop` was called.
        self._recording = recording
        try:
            for topic in self._topics:
                self._device.subscribe(f"{topic}/!data", "pub", self._data_callback)
            for topic in self._topics:
                self._device.publish(f"{topic}/ctrl", 1)
        except (RuntimeError, TimeoutError) as error:
            self._end_stream()
            self._recording = None
            raise InstrumentError(
                f"{self.identity} refused to start streaming: {error}",
                fix="close other programs that use the Joulescope, or plug it in again",
            ) from error

    def _finish(self, recording: Recording) -> float:
        """Wait for what is on its way, and end; how long the recording was meant to be, in seconds."""
        asked_s = self.clock.monotonic() - recording.started_at
        waited_s = 0.0
        while recording.recorded_s() < asked_s and waited_s < _LATEST_S:
            if self._lost or recording.failure is not None:
                break
            self.clock.sleep(_POLL_S)
            waited_s += _POLL_S
        self._end_stream()
        recording.end()
        self._recording = None
        return asked_s

    def _end_stream(self) -> None:
        for topic in self._topics:
            # Each call to a device that is gone would wait for its answer in vain.
            if not self._lost:
                self._attempt("stopping", self._device.publish, f"{topic}/ctrl", 0)
            self._attempt("unsubscribing", self._device.unsubscribe, f"{topic}/!data", self._data_callback)

    def _attempt(self, what: str, act: Callable[..., object], *arguments: object) -> None:
        """Do one step of letting go: whatever becomes of it, the next one has to follow."""
        try:
            act(*arguments)
        except Exception:
            _log.debug("%s %s failed; it is gone or never opened", what, self._path, exc_info=True)

    def _unusable(self, failure: Exception, asked_s: float) -> InstrumentError:
        if isinstance(failure, InstrumentError):
            return failure
        return InstrumentError(
            f"recording {asked_s:.0f} s with {self.identity}: this computer ran out of memory"
            " (a second takes 8.5 MB and more with marker lines)",
            fix="record for a shorter time",
        )

    def _version(self) -> str:
        try:
            return str(self._device.info()["ctl"]["fw"]["ver"])
        except (KeyError, RuntimeError, TimeoutError, TypeError, ValueError):
            return ""  # a JS110 does not tell
