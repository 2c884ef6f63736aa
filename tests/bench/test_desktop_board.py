"""The desktop board: the firmware as a real process of this host, through plugin and command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from desktop_image import BOARD, ROOT, build_desktop
from virtual_session import Session, run_project

PROJECT = """
    import time
    import pytest

    @pytest.mark.latency_budget(percentile=50)
    def test_latency(dut):
        dut.infer(60)

    @pytest.mark.latency_budget(100, percentile=50)
    def test_back_to_back(dut):
        dut.set_pace(0)
        dut.infer(20000)

    @pytest.mark.memory_budget
    def test_memory(dut):
        dut.infer(10)

    @pytest.mark.power_budget(1)
    def test_power(dut):
        dut.run_for(1)

    @pytest.mark.needs("probe")
    def test_probe(dut):
        dut.infer(1)

    def test_reset_starts_anew(dut):
        dut.infer(3)
        assert dut.counters()["inferences"] == 3
        dut.reset()
        assert dut.counters()["inferences"] == 0

    def test_crash(dut):
        dut.command("lnn fault hard")

    def test_overflow(dut):
        dut.command("lnn fault stack")

    def test_after_the_crash(dut):
        assert "desktop" in dut.name()

    def test_stack(dut):
        assert 500 < dut.stack_high_water() < 65536
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_desktop(tmp_path_factory.mktemp("desktop"))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, image: Path) -> Session:
    folder = tmp_path_factory.mktemp("project")
    (folder / "boards").mkdir()
    (folder / "boards" / "desktop.toml").write_text(BOARD.format(image=image))
    return run_project(folder, PROJECT, on=("--board", "desktop", "--bench", "desktop"))


def test_latency_is_measured_on_the_real_machine(session: Session) -> None:
    test = session.test("test_latency")
    assert test["outcome"] == "passed", session.said
    latency = test["measurements"]["latency"]
    assert latency["n"] == 60
    assert latency["simulated"] is False
    assert 0 < latency["estimate"]["value"] < 5
    assert "CLOCK_MONOTONIC" in latency["instrument"]
    names = {part["name"] for part in latency["contributions"]}
    assert {"two edges", "jitter of two edges", "clock of the edges"} <= names
    assert session.record["simulated"] is False
    assert "SIMULATED" not in session.said


def test_more_edges_than_the_ring_holds_are_all_there(session: Session) -> None:
    test = session.test("test_back_to_back")
    assert test["outcome"] == "passed", session.said
    assert test["measurements"]["latency"]["n"] == 20000


def test_memory_is_the_peak_of_the_process_with_its_page_size(session: Session) -> None:
    memory = session.test("test_memory")["measurements"]["memory"]
    assert 256 < memory["estimate"]["value"] < 102400
    assert memory["contributions"][0]["name"] == "pages not counted"
    assert f"pages of {os.sysconf('SC_PAGE_SIZE')} bytes" in memory["notes"][0]


def test_power_and_probe_are_skipped_with_the_reason(session: Session) -> None:
    for name, reason in (("test_power", "no supply rail"), ("test_probe", "lacks probe")):
        test = session.test(name)
        assert test["outcome"] == "skipped"
        assert reason in test["message"]


def test_the_image_that_runs_is_proved(session: Session, image: Path) -> None:
    firmware = session.test("test_latency")["firmware"]
    assert firmware["proved"]
    assert firmware["flash_sha256"] == firmware["sha256"]
    assert firmware["build"].startswith("git=")
    assert firmware["image"] == str(image)


def test_a_crash_fails_the_test_with_signal_function_and_console(session: Session) -> None:
    crash = session.test("test_crash")
    assert crash["outcome"] == "failed"
    assert "was ended by SIG" in crash["message"]
    assert "port_fault_hard()" in crash["message"]
    assert any("e-[fault sig" in line["text"] for line in crash["console"])
    overflow = session.test("test_overflow")
    assert overflow["outcome"] == "failed"
    assert "stack overflow" in overflow["message"]
    assert "descend()" in overflow["message"]
    assert session.test("test_after_the_crash")["outcome"] == "passed"
    assert session.test("test_reset_starts_anew")["outcome"] == "passed"


