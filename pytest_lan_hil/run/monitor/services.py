"""Programs that run while a block runs: found, started, waited for, watched, and stopped in every case.

Each gets a process group of its own, so that Ctrl-C reaches only whoever supervises them, and whatever they
start themselves is ended with them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from urllib.request import Request

from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.publish.pushgateway import opener

READY_S = 30.0
_POLL_S = 0.05
_STOP_S = 5.0
_LOG_LINES = 5


@dataclass(frozen=True, slots=True)
class Program:
    """A server that somebody else packages: the names that it goes by, and Debian's package."""

    names: tuple[str, ...]
    package: str


PROMETHEUS = Program(("prometheus",), "prometheus")
PUSHGATEWAY = Program(("prometheus-pushgateway", "pushgateway"), "prometheus-pushgateway")
ALERTMANAGER = Program(("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager")


def find(programs: Sequence[Program]) -> list[str]:
    """Their paths.

    Raises:
        BlockedError: Some are not installed; names them all, and their packages.
    """
    found = [next(filter(None, map(shutil.which, program.names)), None) for program in programs]
    missing = [program for program, path in zip(programs, found, strict=True) if path is None]
    if missing:
        names = ", ".join(program.names[0] for program in missing)
        packages = " ".join(program.package for program in missing)
        raise BlockedError(
            f"starting the monitoring stack: not installed: {names}",
            fix=f"on Debian: sudo apt install {packages}   (elsewhere: https://prometheus.io/download/)",
        )
    return [path for path in found if path is not None]


def port_near(wanted: int) -> int:
    """The port itself if nobody listens there, else one that is free."""
    for port in (wanted, 0):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)) as taken:
            free: int = taken.getsockname()[1]
            return free
    raise BlockedError("no port of 127.0.0.1 is free", fix="end something that listens: ss -ltn")


@dataclass(frozen=True, slots=True)
class Service:
    """A program to run.

    Attributes:
        name: For people, and of its log.
        command: Its words.
        ready: URL that answers 200 once it works; "" for one that is not waited for.
        environment: Beside our own.
    """

    name: str
    command: tuple[str, ...]
    ready: str = ""
    environment: Mapping[str, str] | None = None


class Running:
    """A service that was started."""

    def __init__(self, service: Service, process: subprocess.Popen[bytes], log: Path) -> None:
        self.service = service
        self.log = log
        self._process = process

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def require(self) -> None:
        """Nothing, while it runs.

        Raises:
            BlockedError: It has ended; quotes the end of its log.
        """
        code = self.exit_code
        if code is not None:
            raise BlockedError(
                f"{self.service.name} ended with {code}:\n{self.tail()}", fix=f"see {self.log}"
            )

    def tail(self) -> str:
        """The last lines of its log."""
        with suppress(OSError):
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:])
        return ""

    def wait_ready(self, ending: Ending) -> None:
        """Wait until it answers, or `ending` is set.

        Raises:
            BlockedError: It ended, or did not answer in time.
        """
        if not self.service.ready:
            return
        stop = time.monotonic() + READY_S
        while not ending.is_set():
            self.require()
            with (
                suppress(OSError),
                opener(self.service.ready).open(Request(self.service.ready), timeout=2) as answer,
            ):
                if answer.status == 200:
                    return
            if time.monotonic() > stop:
                raise BlockedError(
                    f"{self.service.name} did not answer at {self.service.ready} within {READY_S:g} s:\n"
                    f"{self.tail()}",
                    fix=f"see {self.log}",
                )
            ending.wait(_POLL_S)

    def stop(self) -> None:
        """End it and all that it started: asked first, then killed."""
        for last, patience_s in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _STOP_S)):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, last)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
                if last is signal.SIGTERM:
                    continue  # what it started may outlive it
                return


@contextmanager
def started(service: Service, folder: Path) -> Iterator[Running]:
    """The service, logging to `folder`; stopped when the block ends, however it ends.

    Raises:
        BlockedError: It can't be started.
    """
    log = folder / f"{service.name}.log"
    environment = {**os.environ, **(service.environment or {})}
    with log.open("ab") as written:
        try:
            process = subprocess.Popen(
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            raise BlockedError(
                f"starting {service.name}: {error.strerror}", fix=f"see {service.command[0]}"
            ) from error
    running = Running(service, process, log)
    try:
        yield running
    finally:
        running.stop()


class Ending:
    """Whether it is time to end; safe to be told from a signal handler, which an Event is not."""

    def __init__(self) -> None:
        self._told = False
        self._wake: SimpleQueue[None] = SimpleQueue()  # its `put` may interrupt its `get`

    def tell(self) -> None:
        """It is time."""
        self._told = True
        self._wake.put(None)

    def is_set(self) -> bool:
        """True once it is time."""
        return self._told

    def wait(self, seconds: float | None = None) -> bool:
        """Return when it is time, or after so many seconds; whether it is time."""
        if not self._told:
            with suppress(Empty):
                self._wake.get(timeout=seconds)
        return self._told


@contextmanager
def until_told_to_end() -> Iterator[Ending]:
    """Ctrl-C, SIGTERM and a closed terminal no longer interrupt what runs, but tell it that it is time.

    So nothing is left half started or half stopped, however often they come.
    """
    ending = Ending()

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        ending.tell()

    signals = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
