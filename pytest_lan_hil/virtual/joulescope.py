"""A virtual Joulescope JS220 for the unmodified `joulescope` package.

`open_driver` returns an object with the methods of `pyjoulescope_driver.Driver`; hand it to
`joulescope.v1.js220.DeviceJs220(driver, path)`. Topics, field ids, decimation and message form follow
pyjoulescope_driver 2.2 (js220_usb.c, binding.pyx): sample ids tick at 2 MHz; current, voltage and power
come at 1 MS/s (decimate_factor 2), GPI and range at 2 MS/s. A topic that this model lacks is an error that
names it.

Samples are delivered synchronously, in chunks, as virtual time advances, and up to the present when a
stream is switched off or unsubscribed. Nothing waits on wall time: `Device.read(duration)` would wait for
ever, because it blocks without letting virtual time pass; start, `driver.clock.sleep`, stop instead.

Every capture (from the first stream on to the last stream off) meets the same noise, sampled from the same
phase: two runs that do the same get the same samples, bit for bit. `utc` is virtual time since 2026-01-01.
"""

# ruff: noqa: ARG002 - the methods have the real driver's signatures

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.virtual.board import VirtualBoard, acquire, release
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.js220_capture import GPI_LINES, SAMPLE_ID_HZ, SIGNALS, Capture, Setup
from pytest_lan_hil.virtual.sampling import SENSOR_NOTES, Noise, Sensor
from pytest_lan_hil.virtual.silicon.nrf52840.gpio import pin_name, pin_number

_SUBSCRIBE_RETAIN = 1
_FREQUENCIES = tuple(m * 10**e for e in range(7) for m in (1, 2, 5) if m * 10**e <= SAMPLE_ID_HZ)

Callback = Callable[[str, Any], None]

_READ_ONLY: dict[str, Any] = {
    "c/hw/version": 0x0100_0000,
    "c/fw/version": 0x0103_0000,
    "s/fpga/version": 0x0103_0000,
    "h/state": 3,
}
_SETTINGS: dict[str, Any] = {
    "h/fs": SAMPLE_ID_HZ,
    "s/i/range/mode": "auto",
    "s/i/range/select": "10 A",
    "s/v/range/mode": "auto",
    "s/v/range/select": "15 V",
    "s/stats/scnt": 1_000_000,
}
_COMMANDS = ("s/gpi/+/!req", "s/gpo/+/!set", "s/gpo/+/!clr")
_NO_STATISTICS = "s/stats/ctrl"


