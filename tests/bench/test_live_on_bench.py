"""The firmware's own metrics on the virtual board: live, over the console and out of RAM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from virtual_session import Session, run_project

PROJECT = """
    from pytest_lan_hil.dut.metrics_source import address_in, ask, read_memory

    def test_ram_and_console_agree(dut, power):
        with power.capture() as captured:
            dut.infer(20)
        told = ask(dut)
        with dut.debug() as target:
            read = read_memory(target.read_memory, address_in(dut.image))
        assert read.latency == told.latency and read.confidence == told.confidence
        assert (read.frames, read.dropped, read.errors) == (20, 0, 0)
        measured = captured.latency.estimate.value
        assert abs(told.latency.mean_ms - measured) < 0.01 * measured, (told.latency.mean_ms, measured)

    def test_ram_is_read_while_the_core_works(dut):
        dut.console.write("lnn listen 3000%")
        seen = []
        with dut.debug() as target:
            for _ in range(20):
                dut.sleep(0.1)
                seen.append(read_memory(target.read_memory, address_in(dut.image)).frames or 0)
        assert seen == sorted(seen) and 50 < seen[-1] - seen[0] < 100, seen
        dut.console.drain(2.0)
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return run_project(tmp_path_factory.mktemp("metrics"), PROJECT)


def test_ram_and_console_tell_the_same_and_what_the_marker_line_tells(session: Session) -> None:
    assert session.test("test_ram_and_console_agree")["outcome"] == "passed"


def test_a_probe_reads_the_metrics_while_the_core_works(session: Session) -> None:
    assert session.test("test_ram_is_read_while_the_core_works")["outcome"] == "passed"


def test_live_shows_what_device_and_instruments_say_of_each_second(tmp_path: Path) -> None:
    own = {"LAN_HIL_STATE": str(tmp_path / "state"), "LAN_HIL_VIRTUAL_STATE": str(tmp_path / "virtual")}
    command = [
        sys.executable,
        "-c",
        "from pytest_lan_hil.cli import main; main()",
        "measure",
        "--live",
        "--json",
        "--seconds",
        "3",
    ]
    done = subprocess.run(
        [*command, "--board", "nrf52840", "--bench", "virtual"],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    *_, last = map(json.loads, done.stdout.splitlines())
    assert (last["worked_s"], last["simulated"], last["rejected"]) == (3.0, True, 0)
    values = last["values"]
    assert values["frames"]["total"] == pytest.approx(93, abs=5)
    assert values["dropped_frames"]["total"] == 0
    assert values["latency"]["piece"] == pytest.approx(values["latency_measured"]["piece"], rel=0.01)
    assert values["power_measured"]["source"].startswith("Joulescope")
    assert 0 < values["cpu_utilisation"]["piece"] < 50
    assert values["temperature"]["piece"] == pytest.approx(25, abs=5)
    assert "memory" in values
