"""The virtual JS220's driver: what `pyjoulescope_driver.Driver` is to a real one.

Hand it to `joulescope.v1.js220.DeviceJs220(driver, path)`, unpatched. Topics, errors, field ids, decimation
and message form follow pyjoulescope_driver 2.2 (js220_usb.c, binding.pyx): sample ids tick at 2 MHz; current,
voltage and power come at 1 MS/s (decimate_factor 2), GPI and range at 2 MS/s. A topic that this model lacks
is an error that names it: the 2 V range, statistics, memory and firmware update among them.

Samples are delivered synchronously, in chunks, as virtual time advances, and up to the present when a
stream is switched off or unsubscribed. Nothing waits on wall time: `Device.read(duration)` would wait for
ever, because it blocks without letting virtual time pass; start, `driver.clock.sleep`, stop instead.

Every capture (from the first stream on to the last stream off) meets the same noise, sampled from the same
phase: two runs that do the same get the same samples, bit for bit. `utc` is virtual time since 2026-01-01.
"""

# ruff: noqa: ARG002 - the methods have the real driver's signatures

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pyjoulescope_driver

from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.js220_capture import GPI_LINES, SAMPLE_ID_HZ, SIGNALS, Capture, Setup
from pytest_lan_hil.virtual.measured import MeasuredBoard
from pytest_lan_hil.virtual.sampling import RANGES, SENSOR_NOTES, Noise, Sensor

_log = logging.getLogger(__name__)


def _nothing(*_: object) -> None:
    return None


_SUBSCRIBE_RETAIN = 1
_OPEN_MODES = (None, 0, "defaults", 1, "restore", 0xFF, "raw")
_FREQUENCIES = tuple(m * 10**e for e in range(7) for m in (1, 2, 5) if m * 10**e <= SAMPLE_ID_HZ)

Callback = Callable[[str, Any], None]

# What `open` and `subscribe` return since pyjoulescope_driver 2.5; before that they return nothing.
_DeviceContext: Callable[..., Any] = getattr(pyjoulescope_driver, "DeviceContext", _nothing)
_SubscribeContext: Callable[..., Any] = getattr(pyjoulescope_driver, "SubscribeContext", _nothing)

_READ_ONLY: dict[str, Any] = {
    "c/hw/version": 0x0100_0000,
    "c/fw/version": 0x0103_0000,
    "s/fpga/version": 0x0103_0000,
    "h/state": 3,
}
#: Topic to its default and to the values that this model knows; None for any.
_SETTINGS: dict[str, tuple[Any, tuple[Any, ...] | None]] = {
    "h/fs": (SAMPLE_ID_HZ, _FREQUENCIES),
    "s/i/range/mode": ("auto", ("auto", "manual")),
    "s/i/range/select": ("10 A", tuple(one.name for one in RANGES)),
    "s/v/range/mode": ("auto", ("auto", "manual")),
    "s/v/range/select": ("15 V", ("15 V",)),
    "s/stats/scnt": (1_000_000, None),
    "s/stats/ctrl": (0, (0, "off")),
}
_GPI_REQUEST = "s/gpi/+/!req"
_IGNORED = ("s/gpo/+/!set", "s/gpo/+/!clr")  # nothing is wired to the outputs


