"""Prometheus, Pushgateway and Alertmanager (of Debian) on loopback: what breaks is told of, and its end.

Rules, routes and inhibitions are the shipped ones. Only what they wait for is shorter: minutes are seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from loopback import Prometheus, free_port, pushgateway, server
from metrics_blocks import HZ, a_block, frame
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from publish_samples import POWER, RECORD, REGRESSED, verdict
from required import binary

from pytest_lan_hil.dut.metrics_frame import Block, Defect, parse_frame
from pytest_lan_hil.model.measurement import Outcome, VerdictKind
from pytest_lan_hil.model.record import RunRecord, TestRecord
from pytest_lan_hil.publish.device_metrics import DeviceLabels, Told, samples
from pytest_lan_hil.publish.device_metrics_fleet import DeviceView, families
from pytest_lan_hil.publish.pushgateway import push
from pytest_lan_hil.run.monitor.alerts import Alert, listening
from pytest_lan_hil.run.monitor.serving import serving
from pytest_lan_hil.run.monitor.stack_config import alertmanager_config, prometheus_config

ROOT = Path(__file__).resolve().parents[2] / "monitoring"
LIMIT_S = 90.0
SECONDS = {"1m": "1s", "2m": "1s", "5m": "3s", "10m": "3s"}
TARGETS = {"nrf52840": {"latency": 12.0, "power": 0.9, "memory": 32.0, "accuracy": 93.5}}
SITE = "field"
INVENTORY = """
groups:
  - name: inventory
    rules:
      - {record: lan_expected_info, expr: vector(1), labels: {board: nrf52840, bench: absent}}
      - record: lan_expected_info
        expr: vector(1)
        labels: {board: nrf52840, bench: field, device: lost, simulated: "true"}
