"""A user's project on the shipped virtual bench, run as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOARD = ("--board", "nrf52840")
ON_VIRTUAL = (*BOARD, "--bench", "virtual")
LIMIT_S = 120


@dataclass(frozen=True)
class Session:
    """What a pytest session left behind: exit code, what it said, and its run records in order of time."""

    code: int
    said: str
    records: list[dict[str, Any]]

    @property
    def record(self) -> dict[str, Any]:
        """The only one."""
        (record,) = self.records
        return record

    def test(self, name: str) -> dict[str, Any]:
        """The record of one test, by its function's name."""
        (test,) = [t for t in self.record["tests"] if t["nodeid"].split("::")[-1].split("[")[0] == name]
        found: dict[str, Any] = test
        return found


def run_project(
    folder: Path,
    source: str,
    *arguments: str,
    on: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Session:
    """Write `source` as the project's only tests and run them, on the virtual nRF52840 unless told otherwise.

    Args:
        folder: The project; its virtual board keeps its flash below it, so that sessions in one folder follow
            each other on one board and no two projects wait for each other.
        source: Of the test module.
        arguments: For pytest.
        on: Boards and benches, as options of pytest; left out where `arguments` name a bench for the board.
        environment: Beside the tests' own.
    """
    if on is None:
        on = BOARD if "--bench" in arguments else ON_VIRTUAL
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").touch()
    (folder / "test_project.py").write_text(textwrap.dedent(source), encoding="utf-8")
    before = set(folder.glob(".hil/runs/*/record.json"))
    # hypothesis costs half a second to load, and bytecode of the project is of no use
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    own = {"LAN_HIL_STATE": str(folder / "state"), "LAN_HIL_VIRTUAL_STATE": str(folder / "state" / "virtual")}
    done = subprocess.run(
        [*command, *on, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", **own, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    paths = sorted(set(folder.glob(".hil/runs/*/record.json")) - before)
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return Session(done.returncode, done.stdout, records)
