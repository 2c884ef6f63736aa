"""Joulescope JS220 and JS110, through the `joulescope` package's device objects, unpatched.

Vendor documentation: https://joulescope.readthedocs.io and https://github.com/jetperch/joulescope_driver. Raw data
topics are read instead of the package's own buffer, because that one forgets after 30 s, fills gaps silently and
thins the marker lines from 2 MHz to the rate of the current. `joulescope` is imported when one is opened.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from pytest_lan_hil.instruments.joulescope_accuracy import MODELS, NOTES
from pytest_lan_hil.instruments.registry import AnalyzerUri
from pytest_lan_hil.instruments.stream import (
    SignalLog,
    common_span,
    gaps_of,
    line_between,
    nan_spans,
    samples_between,
)
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity
from pytest_lan_hil.model.clock import Clock, clock_of
from pytest_lan_hil.model.errors import InputError, InstrumentError

DRIVERS = "pytest_lan_hil.joulescope_drivers"
_log = logging.getLogger(__name__)

# JS220: four inputs and the trigger (topic number 7); JS110: two. pyjoulescope_driver/record.py
_INPUTS = {
    "js220": {"gpi0": 0, "gpi1": 1, "gpi2": 2, "gpi3": 3, "trigger": 7},
    "js110": {"gpi0": 0, "gpi1": 1},
}
# Samples reach the host some ten milliseconds late; a device that is later than this is not streaming.
_LATEST_S = 0.5
_POLL_S = 0.01
# Fewer samples than this short of the time that passed is start-up, not loss.
_START_UP_S = 0.25


class Joulescope:
    """An opened Joulescope. See `instruments.base.PowerAnalyzer`; made by `open_joulescope`."""

    def __init__(
        self, driver: Any, path: str, *, markers: Mapping[str, str], release: Callable[[], None]
    ) -> None:
        self._driver = driver
        self._path = path
        self._release = release
        self._model = path.split("/")[1].lower()
        self._topics = {"s/i": "current", "s/v": "voltage"}
        self._markers: dict[str, str] = {}
        for marker, name in markers.items():
            topic = f"s/gpi/{_INPUTS[self._model][name]}"
            self._markers[marker] = topic
            self._topics[topic] = f"marker line {marker!r} ({name})"
        self._lock = threading.Lock()
        self._logs: dict[str, SignalLog] | None = None
        self._started_at = 0.0
        self._failure: Exception | None = None
        self._lost = False
        # Bound once: unsubscribing needs the identical object.
        self._data_callback = self._on_data
        self._remove_callback = self._on_remove
        self._device = _device(driver, path)
        self.identity = self._identify()

    @property
    def capabilities(self) -> frozenset[str]:
        """Everything, but markers and edges only if a marker line is wired."""
        wired = {"power.markers", "edges"} if self._markers else set()
        return frozenset({"power", "power.waveform"} | wired)

    @property
    def clock(self) -> Clock:
        """The driver's clock if it brings one, else the host's."""
        return clock_of(self._driver)

    def configure(self, *, current_range: str, voltage_range: str) -> None:
        """Set the ranges, in the package's words ("auto", "18 mA"; "15V", "2V").

        Raises:
            InputError: The model has no such range.
        """
        for name, value in (("i_range", current_range), ("v_range", voltage_range)):
            try:
                self._device.parameter_set(name, value)
            except (KeyError, ValueError) as error:
                raise InputError(
                    f"{self.identity} has no {name} {value!r}", fix="leave the option out for the usual range"
                ) from error

    def start(self) -> None:
        """Begin a capture.

        Raises:
            InstrumentError: One is under way, or the device is gone.
        """
        if self._logs is not None:
            raise InstrumentError(f"{self.identity} is capturing already", fix="stop the first capture first")
        if self._lost:
            raise self._gone()
        logs = {
            topic: SignalLog(name, bits_per_item=8 if topic.startswith("s/gpi") else 1)
            for topic, name in self._topics.items()
        }
        with self._lock:
            self._logs, self._failure = logs, None
        # Read before the stream is switched on: the capture never ends before `stop` was called.
        self._started_at = self.clock.monotonic()
        try:
            for topic in logs:
                self._device.subscribe(f"{topic}/!data", "pub", self._data_callback)
            for topic in logs:
                self._device.publish(f"{topic}/ctrl", 1)
        except (RuntimeError, TimeoutError) as error:
            self._end_stream()
            self._logs = None
            raise InstrumentError(
                f"{self.identity} refused to start streaming: {error}",
                fix="close other programs that use the Joulescope, or plug it in again",
            ) from error

    def stop(self) -> Capture:
        """End the capture; see `PowerAnalyzer.stop`.

        Raises:
            InstrumentError: None was started, or the stream was inconsistent.
        """
        if self._logs is None:
            raise InstrumentError(f"{self.identity} is not capturing", fix="call start first")
        asked_s = self.clock.monotonic() - self._started_at
        waited_s = 0.0
        while self._recorded_s() < asked_s and waited_s < _LATEST_S and not (self._lost or self._failure):
            self.clock.sleep(_POLL_S)
            waited_s += _POLL_S
        self._end_stream()
        with self._lock:
            logs, self._logs = self._logs, None
        if self._failure is not None:
            raise self._failure
        return self._assemble(logs, asked_s)

    def close(self) -> None:
        """Release the device. Safe to repeat, and after the device is gone."""
        if self._device is None:
            return
        if self._logs is not None:
            self._end_stream()
            self._logs = None
        device, self._device = self._device, None
        for what, act in (
            ("unsubscribing", lambda: self._driver.unsubscribe("@/!remove", self._remove_callback)),
            ("closing", device.close),
            ("releasing", self._release),
        ):
            try:
                act()
            except Exception:
                _log.debug("%s %s failed; it is gone or never opened", what, self._path, exc_info=True)

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

    def _identify(self) -> InstrumentIdentity:
        return InstrumentIdentity(
            model=f"Joulescope {self._model.upper()}",
            serial=self._path.split("/")[-1],
            simulated=bool(getattr(self._driver, "simulated", False)),
            notes=NOTES + tuple(getattr(self._driver, "notes", ())),
        )

    def _version(self) -> str:
        try:
            return str(self._device.info()["ctl"]["fw"]["ver"])
        except (KeyError, RuntimeError, TimeoutError, TypeError, ValueError):
            return ""  # a JS110 does not tell

    def _on_data(self, topic: str, message: Mapping[str, Any]) -> None:
        """Called on the driver's thread with each message."""
        signal = topic[len(self._path) + 1 :].removesuffix("/!data")
        with self._lock:
            if self._logs is None or signal not in self._logs or self._failure is not None:
                return
            try:
                self._logs[signal].add(message)
            except InstrumentError as error:
                self._failure = error

    def _on_remove(self, topic: str, path: str) -> None:  # noqa: ARG002
        if path == self._path:
            self._lost = True

    def _recorded_s(self) -> float:
        """How much of the capture every signal has delivered."""
        with self._lock:
            logs = list((self._logs or {}).values())
            start, stop = common_span(logs)
            return (stop - start) / logs[0].clock_hz if stop > start else 0.0

    def _end_stream(self) -> None:
        for topic in self._topics:
            for act in (
                lambda topic=topic: self._device.publish(f"{topic}/ctrl", 0),
                lambda topic=topic: self._device.unsubscribe(f"{topic}/!data", self._data_callback),
            ):
                try:
                    act()
                except (RuntimeError, TimeoutError):
                    _log.debug("ending the stream of %s failed", self._path, exc_info=True)

    def _assemble(self, logs: Mapping[str, SignalLog], asked_s: float) -> Capture:
        every = list(logs.values())
        accuracy = MODELS[self._model]
        clocks = {log.clock_hz for log in every if log.chunks}
        if len(clocks) > 1:
            raise InstrumentError(
                f"the signals of {self.identity} count at different clocks: {sorted(clocks)} Hz",
                fix="update the joulescope packages and the instrument's firmware",
            )
        current = logs["s/i"]
        start, stop = common_span(every)
        if stop == start:
            nothing = np.empty(0, np.float32)
            return Capture(1.0, nothing, nothing, self.identity, accuracy, complete=False)
        step = current.decimation
        recorded_s = (stop - start) / current.clock_hz
        # What came after `stop` was called is not part of the record.
        stop = min(stop, start + int(asked_s * current.clock_hz / step + 1e-6) * step)
        current_a = samples_between(current, start, stop)
        voltage_v = samples_between(logs["s/v"], start, stop)
        lost = [span for log in every for span in log.lost(start, stop)]
        for samples in (current_a, voltage_v):
            lost += [(start + a * step, start + b * step) for a, b in nan_spans(samples)]
        gaps = gaps_of(lost, start, step, len(current_a))
        for gap in gaps:
            current_a[gap.start : gap.stop] = np.nan
            voltage_v[gap.start : gap.stop] = np.nan
        return Capture(
            sample_rate_hz=current.clock_hz / step,
            current_a=current_a,
            voltage_v=voltage_v,
            instrument=self.identity,
            accuracy=accuracy,
            markers={name: line_between(logs[topic], start, stop) for name, topic in self._markers.items()},
            gaps=gaps,
            complete=not self._lost and recorded_s > asked_s - _START_UP_S,
        )

    def _gone(self) -> InstrumentError:
        return InstrumentError(
            f"{self.identity} was unplugged", fix="plug it in again, then `lan-hil doctor`"
        )