"""
# Alert, whom it is about (device, else bench, else instance), and who is told.
EXPECTED = {
    ("DeviceOffline", "unplugged", "simulated"),
    ("DeviceTemperatureHigh", "hot", "simulated"),
    ("HighInferenceLatency", "slow", "simulated"),
    ("LowThroughput", "slow", "simulated"),
    ("HighPowerConsumption", "hungry", "simulated"),
    ("LowBattery", "hungry", "simulated"),
    ("HighMemoryUsage", "full", "simulated"),
    ("LowAvailableMemory", "full", "simulated"),
    ("HighFlashUsage", "full", "simulated"),
    ("ModelDrift", "deaf", "simulated"),
    ("LowModelAccuracy", "deaf", "simulated"),
    ("FramesRejected", "noisy", "simulated"),
    ("DeviceMissing", "lost", "simulated"),
    ("HighPowerConsumption", "virtual", "simulated"),
    ("PerformanceRegression", "virtual", "simulated"),
    ("RunStale", "virtual", "simulated"),
    ("PushRefused", "refused", "warning-mail"),
    ("BenchMissing", "absent", "warning-mail"),
    ("TargetDown", "the other site", "critical-slack"),
}

Changes = Callable[[int], dict[str, object]]


def healthy(second: int) -> dict[str, object]:
    """A device after so many seconds: 100 inferences a second of 8 to 9 ms, 0.8 mW, nothing lost."""
    done = 100 * second
    return {
        "uptime_ticks": 32_768 * second, "latency_buckets": [0] * 8 + [done] + [0] * 7,
        "latency_sum": done * HZ // 120, "confidence_buckets": [0] * 9 + [done], "confidence_sum": 950 * done,
        "frames": done, "dropped": 0, "power_sum": 800 * second, "power_count": second, "battery_life": 2000,
        "memory_used": 20_000, "memory_available": 200_000, "temperature": 25_000,
        "labelled": 1000, "correct": 980, "drift_buckets": [10_000] * 10,
    }  # fmt: skip


BROKEN: dict[str, Changes] = {
    "hot": lambda second: {"temperature": 80_000},
    # 13 to 14 ms, and every fifth frame lost
    "slow": lambda second: {
        "latency_buckets": [0] * 13 + [100 * second] + [0] * 2,
        "frames": 80 * second,
        "dropped": 20 * second,
    },
    "hungry": lambda second: {"power_sum": 2000 * second, "battery_life": 20},
    "full": lambda second: {"memory_used": 40_000, "memory_available": 500, "flash_used": 1_000_000},
    "deaf": lambda second: {"drift_buckets": [91_000] + [1000] * 9, "correct": 500},
}
DEVICES = ("fine", "unplugged", "noisy", *BROKEN)


class Field(Collector):
    """Devices of one site, scraped as the exporter shows them; whole again once `mend` is called."""

    def __init__(self, *devices: str) -> None:
        self._devices = devices
        self._started = time.monotonic()
        self._mended: float | None = None

    def mend(self) -> None:
        self._mended = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        return families([self._view(device) for device in self._devices], TARGETS)

    def _view(self, device: str) -> DeviceView:
        labels = DeviceLabels("nrf52840", SITE, device, simulated=True)
        broken_s = int((self._mended or time.monotonic()) - self._started)
        rejected = {Defect.CHECKSUM: 2 * broken_s} if device in ("noisy", "unplugged") else {}
        if device == "unplugged" and self._mended is None:
            return DeviceView(labels, up=False, last_seen_s=time.time() - 60, rejected=rejected)
        told = samples(labels, self._told(device))
        return DeviceView(labels, up=True, last_seen_s=time.time(), samples=told, rejected=rejected)

    def _told(self, device: str) -> Told:
        second = 100 + int(time.monotonic() - self._started)
        changes = BROKEN.get(device) if self._mended is None else None
        now, before = (parse_frame(frame(self._block(at, changes))) for at in (second, second - 50))
        recent = now.since(before)
        assert recent is not None
        return Told(now, recent, now)

    def _block(self, second: int, changes: Changes | None) -> Block:
        return a_block(**{**healthy(second), **(changes(second) if changes else {})})


def a_run(bench: str, ended: datetime, *, milliwatts: float) -> RunRecord:
    """A run on a virtual bench with a target of 1.2 mW and a baseline of 1.1 mW."""
    factor = milliwatts / POWER.estimate.value
    estimate = dataclasses.replace(
        POWER.estimate,
        value=milliwatts,
        low=POWER.estimate.low * factor,
        high=POWER.estimate.high * factor,
    )
    power = dataclasses.replace(POWER, estimate=estimate)
    test = TestRecord(
        nodeid="tests/hil/test_power.py::test_listening[nrf52840]",
        outcome=Outcome.PASSED,
        measurements={"power": power},
        verdicts=(verdict(VerdictKind.WITHIN, power, 1.2, ""),),
        comparisons=(REGRESSED,),
    )
    return dataclasses.replace(
        RECORD,
        bench=bench,
        started_at=f"{ended - timedelta(seconds=40):%Y-%m-%dT%H:%M:%SZ}",
        finished_at=f"{ended:%Y-%m-%dT%H:%M:%SZ}",
        tests=(test,),
        measurements={"power": power},
        outcome=Outcome.PASSED,
    )


class Heard:
    """What the webhook was told."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._lock = threading.Lock()
        self._status: dict[tuple[str, str, str], set[str]] = {}

    def __call__(self, alert: Alert) -> None:
        labels = alert.labels
        who = labels.get("device") or labels.get("bench") or labels.get("instance", "")
        key = (labels["alertname"], self._names.get(who, who), alert.receiver)
        with self._lock:
            self._status.setdefault(key, set()).add(alert.status)

    def with_status(self, status: str) -> set[tuple[str, str, str]]:
        with self._lock:
            return {key for key, found in self._status.items() if status in found}

    def wait(self, status: str, wanted: set[tuple[str, str, str]]) -> None:
        """Until all that is wanted was told of with this status."""
        stop = time.monotonic() + LIMIT_S
        while not wanted <= (found := self.with_status(status)):
            assert time.monotonic() < stop, f"never {status}: {sorted(wanted - found)}"
            time.sleep(0.2)


def sooner(rules: str) -> str:
    """The rules with seconds for minutes; no threshold is touched."""
    waits = re.sub(r"^( +(?:keep_firing_)?for: )(\d+m)$", lambda m: m[1] + SECONDS[m[2]], rules, flags=re.M)
    return re.sub(r"\[\d+m\]", "[10s]", waits)


