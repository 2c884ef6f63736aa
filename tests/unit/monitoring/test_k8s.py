"""The kustomization, rendered by the real kustomize: schemas, hardening, who may talk to whom."""

from __future__ import annotations

import copy
import json
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from deployed_files import MONITORING, of_manifests
from kube_tools import kubectl
from rendered_manifests import (
    NAMESPACE,
    WAYS_IN,
    check_hardened,
    check_schema,
    documents,
    of_kustomize,
    ways_in,
)

Json = dict[str, Any]


@pytest.fixture(scope="module")
def rendered() -> list[Json]:
    return of_kustomize()


def test_every_manifest_has_the_published_schema(rendered: list[Json]) -> None:
    assert check_schema(rendered) == len(rendered)


def test_an_unknown_field_anywhere_is_refused(rendered: list[Json]) -> None:
    for kind in ("StatefulSet", "Service", "NetworkPolicy", "ConfigMap", "Namespace"):
        broken = copy.deepcopy(next(one for one in rendered if one["kind"] == kind))
        broken.get("spec", broken)["restartPolcy"] = "Always"
        with pytest.raises(kubernetes_validate.ValidationError, match="restartPolcy"):
            check_schema([broken])


def test_an_unknown_field_of_the_kustomization_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "k8s"
    shutil.copytree(MONITORING / "k8s", broken)
    with (broken / "kustomization.yaml").open("a", encoding="utf-8") as file:
        file.write("resourcess: []\n")
    checked = kubectl("kustomize", str(broken))
    assert checked.returncode != 0
    assert "resourcess" in checked.stderr


def test_everything_is_in_one_namespace_of_the_restricted_standard(rendered: list[Json]) -> None:
    (namespace,) = [one for one in rendered if one["kind"] == "Namespace"]
    assert namespace["metadata"]["name"] == NAMESPACE
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {one["metadata"].get("namespace") for one in rendered if one is not namespace} == {NAMESPACE}


def test_every_pod_is_hardened_probed_and_bounded(rendered: list[Json]) -> None:
    check_hardened(rendered)


def test_only_who_must_may_come_in(rendered: list[Json]) -> None:
    assert ways_in(rendered) == WAYS_IN


def test_every_selector_finds_its_pods(rendered: list[Json]) -> None:
    pods = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in rendered
        if one["kind"] == "StatefulSet"
    }
    for service in (one for one in rendered if one["kind"] == "Service"):
        selector = service["spec"]["selector"].items()
        assert [name for name, labels in pods.items() if selector <= labels.items()] == [
            service["metadata"]["name"]
        ]


def test_no_secret_is_rendered_and_no_map_is_too_large_to_apply(rendered: list[Json]) -> None:
    assert "Secret" not in {one["kind"] for one in rendered}
    for one in rendered:
        # `kubectl apply` keeps the whole object in an annotation, 256 KiB at most
        assert len(json.dumps(one)) < 0.9 * 256 * 1024, one["metadata"]["name"]


def test_a_change_of_a_file_changes_the_name_of_its_map_so_that_the_pod_restarts(tmp_path: Path) -> None:
    tree = tmp_path / "monitoring"
    for folder in ("k8s", "prometheus", "alertmanager", "grafana"):
        shutil.copytree(MONITORING / folder, tree / folder)
    before = kubectl("kustomize", str(tree / "k8s")).stdout
    with (tree / "grafana" / "dashboards" / "power.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    after = kubectl("kustomize", str(tree / "k8s")).stdout

    def names(text: str) -> set[str]:
        return {line.split(": ")[1] for line in text.splitlines() if "name: grafana-dashboard-power-" in line}

    assert len(names(before)) == len(names(after)) == 1
    assert names(before) != names(after)


def test_the_overlay_of_the_how_to_adds_the_labs_own_files(tmp_path: Path) -> None:
    page = (MONITORING.parent / "docs" / "how-to" / "deploy-monitoring.md").read_text(encoding="utf-8")
    (overlay,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "behavior" in block]
    shutil.copytree(MONITORING, tmp_path / "monitoring", ignore=shutil.ignore_patterns("tools", "files"))
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "kustomization.yaml").write_text(textwrap.dedent(overlay), encoding="utf-8")
    (lab / "devices.yml").write_text('- targets: ["lab-1:8080"]\n', encoding="utf-8")
    (lab / "benches.yml").write_text("groups: []\n", encoding="utf-8")
    rendered = kubectl("kustomize", str(lab))
    assert rendered.returncode == 0, rendered.stderr
    served = of_manifests(documents(rendered.stdout))["prometheus"].files
    assert "lab-1:8080" in served["/etc/prometheus/targets/devices.yml"]
    assert served["/etc/prometheus/inventory/benches.yml"] == "groups: []\n"
    assert "/etc/prometheus/targets/pushgateway.yml" in served
