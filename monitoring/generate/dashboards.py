"""Writes monitoring/grafana/dashboards/*.json: `python -m monitoring.generate.dashboards`, from the root.

The committed files are what this writes; a test proves it. Edit dashboards_content.py, never the JSON.
"""

from __future__ import annotations

import json
from pathlib import Path

from monitoring.generate.dashboards_content import all_dashboards

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"


def texts() -> dict[str, str]:
    """Contents of the files by name."""
    return {
        name: json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        for name, content in all_dashboards().items()
    }


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
