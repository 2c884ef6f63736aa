"""A fleet of 10,000 devices, generated, scraped by a real Prometheus on loopback: what a device costs there.

docs/explanation/scale.md draws its sums from these figures.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet_series import SCRAPE_S, Exporter
from benchmarks.fleet_servers import State, prometheus, served
from benchmarks.table import Row

DEVICES, PER_EXPORTER = 10_000, 200
# An agent forwards those of so many.
AGENT_DEVICES = 2_000
# The first scrapes make the series; then it is measured.
WARM_UP_S, MEASURED_S = 60.0, 60.0
# A block of two hours, as Prometheus makes them, of so many devices.
BLOCK_DEVICES, BLOCK_SCRAPES = 40, 480
QUERY = "max(histogram_quantile(0.95, sum by (board, le) (rate(lan_inference_latency_seconds_bucket[1m]))))"
APPENDED = "prometheus_tsdb_head_samples_appended_total"
SENT, SENT_BYTES = "prometheus_remote_storage_samples_total", "prometheus_remote_storage_bytes_total"
PROCESSOR, RESIDENT = "process_cpu_seconds_total", "process_resident_memory_bytes"


def run() -> list[Row]:
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if missing:
        print(f"fleet: {missing[0]} is not installed (Debian: apt install prometheus)", file=sys.stderr)
        return []
    exporters = [Exporter(first, PER_EXPORTER) for first in range(0, DEVICES, PER_EXPORTER)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*_stored(folder, exporters), *_forwarded(folder, exporters), _block(folder)]


def at_most(name: str, value: float, unit: str, against: str, bar: float) -> Row:
    return Row(f"fleet: {name}", value, unit, against, bar, at_least=False)


@dataclass(frozen=True, slots=True)
class _Minute:
    """A server's states before its first scrape, and around the measured minute."""

    idle: State
    before: State
    after: State

    def grown(self, name: str) -> float:
        return self.after[name] - self.before[name]

    @property
    def processor(self) -> str:
        wall_s = self.after.at_s - self.before.at_s
        return f"{100 * self.grown(PROCESSOR) / wall_s:.0f} % of one core"

    @property
    def memory_bytes(self) -> float:
        """What the fleet added."""
        return self.after[RESIDENT] - self.idle[RESIDENT]


def _stored(folder: Path, exporters: list[Exporter]) -> list[Row]:
    """One Prometheus for the whole fleet."""
    series = sum(one.series for one in exporters)
    data = folder / "store" / "data"
    with (
        served(exporters) as targets,
        prometheus(folder / "store", targets, f"--storage.tsdb.path={data}") as server,
    ):
        idle = server.state()
        time.sleep(WARM_UP_S)
        before = server.state()
        time.sleep(MEASURED_S)
        minute = _Minute(idle, before, server.state())
        up, slowest_s = server.value("sum(up)"), server.value("max(scrape_duration_seconds)")
        asked = server.state()
        quantile_s = server.value(QUERY)
        answered = server.state()
    if up != len(exporters) or not 0 < quantile_s < 0.1:
        raise AssertionError(f"{up:g} of {len(exporters)} exporters are up, p95 {quantile_s:g} s")
    taken, logged = minute.grown(APPENDED), minute.after[APPENDED]
    head = minute.after["prometheus_tsdb_head_series"]
    wal = sum(one.stat().st_size for one in (data / "wal").glob("0*"))
    whole = f"{DEVICES:,} devices, {series:,} series, {len(exporters)} exporters, every {SCRAPE_S:g} s"
    rate = taken / (minute.after.at_s - minute.before.at_s)
    return [
        Row("fleet: samples taken a second", rate, "1/s", whole, 0.95 * series / SCRAPE_S),
        at_most("series of a device", series / DEVICES, "", "budgets of its board shared", 80),
        at_most("slowest scrape", slowest_s, "s", f"{PER_EXPORTER} devices each", SCRAPE_S / 3),
        at_most("processor time of 1 M samples", 1e6 * minute.grown(PROCESSOR) / taken, "s",
                f"{minute.processor}: scraping, parsing, writing", 15),
        at_most("memory of a series", minute.memory_bytes / head / 1e3, "KB",
                f"{minute.after[RESIDENT] / 1e9:.2f} GB resident, {head:,.0f} series in the head", 8),
        at_most("log of a sample", wal / logged, "B",
                f"the first {logged / series:.0f} samples of each series, and its labels", 60),
        at_most("processor time of the fleet's p95", answered[PROCESSOR] - asked[PROCESSOR], "s",
                f"{16 * DEVICES:,} series over 1 min; answered after {answered.at_s - asked.at_s:.1f} s", 10),
    ]  # fmt: skip


def _forwarded(folder: Path, exporters: list[Exporter]) -> list[Row]:
    """An agent that scrapes some of it and writes it to another Prometheus."""
    some = exporters[: AGENT_DEVICES // PER_EXPORTER]
    series = sum(one.series for one in some)
    receiver = (f"--storage.tsdb.path={folder / 'receiver' / 'data'}", "--web.enable-remote-write-receiver")
    agent = ("--enable-feature=agent", f"--storage.agent.path={folder / 'agent' / 'data'}")
    with (
        served(some) as targets,
        prometheus(folder / "receiver", [], *receiver) as store,
        prometheus(folder / "agent", targets, *agent, remote=store.url) as server,
    ):
        idle = server.state()
        time.sleep(WARM_UP_S)
        before = server.state()
        time.sleep(MEASURED_S)
        minute = _Minute(idle, before, server.state())
        arrived = store.value("count({device!=''})")
    if arrived < 0.99 * AGENT_DEVICES * 55:
        raise AssertionError(f"{arrived:g} of {series} series arrived")
    sent = minute.grown(SENT)
    return [
        at_most("agent, processor time of 1 M samples", 1e6 * minute.grown(PROCESSOR) / sent, "s",
                f"{minute.processor}: scraping and sending {AGENT_DEVICES:,} devices", 30),
        at_most("agent, memory of a series", minute.memory_bytes / series / 1e3, "KB",
                f"{minute.after[RESIDENT] / 1e9:.2f} GB resident, {series:,} series", 8),
        at_most("agent, sent for a sample", minute.grown(SENT_BYTES) / sent, "B", "compressed", 60),
    ]  # fmt: skip


def _block(folder: Path) -> Row:
    """Disk that a sample takes in a block of two hours."""
    exporter = Exporter(0, BLOCK_DEVICES)
    start_s = time.time() // 7200 * 7200 - 24 * 3600
    source, data = folder / "history.om", folder / "blocks"
    source.write_text(exporter.history(BLOCK_SCRAPES, start_s), encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(source), str(data)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
    (block,) = [one for one in data.iterdir() if (one / "meta.json").is_file()]
    samples: int = json.loads((block / "meta.json").read_text(encoding="utf-8"))["stats"]["numSamples"]
    chunks = sum(one.stat().st_size for one in (block / "chunks").iterdir())
    index = (block / "index").stat().st_size
    whole = (
        f"block of 2 h, {samples:,} samples of {BLOCK_DEVICES} devices; index {index / (chunks + index):.0%}"
    )
    return at_most("disk of a sample", (chunks + index) / samples, "B", whole, 3.0)
