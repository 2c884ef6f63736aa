import math
from dataclasses import replace

import numpy as np
import pytest
from make_captures import EXACT, capture_of, line, line_of_windows

from pytest_lan_hil.measure.quantities import energy, from_values, latency, mean_power, memory, pool
from pytest_lan_hil.model.capture import Accuracy, CurrentRange
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Conditions

RATE = 1e5


def busy_capture(windows, count=100_000, *, idle_a=1e-3, busy_a=5e-3, noise_a=0.0, marker_rate=RATE, **more):
    """Idle current everywhere, busy current inside the windows (in samples), marker line at its own rate."""
    current = np.full(count, idle_a)
    for start, stop in windows:
        current[start:stop] = busy_a
    current += np.random.default_rng(5).normal(0, noise_a, count) if noise_a else 0.0
    ratio = round(marker_rate / RATE)
    marker = line_of_windows([(a * ratio, b * ratio) for a, b in windows], count * ratio, marker_rate)
    return capture_of(current, rate_hz=RATE, markers={"inference": marker}, **more)


PERIODIC = [(start, start + 150) for start in range(500, 100_000, 1000)]


def test_latency_is_the_length_of_each_window_in_ms():
    measured = latency(busy_capture([(100, 300), (1000, 1250)]))
    assert measured.values == pytest.approx((2.0, 2.5))
    assert (measured.quantity, measured.unit, measured.n) == ("latency", "ms", 2)
    assert measured.estimate.statistic == "p95"
    assert measured.instrument == "Test analyzer 7"
    assert not measured.simulated


def test_a_marker_line_at_another_rate_is_on_the_same_clock():
    windows = [(100, 300), (1000, 1250)]
    slow, fast = busy_capture(windows), busy_capture(windows, marker_rate=4 * RATE)
    assert latency(fast).values == pytest.approx(latency(slow).values)
    assert energy(fast).values == pytest.approx(energy(slow).values)
    assert latency(fast).estimate.instrument_error == pytest.approx(
        latency(slow).estimate.instrument_error / 4
    )


def test_latency_error_holds_the_sample_period_of_both_edges_and_the_clock():
    edges_ms = 1.96 * 1e3 / RATE / math.sqrt(6)
    assert latency(busy_capture(PERIODIC)).estimate.instrument_error == pytest.approx(edges_ms)
    slow = replace(EXACT, timebase=0.01)
    with_clock = latency(busy_capture(PERIODIC, accuracy=slow)).estimate.instrument_error
    assert with_clock == pytest.approx(math.hypot(edges_ms, 0.01 * 1.5))


def test_energy_is_current_times_voltage_over_each_window_in_uj():
    measured = energy(busy_capture([(100, 300), (1000, 1250)]))
    assert measured.values == pytest.approx((5e-3 * 3 * 2e-3 * 1e6, 5e-3 * 3 * 2.5e-3 * 1e6))
    assert (measured.unit, measured.estimate.statistic) == ("uJ", "mean")


@pytest.mark.parametrize(
    ("accuracy", "expected_mw"),
    [
        (replace(EXACT, current_gain=0.01), 0.01 * 15),
        (replace(EXACT, voltage_gain=0.02), 0.02 * 15),
        (replace(EXACT, current_offset_a=1e-4), 1e-4 * 3 * 1e3),
        (replace(EXACT, voltage_offset_v=0.01), 0.01 * 5),
        (Accuracy(0.03, 0.0, 0.04, 0.0, 0.0, "two"), 0.05 * 15),
    ],
)
def test_power_error_follows_gain_and_offset_at_the_actual_current(accuracy, expected_mw):
    constant = capture_of(np.full(10_000, 5e-3), rate_hz=RATE, accuracy=accuracy)
    assert mean_power(constant).estimate.instrument_error == pytest.approx(expected_mw, rel=1e-6)


def test_energy_error_is_the_power_error_over_the_window_with_edges_and_clock():
    accuracy = Accuracy(0.01, 0.0, 0.0, 0.0, 0.02, "made up")
    measured = energy(busy_capture(PERIODIC, accuracy=accuracy))
    joules_uj = 5e-3 * 3 * 1.5e-3 * 1e6
    edges_uj = 1.96 / math.sqrt(6) / RATE * 15e-3 * 1e6
    expected = math.hypot(0.01 * joules_uj, 0.02 * joules_uj, edges_uj)
    assert measured.estimate.instrument_error == pytest.approx(expected, rel=1e-5)


