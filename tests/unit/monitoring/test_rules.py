"""The rules are what the generator writes, promtool agrees, and they speak only of what is published."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from required import binary

from monitoring.generate import rules, rules_doc, rules_tests
from monitoring.generate.rules_recording import EVERYDAY_NAMES
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish.device_metrics import FAMILIES
from pytest_lan_hil.publish.device_metrics_fleet import EXPECTED, LAST_SEEN, REJECTED, UP
from pytest_lan_hil.publish.openmetrics import metric_names

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "monitoring" / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TEST_FILES = sorted((PROMETHEUS / "tests").glob("*.yml"))
ALL_RULES: list[dict[str, Any]] = [
    rule
    for path in RULE_FILES
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in ALL_RULES if "alert" in rule]
WANTED = {
    "BenchMissing", "DeviceMissing", "DeviceOffline", "DeviceTemperatureHigh", "FramesRejected",
    "HighFlashUsage", "HighInferenceLatency", "HighMemoryUsage", "HighPowerConsumption",
    "LowAvailableMemory", "LowBattery", "LowModelAccuracy", "LowThroughput", "ModelDrift",
    "PerformanceRegression", "PushRefused", "RunStale", "TargetDown", "Watchdog",
}  # fmt: skip
SEVERE = {"DeviceOffline", "LowModelAccuracy", "LowThroughput", "TargetDown"}
# These are about a place, a group or a server, whatever is measured there.
WITHOUT_SIMULATED = {"BenchMissing", "PushRefused", "TargetDown", "Watchdog"}
_NAME = re.compile(r"(?<![\w:\"])(?:lan_|push_|device:|board:)[\w:]+|(?<![\w:\"])up(?![\w(])")


def promtool(*arguments: str | Path, folder: Path = PROMETHEUS) -> subprocess.CompletedProcess[str]:
    command = [binary("promtool", "prometheus"), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("made", "folder"), [(rules.files(), "rules"), (rules_tests.files(), "tests")], ids=["rules", "tests"]
)
def test_the_committed_files_are_what_the_generator_writes(made: dict[str, str], folder: str) -> None:
    committed = {name: (PROMETHEUS / folder / name).read_text(encoding="utf-8") for name in made}
    assert committed == made


def test_the_tables_of_the_page_are_what_the_generator_writes() -> None:
    page = rules_doc.PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- table: ") == 4
    assert rules_doc.filled(page) == page
    assert all(alert["alert"] in page for alert in ALERTS)


def test_no_rule_file_is_written_by_hand() -> None:
    assert {path.name for path in RULE_FILES} == set(rules.files())


def test_promtool_finds_nothing_to_say_against_the_rules() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_promtool_takes_the_configuration_with_all_its_rule_files() -> None:
    checked = promtool("check", "config", "prometheus.yml")
    assert checked.returncode == 0, checked.stderr
    assert f"{len(RULE_FILES)} rule files found" in checked.stdout


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_the_rule_tests_pass(path: Path) -> None:
    tested = promtool("test", "rules", path.name, folder=path.parent)
    assert tested.returncode == 0, tested.stderr


def test_every_alert_is_there_with_its_severity() -> None:
    assert {rule["alert"] for rule in ALERTS} == WANTED
    assert {rule["alert"] for rule in ALERTS if rule["labels"]["severity"] == "critical"} == SEVERE
    assert {rule["alert"] for rule in ALERTS if rule["labels"]["severity"] == "none"} == {"Watchdog"}
    assert {rule["labels"]["severity"] for rule in ALERTS} == {"critical", "warning", "none"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_tells_value_target_and_a_page_that_exists(rule: dict[str, Any]) -> None:
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "runbook_url"}
    assert (
        "target" in told["description"]
        or "should be" in told["description"]
        or "baseline" in told["description"]
    )
    assert "$value" in told["description"] or told["description"].startswith("0 ")
    _, _, page = told["runbook_url"].partition("/blob/main/")
    assert page == f"docs/runbooks/{rule['alert'].lower()}.md"
    assert (ROOT / page).is_file()


def test_every_alert_fires_and_is_silent_in_some_rule_test() -> None:
    expected: dict[tuple[str, str, str], set[bool]] = {}
    for path in TEST_FILES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for one in test.get("alert_rule_test", []):
                silent = not one["exp_alerts"]
                for labels in [alert["exp_labels"] for alert in one["exp_alerts"]] or _fired_in(test, one):
                    key = (one["alertname"], labels.get("quantity", ""), labels.get("source", ""))
                    expected.setdefault(key, set()).add(silent)
    for rule in ALERTS:
        key = (rule["alert"], rule["labels"].get("quantity", ""), rule["labels"].get("source", ""))
        wanted = {False} if rule["alert"] == "Watchdog" else {True, False}
        assert expected.get(key) == wanted, key


def _fired_in(test: dict[str, Any], silent: dict[str, Any]) -> list[dict[str, str]]:
    """Labels of the alert that is silent here and fires at another time of the same test."""
    return [
        alert["exp_labels"]
        for one in test["alert_rule_test"]
        if one["alertname"] == silent["alertname"]
        for alert in one["exp_alerts"]
    ]


def published() -> set[str]:
    """Every metric that there can be, by what publishes it."""
    found = {"up", "push_time_seconds", "push_failure_time_seconds", "lan_run_timestamp_seconds"}
    for row in QUANTITIES.values():
        names = metric_names(row)
        found |= {names.plain, names.estimate, names.low, names.high, names.budget, names.baseline}
        found |= {f"{names.plain}_{part}" for part in ("bucket", "count")}
    for family in (*FAMILIES, UP, LAST_SEEN, REJECTED):
        found.add(family.name + ("_total" if family.type == "counter" else ""))
    return found | {f"{EXPECTED.name}_info"} | {rule["record"] for rule in ALL_RULES if "record" in rule}


def test_rules_and_rule_tests_speak_only_of_what_is_published() -> None:
    known = published()
    for rule in ALL_RULES:
        used = set(_NAME.findall(rule["expr"]))
        assert used - known == set(), rule
        assert used or rule.get("alert") == "Watchdog"
    for path in TEST_FILES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            fed = {one["series"].partition("{")[0] for one in test["input_series"]}
            assert fed - known == set(), path.name


def test_no_alert_mixes_simulated_with_real() -> None:
    for rule in ALERTS:
        joins = re.findall(r"\bon \(([^)]*)\)", rule["expr"])
        if rule["alert"] not in WITHOUT_SIMULATED | {"RunStale", "DeviceMissing"}:
            assert all("simulated" in one.split(", ") for one in joins), rule["alert"]
        # what is aggregated keeps it
        for kept in re.findall(r"\bby \(([^)]*)\)", rule["expr"]):
            assert "simulated" in kept or rule["alert"] in WITHOUT_SIMULATED | {"RunStale"}, rule["alert"]
        assert "simulated" not in "".join(re.findall(r"without \(([^)]*)\)", rule["expr"]))


def test_every_quantity_has_an_everyday_name_and_a_regression_alert() -> None:
    assert list(EVERYDAY_NAMES) == list(QUANTITIES)
    assert len(set(EVERYDAY_NAMES.values())) == 16
    regressions = [rule for rule in ALERTS if rule["alert"] == "PerformanceRegression"]
    assert [rule["labels"]["quantity"] for rule in regressions] == list(QUANTITIES)


def test_recorded_names_are_level_metric_operation_or_everyday_ones() -> None:
    for rule in ALL_RULES:
        name = rule.get("record", "a:b:c")
        assert name in EVERYDAY_NAMES.values() or name.count(":") == 2
