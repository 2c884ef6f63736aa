"""A device's frame as Prometheus samples: the table's names, base units, nothing that it does not know."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics_blocks import HZ, a_block, frame
from prometheus_client.samples import Sample

from pytest_lan_hil.dut.metrics_frame import Block, Present, parse_frame
from pytest_lan_hil.dut.metrics_values import DeviceMetrics, FeatureHistogram
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish.device_metrics import FAMILIES, GAUGES, DeviceLabels, Told, samples
from pytest_lan_hil.publish.openmetrics import metric_names

LABELS = DeviceLabels(board="nrf52840", bench="hall 3", device="d1", simulated=False)
ALL = {"board": "nrf52840", "bench": "hall 3", "device": "d1", "simulated": "false"}


def told(block: Block | None = None, **changes: object) -> Told:
    metrics = parse_frame(frame(block if block is not None else a_block(**changes)))
    return Told(metrics, metrics, metrics, 0.25)


def one(found: dict[str, tuple[Sample, ...]], name: str) -> Sample:
    (sample,) = found[name]
    return sample


def test_each_gauge_is_in_its_base_unit_under_the_tables_name_and_statistic() -> None:
    many = told(drift_buckets=[1000] * 10)
    found = samples(LABELS, many)
    expected = {
        "lan_energy_per_inference_joules": (12e-6, "mean"),
        "lan_power_watts": (1e-3, "mean"),
        "lan_memory_bytes": (20_000, "max"),
        "lan_model_accuracy_ratio": (0.95, "share"),
        "lan_model_confidence_ratio": (0.9, "mean"),
        "lan_false_positive_ratio": (0.02, "share"),
        "lan_feature_drift_ratio": (0.0, "max"),
        "lan_cpu_utilisation_ratio": (0.213, "max"),
        "lan_flash_bytes": (150_000, "max"),
        "lan_memory_available_bytes": (1_000, "min"),
        "lan_temperature_celsius": (-12.25, "max"),
        "lan_battery_life_seconds": (60 * 3600, "mean"),
        "lan_uptime_seconds": (10.0, "min"),
    }
    assert {metric_names(QUANTITIES[quantity]).estimate for quantity in GAUGES} == set(expected)
    for name, (value, statistic) in expected.items():
        sample = one(found, name)
        assert sample.value == pytest.approx(value), name
        assert sample.labels == {**ALL, "statistic": statistic}


def test_every_quantity_is_a_gauge_the_histogram_or_made_from_counters_by_a_rule() -> None:
    from_counters = {"throughput", "dropped_frames"}
    assert set(GAUGES) | {"latency"} | from_counters == set(QUANTITIES)


def test_latency_is_the_devices_own_histogram_in_seconds() -> None:
    found = samples(LABELS, told())["lan_inference_latency_seconds"]
    buckets = {s.labels["le"]: s.value for s in found if s.name.endswith("_bucket")}
    assert list(buckets) == [*(repr((k + 1) / 1000) for k in range(15)), "+Inf"]
    assert buckets["0.008"] == 0
    assert buckets["0.009"] == 3
    assert buckets["0.015"] == 3
    assert buckets["+Inf"] == 4
    rest = {s.name: s.value for s in found if not s.name.endswith("_bucket")}
    assert rest == {
        "lan_inference_latency_seconds_count": 4,
        "lan_inference_latency_seconds_sum": pytest.approx(0.04),
    }


@pytest.mark.parametrize("hz", [1_000_000, 32_000_000, 64_000_000, 100_000_000, 1_000_000_000])
def test_boards_with_other_clocks_have_the_same_buckets(hz: int) -> None:
    edges_us = [100, 250, 500, *(1000 * ms for ms in (1, 2, 3, 4, 5)), 7500, 10_000, 12_000, 15_000]
    edges_us += [20_000, 32_000, 64_000]
    block = a_block(cycle_hz=hz, latency_edges=[hz * us // 1_000_000 for us in edges_us])
    found = samples(LABELS, told(block))["lan_inference_latency_seconds"]
    bounds = [s.labels["le"] for s in found if s.name.endswith("_bucket")]
    assert bounds == [*(repr(us / 1e6) for us in edges_us), "+Inf"]


def test_counters_are_the_devices_own() -> None:
    found = samples(LABELS, told())
    counters = {
        name: one(found, name).value
        for name in ("lan_frames", "lan_dropped_frames", "lan_errors", "lan_device_values_refused")
    }
    assert counters == {
        "lan_frames": 313,
        "lan_dropped_frames": 7,
        "lan_errors": 1,
        "lan_device_values_refused": 2,
    }
    assert one(found, "lan_energy_joules").value == 0.25
    assert one(found, "lan_inference_energy_joules").value == pytest.approx(48e-6)
    assert one(found, "lan_frames").name == "lan_frames_total"


@given(present=st.integers(0, (1 << len(Present)) - 1))
def test_what_a_device_does_not_know_has_no_sample_and_nothing_is_ever_nan(present: int) -> None:
    block = a_block(present=present)
    metrics = parse_frame(frame(block))
    found = samples(LABELS, Told(metrics, metrics, metrics))
    known = Present(present)
    for bit, name in (
        (Present.LATENCY, "lan_inference_latency_seconds"),
        (Present.POWER, "lan_power_watts"),
        (Present.ENERGY, "lan_inference_energy_joules"),
        (Present.TEMPERATURE, "lan_temperature_celsius"),
        (Present.FRAMES, "lan_frames"),
        (Present.FLASH, "lan_flash_size_bytes"),
        (Present.MEMORY_AVAILABLE, "lan_memory_available_bytes"),
    ):
        assert (name in found) == (bit in known)
    values = [sample.value for family in found.values() for sample in family]
    assert all(math.isfinite(value) for value in values)
    assert set(found) <= {family.name for family in FAMILIES}


@pytest.mark.parametrize(
    ("group", "empty", "name"),
    [
        ("power_count", 0, "lan_power_watts"),
        ("energy_count", 0, "lan_energy_per_inference_joules"),
        ("confidence_buckets", [0] * 10, "lan_model_confidence_ratio"),
        ("drift_buckets", [0] * 10, "lan_feature_drift_ratio"),
    ],
)
def test_a_mean_of_nothing_is_absent(group: str, empty: object, name: str) -> None:
    assert name not in samples(LABELS, told(**{group: empty}))


def test_accuracy_without_a_labelled_result_is_absent() -> None:
    assert "lan_model_accuracy_ratio" not in samples(LABELS, told(labelled=0, correct=0))


def test_drift_is_absent_until_chance_alone_scores_less_than_a_hundredth() -> None:
    few = samples(LABELS, told(drift_buckets=[89] * 10))
    enough = samples(LABELS, told(drift_buckets=[90] * 10))
    assert "lan_feature_drift_ratio" not in few
    assert one(enough, "lan_feature_drift_ratio").value == pytest.approx(0.0, abs=1e-9)


def test_drift_is_told_from_the_last_hour_and_not_from_the_start() -> None:
    base = told().now
    quiet = FeatureHistogram(base.features.edges, (0.1,) * 10, (1000,) * 10)
    drifted = FeatureHistogram(quiet.edges, quiet.training, (0,) * 9 + (1000,))
    now: DeviceMetrics = dataclasses.replace(base, features=quiet)
    hour = dataclasses.replace(base, features=drifted)
    assert one(samples(LABELS, Told(now, now, hour)), "lan_feature_drift_ratio").value > 1


def test_a_confidence_whose_counts_have_wrapped_is_absent_and_not_above_one() -> None:
    wrapped = told(confidence_buckets=[0] * 9 + [3], confidence_sum=4_000_000_000_000)
    assert "lan_model_confidence_ratio" not in samples(LABELS, wrapped)


def test_hz_of_the_made_up_device_is_that_of_its_latencies() -> None:
    assert told().now.latency is not None
    assert told().now.latency.cycle_hz == HZ
