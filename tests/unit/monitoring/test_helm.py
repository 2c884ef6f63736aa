"""The chart, linted and rendered by the real helm: schemas, values that are refused, options, no secret."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployed_files import MONITORING, of_manifests
from kube_tools import helm
from node_tools import TOOLS, node_tools
from rendered_manifests import (
    CHART,
    WAYS_IN,
    check_hardened,
    check_schema,
    documents,
    of_helm,
    sets,
    ways_in,
)
from required import binary

Json = dict[str, Any]


@pytest.fixture(scope="module")
def rendered() -> list[Json]:
    return of_helm()


def test_lint_has_nothing_against_it() -> None:
    linted = helm("lint", "--strict", str(CHART))
    assert linted.returncode == 0, linted.stdout
    assert "[WARNING]" not in linted.stdout
    assert "[ERROR]" not in linted.stdout


def test_every_manifest_has_the_published_schema_and_every_pod_is_hardened(rendered: list[Json]) -> None:
    assert check_schema(rendered) == len(rendered)
    check_hardened(rendered)
    assert ways_in(rendered) == WAYS_IN


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("prometheus.imagee=x", "imagee"),
        ("grafana.image=docker.io/grafana/grafana:latest", "/grafana/image"),
        ("grafana.image=docker.io/grafana/grafana", "/grafana/image"),
        ("alertmanager.existingSecret=", "/alertmanager/existingSecret"),
        ("prometheus.retention.time=90 days", "/prometheus/retention/time"),
        ("prometheus.storage.size=ten", "/prometheus/storage/size"),
        ("networkPolicy.exporters.port=0", "/networkPolicy/exporters/port"),
        ("networkPolicy.enabled=perhaps", "/networkPolicy/enabled"),
        ("devices[0].targets[0]=http://lab-1", "/devices/0/targets/0"),
        ("benches[0].board=nrf52840", "/benches/0"),
        ("benches[0].device=hall3-07", "/benches/0"),
        ("alertmanager.slackUrl=https://example.org/", "slackUrl"),
    ],
)
def test_a_wrong_value_is_refused_by_name(value: str, said: str) -> None:
    checked = helm("template", "lan-hil", str(CHART), *sets(value))
    assert checked.returncode != 0
    assert said in checked.stderr.replace("at '", "").replace(".", "/")


def test_the_schema_of_the_values_is_one_and_takes_the_defaults() -> None:
    schema, values = CHART / "values.schema.json", CHART / "values.yaml"
    run = [sys.executable, "-m", "check_jsonschema"]
    for arguments in (["--check-metaschema", str(schema)], ["--schemafile", str(schema), str(values)]):
        checked = subprocess.run([*run, *arguments], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout


def test_every_value_reaches_the_manifests() -> None:
    found = of_helm(
        "prometheus.image=registry.example/prom:v9.9.9",
        "prometheus.retention.time=7d",
        "prometheus.storage.size=99Gi",
        "prometheus.storage.storageClassName=fast",
        "prometheus.resources.limits.memory=3Gi",
        "alertmanager.existingSecret=our-alerts",
        "grafana.existingSecret=our-grafana",
        "networkPolicy.exporters.cidr=10.1.0.0/16",
        "networkPolicy.exporters.port=9123",
        "imagePullSecrets[0].name=our-pull",
        "nodeSelector.disk=ssd",
        "tolerations[0].key=lab",
    )
    check_schema(found)
    text = yaml.safe_dump_all(one for one in found if one["kind"] != "ConfigMap")
    for part in (
        "registry.example/prom:v9.9.9", "retention.time=7d", "99Gi", "storageClassName: fast", "memory: 3Gi",
        "secretName: our-alerts", "secretName: our-grafana", "cidr: 10.1.0.0/16", "port: 9123",
        "name: our-pull", "disk: ssd", "key: lab",
    ):  # fmt: skip
        assert part in text, part


def test_exporters_and_benches_of_the_values_become_files_that_prometheus_takes(tmp_path: Path) -> None:
    exporters = [{"targets": ["lab-1:8080", "lab-2:8080"], "labels": {"site": "hall"}}]
    benches = [
        {"board": "nrf52840", "bench": "desk"},
        {"board": "stm32f4", "bench": 'a "good" one'},
        {"board": "nrf52840", "bench": "hall 3", "device": "hall3-07"},
    ]
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps({"devices": exporters, "benches": benches}), encoding="utf-8")
    rendered = helm("template", "lan-hil", str(CHART), "--values", str(values))
    files = of_manifests(documents(rendered.stdout))["prometheus"].files
    assert yaml.safe_load(files["/etc/prometheus/targets/devices.yml"]) == exporters
    for path, text in files.items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    main = tmp_path / "etc" / "prometheus" / "prometheus.yml"
    promtool = binary("promtool", "prometheus")
    checked = subprocess.run(
        [promtool, "check", "config", str(main)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    (group,) = yaml.safe_load(files["/etc/prometheus/inventory/benches.yml"])["groups"]
    assert [rule["labels"] for rule in group["rules"]] == benches
    assert {rule["record"] for rule in group["rules"]} == {"lan_expected_info"}


def test_network_policies_can_be_left_out() -> None:
    kinds = {one["kind"] for one in of_helm("networkPolicy.enabled=false")}
    assert kinds == {"ConfigMap", "Service", "StatefulSet"}


def test_no_secret_is_rendered(rendered: list[Json]) -> None:
    assert "Secret" not in {one["kind"] for one in rendered}


def test_the_operators_resources_have_its_types_and_hold_the_same_rules(tmp_path: Path) -> None:
    plain = {one["kind"] for one in of_helm()}
    assert not plain & {"ServiceMonitor", "PrometheusRule"}
    found = of_helm(
        "serviceMonitor.enabled=true", "serviceMonitor.labels.release=stack",
        "prometheusRule.enabled=true", "prometheusRule.labels.release=stack",
    )  # fmt: skip
    monitors = [one for one in found if one["kind"] == "ServiceMonitor"]
    rules = [one for one in found if one["kind"] == "PrometheusRule"]
    assert len(monitors) == 4
    assert all(one["metadata"]["labels"]["release"] == "stack" for one in (*monitors, *rules))
    sources = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in _rule_files()]
    assert [one["spec"] for one in rules] == sources
    assert ways_in(found) == {part: {*known, "lan-hil/watches"} for part, known in WAYS_IN.items()}
    (pushes,) = [one for one in monitors if one["metadata"]["name"] == "lan-hil-pushgateway"]
    assert pushes["spec"]["endpoints"][0]["honorLabels"] is True
    broken = copy.deepcopy([pushes, rules[0]])
    broken[0]["spec"]["endpoints"][0]["honourLabels"] = True
    broken[1]["spec"]["groups"][0]["rules"][0]["foor"] = "5m"
    refused = _refused_by_types(tmp_path, [*monitors, *rules, *broken])
    assert refused == [len(monitors) + len(rules), len(monitors) + len(rules) + 1]


def test_an_operators_prometheus_is_given_what_should_be_there_too() -> None:
    row = {"board": "nrf52840", "bench": "hall 3", "device": "hall3-07"}
    listed = [f"benches[0].{key}={value}" for key, value in row.items()]
    found = of_helm("prometheusRule.enabled=true", *listed)
    (inventory,) = [one for one in found if one["metadata"]["name"] == "lan-hil-inventory"]
    assert inventory["kind"] == "PrometheusRule"
    (rule,) = inventory["spec"]["groups"][0]["rules"]
    assert rule == {"record": "lan_expected_info", "expr": "vector(1)", "labels": row}


def _rule_files() -> list[Path]:
    return sorted((CHART / "files" / "prometheus" / "rules").glob("*.yml"))


def _refused_by_types(folder: Path, found: list[Json]) -> list[int]:
    """Which of them break the operator's published types."""
    files = [folder / f"{number}.json" for number in range(len(found))]
    for file, one in zip(files, found, strict=True):
        file.write_text(json.dumps(one), encoding="utf-8")
    said = subprocess.run(
        [*node_tools("node"), str(TOOLS / "check-types.mjs"), "operator", *map(str, files)],
        capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    named = [line.partition(":")[0] for line in said.splitlines() if not line.startswith(" ")]
    assert set(named) <= {str(file) for file in files}, said
    return [number for number, file in enumerate(files) if str(file) in named]


def test_a_packaged_chart_brings_the_linked_files_with_it(tmp_path: Path, rendered: list[Json]) -> None:
    packaged = helm("package", str(CHART), "--destination", str(tmp_path))
    assert packaged.returncode == 0, packaged.stderr
    (archive,) = tmp_path.glob("*.tgz")
    assert of_helm(chart=str(archive)) == rendered


def test_the_values_of_the_how_to_are_taken(tmp_path: Path) -> None:
    page = (MONITORING.parent / "docs" / "how-to" / "deploy-monitoring.md").read_text(encoding="utf-8")
    (block,) = [one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "exporters" in one]
    values = tmp_path / "lab.yaml"
    values.write_text(textwrap.dedent(block), encoding="utf-8")
    rendered = helm("template", "lan-hil", str(CHART), "--values", str(values))
    assert rendered.returncode == 0, rendered.stderr
    assert "lab-1.example.org:8080" in rendered.stdout
