import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_captures import capture_of, line, line_of_windows

from pytest_lan_hil.measure.windows import find_edges, find_windows, high_spans, windows_between, windows_of
from pytest_lan_hil.model.capture import EdgeLine, MarkerLine
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid

# Runs of equal levels, long enough to span several 64-bit words, and short enough for edges in one byte.
RUNS = st.lists(st.integers(1, 300) | st.integers(1, 5), min_size=0, max_size=30)
# At 1 MHz two samples are long enough not to be a bounce.
WORK = st.lists(st.integers(2, 300) | st.integers(2, 5), min_size=1, max_size=30)


def levels_of(first: int, runs: list[int]) -> np.ndarray:
    return np.concatenate(
        [np.zeros(0, np.uint8), *(np.full(run, (first + k) % 2, np.uint8) for k, run in enumerate(runs))]
    )


@given(first=st.integers(0, 1), runs=RUNS)
def test_edges_are_those_of_the_unpacked_samples(first, runs):
    levels = levels_of(first, runs)
    packed = line(levels)
    expected = np.flatnonzero(np.diff(levels.astype(np.int8))) + 1
    assert find_edges(packed.bits, packed.count).tolist() == expected.tolist()


@given(runs=RUNS, padding=st.integers(0, 255))
def test_bits_after_the_last_sample_make_no_edge(runs, padding):
    levels = levels_of(0, runs)
    packed = line(levels)
    bits = np.append(packed.bits, np.uint8(padding))
    if len(levels) % 8:
        bits[len(levels) // 8] |= np.uint8((0xFF << (len(levels) % 8)) & 0xFF)
    assert find_edges(bits, len(levels)).tolist() == find_edges(packed.bits, packed.count).tolist()


def test_edges_are_found_across_the_chunks_that_a_long_line_is_read_in():
    border = (1 << 16) * 64
    packed = line_of_windows([(border - 3, border), (border + 64, border + 65)], border + 200)
    assert find_edges(packed.bits, packed.count).tolist() == [border - 3, border, border + 64, border + 65]


def test_a_line_that_toggles_with_every_sample_has_an_edge_at_every_sample():
    assert find_edges(line([0, 1] * 500).bits, 1000).tolist() == list(range(1, 1000))


def test_too_few_packed_bytes_are_refused():
    with pytest.raises(ValueError, match="9 samples need 2 bytes"):
        find_edges(np.zeros(1, np.uint8), 9)


def test_windows_run_from_rise_to_fall_on_the_lines_own_clock():
    windows = find_windows(line_of_windows([(10, 20), (30, 50)], 100, rate_hz=2e6))
    assert windows.start_s.tolist() == [5e-6, 15e-6]
    assert windows.stop_s.tolist() == [10e-6, 25e-6]
    assert windows.resolution_s == 0.5e-6
    assert (windows.open_at_start, windows.open_at_end, windows.edges) == (False, False, 4)


def test_windows_cut_by_the_record_are_reported_and_not_used():
    windows = find_windows(line([1, 1, 0, 0, 1, 1, 0, 0, 1]))
    assert windows.open_at_start
    assert windows.open_at_end
    assert windows.start_s.tolist() == [4e-6]
    assert windows.stop_s.tolist() == [6e-6]


@given(runs=WORK, shift=st.integers(2, 200))
def test_a_shifted_clock_gives_shifted_windows(runs, shift):
    levels = levels_of(0, runs)
    before = find_windows(line(levels))
    after = find_windows(line(np.concatenate([np.zeros(shift, np.uint8), levels])))
    np.testing.assert_allclose(after.start_s, before.start_s + shift * 1e-6, atol=1e-15)
    np.testing.assert_allclose(after.duration_s, before.duration_s, atol=1e-15)


@pytest.mark.parametrize(
    ("levels", "problem", "fix"),
    [
        ([0] * 50, "seen 0 edges .* stayed low all the time", "check that the firmware drives 'inference'"),
        ([1] * 50, "seen 0 edges .* stayed high all the time", "input voltage reference"),
        ([0] * 20 + [1] * 30, "seen 1 edge .* rose and never fell", "hang or fault"),
        ([1] * 20 + [0] * 30, "seen 1 edge .* already high at the start", "start recording before"),
    ],
)
def test_a_line_without_a_window_is_invalid_and_says_what_to_check(levels, problem, fix):
    capture = capture_of(np.zeros(50), markers={"inference": line(levels)})
    with pytest.raises(MeasurementInvalid, match=problem) as raised:
        windows_of(capture, "inference")
    assert "expected at least one rise and one fall" in raised.value.problem
    assert fix in raised.value.fix


def test_a_marker_line_that_does_not_exist_is_named_with_those_that_do():
    capture = capture_of(np.zeros(8), markers={"phase": line([0] * 8), "a": line([0] * 8)})
    with pytest.raises(MeasurementInvalid, match=r"no marker line 'inference' \(it has: a, phase\)"):
        windows_of(capture, "inference")


def test_an_empty_capture_is_invalid():
    capture = capture_of([], markers={"inference": line([])})
    with pytest.raises(MeasurementInvalid, match="delivered no samples"):
        windows_of(capture, "inference")


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_line_without_a_sample_rate_is_invalid(rate):
    with pytest.raises(MeasurementInvalid, match="samples per second"):
        find_windows(MarkerLine(np.zeros(1, np.uint8), 8, rate))


def stamps_of(packed, **more):
    """The same line by the time stamps of its edges."""
    return EdgeLine(
        find_edges(packed.bits, packed.count) / packed.sample_rate_hz,
        bool(packed.count) and bool(packed.bits[0] & 1),
        packed.count / packed.sample_rate_hz,
        1 / packed.sample_rate_hz,
        **more,
    )


@given(first=st.integers(0, 1), runs=WORK)
def test_time_stamps_of_the_same_edges_give_the_same_windows(first, runs):
    packed = line(levels_of(first, runs))
    sampled, stamped = find_windows(packed), find_windows(stamps_of(packed))
    assert stamped.start_s.tolist() == sampled.start_s.tolist()
    assert stamped.stop_s.tolist() == sampled.stop_s.tolist()
    assert stamped.resolution_s == sampled.resolution_s
    assert (stamped.open_at_start, stamped.open_at_end) == (sampled.open_at_start, sampled.open_at_end)
    assert np.array_equal(high_spans(packed), high_spans(stamps_of(packed)))


@given(runs=WORK, rate=st.sampled_from([1e3, 2e6, 1e6 / 3]))
def test_windows_in_samples_do_not_depend_on_the_rate(runs, rate):
    levels = levels_of(0, [run + 4 for run in runs])
    windows = find_windows(line(levels, rate_hz=rate))
    expected = find_windows(line(levels))
    np.testing.assert_allclose(windows.start_s * rate, expected.start_s * 1e6, rtol=1e-12)


def test_windows_of_time_stamps_carry_what_the_stamps_may_be_off():
    stamped = EdgeLine(np.array([0.1, 0.2]), False, 1.0, 1e-9, 15e-6, 40e-6, ((0.5, 0.6),))
    windows = find_windows(stamped)
    assert (windows.resolution_s, windows.jitter_s, windows.tie_s) == (1e-9, 15e-6, 40e-6)
    assert windows.lost == ((0.5, 0.6),)


@pytest.mark.parametrize("times", [[0.2, 0.1], [0.1, float("nan")], [0.1, float("inf")]])
def test_time_stamps_of_a_line_that_do_not_rise_are_invalid(times):
    with pytest.raises(MeasurementInvalid, match="do not rise, or are not numbers"):
        find_windows(EdgeLine(np.array(times), False, 1.0, 1e-9))


def test_a_line_without_a_window_says_that_edges_may_be_missing():
    stamped = EdgeLine(np.array([0.01]), False, 1.0, 1e-9, lost=((0.015, 0.02),))
    capture = capture_of(np.zeros(50), markers={"inference": stamped})
    with pytest.raises(
        MeasurementInvalid, match=r"edges may be missing in 1 place \(first from 0\.015000 s\)"
    ):
        windows_of(capture, "inference")


def test_windows_span_from_each_time_stamp_to_the_next():
    windows = windows_between([1.0, 1.5, 3.0], 0.001)
    assert windows.start_s.tolist() == [1.0, 1.5]
    assert windows.stop_s.tolist() == [1.5, 3.0]
    assert windows.resolution_s == 0.001


@pytest.mark.parametrize(
    ("stamps", "resolution", "problem"),
    [
        ([], 0.001, "got 0 of them"),
        ([1.0], 0.001, "got 1 of them"),
        ([1.0, float("nan"), 2.0], 0.001, "time stamp 2 of 3 is nan"),
        ([1.0, 2.0, float("inf")], 0.001, "time stamp 3 of 3 is inf"),
        ([1.0, 2.0, 2.0], 0.001, r"time stamp 3 of 3 \(2\.000000 s\) is not later"),
        ([1.0, 2.0, 1.5], 0.001, r"time stamp 3 of 3 \(1\.500000 s\) is not later"),
        ([1.0, 2.0], -1.0, "resolution is -1.0 s"),
        ([1.0, 2.0], float("nan"), "resolution is nan s"),
    ],
)
def test_time_stamps_that_make_no_windows_are_refused(stamps, resolution, problem):
    with pytest.raises(InputError, match=problem):
        windows_between(stamps, resolution)
