"""docs/runbooks: their queries find what they say they find."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml
from required import binary

LEAKS = Path(__file__).resolve().parents[3] / "docs" / "runbooks" / "memory-leaks.md"
LABELS = 'job="lan_devices", instance="a", board="nrf52840", bench="field", simulated="false"'


def test_the_query_for_leaks_lists_what_grew_and_was_not_reset(tmp_path: Path) -> None:
    text = LEAKS.read_text(encoding="utf-8")
    (query,) = re.findall(r"^```text\n(delta.*?)^```", text, re.MULTILINE | re.DOTALL)
    memory = f'lan_memory_bytes{{{LABELS}, statistic="max", device='
    resets = f"lan_device_resets_total{{{LABELS}, device="
    told = {
        f'{memory}"leaks"}}': "8192+100x24", f'{resets}"leaks"}}': "3x24",
        f'{memory}"steady"}}': "8192x24", f'{resets}"steady"}}': "0x24",
        f'{memory}"reset"}}': "8192+100x24", f'{resets}"reset"}}': "0x12 1x11",
    }  # fmt: skip
    labels = f'{{{LABELS}, statistic="max", device="leaks"}}'
    test = {
        "evaluation_interval": "1h",
        "tests": [
            {
                "interval": "1h",
                "input_series": [{"series": one, "values": values} for one, values in told.items()],
                "promql_expr_test": [
                    {"expr": query, "eval_time": "24h", "exp_samples": [{"labels": labels, "value": 2400}]}
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
