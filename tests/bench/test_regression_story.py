"""A baseline, a slower firmware, the fix: a user's project from the first run to the updated baseline.

Everything is done as a user does it: `git`, `pytest --board product`, `lan-hil`. The firmware is built by the
board's own `build` command, from a copy of ours in the project's repository. Its layer `lan_dense` is what
changes: two sums at a time, then one ("simpler": a fifth slower), then four, as shipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from required import binary

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("common", "cortex_m4", "nrf52840", "tools", "Makefile", "tests.mk")
LAYER = "firmware/common/dense.c"
BASELINE = "baselines/product.virtual.json"
LIMIT_S = 300
# Of the environment: what only these tests or the CI that runs them have.
_NOT_THE_USERS = ("LAN_HIL_", "PYTEST_", "GIT_", "GITHUB_")

TESTS = """
import pytest

@pytest.mark.latency_budget(ms=4)
@pytest.mark.memory_budget(kb=32)
def test_inference(dut):
    dut.infer(100, warmups=5)
"""

BUILD = """
title = "Our product"
build = ["make", "-C", "../firmware", "-j2", "BOARD=nrf52840"]
"""

HEAD = """
#include "dense.h"

void lan_dense(const float *restrict weight, const float *restrict bias, const float *restrict in,
               uint32_t inputs, float *restrict out, uint32_t outputs) {
"""

TWO_SUMS = f"""{HEAD}
    for (uint32_t k = 0; k < outputs; k += 2u) {{
        const float *w = weight + k / 4u * 4u * inputs + k % 4u;
        float s0 = bias[k], s1 = bias[k + 1u];
        for (uint32_t n = 0; n < inputs; n++) {{
            s0 += w[4u * n] * in[n];
            s1 += w[4u * n + 1u] * in[n];
        }}
        out[k] = s0;
        out[k + 1u] = s1;
    }}
}}
"""

ONE_SUM = f"""{HEAD}
    for (uint32_t k = 0; k < outputs; k++) {{
        const float *w = weight + k / 4u * 4u * inputs + k % 4u;
        float sum = bias[k];
#pragma GCC unroll 4
        for (uint32_t n = 0; n < inputs; n++) {{
            sum += w[4u * n] * in[n];
        }}
        out[k] = sum;
    }}
}}
"""


@dataclass(frozen=True)
class Said:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A git repository with a firmware, a board and a test."""

    folder: Path

    def do(self, *command: str) -> Said:
        """Run a command as a user of this machine would, in the project."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(_NOT_THE_USERS)}
        state = self.folder / "state"
        environment = kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "200",
            "LAN_HIL_STATE": str(state),
            "LAN_HIL_VIRTUAL_STATE": str(state / "virtual"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{f"GIT_{role}_NAME": "A user" for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_EMAIL": "user@example.org" for role in ("AUTHOR", "COMMITTER")},
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    def must(self, *command: str) -> Said:
        """A command that ends well."""
        said = self.do(*command)
        assert said.code == 0, f"{command}\n{said.out}\n{said.err}"
        return said

    def commit(self, message: str) -> str:
        """The new commit's name."""
        self.must("git", "add", "--all")
        self.must("git", "commit", "--quiet", "-m", message)
        return self.must("git", "rev-parse", "HEAD").out.strip()

    def test(self, *options: str) -> None:
        """Build, flash, measure; the budgets hold in this story."""
        self.must("pytest", "-q", "-p", "no:cacheprovider", "--board", "product", *options)

    @property
    def baseline(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / BASELINE).read_text(encoding="utf-8"))
        return found


