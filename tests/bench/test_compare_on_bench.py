"""`--hil-profile` and `lan-hil compare` on the virtual board: which function made the firmware slower."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from required import binary
from virtual_session import ON_VIRTUAL, Session, run_project

from pytest_lan_hil.dut.image import load_image
from pytest_lan_hil.dut.profile import profile, sampled
from pytest_lan_hil.model.profile import Counted
from pytest_lan_hil.run.board_run import BoardRun

ROOT = Path(__file__).resolve().parents[2]
PREBUILT = ROOT / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
SLOWED = "lan_softmax"
TURNS = 600
PROJECT = """
    import pytest

    @pytest.mark.latency_budget(20, percentile=50)
    def test_latency(dut):
        dut.infer(20)
"""


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped firmware with a useless loop in one function."""
    binary("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    make = binary("make", "make")
    folder = tmp_path_factory.mktemp("slower") / "firmware"
    shutil.copytree(
        ROOT / "firmware", folder, ignore=shutil.ignore_patterns("build", "prebuilt", "model", "tests")
    )
    (source,) = [
        path
        for path in folder.glob("common/*.c")
        if re.search(rf"^\w[^;\n]*\b{SLOWED}\(", path.read_text(), re.M)
    ]
    loop = f"\n    for (volatile uint32_t turn = 0; turn < {TURNS}u; turn++) {{\n    }}"
    text, count = re.subn(
        rf"^(\w[^;{{]*\b{SLOWED}\([^;{{]*\{{)", lambda found: found[0] + loop, source.read_text(), flags=re.M
    )
    assert count == 1
    source.write_text(text)
    subprocess.run([make, "-s", "-C", str(folder), "BOARD=nrf52840"], check=True, capture_output=True)
    return folder / "build" / "nrf52840" / "lan.elf"


def run_with(folder: Path, image: Path) -> Session:
    """The project's tests and a profile, on this image of the shipped board."""
    shipped = (ROOT / "boards" / "nrf52840.toml").read_text()
    board = re.sub(r'^lan = ".*"$', f'lan = "{image}"', shipped, flags=re.M)
    assert board != shipped
    (folder / "boards").mkdir(exist_ok=True)
    (folder / "boards" / "nrf52840.toml").write_text(board)
    return run_project(folder, PROJECT, "--hil-profile", on=ON_VIRTUAL)


def compare(folder: Path, *arguments: str) -> Any:
    command = [sys.executable, "-c", "from pytest_lan_hil.cli import main; main()", "compare", *arguments]
    done = subprocess.run([*command, "--json"], cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_function_that_was_made_slower_stands_on_top(slower: Path, tmp_path: Path) -> None:
    base, head = run_with(tmp_path, PREBUILT), run_with(tmp_path, slower)
    assert (base.code, head.code) == (0, 0), head.said
    for session in (base, head):
        folder = tmp_path / ".hil" / "runs" / session.record["run_id"]
        assert f"profile of nrf52840: {folder / 'profile.json'}" in session.said
        made = json.loads((folder / "profile.json").read_text())
        assert (made["counted"], made["simulated"]) == ("cycles", True)
        assert sum(one["amount"] for one in made["functions"]) == made["total"]
        # 64 MHz: what is not cycles was sleep
        assert made["total"] / 64e6 + made["asleep_s"] == pytest.approx(made["duration_s"], abs=1e-9)
    found = compare(tmp_path, base.record["run_id"], head.record["run_id"])
    assert found["simulated"] is True
    first, second = found["profile"]["functions"][:2]
    assert (first["name"], first["state"]) == (SLOWED, "slower")
    # a turn of the loop is two loads, a store, an addition, a comparison and a jump
    assert 8 * TURNS < first["change"] < 16 * TURNS
    assert abs(second["change"]) < first["change"] / 100
    whole = found["profile"]["after"] - found["profile"]["before"]
    assert whole == pytest.approx(first["change"], rel=0.05)
    (latency,) = [one for one in found["comparisons"] if one["subject"]["quantity"] == "latency"]
    assert latency["change"] == pytest.approx(1e3 * first["change"] / 64e6, rel=0.2)  # p95, by edges
    grown = [row["name"] for row in found["objects"]["rows"] if row["state"] == "grew"]
    (sizes,) = [row for row in found["functions"] if row["name"] == SLOWED]
    assert sizes["after"] > sizes["before"]
    assert grown


def test_samples_of_the_program_counter_tell_what_counting_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of a real board, held against every cycle: shares agree within their standard errors."""
    from pytest_lan_hil.config import SearchPath, load_bench, load_board, wire_first

    for name, value in (("LAN_HIL_STATE", tmp_path), ("LAN_HIL_VIRTUAL_STATE", tmp_path / "virtual")):
        monkeypatch.setenv(name, os.fspath(value))
    search = SearchPath.default(ROOT)
    board = load_board("nrf52840", search)
    run = BoardRun(board, *wire_first([load_bench("virtual", search)], board), wait_s=10)
    try:
        run.prepare(None)
        probe, dut = run.open().flashable()
        dut.set_pace(0)
        exact = profile(probe, dut, inferences=10)
        found = sampled(probe, dut, inferences=40, seconds=0.5)
    finally:
        run.close(interrupted=False)
    assert (exact.counted, found.counted) == (Counted.CYCLES, Counted.SAMPLES)
    assert exact.firmware_sha256 == found.firmware_sha256 == load_image(PREBUILT).sha256
    assert found.total > 500
    shares = {one.name: one.amount / exact.total for one in exact.functions}
    (largest, *_) = exact.functions
    awake = sum(one.amount for one in found.functions)
    (same,) = [one for one in found.functions if one.name == largest.name]
    error = same.error / awake
    assert 0 < error < 0.1
    assert abs(same.amount / awake - shares[same.name]) < 4 * error
    assert {one.name for one in found.functions[:5]} <= shares.keys()
