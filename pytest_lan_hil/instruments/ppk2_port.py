"""The serial port of a PPK2: which one it is, who else holds it, opening it, and draining it.

At 100 kS/s a PPK2 sends 400 kB/s, and the operating system keeps only some kilobytes: the port is drained by
a thread. A port that hands its bytes over by itself (`deliver_to`, as the virtual one does when virtual time
passes) needs none.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import serial
from serial.tools import list_ports

from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import InstrumentError

#: What takes the bytes: those that came, and by when all of them had come, or None if that is vague.
Sink = Callable[[bytes, "float | None"], None]

_WAIT_S = 0.05
# Between these two looks at the clock a read has happened at once; only then its time is worth anything.
_AT_ONCE_S = 0.2e-3
_QUIET_S, _LOOK_S, _NEVER_QUIET_S = 0.05, 0.01, 2.0


@dataclass(frozen=True, slots=True)
class AttachedPpk2:
    """A PPK2 on USB: serial number and the port that measures."""

    serial: str
    device: str

    def __str__(self) -> str:
        return f"{self.serial or 'without serial number'} ({self.device})"


def attached() -> tuple[AttachedPpk2, ...]:
    """The PPK2s that are attached, by serial number.

    Firmware 1.2 and later has a second port, for a shell; the one with the lower interface number measures.
    """
    from ppk2_api.ppk2_api import PPK2_API

    # Later versions of the package list pairs of port and serial number.
    named = {one if isinstance(one, str) else one[0] for one in PPK2_API.list_devices()}
    found: dict[str, AttachedPpk2] = {}
    for port in sorted(list_ports.comports(), key=lambda port: (port.location or "", port.device)):
        if port.device in named:
            number = port.serial_number or ""
            found.setdefault(number or port.device, AttachedPpk2(number, port.device))
    return tuple(found[key] for key in sorted(found))


def holders(device: str, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Other programs that have a device file open, as "name (process 123)"; Linux only, own user only."""
    real = os.path.realpath(device)
    found = []
    for process in sorted(proc.glob("[0-9]*")):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(os.path.realpath(handle) == real for handle in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text().strip()} (process {process.name})")
        except OSError:
            continue  # another user's process, or one that has just ended
    return tuple(found)


def open_serial(device: str) -> serial.Serial:
    """Open the port of a PPK2, for this process alone.

    Raises:
        InstrumentError: Another program has it, or it can't be opened.
    """
    others = holders(device)
    try:
        if others:
            # Two readers of one port take each other's samples; not every program locks what it opens.
            raise serial.SerialException("it is in use")
        return serial.Serial(device, 115200, timeout=_WAIT_S, write_timeout=1.0, exclusive=True)
    except (OSError, ValueError, serial.SerialException) as error:
        if others:
            problem = f"the port {device} of the PPK2 is in use by {', '.join(others)}"
            fix = "close that program (Nordic's Power Profiler app, for instance), then try again"
        else:
            problem = f"opening the port {device} of the PPK2: {error}"
            fix = (
                "check that it is plugged in, that no other program uses it, and that you may open it"
                " (Debian: group dialout); see `lan-hil doctor`"
            )
        raise InstrumentError(problem, fix=fix) from error


def drain(port: Any) -> None:
    """Throw away what a stream left behind, until the port is quiet.

    Raises:
        InstrumentError: It does not get quiet, or is gone.
    """
    quiet_s = waited_s = 0.0
    try:
        while quiet_s < _QUIET_S:
            quiet_s = 0.0 if port.read(port.in_waiting) else quiet_s + _LOOK_S
            time.sleep(_LOOK_S)
            waited_s += _LOOK_S
            if waited_s > _NEVER_QUIET_S:
                raise InstrumentError(
                    f"the PPK2 at {port.port} keeps sending samples though it was told to stop",
                    fix="close other programs that use it, and plug it in again",
                )
    except (OSError, serial.SerialException) as error:
        raise InstrumentError(
            f"reading from the PPK2 at {port.port}: {error}", fix="check its USB cable, and plug it in again"
        ) from error


class Delivery:
    """Bytes from a port that hands them over by itself."""

    def __init__(self, port: Any, clock: Clock) -> None:
        self._port = port
        self._clock = clock

    def start(self, sink: Sink) -> None:
        """From now on everything goes to `sink`."""
        self._port.deliver_to(lambda data: sink(data, self._clock.monotonic()))

    def stop(self) -> None:
        """Nothing more."""
        self._port.deliver_to(None)

    @property
    def failure(self) -> Exception | None:
        """Why nothing comes any more."""
        try:
            _ = self._port.in_waiting
        except (OSError, serial.SerialException) as error:
            return error
        return None


class Reader:
    """Bytes from an operating system's port, read by a thread.

    Attributes:
        failure: What ended it early.
    """

    def __init__(self, port: Any, clock: Clock) -> None:
        self._port = port
        self._clock = clock
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._latest = 0.0
        self.failure: Exception | None = None

    def start(self, sink: Sink) -> None:
        """Begin to read."""
        self._ended.clear()
        self.failure = None
        self._thread = threading.Thread(target=self._run, args=(sink,), name="ppk2", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read until the port is quiet (a device that does not stop is not waited for), then end."""
        self._latest = self._clock.monotonic() + _NEVER_QUIET_S
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, sink: Sink) -> None:
        port, clock = self._port, self._clock
        quiet_since = clock.monotonic()
        try:
            while not self._ended.is_set() or clock.monotonic() < min(quiet_since + _QUIET_S, self._latest):
                data = port.read(1)
                before = clock.monotonic()
                data += port.read(port.in_waiting)
                after = clock.monotonic()
                if data:
                    sink(data, after if after - before < _AT_ONCE_S else None)
                    quiet_since = after
        except Exception as error:  # whatever the operating system raises for a port that is gone
            self.failure = error


def reader_of(port: Any, clock: Clock) -> Delivery | Reader:
    """What takes the bytes from this port."""
    return Delivery(port, clock) if hasattr(port, "deliver_to") else Reader(port, clock)
