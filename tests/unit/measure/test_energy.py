import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from make_captures import capture_of

from pytest_lan_hil.measure import energy as energy_module
from pytest_lan_hil.measure.energy import energies, touches_gap
from pytest_lan_hil.model.capture import Gap

N = 5000
PLACES = st.floats(0, N, allow_nan=False)
SEEDS = st.integers(0, 2**32 - 1)
MILLION = 1 << 20


def random_capture(seed: int, count: int = N, **more):
    rng = np.random.default_rng(seed)
    return capture_of(rng.gamma(1.0, 5e-3, count), rng.normal(3.0, 0.05, count), **more)


def power_of(power_w: np.ndarray, rate_hz: float = 1e6):
    return replace(capture_of([], rate_hz=rate_hz), power_w=power_w)


def power_by_sample(capture) -> np.ndarray:
    if capture.power_w is not None:
        return capture.power_w.astype(np.float64)
    return capture.current_a.astype(np.float64) * capture.voltage_v


def naive(capture, start: float, stop: float) -> float:
    """Integral by shares of every sample, in double precision."""
    index = np.arange(capture.count)
    share = np.clip(np.minimum(index + 1, stop) - np.maximum(index, start), 0, 1)
    return float(np.sum(share * power_by_sample(capture)) / capture.sample_rate_hz)


def error_of_the_whole(capture) -> float:
    """Relative error of the sum over the whole capture against double precision throughout."""
    [joules] = energies(capture, [0.0], [capture.duration_s])
    return abs(joules * capture.sample_rate_hz / float(power_by_sample(capture).sum()) - 1)


@given(seed=SEEDS, a=PLACES, b=PLACES)
@example(seed=1, a=31.5, b=4999.5)
@example(seed=1, a=40.25, b=40.75)
def test_energy_is_the_integral_with_partial_samples_at_both_ends(seed, a, b):
    capture = random_capture(seed)
    start, stop = sorted((a, b))
    [joules] = energies(capture, [start * 1e-6], [stop * 1e-6])
    assert joules == pytest.approx(naive(capture, start, stop), rel=3e-7, abs=1e-15)


@given(seed=SEEDS, cuts=st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=40))
def test_windows_may_overlap_and_come_in_any_order(seed, cuts):
    capture = random_capture(seed)
    starts, stops = np.array([sorted(cut) for cut in cuts]).T
    expected = [naive(capture, *cut) for cut in zip(starts, stops, strict=True)]
    assert energies(capture, starts * 1e-6, stops * 1e-6) == pytest.approx(expected, rel=3e-7, abs=1e-15)


@given(
    seed=SEEDS,
    row=st.integers(2, 200),
    rows=st.integers(1, 9),
    ends=st.integers(1, 3),
    cuts=st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=8),
)
def test_energy_does_not_depend_on_the_pieces_it_is_summed_in(seed, row, rows, ends, cuts):
    capture = random_capture(seed)
    starts, stops = np.array([sorted(cut) for cut in cuts]).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(energy_module, "_ROW", row)
        patch.setattr(energy_module, "_PIECE", row * rows)
        patch.setattr(energy_module, "_SHORT", 2 * row)
        patch.setattr(energy_module, "_ENDS", ends)
        in_small_pieces = energies(capture, starts * 1e-6, stops * 1e-6)
    assert in_small_pieces == pytest.approx(
        energies(capture, starts * 1e-6, stops * 1e-6), rel=1e-6, abs=1e-15
    )