def test_an_auto_ranging_instrument_has_the_errors_of_the_ranges_in_use():
    ranges = (CurrentRange(2e-3, 0.0, 1e-6), CurrentRange(20e-3, 0.0, 1e-4))
    accuracy = replace(EXACT, current_ranges=ranges, current_offset_a=1.0)
    idle = capture_of(np.full(10_000, 1e-3), rate_hz=RATE, accuracy=accuracy)
    half = capture_of(np.repeat([1e-3, 5e-3], 5000), rate_hz=RATE, accuracy=accuracy)
    assert mean_power(idle).estimate.instrument_error == pytest.approx(1e-6 * 3e3)
    assert mean_power(half).estimate.instrument_error == pytest.approx(math.hypot(1e-6, 1e-4) / 2 * 3e3)


def test_windows_over_a_gap_are_dropped_and_counted_never_zero():
    whole = energy(busy_capture(PERIODIC))
    holed = energy(busy_capture(PERIODIC, gaps=[(1550, 1560), (5400, 5420)]))
    assert holed.n == whole.n - 1
    assert set(np.round(holed.values, 6)) == set(np.round(whole.values, 6))
    assert "1 of 100 windows overlap dropped samples and are not used" in holed.notes
    assert holed.lost_share == pytest.approx(30 / 100_000)
    assert latency(busy_capture(PERIODIC, gaps=[(1550, 1560)])).n == whole.n - 1


def test_too_many_dropped_samples_make_the_measurement_invalid():
    with pytest.raises(MeasurementInvalid, match=r"2\.00% of the samples \(limit 1%\) were lost"):
        energy(busy_capture(PERIODIC, gaps=[(0, 2000)]))


def test_too_many_windows_with_gaps_make_the_measurement_invalid():
    gaps = [(start + 10, start + 11) for start, _ in PERIODIC[:20]]
    with pytest.raises(MeasurementInvalid, match="samples in 20 of 100 inference windows were lost"):
        latency(busy_capture(PERIODIC, gaps=gaps))


def test_a_nan_outside_every_gap_makes_the_measurement_invalid_and_is_located():
    capture = busy_capture(PERIODIC)
    capture.current_a[1600] = np.nan
    with pytest.raises(MeasurementInvalid, match=r"sample 1600 \(at 0\.016000 s\) is nan A and 3\.0 V"):
        energy(capture)
    capture.current_a[1600] = np.inf
    with pytest.raises(MeasurementInvalid, match=r"sample 1600 .* is inf A"):
        mean_power(capture)


def test_an_incomplete_capture_is_invalid():
    with pytest.raises(MeasurementInvalid, match=r"Test analyzer 7 stopped after 1\.000 s"):
        latency(busy_capture(PERIODIC, complete=False))


def test_windows_beyond_the_end_of_the_current_are_not_used():
    capture = busy_capture([(100, 300), (1000, 1250)])
    short = replace(capture, current_a=capture.current_a[:1100], voltage_v=capture.voltage_v[:1100])
    measured = energy(short)
    assert measured.n == 1
    assert "1 window cut by the start or end of the record, not used" in measured.notes
    shorter = replace(capture, current_a=capture.current_a[:200], voltage_v=capture.voltage_v[:200])
    with pytest.raises(MeasurementInvalid, match="none of the 2 inference windows lies wholly inside"):
        energy(shorter)


def test_an_assumed_supply_voltage_is_said():
    measured = energy(busy_capture(PERIODIC, supply="assumed"))
    assert "supply voltage assumed, not measured" in measured.notes
    assert measured.conditions.supply == "assumed"


def test_mean_power_of_a_periodic_load_uses_whole_periods():
    measured = mean_power(busy_capture(PERIODIC, noise_a=1e-4))
    assert measured.n == 49  # of 2 periods, one of 3
    assert measured.estimate.value == pytest.approx(3.0 * (0.15 * 5 + 0.85 * 1), rel=1e-3)
    assert measured.estimate.uncertainty < 0.01
    assert any("whole periods" in note for note in measured.notes)
    assert measured.duration_s == pytest.approx(0.99)


def test_mean_power_is_energy_over_time_also_for_unequal_periods():
    windows = [(500, 700), (1500, 1700), (2600, 2800), (3300, 3500)]
    measured = mean_power(busy_capture(windows, count=4000))
    cycles = np.full(4000, 1e-3)
    for start, stop in windows:
        cycles[start:stop] = 5e-3
    assert measured.n == 3
    assert measured.estimate.value == pytest.approx(float(np.mean(cycles[500:3300])) * 3e3, rel=1e-6)


