"""The firmware meets the board's targets: latency, energy, power and memory."""

from __future__ import annotations

import pytest

from pytest_lan_hil.dut.dut import Dut


@pytest.mark.latency_budget(percentile=95)
def test_inference_latency(dut: Dut) -> None:
    dut.infer(200, warmups=5)


# Apart from the latency: a bench with a slow meter and GPIO lines has latency only.
@pytest.mark.energy_budget(uj=25)
def test_inference_energy(dut: Dut) -> None:
    dut.infer(200, warmups=5)


@pytest.mark.power_budget
def test_power_while_listening(dut: Dut) -> None:
    dut.run_for(10)


@pytest.mark.memory_budget
def test_memory_after_work(dut: Dut) -> None:
    dut.infer(10)
