"""A user's project on the shipped virtual bench: what a session measures, judges and leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from pytest_lan_hil.publish.record import json_schema

ON_VIRTUAL = ("--board", "nrf52840", "--bench", "virtual")

THREE_LINES = """
    import pytest

    @pytest.mark.power_budget({limit})
    def test_listening(dut):
        dut.run_for(2)
"""


def _records(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    paths = sorted(pytester.path.glob(".hil/runs/*/record.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def test_power_budget_alone_measures_and_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(THREE_LINES.format(limit=1.2))
    result = pytester.runpytest_subprocess(*ON_VIRTUAL)
    result.assert_outcomes(passed=1)
    (record,) = _records(pytester)
    power = record["measurements"]["power"]
    assert 0.05 < power["estimate"]["value"] < 1.2
    assert power["estimate"]["low"] < power["estimate"]["value"] < power["estimate"]["high"]
    assert power["simulated"] is True
    assert power["conditions"] == {"probe": "detached", "console": "rest", "supply": "measured"}


def test_exceeded_budget_says_quantity_uncertainty_budget_n_and_record(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(THREE_LINES.format(limit=0.01))
    result = pytester.runpytest_subprocess(*ON_VIRTUAL)
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*the DUT failed: *power*mW*0.01 mW*",
            "*measured *mW*n = *",
            "*budget *0.01 mW*",
            "*record: *.hil*record.json*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_every_output_says_simulated(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(THREE_LINES.format(limit=1.2))
    result = pytester.runpytest_subprocess(*ON_VIRTUAL, "--junitxml=junit.xml")
    assert "SIMULATED" in result.stdout.str()
    (folder,) = pytester.path.glob(".hil/runs/*")
    for name in ("record.json", "report.html", "report.txt", "metrics.prom"):
        assert "simulated" in (folder / name).read_text(encoding="utf-8").lower(), name
    properties = {
        node.get("name"): node.get("value")
        for node in ElementTree.parse(pytester.path / "junit.xml").iter("property")
    }
    assert properties["hil_simulated"] == "true"
    assert properties["hil_outcome"] == "passed"


def test_record_follows_the_published_schema(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.latency_budget()
        def test_latency(dut, hil_metrics):
            dut.infer(80)
            hil_metrics.record("wakeups", [3, 4, 5], unit="1")

        def test_fails(dut):
            assert dut.name() == "nobody"
        """
    )
    pytester.runpytest_subprocess(*ON_VIRTUAL).assert_outcomes(passed=1, failed=1)
    (record,) = _records(pytester)
    jsonschema.validate(record, json_schema())
    passed, failed = record["tests"]
    assert set(passed["measurements"]) >= {"latency", "energy", "power", "wakeups"}
    assert failed["measurements"] == {}
    assert any("m-name" in line["text"] for line in failed["console"])


def test_latency_is_measured_once_per_inference_and_nothing_else(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.latency_budget(12, percentile=50)
        @pytest.mark.energy_budget(uj=100)
        def test_latency(dut):
            dut.infer(17, warmups=3)
        """
    )
    pytester.runpytest_subprocess(*ON_VIRTUAL).assert_outcomes(passed=1)
    (record,) = _records(pytester)
    assert record["measurements"]["latency"]["n"] == 17
    assert record["measurements"]["energy"]["n"] == 17


def test_too_few_inferences_are_inconclusive_and_block(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.latency_budget(12, percentile=95)
        def test_latency(dut):
            dut.infer(5)
        """
    )
    result = pytester.runpytest_subprocess(*ON_VIRTUAL, "--junitxml=junit.xml")
    result.assert_outcomes(errors=1)
    assert "blocked" in result.stdout.str()
    case = next(ElementTree.parse(pytester.path / "junit.xml").iter("testcase"))
    assert case.find("error") is not None
    assert case.find("failure") is None
    (record,) = _records(pytester)
    assert record["outcome"] == "blocked"
    assert record["measurements"] == {}
    (verdict,) = record["tests"][0]["verdicts"]
    assert verdict["kind"] == "inconclusive"
    assert "more" in verdict["reason"]


