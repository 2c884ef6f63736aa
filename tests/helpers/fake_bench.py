"""A bench without devices: a scripted firmware behind a port, a probe and an analyzer on one made-up clock.

For tests of what happens around a bench (records, reports, outcomes, commands). It stands in at the seam
`open_bench`; console, grammar, measuring and judging above it are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_lan_hil.cli import devices
from pytest_lan_hil.config import Bench, Board, Wiring
from pytest_lan_hil.dut.attached import DebugState, FlashReport
from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.diagnosis import CoreDiagnosis
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.model.capture import Accuracy, Capture, InstrumentIdentity, MarkerLine
from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.model.record import DeviceIdentity
from pytest_lan_hil.run import board_run, plan, reporting, session
from pytest_lan_hil.run.bench import OpenBench

# pytester forgets modules that a session in this process has loaded. What is patched here, and what defines
# the errors that tests raise, has to be loaded before.
LOADED = (devices, board_run, plan, reporting, session)

INFERENCE_S = 0.010
RATE_HZ = 100_000
IDLE_A, BUSY_A, SUPPLY_V = 0.1e-3, 4e-3, 3.0


class Clock:
    """Passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Port:
    """A serial port with a firmware behind it that speaks the MLPerf Tiny DUT API.

    Attributes:
        build: What `lnn id` says.
        silent: The firmware says nothing.
        busy: (start, stop) of each inference, seconds of the clock.
        phases: (start, stop) of each listening phase.
        on_command: Called with each command before it is answered.
        answers: Lines that a command is answered with, beyond those that every such firmware knows.
    """

    name, baudrate, timeout = "fake0", 115200, 0.0

    def __init__(self, clock: Clock, *, simulated: bool) -> None:
        self.clock = clock
        self.simulated = simulated
        self.description = "fake serial port"
        self.build = ""
        self.silent = False
        self.busy: list[tuple[float, float]] = []
        self.phases: list[tuple[float, float]] = []
        self.on_command: Callable[[str], None] = lambda command: None
        self.answers: dict[str, Callable[[], list[str]]] = {}
        self._sent: list[tuple[float, bytes]] = []
        self._typed = ""

    def say(self, *lines: str, at: float | None = None) -> None:
        when = self.clock.now if at is None else at
        if not self.silent:
            self._sent.append((when, "".join(f"{line}\r\n" for line in lines).encode()))

    @property
    def in_waiting(self) -> int:
        return sum(len(data) for when, data in self._sent if when <= self.clock.now)

    def read(self, size: int) -> bytes:
        if not self.in_waiting:
            wake = min([when for when, _ in self._sent], default=float("inf"))
            self.clock.now = min(wake, self.clock.now + self.timeout)
        arrived = b"".join(data for when, data in self._sent if when <= self.clock.now)
        later = [(when, data) for when, data in self._sent if when > self.clock.now]
        self._sent = ([(self.clock.now, arrived[size:])] if arrived[size:] else []) + later
        return arrived[:size]

    def write(self, data: bytes) -> None:
        self._typed += data.decode()
        while "%" in self._typed:
            command, _, self._typed = self._typed.partition("%")
            self.on_command(command)
            self._answer(*command.split())

    def close(self) -> None:
        self.silent = True

    def _answer(self, verb: str, *words: str) -> None:
        done = self.clock.now + 0.001
        made_up = self.answers.get(" ".join((verb, *words)))
        if made_up is not None:
            self.say(*made_up(), "m-ready", at=done)
        elif verb == "name":
            self.say("m-name-lan-[fake]", "m-ready", at=done)
        elif (verb, *words) == ("lnn", "id"):
            self.say(f"m-lnn-id-[{self.build}]", "m-ready", at=done)
        elif verb == "infer":
            count, warmups = map(int, words)
            stop = done
            for _ in range(count + warmups):
                self.busy.append((stop, stop + INFERENCE_S))
                stop += 2 * INFERENCE_S
            started = [f"m-warmup-start-{warmups}", "m-warmup-done", f"m-infer-start-{count}"]
            self.say(*started, "m-infer-done", "m-results-[0.25,0.75]", "m-ready", at=stop)
        elif (verb, words[:1]) == ("lnn", ("listen",)):
            stop = done + int(words[1]) / 1000
            self.phases.append((done, stop))
            self.say("m-lnn-listen-start", at=self.clock.now)
            self.say("m-lnn-listen-done-[frames=1]", "m-ready", at=stop)
        elif verb == "noise":
            self.say(*(f"noise {number}" for number in range(int(words[0]))), "m-ready", at=done)
        elif verb == "crash":
            self.say("", "e-[fault hardfault " + " ".join(words) + "]", at=done)
        elif verb == "restart":
            self.say("e-[fault hardfault]", at=done)
            self.say("m-ready", at=done + 1.0)
        elif verb != "die":
            self.say("e-[Unknown command: " + verb + "]", "m-ready", at=done)


