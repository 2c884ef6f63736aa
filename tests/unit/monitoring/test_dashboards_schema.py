"""The dashboards have the schema that Grafana publishes (npm: @grafana/schema); breaking it is found."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from node_tools import TOOLS, node_tools

from monitoring.generate.dashboards import FOLDER
from monitoring.generate.dashboards_panels import SCHEMA_VERSION

Json: TypeAlias = dict[str, Any]


def panel(board: Json, kind: str) -> Json:
    found: Json = next(one for one in board["panels"] if one["type"] == kind)
    return found


BREAK: dict[str, Callable[[Json], object]] = {
    "an unknown field of the dashboard": lambda board: board.update(style="dark"),
    "an unknown field of a variable": lambda board: board["templating"]["list"][1].update(refesh=1),
    "a panel type that is gone": lambda board: panel(board, "timeseries").update(type="graph"),
    "an unknown option": lambda board: panel(board, "timeseries")["options"].update(legnd={}),
    "an option that is missing": lambda board: panel(board, "stat")["options"].pop("colorMode"),
    "a legend that there is not": lambda board: panel(board, "timeseries")["options"]["legend"].update(
        displayMode="tabular"
    ),
    "an unknown field option": lambda board: panel(board, "timeseries")["fieldConfig"]["defaults"][
        "custom"
    ].update(linewidth=1),
    "a mode of thresholds that there is not": lambda board: panel(board, "stat")["fieldConfig"]["defaults"][
        "thresholds"
    ].update(mode="relative"),
    "an unknown field of a query": lambda board: panel(board, "heatmap")["targets"][0].update(query="up"),
    "a place that is text": lambda board: panel(board, "heatmap")["gridPos"].update(x="0"),
}


def check(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*node_tools("node"), str(TOOLS / "check-types.mjs"), "dashboard", *map(str, files)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_dashboard_has_the_published_schema_and_each_breach_of_it_is_found(
    tmp_path: Path,
) -> None:
    sound = json.loads((FOLDER / "performance.json").read_text(encoding="utf-8"))
    broken = {}
    for name, change in BREAK.items():
        changed = copy.deepcopy(sound)
        change(changed)
        broken[name] = tmp_path / f"{name.replace(' ', '-')}.json"
        broken[name].write_text(json.dumps(changed), encoding="utf-8")
    checked = check(*sorted(FOLDER.glob("*.json")), *broken.values())
    assert checked.returncode == 1
    refused = {line.partition(":")[0] for line in checked.stderr.splitlines() if not line.startswith(" ")}
    assert refused == {str(file) for file in broken.values()}


def test_the_version_of_the_schema_is_the_published_one() -> None:
    node_tools("node")
    published = TOOLS / "node_modules/@grafana/schema/dist/esm/raw/dashboard/x/types.gen.mjs"
    assert f"schemaVersion: {SCHEMA_VERSION}," in published.read_text(encoding="utf-8")


def test_no_file_to_check_is_said() -> None:
    checked = check()
    assert checked.returncode == 2
    assert "no types or no file to check" in checked.stderr


@pytest.fixture(autouse=True)
def _needs_node() -> None:
    node_tools("node")
