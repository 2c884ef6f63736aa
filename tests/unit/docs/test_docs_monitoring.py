"""The pages about devices in the field name every metric there is, and their queries are ones."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from required import binary

from pytest_lan_hil.dut.metrics_frame import Defect
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish import device_metrics_fleet as fleet
from pytest_lan_hil.publish.device_metrics import FAMILIES, GAUGES, LATENCY, Family
from pytest_lan_hil.publish.openmetrics import metric_names
from pytest_lan_hil.run.monitor.inventory import read_inventory

HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-to"
DEVICES = (HOW_TO / "monitor-devices.md").read_text(encoding="utf-8")
DEBUG = (HOW_TO / "debug-metrics.md").read_text(encoding="utf-8")
_SUFFIX = {"counter": "_total", "info": "_info"}


def _own() -> set[str]:
    """Metrics of devices that the quantity table has not."""
    of_table = {metric_names(QUANTITIES[name]).estimate for name in GAUGES} | {metric_names(LATENCY).plain}
    exporters = [value for value in vars(fleet).values() if isinstance(value, Family)]
    return {f.name + _SUFFIX.get(f.type, "") for f in (*exporters, *FAMILIES)} - of_table


def test_the_table_names_every_metric_that_only_devices_have_and_no_other() -> None:
    rows = [line for line in DEVICES.splitlines() if line.startswith("| `lan_")]
    named = {name for row in rows for name in re.findall(r"`(lan_\w+)`", row.split("|")[1])}
    assert named == _own()


@pytest.mark.parametrize("kinds", [Defect, fleet.Failure])
def test_every_reason_is_named(kinds: type[Defect] | type[fleet.Failure]) -> None:
    assert {kind.value for kind in kinds} <= set(re.findall(r"`([a-z]+)`", DEVICES))


def test_the_example_inventory_can_be_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DEVICES, re.DOTALL)
    file = tmp_path / "devices.toml"
    file.write_text(example, encoding="utf-8")
    assert [device.id for device in read_inventory(file)] == ["hall3-07", "hall3-08"]


def test_every_query_of_the_pages_is_one(tmp_path: Path) -> None:
    queries = re.findall(
        r"^\| [^|`]+\? *\| `([^`]+)`|^\| [a-z ]+ \| `((?:rate|lan)[^`]+)`", DEBUG, re.MULTILINE
    )
    found = [first or second for first, second in queries]
    found += re.findall(r"query=(.*?)'", DEBUG)
    assert len(found) >= 8
    rules = tmp_path / "rules.yml"
    lines = [f"  - {{record: 'q:{n}', expr: {expr!r}}}\n" for n, expr in enumerate(found)]
    rules.write_text("groups:\n- name: q\n  rules:\n" + "".join(lines), encoding="utf-8")
    checked = subprocess.run(
        [binary("promtool", "prometheus"), "check", "rules", str(rules)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