@pytest.mark.parametrize(("count", "length"), [(20_000, 100), (2_000, 900), (400, 5_000)])
def test_many_short_windows_are_each_summed_on_their_own(count, length):
    rng = np.random.default_rng(7)
    capture = random_capture(7, 3_000_000)
    starts = np.sort(rng.choice(3_000_000 // (2 * length), count // 4, replace=False)) * 2 * length
    starts += rng.integers(0, length // 2, len(starts))
    stops = starts + length - rng.integers(0, length // 2, len(starts))
    running = np.concatenate([[0.0], np.cumsum(power_by_sample(capture))])
    joules = energies(capture, starts * 1e-6, stops * 1e-6)
    assert joules * 1e6 == pytest.approx(running[stops] - running[starts], rel=5e-8)


def test_a_mean_of_typical_noise_is_right_to_a_hundred_millionth():
    rng = np.random.default_rng(3)
    for mean_a in (3e-6, 5.123e-3, 0.04):
        current = mean_a * (1 + rng.normal(0, 0.02, MILLION))
        for voltage in (np.full(MILLION, 3.3), 3.0 + rng.normal(0, 1e-3, MILLION)):
            assert error_of_the_whole(capture_of(current, voltage)) < 1e-8


@pytest.mark.parametrize("supply_v", [1.8, 3.0, 3.3, 4.987])
@pytest.mark.parametrize("load_a", [3.17e-6, 5.123e-3, 0.0417])
def test_a_constant_load_is_summed_without_the_drift_of_single_precision(load_a, supply_v):
    steady = capture_of(np.full(MILLION, load_a), np.full(MILLION, supply_v))
    assert error_of_the_whole(steady) < 1e-10
    square = np.where(np.arange(MILLION) // 700 % 3, load_a, 2.9e-6)
    assert error_of_the_whole(capture_of(square, np.full(MILLION, supply_v))) < 1e-8
    two_levels = np.where(np.arange(MILLION) // 900 % 2, supply_v, 0.99 * supply_v)
    assert error_of_the_whole(capture_of(square, two_levels)) < 1e-12


def test_a_coarse_converter_of_few_levels_drifts_less_than_a_ten_millionth():
    rng = np.random.default_rng(4)
    current = np.round(rng.normal(1000, 3, MILLION)) * 1e-6
    voltage = np.round(rng.normal(3000, 1, MILLION)) * 1e-3
    assert error_of_the_whole(capture_of(current, voltage)) < 1e-7


def test_single_precision_power_is_summed_to_ten_digits():
    power = np.random.default_rng(5).gamma(2.0, 7e-3, 300_000).astype(np.float32)
    bounds = np.array([0, 13, 1_000, 44_444, 299_999])
    expected = [float(np.sum(power[a:b], dtype=np.float64)) for a, b in pairwise(bounds)]
    joules = energies(power_of(power, rate_hz=1e3), bounds[:-1] / 1e3, bounds[1:] / 1e3)
    assert joules * 1e3 == pytest.approx(expected, rel=1e-12)


def test_double_precision_power_loses_nothing():
    power = np.random.default_rng(6).gamma(2.0, 7e-3, 10_000)
    [joules] = energies(power_of(power), [0.0], [0.01])
    assert joules * 1e6 == pytest.approx(float(power.sum()), rel=1e-14)


def test_an_assumed_voltage_gives_the_voltage_times_the_charge():
    capture = random_capture(8, 400_000)
    current = capture.current_a
    assumed = replace(capture, voltage_v=np.broadcast_to(np.float32(3.1), len(current)))
    starts = np.array([0, 1_000, 222_222])
    stops = np.array([400_000, 1_500, 225_000])
    charge = [float(np.sum(current[a:b], dtype=np.float64)) for a, b in zip(starts, stops, strict=True)]
    joules = energies(assumed, starts * 1e-6, stops * 1e-6)
    assert joules * 1e6 == pytest.approx(float(np.float32(3.1)) * np.array(charge), rel=1e-12, abs=0)


def _mapped(tmp_path, name: str, samples: np.ndarray, offset: int = 0) -> np.ndarray:
    path = tmp_path / name
    path.write_bytes(bytes(offset) + samples.tobytes())
    return np.memmap(path, samples.dtype, "r", offset, samples.shape)


@pytest.mark.parametrize("kind", ["product", "constant", "two levels", "assumed voltage", "power"])
def test_a_mapped_file_is_summed_without_being_loaded(kind, tmp_path):
    count = 10_000_000  # 40 MB a signal
    rng = np.random.default_rng(9)
    current = rng.standard_exponential(count, np.float32)
    if kind == "constant":
        current[:] = 5e-3
    elif kind == "two levels":
        current = (current > 1).astype(np.float32)
    voltage = np.full(count, 3.3, np.float32)
    if kind == "product":
        voltage += rng.standard_normal(count, np.float32)
    elif kind == "two levels":
        voltage += current
    if kind == "power":
        capture = power_of(_mapped(tmp_path, "p", current, offset=5))  # as in a file with a header of 5 bytes
    else:
        volts = np.broadcast_to(voltage[0], count)
        if kind != "assumed voltage":
            volts = _mapped(tmp_path, "v", voltage)
        capture = replace(capture_of([]), current_a=_mapped(tmp_path, "i", current), voltage_v=volts)
    starts, stops = np.array([0.0, 0.5e-6, 1.0, 3.0]), np.array([10.0, 9.9999995, 1.0005, 9.0])
    tracemalloc.start()
    joules = energies(capture, starts, stops)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    part = slice(3_000_000, 9_000_000)
    power = current[part].astype(np.float64)
    if kind != "power":
        power *= capture.voltage_v[part]
    assert joules[3] * 1e6 == pytest.approx(float(power.sum()), rel=1e-8)
    assert np.isfinite(joules).all()


def test_an_interval_outside_the_capture_has_no_energy_rather_than_part_of_one():
    capture = random_capture(1)
    joules = energies(capture, [-1e-6, 0.0, 4e-3], [1e-3, 5.001e-3, 3e-3])
    assert np.isnan(joules).all()


def test_the_whole_capture_and_an_empty_interval_at_its_end_are_inside():
    capture = random_capture(2)
    whole, nothing = energies(capture, [0.0, 5e-3], [5e-3, 5e-3])
    assert whole == pytest.approx(naive(capture, 0, N), rel=1e-7)
    assert nothing == 0.0


def test_no_windows_have_no_energies():
    assert energies(random_capture(2), [], []).shape == (0,)


def test_a_time_on_the_sample_grid_takes_nothing_of_the_sample_before_it():
    current = np.full(N, 1e-3)
    current[84] = np.nan
    [joules] = energies(capture_of(current), [85e-6], [100e-6])  # 85e-6 * 1e6 is just below 85
    assert joules == pytest.approx(15 * 3e-3 * 1e-6)


@given(
    gap=st.tuples(st.integers(0, 99), st.integers(1, 20)),
    windows=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 40)), min_size=1, max_size=8),
)
@example(gap=(64, 20), windows=[(85, 0)])  # 85e-6 * 1e6 is just below 85
def test_a_window_touches_a_gap_exactly_if_they_share_a_sample_or_a_border(gap, windows):
    start, length = gap
    begins = np.array([begin for begin, _ in windows])
    ends = np.array([begin + width for begin, width in windows])
    touched = touches_gap((Gap(start, start + length),), 1e6, begins * 1e-6, ends * 1e-6)
    expected = [begin <= start + length and end >= start for begin, end in zip(begins, ends, strict=True)]
    assert touched.tolist() == expected


def test_the_right_one_of_several_gaps_is_looked_at():
    gaps = (Gap(10, 12), Gap(50, 60), Gap(90, 91))
    touched = touches_gap(gaps, 1e6, [13e-6, 55e-6, 61e-6, 95e-6], [49e-6, 56e-6, 90e-6, 99e-6])
    assert touched.tolist() == [False, True, True, False]


def test_lots_of_gaps_among_lots_of_windows_are_each_found():
    rng = np.random.default_rng(10)
    count = 400_000
    borders = np.sort(rng.choice(count, 2_000, replace=False))
    gaps = [(int(a), int(b)) for a, b in borders.reshape(-1, 2)]
    starts = rng.integers(0, count - 400, 3_000)
    stops = starts + rng.integers(1, 400, 3_000)
    capture = random_capture(10, count, gaps=gaps)
    touched = touches_gap(capture.gaps, 1e6, starts * 1e-6, stops * 1e-6)
    lost = np.zeros(count + 2, bool)
    for start, stop in gaps:  # a border belongs to both its neighbours
        lost[start : stop + 1] = True
    assert touched.tolist() == [bool(lost[a : b + 1].any()) for a, b in zip(starts, stops, strict=True)]
    inside = np.isnan(capture.current_a)
    expected = [bool(inside[a:b].any()) for a, b in zip(starts, stops, strict=True)]
    assert np.isnan(energies(capture, starts * 1e-6, stops * 1e-6)).tolist() == expected
