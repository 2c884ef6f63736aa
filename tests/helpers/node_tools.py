"""Programs of npm for checks (monitoring/tools): absent they skip, in CI (LAN_HIL_REQUIRE_SERVERS) fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from required import binary

TOOLS = Path(__file__).parents[2] / "monitoring" / "tools"


def node_tools(name: str) -> list[str]:
    """Command line of `node`, or of a program of monitoring/tools' packages."""
    node = binary("node", "nodejs")
    if not (TOOLS / "node_modules").is_dir():
        problem = "monitoring/tools has no packages: npm ci --prefix monitoring/tools"
        if os.environ.get("LAN_HIL_REQUIRE_SERVERS"):
            pytest.fail(problem)
        pytest.skip(problem)
    return [node] if name == "node" else [str(TOOLS / "node_modules" / ".bin" / name)]
