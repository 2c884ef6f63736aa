"""The cluster's manifests as kustomize (in kubectl) and helm render them, and what all of them must hold."""

from __future__ import annotations

from typing import Any, TypeAlias

import kubernetes_validate
import yaml
from deployed_files import MONITORING
from kube_tools import helm, kubectl

Json: TypeAlias = dict[str, Any]
CHART = MONITORING / "helm-chart"
NAMESPACE = "lan-hil-monitoring"
# The oldest version that the chart takes, and the newest whose schemas are at hand.
VERSIONS = ("1.25", "1.37")
# Part to who may come in: parts by name, others by the label that they carry.
WAYS_IN = {
    "prometheus": {"grafana"},
    "pushgateway": {"prometheus", "lan-hil/pushes"},
    "alertmanager": {"prometheus"},
    "grafana": {"lan-hil/views"},
}


def of_kustomize() -> list[Json]:
    """What `kubectl apply -k` would send."""
    return documents(kubectl("kustomize", str(MONITORING / "k8s")).stdout)


def of_helm(*values: str, chart: str = str(CHART)) -> list[Json]:
    """What `helm install` would send, with `--set` of each value."""
    rendered = helm("template", "lan-hil", chart, "--namespace", NAMESPACE, *sets(*values))
    assert rendered.returncode == 0, rendered.stderr
    return documents(rendered.stdout)


def sets(*values: str) -> list[str]:
    """`--set` for each."""
    return [argument for value in values for argument in ("--set", value)]


def documents(text: str) -> list[Json]:
    """The documents of a stream that are none of them empty."""
    found = [one for one in yaml.safe_load_all(text) if one]
    assert found
    return found


def check_schema(found: list[Json]) -> int:
    """Against the published schemas of Kubernetes, without unknown fields; how many have one.

    Raises:
        kubernetes_validate.ValidationError: One breaks its schema.
    """
    known = [one for one in found if not one["apiVersion"].startswith("monitoring.coreos.com/")]
    for version in VERSIONS:
        for one in known:
            kubernetes_validate.validate(one, version, strict=True)
    return len(known)


def check_hardened(found: list[Json]) -> None:
    """What every pod must hold: the restricted pod security standard, a read-only root, probes and limits."""
    workloads = [one for one in found if one["kind"] == "StatefulSet"]
    assert {one["metadata"]["name"] for one in workloads} == {
        "alertmanager", "grafana", "prometheus", "pushgateway"
    }  # fmt: skip
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == "http"
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory"}
        (claim,) = workload["spec"]["volumeClaimTemplates"]
        assert claim["metadata"]["name"] in {mount["name"] for mount in container["volumeMounts"]}
        assert workload["spec"]["serviceName"] in {
            one["metadata"]["name"] for one in found if one["kind"] == "Service"
        }


def ways_in(found: list[Json]) -> dict[str, set[str]]:
    """Part to what its network policy lets in: names of parts, and labels of others."""
    policies = [one["spec"] for one in found if one["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies, "nothing denies the rest"
    ways: dict[str, set[str]] = {}
    for policy in policies:
        part = policy["podSelector"].get("matchLabels", {}).get(_NAME)
        if part is not None:
            ways[part] = {_peer(peer) for rule in policy["ingress"] for peer in rule["from"]}
    return ways


_NAME = "app.kubernetes.io/name"


def _peer(peer: Json) -> str:
    (selector,) = peer.values()
    ((label, value),) = selector["matchLabels"].items()
    return str(value) if label == _NAME else str(label)
