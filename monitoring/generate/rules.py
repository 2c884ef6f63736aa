"""Write monitoring/prometheus/rules/*.yml: `python -m monitoring.generate.rules`, from the project's folder.

The files are committed; a test proves that they are what this writes. What an alert looks like is in
`rules_alerts` and `rules_watch`, what is recorded in `rules_recording`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from monitoring.generate.rules_alerts import Alert, device_alerts, regression_alerts, threshold_alerts
from monitoring.generate.rules_promql import Source
from monitoring.generate.rules_recording import Recording, device_recordings, everyday_recordings
from monitoring.generate.rules_watch import watch_alerts
from monitoring.generate.rules_words import runbook

RULES = Path(__file__).resolve().parents[1] / "prometheus" / "rules"
_HEAD = "# Written by `python -m monitoring.generate.rules` from the quantity table: change it there.\n"


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, in the order given."""


def _text(dumper: _Dumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def dumped(content: object, head: str) -> str:
    """YAML with a comment at its head."""
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return head + text


def alert_rule(alert: Alert) -> dict[str, Any]:
    """The alert as Prometheus reads it."""
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({"for": alert.wait} if alert.wait else {}),
        **({"keep_firing_for": alert.keep} if alert.keep else {}),
        "labels": {"severity": alert.severity.value, **alert.labels},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": runbook(alert.name),
        },
    }


def recording_rule(recording: Recording) -> dict[str, Any]:
    """The recording rule as Prometheus reads it."""
    labels = {"labels": recording.labels} if recording.labels else {}
    return {"record": recording.name, "expr": recording.expr, **labels}


def files() -> dict[str, str]:
    """Name of each rule file to its text."""
    groups = {
        "alerts-devices": [alert_rule(one) for one in [*device_alerts(), *threshold_alerts(Source.DEVICE)]],
        "alerts-regressions": [alert_rule(one) for one in regression_alerts()],
        "alerts-runs": [alert_rule(one) for one in threshold_alerts(Source.RUN)],
        "alerts-watch": [alert_rule(one) for one in watch_alerts()],
        "devices": [recording_rule(one) for one in device_recordings()],
        "everyday-names": [recording_rule(one) for one in everyday_recordings()],
    }
    return {
        f"{name}.yml": dumped({"groups": [{"name": f"lan-{name}", "rules": rules}]}, _HEAD)
        for name, rules in groups.items()
    }


def main() -> None:
    """Write them."""
    RULES.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (RULES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
