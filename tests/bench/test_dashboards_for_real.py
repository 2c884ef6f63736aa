"""Every query of every dashboard, asked of a real Prometheus (of Debian) with a made-up fleet's data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_prometheus import Series, Server, holding
from monitored_fleet import (
    BENCHES,
    BOARDS,
    END,
    FOUND,
    ODD,
    RUNS,
    SITES,
    SLOW_DEVICE,
    TARGET,
    devices_text,
    ended,
    runs_text,
)

from monitoring.generate import dashboards_queries as promql
from monitoring.generate.dashboards import FOLDER
from monitoring.generate.dashboards_content import TOPICS
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES, Direction

NOW = END.timestamp()
DAY = 86_400.0
FILES = sorted(FOLDER.glob("*.json"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with holding(tmp_path_factory.mktemp("prometheus"), [runs_text(), devices_text()]) as started:
        yield started


def as_asked(expr: str, step_s: int, **chosen: str) -> str:
    """The query with Grafana's variables filled in, "All" where nothing is chosen."""
    expr = expr.replace("$__rate_interval", "5m").replace("$__interval", f"{step_s}s")
    for name in ("board", "bench", "simulated", "device"):
        expr = expr.replace(f"${name}", chosen.get(name, ".*"))
    assert "$" not in expr, expr
    return expr


