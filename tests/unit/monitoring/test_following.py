"""What is remembered of a device: windows, counters that start anew, clocks that jump, energy."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics_blocks import a_block, frame

from pytest_lan_hil.dut.metrics_frame import parse_frame
from pytest_lan_hil.dut.metrics_values import DeviceMetrics, Power, Share
from pytest_lan_hil.run.monitor.following import LATELY_S, RECENT_S, Following, went_back

TICK_HZ = 32_768


def at(uptime_s: float, **changes: object) -> DeviceMetrics:
    """A reading at this uptime; changes are fields of `DeviceMetrics`."""
    metrics = parse_frame(frame(a_block()))
    return dataclasses.replace(metrics, **{"uptime_ticks": round(uptime_s * TICK_HZ), **changes})


def power(n: int, mean_uw: int) -> Power:
    return Power(n, n * mean_uw, mean_uw, mean_uw)


def added(before: Power, n: int, mean_uw: int) -> Power:
    return Power(before.n + n, before.total + n * mean_uw, mean_uw, max(before.highest, mean_uw))


def test_a_mean_follows_the_last_minute_once_it_is_over() -> None:
    following = Following(keeps_time=True)
    counted = power(1000, 500)
    told = following.take(0, at(1000, power=counted))
    assert told.recent.power is not None
    assert told.recent.power.mean_mw == 0.5
    for second in range(5, 125, 5):
        counted = added(counted, 5, 2000)
        told = following.take(second, at(1000 + second, power=counted))
        if second < RECENT_S:  # since the start
            assert told.recent.power is not None
            assert told.recent.power.mean_mw == pytest.approx(counted.total / counted.n / 1000)
    assert told.recent.power is not None
    assert told.recent.power.mean_mw == pytest.approx(2.0)
    assert told.now.power is not None
    assert told.now.power.mean_mw == pytest.approx(0.66, abs=0.05)


def test_a_window_is_never_shorter_than_it_says_and_at_most_a_piece_longer() -> None:
    following = Following(keeps_time=True)
    for step in range(400):
        seconds = 3.0 * step
        told = following.take(seconds, at(100 + seconds))
        if seconds > 2 * RECENT_S:
            length = told.recent.uptime_s
            assert length is not None
            assert RECENT_S - 0.01 <= length <= RECENT_S * (1 + 1 / 6) + 3.01


def test_accuracy_is_told_over_the_last_hour() -> None:
    following = Following(keeps_time=True)
    right, n = 0, 0
    told = following.take(0, at(1, accuracy=Share(0, 0)))
    for minute in range(1, 151):
        n += 10
        right += 10 if minute <= 60 else 5
        told = following.take(60 * minute, at(1 + 60 * minute, accuracy=Share(right, n)))
    assert told.lately.accuracy is not None
    assert told.lately.accuracy.percent == pytest.approx(50)
    assert told.lately.uptime_s == pytest.approx(LATELY_S, rel=0.2)


def test_a_device_that_starts_anew_is_counted_and_its_windows_begin_again() -> None:
    following = Following(keeps_time=True)
    following.take(0, at(5000, frames=90_000))
    following.take(70, at(5070, frames=92_000))
    told = following.take(75, at(3, frames=90, power=power(3, 700)))
    assert following.resets == 1
    assert following.clock_jumps == 0
    assert told.recent.frames == 90
    assert told.recent.power is not None
    assert told.recent.power.mean_mw == pytest.approx(0.7)
    assert told.now.frames == 90


def test_counters_that_start_anew_while_the_clock_runs_on_are_a_reset() -> None:
    following = Following(keeps_time=True)
    following.take(0, at(100, frames=500))
    told = following.take(5, at(105, frames=4))
    assert following.resets == 1
    assert told.recent.frames == 4


def test_a_counter_that_wraps_is_no_reset() -> None:
    following = Following(keeps_time=True)
    following.take(0, at(100, frames=(1 << 32) - 10))
    following.take(5, at(105, frames=146))
    assert following.resets == 0


@pytest.mark.parametrize(
    ("jumps_to", "jumped"), [(1005.3, 0), (1000.1, 1), (1004.0, 0), (4600.0, 1), (1007.0, 0)]
)
def test_a_clock_that_goes_otherwise_than_ours_is_a_jump(jumps_to: float, jumped: int) -> None:
    following = Following(keeps_time=True)
    following.take(0, at(1000))
    told = following.take(5, at(jumps_to))
    assert following.clock_jumps == jumped
    assert following.resets == 0
    assert told.now.uptime_s == pytest.approx(jumps_to, abs=1e-3)


def test_a_simulated_device_lives_in_a_time_of_its_own() -> None:
    following = Following(keeps_time=False)
    following.take(0, at(1000))
    following.take(5, at(9000))
    following.take(6, at(9000.5))
    assert following.clock_jumps == 0


def test_energy_is_power_times_time_and_never_falls() -> None:
    following = Following(keeps_time=True)
    counted = power(10, 900)
    joules = [following.take(0, at(100, power=counted)).energy_j]
    for second in (5, 10, 15):
        counted = added(counted, 5, 1000)
        joules.append(following.take(second, at(100 + second, power=counted)).energy_j)
    joules.append(following.take(20, at(2, power=power(2, 500))).energy_j)  # started anew: 2 s of 0.5 mW
    joules.append(
        following.take(25, at(90_000, power=power(4, 500))).energy_j
    )  # its clock leapt: adds nothing
    assert joules == pytest.approx([0, 0.005, 0.010, 0.015, 0.016, 0.016])


def test_a_device_that_leaps_at_its_start_adds_no_more_energy_than_the_time_that_has_passed() -> None:
    following = Following(keeps_time=True)
    following.take(0, at(100_000, power=power(10, 1000)))
    told = following.take(5, at(90_000, power=power(2, 1000)))
    assert told.energy_j == pytest.approx((5 * 1.05 + 2) * 1e-3)


def test_a_device_without_power_has_no_energy() -> None:
    following = Following(keeps_time=True)
    following.take(0, at(1, power=None))
    assert following.take(5, at(6, power=None)).energy_j is None


def test_a_device_without_a_clock_is_told_since_its_start() -> None:
    following = Following(keeps_time=True)
    for second in range(0, 200, 5):
        told = following.take(second, at(1, uptime_ticks=None, frames=100 + second))
    assert told.recent.frames == told.now.frames == 295
    assert following.resets == 0


@given(
    before=st.integers(0, (1 << 32) - 1),
    grown=st.integers(0, 1 << 20),
)
def test_a_counter_that_grows_even_across_its_end_never_went_back(before: int, grown: int) -> None:
    first, then = at(1, frames=before), at(2, frames=(before + grown) % (1 << 32))
    assert not went_back(first, then)


@given(before=st.integers(1, 1 << 31), after=st.integers(0, 1 << 31))
def test_a_counter_that_falls_from_below_its_last_quarter_went_back(before: int, after: int) -> None:
    assert went_back(at(1, frames=before), at(2, frames=after)) == (after < before)


@given(st.lists(st.tuples(st.floats(0.1, 100), st.integers(0, 1000), st.booleans()), max_size=30))
def test_energy_never_falls_whatever_happens(steps: list[tuple[float, int, bool]]) -> None:
    following = Following(keeps_time=True)
    ours, uptime, counted, last = 0.0, 50.0, power(0, 0), 0.0
    for seconds, n, restarts in steps:
        ours += seconds
        uptime = 0.5 * seconds if restarts else uptime + seconds
        counted = power(n, 800) if restarts else added(counted, n, 1200)
        told = following.take(ours, at(uptime, power=counted))
        assert told.energy_j is not None
        assert told.energy_j >= last
        last = told.energy_j
