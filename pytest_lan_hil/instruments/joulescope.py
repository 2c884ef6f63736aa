"""Joulescope JS220 and JS110, through the `joulescope` package's device objects, unpatched.

Vendor documentation: https://joulescope.readthedocs.io and https://github.com/jetperch/joulescope_driver.
Raw data topics are read instead of the package's own buffer, because that one forgets after 30 s, fills gaps
silently and thins the marker lines from 2 MHz to the rate of the current. Which device, behind which driver:
`joulescope_open`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_lan_hil.instruments.assembly import assemble, common_span
from pytest_lan_hil.instruments.joulescope_models import ACCURACY, INPUTS, NOTES
from pytest_lan_hil.instruments.memory import Blocks
from pytest_lan_hil.instruments.stream import AnalogLog, LineLog, SignalLog
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity
from pytest_lan_hil.model.clock import Clock, clock_of
from pytest_lan_hil.model.errors import InputError, InstrumentError

_log = logging.getLogger(__name__)

# Samples reach the host some ten milliseconds late; a device that is later than this is not streaming.
_LATEST_S = 0.5
_POLL_S = 0.01
# Fewer samples than this short of the time that passed is start-up, not loss.
_START_UP_S = 0.25
_CURRENT, _VOLTAGE = "s/i", "s/v"


class _Recording:
    """The logs of one capture while it is made; filled on the driver's thread."""

    def __init__(self, markers: Mapping[str, str], memory: Blocks, started_at: float) -> None:
        self.started_at = started_at
        self.current = AnalogLog("current", memory)
        self.voltage = AnalogLog("voltage", memory)
        self.lines = {marker: LineLog(f"marker line {marker!r}") for marker in markers}
        self.failure: Exception | None = None
        self._logs: dict[str, SignalLog] = {_CURRENT: self.current, _VOLTAGE: self.voltage}
        self._logs.update({topic: self.lines[marker] for marker, topic in markers.items()})
        self._lock = threading.Lock()
        self._ended = False

    def add(self, signal: str, message: Mapping[str, Any]) -> None:
        """Take one message in, unless the capture has ended or failed."""
        with self._lock:
            if self._ended or self.failure is not None:
                return
            try:
                self._logs[signal].add(message)
            except (InstrumentError, MemoryError) as error:
                self.failure = error

    def recorded_s(self) -> float:
        """How much of the capture every signal has delivered."""
        with self._lock:
            start, stop = common_span(list(self._logs.values()))
            return (stop - start) / self.current.clock_hz if stop > start else 0.0

    def end(self) -> None:
        """Nothing is added any more, however late the driver's thread is."""
        with self._lock:
            self._ended = True


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
        self._topics = (_CURRENT, _VOLTAGE, *self._markers.values())
        self._recording: _Recording | None = None
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
        if self._recording is not None:
            raise InstrumentError(f"{self.identity} is capturing already", fix="stop the first capture first")
        if self._lost:
            raise InstrumentError(
                f"{self.identity} was unplugged", fix="plug it in again, then `lan-hil doctor`"
            )
        # The time is read before the stream is switched on: the capture never ends before `stop` was called.
        self._recording = _Recording(self._markers, self._memory, self.clock.monotonic())
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

    def stop(self) -> Capture:
        """End the capture; see `PowerAnalyzer.stop`.

        Raises:
            InstrumentError: None was started, or the stream was inconsistent.
        """
        recording = self._recording
        if recording is None:
            raise InstrumentError(f"{self.identity} is not capturing", fix="call start first")
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
        if recording.failure is not None:
            raise self._unusable(recording.failure, asked_s) from recording.failure
        return assemble(
            recording.current,
            recording.voltage,
            recording.lines,
            limit_s=asked_s,
            instrument=self.identity,
            accuracy=ACCURACY[self._model],
            complete=not self._lost and recording.recorded_s() >= asked_s - _START_UP_S,
        )

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
