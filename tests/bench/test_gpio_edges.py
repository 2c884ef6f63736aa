"""Marker lines on GPIO lines: beside an INA219, and tied to a Joulescope's clock by a sync line."""

from __future__ import annotations

import math
from typing import Any

import pytest
from virtual_session import Session, run_project

PROJECT = """
    import pytest

    @pytest.mark.latency_budget(12)
    @pytest.mark.power_budget(50)
    def test_inference(dut, power, bench):
        with power.capture():
            for _ in range(4):
                dut.infer(30)
                bench.clock.sleep(0.5)

    @pytest.mark.energy_budget(25)
    def test_energy(dut):
        for _ in range(4):
            dut.infer(30)

    @pytest.mark.energy_budget(25)
    def test_one_phase(dut):
        dut.infer(30)
"""
# The phase line ties the clocks; only the GPIO line sees inferences.
SYNCED = """
    probe = "virtual:{virtual}"
    console = "virtual://{virtual}/uart0"
    analyzer = "joulescope+virtual:{virtual}?gpi1={pin.phase}&supply_v={supply_v}"
    edges = "gpiod+virtual:{virtual}?17={pin.inference}&27={pin.phase}"
    sync = "phase"

    [markers]
    phase = "gpi1"

    [edge_lines]
    inference = "17"
    phase = "27"
"""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Session]:
    """The same firmware and the same work on three benches."""
    folder = tmp_path_factory.mktemp("synced")
    (folder / "benches").mkdir()
    text = "\n".join(line.strip() for line in SYNCED.splitlines())
    (folder / "benches" / "synced.toml").write_text(text, encoding="utf-8")
    return {
        "joulescope": run_project(tmp_path_factory.mktemp("joulescope"), PROJECT),
        "ina219": run_project(tmp_path_factory.mktemp("ina219"), PROJECT, "-rs", "--bench", "virtual-ina219"),
        "synced": run_project(folder, PROJECT, "--bench", "synced"),
    }


def measured(session: Session, test: str, quantity: str) -> dict[str, Any]:
    assert session.records, session.said
    found: dict[str, Any] = session.test(test)["measurements"][quantity]
    return found


def pair(sessions: dict[str, Session], bench: str, test: str, quantity: str) -> list[dict[str, Any]]:
    """The same quantity on that bench and on the one whose Joulescope sees every line."""
    return [measured(sessions[name], test, quantity) for name in (bench, "joulescope")]


def contribution(measurement: dict[str, Any], name: str) -> float:
    (half_width,) = [one["half_width"] for one in measurement["contributions"] if one["name"] == name]
    return float(half_width)


def agree(first: dict[str, Any], second: dict[str, Any]) -> bool:
    one, other = first["estimate"], second["estimate"]
    return abs(one["value"] - other["value"]) <= math.hypot(
        *(max(e["high"] - e["value"], e["value"] - e["low"]) for e in (one, other))
    )


def test_a_bench_with_an_ina219_judges_latency_by_its_gpio_lines(sessions: dict[str, Session]) -> None:
    ina, joulescope = pair(sessions, "ina219", "test_inference", "latency")
    assert sessions["ina219"].code == 0, sessions["ina219"].said
    assert sessions["ina219"].test("test_inference")["outcome"] == "passed"
    assert len(ina["values"]) == len(joulescope["values"]) == 120
    assert agree(ina, joulescope)
    # Two stamps, each within 20 us.
    assert contribution(ina, "jitter of two edges") == pytest.approx(math.sqrt(2) * 0.02)
    assert 0.028 < ina["estimate"]["instrument_error"] < 0.03
    assert ina["simulated"] is True


def test_energy_per_inference_is_skipped_there_with_what_is_missing(sessions: dict[str, Session]) -> None:
    assert sessions["ina219"].test("test_energy")["outcome"] == "skipped"
    assert "bench virtual-ina219 lacks power.waveform" in sessions["ina219"].said


def test_its_mean_power_is_that_of_the_phase_windows(sessions: dict[str, Session]) -> None:
    """Half of the capture is rest between the windows, which must not dilute the mean."""
    ina, joulescope = pair(sessions, "ina219", "test_inference", "power")
    assert agree(ina, joulescope)
    off = abs(ina["estimate"]["value"] - joulescope["estimate"]["value"])
    assert off <= math.hypot(ina["estimate"]["instrument_error"], joulescope["estimate"]["instrument_error"])
    assert ina["duration_s"] == pytest.approx(joulescope["duration_s"], rel=0.02)


@pytest.mark.parametrize("quantity", ["latency", "energy"])
def test_a_sync_line_ties_gpio_edges_to_the_joulescope_within_the_stated_uncertainty(
    sessions: dict[str, Session], quantity: str
) -> None:
    assert sessions["synced"].code == 0, sessions["synced"].said
    tied, direct = pair(sessions, "synced", "test_energy", quantity)
    assert len(tied["values"]) == len(direct["values"]) == 120
    assert agree(tied, direct)
    assert tied["estimate"]["instrument_error"] < 0.05 * tied["estimate"]["value"]


def test_a_single_window_of_the_sync_line_is_enough_for_a_verdict(sessions: dict[str, Session]) -> None:
    tied, direct = pair(sessions, "synced", "test_one_phase", "energy")
    assert sessions["synced"].test("test_one_phase")["outcome"] == "passed"
    assert agree(tied, direct)
    assert 0 < contribution(tied, "tie of the clocks") < 0.02 * tied["estimate"]["value"]
    assert "tied by 2 edges of 'phase'" in " ".join(tied["notes"])


def test_the_residual_of_the_tie_is_part_of_the_uncertainty_and_of_the_notes(
    sessions: dict[str, Session],
) -> None:
    tied, direct = pair(sessions, "synced", "test_energy", "energy")
    residual_uj = contribution(tied, "tie of the clocks")
    jitter_uj = contribution(tied, "jitter of two edges")
    assert residual_uj > 0
    assert tied["estimate"]["instrument_error"] >= math.hypot(residual_uj, jitter_uj)
    assert tied["estimate"]["instrument_error"] > 5 * direct["estimate"]["instrument_error"]
    notes = " ".join(tied["notes"])
    assert "edges of inference: stamped by GPIO lines" in notes
    assert "tied by 8 edges of 'phase'" in notes


def test_a_bench_with_gpio_lines_alone_judges_latency_and_skips_power(tmp_path: Any) -> None:
    alone = "\n".join(
        line.strip()
        for line in SYNCED.splitlines()
        if "analyzer" not in line and "sync" not in line and "gpi1" not in line and "[markers]" not in line
    )
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "alone.toml").write_text(alone, encoding="utf-8")
    source = """
        import pytest

        @pytest.mark.latency_budget(12)
        def test_latency(dut):
            dut.infer(100)

        @pytest.mark.power_budget(50)
        def test_power(dut):
            dut.infer(100)
    """
    session = run_project(tmp_path, source, "-rs", "--bench", "alone")
    assert session.code == 0, session.said
    found = measured(session, "test_latency", "latency")
    assert found["n"] == 100
    assert found["estimate"]["value"] == pytest.approx(2.12, abs=0.06)
    assert found["conditions"]["supply"] == "none"
    assert "GPIO" in found["instrument"]
    assert {"latency"} == session.test("test_latency")["measurements"].keys() & {"latency", "energy", "power"}
    assert session.test("test_power")["outcome"] == "skipped"
    assert "bench alone lacks power (mean power" in session.said