def panels_of(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def asked(server: Server, board: dict[str, Any], panel: dict[str, Any], expr: str) -> list[Series]:
    """What the panel gets over the dashboard's time range."""
    if panel["type"] in ("stat", "table"):
        return server.instant(as_asked(expr, 300), NOW)
    span = 30 * DAY if board["time"]["from"] == "now-30d" else DAY / 4
    step = 3600 if span > DAY else 300
    return server.range(as_asked(expr, step), NOW - span, NOW, step)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_query_of_every_panel_returns_figures_that_its_legend_can_name(
    server: Server, file: Path
) -> None:
    board = json.loads(file.read_text(encoding="utf-8"))
    for panel in panels_of(board):
        for target in panel["targets"]:
            where = f"{panel['title']}: {target['expr']}"
            found = asked(server, board, panel, target["expr"])
            assert found, where
            values = [value for one in found for _, value in one.points]
            assert any(math.isfinite(value) for value in values), where
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert all(named <= set(one.labels) for one in found), (where, found[0].labels)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_variable_offers_what_the_fleet_has(server: Server, file: Path) -> None:
    board = json.loads(file.read_text(encoding="utf-8"))
    devices = "ci-runs" not in file.name
    expected = {
        "board": set(BOARDS),
        "bench": {*BENCHES, *(SITES if devices else ())},
        "simulated": {"true", "false"},
        "device": {f"{board}-{site}-{number}" for board in BOARDS for site in SITES for number in range(2)},
    }
    variables = [one for one in board["templating"]["list"] if one["type"] == "query"]
    assert [one["name"] for one in variables] == ["board", "bench", "simulated", "device"][: 3 + devices]
    for one in variables:
        query = re.fullmatch(r"label_values\((.*), (\w+)\)", one["query"]["query"])
        assert query is not None
        assert query[2] == one["name"]
        found = server.label_values(query[2], as_asked(query[1], 300), NOW - DAY, NOW)
        assert set(found) == expected[one["name"]]


def test_a_share_of_the_budget_is_one_at_the_budget_whichever_way_is_better(server: Server) -> None:
    for row in QUANTITIES.values():
        runs = as_asked(promql.share_each(row), 300, bench="desk")
        found = {one.labels["board"]: one.points[0][1] for one in server.instant(runs, NOW)}
        lower = row.direction is Direction.LOWER
        # publish_samples estimates a percentile and a maximum by the largest of the three values
        value = FOUND + 1 if row.statistic in ("p95", "max") else FOUND
        share = value / TARGET[row.name] if lower else TARGET[row.name] / value
        assert found == {board: pytest.approx(share) for board in BOARDS}, row.name


@pytest.mark.parametrize("name", ["latency", "accuracy"])
def test_the_worst_is_the_highest_or_the_lowest_by_the_quantitys_direction(server: Server, name: str) -> None:
    row = QUANTITIES[name]
    where = {"board": "nrf52840", "bench": "hall-1"}
    every = [one.points[0][1] for one in server.instant(as_asked(promql.value(row), 300, **where), NOW)]
    assert min(every) < max(every)
    (worst,) = server.instant(as_asked(promql.worst(row), 300, **where), NOW)
    assert worst.points[0][1] == (max(every) if row.direction is Direction.LOWER else min(every))


def test_of_several_budgets_the_tightest_is_drawn(server: Server) -> None:
    for row in QUANTITIES.values():
        for one in server.instant(as_asked(promql.budget(row), 300), NOW):
            assert one.points[0][1] == pytest.approx(TARGET[row.name] * row.scale), (row.name, one.labels)


def test_the_device_that_breaks_its_budget_leads_the_table_of_the_nearest(server: Server) -> None:
    board = json.loads((FOLDER / "performance.json").read_text(encoding="utf-8"))
    (table,) = [one for one in panels_of(board) if one["title"] == "Nearest to a budget"]
    found = server.instant(as_asked(table["targets"][0]["expr"], 300), NOW)
    assert len(found) == 10
    first = max(found, key=lambda one: one.points[0][1])
    assert first.labels["device"] == SLOW_DEVICE
    assert first.labels["quantity"] == "latency"
    # above the last bound of the device's buckets, 90 ms, nothing is known: the quantile stops there
    assert first.points[0][1] == pytest.approx(90 / TARGET["latency"])


def test_a_chosen_device_leaves_runs_and_other_devices_out(server: Server) -> None:
    for row in QUANTITIES.values():
        if row.name == "throughput":  # only runs measure it
            continue
        found = server.instant(as_asked(promql.value(row), 300, device=SLOW_DEVICE), NOW)
        assert {one.labels.get("device") for one in found} == {SLOW_DEVICE}, row.name


def test_no_line_draws_real_and_simulated_together(server: Server) -> None:
    for name in TOPICS:
        board = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        for panel in panels_of(board):
            if panel.get("repeat") == "simulated":
                continue
            for target in panel["targets"]:
                found = asked(server, board, panel, target["expr"])
                assert {one.labels.get("simulated") for one in found} <= {"true", "false"}, target["expr"]


@pytest.mark.parametrize(
    ("name", "kind"), [("Regressions", VerdictKind.REGRESSED), ("Budgets broken", VerdictKind.OVER)]
)
def test_a_mark_stands_at_the_end_of_the_run_that_it_is_about_and_nowhere_else(
    server: Server, name: str, kind: VerdictKind
) -> None:
    board = json.loads((FOLDER / "ci-runs.json").read_text(encoding="utf-8"))
    (marks,) = [one for one in board["annotations"]["list"] if one["name"] == name]
    assert marks["useValueForTime"]
    (one,) = server.range(as_asked(marks["target"]["expr"], 3600), NOW - 30 * DAY, NOW, 3600)
    number, *where = ODD[kind]
    assert [one.labels[label] for label in ("quantity", "bench", "board")] == where
    assert {value for _, value in one.points} == {1000 * ended(number).timestamp()}


def test_the_trend_names_the_build_of_each_run_and_draws_each_once(server: Server) -> None:
    expr = as_asked(promql.by_build("lan_power_watts"), 3600, board="nrf52840", bench="desk")
    found = server.range(expr, NOW - 30 * DAY, NOW, 3600)
    assert {one.labels["statistic"] for one in found} == {"mean"}
    assert {one.labels["build"]: len(one.points) for one in found} == {
        f"lan 0.1.0 git {number:07x}": 1 for number in range(RUNS)
    }
