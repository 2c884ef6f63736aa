"""A trace of MLPerf Tiny's runner judged by pytest: what its record can't say decides nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from energy_traces import write_trace
from virtual_session import run_project

SOURCE = """
    import pytest

    @pytest.mark.latency_budget(12)
    def test_latency(dut):
        dut.run_for(1)

    @pytest.mark.energy_budget(200)
    def test_energy(dut):
        dut.run_for(1)

    @pytest.mark.power_budget(60)
    def test_power(dut):
        dut.run_for(1)
"""


@pytest.mark.parametrize(
    ("named", "outcome"),
    [("", "blocked"), ("?instrument=js110", "passed")],
    ids=["nobody knows the instrument", "the instrument is named"],
)
def test_only_mean_power_is_judged_and_only_of_an_instrument_that_is_known(
    tmp_path: Path, named: str, outcome: str
) -> None:
    energy_uj = np.random.default_rng(3).normal(45.0, 0.5, 20_000)
    trace = write_trace(tmp_path, energy_uj, stamps=[0.1, 2.0, 8.0, 10.0, 16.0])
    session = run_project(tmp_path, SOURCE, "--bench", f"replay:{trace}{named}", "-rs")
    assert session.test("test_power")["outcome"] == outcome, session.said
    for name in ("test_latency", "test_energy"):
        assert session.test(name)["outcome"] == "skipped"
    assert "lacks edges (time stamps of marker line edges)" in session.said
    assert ("the error has no bound" in session.said) == (outcome == "blocked")
    # Only error limits need a voltage, and the record holds none.
    notes = " ".join(session.test("test_power")["measurements"]["power"]["notes"])
    assert ("the supply of 3 V is that of the board file" in notes) == (outcome == "passed")
