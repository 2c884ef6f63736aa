"""`lan-hil baseline save`, `check`, `show`: verdicts, exit codes, and all that must not be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from baseline_project import Project, figures, make_project, runs
from past_runs import one_test, past

from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import RunKind

STEADY = (10.0, 10.002, 9.998, 10.001, 9.999)
SLOWER = (11.5, 11.502, 11.498, 11.501, 11.499)
FASTER = (8.5, 8.502, 8.498, 8.501, 8.499)
REPLACED = "fix: compare with a baseline of board nrf52840 on bench desk (real): lan-hil baseline save"


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Project:
    return make_project(tmp_path, capsys, monkeypatch)


def test_save_takes_the_runs_of_the_newest_firmware_and_says_how_many(project: Project) -> None:
    project.record([*runs(1, (7.0, 7.1), firmware="0f"), *runs(3, STEADY, firmware="aa")])
    assert project.command("save") == 0
    assert f"saved {project.file}: 1 new" in project.out
    assert "board nrf52840 on bench desk (real): 5 runs of firmware aaaaaaaaaa" in project.out
    assert project.values() == list(STEADY)
    assert project.command("show") == 0
    assert "latency mean  10.0" in project.out
    assert "(5 runs)" in project.out
    assert "2026-11-15T12:00:00.000Z  saved 1 row of commit abcdef7000" in project.out


def test_save_takes_as_many_runs_as_it_is_told_the_newest(project: Project) -> None:
    project.record(runs(1, STEADY))
    assert project.command("save", "--runs", "2") == 0
    assert project.values() == list(STEADY[-2:])


def test_save_takes_the_runs_that_are_named(project: Project) -> None:
    project.record([*runs(1, STEADY, branch="old"), *runs(6, SLOWER, firmware="bb")])
    assert project.command("save", "--from", "old") == 0
    assert project.values() == list(STEADY)


def test_saving_the_same_again_leaves_the_file_alone(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    before = project.file.read_bytes()
    assert project.command("save") == 0
    assert "holds just that already" in project.out
    assert project.file.read_bytes() == before


def test_a_baseline_of_one_run_is_said_to_know_no_spread_between_runs(project: Project) -> None:
    project.saved(*runs(1, (10.0,)))
    assert "of one run nobody knows how much runs differ" in project.err
    project.record(runs(21, (10.0,), firmware="bb"))
    assert project.command("check") in (0, 3)
    assert "1 within" in project.out or "1 inconclusive" in project.out


@pytest.mark.parametrize(
    ("values", "code", "verdict"), [(STEADY, 0, "within"), (SLOWER, 1, "REGRESSED"), (FASTER, 0, "improved")]
)
def test_the_verdict_and_how_it_ends(
    project: Project, values: tuple[float, ...], code: int, verdict: str
) -> None:
    project.saved(*runs(1, STEADY))
    project.record(runs(21, values, firmware="bb"))
    assert project.command("check") == code
    heading, row, *_ = project.out.split("\n\n")[1].splitlines()
    assert heading.split()[:4] == ["verdict", "quantity", "base", "head"]
    assert row.startswith(f"{verdict:<9}"[: len(verdict)])
    assert "latency mean" in row
    assert "10.0000 ms (5 runs)" in row or "10.000" in row
    assert "10 %" in row
    assert "tests/hil/test_speed.py::test_latency" in row
    assert project.out.startswith("board nrf52840 on bench desk (real)\nbase: ")


def test_a_baseline_checked_against_its_own_runs_is_said_to_tell_nothing(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    assert "nothing was measured since the baseline was made" in project.json("check")["notes"][0]
    project.record(runs(21, STEADY))
    assert project.json("check")["notes"] == []


def test_runs_that_can_not_tell_end_with_3_or_as_they_are_told_to(project: Project) -> None:
    project.saved(*runs(1, (10.0, 12.0, 8.0, 11.0, 9.0)))
    project.record(runs(21, (10.5, 9.0, 12.0), firmware="bb"))
    assert project.command("check") == 3
    assert project.out.splitlines()[-1] == "1 inconclusive"
    assert project.command("check", "--inconclusive", "pass") == 0
    assert project.command("check", "--inconclusive", "fail") == 1


def test_json_holds_every_figure_of_the_verdict(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    project.record(runs(21, SLOWER, firmware="bb"))
    found = project.json("check")
    assert (found["verdict"], found["exit_code"], found["simulated"]) == ("regressed", 1, False)
    (one,) = found["comparisons"]
    assert one["subject"] == {"quantity": "latency", "test": "tests/hil/test_speed.py::test_latency"}
    assert one["change"] == pytest.approx(1.5)
    assert one["margin"] == pytest.approx(1.0)
    assert one["p_regressed"] < 0.05
    assert len(found["head"]["runs"]) == 5


def test_a_missing_baseline_is_said_with_the_command_and_ends_with_3(project: Project) -> None:
    project.record(runs(1, STEADY))
    for arguments in (
        ["check"],
        ["check", "--inconclusive", "pass"],
        ["update"],
        ["accept", "--reason", "x"],
    ):
        assert project.command(*arguments) == 3
        assert f"there is no baseline of board nrf52840 on bench desk (real): {project.file}" in project.err
        assert "lan-hil baseline save --board nrf52840 --bench desk" in project.err
    assert project.command("show") == 3
    assert "lan-hil baseline save --board nrf52840" in project.err


def test_what_vanished_or_appeared_since_is_named_and_open(project: Project) -> None:
    project.saved(*runs(1, STEADY, power=STEADY))
    project.record(runs(21, STEADY, firmware="bb"))
    assert project.command("check") == 3
    assert "power of tests/hil/test_speed.py::test_power is not measured any more" in project.out
    assert "any more: lan-hil baseline accept --board nrf52840 --bench desk --drop-missing" in project.err
    assert project.command("check", "--inconclusive", "pass") == 0

    assert project.command("save") == 0
    assert "gone" in project.out
    project.record(runs(26, STEADY, firmware="cc", power=STEADY))
    assert project.command("check", "--inconclusive", "pass") == 3  # never passed over
    assert "no baseline for power of tests/hil/test_speed.py::test_power" in project.out
    assert "has no baseline: lan-hil baseline accept --board nrf52840 --bench desk --reason" in project.err
    assert project.command("accept", "--reason", "new test") == 0
    assert "1 new, 1 same" in project.out
    assert project.command("check") == 0


def test_a_simulated_baseline_never_meets_real_runs(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    tree = json.loads(project.file.read_text())
    project.file.write_text(json.dumps({**tree, "simulated": True}))
    both = (
        "is of board nrf52840 on bench desk (SIMULATED), but what was measured is of board nrf52840 on bench"
        " desk (real)"
    )
    for arguments in (["check"], ["update"], ["accept", "--reason", "x"], ["diff"]):
        assert project.command(*arguments) == 2
        assert both in project.err
    assert project.command("save") == 2
    assert "the one never replaces the other" in project.err
    assert f"git rm {project.file}" in project.err


@pytest.mark.parametrize("key", ["board", "bench"])
def test_a_baseline_of_another_board_or_bench_is_refused(project: Project, key: str) -> None:
    project.saved(*runs(1, STEADY))
    tree = json.loads(project.file.read_text())
    project.file.write_text(json.dumps({**tree, key: "other"}))
    assert project.command("check") == 2
    assert "on bench desk (real): these are never compared" in project.err
    assert f"{key} other" in project.err
    assert REPLACED in project.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"instrument": "PPK2 ABC"},
            "was mean in ms by Joulescope JS220 002557, is now mean in ms by PPK2 ABC",
        ),
        ({"unit": "us"}, "was mean in ms by Joulescope JS220 002557, is now mean in us by Joulescope JS220"),
    ],
)
def test_another_instrument_or_unit_is_refused_and_can_be_accepted(
    project: Project, change: dict[str, str], told: str
) -> None:
    project.saved(*runs(1, STEADY, power=STEADY))
    project.record(runs(21, STEADY, firmware="bb", power=STEADY, **change))  # type: ignore[arg-type]
    assert project.command("check") == 2
    assert f"latency of tests/hil/test_speed.py::test_latency {told}" in project.err
    assert "lan-hil baseline accept --board nrf52840 --bench desk --reason TEXT" in project.err
    assert project.command("accept", "--reason", "new analyzer") == 0
    assert project.command("check") == 0


def test_runs_are_compared_with_other_runs_of_the_ledger(project: Project) -> None:
    project.record([*runs(1, STEADY, branch="main"), *runs(6, SLOWER, branch="slow", firmware="bb")])
    assert project.command("check", "--against", "main") == 1
    assert "base: ledger: main: 5 runs of firmware aaaaaaaaaa" in project.out
    assert project.command("check", "main", "--against", "slow") == 0
    assert "improved" in project.out
    assert project.command("check", "slow", "--against", "slow") == 0
    assert "a run compared with itself always holds" in project.err
    assert project.command("check", "--against", "nowhere") == 2
    assert "nowhere" in project.err


def test_runs_of_another_bench_or_of_a_simulation_are_refused_by_name(project: Project) -> None:
    project.record(
        [*runs(1, STEADY, branch="virtual", bench="virtual", simulated=True), *runs(6, STEADY, branch="main")]
    )
    assert project.command("check", "--against", "virtual") == 2
    assert "virtual is of board nrf52840 on bench virtual (SIMULATED)" in project.err
    assert "what it is compared with is of board nrf52840 on bench desk (real)" in project.err


def test_an_interrupted_run_is_refused_by_name(project: Project) -> None:
    broken = runs(1, (10.0,), outcome=Outcome.INTERRUPTED)
    project.record([*broken, *runs(2, STEADY)])
    assert project.command("save", "--from", broken[0].run_id) == 2
    assert f"run {broken[0].run_id} was interrupted" in project.err


def test_a_branch_that_ran_on_two_benches_stands_for_its_runs_on_this_one(project: Project) -> None:
    project.record(
        [
            *runs(1, STEADY, branch="main"),
            *runs(6, FASTER, branch="main", bench="virtual", simulated=True),
            *runs(11, SLOWER, branch="slow", firmware="bb"),
        ]
    )
    assert project.command("check", "--against", "main") == 1


def test_a_file_may_be_either_side(project: Project, tmp_path: Path) -> None:
    slow = runs(6, SLOWER, firmware="bb")
    project.saved(*runs(1, STEADY))
    elsewhere = tmp_path / "release.json"
    elsewhere.write_bytes(project.file.read_bytes())
    project.record(slow)
    assert project.command("check", "--against", str(elsewhere)) == 1
    record = tmp_path / ".hil" / "runs" / slow[-1].run_id / "record.json"
    assert project.command("check", str(record)) == 1
    assert project.command("check", str(record), "--against", str(record)) == 0
    assert project.command("check", "--against", str(tmp_path / "none.json")) == 2
    assert "No such file" in project.err


def test_a_baseline_nobody_can_read_is_refused_and_save_makes_a_new_one(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    text = project.file.read_text()
    project.file.write_text("<<<<<<< HEAD\n" + text)
    assert project.command("check") == 2
    assert "marks of a merge conflict" in project.err
    assert project.command("save") == 0
    assert "written anew, with its log" in project.err
    assert project.file.read_text() == text


def test_runs_of_a_dirty_tree_are_saved_only_if_that_is_said(project: Project) -> None:
    project.record(runs(1, STEADY, dirty=True))
    assert project.command("save") == 2
    assert "5 runs (" in project.err
    assert "made from a working tree with changes that no commit has" in project.err
    assert "--allow-dirty" in project.err
    assert not project.file.exists()
    assert project.command("save", "--allow-dirty") == 0
    assert project.values() == list(STEADY)
    project.record(runs(6, (10.1, 10.2)))
    assert project.command("save") == 0
    assert "5 runs with uncommitted changes are left out" in project.err
    assert project.values() == [10.1, 10.2]


def test_only_plain_runs_that_went_to_their_end_make_a_baseline(project: Project) -> None:
    project.record(
        [
            *runs(1, STEADY),
            *runs(6, (7.0,), firmware="bb", kind=RunKind.AB),
            *runs(7, (7.0,), firmware="cc", replayed=True),
            *runs(8, (7.0,), firmware="dd", outcome=Outcome.INTERRUPTED),
        ]
    )
    assert project.command("save") == 0
    assert project.values() == list(STEADY)


def test_what_a_blocked_run_measured_is_saved_and_said(project: Project) -> None:
    project.record(runs(1, STEADY, outcome=Outcome.BLOCKED))
    assert project.command("save") == 0
    assert "5 of the 5 runs are blocked; what they measured is taken" in project.err


def test_with_a_clock_set_back_the_run_recorded_last_is_the_newest(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    late, early = runs(25, (10.0,), firmware="bb")[0], runs(3, SLOWER, firmware="cc")
    project.record([late, *(replace(one, run_id=f"again-{one.run_id}") for one in early)])
    found = project.json("check")
    assert found["verdict"] == "regressed"
    assert all(run.startswith("again-") for run in found["head"]["runs"])


def test_only_what_was_measured_after_the_baseline_is_compared_with_it(project: Project) -> None:
    project.saved(*runs(1, STEADY))
    assert len(project.json("check")["head"]["runs"]) == 5  # nothing newer is there
    project.record(runs(21, SLOWER))  # the same image on a bench that changed
    found = project.json("check")
    assert (found["verdict"], len(found["head"]["runs"])) == ("regressed", 5)


def test_an_image_that_was_not_proved_stands_alone(project: Project) -> None:
    unproved = [
        replace(record, tests=tuple(replace(test, firmware=None) for test in record.tests))
        for record in runs(1, STEADY)
    ]
    project.record(unproved)
    assert project.command("save") == 0
    assert "1 run of firmware unknown (no image was proved)" in project.out


def test_an_older_image_of_one_test_is_left_out_and_said(project: Project) -> None:
    mixed = [
        past(
            day,
            tests=[
                one_test([figures(10.0)], firmware="aa"),
                one_test([figures(value, quantity="power", unit="mW")], name="test_idle", firmware=other),
            ],
        )
        for day, value, other in ((1, 5.0, "01"), (2, 7.0, "02"), (3, 7.1, "02"))
    ]
    project.record(mixed)
    assert project.command("save") == 0
    assert project.values("power") == [7.0, 7.1]
    assert len(project.values("latency")) == 3
    assert "power of tests/hil/test_speed.py::test_idle: only 2 of 3 samples are taken" in project.err


def test_runs_that_judged_nothing_make_no_baseline(project: Project) -> None:
    project.record([past(1, tests=[one_test([figures(10.0)], judged=False)])])
    assert project.command("save") == 2
    assert "no budget and no baseline asked about anything that was measured" in project.err
    assert "no_regression" in project.err


def test_a_board_without_runs_is_told_which_there_are(project: Project) -> None:
    project.record(runs(1, STEADY, board="stm32f4"))
    assert project.command("save") == 2
    assert "has no run of board nrf52840; it has: stm32f4 on desk" in project.err
    assert "pytest --board nrf52840" in project.err


def test_the_bench_is_the_newest_runs_unless_one_is_named(project: Project) -> None:
    project.record([*runs(1, STEADY), *runs(6, FASTER, bench="lab")])
    assert project.command("save") == 0
    assert "on bench lab" in project.out
    assert project.command("save", "--bench", "desk") == 0
    assert project.values() == list(STEADY)
    assert project.command("show") == 2
    assert "several benches: desk, lab" in project.err
    assert project.command("show", "--bench", "lab") == 0
    assert project.command("save", "--bench", "attic") == 2
    for said in ("no run of board nrf52840 on bench attic", "pytest --board nrf52840 --bench attic"):
        assert said in project.err


def test_the_folder_of_baselines_is_given_or_configured(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record(runs(1, STEADY))
    (tmp_path / "pytest.ini").write_text("[pytest]\nhil_baselines = kept/here\n")
    assert project.command("save") == 0
    assert (tmp_path / "kept" / "here" / "nrf52840.desk.json").is_file()
    monkeypatch.setenv("LAN_HIL_BASELINES", "from-env")
    assert project.command("save") == 0
    assert (tmp_path / "from-env" / "nrf52840.desk.json").is_file()
    assert project.command("save", "--baselines", "given") == 0
    assert (tmp_path / "given" / "nrf52840.desk.json").is_file()


def test_a_margin_of_the_board_file_decides(project: Project, tmp_path: Path) -> None:
    project.saved(*runs(1, STEADY))
    project.record(runs(21, (10.3, 10.302, 10.298), firmware="bb"))
    assert project.command("check") == 0
    (tmp_path / "boards").mkdir()
    board = 'target = "nrf52840"\n[margins]\nlatency_relative = 0.01\n'
    (tmp_path / "boards" / "nrf52840.toml").write_text(board)
    assert project.command("check") == 1
    board += "latency_absolute_ms = 1\n"
    (tmp_path / "boards" / "nrf52840.toml").write_text(board)
    assert project.command("check") == 0


def test_a_run_of_two_images_that_is_named_is_refused(project: Project) -> None:
    (two_images,) = runs(6, (7.0,), firmware="bb", kind=RunKind.AB)
    project.record([*runs(1, STEADY), two_images])
    assert project.command("save", "--from", two_images.run_id) == 2
    assert "measured two images side by side" in project.err
