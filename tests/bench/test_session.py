"""A user's project on the shipped virtual bench: what a session measures, judges and leaves behind.

One session holds what most of the tests below look at, because each session costs seconds.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from virtual_session import Session, run_project

from pytest_lan_hil.publish.record import json_schema

PROJECT = """
    import pytest

    def mean_ma(recording):
        return 1e3 * recording.capture.current_a.mean()

    @pytest.mark.power_budget(1.2)
    def test_listening(dut):
        dut.run_for(2)

    @pytest.mark.power_budget(0.01)
    def test_too_hungry(dut):
        dut.run_for(2)

    @pytest.mark.latency_budget(12, percentile=50)
    @pytest.mark.energy_budget(uj=100)
    def test_latency(dut, hil_metrics):
        dut.infer(17, warmups=3)
        hil_metrics.record("wakeups", [3, 4, 5], unit="1")

    def test_fails(dut):
        assert dut.name() == "nobody"

    @pytest.mark.latency_budget(12, percentile=95)
    def test_too_few(dut):
        dut.infer(5)

    @pytest.mark.power_budget(100)
    def test_debugger_left_open(dut):
        with dut.debug():
            dut.run_for(1)

    def test_debugger_draws_current(dut, power):
        with power.capture() as clean:
            dut.sleep(0.5)
        with power.capture() as dirty:
            with dut.debug():
                dut.sleep(0.5)
        assert mean_ma(dirty) > 2 * mean_ma(clean)

    @pytest.mark.latency_budget(12, percentile=50)
    def test_two_captures(dut, power):
        dut.infer(3)
        with power.capture() as first:
            dut.infer(7)
        with power.capture() as second:
            dut.infer(8)
        assert (first.latency.n, second.latency.n) == (7, 8)
        assert first.power.estimate.value > 0

    @pytest.mark.power_budget(100)
    def test_zero_length(dut, power):
        with power.capture():
            pass

    def test_hard_fault(dut):
        dut.command("lnn fault hard")
        dut.name()

    def test_usable_after_the_fault(dut):
        assert dut.name()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def session(folder: Path) -> Session:
    return run_project(folder, PROJECT, "--junitxml=junit.xml")


@pytest.fixture(scope="module")
def cases(folder: Path, session: Session) -> dict[str, ElementTree.Element]:
    """JUnit's test cases by function name."""
    tree = ElementTree.parse(folder / "junit.xml")
    return {str(case.get("name")).split("[")[0]: case for case in tree.iter("testcase")}


