"""Compose, kustomize and helm put the very same files into the same containers, and the files are sound."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from deployed_files import MONITORING, Part, of_compose, of_manifests
from rendered_manifests import CHART, of_helm, of_kustomize
from required import binary

from monitoring.generate.deploy import config_maps, texts

# Where the exporters are differs: on the host of the containers, or wherever the cluster's owner says.
SITES_OWN = "targets/devices.yml"
SERVED = {
    "/etc/prometheus/prometheus.yml": "prometheus/prometheus.yml",
    "/etc/prometheus/rules": "prometheus/rules",
    "/etc/prometheus/inventory": "prometheus/inventory",
    "/etc/prometheus/targets": "prometheus/targets",
    "/etc/alertmanager/alertmanager.yml": "alertmanager/alertmanager.yml",
    "/etc/alertmanager/templates": "alertmanager/templates",
    "/etc/grafana/provisioning/datasources": "grafana/provisioning/datasources",
    "/etc/grafana/provisioning/dashboards": "grafana/provisioning/dashboards",
    "/etc/grafana/dashboards": "grafana/dashboards",
}


@pytest.fixture(scope="module")
def deployments() -> dict[str, dict[str, Part]]:
    return {
        "compose": of_compose(MONITORING / "docker-compose.yml"),
        "kustomize": of_manifests(of_kustomize()),
        "helm": of_manifests(of_helm()),
    }


def test_all_three_serve_the_files_of_the_repository_and_no_others(
    deployments: dict[str, dict[str, Part]],
) -> None:
    expected = {}
    for target, source in SERVED.items():
        here = MONITORING / source
        for file in [here] if here.is_file() else [one for one in here.rglob("*") if one.is_file()]:
            expected[os.path.normpath(f"{target}/{file.relative_to(here)}")] = file.read_text(
                encoding="utf-8"
            )
    assert any(path.startswith("/etc/prometheus/rules/") for path in expected)
    assert len([path for path in expected if path.startswith("/etc/grafana/dashboards/")]) == 5
    where = f"/etc/prometheus/{SITES_OWN}"
    for name, parts in deployments.items():
        served = {path: text for part in parts.values() for path, text in part.files.items()}
        assert (served[where] == expected[where]) is (name == "compose")
        assert served == {**expected, where: served[where]}, name


def test_all_three_run_the_same_images_as_the_same_users_with_the_same_flags(
    deployments: dict[str, dict[str, Part]],
) -> None:
    told = {
        name: {part: (one.image, one.user, one.command, dict(one.environment)) for part, one in parts.items()}
        for name, parts in deployments.items()
    }
    assert told["compose"] == told["kustomize"] == told["helm"]
    assert set(told["compose"]) == {"alertmanager", "grafana", "prometheus", "pushgateway"}


def test_secrets_that_the_configuration_reads_are_where_each_deployment_puts_them(
    deployments: dict[str, dict[str, Part]],
) -> None:
    alerts = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8"))
    read = {
        "alertmanager": set(_secret_files(alerts)),
        "grafana": {"/run/secrets/grafana_admin_password"},
    }
    for part, paths in read.items():
        assert paths
        assert deployments["compose"][part].secrets == paths
        for cluster in ("kustomize", "helm"):
            assert deployments[cluster][part].secrets == {str(Path(path).parent) for path in paths}


def _secret_files(config: object) -> Iterator[str]:
    if isinstance(config, dict):
        for key, value in config.items():
            if key.endswith("_file"):
                yield value
            else:
                yield from _secret_files(value)
    elif isinstance(config, list):
        for value in config:
            yield from _secret_files(value)


def test_the_kustomizations_list_what_the_folders_hold() -> None:
    committed = {name: (MONITORING / name).read_text(encoding="utf-8") for name in texts()}
    assert committed == texts(), "run python -m monitoring.generate.deploy"


def test_the_charts_files_are_links_to_the_one_source() -> None:
    links = {one.name: str(one.readlink()) for one in (CHART / "files").iterdir()}
    assert links == {name: f"../../{name}" for name in ("alertmanager", "grafana", "prometheus")}


def test_a_folder_without_its_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no dashboards/\*\.json in .*grafana"):
        config_maps(tmp_path)


def test_prometheus_and_alertmanager_take_what_is_served(
    deployments: dict[str, dict[str, Part]], tmp_path: Path
) -> None:
    checks = {
        "prometheus": [binary("promtool", "prometheus"), "check", "config"],
        "alertmanager": [binary("amtool", "prometheus-alertmanager"), "check-config"],
    }
    for part, command in checks.items():
        for path, text in deployments["kustomize"][part].files.items():
            file = tmp_path / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        main = tmp_path / "etc" / part / f"{part}.yml"
        checked = subprocess.run([*command, str(main)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
