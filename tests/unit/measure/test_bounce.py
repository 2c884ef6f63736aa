import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_captures import capture_of, line, line_of_windows

from pytest_lan_hil.measure.quantities import latency
from pytest_lan_hil.measure.windows import find_windows, windows_of
from pytest_lan_hil.model.capture import EdgeLine
from pytest_lan_hil.model.errors import MeasurementInvalid

RATE = 2e6
CLEAN = [(1000 * k, 1000 * k + 400) for k in range(1, 21)]
# What a burst on an edge looks like: three or five edges within a few samples.
BURST = st.sampled_from([[1, 1], [1, 2], [3, 3], [1, 1, 1, 1], [2, 1, 3, 2]])


def stamped(edges_us, duration_us=1e6):
    return EdgeLine(np.array(edges_us) * 1e-6, False, duration_us * 1e-6, 1e-9)


def levels(windows, count):
    samples = np.zeros(count, np.uint8)
    for start, stop in windows:
        samples[start:stop] = 1
    return samples


def test_a_bouncing_edge_counts_once_and_widens_the_resolution():
    samples = levels(CLEAN, 22_000)
    samples[1001:1003] = 0  # rise, 0.5 us high, 1 us low, high for good
    windows = find_windows(line(samples, RATE), name="marker line 'inference'")
    clean = find_windows(line_of_windows(CLEAN, 22_000, RATE))
    assert windows.start_s.tolist() == clean.start_s.tolist()
    assert windows.stop_s.tolist() == clean.stop_s.tolist()
    assert windows.resolution_s == pytest.approx(0.5e-6 + 1.5e-6)
    assert windows.edges == 40
    assert windows.notes == (
        "marker line 'inference': 1 of 40 edges bounced, for up to 1.5 us (first at 0.000500 s): the first"
        " edge of each burst counts, and the resolution is wider by that time",
    )


@given(which=st.integers(0, 39), burst=BURST)
def test_bounce_on_any_edge_changes_no_window(which, burst):
    edges = [float(edge) for pair in CLEAN for edge in pair]
    bouncing = sorted([*edges, *(edges[which] + np.cumsum(burst) * 0.3).tolist()])
    windows = find_windows(stamped(bouncing))
    assert windows.start_s.tolist() == find_windows(stamped(edges)).start_s.tolist()
    assert windows.stop_s.tolist() == find_windows(stamped(edges)).stop_s.tolist()
    assert windows.resolution_s == pytest.approx(1e-9 + sum(burst) * 0.3e-6)


def test_bounce_is_named_with_the_measurement():
    samples = levels(CLEAN, 22_000)
    samples[1001] = 0
    capture = capture_of(np.ones(11_000), markers={"inference": line(samples, RATE)})
    measured = latency(capture)
    assert measured.values == pytest.approx([0.2] * 20)
    assert any("1 of 40 edges bounced" in note for note in measured.notes)


def test_a_line_that_bounces_on_too_many_edges_is_invalid():
    samples = levels(CLEAN, 22_000)
    for start, _ in CLEAN[:5]:
        samples[start + 1] = 0
    with pytest.raises(MeasurementInvalid, match=r"5 bursts of edges .* bounces too often") as raised:
        find_windows(line(samples, RATE))
    assert "shorten the wire" in raised.value.fix


def test_a_pulse_too_short_for_work_is_left_out_and_named():
    samples = levels(CLEAN, 22_000)
    samples[700] = 1
    windows = find_windows(line(samples, RATE))
    assert len(windows) == 20
    assert windows.resolution_s == 1 / RATE
    assert windows.notes == ("a marker line: 1 pulse shorter than 2 us, left out (first at 0.000350 s)",)


def test_a_line_that_only_shows_a_disturbance_has_no_window_and_says_so():
    samples = np.zeros(1000, np.uint8)
    samples[700] = 1
    capture = capture_of(np.ones(500), markers={"inference": line(samples, RATE)})
    with pytest.raises(MeasurementInvalid, match=r"seen 0 edges .* 1 pulse shorter than 2 us, left out"):
        windows_of(capture, "inference")


def test_a_low_level_too_short_to_be_a_pause_is_invalid():
    samples = levels(CLEAN, 22_000)
    samples[1200] = 0
    with pytest.raises(
        MeasurementInvalid, match=r"in 1 place the line is low for less than 2 us .*0\.000600 s"
    ):
        find_windows(line(samples, RATE))


def test_a_line_that_oscillates_is_invalid():
    samples = levels(CLEAN, 22_000)
    samples[500:600:2] = 1
    with pytest.raises(MeasurementInvalid, match=r"for 49\.5 us from 0\.000250 s on: the line oscillates"):
        find_windows(line(samples, RATE))


def test_the_shortest_pulse_can_be_set():
    quick = stamped([100, 101, 200, 201, 300, 301])
    with pytest.raises(MeasurementInvalid, match="pulses are too short to be told from bounce"):
        find_windows(quick)
    assert find_windows(quick, shortest_s=0.5e-6).duration_s == pytest.approx([1e-6] * 3)
    slow_contact = stamped([100, 130, 150, 900])
    assert len(find_windows(slow_contact)) == 2
    assert find_windows(slow_contact, shortest_s=60e-6).duration_s == pytest.approx([800e-6])


def test_a_single_sample_of_a_slow_line_may_be_a_window():
    windows = find_windows(line_of_windows([(100, 101), (200, 202), (300, 301)], 400, 1e5))
    assert windows.duration_s == pytest.approx([1e-5, 2e-5, 1e-5])
    assert windows.notes == ()


def test_a_single_sample_beside_an_edge_of_a_slow_line_is_a_bounce():
    windows = find_windows(line([0] * 50 + [1, 0] + [1] * 50 + [0] * 50, 1e5))
    assert windows.start_s == pytest.approx([50e-5])
    assert windows.stop_s == pytest.approx([102e-5])
    assert windows.resolution_s == pytest.approx(3e-5)
