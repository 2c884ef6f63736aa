"""What a scrape of 200 devices takes, what the exporter holds in memory, and what pushing a run costs.

The exporter is the command itself, in a process of its own, reading pseudo terminals that another process
answers. It is paired with prometheus-client's own server, which holds as many series of the same names,
labels and values. Scrapes are those of Prometheus: OpenMetrics, zipped.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import multiprocessing
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tty
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, start_http_server
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from benchmarks.bench_ledger import record
from benchmarks.table import Row
from pytest_lan_hil.dut.metrics_frame import LAYOUT, MAGIC, SIZE, Block, Present
from pytest_lan_hil.publish.openmetrics import registry
from pytest_lan_hil.publish.pushgateway import grouping_key, push

DEVICES = 200
SCRAPES = 15
PUSHES = 200
HZ = 64_000_000
LIMIT_S = 60.0
# An answer younger than a quarter of a second is shared between scrapes: these must not share one.
APART_S = 0.3
HEADERS = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}


def _frame(number: int) -> bytes:
    """A device that knows everything, its figures its own."""
    block = Block(
        magic=MAGIC, layout=LAYOUT, size=SIZE, sequence=40, present=(1 << len(Present)) - 1,
        cycle_hz=HZ, tick_hz=32_768, uptime_ticks=10**9, latency_sum=HZ * 100, confidence_sum=9000 * 900,
        power_sum=900 * 3000, power_count=3000, power_last=900 + number, power_max=2000,
        energy_sum=12_000 * 9000, energy_count=9000, latency_last=HZ // 100, latency_max=HZ // 50,
        memory_used=20_000 + number, memory_available=1_000, flash_used=150_000, flash_size=1 << 20,
        temperature=21_000 + number, battery_life=60, cpu=213, labelled=200, correct=190,
        negatives=500, false_positives=10, frames=313_000 + number, dropped=7, errors=1,
    )  # fmt: skip
    block.latency_edges[:] = [HZ // 1000 * (k + 1) for k in range(15)]
    block.latency_buckets[:] = [100] * 16
    block.confidence_buckets[:] = [900] * 10
    block.drift_edges[:] = range(-400, 500, 100)
    block.drift_share[:] = [100_000] * 10
    block.drift_buckets[:] = [300 + number] * 10
    body = bytes(block)[:-4]
    return body + zlib.crc32(body).to_bytes(4, "little")


def _answer_for_ever(folder: str, ready: int) -> None:
    """The devices: terminals in `folder`, each of which answers what it is asked."""
    answers: dict[int, bytes] = {}
    theirs = []
    for number in range(DEVICES):
        ours, their = os.openpty()
        tty.setraw(their)
        theirs.append(their)
        Path(folder, f"d{number}").symlink_to(os.ttyname(their))
        answers[ours] = f"m-lnn-metrics-[{_frame(number).hex()}]\r\nm-ready\r\n".encode()
    os.write(ready, b"x")
    while True:
        for ours in select.select(list(answers), [], [])[0]:
            asked = os.read(ours, 4096)
            os.write(
                ours,
                answers[ours]
                if b"metrics" in asked
                else b"m-lnn-id-[git=a,image=b,version=1]\r\nm-ready\r\n",
            )


@contextlib.contextmanager
def _devices(folder: Path) -> Iterator[None]:
    reading, writing = os.pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_answer_for_ever, args=(str(folder), writing)
    )
    process.start()
    os.read(reading, 1)
    try:
        yield
    finally:
        process.kill()
        process.join()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _scrape(port: int) -> tuple[float, bytes]:
    """Seconds, and the text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    start = time.perf_counter()
    connection.request("GET", "/metrics", headers=HEADERS)
    body = connection.getresponse().read()
    took = time.perf_counter() - start
    connection.close()
    return took, gzip.decompress(body)


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _bare(text: str, port: int, ready: int) -> None:
    """prometheus-client's server with the series of `text`, for ever."""
    holds = CollectorRegistry(auto_describe=False)
    gauges: dict[str, Gauge] = {}
    for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            if sample.name not in gauges:
                gauges[sample.name] = Gauge(
                    sample.name, family.documentation, list(sample.labels), registry=holds
                )
            gauges[sample.name].labels(**sample.labels).set(sample.value)
    start_http_server(port, "127.0.0.1", registry=holds)
    os.write(ready, b"x")
    time.sleep(10 * LIMIT_S)


