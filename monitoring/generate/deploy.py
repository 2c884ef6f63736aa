"""Writes the kustomizations that make ConfigMaps of configuration: `python -m monitoring.generate.deploy`.

Kustomize takes files only from the folder of a kustomization or below, so each folder of configuration has
one of its own, and lists its files. The chart needs no list: its `files/` are links to the same folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

MONITORING = Path(__file__).resolve().parents[1]
_HEAD = """\
# Written by `python -m monitoring.generate.deploy`: files of this folder as ConfigMaps, for k8s/.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
configMapGenerator:
"""


def config_maps(root: Path = MONITORING) -> dict[str, dict[str, list[str]]]:
    """Folder to ConfigMap to files, as they are below `root`.

    Raises:
        FileNotFoundError: A folder has none of the files that a ConfigMap is made of.
    """
    dashboards = _files(root / "grafana", "dashboards/*.json")
    return {
        "prometheus": {
            "prometheus-config": _files(root / "prometheus", "prometheus.yml"),
            "prometheus-rules": _files(root / "prometheus", "rules/*.yml"),
            "prometheus-inventory": _files(root / "prometheus", "inventory/*"),
            "prometheus-targets": _files(root / "prometheus", "targets/*"),
        },
        "alertmanager": {
            "alertmanager-config": _files(root / "alertmanager", "alertmanager.yml"),
            "alertmanager-templates": _files(root / "alertmanager", "templates/*.tmpl"),
        },
        "grafana": {
            "grafana-datasources": _files(root / "grafana", "provisioning/datasources/*.yaml"),
            "grafana-dashboard-providers": _files(root / "grafana", "provisioning/dashboards/*.yaml"),
            **{f"grafana-dashboard-{Path(one).stem}": [one] for one in dashboards},
        },
    }


def _files(folder: Path, pattern: str) -> list[str]:
    found = sorted(one.relative_to(folder).as_posix() for one in folder.glob(pattern) if one.is_file())
    if not found:
        raise FileNotFoundError(f"making ConfigMaps: no {pattern} in {folder}; restore it or drop its map")
    return found


def text(maps: Mapping[str, Sequence[str]]) -> str:
    """The kustomization of one folder."""
    lines = []
    for name, files in maps.items():
        lines += [f"  - name: {name}", "    files:", *(f"      - {file}" for file in files)]
    return _HEAD + "\n".join(lines) + "\n"


def texts() -> dict[str, str]:
    """Contents of the files by their path below monitoring/."""
    return {f"{folder}/kustomization.yaml": text(maps) for folder, maps in config_maps().items()}


def main() -> None:
    """Write them all."""
    for name, content in texts().items():
        (MONITORING / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
