"""The energy of each single window: numbering, uncertainty, and windows that can't be used."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_captures import EXACT, capture_of

from pytest_lan_hil.measure.analysis import window_energies
from pytest_lan_hil.measure.uncertainty import combined
from pytest_lan_hil.measure.windows import Windows
from pytest_lan_hil.model.errors import MeasurementInvalid

RATE = 1000.0


def windows(*edges_s, resolution_s=1e-3, **more):
    start, stop = np.array(edges_s[:-1], np.float64), np.array(edges_s[1:], np.float64)
    return Windows(start, stop, resolution_s, False, False, len(edges_s), **more)


def of_power(power_w, **more):
    empty = np.empty(0, np.float32)
    return replace(
        capture_of([], rate_hz=RATE),
        current_a=empty,
        voltage_v=empty,
        power_w=np.asarray(power_w, np.float64),
        **more,
    )


def test_a_window_has_number_times_energy_and_mean_power():
    first, second = window_energies(of_power(np.full(100, 0.02)), windows(0.010, 0.030, 0.0805))
    assert (first.index, second.index) == (1, 2)
    assert (second.start_s, second.duration_s) == pytest.approx((0.030, 0.0505))
    assert second.energy_uj == pytest.approx(0.02 * 0.0505 * 1e6)
    assert second.mean_power_uw == pytest.approx(20_000)
    assert second.energy_uncertainty_uj == pytest.approx(math.sqrt(2) * 20)


def test_each_edge_is_off_by_the_grid_times_the_larger_power_beside_it():
    power = np.repeat([0.01, 0.03], 50)
    (one,) = window_energies(of_power(power), windows(0.020, 0.050))
    assert {part.name: part.half_width for part in one.contributions} == pytest.approx(
        {"start edge": 10.0, "stop edge": 30.0}
    )
    assert one.energy_uncertainty_uj == pytest.approx(math.hypot(10, 30))


@given(
    power=st.lists(st.floats(0, 10), min_size=20, max_size=40),
    start=st.integers(1, 8),
    length=st.integers(1, 10),
)
def test_every_sum_over_whole_samples_that_the_rounded_stamps_allow_lies_inside(power, start, length):
    stop = start + length
    (one,) = window_energies(of_power(power), windows(start / RATE, stop / RATE))
    for late_start, late_stop in itertools.product((0, 1), repeat=2):
        official_uj = sum(power[start + late_start : stop + late_stop]) / RATE * 1e6
        assert abs(official_uj - one.energy_uj) <= one.energy_uncertainty_uj + 1e-6


def test_a_window_in_a_higher_range_has_more_uncertainty_than_its_neighbour():
    accuracy = replace(EXACT, current_gain=0.01, voltage_offset_v=0.03, timebase=1e-4)
    current = np.repeat([1e-3, 5e-3], 5000)
    low, high = window_energies(
        capture_of(current, rate_hz=RATE, accuracy=accuracy), windows(0, 5, 10, resolution_s=1e-9)
    )
    assert high.energy_uncertainty_uj == pytest.approx(5 * low.energy_uncertainty_uj, rel=1e-3)
    expected = math.hypot(0.01, 0.01, 1e-4) * high.energy_uj
    assert high.energy_uncertainty_uj == pytest.approx(expected, rel=1e-4)
    assert combined(high.contributions) == high.energy_uncertainty_uj


def test_jitter_and_tie_of_the_stamps_count():
    power = np.repeat([0.01, 0.03], 50)
    stamps = windows(0.020, 0.060, resolution_s=0.0, jitter_s=1e-3, tie_s=2e-3)
    (one,) = window_energies(of_power(power), stamps)
    assert {part.name: part.half_width for part in one.contributions} == pytest.approx(
        {"jitter of two edges": math.hypot(10, 30), "tie of the clocks": 2 * (30 - 10)}
    )


def test_edges_without_error_leave_the_energy_of_an_unknown_instrument_unbounded():
    unknown = replace(EXACT, known=False)
    power = np.full(100, 0.02)
    (whole,) = window_energies(of_power(power, accuracy=unknown), windows(0.0, 0.1, resolution_s=0.0))
    assert math.isinf(whole.energy_uncertainty_uj)
    (stamped,) = window_energies(of_power(power, accuracy=unknown), windows(0.01, 0.09))
    assert stamped.energy_uncertainty_uj == pytest.approx(20 * math.sqrt(2))
    (exact,) = window_energies(of_power(power), windows(0.0, 0.1, resolution_s=0.0))
    assert exact.energy_uncertainty_uj == 0


def test_windows_that_can_not_be_used_are_left_out_and_keep_their_number():
    power = np.full(1000, 0.02)
    found = window_energies(of_power(power), windows(0.1, 0.2, 0.9, 1.1))
    assert [one.index for one in found] == [1, 2]
    with pytest.raises(MeasurementInvalid, match="none of the 1 phase windows lies wholly inside"):
        window_energies(of_power(power), windows(0.9, 1.1), name="phase")


def test_no_number_comes_from_a_damaged_or_incomplete_record_or_from_no_window():
    power = np.full(1000, 0.02)
    with pytest.raises(MeasurementInvalid, match="there are no marked windows"):
        window_energies(of_power(power), windows(0.1))
    with pytest.raises(MeasurementInvalid, match="stopped after"):
        window_energies(of_power(power, complete=False), windows(0.1, 0.2))
    power[150] = np.inf
    with pytest.raises(MeasurementInvalid, match="sample 150"):
        window_energies(of_power(power), windows(0.1, 0.2))
