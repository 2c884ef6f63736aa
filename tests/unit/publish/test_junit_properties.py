"""JUnit properties: outcome, label, firmware, figures and verdicts, all prefixed."""

from __future__ import annotations

import dataclasses

from publish_samples import BLOCKED, FAILED, INCONCLUSIVE, POWER

from pytest_lan_hil.publish.junit import properties


def test_failed_test_carries_figures_label_and_verdict() -> None:
    found = dict(properties(FAILED))
    assert found["hil_outcome"] == "failed"
    assert found["hil_simulated"] == "true"
    assert found["hil_firmware_sha256"] == "3f" * 32
    assert float(found["hil_power_value"]) == POWER.estimate.value
    assert float(found["hil_power_low"]) == POWER.estimate.low
    assert float(found["hil_power_high"]) == POWER.estimate.high
    assert found["hil_power_unit"] == "mW"
    assert found["hil_power_n"] == "3"
    assert found["hil_power_budget"] == "mean 1.2 mW"
    assert found["hil_power_verdict"] == "over"


def test_open_interval_is_written_as_inf() -> None:
    assert dict(properties(INCONCLUSIVE))["hil_latency_high"] == "inf"


def test_a_test_that_measured_nothing_has_no_figures_and_takes_the_runs_label() -> None:
    assert properties(BLOCKED) == [("hil_outcome", "blocked")]
    assert properties(BLOCKED, simulated=True) == [("hil_outcome", "blocked"), ("hil_simulated", "true")]


def test_a_simulated_measurement_can_not_be_labelled_real() -> None:
    assert dict(properties(FAILED, simulated=False))["hil_simulated"] == "true"
    real = dataclasses.replace(FAILED, measurements={"power": dataclasses.replace(POWER, simulated=False)})
    assert dict(properties(real))["hil_simulated"] == "false"


def test_every_name_begins_with_hil() -> None:
    assert all(name.startswith("hil_") for name, _ in properties(FAILED))
