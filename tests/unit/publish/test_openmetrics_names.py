"""Metrics: named by the quantity table, in base units, labelled, bounded, and never from a blocked test."""

from __future__ import annotations

import dataclasses
import math
import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from publish_samples import (
    BLOCKED,
    COMPARED,
    COMPARING,
    FAILED,
    INCONCLUSIVE,
    LATENCY,
    OWN,
    POWER,
    RECORD,
    REGRESSED,
)

from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.measurement import Budget, Outcome
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.model.record import RunKind, RunRecord
from pytest_lan_hil.publish.openmetrics import BUCKETS, metric_names, registry, render, render_openmetrics

BASE_UNITS = {"seconds", "joules", "watts", "bytes", "ratio", "amperes", "volts", "celsius", "hertz"}
WITH_LATENCY = dataclasses.replace(RECORD, measurements={"latency": LATENCY, "power": POWER})


def samples(record=RECORD):
    return [sample for family in registry(record).collect() for sample in family.samples]


def value(name: str, record=RECORD, **labels: str) -> float | None:
    return registry(record).get_sample_value(
        name, {"board": "nrf52840", "bench": "virtual", "simulated": "true", **labels}
    )


def test_every_quantity_is_named_in_a_base_unit() -> None:
    for quantity in QUANTITIES.values():
        names = metric_names(quantity)
        assert names.unit in BASE_UNITS, f"{quantity.metric} must end in a base unit"
        all_names = [names.plain, names.estimate, names.low, names.high, names.budget, names.baseline]
        assert all(name.startswith("lan_") and name.endswith(names.unit) for name in all_names)
        assert len({names.plain, names.low, names.high, names.budget, names.baseline}) == 5


def test_figures_are_in_base_units() -> None:
    assert value("lan_power_watts", statistic="mean") == pytest.approx(1.31053e-3, rel=1e-4)
    assert value("lan_power_low_watts", statistic="mean") == pytest.approx(POWER.estimate.low / 1000)
    assert value("lan_power_high_watts", statistic="mean") == pytest.approx(POWER.estimate.high / 1000)
    assert value("lan_memory_bytes", statistic="max") == 21.25 * 1024
    assert value("lan_budget_power_watts", statistic="mean") == pytest.approx(1.2e-3)


def test_latency_is_a_histogram_of_its_values_with_an_estimate_beside_it() -> None:
    assert value("lan_inference_latency_seconds_count", WITH_LATENCY) == 4
    assert value("lan_inference_latency_seconds_sum", WITH_LATENCY) == pytest.approx(
        sum(LATENCY.values) / 1000
    )
    assert value("lan_inference_latency_seconds_bucket", WITH_LATENCY, le="0.0068") == 0
    assert value("lan_inference_latency_seconds_bucket", WITH_LATENCY, le="0.01") == 4
    estimate = value("lan_inference_latency_estimate_seconds", WITH_LATENCY, statistic="p95")
    assert estimate == pytest.approx(9.88125e-3)
    assert value("lan_inference_latency_high_seconds", WITH_LATENCY, statistic="p95") == math.inf


@given(st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=50))
def test_histogram_buckets_rise_to_the_count(values: list[float]) -> None:
    measurement = dataclasses.replace(LATENCY, values=tuple(values), n=len(values))
    record = dataclasses.replace(RECORD, tests=(), measurements={"latency": measurement})
    found = [s.value for s in samples(record) if s.name == "lan_inference_latency_seconds_bucket"]
    assert found == sorted(found)
    assert len(found) == len(BUCKETS) + 1
    assert found[-1] == len(values)


def test_buckets_bound_the_error_of_a_quantile_to_half() -> None:
    assert all(1 < after / before < 1.52 for before, after in pairwise(BUCKETS))