def open_joulescope(uri: AnalyzerUri, *, markers: Mapping[str, str], supply_v: float | None) -> Joulescope:
    """Open the Joulescope that a URI names.

    Args:
        uri: `joulescope:SERIAL` or `joulescope:`, or `joulescope+NAME:TARGET?…` for a driver from entry point
            group `pytest_lan_hil.joulescope_drivers`. Options `i_range` and `v_range` fix a range.
        markers: Marker line to "gpi0" … "gpi3" or "trigger" (JS110: "gpi0", "gpi1").
        supply_v: Not needed: this instrument measures the voltage.

    Raises:
        InputError: No such driver, or a marker line wired to an input that does not exist or is taken.
        InstrumentError: None attached, several match, or it can't be opened.
    """
    del supply_v
    driver, release = _named_driver(uri) if uri.driver else _real_driver()
    analyzer = None
    try:
        path = _choose(driver, "" if uri.driver else uri.target)
        _check_inputs(path.split("/")[1].lower(), markers)
        analyzer = Joulescope(driver, path, markers=markers, release=release)
        analyzer.open_device()
        analyzer.configure(
            current_range=uri.options.get("i_range", "auto"), voltage_range=uri.options.get("v_range", "15V")
        )
    except BaseException:
        if analyzer is not None:
            analyzer.close()
        else:
            release()
        raise
    return analyzer


