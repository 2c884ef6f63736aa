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


def random_capture(seed: int, count: int = N, **more):
    rng = np.random.default_rng(seed)
    return capture_of(rng.gamma(1.0, 5e-3, count), rng.normal(3.0, 0.05, count), **more)


def naive(capture, start: float, stop: float) -> float:
    """Integral by shares of every sample, in double precision."""
    index = np.arange(len(capture.current_a))
    share = np.clip(np.minimum(index + 1, stop) - np.maximum(index, start), 0, 1)
    return float(
        np.sum(share * capture.current_a.astype(np.float64) * capture.voltage_v) / capture.sample_rate_hz
    )


@given(seed=SEEDS, a=PLACES, b=PLACES)
def test_energy_is_the_integral_with_partial_samples_at_both_ends(seed, a, b):
    capture = random_capture(seed)
    start, stop = sorted((a, b))
    [joules] = energies(capture, [start * 1e-6], [stop * 1e-6])
    assert joules == pytest.approx(naive(capture, start, stop), rel=1e-6, abs=1e-14)


@given(seed=SEEDS, places=st.tuples(PLACES, PLACES, PLACES))
def test_energy_is_additive_over_adjacent_windows(seed, places):
    capture = random_capture(seed)
    a, b, c = (place * 1e-6 for place in sorted(places))
    whole, left, right = energies(capture, [a, a, b], [c, b, c])
    assert left + right == pytest.approx(whole, rel=1e-6, abs=1e-14)


@given(seed=SEEDS, row=st.integers(1, 200), rows=st.integers(1, 9))
def test_energy_does_not_depend_on_the_pieces_it_is_summed_in(seed, row, rows):
    capture = random_capture(seed)
    [expected] = energies(capture, [1.25e-6], [4998.5e-6])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(energy_module, "_ROW", row)
        patch.setattr(energy_module, "_ROWS", rows)
        [joules] = energies(capture, [1.25e-6], [4998.5e-6])
    assert joules == pytest.approx(expected, rel=1e-6)


@given(seed=SEEDS, gain=st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_energy_scales_with_the_gain_of_the_current(seed, gain):
    capture = random_capture(seed)
    scaled = capture_of(capture.current_a * np.float32(gain), capture.voltage_v)
    # Powers of two scale every product exactly.
    assert energies(scaled, [3.3e-6], [4e-3])[0] == gain * energies(capture, [3.3e-6], [4e-3])[0]


def test_a_long_constant_load_is_summed_without_the_drift_of_single_precision():
    capture = capture_of(np.full(3_000_000, 5.123e-3))
    [joules] = energies(capture, [0.0], [3.0])
    assert joules == pytest.approx(float(np.float32(5.123e-3)) * 3.0 * 3.0, rel=4e-7)


def test_an_interval_outside_the_capture_has_no_energy_rather_than_part_of_one():
    capture = random_capture(1)
    joules = energies(capture, [-1e-6, 0.0, 4e-3], [1e-3, 5.001e-3, 3e-3])
    assert np.isnan(joules).all()


def test_the_whole_capture_and_an_empty_interval_at_its_end_are_inside():
    capture = random_capture(2)
    whole, nothing = energies(capture, [0.0, 5e-3], [5e-3, 5e-3])
    assert whole == pytest.approx(naive(capture, 0, N), rel=1e-6)
    assert nothing == 0.0


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


@given(seed=SEEDS, start=st.integers(0, 4000), length=st.integers(1, 900))
def test_a_gap_never_adds_energy(seed, start, length):
    capture = random_capture(seed, gaps=[(start, start + length)])
    [through] = energies(capture, [0.0], [5e-3])
    assert np.isnan(through)
