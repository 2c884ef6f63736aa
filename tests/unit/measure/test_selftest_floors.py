"""The floors of a bench, from records with a known offset, noise and jitter."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_lan_hil.measure.selftest import edge_floor, idle_floor
from pytest_lan_hil.model.capture import Accuracy, Capture, EdgeLine, Gap, InstrumentIdentity
from pytest_lan_hil.model.errors import MeasurementInvalid
from pytest_lan_hil.model.selftest import SelfTest

RATE = 10_000
NOTHING = Accuracy(0, 1e-6, 0, 0, 0, "made up")


def record(current, markers=None):
    return Capture(
        RATE, current.astype(np.float32), np.full(len(current), 3.0, np.float32),
        InstrumentIdentity("X", "1"), NOTHING, markers or {},
    )  # fmt: skip


def pulses(jitter_s, count=50, missing=0):
    rng = np.random.default_rng(3)
    starts = np.arange(count - missing) * 0.01 + 0.001
    edges = np.sort(np.concatenate([starts, starts + 0.002]))
    edges = edges + rng.normal(0, jitter_s, len(edges)) if jitter_s else edges
    return EdgeLine(edges, False, 1.0, 1e-9)


def test_offset_and_noise_of_an_idle_load_are_found():
    noise = np.random.default_rng(1).normal(0, 1e-6, 5 * RATE)
    found = idle_floor(record(2e-7 + noise))
    expected = 1.96 * 1e-6 / np.sqrt(RATE * found.block_s)
    assert found.offset_a == pytest.approx(2e-7, abs=3e-8)
    assert found.noise_a == pytest.approx(expected, rel=0.35)
    assert found.voltage_v == pytest.approx(3.0)


def test_a_load_that_is_still_connected_is_not_taken_for_an_offset():
    with pytest.raises(MeasurementInvalid, match="something draws current"):
        idle_floor(record(np.full(2 * RATE, 5e-3)))


def test_blocks_with_dropped_samples_are_left_out():
    current = np.full(2 * RATE, 1e-7)
    current[5000:5010] = np.nan
    capture = replace(record(current), gaps=(Gap(5000, 5010),))
    assert idle_floor(capture).offset_a == pytest.approx(1e-7)


def test_a_short_record_and_one_without_supply_are_refused():
    with pytest.raises(MeasurementInvalid, match="long"):
        idle_floor(record(np.zeros(RATE // 2)))
    dead = Capture(RATE, np.zeros(RATE * 2, np.float32), np.zeros(RATE * 2, np.float32),
                   InstrumentIdentity("X", "1"), NOTHING)  # fmt: skip
    with pytest.raises(MeasurementInvalid, match="keep the supply on"):
        idle_floor(dead)


def test_jitter_between_two_inputs_on_one_pin_is_found():
    capture = record(np.zeros(RATE), {"a": pulses(0), "b": pulses(2e-6)})
    found = edge_floor(capture, "a", "b")
    # The length of a pulse has two edges.
    assert found.jitter_s == pytest.approx(1.96 * 2e-6 * np.sqrt(2), rel=0.3)
    assert found.pulses == 50


def test_equal_lines_still_have_the_grid_of_their_stamps_as_floor():
    assert edge_floor(record(np.zeros(RATE), {"a": pulses(0), "b": pulses(0)}), "a", "b").jitter_s == 1e-9


def test_lines_that_do_not_see_one_pin_are_told():
    with pytest.raises(MeasurementInvalid, match="50 pulses and b 49"):
        edge_floor(record(np.zeros(RATE), {"a": pulses(0), "b": pulses(0, missing=1)}), "a", "b")


def test_an_energys_floor_is_that_of_power_over_the_window():
    found = SelfTest("X 1", "now", False, supply_v=3.0, offset_a=-1e-6, noise_a=1e-6, latency_floor_ms=0.002)
    assert found.floor("power") == pytest.approx(0.006)
    assert found.floor("energy", latency_ms=10) == pytest.approx(0.06)
    assert found.floor("energy") is None
    assert found.floor("latency") == 0.002
    assert found.floor("memory") is None