def quick_routes(route: dict[str, Any]) -> None:
    """Notifications at once instead of within minutes."""
    for key in ("group_wait", "group_interval"):
        route[key] = "1s"
    for child in route.get("routes", []):
        quick_routes(child)


@contextlib.contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """An Alertmanager with the shipped routes that tells the webhook; its host:port."""
    program = binary("prometheus-alertmanager", "prometheus-alertmanager")
    config = json.loads(alertmanager_config(ROOT, webhook))
    quick_routes(config["route"])
    (folder / "alertmanager.yml").write_text(json.dumps(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alerts'}",
        f"--web.listen-address={address}", "--cluster.listen-address=",
    ]  # fmt: skip
    with server(command, f"http://{address}/-/ready"):
        yield address


@contextlib.contextmanager
def watching(folder: Path, gateway: str, sites: list[str], alerts: str) -> Iterator[Prometheus]:
    """A Prometheus with the shipped jobs and rules, once a second."""
    program = binary("prometheus", "prometheus")
    targets = {"lan_hil": gateway.removeprefix("http://"), "lan_devices": sites[0]}
    config = json.loads(prometheus_config(ROOT, targets, alerts))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    (devices,) = (job for job in config["scrape_configs"] if job["job_name"] == "lan_devices")
    devices["static_configs"] = [{"targets": sites}]
    rules = folder / "rules"
    rules.mkdir()
    for path in (ROOT / "prometheus" / "rules").glob("*.yml"):
        (rules / path.name).write_text(sooner(path.read_text()))
    (rules / "inventory.yml").write_text(INVENTORY)
    config["rule_files"] = [f"{rules}/*.yml"]
    (folder / "prometheus.yml").write_text(json.dumps(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]  # fmt: skip
    with server(command, f"{url}/-/ready"):
        yield Prometheus(url)


def push_what_is_refused(gateway: str) -> None:
    """A push with a time stamp, which a Pushgateway never takes."""
    url = f"{gateway}/metrics/job/lan_hil/board/nrf52840/bench/refused"
    request = urllib.request.Request(url, data=b"lan_run_timestamp_seconds 1 1000\n", method="PUT")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError, match="400"):
        opener.open(request, timeout=5)


def pushed(record: RunRecord, gateway: str) -> None:
    result = push(record, gateway)
    assert result.ok, result.detail


def test_each_alert_and_its_end_reach_the_receiver_of_its_route(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    site, other = Field(*DEVICES), Field("lost")
    other_port = free_port()
    heard = Heard({f"127.0.0.1:{other_port}": "the other site"})
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(pushgateway())
        host, port = stack.enter_context(serving(site, ("127.0.0.1", 0), lambda: ""))
        alerts = stack.enter_context(alertmanager(tmp_path, stack.enter_context(listening(heard))))
        pushed(a_run("virtual", now - timedelta(hours=40), milliwatts=1.31), gateway)
        pushed(a_run("refused", now, milliwatts=1.0), gateway)
        push_what_is_refused(gateway)
        sites = [f"{host}:{port}", f"127.0.0.1:{other_port}"]
        prometheus = stack.enter_context(watching(tmp_path, gateway, sites, alerts))

        heard.wait("firing", EXPECTED | {("Watchdog", "", "watchdog")})
        noisy = prometheus.values('ALERTS{alertname="FramesRejected", alertstate="firing"}')
        assert set(noisy) == {"noisy", "unplugged"}
        # The device that is fine is never heard of, and of the unplugged one only that it is offline.
        assert heard.with_status("firing") == EXPECTED | {("Watchdog", "", "watchdog")}

        site.mend()
        stack.enter_context(serving(other, ("127.0.0.1", other_port), lambda: ""))
        for bench in ("virtual", "refused", "absent"):
            pushed(a_run(bench, now, milliwatts=1.0), gateway)
        heard.wait("resolved", EXPECTED)
    assert "fine" not in {who for _, who, _ in heard.with_status("firing")}
