"""A kept capture judged again without a board, and a bench that has measured itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from virtual_session import run_project

_LAN_HIL = "from pytest_lan_hil.cli import main; main()"
SOURCE = """
    import pytest

    @pytest.mark.latency_budget(12)
    @pytest.mark.energy_budget(25)
    def test_inference(dut):
        dut.infer(100)

    def test_answers(dut):
        assert dut.infer(1).results

    @pytest.mark.memory_budget(32)
    def test_memory(dut):
        dut.infer(1)
"""


def test_a_kept_capture_is_judged_like_the_board_that_made_it(tmp_path: Path) -> None:
    live = run_project(tmp_path, SOURCE, "--hil-save-captures")
    assert live.code == pytest.ExitCode.OK, live.said
    (kept,) = tmp_path.glob(".hil/runs/*/capture-001.jls")
    again = run_project(
        tmp_path, SOURCE, "--bench", f"replay:{kept}", "-rs", "--pushgateway", "http://[::1]:1"
    )
    assert again.code == pytest.ExitCode.OK, again.said
    assert again.record["simulated"] is True
    for quantity in ("latency", "energy"):
        first, second = (run.test("test_inference")["measurements"][quantity] for run in (live, again))
        assert second["values"] == pytest.approx(first["values"], rel=1e-6)
        assert second["estimate"]["value"] == pytest.approx(first["estimate"]["value"], rel=1e-6)
    assert again.test("test_inference")["outcome"] == "passed"
    assert again.test("test_answers")["outcome"] == "skipped"
    assert again.test("test_memory")["outcome"] == "skipped"
    assert "results of dut.infer can't be had from a recorded capture" in again.said
    assert "bench replay lacks memory" in again.said
    assert "not pushed: a recorded capture was judged" in again.said
    assert not list(tmp_path.glob(".hil/spool/*replay*"))
    twice = SOURCE + SOURCE.replace("def test_", "def test_again_").replace("    import pytest\n", "")
    doubled = run_project(tmp_path, twice, "--bench", f"replay:{kept}")
    # One record is one record, however many tests read it.
    assert doubled.record["measurements"]["latency"]["n"] == live.record["measurements"]["latency"]["n"]


def test_a_replay_of_a_file_that_is_not_there_blocks_nothing_silently(tmp_path: Path) -> None:
    session = run_project(tmp_path, SOURCE, "--bench", "replay:absent.jls")
    assert session.code != pytest.ExitCode.OK
    assert "absent.jls" in session.said
    assert session.record["outcome"] == "blocked"
    assert not (tmp_path / ".hil" / "spool").exists()
    assert "Traceback" not in session.said


def _selftest(folder: Path, *arguments: str, faults: str = "") -> subprocess.CompletedProcess[str]:
    own = {"LAN_HIL_STATE": str(folder / "state"), "LAN_HIL_VIRTUAL_STATE": str(folder / "state" / "virtual")}
    return subprocess.run(
        [sys.executable, "-c", _LAN_HIL, "selftest", "--board", "nrf52840", *arguments],
        cwd=folder,
        env={**os.environ, **own, "LAN_HIL_VIRTUAL_FAULTS": faults},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_record_and_one_line_twice_are_no_self_test(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    replay = _selftest(tmp_path, "--bench", "replay:run.npz", "--idle", "2")
    assert (replay.returncode, "is a record, not a bench" in replay.stderr) == (2, True)
    twin = _selftest(tmp_path, "--bench", "virtual", "--loop", "inference:inference")
    assert (twin.returncode, "does not name two marker lines" in twin.stderr) == (2, True)


def test_a_bench_measures_itself_and_refuses_budgets_below_its_floor(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[2] / "benches" / "virtual.toml").read_text(encoding="utf-8")
    text = shipped.replace("gpi1={pin.phase}", "gpi1={pin.phase}&gpi2={pin.inference}")
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "desk.toml").write_text(text + 'twin = "gpi2"\n', encoding="utf-8")
    (tmp_path / "pytest.ini").touch()
    idle = _selftest(tmp_path, "--bench", "desk", "--idle", "2", faults="load_open")
    assert idle.returncode == 0, idle.stderr
    assert "(simulated)" in idle.stdout
    loop = _selftest(tmp_path, "--bench", "desk", "--loop", "inference:twin")
    assert loop.returncode == 0, loop.stderr
    found = json.loads((tmp_path / "benches" / "desk.selftest.json").read_text())
    # Both parts are kept, the one by the other; the grid of a JS220's inputs is 0.5 us.
    assert found["offset_a"] is not None
    assert found["latency_floor_ms"] == pytest.approx(0.5e-3, rel=0.01)
    source = """
        import pytest

        @pytest.mark.latency_budget(0.0004, percentile=50)
        def test_faster_than_can_be_seen(dut):
            dut.infer(50)
        """
    session = run_project(tmp_path, source, "--bench", "desk")
    assert session.record["tests"][0]["outcome"] == "blocked"
    assert "lies below this bench's floor of 0.0005 ms" in session.said
