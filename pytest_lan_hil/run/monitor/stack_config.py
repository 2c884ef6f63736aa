"""The configuration of monitoring/, for servers on this machine: other addresses, and receivers that tell us.

Jobs, rules, routes and inhibitions stay as they are. What changes: where the targets are, how often they are
scraped (so that a newcomer sees something in a minute), and that every receiver is one webhook of ours, since
the real ones need secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from pytest_lan_hil.config import shipped_root
from pytest_lan_hil.model.errors import BlockedError

SCRAPE_S = 5


def monitoring_root() -> Path:
    """The folder of the configuration.

    Raises:
        BlockedError: It is not there.
    """
    root = shipped_root() / "monitoring"
    if not (root / "prometheus" / "prometheus.yml").is_file():
        raise BlockedError(
            f"the configuration of the monitoring stack is not at {root}",
            fix="install the package whole, or run this in a checkout",
        )
    return root


def prometheus_config(root: Path, targets: Mapping[str, str], alertmanager: str) -> str:
    """prometheus.yml for `targets` (job to host:port); jobs without a target are left out.

    Raises:
        BlockedError: The file can't be used.
    """
    found = _read(root / "prometheus" / "prometheus.yml")
    interval = f"{SCRAPE_S}s"
    found["global"] = found.get("global", {}) | {
        "scrape_interval": interval,
        "scrape_timeout": interval,
        "evaluation_interval": interval,
    }
    jobs = []
    for job in found.get("scrape_configs", []):
        target = targets.get(job["job_name"])
        if target is not None:
            kept = {key: value for key, value in job.items() if not _says_where_or_when(key)}
            jobs.append(kept | {"static_configs": [{"targets": [target]}]})
    absent = sorted(set(targets) - {job["job_name"] for job in jobs})
    if absent:
        raise BlockedError(
            f"{root / 'prometheus' / 'prometheus.yml'} has no job {', '.join(absent)}",
            fix=f"it should have: {', '.join(targets)}",
        )
    found["scrape_configs"] = jobs
    found["rule_files"] = [str(root / "prometheus" / "rules" / "*.yml")]
    found["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    for key in ("remote_write", "remote_read"):
        found.pop(key, None)
    return json.dumps(found, indent=2)  # JSON is YAML


def _says_where_or_when(key: str) -> bool:
    return key.endswith("_sd_configs") or key in (
        "static_configs", "scrape_interval", "scrape_timeout", "scheme", "basic_auth", "authorization",
        "tls_config",
    )  # fmt: skip


def alertmanager_config(root: Path, webhook: str) -> str:
    """alertmanager.yml whose receivers all are the webhook.

    Raises:
        BlockedError: The file can't be used.
    """
    found = _read(root / "alertmanager" / "alertmanager.yml")
    found["global"] = {
        key: value for key, value in found.get("global", {}).items() if key == "resolve_timeout"
    }
    found["receivers"] = [
        {
            "name": receiver["name"],
            "webhook_configs": [{"url": f"{webhook}/{receiver['name']}", "send_resolved": True}],
        }
        for receiver in found.get("receivers", [])
    ]
    found.pop("templates", None)
    return json.dumps(found, indent=2)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BlockedError(f"{path} can't be read: {error}", fix="mend the file") from None
    if not isinstance(found, dict):
        raise BlockedError(f"{path} holds no configuration", fix="mend the file")
    return found
