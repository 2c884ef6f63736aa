"""What limits, ranges, temperature and time stamps do to power, energy and latency."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from make_captures import EXACT, capture_of, line_of_windows

from pytest_lan_hil.measure.quantities import energy, from_values, latency, mean_power, pool
from pytest_lan_hil.measure.uncertainty import combined, edge_j, shift_j
from pytest_lan_hil.model.capture import CurrentRange, EdgeLine, RangeRuns
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Contribution

RATE = 1e5
RANGES = (CurrentRange(2e-3, 0.01, 1e-6), CurrentRange(20e-3, 0.02, 1e-4))


def by_name(measured):
    return {part.name: part.half_width for part in measured.contributions}


def test_each_range_contributes_its_gain_by_power_and_its_offset_by_time():
    accuracy = replace(EXACT, current_ranges=RANGES)
    half = capture_of(np.repeat([1e-3, 5e-3], 5000), rate_hz=RATE, accuracy=accuracy)
    measured = mean_power(half)
    assert by_name(measured) == pytest.approx(
        {
            "current gain, 2 mA range": 0.01 * 1e-3 / 2 * 3e3,
            "current offset, 2 mA range": 1e-6 / 2 * 3e3,
            "current gain, 20 mA range": 0.02 * 5e-3 / 2 * 3e3,
            "current offset, 20 mA range": 1e-4 / 2 * 3e3,
        },
        rel=1e-6,
    )
    assert measured.estimate.instrument_error == pytest.approx(combined(measured.contributions))


def test_ranges_that_the_instrument_tells_count_and_not_the_size_of_the_current():
    accuracy = replace(EXACT, current_ranges=RANGES)
    held = replace(
        capture_of(np.full(10_000, 1e-3), rate_hz=RATE, accuracy=accuracy),
        ranges=RangeRuns(np.array([0, 2500]), np.array([0, 1])),
    )
    found = by_name(mean_power(held))
    assert found["current gain, 20 mA range"] == pytest.approx(0.02 * 0.75 * 3, rel=1e-3)
    assert found["current gain, 2 mA range"] == pytest.approx(0.01 * 0.25 * 3, rel=1e-3)


def test_current_beyond_the_last_range_has_the_limits_of_the_instrument():
    accuracy = replace(EXACT, current_ranges=RANGES, current_gain=0.05)
    found = by_name(mean_power(capture_of(np.full(10_000, 50e-3), rate_hz=RATE, accuracy=accuracy)))
    assert found == pytest.approx({"current gain, highest range": 0.05 * 150}, rel=1e-6)


@pytest.mark.parametrize(
    ("limit", "name", "expected_mw"),
    [
        ("current_gain_per_k", "current gain, temperature", 1e-4 * 5 * 15),
        ("voltage_gain_per_k", "voltage gain, temperature", 1e-4 * 5 * 15),
        ("current_offset_a_per_k", "current offset, temperature", 1e-4 * 5 * 3e3),
    ],
)
def test_temperature_contributes_its_coefficient_over_the_span_of_the_bench(limit, name, expected_mw):
    accuracy = replace(EXACT, **{limit: 1e-4}, temperature_span_k=5.0)
    measured = mean_power(capture_of(np.full(10_000, 5e-3), rate_hz=RATE, accuracy=accuracy))
    assert by_name(measured) == pytest.approx({name: expected_mw}, rel=1e-6)


def of_power(power_w, **limits):
    empty = np.empty(0, np.float32)
    capture = capture_of([], rate_hz=1000.0, accuracy=replace(EXACT, **limits))
    return replace(capture, current_a=empty, voltage_v=empty, power_w=np.asarray(power_w, np.float64))


def test_a_record_of_power_alone_has_gains_but_no_bound_for_an_offset():
    steady = np.full(2000, 0.02)
    known = mean_power(of_power(steady, current_gain=0.03, voltage_gain=0.04))
    assert known.estimate.instrument_error == pytest.approx(0.05 * 20)
    unknown = mean_power(of_power(steady, current_offset_a=1e-6))
    assert math.isinf(unknown.estimate.instrument_error)
    assert math.isinf(unknown.estimate.high)


def test_power_beside_its_factors_has_the_errors_of_the_factors():
    # As statistics of a Joulescope: the mean of the power is not the product of the means.
    limits = replace(EXACT, current_gain=0.03, current_offset_a=1e-5, voltage_offset_v=0.02)
    made = capture_of(np.full(2000, 5e-3), rate_hz=1000.0, accuracy=limits)
    measured = mean_power(replace(made, power_w=np.full(2000, 0.0155)))
    assert measured.estimate.value == pytest.approx(15.5)
    assert by_name(measured) == pytest.approx(
        {"current gain": 0.03 * 15.5, "current offset": 1e-5 * 3e3, "voltage offset": 0.02 * 5}, rel=1e-6
    )


def test_power_alone_says_what_would_bound_its_error():
    notes = mean_power(of_power(np.full(2000, 0.02), current_offset_a=1e-6)).notes
    assert any("record holds power alone" in note and "?supply_v=3.0" in note for note in notes)
    assert not any("no bound" in note for note in mean_power(of_power(np.full(2000, 0.02))).notes)


def test_an_instrument_that_nobody_knows_leaves_every_quantity_without_bound():
    line = line_of_windows([(100, 300), (500, 700)], 1000, RATE)
    made = capture_of(
        np.full(1000, 5e-3), rate_hz=RATE, markers={"inference": line}, accuracy=replace(EXACT, known=False)
    )
    for measured in (latency(made), energy(made), mean_power(made)):
        assert by_name(measured)["error of the instrument"] == math.inf
        assert (measured.estimate.low, measured.estimate.high) == (-math.inf, math.inf)
        assert any("replay:FILE?instrument=js110" in note for note in measured.notes)


def test_lengths_that_an_edge_source_measured_have_the_error_of_its_clock():
    windows = [(start, start + 100) for start in range(500, 9500, 1000)]
    line = edge_line(windows, 10_000, timebase=1e-3)
    made = capture_of(
        np.full(10_000, 5e-3),
        rate_hz=RATE,
        markers={"inference": line},
        accuracy=replace(EXACT, timebase=0.5),
    )
    assert by_name(latency(made))["clock of the edges"] == pytest.approx(1e-3 * 1.0)
    assert by_name(energy(made))["clock of the edges"] == pytest.approx(1e-3 * 15.0, rel=1e-6)
    for measured in (latency(made), energy(made)):
        assert "sample clock" not in by_name(measured)
    # Then nothing of the analyzer goes into a latency, known or not.
    unknown = replace(made, accuracy=replace(EXACT, known=False))
    assert math.isfinite(latency(unknown).estimate.instrument_error)
    assert math.isinf(energy(unknown).estimate.instrument_error)


def test_an_edge_counts_by_the_larger_power_beside_it():
    power = np.repeat([1.0, 3.0], 50)
    found = edge_j(of_power(power), np.array([0.0, 0.02, 0.05, 0.0502, 0.1]), 1e-3)
    assert found == pytest.approx(1e-3 * np.array([1, 1, 3, 3, 3]))


def test_an_edge_beside_dropped_samples_counts_by_the_side_that_is_known():
    power = np.repeat([1.0, np.nan, 1.0], [50, 5, 45])
    assert edge_j(of_power(power), np.array([0.05]), 1e-3) == pytest.approx(1e-3)


def test_a_common_shift_of_both_edges_costs_the_difference_of_the_powers_there():
    power = np.repeat([1.0, 3.0], 50)
    start_s, stop_s = np.array([0.02, 0.02]), np.array([0.04, 0.08])
    assert shift_j(of_power(power), start_s, stop_s, 2e-3) == pytest.approx([0.0, 4e-3])


def edge_line(windows, count, **errors):
    times = np.array(windows, np.float64).ravel() / RATE
    return EdgeLine(times, high_at_start=False, duration_s=count / RATE, resolution_s=1e-6, **errors)


def test_jitter_and_tie_of_an_edge_source_contribute_to_latency_and_energy():
    windows = [(start, start + 100) for start in range(500, 9500, 1000)]
    current = np.full(10_000, 1e-3)
    for start, stop in windows:
        current[start:stop] = 5e-3
    plain, worse = (
        capture_of(current, rate_hz=RATE, markers={"inference": edge_line(windows, 10_000, **errors)})
        for errors in ({}, {"jitter_s": 20e-6, "tie_s": 50e-6})
    )
    assert set(by_name(latency(plain))) == set(by_name(energy(plain))) == {"two edges"}
    assert by_name(latency(worse))["jitter of two edges"] == pytest.approx(math.sqrt(2) * 20e-3)
    assert "tie of the clocks" not in by_name(latency(worse))
    found = by_name(energy(worse))
    assert found["jitter of two edges"] == pytest.approx(math.sqrt(2) * 20 * 15e-3)
    # Moved by 50 us, a window loses 12 mW more on one side than it wins on the other.
    assert found["tie of the clocks"] == pytest.approx(50 * 12e-3, rel=1e-4)


def test_contributions_of_a_measurement_make_its_instrument_error():
    line = line_of_windows([(100, 300), (500, 700)], 1000, RATE)
    accuracy = replace(EXACT, current_gain=0.01, timebase=1e-3)
    capture = capture_of(np.full(1000, 5e-3), rate_hz=RATE, markers={"inference": line}, accuracy=accuracy)
    for measured in (latency(capture), energy(capture), mean_power(capture)):
        assert measured.estimate.instrument_error == pytest.approx(combined(measured.contributions))
        assert {part.unit for part in measured.contributions} == {measured.unit}


def test_contributions_given_by_hand_are_combined_and_must_be_in_the_unit_of_the_values():
    parts = (Contribution("gain", 3.0, "mW", "x"), Contribution("offset", 4.0, "mW", "x"))
    assert from_values("power", [1.0, 1.0], contributions=parts).estimate.instrument_error == 5.0
    with pytest.raises(InputError, match=r"power is in mW, its contribution 'gain' in W"):
        from_values("power", [1.0], contributions=(Contribution("gain", 3.0, "W", "x"),))
    with pytest.raises(InputError, match="give one or the other"):
        from_values("power", [1.0], contributions=parts, instrument_error=1.0)


def test_an_instrument_error_given_by_hand_is_a_contribution_of_its_own():
    (part,) = from_values("power", [1.0, 1.0], instrument_error=2.0).contributions
    assert (part.name, part.half_width, part.unit) == ("instrument error", 2.0, "mW")
    assert from_values("power", [1.0, 1.0]).contributions == ()


def test_pooling_keeps_the_largest_of_each_contribution():
    first, second = (
        from_values(
            "power", [1.0, 1.0], contributions=tuple(Contribution(*part, "mW", "x") for part in parts)
        )
        for parts in ((("gain", 3.0), ("offset", 1.0)), (("gain", 2.0), ("offset", 4.0)))
    )
    pooled = pool([first, second])
    assert by_name(pooled) == {"gain": 3.0, "offset": 4.0}
    assert pooled.estimate.instrument_error == 5.0


def test_pooling_keeps_the_error_of_a_record_that_does_not_say_what_it_consists_of():
    old = replace(from_values("power", [1.0, 1.0], instrument_error=7.0), contributions=())
    assert pool([old, from_values("power", [1.0, 1.0])]).estimate.instrument_error == 7.0