def test_a_record_that_is_only_partly_periodic_is_measured_whole():
    burst = [(start, start + 150) for start in range(500, 10_000, 1000)]
    measured = mean_power(busy_capture(burst))
    busy = len(burst) * 150
    expected = 3.0 * (busy * 5 + (100_000 - busy)) / 100_000
    assert measured.estimate.value == pytest.approx(expected, rel=1e-6)


def test_correlation_longer_than_a_block_widens_the_interval_of_an_unmarked_load():
    rng = np.random.default_rng(8)
    slow = np.repeat(rng.normal(2e-3, 2e-4, 50), 2000)
    white = rng.permutation(slow)
    correlated, independent = (mean_power(capture_of(one, rate_hz=RATE)) for one in (slow, white))
    assert correlated.n == independent.n == 64
    assert correlated.estimate.uncertainty > 5 * independent.estimate.uncertainty
    assert abs(correlated.estimate.value - 6.0) < correlated.estimate.uncertainty


def test_a_drifting_load_has_an_infinite_interval_and_says_how_long_would_settle_it():
    measured = mean_power(capture_of(np.linspace(1e-3, 2e-3, 100_000), rate_hz=RATE))
    assert measured.n == 1
    assert measured.estimate.value == pytest.approx(4.5, rel=1e-6)
    assert math.isinf(measured.estimate.high)
    assert any("measure for at least 4 s" in note for note in measured.notes)


def test_a_wander_within_the_offset_of_the_instrument_is_covered_by_it_and_needs_no_longer_record():
    load = capture_of(np.linspace(1e-3, 1.001e-3, 100_000), rate_hz=RATE)
    measured = mean_power(replace(load, accuracy=replace(EXACT, current_offset_a=1e-6)))
    assert measured.estimate.instrument_error == pytest.approx(3e-3)
    assert measured.estimate.uncertainty < 2 * measured.estimate.instrument_error
    assert any("by less than the instrument's own offset limit" in note for note in measured.notes)
    finer = mean_power(replace(load, accuracy=replace(EXACT, current_offset_a=1e-8)))
    assert math.isinf(finer.estimate.uncertainty)


def test_a_repeating_load_that_changes_once_has_a_wide_but_finite_interval():
    windows = [(start, start + 100) for start in range(0, 64_000, 1000)]
    steady = busy_capture(windows, count=64_000)
    current = steady.current_a.copy()
    current[30_000:] *= 1.02
    changed = mean_power(replace(steady, current_a=current))
    spread = changed.spread.maximum - changed.spread.minimum
    assert spread < changed.estimate.uncertainty < 10 * spread
    assert any("varies slowly" in note for note in changed.notes)
    assert not any("varies slowly" in note for note in mean_power(steady).notes)


def test_a_record_of_a_few_samples_has_an_infinite_interval():
    assert math.isinf(mean_power(capture_of(np.full(20, 1e-3), rate_hz=RATE)).estimate.high)


def test_spans_select_the_measured_part():
    current = np.full(100_000, 9e-3)
    current[20_000:60_000] = 1e-3
    capture = capture_of(current, rate_hz=RATE)
    by_span = mean_power(capture, spans=[(0.2, 0.4), (0.4, 0.6)])
    by_ends = mean_power(capture, start_s=0.2, stop_s=0.6)
    assert by_span.estimate.value == pytest.approx(3.0, rel=1e-6)
    assert by_ends.estimate.value == pytest.approx(3.0, rel=1e-6)
    assert by_ends.duration_s == pytest.approx(0.4)


def test_a_gap_is_left_out_of_the_mean_power_and_adds_nothing():
    gap = mean_power(capture_of(np.full(100_000, 2e-3), rate_hz=RATE, gaps=[(40_000, 40_500)]))
    assert gap.estimate.value == pytest.approx(6.0, rel=1e-6)
    assert gap.duration_s < 1 - 0.005


def test_spans_that_cannot_be_measured_are_refused():
    capture = capture_of(np.full(1000, 1e-3), rate_hz=RATE)
    with pytest.raises(MeasurementInvalid, match=r"ends at 0\.020000 s, the capture already at 0\.010000 s"):
        mean_power(capture, spans=[(0.0, 0.02)])
    with pytest.raises(InputError, match="has no length"):
        mean_power(capture, spans=[(0.005, 0.005)])
    with pytest.raises(InputError, match="no spans"):
        mean_power(capture, spans=[])
    with pytest.raises(InputError, match="spans and also"):
        mean_power(capture, spans=[(0.0, 0.01)], stop_s=0.01)


