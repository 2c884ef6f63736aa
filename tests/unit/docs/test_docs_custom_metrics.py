"""docs/how-to/custom-metrics.md: its Python runs as it stands (its Rust does in tests/bench)."""

from __future__ import annotations

import asyncio
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from required import binary

from pytest_lan_hil import metrics as room
from pytest_lan_hil.model.quantities import QUANTITIES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "custom-metrics.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


class Model:
    """What the page's code calls."""

    def inference(self, audio: list[float]) -> float:
        return sum(audio)


class Server:
    async def inference(self, audio: list[float]) -> float:
        await asyncio.sleep(0)
        return sum(audio)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Names of a program made of all Python blocks of the page, one after the other, run to its end.

    The default registry is one of this test's, and the port a free one instead of 8080.
    """
    registry = CollectorRegistry()
    ports: list[int] = []
    serve = prometheus_client.start_http_server

    def on_a_free_port(port: int) -> None:
        assert port == 8080
        server, thread = serve(0, addr="127.0.0.1", registry=registry)
        ports.append(server.server_port)
        request_end.append((server, thread))

    request_end: list[Any] = []
    monkeypatch.setattr(prometheus_client, "start_http_server", on_a_free_port)
    monkeypatch.setitem(room.InferenceMetrics.__init__.__kwdefaults__, "registry", registry)
    names: dict[str, Any] = {
        "model": Model(), "server": Server(), "audio_data": [0.5, 0.25],
        "get_power_reading": lambda: 850.0, "current_accuracy": 95.0,
    }  # fmt: skip
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), names)
    names["port"] = ports[0]
    yield names
    for server, thread in request_end:
        server.shutdown()
        server.server_close()
        thread.join()


def scraped(port: int) -> dict[tuple[str, str], float]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        text = response.read().decode("utf-8")
    return {
        (sample.name, sample.labels.get("statistic", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


def test_the_pages_example_serves_what_it_says(page: dict[str, Any]) -> None:
    assert page["result"] == 0.75
    found = scraped(page["port"])
    assert found["lan_inference_latency_seconds_count", ""] == 1
    assert found["lan_errors_total", ""] == 0
    assert found["lan_power_watts", "mean"] == pytest.approx(0.85)
    assert found["lan_model_accuracy_ratio", "share"] == pytest.approx(0.95)


def test_the_pages_decorated_functions_work_and_are_counted(page: dict[str, Any]) -> None:
    assert page["infer"]([1.0, 2.0]) == 3.0
    assert asyncio.run(page["infer_remotely"]([1.0, 3.0])) == 4.0
    assert scraped(page["port"])["lan_inference_latency_seconds_count", ""] == 3


def test_the_pages_private_registry_is_not_the_default_one(page: dict[str, Any]) -> None:
    place = {"board": "desktop", "bench": "lab", "simulated": "false"}
    assert page["private"].get_sample_value("lan_errors_total", place) == 0


def test_the_figures_that_the_page_names_are_in_the_table() -> None:
    keys = {row.target_key for row in QUANTITIES.values()}
    named = set(re.findall(r"`(\w+_(?:mw|uj|kb|percent|degc|ms))`", TEXT))
    assert len(named) >= 7
    assert named <= keys


@pytest.mark.parametrize(("device", "fires"), [("pc-3", True), ("", False)])
def test_the_pages_targets_make_the_alerts_of_devices_fire(device: str, fires: bool, tmp_path: Path) -> None:
    (targets,) = [block for block in blocks("yaml") if block.startswith("groups:")]
    (tmp_path / "targets.yml").write_text(targets, encoding="utf-8")
    registry = CollectorRegistry()
    metrics = room.InferenceMetrics("desktop", device=device, registry=registry)
    metrics.report(latency_ms=8.0, power_mw=950.0)
    told = []
    for sample in (sample for family in registry.collect() for sample in family.samples):
        labels = {"job": "lan_devices", "instance": "localhost:8080", **sample.labels}
        series = ", ".join(f'{key}="{value}"' for key, value in labels.items())
        step = sample.value if sample.name.endswith("_bucket") else 0
        told.append({"series": f"{sample.name}{{{series}}}", "values": f"{sample.value}+{step}x20"})
    rules = PAGE.parents[2] / "monitoring" / "prometheus" / "rules"
    firing = [f'{{alertname="{name}"}}' for name in ("HighInferenceLatency", "HighPowerConsumption")]
    test = {
        "rule_files": ["targets.yml", *(str(rules / name) for name in ("devices.yml", "alerts-devices.yml"))],
        "evaluation_interval": "1m",
        "group_eval_order": ["lan-targets", "lan-devices", "lan-alerts-devices"],
        "tests": [
            {
                "interval": "1m",
                "input_series": told,
                "promql_expr_test": [
                    {
                        "expr": 'count by (alertname) (ALERTS{alertstate="firing", device="pc-3"})',
                        "eval_time": "15m",
                        "exp_samples": [{"labels": one, "value": 1} for one in firing if fires],
                    }
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    tested = subprocess.run(
        [binary("promtool", "prometheus"), "test", "rules", "test.yml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout + tested.stderr
