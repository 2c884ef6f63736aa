"""The real node_exporter serves runs' metrics.prom from a folder, as docs/how-to/push-metrics.md says."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from publish_samples import COMPARING, RECORD
from required import binary

from pytest_lan_hil.publish.openmetrics import registry
from pytest_lan_hil.publish.store import store

# never through the proxy of the environment
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def node_exporter(folder: Path) -> Iterator[str]:
    """Serves the folder's textfiles and nothing else; yields the address of its metrics."""
    program = binary("prometheus-node-exporter", "prometheus-node-exporter")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    command = [
        program, "--collector.disable-defaults", "--collector.textfile",
        f"--collector.textfile.directory={folder}", f"--web.listen-address={address}",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://{address}/metrics"
        finally:
            process.kill()


def scraped(url: str) -> dict[str, Metric]:
    stop = time.monotonic() + 20
    while True:
        try:
            with _OPENER.open(url, timeout=5) as response:
                text = response.read().decode("utf-8")
        except OSError:
            assert time.monotonic() < stop, "node_exporter did not become ready"
            time.sleep(0.05)
        else:
            return {family.name: family for family in text_string_to_metric_families(text)}


def series(families: Iterable[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Our series; a bound is a number, which Go writes as "1" and we as "1.0"."""
    return {
        (sample.name, frozenset((key, bound(key, value)) for key, value in sample.labels.items() if value)): (
            sample.value
        )
        for family in families
        for sample in family.samples
        if sample.name.startswith("lan_")
    }


def bound(label: str, value: str) -> str:
    return repr(float(value)) if label == "le" else value


def test_node_exporter_serves_the_files_of_two_runs_as_they_are(tmp_path: Path) -> None:
    textfiles = tmp_path / "textfiles"
    textfiles.mkdir()
    other = dataclasses.replace(COMPARING, board="stm32f4", run_id="20261124T070000-stm32f4-0a1b2e")
    records = [RECORD, other]
    for record in records:
        stored = store(record, {}, tmp_path / "out")
        (stored.directory / "metrics.prom").rename(textfiles / f"{record.board}.prom")
    with node_exporter(textfiles) as url:
        found = scraped(url)
    assert series(found.values()) == pytest.approx(
        {key: value for record in records for key, value in series(registry(record).collect()).items()}
    )
    errors = [sample.value for sample in found["node_textfile_scrape_error"].samples]
    assert errors == [0.0]
    assert len(found["node_textfile_mtime_seconds"].samples) == 2