def test_a_span_that_ends_with_the_marker_line_less_than_a_sample_later_is_measured():
    capture = capture_of(np.full(1000, 1e-3), rate_hz=RATE)
    assert mean_power(capture, spans=[(0.0, 0.010005)]).estimate.value == pytest.approx(3.0, rel=1e-6)


@pytest.mark.parametrize("measure", [latency, energy, mean_power])
def test_an_empty_capture_is_invalid_for_every_quantity(measure):
    with pytest.raises(MeasurementInvalid, match="empty"):
        measure(capture_of([], markers={"inference": line([])}))


@pytest.mark.parametrize("rate", [0.0, -5.0, math.nan])
def test_a_capture_without_a_sample_rate_is_invalid(rate):
    with pytest.raises(MeasurementInvalid, match="samples per second"):
        mean_power(capture_of([1.0, 1.0], rate_hz=rate))


def test_current_and_voltage_of_different_length_are_invalid():
    with pytest.raises(MeasurementInvalid, match="2 samples of current and 3 of voltage"):
        mean_power(capture_of([1.0, 1.0], [1.0, 1.0, 1.0]))


def test_the_same_capture_gives_the_same_measurement_to_the_last_bit():
    first, second = (busy_capture(PERIODIC, noise_a=1e-4) for _ in range(2))
    assert repr(energy(first)) == repr(energy(second))
    assert repr(mean_power(first)) == repr(mean_power(second))


def test_memory_is_exact_and_adds_image_and_stack():
    measured = memory(3000, 1096)
    assert measured.values == (4.0,)
    assert (measured.estimate.low, measured.estimate.high) == (4.0, 4.0)
    assert measured.unit == "KB"
    assert "3000 bytes static, 1096 bytes of stack used at most" in measured.notes


def test_the_heap_is_part_of_the_memory_and_of_what_is_said():
    measured = memory(3000, 1096, 1024)
    assert measured.estimate.value == 5
    assert measured.notes == ("3000 bytes static, 1096 bytes of stack used at most, 1024 bytes of heap",)
    assert memory(1, 2, notes=("parts",)).notes == ("parts",)


def test_memory_of_less_than_nothing_is_refused():
    with pytest.raises(InputError, match="-1 static"):
        memory(-1, 0)


def test_a_users_own_quantity_needs_a_unit_and_has_a_mean():
    measured = from_values("wakefulness", [0.9, 0.92, 0.94], unit="1", instrument="test set")
    assert measured.estimate.value == pytest.approx(0.92)
    assert (measured.quantity, measured.unit, measured.instrument) == ("wakefulness", "1", "test set")
    with pytest.raises(InputError, match="has no unit"):
        from_values("wakefulness", [0.9])
    with pytest.raises(InputError, match="latency in s"):
        from_values("latency", [0.9], unit="s")


def test_pooling_joins_values_and_keeps_the_worst_instrument_error():
    one = from_values("energy", [1.0, 2.0], instrument_error=0.1, notes=("a", "b"))
    two = from_values("energy", [3.0], instrument_error=0.3, instrument="other", simulated=True, notes=("b",))
    joined = pool([one, replace(two, conditions=Conditions(probe="detached"))])
    assert joined.values == (1.0, 2.0, 3.0)
    assert (joined.n, joined.estimate.value, joined.estimate.instrument_error) == (3, 2.0, 0.3)
    assert joined.instrument == "test, other"
    assert joined.simulated
    assert joined.notes == ("a", "b")
    assert joined.conditions == Conditions(probe="mixed")
    assert pool([one]) is one


def test_pooling_weighs_lost_shares_by_duration():
    one = replace(from_values("energy", [1.0]), lost_share=0.01, duration_s=3.0)
    two = replace(from_values("energy", [1.0]), lost_share=0.0, duration_s=1.0)
    assert pool([one, two]).lost_share == pytest.approx(0.0075)
    assert pool([one, two]).duration_s == 4.0


def test_pooling_different_things_is_refused():
    with pytest.raises(InputError, match="pooling different things"):
        pool([from_values("energy", [1.0]), from_values("latency", [1.0])])
    with pytest.raises(InputError, match="no measurements"):
        pool([])