def test_every_series_says_whether_it_is_simulated_and_of_which_bench() -> None:
    assert all(s.labels["simulated"] == "true" for s in samples())
    assert all(s.labels["board"] == "nrf52840" and s.labels["bench"] == "virtual" for s in samples())
    real = dataclasses.replace(RECORD, simulated=False, measurements={})
    assert all(s.labels["simulated"] == "false" for s in samples(real))


def test_a_simulated_measurement_in_a_real_run_keeps_its_label() -> None:
    mixed = dataclasses.replace(RECORD, simulated=False)
    assert {s.labels["simulated"] for s in samples(mixed) if s.name == "lan_power_watts"} == {"true"}


def test_no_label_is_a_run_id_or_a_commit_and_the_hash_is_in_the_info_metric_only() -> None:
    for sample in samples():
        values = " ".join(sample.labels.values())
        assert RECORD.run_id not in values
        assert RECORD.git_commit not in values
        assert ("3f" * 32 in values) == (sample.name == "lan_firmware_info")


def test_a_run_of_blocked_tests_publishes_outcomes_but_no_measurement() -> None:
    blocked = dataclasses.replace(RECORD, outcome=Outcome.BLOCKED, tests=(BLOCKED,), measurements={})
    assert value("lan_run_outcome", blocked, outcome="blocked") == 1
    assert value("lan_run_outcome", blocked, outcome="passed") == 0
    assert value("lan_run_tests", blocked, outcome="blocked") == 1
    assert {s.name for s in samples(blocked)} == {
        "lan_run_timestamp_seconds",
        "lan_run_duration_seconds",
        "lan_run_outcome",
        "lan_run_tests",
    }


def test_a_blocked_tests_measurement_is_not_published() -> None:
    blocked = dataclasses.replace(RECORD, tests=(INCONCLUSIVE,), measurements={})
    names = {s.name for s in samples(blocked)}
    assert not any("latency" in name for name in names - {"lan_budget_inference_latency_seconds"})


def test_a_users_own_quantity_stays_in_the_record() -> None:
    record = dataclasses.replace(RECORD, measurements={"wake words per minute": OWN})
    assert not any("wake" in f"{s.name}{s.labels}" for s in samples(record))


def test_the_loosest_of_several_budgets_is_published_beside_the_pooled_figure() -> None:
    loose = dataclasses.replace(FAILED.verdicts[0], budget=Budget("power", 5.0, "mean", "marker"))
    record = dataclasses.replace(
        RECORD, tests=(dataclasses.replace(FAILED, verdicts=(loose, *FAILED.verdicts)),)
    )
    assert value("lan_budget_power_watts", record, statistic="mean") == pytest.approx(5e-3)


def test_last_success_is_this_run_if_it_passed_and_else_what_is_known() -> None:
    name = "lan_run_last_success_timestamp_seconds"
    labels = {"board": "nrf52840", "bench": "virtual", "simulated": "true"}
    passed = dataclasses.replace(RECORD, outcome=Outcome.PASSED)
    assert registry(passed, last_success_s=5.0).get_sample_value(name, labels) == 1795496442.5
    assert registry(RECORD, last_success_s=5.0).get_sample_value(name, labels) == 5.0
    assert registry(RECORD).get_sample_value(name, labels) is None


def test_openmetrics_text_parses_and_carries_the_runs_own_time() -> None:
    text = render_openmetrics(WITH_LATENCY)
    assert text.endswith("# EOF\n")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["lan_inference_latency_seconds"].type == "histogram"
    assert families["lan_firmware"].type == "info"
    stamps = {float(s.timestamp) for family in families.values() for s in family.samples}
    assert stamps == {1795496442.5}


def test_text_format_has_no_time_stamps_because_the_pushgateway_refuses_them() -> None:
    assert not [
        line
        for line in render(RECORD).splitlines()
        if not line.startswith("#") and len(line.rsplit("} ")[1].split()) > 1
    ]


