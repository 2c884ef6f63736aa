"""Two images side by side on the virtual bench, and the search for the commit between them.

The slower image is the firmware with a loop in the inference, built here. One session of each kind, because
each costs seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from required import binary
from virtual_session import Session, run_project

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
PROJECT = """
    import pytest

    @pytest.mark.no_regression("latency", "flash")
    @pytest.mark.latency_budget(0.001)
    def test_work(dut):
        dut.infer(10)
"""
# 3000 turns of some ten cycles at 64 MHz: a fifth of an inference.
CALL = "    lan_pipeline_infer(pcm);\n"
LOOP = "    for (volatile uint32_t turn = 0u; turn < 3000u; turn++) {\n    }\n"
# The image of a commit is the one that the commit names.
BUILD = 'mkdir -p build && cp "$IMAGES/$(cat image.txt)" build/lan.elf'


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fast.elf and slow.elf."""
    binary("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    folder = tmp_path_factory.mktemp("images")
    shutil.copy(FIRMWARE / "prebuilt" / "nrf52840" / "lan.elf", folder / "fast.elf")
    copy = folder / "firmware"
    for part in ("common", "cortex_m4", "nrf52840", "tools", "Makefile", "tests.mk"):
        copying = shutil.copytree if (FIRMWARE / part).is_dir() else shutil.copy
        copy.mkdir(exist_ok=True)
        copying(FIRMWARE / part, copy / part)
    source = copy / "common" / "run.c"
    text = source.read_text(encoding="utf-8")
    assert text.count(CALL) == 1
    source.write_text(text.replace(CALL, CALL + LOOP), encoding="utf-8")
    made = subprocess.run(["make", "-C", str(copy), "-j2"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    shutil.copy(copy / "build" / "nrf52840" / "lan.elf", folder / "slow.elf")
    return folder


def _compare(folder: Path, base: Path, head: Path) -> Session:
    return run_project(folder, PROJECT, "-c", "pytest.ini", "--hil-ab", str(base), str(head))


def _found(session: Session) -> dict[str, dict[str, Any]]:
    """Quantity to comparison."""
    return {
        one["subject"]["quantity"]: one for test in session.record["tests"] for one in test["comparisons"]
    }


def test_an_image_is_within_beside_itself(images: Path, tmp_path: Path) -> None:
    session = _compare(tmp_path, images / "fast.elf", images / "fast.elf")
    assert session.code == 0, session.said
    assert {name: one["kind"] for name, one in _found(session).items()} == {
        "latency": "within",
        "flash": "within",
    }
    assert (session.record["kind"], session.record["simulated"]) == ("ab", True)
    assert "both images are the same (an A/A run)" in session.said
    assert "SIMULATED" in session.said


def _lan_hil(folder: Path, *arguments: str, images: Path) -> subprocess.Popen[str]:
    module = "from pytest_lan_hil.cli import main; import sys; main(sys.argv[1:])"
    state = {
        "LAN_HIL_STATE": str(folder / "state"),
        "LAN_HIL_VIRTUAL_STATE": str(folder / "state" / "virtual"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", module, *arguments],
        cwd=folder,
        env={**os.environ, **state, "IMAGES": str(images)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@e.invalid", "-c", "commit.gpgsign=false")
    command = [binary("git", "git"), "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository in whose middle a commit does not build; the last two are slow."""
    folder = tmp_path / "project"
    folder.mkdir()
    _git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "pytest.ini").write_text("[pytest]\nhil_bench = virtual\n")
    (folder / "test_project.py").write_text(textwrap.dedent(PROJECT))
    (folder / ".gitignore").write_text(".hil\nstate\nbuild\n__pycache__\n")
    for number, image in enumerate(["fast", "fast", "fast", "none", "fast", "slow", "slow"]):
        (folder / "image.txt").write_text(f"{image}.elf\n")
        (folder / "number.txt").write_text(f"{number}\n")
        _git(folder, "add", ".")
        _git(folder, "commit", "--quiet", "--message", f"{number}: {image}")
    return folder


SEARCH = (
    "bisect",
    "main~6",
    "main",
    "--board",
    "nrf52840",
    "--image",
    "build/lan.elf",
    "--",
    "sh",
    "-c",
    BUILD,
)


def test_the_guilty_commit_is_named_with_its_comparison(images: Path, project: Path) -> None:
    process = _lan_hil(project, *SEARCH, images=images)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert f"skip: {_git(project, 'rev-parse', 'main~3')[:12]} 3: none: not built: " in said
    lines = said.splitlines()
    (first,) = [line for line in lines if line.startswith("first bad commit: ")]
    assert first == f"first bad commit: {_git(project, 'rev-parse', 'main~1')[:12]} 5: slow"
    (row,) = [line for line in lines if line.startswith("latency per inference")]
    assert "REGRESSED" in row
    assert "+20 %" in row or "+19" in row or "+21" in row
    assert "SIMULATED" in said
    (folder,) = (project / ".hil" / "bisect").iterdir()
    (record,) = folder.glob("runs/*/record.json")  # the other images had been compared already
    assert json.loads(record.read_text(encoding="utf-8"))["kind"] == "ab"
    assert _git(project, "status", "--porcelain") == ""
    assert len(_git(project, "worktree", "list").splitlines()) == 1


def test_ctrl_c_releases_the_bench_and_removes_the_working_tree(images: Path, project: Path) -> None:
    process = _lan_hil(project, *SEARCH, images=images)
    try:
        deadline = time.monotonic() + 60
        logs: list[Path] = []
        while not any("collected" in log.read_text() for log in logs) and time.monotonic() < deadline:
            logs = list(project.glob(".hil/bisect/*/*/session.log"))
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert len(_git(project, "worktree", "list").splitlines()) == 1
    (log,) = logs
    assert "KeyboardInterrupt" in log.read_text()