class Probe:
    """A debug probe. `core` is what `diagnose` finds; `flashed` the images that were flashed."""

    uid, description, notes = "1", "fake probe", ()

    def __init__(self, uri: str, port: Port, events: list[str]) -> None:
        self.uri = uri
        self.clock = port.clock
        self.simulated = port.simulated
        self.core = "sleeping"
        self.flashed: list[FirmwareImage] = []
        self.on_flash: Callable[[], None] = lambda: None
        self.attached_now = False
        self._attachments: list[tuple[float, float]] = []
        self._port = port
        self._events = events

    def flash(self, image: FirmwareImage, *, progress: Callable[[float], None] | None = None) -> FlashReport:
        self._events.append("flash")
        self.on_flash()
        if progress is not None:
            progress(0.5)
            progress(1.0)
        self.flashed.append(image)
        self._port.build = image.build_id
        return FlashReport(True, image.flash_bytes, 0.25, image.flash_sha256)

    def read_flash_sha256(self, image: FirmwareImage) -> str:
        return image.flash_sha256 if image in self.flashed else "00" * 32

    def reset(self) -> None:
        self._events.append("reset")
        self._port.say("m-init-done", "m-ready", at=self.clock.monotonic() + 0.01)

    @contextmanager
    def attached(self) -> Iterator[Any]:
        start, self.attached_now = self.clock.monotonic(), True
        try:
            yield SimpleNamespace(read_memory=lambda address, size: b"\xa5" * (size - 1024) + b"\0" * 1024)
        finally:
            self.attached_now = False
            self._attachments.append((start, self.clock.monotonic()))

    def attached_between(self, start: float, stop: float) -> bool:
        return any(begin < stop and end > start for begin, end in self._attachments)

    def detach_state(self) -> DebugState:
        return DebugState(True, True, True, 0, 0, self.clock.monotonic())

    def diagnose(self, image: FirmwareImage | None = None) -> CoreDiagnosis:
        return CoreDiagnosis(self.core, 0x1234, "main", None, "", 0x8200, 1 << 30, None)


class Analyzer:
    """Draws what the firmware would: more while an inference runs. `lost` makes it stop early."""

    capabilities = frozenset({"power", "power.waveform", "power.markers", "edges"})

    def __init__(self, port: Port) -> None:
        self.clock = port.clock
        self.identity = InstrumentIdentity("Fake analyzer", "7", simulated=port.simulated)
        self.lost = False
        self._port = port
        self._start = 0.0

    def start(self) -> None:
        self._start = self.clock.monotonic()

    def stop(self) -> Capture:
        count = round((self.clock.monotonic() - self._start) * RATE_HZ)
        busy, phases = self._line(self._port.busy, count), self._line(self._port.phases, count)
        noise = np.random.default_rng(7).normal(0.0, 1e-6, count)
        return Capture(
            sample_rate_hz=RATE_HZ,
            current_a=(np.where(busy, BUSY_A, IDLE_A) + noise).astype(np.float32),
            voltage_v=np.full(count, SUPPLY_V, np.float32),
            instrument=self.identity,
            accuracy=Accuracy(0.0, 0.0, 0.0, 0.0, 0.0, "made up"),
            markers={
                name: MarkerLine(np.packbits(levels, bitorder="little"), count, RATE_HZ)
                for name, levels in (("inference", busy), ("phase", phases))
            },
            complete=not self.lost,
        )

    def close(self) -> None:
        self.lost = True

    def _line(self, windows: list[tuple[float, float]], count: int) -> Any:
        levels = np.zeros(count, bool)
        for start, stop in windows:
            first, last = (max(0, round((at - self._start) * RATE_HZ)) for at in (start, stop))
            levels[first:last] = True
        return levels


class FakeBench:
    """What `open_bench` gives while the `fake_bench` fixture is in use.

    Attributes:
        events: What was done to it, in order: "open", "flash", "reset", "close".
        refuse: Raised instead of opening.
        simulated: What its devices say of themselves.
        arrange: Called with the opened bench, before anybody uses it.
        on_close: Called while it closes.
    """

    def __init__(self) -> None:
        self.events: list[str] = []
        self.refuse: BlockedError | None = None
        self.simulated = False
        self.arrange: Callable[[OpenBench], None] = lambda opened: None
        self.on_close: Callable[[], None] = lambda: None
        self.port = Port(Clock(), simulated=False)

    @contextmanager
    def open(self, board: Board, bench: Bench, wiring: Wiring, *, wait_s: float) -> Iterator[OpenBench]:
        if self.refuse is not None:
            raise self.refuse
        self.events.append("open")
        port = self.port = Port(Clock(), simulated=self.simulated)
        probe: Any = Probe(wiring.probe or "", port, self.events)
        devices = tuple(
            DeviceIdentity(role, f"fake:{role}", f"fake {role}", self.simulated)
            for role in ("probe", "console", "analyzer")
        )
        fake: Any = port
        with Console(fake, "fake") as console:
            dut = Dut(probe, console)
            analyzer = Analyzer(port) if wiring.analyzer else None
            opened = OpenBench(board, bench, wiring, probe, console, analyzer, dut, devices)
            self.arrange(opened)
            try:
                yield opened
            finally:
                self.events.append("close")
                self.on_close()


DESK = 'probe = "jlink:1"\nconsole = "/dev/ttyFAKE0"\nanalyzer = "joulescope:7"\nsettle_s = 0.1\n'


@pytest.fixture
def fake_bench(monkeypatch: pytest.MonkeyPatch) -> FakeBench:
    """Every bench that is opened in this process is a fake one."""
    fake = FakeBench()
    monkeypatch.setattr(board_run, "open_bench", fake.open)
    monkeypatch.setattr(devices, "open_bench", fake.open)
    return fake