def test_shares_are_ratios_and_other_units_are_scaled_to_their_base() -> None:
    made = {
        "accuracy": from_values("accuracy", [100.0] * 19 + [0.0]),
        "battery": from_values("battery", [2.0, 2.0]),
        "throughput": from_values("throughput", [400.0]),
        "temperature": from_values("temperature", [-10.0]),
    }
    record = dataclasses.replace(RECORD, simulated=True, measurements=made)
    assert value("lan_model_accuracy_ratio", record, statistic="share") == pytest.approx(0.95)
    assert value("lan_battery_life_seconds", record, statistic="mean") == 7200
    assert value("lan_inference_throughput_hertz", record, statistic="min") == 400
    assert value("lan_temperature_celsius", record, statistic="max") == -10


def test_of_several_floors_the_lowest_is_the_loosest() -> None:
    floors = tuple(
        dataclasses.replace(FAILED.verdicts[0], budget=Budget("accuracy", limit, "share", "marker"))
        for limit in (90.0, 95.0, 93.5)
    )
    record = dataclasses.replace(RECORD, tests=(dataclasses.replace(FAILED, verdicts=floors),))
    assert value("lan_budget_model_accuracy_ratio", record, statistic="share") == pytest.approx(0.90)


def test_the_baseline_that_a_run_was_compared_with_is_published_in_the_base_unit() -> None:
    assert value("lan_baseline_power_watts", COMPARING, statistic="mean") == pytest.approx(1.1021e-3)
    assert value("lan_baseline_memory_bytes", COMPARING, statistic="mean") == 21.25 * 1024
    # of a repeated test the last repeat stands, and a comparison without a baseline has no series
    assert value("lan_baseline_inference_latency_seconds", COMPARING, statistic="mean") == 9.7e-3
    assert not [s for s in samples(COMPARING) if s.name == "lan_baseline_energy_per_inference_joules"]
    assert not [s for s in samples(RECORD) if s.name.startswith("lan_baseline_")]


@pytest.mark.parametrize(("quantity", "worst"), [("power", 1.4e-3), ("accuracy", 0.9)])
def test_of_several_tests_baselines_the_worst_is_published(quantity: str, worst: float) -> None:
    found = {"power": (1.1, 1.4, 1.2), "accuracy": (95.0, 90.0, 93.0)}[quantity]
    assert REGRESSED.base is not None
    tests = tuple(
        dataclasses.replace(
            COMPARED,
            nodeid=f"t.py::test_{number}",
            comparisons=(
                dataclasses.replace(
                    REGRESSED,
                    subject=dataclasses.replace(REGRESSED.subject, quantity=quantity),
                    base=dataclasses.replace(REGRESSED.base, value=base),
                ),
            ),
        )
        for number, base in enumerate(found)
    )
    record = dataclasses.replace(COMPARING, tests=tests)
    name = metric_names(QUANTITIES[quantity]).baseline
    assert value(name, record, statistic="mean") == pytest.approx(worst)


def test_the_base_image_of_an_ab_run_is_no_baseline() -> None:
    record = dataclasses.replace(COMPARING, kind=RunKind.AB)
    assert not [s for s in samples(record) if s.name.startswith("lan_baseline_")]


def everything() -> RunRecord:
    """A run that measured and judged every quantity of the table."""
    values = {"share": [100.0, 0.0]}
    made = {
        name: from_values(name, values.get(row.statistic, [1.0, 2.0])) for name, row in QUANTITIES.items()
    }
    verdicts = tuple(
        dataclasses.replace(FAILED.verdicts[0], budget=Budget(name, 3.0, row.statistic, "marker"))
        for name, row in QUANTITIES.items()
    )
    test = dataclasses.replace(FAILED, measurements=made, verdicts=verdicts)
    return dataclasses.replace(RECORD, tests=(test,), measurements=made)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: apt install prometheus")
def test_promtool_finds_nothing_to_say_about_the_names() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=render(everything()),
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
