"""A real Prometheus scrapes devices that work, break, vanish and come back; what its queries then see."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from field_devices import READY, FieldDevice
from loopback import LIMIT_S, get, prometheus
from metrics_blocks import a_block, console_line
from required import binary

from pytest_lan_hil.config import Board, SearchPath, load_board
from pytest_lan_hil.run.monitor.exporter import Exporter
from pytest_lan_hil.run.monitor.inventory import Device
from pytest_lan_hil.run.monitor.serving import serving

ROOT = Path(__file__).resolve().parents[2]
EVERY_S = 0.2


@pytest.fixture
def board() -> Board:
    return load_board("nrf52840", SearchPath.default(ROOT))


def test_prometheus_sees_devices_come_break_vanish_and_start_anew(tmp_path: Path, board: Board) -> None:
    devices = [
        Device(id=name, board="nrf52840", site='hall "3"', port=str(tmp_path / name)) for name in ("a", "b")
    ]
    with (
        FieldDevice(tmp_path / "a", a_block(frames=1000)) as a,
        FieldDevice(tmp_path / "b", a_block(frames=5)) as b,
        Exporter(devices, {"nrf52840": board}, every_s=EVERY_S, stale_after_s=2) as exporter,
        serving(exporter, ("127.0.0.1", 0), str) as (host, port),
        prometheus(tmp_path, {"lan_devices": f"{host}:{port}"}) as server,
    ):
        server.wait("lan_device_up", 1, "a")
        server.wait('lan_frames_total{bench="hall \\"3\\""}', 1000, "a")
        assert server.values("lan_frames_total") == {"a": 1000, "b": 5}
        # all inferences of the made-up device are at most 9 ms or above 15 ms
        quantile = server.values("histogram_quantile(0.5, lan_inference_latency_seconds_bucket)")
        assert 0.008 < quantile["a"] <= 0.009

        # a counter that grows by 500 and then starts anew at 20 has counted 520 more
        start_s = time.time()
        a.block = a_block(frames=1500, uptime_ticks=10 * 32_768)
        server.wait("lan_frames_total", 1500, "a")
        a.block = a_block(frames=20, uptime_ticks=32_768)
        server.wait("lan_frames_total", 20, "a")
        server.wait("lan_device_resets_total", 1, "a")
        # unlike increase(), this adds up without extrapolating
        seconds = int(time.time() - start_s) + 10
        jumps = server.values(f"resets(lan_frames_total[{seconds}s])")
        assert jumps == {"a": 1, "b": 0}
        grown = server.values(f"increase(lan_frames_total[{seconds}s])")
        assert 520 <= grown["a"] <= 1.5 * 520
        assert grown["b"] == 0

        # damaged frames: counted, and the last sound value is gone once it is stale, never replaced
        b.answer = lambda block: [console_line(block)[:400] + "]", READY]
        server.wait("lan_device_up", 0, "b")
        server.wait("lan_frames_total", None, "b")
        rejected = server.values("sum by (device) (lan_frames_rejected_total{reason='length'})")
        assert rejected["b"] >= 2
        assert rejected["a"] == 0
        assert server.values("min_over_time(lan_temperature_celsius[1m])")["b"] == -12.25

        # unplugged: down, last seen stands still, and the inventory still expects it
        a.unplug()
        server.wait("lan_device_up", 0, "a")
        server.wait("lan_frames_total", None, "a")
        last_seen = server.values("lan_device_last_seen_timestamp_seconds")["a"]
        assert last_seen <= time.time()
        missing = "lan_expected_info unless on (board, bench, device) (lan_device_up == 1)"
        assert set(server.values(missing)) == {"a", "b"}
        a.plug_in()
        server.wait("lan_device_up", 1, "a")
        server.wait("lan_frames_total", 20, "a")
        assert server.values("lan_device_last_seen_timestamp_seconds")["a"] > last_seen
        assert set(server.values(missing)) == {"b"}


def test_promtool_has_nothing_to_say_against_the_exporters_names(tmp_path: Path, board: Board) -> None:
    promtool = binary("promtool", "prometheus")
    device = Device(id="a", board="nrf52840", site='hall "3"\n', port=str(tmp_path / "a"))
    with (
        FieldDevice(tmp_path / "a", a_block(drift_buckets=[1000] * 10)),
        Exporter([device], {"nrf52840": board}, every_s=EVERY_S, stale_after_s=60) as exporter,
        serving(exporter, ("127.0.0.1", 0), str) as (host, port),
    ):
        stop = time.monotonic() + LIMIT_S
        text = ""
        while "lan_feature_drift_ratio{" not in text:
            assert time.monotonic() < stop
            text = get(f"http://{host}:{port}/metrics")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    said = checked.stdout + checked.stderr
    assert "error while linting" not in said
    assert [line for line in said.splitlines() if line.startswith("lan_")] == []