class VirtualDriver:
    """Stands in for `pyjoulescope_driver.Driver` with one JS220 attached.

    Args:
        board: Whose supply is measured.
        serial: Serial number; the instrument's errors follow from it.
        supply_v: Voltage that the instrument passes through to the board.
        pins: GPI line ("gpi0") to pin name ("P0.13").
        seed: Of the noise.
        faults: Scripted faults.
        release: Called once, by `finalize`.

    Attributes:
        simulated: Always True.
        clock: Virtual time.
        notes: What a reader of the measurements must know.
        log_level: Kept, not used.
    """

    simulated = True
    log_level = "off"

    def __init__(
        self,
        board: MeasuredBoard,
        *,
        serial: str,
        supply_v: float,
        pins: Mapping[str, str],
        seed: int,
        faults: Faults,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._board = board
        self._setup = Setup(board, Sensor(serial, Noise(seed)), supply_v, dict(pins), faults)
        self._release = release
        self.path = f"u/js220/{serial}"
        self.clock: Clock = board.clock
        self.notes: tuple[str, ...] = (*SENSOR_NOTES, *board.identity_notes)
        self._values: dict[str, Any] = _defaults()
        self._subscribers: list[tuple[str, Callback]] = []
        self._open = False
        self._gone = False
        self._active: set[str] = set()
        self._origin = board.now  # tick of sample id 0
        self._capture: Capture | None = None
        self._finalized = False

    def __enter__(self) -> VirtualDriver:
        return self

    def __exit__(self, *exc: object) -> None:
        self.finalize()

    # -- Driver ------------------------------------------------------------------------------------------

    def device_paths(self, *filters: object, timeout: float | None = None) -> list[str]:
        """Paths of the attached devices."""
        return [] if self._gone else [self.path]

    def open(self, device_prefix: str, mode: object = None, timeout: float | None = None) -> Any:
        """Open the device.

        Raises:
            TimeoutError: No such device, as from the real driver.
            RuntimeError: It is open already.
            KeyError: No such mode.
        """
        if mode not in _OPEN_MODES:
            raise KeyError(mode)
        self._require(device_prefix, "jsdrv_open")
        if self._open:
            raise _failed("jsdrv_open", "21 IN_USE", device_prefix)
        self._open = True
        if mode in (None, 0, "defaults"):
            self._values = _defaults()
        self._origin = self._board.now
        return _DeviceContext(self, self.path)

    def close(self, device_prefix: str, timeout: float | None = None) -> None:
        """Close the device; streams end.

        Raises:
            TimeoutError: No such device.
        """
        self._require(device_prefix, "jsdrv_close")
        with self._board.lock:
            self._end_capture()
        self._active.clear()
        self._open = False

    def publish(self, topic: str, value: Any, timeout: float | None = None) -> None:
        """Set a value.

        Raises:
            TimeoutError: No such device.
            RuntimeError: The device is closed, the topic unknown, or the value not one of its values.
            ValueError: A value of a type that the real driver does not take.
        """
        if not isinstance(value, (str, int, float, bytes)):
            raise ValueError(f"Unsupported value type: {type(value)}")  # noqa: TRY004 - as the real one
        self._require("/".join(topic.split("/")[:3]), "jsdrv_publish")
        sub = self._subtopic(topic, "jsdrv_publish")
        signal = sub.removesuffix("/ctrl")
        with self._board.lock:
            if sub.endswith("/ctrl") and signal in SIGNALS:
                self._control(signal, on=_is_on(value))
            elif sub in _SETTINGS:
                self._set(sub, value, topic)
            elif sub == _GPI_REQUEST:
                self._emit("s/gpi/+/!value", self._gpi_value())
            elif sub not in _IGNORED:
                raise _unknown("jsdrv_publish", topic)

    def query(self, topic: str, timeout: float | None = None) -> Any:
        """Read a value.

        Raises:
            RuntimeError: No such device or topic, or the device is closed.
        """
        sub = self._subtopic(topic, "jsdrv_query")
        for source in (self._values, _READ_ONLY):
            if sub in source:
                return source[sub]
        signal = sub.removesuffix("/ctrl")
        if sub.endswith("/ctrl") and signal in SIGNALS:
            return int(signal in self._active)
        raise _unknown("jsdrv_query", topic)

    def publish_and_wait(
        self,
        publish_topic: str,
        publish_value: Any,
        response_topic: str,
        timeout: float | None = None,
        match: Callable[[Any], bool] | None = None,
    ) -> Any:
        """Set a value and return what comes back on another topic.

        Raises:
            TimeoutError: Nothing comes back; and as `publish`.
        """
        answers: list[Any] = []

        def keep(_: str, value: Any) -> None:
            if match is None or match(value):
                answers.append(value)

        self.subscribe(response_topic, "pub", keep)
        try:
            self.publish(publish_topic, publish_value)
        finally:
            self.unsubscribe(response_topic, keep)
        if not answers:
            raise TimeoutError(f"publish_and_wait timed out: {publish_topic}, {response_topic}")
        return answers[0]

    def subscribe(self, topic: str, flags: object, fn: Callback, timeout: float | None = None) -> Any:
        """Have `fn(topic, value)` called for `topic` and everything below it."""
        with self._board.lock:
            self._subscribers.append((topic, fn))
            if _retained(flags):
                for sub, value in (*self._values.items(), *_READ_ONLY.items()):
                    if _matches(topic, f"{self.path}/{sub}"):
                        _call(fn, f"{self.path}/{sub}", value)
        return _SubscribeContext(self, [(topic, fn)])

    def unsubscribe(self, topic: str, fn: Callback, timeout: float | None = None) -> None:
        """Deliver what is due, then forget this subscription.

        Raises:
            RuntimeError: There is none.
        """
        with self._board.lock:
            self._flush()
            if (topic, fn) not in self._subscribers:
                raise _failed("jsdrv_unsubscribe", "16 NOT_FOUND", topic)
            self._subscribers.remove((topic, fn))

    def unsubscribe_all(self, fn: Callback, timeout: float | None = None) -> None:
        """Forget every subscription of `fn`."""
        with self._board.lock:
            self._flush()
            self._subscribers = [entry for entry in self._subscribers if entry[1] != fn]

    def finalize(self, timeout: float | None = None) -> None:
        """Let go of the board."""
        if self._finalized:
            return
        self._finalized = True
        with self._board.lock:
            self._end_capture()
        self._subscribers.clear()
        self._release()

    # -- topics ------------------------------------------------------------------------------------------

    def _require(self, prefix: str, call: str) -> None:
        if self._gone or prefix.rstrip("/") != self.path:
            raise TimeoutError(f"{call} timed out | {prefix}")

    def _subtopic(self, topic: str, call: str) -> str:
        if self._gone or not topic.startswith(self.path + "/"):
            raise _failed(call, "16 NOT_FOUND", topic)
        if not self._open:
            raise _failed(call, "22 CLOSED", topic)
        return topic[len(self.path) + 1 :]

    def _set(self, sub: str, value: Any, topic: str) -> None:
        known = _SETTINGS[sub][1]
        if known is not None and value not in known:
            raise _failed("jsdrv_publish", f"5 PARAMETER_INVALID: {value!r} is none of {known}", topic)
        restart = self._capture is not None and sub == "h/fs"
        self._flush()
        self._values[sub] = value
        if restart:
            self._end_capture()
            self._begin_capture()
        if sub.startswith("s/i/range/"):
            manual = self._values["s/i/range/mode"] == "manual"
            self._setup.sensor.fix_range(self._values["s/i/range/select"] if manual else None)

    def _gpi_value(self) -> int:
        return sum(self._level(line) << n for n, line in enumerate(GPI_LINES))

    def _level(self, line: str) -> bool:
        stuck = self._setup.faults.stuck(line)
        if stuck is not None:
            return stuck
        pin = self._setup.pins.get(line)
        return pin is not None and self._board.pins.levels.get(pin, False)

    def _emit(self, sub: str, value: Any) -> None:
        topic = f"{self.path}/{sub}"
        for pattern, fn in tuple(self._subscribers):
            if _matches(pattern, topic):
                _call(fn, topic, value)

    # -- streaming ---------------------------------------------------------------------------------------

    def _control(self, signal: str, *, on: bool) -> None:
        if on == (signal in self._active):
            return
        self._flush()
        if on:
            self._active.add(signal)
            if self._capture is None:
                self._begin_capture()
            return
        self._active.discard(signal)
        if not self._active:
            self._end_capture()

    def _begin_capture(self) -> None:
        self._capture = Capture(
            self._setup,
            fs=int(self._values["h/fs"]),
            origin=self._origin,
            active=self._active,
            emit=self._emit,
            vanish=self._vanish,
        )
        self._board.attach(self._capture)

    def _end_capture(self) -> None:
        if self._capture is not None:
            self._board.detach(self._capture)
            self._capture.close()
            self._capture = None

    def _flush(self) -> None:
        if self._capture is not None:
            self._capture.deliver(self._board.now, partial=True)

    def _vanish(self) -> None:
        """Unplugged: streams stop, calls fail, '@/!remove' is published, as from the real driver."""
        self._gone = True
        self._open = False
        self._end_capture()
        for pattern, fn in tuple(self._subscribers):
            if _matches(pattern, "@/!remove"):
                _call(fn, "@/!remove", self.path)


def _defaults() -> dict[str, Any]:
    return {topic: default for topic, (default, _) in _SETTINGS.items()}


def _matches(pattern: str, topic: str) -> bool:
    return topic == pattern or topic.startswith(pattern + "/")


def _call(fn: Callback, topic: str, value: Any) -> None:
    try:
        fn(topic, value)
    except Exception:
        # As the real driver does: its thread has nobody to raise it to.
        _log.exception("a subscriber of %s failed", topic)


def _failed(call: str, why: str, cause: str) -> RuntimeError:
    return RuntimeError(f"{call} failed {why} | {cause}")


def _unknown(call: str, topic: str) -> RuntimeError:
    return _failed(call, "5 PARAMETER_INVALID: the virtual JS220 does not model this topic", topic)


def _is_on(value: Any) -> bool:
    return str(value).lower() in ("1", "on", "true", "enable")


def _retained(flags: object) -> bool:
    if isinstance(flags, int):
        return bool(flags & _SUBSCRIBE_RETAIN)
    names = flags if isinstance(flags, (list, tuple)) else [flags]
    return "pub_retain" in names
