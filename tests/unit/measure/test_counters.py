import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.dut.work import Work, seconds_of
from pytest_lan_hil.judge.budgets import judge
from pytest_lan_hil.measure import counters
from pytest_lan_hil.measure.counters import grown
from pytest_lan_hil.model.errors import CapabilityMissing, InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Budget, VerdictKind

START = {"uptime_ms": 1000, "asleep_ms": 900, "frames": 5, "overruns": 0, "temperature_mc": 25250}


def after(**changes):
    return {**START, **changes}


def test_utilisation_is_the_time_awake_over_the_time_worked_and_idling_adds_nothing():
    done = after(uptime_ms=14_000, asleep_ms=13_100)  # 13 s passed, 0.8 s of them awake; it listened for 10 s
    measured = counters.cpu_utilisation(START, done, [Work(0, 10.0)])
    assert measured.estimate.value == pytest.approx(8.0)
    # Two differences of two readings in whole milliseconds, over 10 s.
    assert measured.estimate.instrument_error == pytest.approx(100 * 2 * 1.96 / math.sqrt(12) * 1e-4)
    assert "awake for 0.8 s of 10 s of work" in measured.notes[0]


@given(passed=st.integers(0, 10**6), awake=st.floats(0, 1), worked=st.floats(0.001, 1000))
def test_utilisation_is_a_share(passed, awake, worked):
    done = after(uptime_ms=1000 + passed, asleep_ms=900 + passed - int(awake * passed))
    found = counters.cpu_utilisation(START, done, [Work(0, worked)]).estimate.value
    assert 0 <= found <= 100


@pytest.mark.parametrize("work", [[], [Work(3, None)], [Work(3, None), Work(0, 5.0)], [Work(3, 0.0)]])
def test_utilisation_of_work_of_unknown_length_is_not_told(work):
    with pytest.raises(MeasurementInvalid, match="no work whose length is known"):
        counters.cpu_utilisation(START, after(uptime_ms=2000), work)


def test_a_counter_that_the_firmware_lacks_is_missing_and_not_zero():
    lacking = {key: value for key, value in START.items() if key not in ("asleep_ms", "temperature_mc")}
    with pytest.raises(CapabilityMissing, match=r"does not tell asleep_ms: .* uptime_ms, frames, overruns"):
        counters.cpu_utilisation(lacking, {**lacking, "uptime_ms": 3000}, [Work(0, 1.0)])
    with pytest.raises(CapabilityMissing, match="does not tell temperature_mc"):
        counters.temperature([lacking, lacking], 5.0)


def test_a_dut_that_was_reset_in_between_is_told_and_not_counted():
    with pytest.raises(MeasurementInvalid, match="was reset in the measured part: up for 1000 ms before"):
        counters.dropped_frames(START, after(uptime_ms=10, frames=100))


def test_counters_wrap_after_32_bits():
    assert grown({**START, "frames": 2**32 - 3}, after(frames=4), "frames") == 7


def test_dropped_frames_are_a_share_of_all_and_exact():
    measured = counters.dropped_frames(START, after(frames=102, overruns=3))
    assert measured.estimate.value == 3.0
    assert measured.estimate.low == measured.estimate.high
    assert measured.notes == ("3 of 100 audio frames lost",)
    none = counters.dropped_frames(START, after(frames=105))
    assert judge(none, Budget("dropped_frames", 0.0, "max", "marker")).kind is VerdictKind.WITHIN
    assert judge(measured, Budget("dropped_frames", 0.0, "max", "marker")).kind is VerdictKind.OVER


def test_no_frames_are_no_share():
    with pytest.raises(MeasurementInvalid, match="took no audio frame"):
        counters.dropped_frames(START, START)


def test_temperature_is_the_warmest_reading_and_as_good_as_the_sensor():
    measured = counters.temperature([START, after(temperature_mc=26_000)], 5.0)
    assert measured.values == (25.25, 26.0)
    assert (measured.estimate.low, measured.estimate.value, measured.estimate.high) == (21.0, 26.0, 31.0)
    near = judge(measured, Budget("temperature", 30.0, "max", "marker"))
    assert near.kind is VerdictKind.INCONCLUSIVE
    assert "the chip has no better sensor" in near.reason


def test_a_sensor_that_nobody_vouches_for_bounds_nothing():
    measured = counters.temperature([START], None)
    assert measured.estimate.high == math.inf
    verdict = judge(measured, Budget("temperature", 85.0, "max", "marker"))
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert "temperature_error_k" in verdict.reason


def test_uptime_is_the_last_reading_to_a_millisecond():
    measured = counters.uptime(after(uptime_ms=12_345))
    assert measured.estimate.value == 12.345
    assert 0 < measured.estimate.instrument_error < 1e-3
    short = judge(measured, Budget("uptime", 60.0, "min", "marker"))
    assert short.kind is VerdictKind.OVER
    assert "is below 60 s" in short.reason


def test_throughput_is_the_slowest_stretch_that_was_done_back_to_back():
    work = [
        Work(100, 3.2),
        Work(100, 0.2, back_to_back=True),
        Work(50, 0.125, back_to_back=True),
        Work(0, 9.0),
    ]
    measured = counters.throughput(work)
    assert measured.values == pytest.approx((500.0, 400.0))
    assert measured.estimate.value == pytest.approx(400.0)
    # Both time stamps in steps of 1 ms, over 125 ms.
    expected = 400 * math.sqrt(2) * 1.96 / math.sqrt(12) * 1e-3 / 0.125
    assert measured.estimate.instrument_error == pytest.approx(expected)


def test_throughput_at_the_pace_of_the_audio_is_refused_and_says_what_to_call():
    with pytest.raises(InputError) as caught:
        counters.throughput([Work(100, 3.2)])
    assert "set_pace(0)" in caught.value.fix


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_throughput_without_time_stamps_is_not_told(seconds):
    with pytest.raises(MeasurementInvalid, match="no time stamps around 100 inferences"):
        counters.throughput([Work(100, seconds, back_to_back=True)])


def test_time_stamps_wrap_after_32_bits_and_one_tells_nothing():
    assert seconds_of((2**32 - 500_000, 500_000)) == 1.0
    assert seconds_of((5, 7, 1_000_005)) == 1.0
    assert seconds_of((5,)) is None
    assert seconds_of(()) is None
