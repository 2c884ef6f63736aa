"""One device in the field, read again and again by a thread of its own; whoever scrapes never waits for it.

A device may vanish and come back, answer late, damaged or never: every way of failing ends in a counter and a
sentence, and the next reading is tried all the same.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import serial
from prometheus_client.samples import Sample

from pytest_lan_hil.config import Board
from pytest_lan_hil.dut import protocol
from pytest_lan_hil.dut.metrics_frame import Defect, MetricsFrameError, parse_line
from pytest_lan_hil.dut.metrics_source import COMMAND
from pytest_lan_hil.dut.metrics_values import DeviceMetrics
from pytest_lan_hil.model.errors import ConsoleError, HilError
from pytest_lan_hil.publish.device_metrics import DeviceLabels, samples
from pytest_lan_hil.publish.device_metrics_fleet import DeviceView, Facts, Failure
from pytest_lan_hil.run.monitor.following import Following
from pytest_lan_hil.run.monitor.inventory import Device
from pytest_lan_hil.run.monitor.link import Answer, Link, is_simulated, opened

# A port that can't be opened is tried again after the interval, then after twice that, up to this.
_RETRY_MAX_S = 10.0
_WORK_LIMIT_S = 60.0
_JOIN_S = 5.0
_SHOWN = 120


class Claims:
    """Which device has which port: no two read one, whatever names they call it by."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}
        self._lock = threading.Lock()

    def take(self, place: str | None, device: str) -> None:
        """Claim a port for a device; a program (None) is each device's own.

        Raises:
            ConsoleError: Another device has it.
        """
        if place is None:
            return
        with self._lock:
            holder = self._holders.setdefault(place, device)
        if holder != device:
            raise ConsoleError(
                f"devices {holder} and {device} claim the same port, {place}; {holder} has it",
                fix="give each device of the inventory a port of its own",
            )

    def let_go(self, device: str) -> None:
        """Give back what a device has."""
        with self._lock:
            self._holders = {place: holder for place, holder in self._holders.items() if holder != device}


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last sound reading: when, on the monotonic clock and in Unix time, and its samples."""

    at_s: float
    unix_s: float
    samples: Mapping[str, tuple[Sample, ...]]


class DeviceReader:
    """Reads one device until it is stopped.

    Args:
        device: See the inventory.
        board: Its board.
        every_s: Seconds from one reading to the next.
        stale_after_s: Age from which on the last reading is no longer told.
        claims: Shared by all readers.
    """

    def __init__(
        self, device: Device, board: Board, *, every_s: float, stale_after_s: float, claims: Claims
    ) -> None:
        self.device = device
        simulated = is_simulated(device.port)
        self._labels = DeviceLabels(device.board, device.site, device.id, simulated)
        self._baudrate = device.baudrate or board.baudrate
        self._every_s = every_s
        self._stale_after_s = stale_after_s
        self._claims = claims
        self._following = Following(keeps_time=not simulated)
        self._facts = Facts(title=board.title)
        self._seen: _Seen | None = None
        self._connected = False
        # Complete from the start: a scrape copies them while the reader counts.
        self._rejected = dict.fromkeys(Defect, 0)
        self._failures = dict.fromkeys(Failure, 0)
        self._problem = "not read yet"
        self._identified_after = -1
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"device {device.id}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; `join` waits for that."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until its port is closed; a device that holds its reader longer is left to the daemon."""
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def view(self) -> DeviceView:
        """What is known now; takes no time, whatever the device does."""
        seen = self._seen
        up = seen is not None and self._connected and time.monotonic() - seen.at_s <= self._stale_after_s
        return DeviceView(
            labels=self._labels,
            up=up,
            last_seen_s=None if seen is None else seen.unix_s,
            samples=seen.samples if seen is not None and up else {},
            facts=self._facts,
            rejected=dict(self._rejected),
            failures=dict(self._failures),
            resets=self._following.resets,
            clock_jumps=self._following.clock_jumps,
            problem=self._problem,
        )

    # The thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = self._every_s
        while not self._stopping.is_set():
            before = self._seen
            try:
                self._connect()
            except (HilError, OSError, serial.SerialException) as error:
                self._fail(Failure.PORT, str(getattr(error, "problem", "") or error or type(error).__name__))
            except Exception as error:  # a fault of ours must not end the reader of a device for good
                self._fail(Failure.INTERNAL, f"{type(error).__name__}: {error}")
            finally:
                self._connected = False
                self._claims.let_go(self.device.id)
            wait_s = (
                self._every_s
                if self._seen is not before
                else min(2 * wait_s, max(_RETRY_MAX_S, self._every_s))
            )
            self._stopping.wait(wait_s)

    def _connect(self) -> None:
        """Open the port and read until it breaks or the reader is stopped."""
        self._claims.take(self.device.opened, self.device.id)
        with opened(self.device.port, baudrate=self._baudrate) as link:
            if link.place.startswith("/"):
                self._claims.take(os.path.realpath(link.place), self.device.id)
            self._identified_after = -1
            next_s = time.monotonic()
            while not self._stopping.is_set():
                self._read(link)
                next_s = max(next_s + self._every_s, time.monotonic())
                self._stopping.wait(next_s - time.monotonic())

    def _read(self, link: Link) -> None:
        if self.device.work:
            link.ask(self.device.work, limit_s=_WORK_LIMIT_S)
        answer = link.ask(COMMAND)
        if answer.out_of_step:
            answer = link.ask(COMMAND)
        metrics = self._sound(answer)
        if metrics is None:
            self._explain(answer)
            return
        self._take(metrics)
        if self._identified_after != self._following.resets:  # a new image starts the device anew
            self._identified_after = self._following.resets
            self._facts = replace(self._facts, build=_build(link))

    def _sound(self, answer: Answer) -> DeviceMetrics | None:
        """The last sound frame of an answer; the others are counted by what is wrong with them."""
        found = None
        for line in answer.frames:
            try:
                found = parse_line(line)
            except MetricsFrameError as error:
                self._rejected[error.defect] += 1
                self._problem = error.problem
        return found

    def _explain(self, answer: Answer) -> None:
        """Count an answer that brought no sound frame."""
        if answer.frames:
            return  # counted already, frame by frame
        if answer.error:
            self._fail(Failure.REFUSED, f"it answered {COMMAND!r} with {answer.error[:_SHOWN]}")
        elif answer.lines:
            self._rejected[Defect.LENGTH] += 1
            self._problem = f"no frame in its answer to {COMMAND!r}: it said {answer.lines[-1][:_SHOWN]}"
        else:
            self._fail(Failure.SILENT, f"no answer to {COMMAND!r}")

    def _take(self, metrics: DeviceMetrics) -> None:
        now_s = time.monotonic()
        told = self._following.take(now_s, metrics)
        if metrics.latency is not None:
            self._facts = replace(self._facts, cycle_hz=metrics.latency.cycle_hz)
        self._seen = _Seen(now_s, time.time(), samples(self._labels, told))
        self._connected = True
        self._problem = ""

    def _fail(self, failure: Failure, problem: str) -> None:
        self._failures[failure] += 1
        self._problem = problem


def _build(link: Link) -> str:
    """What the device says it runs, "" if it can't say."""
    for line in link.ask("lnn id").lines:
        message = protocol.parse_line(line)
        if isinstance(message, protocol.Identity):
            return f"git={message.git},image={message.image},version={message.version}"
    return ""
