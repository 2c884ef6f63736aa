"""The compose file: its published schema, its linter, and what keeps one lab's services to that lab."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployed_files import MONITORING
from node_tools import node_tools

FILE = MONITORING / "docker-compose.yml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


def schema(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_has_the_published_schema_and_an_unknown_field_breaks_it(tmp_path: Path) -> None:
    checked = schema(FILE)
    assert checked.returncode == 0, checked.stdout
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(
        FILE.read_text(encoding="utf-8").replace("mem_limit:", "memlimit:", 1), encoding="utf-8"
    )
    checked = schema(broken)
    assert checked.returncode == 1
    assert "memlimit" in checked.stdout


def test_its_linter_has_nothing_to_say() -> None:
    checked = subprocess.run(
        [*node_tools("dclint"), "--max-warnings", "0", str(FILE)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_service_is_pinned_watched_unprivileged_and_on_loopback(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.fullmatch(r"docker\.io/[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"]), name
        assert int(service["user"].split(":")[0]) > 0
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
        assert service["pids_limit"]
        (port,) = service["ports"]
        number = port.split(":")[2]
        assert port == f"127.0.0.1:{number}:{number}"
        assert f"http://127.0.0.1:{number}/" in service["healthcheck"]["test"][-1]


def test_what_must_outlive_a_container_is_on_a_named_volume(compose: dict[str, Any]) -> None:
    data = {name: f"/{name}" for name in ("alertmanager", "prometheus", "pushgateway")}
    data["grafana"] = "/var/lib/grafana"
    for name, service in compose["services"].items():
        assert f"{name}-data:{data[name]}" in service["volumes"]
    assert set(compose["volumes"]) == {f"{name}-data" for name in compose["services"]}


def test_no_service_waits_for_one_that_waits_for_it(compose: dict[str, Any]) -> None:
    waits = {name: set(one.get("depends_on", ())) for name, one in compose["services"].items()}
    started: set[str] = set()
    while ready := {name for name, on in waits.items() if name not in started and on <= started}:
        started |= ready
    assert started == set(waits)


def test_secrets_come_from_files_that_git_does_not_take(compose: dict[str, Any]) -> None:
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    ignored = (MONITORING / "secrets" / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert not [line for line in ignored if line.startswith("!") and line != "!.gitignore"]
