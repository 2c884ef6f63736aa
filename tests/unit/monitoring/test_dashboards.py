"""The committed dashboards: what the generator writes, every quantity, queries that parse, ids that stay."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from required import binary

from monitoring.generate.dashboards import FOLDER, texts
from monitoring.generate.dashboards_content import TOPICS, all_dashboards
from monitoring.generate.dashboards_panels import OF_BUDGET, WIDTH
from monitoring.generate.dashboards_words import title_of
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish.openmetrics import metric_names

BOARDS = {name: json.loads(text) for name, text in texts().items()}
# They are in links and bookmarks: a change breaks them.
UIDS = {
    "performance.json": "lan-hil-performance",
    "power.json": "lan-hil-power",
    "quality.json": "lan-hil-quality",
    "hardware.json": "lan-hil-hardware",
    "ci-runs.json": "lan-hil-ci-runs",
}


def panels_of(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries_of(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels_of(board):
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (one["target"]["expr"] for one in board["annotations"]["list"])


def test_the_committed_files_are_what_the_generator_writes() -> None:
    committed = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
    assert committed == texts(), "run python -m monitoring.generate.dashboards"


def test_uids_stay_and_ids_are_unique() -> None:
    assert {name: board["uid"] for name, board in BOARDS.items()} == UIDS
    for board in BOARDS.values():
        ids = [panel["id"] for panel in panels_of(board)]
        assert sorted(ids) == list(range(1, len(ids) + 1))


def test_no_panel_lies_on_another_or_outside_the_page() -> None:
    for name, board in BOARDS.items():
        taken: Counter[tuple[int, int]] = Counter()
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= WIDTH, (name, panel["title"])
            taken.update(
                (place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])
            )
        assert taken.most_common(1)[0][1] == 1, name
        tops = [row["gridPos"]["y"] for row in board["panels"] if row["type"] == "row"]
        assert all(above < below for above, below in pairwise(tops)), name


def test_every_quantity_has_its_panels_of_budget_of_time_and_of_trend() -> None:
    for topic, names in TOPICS.items():
        panels = {panel["title"]: panel for panel in panels_of(BOARDS[f"{topic}.json"])}
        trends = {panel["title"]: panel for panel in panels_of(BOARDS["ci-runs.json"])}
        for name in names:
            row, metrics = QUANTITIES[name], metric_names(QUANTITIES[name])
            share = panels[f"{row.title}: share of budget"]
            assert share["fieldConfig"]["defaults"]["thresholds"] == OF_BUDGET
            for panel in (share, panels[title_of(row)]):
                text = " ".join(target["expr"] for target in panel["targets"])
                assert f"{metrics.estimate}{{" in text
                assert f"{metrics.budget}{{" in text
            trend = " ".join(target["expr"] for target in trends[title_of(row)]["targets"])
            for one in (metrics.estimate, metrics.low, metrics.high, metrics.budget, metrics.baseline):
                assert f"{one}{{" in trend
    assert sorted(name for names in TOPICS.values() for name in names) == sorted(QUANTITIES)


def test_a_quantity_that_nobody_placed_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUANTITIES, "loudness", replace(QUANTITIES["power"], name="loudness"))
    with pytest.raises(ValueError, match="one topic of TOPICS; look at loudness"):
        all_dashboards()


def test_no_threshold_but_of_a_share_is_a_constant() -> None:
    for board in BOARDS.values():
        for panel in panels_of(board):
            steps = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", [])
            if len(steps) > 1:
                assert steps == OF_BUDGET["steps"]
                assert "share of budget" in panel["title"]


def test_every_query_keeps_to_the_choice_of_board_bench_and_simulated() -> None:
    for name, board in BOARDS.items():
        for expr in queries_of(board):
            selectors = re.findall(r"\{([^{}]*)\}", expr)
            assert selectors, expr
            for selector in selectors:
                for label in ("board", "bench", "simulated"):
                    assert f'{label}=~"${label}"' in selector, (name, expr)


def test_every_query_parses(tmp_path: Path) -> None:
    promtool = binary("promtool", "prometheus")
    exprs = sorted({expr for board in BOARDS.values() for expr in queries_of(board)})
    filled = [re.sub(r"\[\$__\w+\]", "[5m]", expr) for expr in exprs]
    assert not [expr for expr in filled if "$__" in expr]
    rules = [
        {"record": f"dashboards:query:number_{index}", "expr": expr} for index, expr in enumerate(filled)
    ]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}), encoding="utf-8")
    checked = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert f"{len(exprs)} rules found" in checked.stdout
