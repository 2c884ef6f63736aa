"""Sampling keeps energy exact; the instrument stays within its limits; noise is the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lan_hil.virtual.sampling import (
    RANGES,
    VOLTAGE_GAIN_LIMIT,
    VOLTAGE_OFFSET_LIMIT_V,
    Noise,
    Runs,
    Sensor,
    packed_levels,
    sample_means,
)
from pytest_lan_hil.virtual.traces import Recorder, Steps

PERIOD = 64


@st.composite
def signals(draw):
    periods = draw(st.integers(1, 40)) * 8
    start = draw(st.integers(0, 10_000))
    ticks = sorted(draw(st.sets(st.integers(1, periods * PERIOD - 1), max_size=60)))
    levels = draw(
        st.lists(st.sampled_from([0.0, 3e-6, 1e-3, 3.3e-3]), min_size=len(ticks) + 1, max_size=len(ticks) + 1)
    )
    return Steps(
        start,
        start + periods * PERIOD,
        levels[0],
        np.array([start + t for t in ticks], dtype=np.int64),
        np.array(levels[1:], dtype=np.float64),
    )


def every_tick(steps):
    """The signal at every tick, the slow and obvious way."""
    out = np.full(steps.stop - steps.start, steps.initial)
    for tick, value in zip(steps.ticks, steps.values, strict=True):
        out[tick - steps.start :] = value
    return out


@settings(max_examples=200, deadline=None)
@given(signals())
def test_each_sample_is_the_mean_over_its_period(steps):
    runs = sample_means(steps, PERIOD)
    expected = every_tick(steps).reshape(-1, PERIOD).mean(axis=1)
    assert np.repeat(runs.value, runs.count) == pytest.approx(expected, abs=1e-15)


@settings(max_examples=200, deadline=None)
@given(signals())
def test_packed_levels_are_the_level_at_the_start_of_each_period(steps):
    bits = Steps(
        steps.start, steps.stop, float(steps.initial > 0), steps.ticks, (steps.values > 0).astype(float)
    )
    unpacked = np.unpackbits(packed_levels(bits, PERIOD), bitorder="little")
    assert unpacked.tolist() == every_tick(bits)[::PERIOD].astype(int).tolist()


@settings(max_examples=100, deadline=None)
@given(signals(), st.lists(st.integers(1, 5000), max_size=6))
def test_a_recorder_cut_into_pieces_loses_nothing(steps, cuts):
    recorder = Recorder(steps.start, steps.initial)
    for tick, value in zip(steps.ticks, steps.values, strict=True):
        recorder.add(int(tick), float(value))
    stops = sorted({min(steps.start + cut, steps.stop) for cut in cuts} | {steps.stop})
    pieces = [every_tick(recorder.take(stop)) for stop in stops]
    assert np.array_equal(np.concatenate(pieces), every_tick(steps))
    assert len(recorder) == 0


def test_a_change_undone_at_the_same_tick_leaves_no_trace():
    recorder = Recorder(0, 1.0)
    recorder.add(10, 2.0)
    recorder.add(10, 1.0)
    steps = recorder.take(20)
    assert every_tick(steps).tolist() == [1.0] * 20


@pytest.mark.parametrize("level_a", [5e-6, 100e-6, 1e-3, 3.3e-3, 50e-3, 1.0])
def test_reported_current_stays_within_the_limits_of_its_range(level_a):
    for serial in ("000001", "000002", "123456"):
        sensor = Sensor(serial, Noise(1))
        runs = Runs(np.array([level_a]), np.array([1 << 20]))
        ranges = sensor.ranges(runs)
        limit = RANGES[ranges[0]]
        assert limit.full_scale_a >= level_a
        mean = float(sensor.current(runs, ranges, 0).mean(dtype=np.float64))
        assert abs(mean - level_a) <= level_a * limit.gain_limit + limit.offset_limit_a


def test_reported_voltage_is_the_supply_less_the_burden_within_limits():
    sensor = Sensor("000001", Noise(1))
    runs = Runs(np.array([3.3e-3]), np.array([1 << 20]))
    ranges = sensor.ranges(runs)
    mean = float(sensor.voltage(runs, ranges, 3.0, 0).mean(dtype=np.float64))
    expected = 3.0 - 3.3e-3 * RANGES[ranges[0]].shunt_ohm
    assert abs(mean - expected) <= 3.0 * VOLTAGE_GAIN_LIMIT + VOLTAGE_OFFSET_LIMIT_V


def test_serial_numbers_differ_and_repeat():
    runs = Runs(np.array([3.3e-3]), np.array([1000]))

    def mean(serial):
        sensor = Sensor(serial, Noise(1))
        return float(sensor.current(runs, sensor.ranges(runs), 0).mean())

    assert mean("000001") == mean("000001") != mean("000002")


def test_noise_depends_on_position_and_seed_only():
    runs = Runs(np.array([3.3e-3]), np.array([2000]))
    sensor = Sensor("000001", Noise(7))
    ranges = sensor.ranges(runs)
    whole = sensor.current(runs, ranges, 0)
    half = Runs(runs.value, np.array([1000]))
    parts = [sensor.current(half, ranges, 0), sensor.current(half, ranges, 1000)]
    assert np.array_equal(whole, np.concatenate(parts))
    other = Sensor("000001", Noise(8)).current(runs, ranges, 0)
    assert not np.array_equal(whole, other)
    assert whole.std() == pytest.approx(RANGES[ranges[0]].noise_a, rel=0.1)


def test_samples_do_not_depend_on_how_the_signal_is_cut_into_runs():
    sensor = Sensor("000001", Noise(1))
    few = Runs(np.array([3.3e-3]), np.array([1000]))
    many = Runs(np.full(100, 3.3e-3), np.full(100, 10))
    assert np.array_equal(
        sensor.current(few, sensor.ranges(few), 5), sensor.current(many, sensor.ranges(many), 5)
    )
