"""A real Prometheus (of Debian) on a loopback port over blocks that promtool made of OpenMetrics text."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from required import binary


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: labels, and (Unix time, value) pairs."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


class Server:
    """What a started Prometheus answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        # never through the proxy of the environment
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def instant(self, expr: str, at: float) -> list[Series]:
        """Series of an instant query."""
        found = self._ask("query", query=expr, time=str(at))["result"]
        return [Series(one["metric"], _points([one["value"]])) for one in found]

    def range(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """Series of a range query."""
        found = self._ask("query_range", query=expr, start=str(start), end=str(end), step=str(step))["result"]
        return [Series(one["metric"], _points(one["values"])) for one in found]

    def label_values(self, label: str, selector: str, start: float, end: float) -> list[str]:
        """Values of a label of the series that a selector takes."""
        query = {"match[]": selector, "start": str(start), "end": str(end)}
        values: list[str] = self._ask(f"label/{label}/values", **query)
        return values

    def _ask(self, path: str, **query: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with self._opener.open(url, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}\n{error.read().decode()}") from error

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until it is ready, 20 s at most."""
        stop = time.monotonic() + 20
        while time.monotonic() < stop:
            assert process.poll() is None, f"prometheus ended with {process.returncode}"
            with contextlib.suppress(OSError), self._opener.open(f"{self.url}/-/ready", timeout=5):
                return
            time.sleep(0.05)
        pytest.fail("prometheus did not become ready")


def _points(pairs: Sequence[Sequence[Any]]) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in pairs]


@contextlib.contextmanager
def holding(folder: Path, texts: Sequence[str]) -> Iterator[Server]:
    """A Prometheus that holds what these OpenMetrics texts say; `folder` is empty and takes its data."""
    promtool, prometheus = binary("promtool", "prometheus"), binary("prometheus", "prometheus")
    data = folder / "data"
    for number, text in enumerate(texts):
        source = folder / f"{number}.om"
        source.write_text(text, encoding="utf-8")
        made = subprocess.run(
            [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(source), str(data)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
    config = folder / "prometheus.yml"
    config.write_text("global: {}\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    command = [
        prometheus, f"--config.file={config}", f"--storage.tsdb.path={data}",
        f"--web.listen-address={address}", "--storage.tsdb.retention.time=100y", "--log.level=error",
    ]  # fmt: skip
    server = Server(f"http://{address}")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            server.wait(process)
            yield server
        finally:
            process.kill()
