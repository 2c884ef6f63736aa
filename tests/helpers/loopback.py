"""Servers on loopback for tests: started, waited for, ended; asked without the proxy of the environment."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from required import binary

LIMIT_S = 30.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def get(url: str, timeout_s: float = 5) -> str:
    with _OPENER.open(url, timeout=timeout_s) as answer:
        return str(answer.read().decode("utf-8"))


@contextlib.contextmanager
def server(command: Sequence[str], ready: str) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            stop = time.monotonic() + LIMIT_S
            while True:
                with contextlib.suppress(OSError):
                    get(ready)
                    break
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
                assert time.monotonic() < stop, f"{command[0]} is not ready"
                time.sleep(0.05)
            yield
        finally:
            process.kill()


class Prometheus:
    """A running one."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, query: str) -> list[dict[str, Any]]:
        text = get(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        result: list[dict[str, Any]] = json.loads(text)["data"]["result"]
        return result

    def values(self, query: str, label: str = "device") -> dict[str, float]:
        """Value of a label to the value of its series."""
        return {s["metric"].get(label, ""): float(s["value"][1]) for s in self.query(query)}

    def wait(self, query: str, wanted: float | None, name: str = "", label: str = "device") -> None:
        """Until the query's series of this label's value has the value; None: until there is none."""
        stop = time.monotonic() + LIMIT_S
        while (found := self.values(query, label).get(name)) != wanted:
            assert time.monotonic() < stop, f"{query} is {found} for {name!r} and never {wanted}"
            time.sleep(0.1)


@contextlib.contextmanager
def prometheus(folder: Path, targets: Mapping[str, str], *options: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `targets` (job to host:port) five times a second."""
    program = binary("prometheus", "prometheus")
    jobs = [
        {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [target]}]}
        for job, target in targets.items()
    ]
    every = {"scrape_interval": "200ms", "scrape_timeout": "200ms"}
    file = folder / "prometheus.yml"
    file.write_text(json.dumps({"global": every, "scrape_configs": jobs}), encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        *options,
    ]
    with server(command, f"{url}/-/ready"):
        yield Prometheus(url)


@contextlib.contextmanager
def pushgateway() -> Iterator[str]:
    """A Pushgateway; its URL."""
    program = binary("prometheus-pushgateway", "prometheus-pushgateway")
    url = f"http://127.0.0.1:{free_port()}"
    command = [program, f"--web.listen-address={url.removeprefix('http://')}", "--persistence.file="]
    with server(command, f"{url}/-/ready"):
        yield url