def test_stack_use_comes_from_the_program(session: Session) -> None:
    assert session.test("test_stack")["outcome"] == "passed", session.said


def test_nothing_is_left_behind(session: Session) -> None:
    names = session.record["devices"][-1]["uri"].removeprefix("markers:")
    assert not Path(names).exists()
    assert not Path(names).parent.exists()


def test_boards_on_workers_of_their_own_have_one_table_together(project: Path) -> None:
    """Both boards are the same device, so one worker waits for the other to let go of it."""
    (project / "boards" / "twin.toml").write_text((project / "boards" / "desktop.toml").read_text())
    source = "import pytest\n@pytest.mark.memory_budget\ndef test_memory(dut):\n    dut.infer(1)\n"
    session = run_project(
        project, source, "-n", "2", on=("--board", "twin", "--board", "desktop", "--bench", "desktop")
    )
    assert session.code == 0, session.said
    assert {record["board"] for record in session.records} == {"twin", "desktop"}
    rows = [line.split()[:3] for line in session.said.splitlines() if line.startswith(("quantity", "memory"))]
    assert rows == [
        ["quantity", "board", "measured"],
        ["memory", "twin", "hardware"],
        ["memory", "desktop", "hardware"],
    ]


def run_command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from pytest_lan_hil.cli import main; main()", *words],
        cwd=folder,
        env={**os.environ, "LAN_HIL_STATE": str(folder / "state"), "LAN_HIL_BENCH": "virtual desktop"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path, image: Path) -> Path:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "desktop.toml").write_text(BOARD.format(image=image))
    return tmp_path


def test_commands_take_the_boards_own_bench(project: Path) -> None:
    done = run_command(project, "measure", "--board", "desktop", "--seconds", "3", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["bench"], told["simulated"]) == ("desktop", False)
    assert told["measurements"]["latency"]["n"] > 5
    assert "power" in told["not_measured"]


def test_flash_starts_the_program_and_says_that_it_ends_again(project: Path) -> None:
    done = run_command(project, "flash", "--board", "desktop")
    assert done.returncode == 0, done.stderr
    assert "ends with this command" in done.stdout


def test_the_doctor_looks_at_the_bench_that_serves(project: Path) -> None:
    done = run_command(project, "doctor", "--board", "desktop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bench desktop" in done.stdout
    assert "started only when it is used" in done.stdout
    assert "virtual.toml" not in done.stdout


def test_an_image_that_is_not_there_and_can_not_be_built_is_bad_input(project: Path) -> None:
    board = BOARD.format(image=project / "none").replace("\n\n", '\nbuild = ["make", "-C", "nowhere"]\n\n', 1)
    (project / "boards" / "desktop.toml").write_text(board)
    done = run_command(project, "measure", "--board", "desktop")
    assert done.returncode == 2
    assert "make -C nowhere" in done.stderr
    assert "No such file or directory" in done.stderr


def test_a_program_that_ends_at_once_is_a_dut_that_failed(project: Path) -> None:
    (project / "boards" / "desktop.toml").write_text(BOARD.format(image="/bin/true"))
    done = run_command(project, "measure", "--board", "desktop")
    assert done.returncode == 1
    assert "ended with exit code 0 while it was being talked to" in done.stderr


def test_the_shipped_board_builds_itself_and_meets_its_targets(tmp_path: Path) -> None:
    command = [
        "-m",
        "pytest",
        "--board",
        "desktop",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "tests/hil/test_targets.py",
    ]
    done = subprocess.run(
        [sys.executable, *command, "--hil-output", str(tmp_path / "out")],
        cwd=ROOT,
        env={**os.environ, "LAN_HIL_STATE": str(tmp_path / "state"), "LAN_HIL_BENCH": "virtual desktop"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    (path,) = (tmp_path / "out").glob("runs/*/record.json")
    record = json.loads(path.read_text())
    assert record["outcome"] == "passed"
    assert {"latency", "memory"} <= set(record["measurements"])
