"""What a session on a bench says and leaves behind: outcomes, messages, JUnit, record, summary."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fake_bench import DESK, FakeBench

from pytest_lan_hil.model.errors import ProbeError

# hypothesis would be imported anew, slowly, by each session in this process
ON_DESK = ("--board", "nrf52840", "--bench", "desk", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")


@pytest.fixture(autouse=True)
def _desk(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("benches") / "desk.toml").write_text(
        DESK + '[markers]\ninference = "gpi0"\nphase = "gpi1"\n'
    )


def _run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess(*ON_DESK, *arguments, no_reraise_ctrlc=True)


def _record(pytester: pytest.Pytester) -> dict[str, Any]:
    (path,) = pytester.path.glob(".hil/runs/*/record.json")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def test_a_failed_budget_shows_figures_console_and_record(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    result = _run(
        pytester,
        """
        import pytest

        @pytest.mark.power_budget(0.01)
        def test_listening(dut):
            dut.run_for(1)
        """,
        "--junitxml=junit.xml",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_a_failed_budget*.py:*: the DUT failed: power mean * mW*0.01 mW*",
            "*measured  * mW (mean, n = *",
            "*budget    *0.01 mW (marker)*",
            "*firmware: *lan.elf, sha256 *, proved on the DUT",
            "record: *.hil/runs/*/record.json",
            "console, last * lines*",
            "*> lnn listen 1000%",
        ]
    )
    said = result.stdout.str()
    shown = next(line for line in said.splitlines() if line.startswith("record: "))
    assert Path(shown.removeprefix("record: ")).is_file()
    case = next(ElementTree.parse(pytester.path / "junit.xml").iter("testcase"))
    assert case.find("failure") is not None
    assert case.find("error") is None
    properties = {node.get("name"): node.get("value") for node in case.iter("property")}
    assert properties["hil_outcome"] == "failed"
    assert properties["hil_simulated"] == "false"
    assert properties["hil_power_verdict"] == "over"
    record = _record(pytester)
    assert record["outcome"] == "failed"
    assert record["simulated"] is False
    assert set(record["measurements"]) == {"power"}


def test_outcomes_of_a_session(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    """What the DUT does wrong fails; what the bench or the test's input does wrong is an error; once each."""
    result = _run(
        pytester,
        """
        import pytest

        @pytest.mark.latency_budget(12, percentile=50)
        @pytest.mark.memory_budget
        def test_passes(dut):
            dut.infer(20)

        def test_fails(dut):
            assert dut.name() == "nobody"

        def test_silent_dut_fails(dut):
            dut.command("die")

        @pytest.mark.latency_budget(12, percentile=99)
        def test_too_few_is_blocked(dut):
            dut.infer(5)

        @pytest.mark.power_budget(100)
        def test_debugger_is_blocked(dut):
            with dut.debug():
                dut.run_for(1)

        @pytest.mark.latency_budget(12)
        def test_marker_never_rises_is_blocked(dut):
            dut.run_for(1)

        @pytest.mark.power_budget(100)
        def test_nothing_recorded_is_bad_input(dut, power):
            dut.run_for(1)

        @pytest.mark.power_budget(100)
        def test_zero_length_is_blocked(dut, power):
            with power.capture():
                pass

        def test_skips(dut):
            pytest.skip("not today")

        @pytest.mark.xfail(strict=True)
        def test_strict_xpass_fails(dut):
            pass

        @pytest.mark.xfail
        def test_xfails(dut):
            assert False

        @pytest.mark.boards("stm32f4")
        @pytest.mark.energy_budget
        def test_elsewhere(dut):
            raise AssertionError
        """,
    )
    result.assert_outcomes(passed=1, failed=3, errors=5, skipped=2, xfailed=1)
    assert "Traceback" not in result.stdout.str()
    record = _record(pytester)
    outcomes = {test["nodeid"].split("::test_")[1].split("[")[0]: test for test in record["tests"]}
    assert {name: test["outcome"] for name, test in outcomes.items()} == {
        "passes": "passed",
        "fails": "failed",
        "silent_dut_fails": "failed",
        "too_few_is_blocked": "blocked",
        "debugger_is_blocked": "blocked",
        "marker_never_rises_is_blocked": "blocked",
        "nothing_recorded_is_bad_input": "blocked",
        "zero_length_is_blocked": "blocked",
        "skips": "skipped",
        "strict_xpass_fails": "failed",
        "xfails": "skipped",
    }
    messages = {name: test["message"] for name, test in outcomes.items()}
    assert "'die%'" in messages["silent_dut_fails"]
    assert "core is sleeping" in messages["silent_dut_fails"]
    assert "debugger was attached" in messages["debugger_is_blocked"]
    assert "stayed low" in messages["marker_never_rises_is_blocked"]
    assert "with power.capture()" in messages["nothing_recorded_is_bad_input"]
    assert "empty" in messages["zero_length_is_blocked"]
    assert record["measurements"]["latency"]["n"] == 20  # blocked tests contribute nothing
    assert outcomes["passes"]["console"] == []
    assert outcomes["fails"]["console"][-2]["text"].startswith("m-name")


