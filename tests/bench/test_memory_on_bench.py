"""Memory of the shipped firmware on the virtual board: its parts, its budget, and a stack that overflows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from virtual_session import Session, run_project

PROJECT = """
    import pytest

    @pytest.mark.memory_budget(32)
    def test_fits(dut):
        dut.infer(3)

    @pytest.mark.memory_budget(1)
    def test_does_not_fit(dut):
        dut.infer(1)

    def test_overflow(dut):
        dut.command("lnn fault stack")

    def test_goes_on(dut):
        assert dut.name()
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return run_project(tmp_path_factory.mktemp("memory"), PROJECT)


def test_a_budget_judges_the_sum_and_the_parts_are_told(session: Session) -> None:
    fits, not_fits = session.test("test_fits"), session.test("test_does_not_fit")
    assert (fits["outcome"], not_fits["outcome"]) == ("passed", "failed")
    static, stack, heap = fits["measurements"]["memory"]["notes"]
    parts = [int(re.match(r"\d+", note)[0]) for note in (static, stack, heap)]
    assert fits["measurements"]["memory"]["values"] == [sum(parts) / 1024]
    assert "of them stack guard" in static
    assert "of stack used at most" in stack
    assert heap == "0 bytes of heap: the image has none (no malloc, no sbrk in it)"


def test_a_stack_overflow_is_the_duts_failure_with_function_and_line(session: Session) -> None:
    test = session.test("test_overflow")
    assert test["outcome"] == "failed"
    assert re.search(
        r"the main stack overflowed into its guard, raised in (or below )?descend\(\)"
        r" \(common/lnn\.c:\d+\)",
        test["message"],
    )
    assert session.test("test_goes_on")["outcome"] == "passed"


def test_the_command_tells_the_same(tmp_path: Path) -> None:
    own = {"LAN_HIL_STATE": str(tmp_path), "LAN_HIL_VIRTUAL_STATE": str(tmp_path / "virtual")}
    command = [sys.executable, "-c", "from pytest_lan_hil.cli import main; main()", "memory"]
    done = subprocess.run(
        [*command, "--board", "nrf52840", "--bench", "virtual", "--seconds", "0.5", "--json"],
        cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["simulated"] is True
    assert found["verdict"]["kind"] == "within"
    assert found["parts"]["guard_bytes"] == 256
    assert 0 < found["parts"]["stack_bytes"] < found["parts"]["stack_reserved_bytes"]
    assert sum(row["ram"] for row in found["objects"]["rows"]) == found["parts"]["static_bytes"]
    assert sum(row["flash"] for row in found["objects"]["rows"]) == found["flash_bytes"]
