"""What must hold of energies whatever the record: the properties that a reader takes for granted."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_captures import capture_of, line

from pytest_lan_hil.measure.energy import energies, touches_gap
from pytest_lan_hil.measure.windows import find_windows
from pytest_lan_hil.model.capture import Capture, MarkerLine

N = 6000
RATE_HZ = 1e6
# Single precision within 32 samples, in which noise has no more than these to cancel over.
CLOSE = {"rel": 2e-7, "abs": 1e-15}

seeds = st.integers(0, 2**32 - 1)
places = st.floats(0, N, allow_nan=False, allow_subnormal=False)
# No run is so short that it is taken for a bounce.
levels = st.lists(st.tuples(st.booleans(), st.integers(4, 900)), min_size=3, max_size=30).map(
    lambda runs: np.repeat(*np.array([[int(high), length] for high, length in runs]).T)[:N]
)


@st.composite
def loads(draw):
    """Current and voltage: noise, a coarse converter, two levels, or constant."""
    rng = np.random.default_rng(draw(seeds))
    current, voltage = rng.gamma(1.0, 5e-3, N), rng.normal(3.0, 0.05, N)
    kind = draw(st.sampled_from(["noise", "coarse", "two levels", "constant"]))
    if kind == "coarse":
        current, voltage = np.round(current, 4), np.round(voltage, 2)
    elif kind == "two levels":
        current, voltage = np.where(current > 5e-3, 4.1e-3, 2.7e-6), np.full(N, 3.3)
    elif kind == "constant":
        current, voltage = np.full(N, 5.123e-3), np.full(N, 3.3)
    return capture_of(current, voltage, rate_hz=RATE_HZ)


def joules_of(capture: Capture, start: float, stop: float) -> float:
    [joules] = energies(capture, [start / capture.sample_rate_hz], [stop / capture.sample_rate_hz])
    return float(joules)


def part_of(capture: Capture, start: int, stop: int) -> Capture:
    return dataclasses.replace(
        capture, current_a=capture.current_a[start:stop], voltage_v=capture.voltage_v[start:stop]
    )


def power_of(power_w: np.ndarray) -> Capture:
    return dataclasses.replace(capture_of([], rate_hz=RATE_HZ), power_w=power_w)


def total(joules: np.ndarray) -> float:
    return float(joules.sum())


@given(capture=loads(), cuts=st.lists(places, min_size=2, max_size=12))
def test_energy_is_additive_over_adjacent_windows(capture, cuts):
    times = np.sort(cuts) / RATE_HZ
    whole = energies(capture, times[:1], times[-1:])
    parts = energies(capture, times[:-1], times[1:])
    assert total(parts) == pytest.approx(float(whole[0]), **CLOSE)


@given(capture=loads(), cut=st.integers(1, N - 1), ends=st.tuples(places, places))
def test_energy_is_the_same_from_a_capture_in_two_chunks(capture, cut, ends):
    start, stop = sorted(ends)
    left = joules_of(part_of(capture, 0, cut), min(start, cut), min(stop, cut))
    right = joules_of(part_of(capture, cut, N), max(start, cut) - cut, max(stop, cut) - cut)
    assert left + right == pytest.approx(joules_of(capture, start, stop), **CLOSE)


@given(capture=loads(), high=levels, junk=st.integers(0, 255), behind=st.integers(0, 3))
def test_energy_of_marked_windows_is_invariant_to_how_the_marker_is_packed(capture, high, junk, behind):
    tidy = line(high, RATE_HZ)
    bits = tidy.bits.copy()
    if tidy.count % 8:
        bits[-1] |= (junk << tidy.count % 8) & 0xFF
    bits = np.concatenate([bits, np.full(behind, junk, np.uint8)])
    spaced = np.repeat(bits, 2)[::2]  # the same bytes, not next to each other
    edges = np.flatnonzero(np.diff(high)) + 1
    edges = edges[int(high[0]) :]
    edges = edges[: len(edges) // 2 * 2] / RATE_HZ
    expected = energies(capture, edges[0::2], edges[1::2])
    for packed in (tidy.bits, bits, spaced):
        found = find_windows(MarkerLine(packed, tidy.count, RATE_HZ))
        assert energies(capture, found.start_s, found.stop_s).tolist() == expected.tolist()


@given(capture=loads(), ends=st.tuples(places, places), gain=st.floats(1e-3, 1e3))
def test_energy_scales_with_the_gain_of_current_and_of_voltage(capture, ends, gain):
    start, stop = sorted(ends)
    factor = np.float32(gain)
    expected = float(factor) * joules_of(capture, start, stop)
    more_current = dataclasses.replace(capture, current_a=capture.current_a * factor)
    more_voltage = dataclasses.replace(capture, voltage_v=capture.voltage_v * factor)
    near = {"rel": 4e-7, "abs": 1e-15 * max(gain, 1)}
    assert joules_of(more_current, start, stop) == pytest.approx(expected, **near)
    assert joules_of(more_voltage, start, stop) == pytest.approx(expected, **near)


@given(capture=loads(), ends=st.tuples(places, places), power=st.integers(-8, 8))
def test_energy_scales_exactly_with_a_gain_that_is_a_power_of_two(capture, ends, power):
    start, stop = sorted(ends)
    scaled = dataclasses.replace(capture, current_a=capture.current_a * np.float32(2.0**power))
    assert joules_of(scaled, start, stop) == 2.0**power * joules_of(capture, start, stop)


@given(capture=loads(), high=levels, later=st.integers(0, 700))
def test_a_shifted_clock_gives_shifted_windows_of_the_same_energy(capture, high, later):
    windows = find_windows(line(high, RATE_HZ))
    # The clock starts `later` samples earlier: line low or high as it was, and a load that must not matter.
    moved_line = line(np.concatenate([np.full(later, high[0]), high]), RATE_HZ)
    moved = dataclasses.replace(
        capture,
        current_a=np.concatenate([np.full(later, 0.7, np.float32), capture.current_a]),
        voltage_v=np.concatenate([np.full(later, 9.0, np.float32), capture.voltage_v]),
    )
    shifted = find_windows(moved_line)
    assert shifted.start_s == pytest.approx(windows.start_s + later / RATE_HZ, abs=1e-12)
    assert shifted.stop_s == pytest.approx(windows.stop_s + later / RATE_HZ, abs=1e-12)
    before = energies(capture, windows.start_s, windows.stop_s)
    assert energies(moved, shifted.start_s, shifted.stop_s) == pytest.approx(before, **CLOSE)


@given(
    capture=loads(),
    high=levels,
    gap=st.tuples(st.integers(0, N - 1), st.integers(1, 800)),
)
def test_a_gap_never_adds_energy_and_takes_the_windows_that_touch_it(capture, high, gap):
    windows = find_windows(line(high, RATE_HZ))
    before = energies(capture, windows.start_s, windows.stop_s)
    start, stop = gap[0], min(sum(gap), N)
    holed = capture_of(capture.current_a, capture.voltage_v, rate_hz=RATE_HZ, gaps=[(start, stop)])
    after = energies(holed, windows.start_s, windows.stop_s)
    lost = touches_gap(holed.gaps, RATE_HZ, windows.start_s, windows.stop_s)
    first, last = np.rint(windows.start_s * RATE_HZ), np.rint(windows.stop_s * RATE_HZ)
    assert lost.tolist() == ((first <= stop) & (last >= start)).tolist()
    assert np.isnan(after).tolist() == ((first < stop) & (last > start)).tolist()
    assert after[~lost] == pytest.approx(before[~lost], **CLOSE)
    assert total(after[~lost]) <= total(before) * (1 + 1e-6)


@given(capture=loads(), ends=st.lists(st.tuples(places, places), min_size=1, max_size=9))
def test_a_record_of_power_alone_has_the_energy_of_current_times_voltage(capture, ends):
    starts, stops = np.array([sorted(pair) for pair in ends]).T / RATE_HZ
    power = capture.current_a.astype(np.float64) * capture.voltage_v
    expected = energies(capture, starts, stops)
    assert energies(power_of(power), starts, stops) == pytest.approx(expected, **CLOSE)
    single = power_of(power.astype(np.float32))
    assert energies(single, starts, stops) == pytest.approx(expected, **CLOSE)


@given(capture=loads(), ends=st.tuples(places, places), supply_v=st.floats(0.5, 6.0))
def test_an_assumed_voltage_gives_what_the_same_voltage_gives_measured(capture, ends, supply_v):
    start, stop = sorted(ends)
    volts = np.float32(supply_v)
    assumed = dataclasses.replace(capture, voltage_v=np.broadcast_to(volts, N))
    measured = dataclasses.replace(capture, voltage_v=np.full(N, volts))
    assert joules_of(assumed, start, stop) == pytest.approx(joules_of(measured, start, stop), **CLOSE)