def test_a_failure_shows_the_last_200_console_lines_and_an_unfinished_one(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    result = _run(
        pytester,
        """
        def test_noise(dut, bench):
            dut.command("noise 300")
            bench.console._port._sent.append((0.0, b"half a line"))
            assert False
        """,
    )
    said = result.stdout.str()
    assert "console, last 200 lines" in said
    assert "noise 299" in said
    assert "< half a line" in said
    assert "noise 101\n" not in said
    (test,) = _record(pytester)["tests"]
    assert len(test["console"]) == 200


def test_a_dut_that_does_not_come_up_fails_and_is_not_an_error(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    def hang(opened: Any) -> None:
        opened.probe.core = "hardfault"
        opened.console._port.silent = True

    fake_bench.arrange = hang
    result = _run(pytester, "def test_it(dut):\n    pass\n", "--junitxml=junit.xml")
    result.assert_outcomes(failed=1)
    assert "the DUT failed: waiting for m-ready after reset" in result.stdout.str()
    assert "core is hardfault at 0x00001234 in main()" in result.stdout.str()
    assert _record(pytester)["outcome"] == "failed"
    case = next(ElementTree.parse(pytester.path / "junit.xml").iter("testcase"))
    assert case.find("failure") is not None


def test_a_silent_console_with_a_sound_core_blocks_and_the_next_test_does_not_wait_again(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    fake_bench.arrange = lambda opened: setattr(opened.console._port, "silent", True)
    result = _run(pytester, "def test_a(dut):\n    pass\n\ndef test_b(dut):\n    pass\n")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*blocked (no verdict on the DUT): *last bytes: (none)*"])
    assert fake_bench.events.count("flash") == 1
    assert _record(pytester)["outcome"] == "blocked"


def test_an_image_that_is_not_proved_on_the_console_blocks(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    def other_build(opened: Any) -> None:
        opened.console._port.on_command = lambda command: setattr(
            opened.console._port, "build", "git=0,image=0,version=0"
        )

    fake_bench.arrange = other_build
    result = _run(
        pytester, "import pytest\n\n@pytest.mark.power_budget(9)\ndef test_a(dut):\n    dut.run_for(1)\n"
    )
    result.assert_outcomes(errors=1)
    assert "the firmware that answers on the console is not" in result.stdout.str()
    (test,) = _record(pytester)["tests"]
    assert test["measurements"] == {}
    assert test["firmware"] is None


def test_a_bench_that_can_not_be_opened_blocks_and_keeps_its_label(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    """Nothing was measured, yet a virtual bench's run must not be told from a real one by its failure."""
    fake_bench.refuse = ProbeError("no such probe", fix="plug it in")
    (pytester.path / "benches" / "desk.toml").write_text('probe = "virtual:nrf52840"\n')
    result = _run(pytester, "def test_a(dut):\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*SIMULATED: measured on a virtual bench*", "*no such probe*fix: plug it in*"][:1]
    )
    record = _record(pytester)
    assert (record["outcome"], record["simulated"]) == ("blocked", True)


def test_traceback_of_a_blocked_test_only_with_hil_debug(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    fake_bench.refuse = ProbeError("no such probe", fix="plug it in")
    assert "raise self._failure" not in _run(pytester, "def test_a(dut):\n    pass\n").stdout.str()
    result = pytester.runpytest_inprocess(*ON_DESK, "--hil-debug")
    assert "self.run.open()" in result.stdout.str()


def test_without_an_analyzer_what_needs_power_skips_and_says_so(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    (pytester.path / "benches" / "desk.toml").write_text('probe = "jlink:1"\nconsole = "/dev/ttyFAKE0"\n')
    result = _run(
        pytester,
        """
        import pytest

        @pytest.mark.power_budget(1)
        def test_budget(dut):
            dut.run_for(1)

        def test_fixture(dut, power):
            raise AssertionError

        @pytest.mark.memory_budget(32)
        def test_memory(dut):
            dut.name()
        """,
        "-rs",
    )
    result.assert_outcomes(passed=1, skipped=2)
    assert result.stdout.str().count("bench desk lacks power (mean power over a part of the test)") == 2


def test_boards_that_share_a_device_take_turns(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    shipped = Path(__file__).parents[3] / "boards" / "nrf52840.toml"
    image = Path(__file__).parents[3] / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
    text = shipped.read_text(encoding="utf-8").replace("../firmware/prebuilt/nrf52840/lan.elf", str(image))
    (pytester.mkdir("boards") / "sensor.toml").write_text(text, encoding="utf-8")
    result = _run(
        pytester,
        "def test_a(dut):\n    dut.name()\n\ndef test_b(board, dut):\n    assert board.name\n",
        "--board",
        "sensor",
        "-v",
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*test_a?nrf52840? PASSED*", "*test_b?sensor? PASSED*"])
    assert [event for event in fake_bench.events if event in ("open", "close")] == ["open", "close"] * 2
    paths = pytester.path.glob(".hil/runs/*/record.json")
    assert {json.loads(path.read_text())["board"] for path in paths} == {"nrf52840", "sensor"}


@pytest.mark.parametrize("where", ["flash", "lnn listen"])
def test_ctrl_c_leaves_the_board_reset_and_released_and_a_record(
    pytester: pytest.Pytester, fake_bench: FakeBench, where: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def arrange(opened: Any) -> None:
        if where == "flash":
            opened.probe.on_flash = interrupt
        else:
            opened.console._port.on_command = lambda text: interrupt() if text.startswith(where) else None

    fake_bench.arrange = arrange
    result = _run(
        pytester,
        """
        import pytest

        @pytest.mark.power_budget(1)
        def test_long(dut):
            dut.run_for(3600)

        def test_never_reached(dut):
            pass
        """,
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert fake_bench.events[-2:] == ["reset", "close"]
    record = _record(pytester)
    assert record["outcome"] == "interrupted"
    (test,) = record["tests"]
    assert test["outcome"] == "interrupted"
    assert test["measurements"] == {}


def test_a_record_that_can_not_be_written_at_the_end_is_told_and_fails_the_session(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    """The folder was writable at the start and is gone at the end: a full disk, say."""
    result = _run(
        pytester,
        """
        import pathlib

        def test_a(dut):
            runs = pathlib.Path(".hil/runs")
            runs.write_text("in the way")
        """,
    )
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["board nrf52840: THE RUN RECORD IS LOST: writing *record.json*"])
    assert fake_bench.events[-1] == "close"


def test_a_driver_that_fails_while_it_is_released_does_not_cost_the_record(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    def fail() -> None:
        raise OSError("no such device any more")

    fake_bench.on_close = fail
    result = _run(pytester, "def test_a(dut):\n    pass\n")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["warning: releasing nrf52840: no such device any more"])
    assert _record(pytester)["outcome"] == "passed"


def test_only_skipped_tests_leave_no_record(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    _run(pytester, "import pytest\n\n@pytest.mark.skip\ndef test_a(dut):\n    pass\n").assert_outcomes(
        skipped=1
    )
    assert fake_bench.events == []
    assert list(pytester.path.glob(".hil/runs/*")) == []


def test_user_properties_of_the_users_own_stay(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    _run(
        pytester,
        """
        def test_a(dut, record_property, hil_metrics):
            record_property("mine", 3)
            hil_metrics.record("wakeups", [3, 4], unit="1")
        """,
        "--junitxml=junit.xml",
        "-o",
        "junit_family=xunit1",  # record_property warns with any other
    ).assert_outcomes(passed=1)
    properties = {
        node.get("name"): node.get("value")
        for node in ElementTree.parse(pytester.path / "junit.xml").iter("property")
    }
    assert properties["mine"] == "3"
    assert float(properties["hil_wakeups_value"]) == 3.5


# --- images that can't be flashed -----------------------------------------------------------------------

LAN_ELF = Path(__file__).parents[3] / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"


def _refused_image(pytester: pytest.Pytester, fake_bench: FakeBench, image: str | None) -> str:
    """What a session on a board with this image says; nothing may have been flashed."""
    lines = ['target = "nrf52840"', "supply_v = 3.0"]
    lines += ["[flash]", "start = 0", "size_kib = 1024", "[ram]", "start = 0x20000000", "size_kib = 256"]
    lines += [] if image is None else ["[images]", f'lan = "../{image}"']
    (pytester.mkdir("boards") / "mine.toml").write_text("\n".join(lines) + "\n")
    pytester.makepyfile("def test_it(dut):\n    pass\n")
    result = pytester.runpytest_inprocess("--board", "mine", *ON_DESK[2:])
    result.assert_outcomes(errors=1)
    said = result.stdout.str()
    assert "bad input: " in said
    assert "Traceback" not in said
    assert "flash" not in fake_bench.events
    return said


def test_board_without_image_says_what_to_add(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    said = _refused_image(pytester, fake_bench, None)
    assert "board mine names no firmware image" in said
    assert "[images]" in said


def test_image_that_is_not_there_is_named(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    assert "nosuch.elf of board mine is not there" in _refused_image(pytester, fake_bench, "nosuch.elf")


def test_truncated_elf_is_not_flashed(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    (pytester.path / "cut.elf").write_bytes(LAN_ELF.read_bytes()[:2000])
    assert "cut.elf is truncated: it has 2000 bytes" in _refused_image(pytester, fake_bench, "cut.elf")


def test_image_for_another_chip_is_not_flashed(pytester: pytest.Pytester, fake_bench: FakeBench) -> None:
    from intelhex import IntelHex

    image = IntelHex()
    image.puts(0x0800_0000, b"\x00\x00\x02\x20\x01\x01\x00\x08" * 64)
    image.write_hex_file(str(pytester.path / "stm32.hex"))
    said = _refused_image(pytester, fake_bench, "stm32.hex")
    assert "512 bytes at 0x08000000" in said
    assert "the flash of this board is 0x00000000 to 0x000fffff" in said


# --- the gateway ----------------------------------------------------------------------------------------


def test_dead_gateway_is_reported_and_does_not_fail_the_run(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
    result = _run(pytester, "def test_it(dut):\n    pass\n", "--pushgateway", dead)
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    said = result.stdout.str()
    assert f"pushgateway: not pushed: {dead}: Connection refused; later: lan-hil push --hil-output " in said
    (marker,) = pytester.path.glob(".hil/spool/*.json")
    assert marker.stem == _record(pytester)["run_id"]


def test_a_gateway_that_never_answers_costs_three_seconds_and_no_more(
    pytester: pytest.Pytester, fake_bench: FakeBench
) -> None:
    """It accepts (the kernel does, for a listening socket) and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        started = time.monotonic()
        result = _run(pytester, "def test_it(dut):\n    pass\n", "--pushgateway", url)
        taken = time.monotonic() - started
    assert result.ret == 0
    assert f"not pushed: {url} gave no answer within 3 s" in result.stdout.str()
    assert 3 <= taken < 10
