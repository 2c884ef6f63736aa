"""The Alertmanager's configuration: who is told of what, what silences what, its texts, and no secret."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from required import binary

from pytest_lan_hil.run.monitor.stack_config import alertmanager_config

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "monitoring" / "alertmanager"
CONFIG: dict[str, Any] = yaml.safe_load((FOLDER / "alertmanager.yml").read_text(encoding="utf-8"))
DEVICE = {"board": "nrf52840", "bench": "field", "device": "d-1"}


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [binary("amtool", "prometheus-alertmanager"), *arguments]
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)


def all_alerts() -> set[tuple[str, str]]:
    """Name and severity of every alert of the rules."""
    found = set()
    for path in (ROOT / "monitoring" / "prometheus" / "rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            rules = [rule for rule in group["rules"] if "alert" in rule]
            found |= {(rule["alert"], rule["labels"]["severity"]) for rule in rules}
    return found


def receiver_of(**labels: str) -> str:
    arguments = (f"{name}={value}" for name, value in labels.items())
    return amtool("config", "routes", "test", "--config.file=alertmanager.yml", *arguments).stdout.strip()


def test_amtool_takes_the_configuration_with_its_templates() -> None:
    checked = amtool("check-config", "alertmanager.yml")
    assert checked.returncode == 0, checked.stderr
    assert "1 templates" in checked.stdout


@pytest.mark.parametrize(("alert", "severity"), sorted(all_alerts()))
def test_critical_goes_to_slack_warnings_to_mail_the_watchdog_to_its_own(alert: str, severity: str) -> None:
    told = {"critical": "critical-slack", "warning": "warning-mail", "none": "watchdog"}[severity]
    labels = {"alertname": alert, "severity": severity}
    wanted = ("config", "routes", "test", "--config.file=alertmanager.yml", f"--verify.receivers={told}")
    pairs = (f"{name}={value}" for name, value in {**labels, "simulated": "false"}.items())
    verified = amtool(*wanted, *pairs)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert receiver_of(**labels, simulated="true") == ("watchdog" if severity == "none" else "simulated")


def test_what_is_simulated_wakes_nobody() -> None:
    (receiver,) = (one for one in CONFIG["receivers"] if one["name"] == "simulated")
    assert receiver == {"name": "simulated"}


def test_one_message_is_about_one_board_and_never_mixes_simulated_with_real() -> None:
    assert CONFIG["route"]["group_by"] == ["board", "simulated"]
    assert not any("group_by" in route for route in CONFIG["route"]["routes"])


def matches(matchers: list[str], labels: dict[str, str]) -> bool:
    """A label that is absent is empty, as for the Alertmanager."""
    for matcher in matchers:
        name, sign, value = matcher.replace('"', "").partition("!=" if "!=" in matcher else "=")
        if (labels.get(name, "") == value) != (sign == "="):
            return False
    return True


def silenced(target: dict[str, str], source: dict[str, str]) -> bool:
    return any(
        matches(rule["source_matchers"], source)
        and matches(rule["target_matchers"], target)
        and all(source.get(name, "") == target.get(name, "") for name in rule["equal"])
        for rule in CONFIG["inhibit_rules"]
    )


def test_an_offline_device_silences_its_other_alerts_and_nobody_elses() -> None:
    offline = {"alertname": "DeviceOffline", **DEVICE, "simulated": "false"}
    hot = {"alertname": "DeviceTemperatureHigh", **DEVICE, "simulated": "false"}
    assert silenced(hot, offline)
    assert not silenced(offline, offline)
    for other in ({"device": "d-2"}, {"board": "stm32f4"}, {"bench": "roof"}, {"simulated": "true"}):
        assert not silenced({**hot, **other}, offline)
    run = {key: value for key, value in hot.items() if key != "device"}
    assert not silenced(run, offline)


def test_refused_pushes_silence_that_the_run_is_stale() -> None:
    refused = {"alertname": "PushRefused", "job": "lan_hil", "board": "nrf52840", "bench": "desk"}
    stale = {**refused, "alertname": "RunStale", "simulated": "false"}
    assert silenced(stale, refused)
    assert not silenced({**stale, "bench": "other"}, refused)
    assert not silenced({**stale, "alertname": "HighPowerConsumption"}, refused)


def test_today_s_syntax_only() -> None:
    text = json.dumps(CONFIG)
    assert not any(old in text for old in ('"match"', '"match_re"', '"source_match"', '"target_match"'))


def test_secrets_are_files_and_never_in_the_repository() -> None:
    secret = ("api_url", "password", "token", "credentials", "secret", "routing_key", "service_key")

    def walk(node: Any) -> list[tuple[str, Any]]:
        if isinstance(node, dict):
            return [pair for key, value in node.items() for pair in [(key, value), *walk(value)]]
        return [pair for value in node for pair in walk(value)] if isinstance(node, list) else []

    named = [(key, value) for key, value in walk(CONFIG) if any(word in key for word in secret)]
    assert {key for key, _ in named} == {"api_url_file", "smtp_auth_password_file"}
    assert all(value.startswith("/run/secrets/") for _, value in named)
    assert "hooks.slack.com" not in json.dumps(CONFIG)


def test_the_same_routes_with_a_webhook_receiver_are_a_configuration_for_tests(tmp_path: Path) -> None:
    config = json.loads(alertmanager_config(FOLDER.parent, "http://127.0.0.1:9"))
    assert config["route"] == CONFIG["route"]
    assert config["inhibit_rules"] == CONFIG["inhibit_rules"]
    assert [list(one) for one in config["receivers"]] == [["name", "webhook_configs"]] * 4
    (tmp_path / "local.yml").write_text(json.dumps(config), encoding="utf-8")
    checked = amtool("check-config", str(tmp_path / "local.yml"))
    assert checked.returncode == 0, checked.stderr


FIRING = {
    "status": "firing",
    "labels": {"alertname": "DeviceTemperatureHigh", "severity": "warning", **DEVICE},
    "annotations": {
        "summary": 'd-1 "left" (nrf52840 at field): hot',
        "description": "80.0 °C, above the target of 70 degC.",
        "runbook_url": "https://example.org/devicetemperaturehigh.md",
    },
    "startsAt": "2026-11-24T06:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
}


def rendered(template: str, tmp_path: Path, *alerts: dict[str, Any], simulated: str = "false") -> str:
    data = {
        "receiver": "warning-mail",
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"board": "nrf52840", "simulated": simulated},
        "commonLabels": {"alertname": "DeviceTemperatureHigh"} if len(alerts) == 1 else {},
        "commonAnnotations": {},
    }
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    done = amtool(
        "template", "render", "--template.glob=templates/*.tmpl", f"--template.data={tmp_path / 'data.json'}",
        f'--template.text={{{{ template "{template}" . }}}}',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_title_says_status_number_alert_board_and_simulated(tmp_path: Path) -> None:
    resolved = {**FIRING, "status": "resolved"}
    assert rendered("lan.title", tmp_path, FIRING).strip() == "[firing 1] DeviceTemperatureHigh on nrf52840"
    assert rendered("lan.title", tmp_path, resolved).strip() == "[resolved] DeviceTemperatureHigh on nrf52840"
    several = rendered("lan.title", tmp_path, FIRING, resolved, FIRING, simulated="true")
    assert several.strip() == "[firing 2] several alerts on nrf52840 (simulated)"


def test_a_text_says_of_each_alert_what_is_wrong_since_when_and_where_to_read_on(tmp_path: Path) -> None:
    text = rendered("lan.text", tmp_path, FIRING, {**FIRING, "status": "resolved"})
    assert text.strip().splitlines() == [
        "FIRING DeviceTemperatureHigh (warning)",
        'd-1 "left" (nrf52840 at field): hot',
        "80.0 °C, above the target of 70 degC.",
        "since 2026-11-24 06:00:00 UTC",
        "https://example.org/devicetemperaturehigh.md",
        "",
        "RESOLVED DeviceTemperatureHigh (warning)",
        'd-1 "left" (nrf52840 at field): hot',
        "80.0 °C, above the target of 70 degC.",
        "since 2026-11-24 06:00:00 UTC",
        "https://example.org/devicetemperaturehigh.md",
    ]
