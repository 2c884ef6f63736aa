"""`lan-hil baseline diff`, `update`, `accept`: what may change a committed baseline, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from baseline_project import SAVED_AT, Project, make_project, runs

from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.publish.baseline_file import read_baseline

STEADY = (10.0, 10.002, 9.998, 10.001, 9.999)
SLOWER = (11.5, 11.502, 11.498, 11.501, 11.499)
FASTER = (8.5, 8.502, 8.498, 8.501, 8.499)


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Project:
    return make_project(tmp_path, capsys, monkeypatch)


def test_diff_shows_what_save_would_change_and_writes_nothing(project: Project) -> None:
    project.record(runs(1, STEADY))
    assert project.command("diff") == 0
    assert f"{project.file} (not there yet): 1 new" in project.out
    assert not project.file.exists()

    project.record(runs(1, STEADY, power=STEADY, board="stm32f4"))  # of no interest
    assert project.command("save") == 0
    before = project.file.read_bytes()
    assert project.command("diff") == 0
    assert f"{project.file}: 1 same" in project.out

    project.record(runs(21, SLOWER, power=STEADY, firmware="bb"))
    assert project.command("diff") == 0
    assert "1 changed, 1 new" in project.out
    (row,) = [line for line in project.out.splitlines() if line.startswith("changed")]
    assert "+15 %" in row
    assert project.file.read_bytes() == before
    kinds = {one["subject"]["quantity"]: one["kind"] for one in project.json("diff")["changes"]}
    assert kinds == {"latency": "changed", "power": "new"}


def test_update_takes_what_improved_and_leaves_what_held(project: Project) -> None:
    project.saved(*runs(1, STEADY, power=STEADY))
    nearly = tuple(value * 1.01 for value in STEADY)
    project.record(runs(21, FASTER, power=nearly, firmware="bb"))
    assert project.command("update", "--dry-run") == 0
    assert "would be updated" in project.out
    assert project.values() == list(STEADY)
    assert project.command("update") == 0
    assert f"updated {project.file}: 1 changed, 1 same" in project.out
    assert project.values() == list(FASTER)
    assert project.values("power") == list(STEADY)
    saved, updated = read_baseline(project.file).events
    assert (saved.action, saved.rows) == ("saved", 2)
    assert (updated.action, updated.rows, updated.at, updated.bench) == ("updated", 1, SAVED_AT, "desk")
    assert updated.git_commit.startswith("abcdf")
    assert updated.firmware_sha256 == "bb" * 32


def test_update_with_nothing_to_take_leaves_the_file_alone(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    before = project.file.read_bytes()
    project.record(runs(21, STEADY, firmware="bb"))
    assert project.command("update") == 0
    assert "nothing to change, every row held" in project.out
    assert project.file.read_bytes() == before


def test_update_adds_what_the_baseline_lacks(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    project.record(runs(21, STEADY, power=STEADY, firmware="bb"))
    assert project.command("update") == 0
    assert "1 new, 1 same" in project.out
    assert project.values("power") == list(STEADY)
    assert project.command("check") == 0


@pytest.mark.parametrize(
    ("latency", "power", "code"),
    [
        (SLOWER, FASTER, 1),  # one regressed
        ((10.5, 9.0, 12.0, 8.0, 11.0), FASTER, 3),  # one can't be told
        (FASTER, (), 3),  # one is not measured any more
    ],
)
def test_update_takes_nothing_unless_everything_held(
    project: Project, latency: tuple[float, ...], power: tuple[float, ...], code: int
) -> None:
    project.saved(*runs(1, STEADY, power=STEADY))
    before = project.file.read_bytes()
    project.record(runs(21, latency, power=power, firmware="bb"))
    assert project.command("update") == code
    assert "not updated" in project.err
    assert project.file.read_bytes() == before


@pytest.mark.parametrize(
    ("outcome", "dirty", "code", "told"),
    [
        (Outcome.BLOCKED, False, 3, "is blocked"),
        (Outcome.FAILED, False, 2, "is failed; only passed runs are taken in"),
        (Outcome.PASSED, True, 2, "was made from a working tree with changes that no commit has"),
    ],
)
def test_update_takes_no_blocked_failed_or_dirty_run(
    project: Project, outcome: Outcome, dirty: bool, code: int, told: str
) -> None:
    project.saved(*runs(1, STEADY))
    before = project.file.read_bytes()
    project.record(runs(21, FASTER, firmware="bb", outcome=outcome, dirty=dirty))
    assert project.command("update") == code
    assert told in project.err
    assert project.file.read_bytes() == before


def test_a_blocked_run_before_the_newest_counts_in_the_verdict_and_is_not_written(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    project.record(runs(21, FASTER[:2], firmware="bb", outcome=Outcome.BLOCKED))
    project.record(runs(23, FASTER[2:], firmware="bb"))
    assert project.command("update") == 0
    assert "8.5000 ms (5 runs)" in project.out or "8.500" in project.out
    assert project.values() == list(FASTER[2:])


def test_nine_small_steps_can_not_creep_past_the_margin(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    codes = []
    for step in range(1, 10):
        value = 10.0 * (1 + 0.03 * step)
        records = runs(20 + 2 * step, (value, value + 0.002), firmware=f"{step:02d}")
        project.record(records)
        codes.append(project.command("update"))
    assert codes[:3] == [0, 0, 0]  # 3, 6 and 9 % are within 10 %
    assert set(codes[3:]) == {1}
    assert project.values() == list(STEADY)


def test_accept_writes_anew_what_did_not_hold_with_its_reason(project: Project) -> None:
    project.saved(*runs(1, STEADY, power=STEADY))
    nearly = tuple(value * 1.01 for value in STEADY)
    project.record(runs(21, SLOWER, power=nearly, firmware="bb", outcome=Outcome.FAILED))
    assert project.command("check") == 1
    assert project.command("accept", "--reason", "bigger model,\n+2 points", "--dry-run") == 0
    assert project.values() == list(STEADY)
    assert project.command("accept", "--reason", "bigger model,\n+2 points") == 0
    assert f"accepted {project.file}: 1 changed, 1 same" in project.out
    assert project.values() == list(SLOWER)
    assert project.values("power") == list(STEADY)
    last = read_baseline(project.file).events[-1]
    assert (last.action, last.rows, last.reason) == ("accepted", 1, "bigger model, +2 points")
    assert project.command("check") == 0
    assert project.command("show") == 0
    assert "accepted 1 row of commit" in project.out
    assert project.out.rstrip().endswith(": bigger model, +2 points")


def test_accept_takes_what_check_looked_at_where_the_firmware_is_that_of_the_baseline(
    project: Project,
) -> None:
    """Another test or bench changed the figures: old runs must not water the new ones down."""
    project.saved(*runs(1, STEADY))
    project.record(runs(21, SLOWER))
    assert project.command("check") == 1
    assert project.command("accept", "--reason", "longer input") == 0
    assert project.values() == list(SLOWER)


def test_accept_wants_a_reason(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    assert project.command("accept") == 2
    assert "--reason" in project.err
    assert project.command("accept", "--reason", "  ") == 2
    assert "a change without a reason is not recorded" in project.err


def test_accept_drops_what_is_not_measured_only_if_that_is_said(project: Project) -> None:
    project.saved(*runs(1, STEADY, power=STEADY))
    project.record(runs(21, STEADY, firmware="bb"))
    assert project.command("accept", "--reason", "x") == 0
    assert "1 row was not measured and is kept" in project.err
    assert project.values("power") == list(STEADY)
    assert project.command("accept", "--reason", "test removed", "--drop-missing") == 0
    assert project.values("power") == []
    assert project.command("check") == 0


def test_accept_takes_a_dirty_tree_only_if_that_is_said(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    project.record(runs(21, SLOWER, firmware="bb", dirty=True))
    assert project.command("accept", "--reason", "x") == 2
    assert "--allow-dirty" in project.err
    assert project.command("accept", "--reason", "x", "--allow-dirty") == 0
    assert project.values() == list(SLOWER)
