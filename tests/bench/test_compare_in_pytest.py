"""A user's project on the virtual bench: a baseline is saved, the same firmware holds, a change fails.

Three sessions, one after the other, because each costs seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from virtual_session import Session, run_project

# The pace of the inferences is what a firmware's duty cycle is: 24 ms instead of 32 ms is a third more work.
PROJECT = """
    import os

    import pytest

    def work(dut):
        dut.command("lnn pace " + os.environ.get("PACE", "32"))
        dut.infer(100)

    @pytest.mark.no_regression("power", "memory")
    @pytest.mark.no_regression("latency", margin=0.05)
    def test_work(dut):
        work(dut)

    # Closer than one run can tell, when looking several times.
    @pytest.mark.no_regression("power", margin=0.022)
    def test_close(dut):
        work(dut)
"""


@dataclass(frozen=True)
class Story:
    """The sessions in order, and what the command between them said."""

    first: Session
    saved: str
    again: Session
    worse: Session


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("compared")
    first = run_project(folder, PROJECT)
    (command,) = {line.partition("run that you trust: ")[2] for line in first.said.splitlines()} - {""}
    saved = _shell(folder, command)
    # a worker of xdist repeats as anybody does
    again = run_project(folder, PROJECT, "--hil-until-decided=100", "-n", "1")
    github = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(folder)}
    worse = run_project(folder, PROJECT, "-n", "1", environment={"PACE": "24", **github})
    return Story(first, saved, again, worse)


def _shell(folder: Path, command: str) -> str:
    """Do what a session told the user to do."""
    program, *arguments = command.split()
    assert program == "lan-hil"
    module = "from pytest_lan_hil.cli import main; import sys; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", module, *arguments],
        cwd=folder,
        env={**os.environ, "LAN_HIL_STATE": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def _kinds(session: Session, name: str) -> list[list[str]]:
    """Of each repeat of a test, the verdicts of its comparisons."""
    tests = [test for test in session.record["tests"] if f"::{name}[" in test["nodeid"]]
    return [[one["kind"] for one in test["comparisons"]] for test in tests]


def test_without_a_baseline_every_compared_test_is_blocked_and_says_how_to_save_one(story: Story) -> None:
    assert story.first.code == pytest.ExitCode.TESTS_FAILED
    assert {test["outcome"] for test in story.first.record["tests"]} == {"blocked"}
    assert "saved" in story.saved


def test_the_same_firmware_holds(story: Story) -> None:
    assert story.again.code == 0, story.again.said
    assert _kinds(story.again, "test_work") == [["within", "within", "within"]]
    assert story.again.record["simulated"] is True


def test_what_one_run_can_not_tell_is_measured_again_and_reported_once(story: Story) -> None:
    kinds = _kinds(story.again, "test_close")
    assert len(kinds) > 1
    assert kinds == [["inconclusive"]] * (len(kinds) - 1) + [["within"]]
    assert f"test_close[nrf52840]: measured {len(kinds)} times until it was settled" in story.again.said
    assert "2 passed" in story.again.said
    (head,) = {test["comparisons"][0]["head"]["samples"] for test in story.again.record["tests"][-1:]}
    assert head == len(kinds)


def test_a_planted_change_fails_and_what_did_not_change_holds(story: Story) -> None:
    assert story.worse.code == pytest.ExitCode.TESTS_FAILED
    found = {one["subject"]["quantity"]: one for one in story.worse.test("test_work")["comparisons"]}
    kinds = {quantity: one["kind"] for quantity, one in found.items()}
    assert kinds == {"latency": "within", "memory": "within", "power": "regressed"}
    assert 0.2 < found["power"]["change"] / found["power"]["base"]["value"] < 0.4
    assert "the DUT failed: power mean" in story.worse.said


def test_github_is_told_the_line_and_that_it_is_simulated(story: Story) -> None:
    marks = [line for line in story.worse.said.splitlines() if line.startswith("::error ")]
    assert len(marks) == 2
    assert marks[0].startswith("::error file=test_project.py,line=")
    assert "test_work[nrf52840]%3A failed%2C SIMULATED::power mean" in marks[0]