def _real_driver() -> tuple[Any, Callable[[], None]]:
    try:
        from joulescope.v1.driver import DriverWrapper
    except ImportError as error:
        raise InstrumentError(
            "opening a Joulescope: the joulescope package is not installed",
            fix='run `pip install "pytest-lan-hil[joulescope]"`',
        ) from error
    # One per process, shared and finalized at exit by the package itself.
    return DriverWrapper().driver, lambda: None


def _named_driver(uri: AnalyzerUri) -> tuple[Any, Callable[[], None]]:
    found = {entry.name: entry for entry in entry_points(group=DRIVERS)}
    if uri.driver not in found:
        raise InputError(
            f"analyzer {uri.text!r}: there is no Joulescope driver {uri.driver!r}",
            fix=f"use one of: {', '.join(sorted(found)) or 'none installed'}; or `joulescope:` for a real one",
        )
    try:
        open_driver = found[uri.driver].load()
    except ImportError as error:
        raise InstrumentError(
            f"loading the Joulescope driver {uri.driver!r}: {error}",
            fix=f'run `pip install "pytest-lan-hil[{uri.driver}]"`',
        ) from error
    driver = open_driver(uri.target, uri.options)
    return driver, driver.finalize


def _device(driver: Any, path: str) -> Any:
    try:
        from joulescope.v1.js110 import DeviceJs110
        from joulescope.v1.js220 import DeviceJs220
    except ImportError as error:
        raise InstrumentError(
            "opening a Joulescope: the joulescope package is not installed",
            fix='run `pip install "pytest-lan-hil[joulescope]"`',
        ) from error
    return (DeviceJs110 if "/js110/" in path.lower() else DeviceJs220)(driver, path)


def _choose(driver: Any, serial: str) -> str:
    """The path of the one device that is meant, of paths such as `u/js220/002557`."""
    attached = sorted(path for path in driver.device_paths() if path.split("/")[1].lower() in MODELS)
    wanted = serial.rpartition("-")[2].lstrip("0")
    matching = [path for path in attached if not wanted or path.split("/")[-1].lstrip("0") == wanted]
    if len(matching) == 1:
        return matching[0]
    shown = ", ".join("-".join(path.split("/")[1:]).upper() for path in attached) or "none"
    want = f"Joulescope {serial}" if serial else "exactly one Joulescope"
    if matching:
        fix = f'name one by its serial number: analyzer = "joulescope:{matching[0].split("/")[-1]}"'
    else:
        fix = "check the USB cable and the permissions (udev rules) of the device, then run `lan-hil doctor`"
    raise InstrumentError(f"want {want}, attached: {shown}", fix=fix)


def _check_inputs(model: str, markers: Mapping[str, str]) -> None:
    taken: dict[str, str] = {}
    for marker, name in markers.items():
        if name not in _INPUTS[model]:
            raise InputError(
                f"marker line {marker!r} is wired to {name!r}, which a {model.upper()} does not have",
                fix=f"use one of: {', '.join(_INPUTS[model])}",
            )
        if name in taken:
            raise InputError(
                f"marker lines {taken[name]!r} and {marker!r} are both wired to {name}",
                fix="give each its own input in the bench file's [markers]",
            )
        taken[name] = marker