def _section(session: Session, name: str) -> str:
    """What the terminal says about one failed test."""
    parts = re.split(r"^_+ (?:ERROR at setup of )?(test_\w+)\[nrf52840\] _+$", session.said, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[name]


def test_outcomes_and_exit_code(session: Session) -> None:
    assert session.code == pytest.ExitCode.TESTS_FAILED
    assert {t["nodeid"].split("::test_")[1].split("[")[0]: t["outcome"] for t in session.record["tests"]} == {
        "listening": "passed",
        "too_hungry": "failed",
        "latency": "passed",
        "fails": "failed",
        "too_few": "blocked",
        "debugger_left_open": "blocked",
        "debugger_draws_current": "passed",
        "two_captures": "passed",
        "zero_length": "blocked",
        "hard_fault": "failed",
        "usable_after_the_fault": "passed",
    }
    assert "Traceback" not in session.said


def test_a_power_budget_alone_measures_and_passes(session: Session) -> None:
    power = session.test("test_listening")["measurements"]["power"]
    assert 0.05 < power["estimate"]["value"] < 1.2
    assert power["estimate"]["low"] < power["estimate"]["value"] < power["estimate"]["high"]
    assert power["simulated"] is True
    assert power["conditions"] == {"probe": "detached", "console": "rest", "supply": "measured"}


def test_exceeded_budget_says_quantity_uncertainty_budget_n_and_record(
    session: Session, folder: Path
) -> None:
    said = _section(session, "test_too_hungry")
    assert re.search(r"the DUT failed: power mean [\d.]+ mW ± [\d.]+ \(n=\d+\) is over 0.01 mW", said)
    assert re.search(r"measured  [\d.]+ ± [\d.]+ mW \(mean, n = \d+, 95 % interval", said)
    assert "budget    ≤ 0.01 mW (marker)" in said
    assert f"record: {next(folder.glob('.hil/runs/*/record.json'))}" in said


def test_every_output_says_simulated(
    session: Session, folder: Path, cases: dict[str, ElementTree.Element]
) -> None:
    assert "SIMULATED" in session.said.partition("collected")[0]
    assert "SIMULATED" in session.said.partition("= hardware in the loop =")[2]
    (run,) = folder.glob(".hil/runs/*")
    for name in ("record.json", "report.html", "report.txt", "metrics.prom"):
        assert "simulated" in (run / name).read_text(encoding="utf-8").lower(), name
    for case in cases.values():
        properties = {node.get("name"): node.get("value") for node in case.iter("property")}
        assert properties["hil_simulated"] == "true"


def test_record_follows_the_published_schema(session: Session) -> None:
    jsonschema.validate(session.record, json_schema())
    assert set(session.test("test_latency")["measurements"]) >= {"latency", "energy", "power", "wakeups"}
    assert session.test("test_fails")["measurements"] == {}
    assert any("m-name" in line["text"] for line in session.test("test_fails")["console"])


def test_firmware_is_proved_from_flash_and_console(session: Session) -> None:
    firmware = session.test("test_listening")["firmware"]
    assert firmware["proved"] is True
    assert len(firmware["flash_sha256"]) == 64
    assert firmware["build"].startswith("git=")


def test_latency_is_measured_once_per_inference_and_nothing_else(session: Session) -> None:
    measurements = session.test("test_latency")["measurements"]
    assert measurements["latency"]["n"] == 17  # none for the warm-ups
    assert measurements["energy"]["n"] == 17


def test_too_few_inferences_are_inconclusive_and_block(
    session: Session, cases: dict[str, ElementTree.Element]
) -> None:
    assert cases["test_too_few"].find("error") is not None
    assert cases["test_too_few"].find("failure") is None
    (verdict,) = session.test("test_too_few")["verdicts"]
    assert verdict["kind"] == "inconclusive"
    assert "p95 needs at least 72 inferences, this test made 5" in verdict["reason"]
    assert session.record["measurements"]["latency"]["n"] == 17 + 15  # the blocked test's five are not in it


def test_debug_session_left_open_blocks_the_measurement(session: Session) -> None:
    assert "debugger was attached" in _section(session, "test_debugger_left_open")
    assert session.test("test_debugger_left_open")["measurements"] == {}


def test_zero_length_capture_is_told_in_words(session: Session) -> None:
    assert "the capture is empty" in _section(session, "test_zero_length")


def test_hard_fault_is_the_duts_failure_with_place_cause_and_console(session: Session) -> None:
    said = _section(session, "test_hard_fault")
    assert "the DUT failed" in said
    assert "core is hardfault" in said
    assert "CFSR 0x" in said
    assert "lnn fault hard%" in said


# --- sessions of their own ------------------------------------------------------------------------------


def test_two_runs_measure_the_same_to_the_byte(tmp_path: Path) -> None:
    """The first flashes an erased board, the second finds the image there."""
    source = """
        import pytest

        @pytest.mark.latency_budget(12, percentile=50)
        @pytest.mark.power_budget(20)
        def test_inference(dut):
            dut.infer(20)

        @pytest.mark.memory_budget
        def test_memory(dut):
            dut.infer(2)
        """
    sessions = [run_project(tmp_path, source) for _ in range(2)]
    assert [session.code for session in sessions] == [0, 0]
    first, second = (
        {test["nodeid"]: test["measurements"] for test in session.record["tests"]} for session in sessions
    )
    assert json.dumps(first) == json.dumps(second)


@pytest.fixture
def sensor(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A board of the project's own on the same virtual silicon, with a target that it can't meet."""
    shipped = request.config.rootpath / "boards" / "nrf52840.toml"
    image = request.config.rootpath / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
    text = shipped.read_text(encoding="utf-8").replace("../firmware/prebuilt/nrf52840/lan.elf", str(image))
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "sensor.toml").write_text(
        text.replace("latency_ms = 12", "latency_ms = 0.01"), encoding="utf-8"
    )


@pytest.mark.usefixtures("sensor")
def test_two_boards_and_two_workers_share_the_silicon_in_turn(tmp_path: Path) -> None:
    """xdist's workers are processes that want one bench: each board's tests go to one of them."""
    source = """
        import pytest

        @pytest.mark.latency_budget(percentile=50)
        def test_latency(dut):
            dut.infer(10)

        def test_name(dut):
            assert dut.name()
        """
    session = run_project(tmp_path, source, "--board", "sensor", "-n", "2", "-v")
    assert re.search(r"PASSED \S+test_latency\[nrf52840\]", session.said)
    assert re.search(r"FAILED \S+test_latency\[sensor\]", session.said)
    assert {record["board"]: (record["outcome"], len(record["tests"])) for record in session.records} == {
        "nrf52840": ("passed", 2),
        "sensor": ("failed", 2),
    }
    assert session.said.count("SIMULATED") >= 2
