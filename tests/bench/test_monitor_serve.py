"""`lan-hil monitor serve` with the real servers: data within a minute, and nothing left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loopback import LIMIT_S, Prometheus, get
from required import binary

COMMAND = [sys.executable, "-c", "from pytest_lan_hil.cli import main; main()", "monitor", "serve"]
DATA_S = 150.0
MARK = "LAN_HIL_TEST_OF_SERVE"


def left(mark: str) -> list[str]:
    """Command lines of running processes that were started, however far down, with this mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


class Served:
    """The command, while it runs."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.mark = str(folder)
        self.folder = folder

    def said(self) -> str:
        return (self.folder / "said").read_text(encoding="utf-8")

    def url(self, name: str) -> str:
        stop = time.monotonic() + LIMIT_S
        while "Ctrl-C" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < stop, self.said()
            time.sleep(0.1)
        line = next(line for line in self.said().splitlines() if line.startswith(name))
        return line.split()[1].split("/graph")[0].removesuffix("/metrics")

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def serving(folder: Path, *arguments: str, path: str | None = None) -> Iterator[Served]:
    for name, package in (
        ("prometheus", "prometheus"),
        ("prometheus-pushgateway", "prometheus-pushgateway"),
        ("prometheus-alertmanager", "prometheus-alertmanager"),
    ):
        binary(name, package)
    temporary = folder / "temporary"
    temporary.mkdir()
    environment = {**os.environ, MARK: str(folder), "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    if path is not None:
        environment["PATH"] = path
    with (
        (folder / "said").open("w") as said,
        subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=said,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            cwd=folder,
        ) as process,
    ):
        try:
            yield Served(process, folder)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def nothing_left(served: Served) -> None:
    assert left(served.mark) == []
    assert list((served.folder / "temporary").glob("lan-hil-monitor-*")) == []


def test_a_newcomer_sees_a_device_and_a_run_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, "--board", "nrf52840") as served:
        prometheus = Prometheus(served.url("Prometheus"))
        assert 'job="pushgateway"' not in get(served.url("Pushgateway") + "/metrics")
        stop = time.monotonic() + DATA_S
        queries = ("lan_uptime_seconds", "lan_frames_total > 0", "lan_run_timestamp_seconds")
        while not all(prometheus.query(query) for query in queries):
            assert served.process.poll() is None, served.said()
            assert time.monotonic() < stop, served.said()
            time.sleep(0.5)
        (device,) = prometheus.query("lan_device_up")
        (run,) = prometheus.query("lan_run_outcome == 1")
        assert device["metric"]["device"] == "nrf52840-1"
        assert device["metric"]["simulated"] == "true"
        assert run["metric"]["simulated"] == "true"
        assert run["metric"]["outcome"] == "passed"
        assert len(left(served.mark)) >= 5
        assert served.end(signal.SIGINT) == 0
    assert served.said().rstrip().endswith("stopped")
    nothing_left(served)


@pytest.mark.parametrize(
    ("after_s", "number"), [(1.5, signal.SIGINT), (3.0, signal.SIGTERM), (6.0, signal.SIGHUP)]
)
def test_ended_while_it_starts_it_leaves_nothing(
    tmp_path: Path, after_s: float, number: signal.Signals
) -> None:
    with serving(tmp_path) as served:
        time.sleep(after_s)
        served.process.send_signal(number)
        time.sleep(0.05)
        if served.process.poll() is None:
            served.process.send_signal(number)  # as impatient people do
        served.process.wait(60)
    nothing_left(served)


def test_it_ends_by_itself_after_the_duration(tmp_path: Path) -> None:
    with serving(tmp_path, "--duration", "4") as served:
        assert served.process.wait(60) == 0
    nothing_left(served)


def test_a_server_that_ends_by_itself_ends_all_and_is_named(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.url("Alertmanager")
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
                marked = f"{MARK}={served.mark}".encode() in (process / "environ").read_bytes()
            except OSError:
                continue
            if marked and b"alertmanager" in words.split(b"\0")[0]:
                os.kill(int(process.name), signal.SIGKILL)
        assert served.process.wait(60) == 3
    assert "alertmanager ended with -9" in served.said()
    nothing_left(served)


def test_a_server_that_is_not_installed_is_named_with_its_package(tmp_path: Path) -> None:
    with serving(tmp_path, path=str(tmp_path)) as served:
        assert served.process.wait(60) == 3
    assert "not installed: prometheus, prometheus-pushgateway, prometheus-alertmanager" in served.said()
    assert "sudo apt install prometheus prometheus-pushgateway prometheus-alertmanager" in served.said()
    nothing_left(served)


def test_a_board_without_virtual_silicon_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, "--board", "desktop") as served:
        assert served.process.wait(60) == 2
    assert "board desktop has no virtual silicon" in served.said()
