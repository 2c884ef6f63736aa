"""`lan-hil compare`: what stands on either side, what is refused, what is told of time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from baseline_project import Project, make_project, runs
from past_runs import past

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.dut.growth import Footprint, ObjectSize
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.profile import Counted, FunctionTime, Profile
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.files import run_directory, write_atomically
from pytest_lan_hil.publish.images import ImageFacts, to_json
from pytest_lan_hil.publish.profile_file import write_profile

STEADY = (10.0, 10.002, 9.998, 10.001, 9.999)
SLOWER = (11.5, 11.502, 11.498, 11.501, 11.499)


class Compared(Project):
    """A project in which `lan-hil compare` is run."""

    @property
    def output(self) -> Path:
        return self.folder / ".hil"

    def compare(self, *arguments: str) -> int:
        code = run(app, ["compare", *arguments])
        captured = self.capsys.readouterr()
        self.out, self.err = captured.out, captured.err
        assert "Traceback" not in self.err
        assert "internal error" not in self.err
        return code

    def found(self, *arguments: str) -> Any:
        assert self.compare(*arguments, "--json") == 0, self.err
        return json.loads(self.out)

    def profile(self, record: RunRecord, amounts: dict[str, int], counted: Counted = Counted.CYCLES) -> None:
        firmware = record.tests[0].firmware
        assert firmware is not None
        rows = tuple(FunctionTime(name, amount, 0.0) for name, amount in amounts.items())
        made = Profile(firmware.sha256, counted, 10, 1.0, 0.5, sum(amounts.values()), rows)
        folder = run_directory(self.output, record.run_id)
        about = {"run_id": record.run_id, "board": record.board, "bench": record.bench}
        write_profile(made, folder, simulated=record.simulated, **about)

    def image(self, firmware: str, objects: dict[str, tuple[int, int]], functions: dict[str, int]) -> None:
        table = Footprint(tuple(ObjectSize(n, *sizes) for n, sizes in objects.items()), "linker map lan.map")
        text = to_json(ImageFacts("lan.elf", table, functions))
        write_atomically(self.output / "images" / f"{firmware * 32}.json", text)


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Compared:
    made = make_project(tmp_path, capsys, monkeypatch)
    return Compared(made.folder, made.capsys)


@pytest.fixture
def two(project: Compared) -> tuple[list[RunRecord], list[RunRecord]]:
    """Branch `old` on firmware aa, branch `new`, 15 % slower, on bb."""
    old = runs(1, STEADY, branch="old")
    new = runs(11, SLOWER, branch="new", firmware="bb")
    project.record([*old, *new])
    return old, new


def test_branches_are_compared_with_intervals_and_a_verdict(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    assert project.compare("old", "new") == 0
    assert "board nrf52840 on bench desk (real)" in project.out
    assert "base: ledger: old: 5 runs of firmware aaaaaaaaaa" in project.out
    assert "REGRESSED" in project.out
    assert "+15.0" in project.out
    (row,) = project.found("old", "new")["comparisons"]
    assert (row["kind"], row["base"]["samples"], row["head"]["samples"]) == ("regressed", 5, 5)
    assert row["change_low"] < 1.5 < row["change_high"]
    assert row["margin"] == pytest.approx(1.0)  # 10 % of the base, the quantity's own


def test_a_regression_ends_with_one_only_if_that_was_asked_for(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    assert project.compare("old", "new", "--fail-on-regression") == 1
    assert project.compare("new", "old", "--fail-on-regression") == 0


def test_runs_commits_files_and_baselines_can_stand_on_either_side(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    old, new = two
    assert project.command("save", "--from", "old") == 0
    record = run_directory(project.output, new[-1].run_id) / "record.json"
    for base in (old[0].run_id, old[0].git_commit, "old", str(project.file)):
        for head in (new[-1].run_id, "latest", str(record), str(record.parent)):
            found = project.found(base, head)
            assert [row["head"]["value"] for row in found["comparisons"]] == [pytest.approx(11.499)], (
                base,
                head,
            )
            assert found["base"]["firmware_sha256"] == "aa" * 32
            assert found["head"]["firmware_sha256"] == "bb" * 32


def test_files_are_compared_where_there_is_no_ledger(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]], tmp_path: Path
) -> None:
    old, new = two
    paths = [str(run_directory(project.output, one[0].run_id)) for one in (old, new)]
    assert project.compare(*paths, "--hil-output", str(tmp_path / "empty")) == 0
    assert project.compare("old", paths[1], "--hil-output", str(tmp_path / "empty")) == 2
    assert "old is no file, and no run is recorded here" in project.err


def test_simulated_is_never_compared_with_real_and_both_are_told(project: Compared) -> None:
    real, simulated = runs(1, STEADY, branch="real"), runs(11, STEADY, branch="virtual", simulated=True)
    project.record([*real, *simulated])
    assert project.compare("real", "virtual") == 2
    assert project.out == ""
    assert (
        "real is of board nrf52840 on bench desk (real),"
        " virtual is of board nrf52840 on bench desk (SIMULATED): these are never compared"
    ) in project.err
    paths = [str(run_directory(project.output, one[0].run_id)) for one in (real, simulated)]
    assert project.compare(*paths) == 2
    assert "(real)" in project.err
    assert "(SIMULATED)" in project.err


def test_of_a_commit_with_runs_on_several_benches_the_one_that_both_sides_have_is_compared(
    project: Compared,
) -> None:
    commit = "1234567" + "0" * 33
    project.record(
        [
            past(1, 10.0, commit=commit),
            past(2, 20.0, commit=commit, bench="lab"),
            past(3, 10.1, bench="desk", branch="new", firmware="bb"),
        ]
    )
    found = project.found("1234567", "new")
    assert (found["bench"], len(found["base"]["runs"])) == ("desk", 1)
    assert project.compare("1234567", "new", "--bench", "lab") == 2


def test_a_branch_is_followed_to_the_bench_that_the_other_side_ran_on(project: Compared) -> None:
    project.record(
        [
            past(1, 10.0, branch="main", bench="desk"),
            past(2, 10.0, branch="new", bench="desk", firmware="bb"),
            past(3, 20.0, branch="main", bench="lab"),
        ]
    )
    assert project.found("main", "new")["bench"] == "desk"


def test_what_was_not_measured_alike_is_left_out_and_named(project: Compared) -> None:
    project.record(
        [
            *runs(1, (10.0,), power=(5.0,), branch="old"),
            *runs(2, (10.0,), power=(5.0,), branch="new", instrument="INA219 0x40"),
        ]
    )
    assert project.compare("old", "new") == 0
    assert "is left out: it was not measured alike (mean in ms by Joulescope JS220 002557" in project.err
    assert project.found("old", "new")["comparisons"] == []


def test_runs_that_judged_nothing_are_still_compared_in_time_and_memory(project: Compared) -> None:
    def bare(number: int, branch: str, firmware: str) -> RunRecord:
        record = past(number, branch=branch, firmware=firmware)
        return replace(record, tests=tuple(replace(test, measurements={}) for test in record.tests))

    old, new = bare(1, "old", "aa"), bare(2, "new", "bb")
    project.record([old, new])
    project.profile(old, {"filter": 100})
    project.profile(new, {"filter": 150})
    found = project.found("old", "new")
    assert found["comparisons"] == []
    assert found["profile"]["functions"][0]["change"] == 5.0
    assert any("no budget and no baseline asked" in line for line in found["notes"])


def test_an_interrupted_run_is_not_compared(project: Compared) -> None:
    project.record([past(1), *runs(2, (10.0,), outcome=Outcome.INTERRUPTED, branch="new")])
    assert project.compare("main", "new") == 2
    assert "was interrupted" in project.err


def test_an_unknown_name_is_refused(project: Compared) -> None:
    project.record([past(1)])
    assert project.compare("main", "nobody") == 2
    assert "'nobody'" in project.err


# What changed ---------------------------------------------------------------------------------------------


def test_functions_that_got_slower_and_objects_that_grew_come_first(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    old, new = two
    project.profile(old[-1], {"filter": 60_000, "fft": 40_000, "main": 1000})
    project.profile(new[-1], {"filter": 75_000, "fft": 38_000, "main": 1000})
    project.image("aa", {"filter.o": (400, 0), "fft.o": (900, 64)}, {"filter": 380, "fft": 900})
    project.image("bb", {"filter.o": (452, 128), "fft.o": (900, 64)}, {"filter": 432, "fft": 900})
    assert project.compare("old", "new") == 0
    time, memory = project.out.split("memory by object file")
    rows = [line.split() for line in time.split("cycles for each inference")[1].splitlines()[2:]]
    assert [row[0] for row in rows[:3]] == ["filter", "fft", "all"]
    assert rows[0] == ["filter", "6000", "7500", "+1500", "(+25.00", "%)", "+14.85", "%", "slower"]
    assert rows[1][-1] == "faster"
    assert "1 functions take as long as before" not in time
    assert "1 function takes as long as before" in time
    lines = [line.split() for line in memory.splitlines()]
    assert ["filter.o", "452", "128", "+52", "+128", "grew"] in lines
    assert ["total", "1352", "192", "+52", "+128"] in lines
    assert ["filter", "380", "432", "+52"] in lines
    found = project.found("old", "new")
    assert found["profile"]["functions"][0]["name"] == "filter"
    assert found["objects"]["rows"][0]["flash"] == 52


def test_the_profile_of_another_run_of_the_same_image_will_do(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    old, new = two
    project.profile(old[0], {"filter": 100})
    project.profile(new[0], {"filter": 120})
    assert project.found(old[-1].run_id, new[-1].run_id)["profile"]["after"] == 12.0


def test_the_profile_of_another_image_that_the_run_had_as_well_will_not_do(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    old, new = two
    project.profile(old[0], {"filter": 100})
    project.profile(replace(new[-1], tests=old[0].tests), {"filter": 120})
    found = project.found("old", "new")
    assert found["profile"] is None
    assert any("no profile of head" in line for line in found["notes"])


def test_how_to_get_what_is_missing_is_told(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    project.profile(two[0][-1], {"filter": 100})
    assert project.compare("old", "new") == 0
    assert "no profile of head, so" in project.err
    assert "pytest --board nrf52840 --bench desk --hil-profile" in project.err
    assert "nothing was kept of its image aaaaaaaaaa" in project.err


def test_cycles_and_samples_are_not_compared(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    project.profile(two[0][-1], {"filter": 100})
    project.profile(two[1][-1], {"filter": 100}, Counted.SAMPLES)
    found = project.found("old", "new")
    assert found["profile"] is None
    assert any("profile both anew" in line for line in found["notes"])


def test_a_damaged_profile_is_told_and_the_rest_compared(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    path = run_directory(project.output, two[0][-1].run_id) / "profile.json"
    path.write_text("{")
    assert project.compare("old", "new") == 0
    assert f"the profile {path} can't be read" in project.err
    assert "REGRESSED" in project.out


def test_the_boards_own_margin_decides(
    project: Compared, two: tuple[list[RunRecord], list[RunRecord]]
) -> None:
    (project.folder / "boards").mkdir()
    board = project.folder / "boards" / "nrf52840.toml"
    board.write_text('target = "nrf52840"\nsupply_v = 3.0\n\n[margins]\nlatency_relative = 0.2\n')
    (row,) = project.found("old", "new")["comparisons"]
    assert (row["kind"], row["margin"]) == ("within", pytest.approx(2.0))
    board.write_text("target = ")
    assert project.compare("old", "new") == 0  # it says nothing about margins, and is not needed
    board.write_text("[margins]\nlatency_relative = 2\n")
    assert project.compare("old", "new") == 2


def test_nothing_heavy_is_loaded(project: Compared, two: tuple[list[RunRecord], list[RunRecord]]) -> None:
    script = (
        "import sys; from pytest_lan_hil.cli.app import app; from pytest_lan_hil.cli.failures import run;"
        " code = run(app, ['compare', 'old', 'new']);"
        " print([m for m in ('pydantic', 'pyocd', 'numpy', 'elftools', 'rich') if m in sys.modules], code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project.folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] 0"