@contextlib.contextmanager
def _bare_server(text: str) -> Iterator[tuple[int, int]]:
    """Its process and port."""
    port = _free_port()
    reading, writing = os.pipe()
    # spawned, so that its memory is its own
    code = (
        f"import sys; from benchmarks.bench_exporter import _bare; _bare(sys.stdin.read(), {port}, {writing})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, pass_fds=(writing,)
    ) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(text.encode())
            process.stdin.close()
            os.read(reading, 1)
            yield process.pid, port
        finally:
            process.kill()


@contextlib.contextmanager
def _exporter(folder: Path) -> Iterator[tuple[int, int]]:
    """Process and port of the command, once all devices are up."""
    inventory = folder / "devices.toml"
    inventory.write_text(
        "".join(
            f'[[devices]]\nid = "d{k}"\nboard = "nrf52840"\nsite = "hall {k % 10}"\nport = "{folder}/d{k}"\n'
            for k in range(DEVICES)
        )
    )
    port = _free_port()
    script = (
        "import sys; from pytest_lan_hil.cli.monitor import exporter;"
        f"exporter(sys.argv[1], (), None, site='', listen='127.0.0.1:{port}', every_s=5, stale_after_s=None)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(inventory)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            stop = time.monotonic() + LIMIT_S
            while time.monotonic() < stop:
                with contextlib.suppress(OSError):
                    if _scrape(port)[1].count(b"\nlan_uptime_seconds{") == DEVICES:
                        break
                time.sleep(APART_S)
            else:
                raise AssertionError("the devices did not come up")
            yield process.pid, port
        finally:
            process.terminate()


def _scraping(folder: Path) -> list[Row]:
    with _devices(folder), _exporter(folder) as (pid, port):
        text = _scrape(port)[1].decode()
        series = sum(not line.startswith("#") for line in text.splitlines())
        with _bare_server(text) as (bare_pid, bare_port):
            pairs = []
            for index in range(SCRAPES + 1):
                order = (port, bare_port) if index % 2 else (bare_port, port)
                took = {}
                for one in order:
                    time.sleep(APART_S)
                    took[one] = _scrape(one)[0]
                pairs.append((took[port], took[bare_port]))
            pairs = pairs[1:]
            memory, bare_memory = _rss_mb(pid), _rss_mb(bare_pid)
    each = [1e3 * statistics.median(times) for times in zip(*pairs, strict=True)]
    return [
        Row(
            f"scrape of {DEVICES} devices",
            statistics.median(ours / bare for ours, bare in pairs),
            "x",
            f"prometheus-client with as many series ({series}; {each[0]:.0f} against {each[1]:.0f} ms,"
            f" median of {SCRAPES} pairs, OpenMetrics, zipped)",
            3.0,
            at_least=False,
        ),
        Row(
            f"memory of the exporter, {DEVICES} devices",
            memory / bare_memory,
            "x",
            f"that server ({memory:.0f} against {bare_memory:.0f} MB resident)",
            3.0,
            at_least=False,
        ),
    ]


class _Taking(BaseHTTPRequestHandler):
    """A gateway that takes everything: where Debian's is not installed."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def _gateway() -> Iterator[tuple[str, str]]:
    """URL, and what it is."""
    program = shutil.which("prometheus-pushgateway")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    if program is None:
        with HTTPServer(("127.0.0.1", port), _Taking) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield url, "a server that takes everything"
            server.shutdown()
        return
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--persistence.file=", "--log.level=error"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            stop = time.monotonic() + LIMIT_S
            while time.monotonic() < stop:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield url, "prometheus-pushgateway"
        finally:
            process.kill()


def _pushing() -> Row:
    run = record(1)
    key = grouping_key(run)
    ready = registry(run)
    with _gateway() as (url, what):

        def ours_s() -> float:
            start = time.perf_counter()
            result = push(run, url)
            took = time.perf_counter() - start
            if not result.ok:
                raise AssertionError(result.detail)
            return took

        def bare_s() -> float:
            start = time.perf_counter()
            push_to_gateway(url, job=run.job, registry=ready, grouping_key=key, timeout=3)
            return time.perf_counter() - start

        pairs = [
            (ours_s(), bare_s()) if index % 2 else (bare_s(), ours_s())[::-1] for index in range(PUSHES + 5)
        ][5:]
    each = [1e3 * statistics.median(times) for times in zip(*pairs, strict=True)]
    return Row(
        "pushing a run",
        statistics.median(ours / bare for ours, bare in pairs),
        "x",
        f"push_to_gateway of the same registry, ready made, to {what}"
        f" ({each[0]:.2f} against {each[1]:.2f} ms, median of {PUSHES} pairs)",
        1.3,
        at_least=False,
    )


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        return [*_scraping(Path(name)), _pushing()]