def test_debug_session_left_open_blocks_the_measurement(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.power_budget(100)
        def test_power(dut):
            with dut.debug():
                dut.run_for(1)
        """
    )
    result = pytester.runpytest_subprocess(*ON_VIRTUAL)
    result.assert_outcomes(errors=1)
    assert "debugger was attached" in result.stdout.str()
    (record,) = _records(pytester)
    assert record["outcome"] == "blocked"
    assert record["tests"][0]["measurements"] == {}


def test_open_debug_session_draws_the_debug_current(pytester: pytest.Pytester) -> None:
    """The virtual chip draws it, so the rule above protects against something that is really there."""
    pytester.makepyfile(
        """
        def mean_ma(recording):
            return 1e3 * recording.capture.current_a.mean()

        def test_power(dut, power):
            with power.capture() as clean:
                dut.sleep(0.5)
            with power.capture() as dirty:
                with dut.debug():
                    dut.sleep(0.5)
            assert mean_ma(dirty) > 2 * mean_ma(clean)
        """
    )
    pytester.runpytest_subprocess(*ON_VIRTUAL).assert_outcomes(passed=1)


def test_two_runs_measure_the_same_to_the_byte(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first flashes an erased board, the second finds the image there."""
    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(tmp_path))
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.latency_budget(12, percentile=50)
        @pytest.mark.power_budget(2)
        def test_inference(dut):
            dut.infer(20)

        @pytest.mark.memory_budget()
        def test_memory(dut):
            dut.infer(2)
        """
    )
    for _ in range(2):
        pytester.runpytest_subprocess(*ON_VIRTUAL).assert_outcomes(passed=2)
    first, second = (
        {t["nodeid"]: t["measurements"] for t in record["tests"]} for record in _records(pytester)
    )
    assert json.dumps(first) == json.dumps(second)


def test_power_fixture_decides_what_is_recorded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.latency_budget(12, percentile=50)
        def test_two_captures(dut, power):
            dut.infer(3)
            with power.capture() as first:
                dut.infer(7)
            with power.capture() as second:
                dut.infer(8)
            assert (first.latency.n, second.latency.n) == (7, 8)
            assert first.power.estimate.value > 0
        """
    )
    pytester.runpytest_subprocess(*ON_VIRTUAL).assert_outcomes(passed=1)
    (record,) = _records(pytester)
    assert record["measurements"]["latency"]["n"] == 15


def test_own_board_beside_the_shipped_one(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> None:
    shipped = request.config.rootpath / "boards" / "nrf52840.toml"
    image = request.config.rootpath / "firmware" / "prebuilt" / "nrf52840" / "lan.elf"
    text = shipped.read_text(encoding="utf-8").replace("../firmware/prebuilt/nrf52840/lan.elf", str(image))
    folder = pytester.mkdir("boards")
    (folder / "sensor.toml").write_text(
        text.replace("latency_ms = 12", "latency_ms = 0.01"), encoding="utf-8"
    )
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.latency_budget(percentile=50)
        def test_latency(dut):
            dut.infer(10)
        """
    )
    result = pytester.runpytest_subprocess(*ON_VIRTUAL, "--board", "sensor", "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_latency?nrf52840? PASSED*", "*test_latency?sensor? FAILED*"])
    assert {record["board"]: record["outcome"] for record in _records(pytester)} == {
        "nrf52840": "passed",
        "sensor": "failed",
    }


def test_boards_marker_skips_on_others(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.boards("stm32f4")
        def test_elsewhere(dut):
            raise AssertionError
        """
    )
    result = pytester.runpytest_subprocess(*ON_VIRTUAL, "-rs")
    result.assert_outcomes(skipped=1)
    assert "only for board stm32f4" in result.stdout.str()


def test_dry_run_says_what_it_would_do_and_touches_nothing(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(tmp_path / "virtual"))
    pytester.makepyfile(THREE_LINES.format(limit=1.2))
    result = pytester.runpytest_subprocess(*ON_VIRTUAL, "--hil-dry-run")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*probe *virtual:nrf52840*",
            "*flash *lan.elf*bytes*",
            "*judge *power mean <= 1.2 mW*",
            "*nothing was touched*",
        ]
    )
    assert not (tmp_path / "virtual").exists()
    assert _records(pytester) == []


def test_xdist_workers_share_the_board_in_turn(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(THREE_LINES.format(limit=1.2), test_other=THREE_LINES.format(limit=1.2))
    result = pytester.runpytest_subprocess(*ON_VIRTUAL, "-n", "2", "--dist", "loadgroup")
    result.assert_outcomes(passed=2)
    assert "SIMULATED" in result.stdout.str()
