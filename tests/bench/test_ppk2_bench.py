"""A PPK2 and a Joulescope on the same virtual load, in two sessions of the same project."""

from __future__ import annotations

import math
from typing import Any

import pytest
from virtual_session import Session, run_project

PROJECT = """
    import pytest

    @pytest.mark.power_budget(1.2)
    def test_listening(dut):
        dut.run_for(20)

    @pytest.mark.latency_budget(12, percentile=50)
    @pytest.mark.energy_budget(uj=100)
    def test_latency(dut):
        dut.infer(100, warmups=3)

    @pytest.mark.power_budget(1.2)
    def test_again(dut):
        dut.run_for(3)
"""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Session]:
    """With the Joulescope, and with the PPK2."""
    folder = tmp_path_factory.mktemp("two-meters")
    return (
        run_project(folder / "joulescope", PROJECT),
        run_project(folder / "ppk2", PROJECT, "--bench", "virtual-ppk2"),
    )


def measured(session: Session, test: str, quantity: str) -> dict[str, Any]:
    assert session.code == 0, session.said
    found: dict[str, Any] = session.test(test)["measurements"][quantity]
    return found


def uncertainty(measurement: dict[str, Any]) -> float:
    estimate = measurement["estimate"]
    return max(estimate["value"] - estimate["low"], estimate["high"] - estimate["value"])


@pytest.mark.parametrize(
    ("test", "quantity"),
    [("test_listening", "power"), ("test_latency", "energy"), ("test_latency", "latency")],
)
def test_both_meters_agree_within_their_stated_uncertainties(sessions, test, quantity):
    joulescope, ppk2 = (measured(session, test, quantity) for session in sessions)
    assert "PPK2" in ppk2["instrument"]
    assert "Joulescope" in joulescope["instrument"]
    apart = abs(ppk2["estimate"]["value"] - joulescope["estimate"]["value"])
    assert apart <= math.hypot(uncertainty(ppk2), uncertainty(joulescope))
    # A PPK2 can't be as sure as a Joulescope: its gain is known to 10 %, its edges to 10 us.
    assert ppk2["estimate"]["instrument_error"] > 2 * joulescope["estimate"]["instrument_error"]


def test_the_ppk2_says_that_it_is_simulated_and_that_the_voltage_is_assumed(sessions):
    power = measured(sessions[1], "test_listening", "power")
    assert power["simulated"]
    assert power["conditions"]["supply"] == "assumed"
    assert any("3 V that the PPK2 was set to" in note for note in power["notes"])
    assert any("range switch of the PPK2" in note for note in power["notes"])


def test_energy_is_uncertain_by_what_the_ppk2s_typical_accuracy_says(sessions):
    energy = measured(sessions[1], "test_latency", "energy")
    assert 0.09 < uncertainty(energy) / energy["estimate"]["value"] < 0.13


def test_a_ppk2_that_is_unplugged_blocks_and_does_not_fail(tmp_path):
    session = run_project(
        tmp_path,
        PROJECT,
        "--bench",
        "virtual-ppk2",
        environment={"LAN_HIL_VIRTUAL_FAULTS": "analyzer_vanish@1"},
    )
    first = session.test("test_listening")
    assert first["outcome"] == "blocked"
    assert "stopped after 1.0" in first["message"]
    assert session.test("test_again")["outcome"] == "blocked"