def test_a_slower_function_is_found_and_its_fix_becomes_the_baseline(tmp_path: Path) -> None:
    for program, package in (("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("make", "make"), ("git", "git")):
        binary(program, package)
    project = _project(tmp_path)
    layer = tmp_path / LAYER
    shipped = layer.read_text(encoding="utf-8")

    # A firmware that the team trusts.
    layer.write_text(TWO_SUMS, encoding="utf-8")
    trusted = project.commit("two sums at a time")
    project.test()
    project.test("--hil-profile")
    saved = project.must("lan-hil", "baseline", "save", "--board", "product")
    assert "2 runs" in saved.out
    assert "SIMULATED" in saved.out
    first = project.baseline
    assert first["simulated"] is True
    assert [(one["action"], one["git_commit"]) for one in first["events"]] == [("saved", trusted)]
    assert len(_samples(first, "latency")) == 2
    project.commit("a baseline")

    # One function of it becomes slower: said, not taken in, and explained.
    layer.write_text(ONE_SUM, encoding="utf-8")
    slower = project.commit("simpler: one sum at a time")
    project.test("--hil-profile")
    worse = project.do("lan-hil", "baseline", "check", "--board", "product")
    assert worse.code == 1, worse
    (row,) = [line for line in worse.out.splitlines() if line.startswith("REGRESSED ")]
    assert "latency p95" in row
    assert "1 within, 1 regressed" in worse.out
    refused = project.do("lan-hil", "baseline", "update", "--board", "product")
    assert refused.code == 1, refused
    assert "not updated" in refused.err
    assert project.baseline == first

    why = project.must("lan-hil", "compare", trusted, slower)
    _, table = why.out.split("by function (every cycle counted)\n")
    _header, row, *_ = table.splitlines()
    assert row.startswith("lan_dense ")
    assert row.endswith(" slower")
    found = json.loads(project.must("lan-hil", "compare", trusted, slower, "--json").out)
    assert 0.15 < _change(found, "latency") < 0.25
    top, *others = found["profile"]["functions"]
    assert top["name"] == "lan_dense"
    assert top["change"] > 100 * max(abs(one["change"]) for one in others)
    grown = found["objects"]["rows"][0]
    assert (grown["name"], grown["state"]) == ("common/dense.o", "grew")

    # The fix is faster than ever: it passes, and what improved goes into the baseline, once that is wanted.
    layer.write_text(shipped, encoding="utf-8")
    fix = project.commit("four sums at a time")
    project.test()
    better = project.must("lan-hil", "baseline", "check", "--board", "product")
    assert "1 within, 1 improved" in better.out
    planned = project.must("lan-hil", "baseline", "update", "--board", "product", "--dry-run")
    assert "would be updated" in planned.out
    assert project.baseline == first
    project.must("lan-hil", "baseline", "update", "--board", "product")
    last = project.baseline
    assert _samples(last, "memory") == _samples(first, "memory")
    (sample,) = _samples(last, "latency")
    assert sample["value"] < 0.9 * _samples(first, "latency")[0]["value"]
    saved_event, event = last["events"]
    assert saved_event == first["events"][0]
    told = tuple(event[key] for key in ("action", "rows", "git_commit", "bench"))
    assert told == ("updated", 1, fix, "virtual")
    held = project.must("lan-hil", "baseline", "check", "--board", "product")
    assert "2 within" in held.out


def _project(folder: Path) -> Project:
    for name in PARTS:
        source, target = ROOT / "firmware" / name, folder / "firmware" / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    board = (ROOT / "boards" / "nrf52840.toml").read_text(encoding="utf-8")
    title = next(line for line in board.splitlines() if line.startswith("title = "))
    board = board.replace(f"{title}\n", BUILD).replace("../firmware/prebuilt/", "../firmware/build/")
    (folder / "boards").mkdir()
    (folder / "boards" / "product.toml").write_text(board, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nhil_bench = virtual\n", encoding="utf-8")
    (folder / "test_product.py").write_text(TESTS, encoding="utf-8")
    (folder / ".gitignore").write_text("/.hil/\n/state/\n/firmware/build/\n__pycache__/\n", encoding="utf-8")
    project = Project(folder)
    project.must("git", "init", "--quiet")
    return project


def _samples(baseline: dict[str, Any], quantity: str) -> Any:
    (rows,) = baseline["tests"].values()
    return rows[quantity]["samples"]


def _change(said: dict[str, Any], quantity: str) -> float:
    """Head against base, as a share."""
    (found,) = [one for one in said["comparisons"] if one["subject"]["quantity"] == quantity]
    share: float = found["change"] / found["base"]["value"]
    return share
