"""Broken benches and Ctrl-C on the virtual bench: one clear message, the right outcome, nothing half-written.

What is refused before any device is touched is in tests/unit/plugin.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from virtual_session import run_project

FAULTS = "LAN_HIL_VIRTUAL_FAULTS"

INFER = """
    import pytest

    @pytest.mark.latency_budget(12, percentile=50)
    def test_latency(dut):
        dut.infer(20)

    def test_next(dut):
        assert dut.name()
"""


@pytest.mark.parametrize(
    ("fault", "says", "outcomes"),
    [
        ("stuck_low=gpi0", "marker line 'inference': seen 0 edges", ["blocked", "passed"]),
        ("stuck_high=gpi0", "the line stayed high all the time", ["blocked", "passed"]),
        ("analyzer_vanish@0.1", "s, before it was told to", ["blocked", "passed"]),
        # five of a hundred milliseconds: too many for a number, told as such
        ("drop@0.02:0.01", "lost: ", ["blocked", "passed"]),
        # the second test is refused at once, by what the first has found
        ("console_silent@0", "last bytes: (none)", ["blocked", "blocked"]),
        ("probe_absent", "want probe virtual:nrf52840: not there", ["blocked", "blocked"]),
    ],
)
def test_broken_bench_blocks_and_says_what_broke(
    tmp_path: Path, fault: str, says: str, outcomes: list[str]
) -> None:
    session = run_project(tmp_path, INFER, environment={FAULTS: fault})
    assert session.code == pytest.ExitCode.TESTS_FAILED
    assert "blocked (no verdict on the DUT)" in session.said
    assert says in session.said
    assert "Traceback" not in session.said
    assert [test["outcome"] for test in session.record["tests"]] == outcomes
    assert session.record["simulated"] is True
    assert session.record["measurements"] == {}


def test_garbage_on_the_console_is_survived_kept_and_escaped(tmp_path: Path) -> None:
    source = """
        def test_garbage(dut):
            dut.sleep(2)
            assert dut.name()
            raise AssertionError("show the console")
        """
    session = run_project(tmp_path, source, environment={FAULTS: "console_garbage@1.0:64"})
    assert session.test("test_garbage")["message"].endswith("show the console")
    texts = [line["text"] for line in session.test("test_garbage")["console"]]
    assert any("\\x" in text for text in texts)
    assert any(text.startswith("m-name") for text in texts)
    assert session.said.replace("\n", "").isprintable()


# A real signal, sent from inside the process at the moment that is meant.
INTERRUPTED_CAPTURE = """
    import os, signal, threading

    import pytest

    @pytest.mark.power_budget(1.2)
    def test_long(dut):
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        dut.run_for(3600)
"""
INTERRUPTED_FLASH = """
    import os, signal

    from pytest_lan_hil.dut.probe import Probe

    plain_flash = Probe.flash

    def flash(self, image, *, progress=None):
        def interrupt(share):
            if 0.6 < share < 0.9:
                os.kill(os.getpid(), signal.SIGINT)
        return plain_flash(self, image, progress=interrupt)

    Probe.flash = flash

    def test_flash(dut):
        raise AssertionError("it was flashed nevertheless")
"""


@pytest.mark.parametrize("source", [INTERRUPTED_CAPTURE, INTERRUPTED_FLASH], ids=["capture", "flash"])
def test_ctrl_c_leaves_a_record_and_a_free_board(tmp_path: Path, source: str) -> None:
    session = run_project(tmp_path, source)
    assert session.code == pytest.ExitCode.INTERRUPTED, session.said
    assert "hil" not in session.said.partition("Traceback")[2]
    assert session.record["outcome"] == "interrupted"
    (test,) = session.record["tests"]
    assert (test["outcome"], test["measurements"]) == ("interrupted", {})
    assert not list(tmp_path.glob(".hil/**/.*-*"))  # no temporary file is left
    again = run_project(tmp_path, "def test_it(dut):\n    assert dut.name()\n")
    assert again.code == pytest.ExitCode.OK, again.said
