"""monitoring/prometheus/inventory/README.md: alerts miss what its example lists and is not there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from required import binary

PROMETHEUS = Path(__file__).resolve().parents[3] / "monitoring" / "prometheus"
README = (PROMETHEUS / "inventory" / "README.md").read_text(encoding="utf-8")
BENCH = {"board": "nrf52840", "bench": "desk"}
DEVICE = {"board": "nrf52840", "bench": "hall 3", "device": "hall3-07"}
NAMESAKE = DEVICE | {"bench": "hall 4"}


def _series(name: str, labels: dict[str, str]) -> str:
    return f"{name}{{{', '.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"


# A run of the bench, and what an exporter that knows the device says of it, answering or not.
THERE = [
    _series("lan_run_timestamp_seconds", BENCH | {"job": "lan_hil"}),
    _series("lan_device_up", DEVICE | {"job": "lan_devices", "instance": "a"}),
]
# An exporter with a device of the same id at another site.
OTHER = [
    _series("lan_device_up", NAMESAKE | {"job": "lan_devices", "instance": "b"}),
    _series("lan_expected_info", NAMESAKE | {"job": "lan_devices", "instance": "b"}),
]
_FIRING = 'count by (board, bench, device) (ALERTS{alertname="%s", alertstate="firing"})'


@pytest.mark.parametrize(("there", "missing"), [(OTHER, True), (OTHER + THERE, False)])
def test_what_is_listed_and_not_there_is_missed(there: list[str], missing: bool, tmp_path: Path) -> None:
    (listed,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "benches.yml").write_text(listed, encoding="utf-8")
    alerts = PROMETHEUS / "rules" / "alerts-watch.yml"
    test = {
        "rule_files": ["benches.yml", str(alerts)],
        "evaluation_interval": "1m",
        "group_eval_order": ["lan-inventory", "lan-alerts-watch"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": one, "values": "0x20"} for one in there],
                "promql_expr_test": [
                    {
                        "expr": _FIRING % alert,
                        "eval_time": "15m",
                        "exp_samples": [{"labels": _series("", labels), "value": 1}] if missing else [],
                    }
                    for alert, labels in (("BenchMissing", BENCH), ("DeviceMissing", DEVICE))
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
