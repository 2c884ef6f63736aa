"""Real Prometheus servers on loopback for the fleet: one that scrapes and stores, an agent, a receiver."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.fleet_series import SCRAPE_S, Exporter

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class State:
    """What a server says of itself at a time (s), summed over labels."""

    at_s: float
    metrics: dict[str, float]

    def __getitem__(self, name: str) -> float:
        return self.metrics[name]


@dataclass(frozen=True, slots=True)
class Server:
    """A running Prometheus at `url`."""

    url: str

    def ask(self, path: str) -> str:
        """The body of an answer."""
        with _OPENER.open(f"{self.url}{path}", timeout=120) as response:
            return str(response.read().decode("utf-8"))

    def state(self) -> State:
        """Its own metrics."""
        metrics: dict[str, float] = {}
        for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", self.ask("/metrics"), re.MULTILINE):
            metrics[name] = metrics.get(name, 0.0) + float(value)
        return State(time.perf_counter(), metrics)

    def value(self, expression: str) -> float:
        """The one value of a query."""
        query = urllib.parse.urlencode({"query": expression})
        (one,) = json.loads(self.ask(f"/api/v1/query?{query}"))["data"]["result"]
        return float(one["value"][1])


@contextlib.contextmanager
def served(exporters: Sequence[Exporter]) -> Iterator[list[dict[str, Any]]]:
    """Each exporter at /NUMBER of one port; yields them as targets of a scrape."""
    counts = [0] * len(exporters)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = int(self.path.removeprefix("/"))
            body = exporters[number].page(counts[number]).encode("utf-8")
            counts[number] += 1
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"127.0.0.1:{server.server_address[1]}"
        try:
            yield [
                {"targets": [address], "labels": {"__metrics_path__": f"/{number}", "instance": str(number)}}
                for number in range(len(exporters))
            ]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def prometheus(
    folder: Path, targets: Sequence[dict[str, Any]], *options: str, remote: str = ""
) -> Iterator[Server]:
    """A Prometheus that scrapes the targets, and writes to the server at `remote` if there is one.

    Args:
        folder: Its own: `prometheus.yml` and `data` are made in it.
        targets: As `served` yields them.
        options: Of the command line, besides configuration and address.
        remote: URL of a Prometheus that takes remote writes.
    """
    config: dict[str, Any] = {
        "global": {"scrape_interval": f"{SCRAPE_S:g}s", "scrape_timeout": f"{SCRAPE_S - 1:g}s"},
        "scrape_configs": [
            {"job_name": "lan_devices", "honor_labels": True, "static_configs": list(targets)}
        ],
    }
    if remote:
        config["remote_write"] = [{"url": f"{remote}/api/v1/write"}]
    folder.mkdir()
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    own = [f"--config.file={file}", f"--web.listen-address={address}", "--log.level=error"]
    server = Server(f"http://{address}")
    with subprocess.Popen(
        ["prometheus", *own, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(server, process)
            yield server
        finally:
            process.kill()


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    stop = time.monotonic() + 30
    while True:
        if process.poll() is not None or time.monotonic() > stop:
            raise AssertionError(f"Prometheus did not become ready (exit code {process.returncode})")
        with contextlib.suppress(OSError):
            server.ask("/-/ready")
            return
        time.sleep(0.05)
