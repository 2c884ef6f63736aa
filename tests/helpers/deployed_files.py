"""What files a deployment puts into its containers, and how it runs them; of compose and of manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import yaml

Json: TypeAlias = dict[str, Any]
MONITORING = Path(__file__).parents[2] / "monitoring"


@dataclass(frozen=True, slots=True)
class Part:
    """A container.

    Attributes:
        image, user, command, environment: How it is started; `user` is the number.
        files: Path in the container to content, of everything that is configuration.
        secrets: Paths of the secrets in the container.
    """

    image: str
    user: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str]
    secrets: frozenset[str]


def of_compose(file: Path) -> dict[str, Part]:
    """The services."""
    compose = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {
        name: Part(
            image=service["image"],
            user=int(service["user"].split(":")[0]),
            command=tuple(service.get("command", ())),
            environment=service.get("environment", {}),
            files=dict(_bound(file.parent, service["volumes"])),
            secrets=frozenset(f"/run/secrets/{secret}" for secret in service.get("secrets", ())),
        )
        for name, service in compose["services"].items()
    }


def _bound(root: Path, volumes: Iterable[str]) -> Iterator[tuple[str, str]]:
    for volume in volumes:
        if not volume.startswith("."):
            continue
        source, target, mode = volume.split(":")
        assert mode == "ro", volume
        here = root / source
        for file in (here,) if here.is_file() else sorted(one for one in here.rglob("*") if one.is_file()):
            # Path(x).relative_to(x) is "."
            yield str(PurePosixPath(target) / file.relative_to(here)), file.read_text(encoding="utf-8")


def of_manifests(documents: Iterable[Json]) -> dict[str, Part]:
    """The StatefulSets' containers."""
    every = list(documents)
    maps = {one["metadata"]["name"]: one["data"] for one in every if one["kind"] == "ConfigMap"}
    return {one["metadata"]["name"]: _container(one, maps) for one in every if one["kind"] == "StatefulSet"}


def _container(workload: Json, maps: Mapping[str, Mapping[str, str]]) -> Part:
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    files: dict[str, str] = {}
    secrets: set[str] = set()
    for mount in container["volumeMounts"]:
        volume = volumes.get(mount["name"])
        if volume is None:
            continue  # of volumeClaimTemplates
        if "secret" in volume:
            secrets.add(mount["mountPath"])
        for name, content in _served(volume, maps):
            path = PurePosixPath(mount["mountPath"])
            if "subPath" not in mount:
                files[str(path / name)] = content
            elif mount["subPath"] == name:
                files[str(path)] = content
    return Part(
        image=container["image"],
        user=pod["securityContext"]["runAsUser"],
        command=tuple(container.get("args", ())),
        environment={one["name"]: one["value"] for one in container.get("env", ())},
        files=files,
        secrets=frozenset(secrets),
    )


def _served(volume: Json, maps: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    sources = volume["projected"]["sources"] if "projected" in volume else [volume]
    for source in sources:
        if "configMap" in source:
            given = source["configMap"]
            yield from maps[given["name"]].items()