class VirtualDriver:
    """Stands in for `pyjoulescope_driver.Driver` with one JS220 attached.

    Args:
        board: Whose supply is measured.
        serial: Serial number; the instrument's errors follow from it.
        supply_v: Voltage that the instrument passes through to the board.
        pins: GPI line ("gpi0") to pin name ("P0.13").
        seed: Of the noise.
        faults: Scripted faults.

    Attributes:
        simulated: Always True.
        clock: Virtual time.
        notes: What a reader of the measurements must know.
    """

    simulated = True

    def __init__(
        self,
        board: VirtualBoard,
        *,
        serial: str,
        supply_v: float,
        pins: Mapping[str, str],
        seed: int,
        faults: Faults,
    ) -> None:
        self._board = board
        self._setup = Setup(board, Sensor(serial, Noise(seed)), supply_v, dict(pins), faults)
        self.path = f"u/js220/{serial}"
        self.clock: Clock = board.clock
        self.notes: tuple[str, ...] = (*SENSOR_NOTES, *board.identity_notes)
        self._values: dict[str, Any] = dict(_SETTINGS)
        self._subscribers: list[tuple[str, Callback]] = []
        self._open = False
        self._gone = False
        self._active: set[str] = set()
        self._origin = board.now  # tick of sample id 0
        self._capture: Capture | None = None
        self._finalized = False

    # -- Driver ------------------------------------------------------------------------------------------

    def device_paths(self, timeout: float | None = None) -> list[str]:
        """Paths of the attached devices."""
        return [] if self._gone else [self.path]

    def open(self, device_prefix: str, mode: object = None, timeout: float | None = None) -> None:
        """Open the device; the board is supplied from now on.

        Raises:
            RuntimeError: No such device, as from the real driver.
        """
        self._require(device_prefix, "open")
        self._open = True
        if mode in (None, 0, "defaults"):
            self._values.update(_SETTINGS)
        self._origin = self._board.now

    def close(self, device_prefix: str, timeout: float | None = None) -> None:
        """Close the device; streams end."""
        if not self._gone:
            self._require(device_prefix, "close")
        with self._board.lock:
            self._end_capture()
        self._active.clear()
        self._open = False

    def publish(self, topic: str, value: Any, timeout: float | None = None) -> None:
        """Set a value.

        Raises:
            RuntimeError: Unknown device or topic, or a bad value.
        """
        sub = self._subtopic(topic, "publish")
        with self._board.lock:
            signal = sub.removesuffix("/ctrl")
            if sub.endswith("/ctrl") and signal in SIGNALS:
                self._control(signal, on=_is_on(value))
            elif sub in _COMMANDS:
                self._command(sub, value)
            elif sub in _SETTINGS:
                self._set(sub, value)
            elif sub == _NO_STATISTICS and not _is_on(value):
                return
            else:
                raise RuntimeError(_unknown("publish", topic))

    def query(self, topic: str, timeout: float | None = None) -> Any:
        """Read a value.

        Raises:
            RuntimeError: Unknown device or topic.
        """
        sub = self._subtopic(topic, "query")
        for source in (self._values, _READ_ONLY):
            if sub in source:
                return source[sub]
        signal = sub.removesuffix("/ctrl")
        if sub.endswith("/ctrl") and signal in SIGNALS:
            return int(signal in self._active)
        raise RuntimeError(_unknown("query", topic))

    def subscribe(self, topic: str, flags: object, fn: Callback, timeout: float | None = None) -> None:
        """Have `fn(topic, value)` called for `topic` and everything below it."""
        with self._board.lock:
            self._subscribers.append((topic, fn))
            if _retained(flags):
                for sub, value in (*self._values.items(), *_READ_ONLY.items()):
                    if _matches(topic, f"{self.path}/{sub}"):
                        fn(f"{self.path}/{sub}", value)

    def unsubscribe(self, topic: str, fn: Callback, timeout: float | None = None) -> None:
        """Deliver what is due, then forget this subscription."""
        with self._board.lock:
            self._flush()
            self._subscribers = [entry for entry in self._subscribers if entry != (topic, fn)]

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
        release(self._board)

    # -- topics ------------------------------------------------------------------------------------------

    def _require(self, prefix: str, what: str) -> None:
        if self._gone or prefix.rstrip("/") != self.path:
            attached = "none" if self._gone else self.path
            raise RuntimeError(f"{what} {prefix} failed: 16 NOT_FOUND (attached: {attached})")

    def _subtopic(self, topic: str, what: str) -> str:
        self._require("/".join(topic.split("/")[:3]), what)
        if not self._open:
            raise RuntimeError(f"{what} {topic} failed: 22 CLOSED")
        return topic[len(self.path) + 1 :]

    def _set(self, sub: str, value: Any) -> None:
        if sub == "h/fs":
            value = int(value)
            if value not in _FREQUENCIES:
                raise RuntimeError(f"publish {sub} failed: 5 PARAMETER_INVALID: sampling frequency {value}")
            if self._active:
                self._flush()
                self._end_capture()
                self._values[sub] = value
                self._begin_capture()
                return
        self._values[sub] = value

    def _command(self, sub: str, value: Any) -> None:
        if sub == "s/gpi/+/!req":
            levels = 0
            for n, line in enumerate(GPI_LINES):
                levels |= int(self._level(line)) << n
            self._emit("s/gpi/+/!value", levels)

    def _level(self, line: str) -> bool:
        stuck = self._setup.faults.stuck(line)
        if stuck is not None:
            return stuck
        pin = self._setup.pins.get(line)
        return bool(pin is not None and self._board.pins.levels.get(pin, False))

    def _emit(self, sub: str, value: Any) -> None:
        topic = f"{self.path}/{sub}"
        for pattern, fn in tuple(self._subscribers):
            if _matches(pattern, topic):
                fn(topic, value)

    # -- streaming ---------------------------------------------------------------------------------------

    def _control(self, signal: str, *, on: bool) -> None:
        if on == (signal in self._active):
            return
        self._flush()
        if on:
            if self._capture is None:
                self._begin_capture()
            self._active.add(signal)
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
                fn("@/!remove", self.path)


def _matches(pattern: str, topic: str) -> bool:
    return topic == pattern or topic.startswith(pattern + "/")


def _unknown(what: str, topic: str) -> str:
    return f"{what} {topic} failed: 5 PARAMETER_INVALID: the virtual JS220 does not model the topic {topic!r}"


def _is_on(value: Any) -> bool:
    return str(value).lower() in ("1", "on", "true", "enable")


def _retained(flags: object) -> bool:
    if isinstance(flags, int):
        return bool(flags & _SUBSCRIBE_RETAIN)
    names = [flags] if isinstance(flags, str) or flags is None else list(flags)  # type: ignore[call-overload]
    return any(name in (None, "pub_retain") for name in names)


_OPTIONS = (*GPI_LINES, "supply_v", "serial", "seed", "fault")


def open_driver(target: str, options: Mapping[str, str]) -> VirtualDriver:
    """Entry point `pytest_lan_hil.joulescope_drivers`: a virtual JS220 in the supply of a virtual board.

    Args:
        target: Board, for instance "nrf52840".
        options: gpi0 to gpi3 = pin ("P0.13"); supply_v (default 3.0); serial (default "000001");
            seed (default 1); fault (see `faults`).

    Raises:
        InputError: An unknown option, pin or board, or a number that is none.
        LeaseError: Another process holds the board.
    """
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise InputError(
            f"the virtual Joulescope has no option {unknown[0]!r}", fix=f"options are: {', '.join(_OPTIONS)}"
        )
    try:
        supply_v = float(options.get("supply_v") or 3.0)
        seed = int(options.get("seed") or 1)
        pins = {line: pin_name(pin_number(options[line])) for line in GPI_LINES if options.get(line)}
    except ValueError as error:
        raise InputError(
            f"the virtual Joulescope's options are wrong: {error}", fix="see open_driver"
        ) from error
    if not 1.7 <= supply_v <= 3.6:
        raise InputError(
            f"supply_v={supply_v:g} is outside the nRF52840's range",
            fix="1.7 to 3.6 V (PS, recommended conditions)",
        )
    faults = Faults.from_environment().plus(options.get("fault", ""))
    serial = options.get("serial") or "000001"
    board = acquire(target)
    board.set_supply(supply_v)
    return VirtualDriver(board, serial=serial, supply_v=supply_v, pins=pins, seed=seed, faults=faults)
