"""What is wrong between marker lines, or between a line and the capture."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_captures import capture_of, line_of_windows

from pytest_lan_hil.measure.nesting import nested
from pytest_lan_hil.measure.quantities import energy, latency
from pytest_lan_hil.measure.soundness import check_markers, require_finite, require_sound, usable_windows
from pytest_lan_hil.measure.windows import find_windows
from pytest_lan_hil.model.capture import EdgeLine
from pytest_lan_hil.model.errors import MeasurementInvalid

COUNT = 100_000
INFERENCES = [(start, start + 1700) for start in range(10_100, 90_000, 10_000)]
PHASE = [(10_000, 90_000)]


def capture_with(**windows):
    markers = {name: line_of_windows(pairs, COUNT) for name, pairs in windows.items()}
    return capture_of(np.ones(COUNT), markers=markers)


def edge_line(pairs, **more):
    edges = np.array([edge for pair in pairs for edge in pair]) * 1e-6
    return EdgeLine(edges, False, COUNT * 1e-6, 1e-9, **more)


def windows_at(pairs):
    return find_windows(edge_line(pairs))


@given(
    outer=st.lists(st.tuples(st.integers(10, 90), st.integers(10, 500)), min_size=1, max_size=6),
    inner=st.lists(st.tuples(st.integers(10, 90), st.integers(10, 90)), min_size=1, max_size=20),
)
def test_each_inner_window_is_held_by_the_outer_window_around_it(outer, inner):
    def pairs(lengths):
        edges = np.cumsum(np.array(lengths).ravel())
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

    outers, inners = pairs(outer), pairs(inner)
    found = nested(windows_at(inners), windows_at(outers))
    for k, (start, stop) in enumerate(inners):
        holders = [n for n, (a, b) in enumerate(outers) if a <= start and stop <= b]
        assert found.outer[k] == (holders[0] if holders else -1)
        assert found.straddles[k] == any(start < edge < stop for pair in outers for edge in pair)


def test_edges_within_the_resolution_of_both_lines_are_the_same():
    inner, outer = windows_at([(100, 200)]), windows_at([(105, 195)])
    assert nested(inner, outer).straddles.tolist() == [True]
    vague = replace(outer, jitter_s=6e-6)
    assert nested(inner, vague).outer.tolist() == [0]
    assert not nested(inner, vague).straddles.any()


def test_without_outer_windows_nothing_is_held():
    found = nested(windows_at([(100, 200)]), windows_at([]))
    assert (found.outer.tolist(), found.straddles.tolist()) == ([-1], [False])


def test_lines_wired_right_have_no_notes():
    assert check_markers(capture_with(inference=INFERENCES, phase=PHASE)) == ()
    assert check_markers(capture_with(inference=INFERENCES)) == ()
    assert check_markers(capture_with(inference=INFERENCES, phase=[])) == ()
    assert check_markers(capture_with()) == ()


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize(
    "outer", [PHASE, [(0, 90_000)], [(10_000, COUNT)]], ids=["whole", "cut first", "cut last"]
)
def test_two_lines_swapped_are_invalid_and_the_fix_is_named(outer, count):
    right = capture_with(inference=INFERENCES[:count], phase=outer)
    assert check_markers(right) == ()
    with pytest.raises(MeasurementInvalid, match="'inference' and 'phase' look swapped") as raised:
        check_markers(capture_with(inference=outer, phase=INFERENCES[:count]))
    assert f"{count} of {count} 'phase' windows (median 1.7 ms, first at 0.010100 s)" in raised.value.problem
    assert "inside 1 high level of 'inference'" in raised.value.problem
    assert "swap the two wires, or the inputs of inference and phase under [markers]" in raised.value.fix


def test_a_line_that_is_stuck_high_is_not_called_swapped():
    assert check_markers(capture_with(inference=[(0, COUNT)], phase=PHASE)) == ()


def test_windows_of_unrelated_lines_are_not_called_swapped():
    before = [(start - 5000, start - 4000) for start, _ in INFERENCES]
    assert check_markers(capture_with(inference=INFERENCES, phase=before)) == ()


def test_a_window_across_the_edge_of_the_phase_is_named():
    notes = check_markers(capture_with(inference=INFERENCES, phase=[(10_000, 81_000)]))
    assert notes == (
        "1 of 8 'inference' windows lie across an edge of 'phase' (first at 0.080100 s): 'phase' should be"
        " high for the whole of each",
    )


def test_a_window_as_long_as_two_and_the_pause_between_is_named():
    merged = [*INFERENCES[:3], (INFERENCES[3][0], INFERENCES[4][1]), *INFERENCES[5:]]
    notes = check_markers(capture_with(inference=merged, phase=PHASE))
    assert notes == (
        "marker line 'inference': 1 of 7 windows (first at 0.040100 s) last as long as 2 and the pause"
        " between: a fall and a rise may be missing",
    )


def test_a_slow_inference_is_not_called_a_missing_edge():
    slow = [*INFERENCES[:3], (INFERENCES[3][0], INFERENCES[3][0] + 7000), *INFERENCES[4:]]
    assert check_markers(capture_with(inference=slow, phase=PHASE)) == ()


def test_lost_edges_are_named():
    capture = capture_of(
        np.ones(COUNT), markers={"inference": edge_line(INFERENCES, lost=((0.015, 0.0155), (0.03, 0.031)))}
    )
    assert check_markers(capture) == (
        "marker line 'inference': edges may be missing in 2 places (first from 0.015000 to 0.015500 s)",
    )


def test_a_window_in_which_edges_may_be_missing_is_not_used():
    many = [(start, start + 170) for start in range(1000, 99_000, 1000)]
    capture = capture_of(np.ones(COUNT), markers={"inference": edge_line(many, lost=((0.0051, 0.0059),))})
    measured = latency(capture)
    assert measured.n == len(many) - 1
    assert "1 of 98 windows touch a time in which edges may be missing and are not used" in measured.notes


def test_too_many_windows_with_lost_edges_are_invalid():
    capture = capture_of(np.ones(COUNT), markers={"inference": edge_line(INFERENCES, lost=((0.0, 0.03),))})
    with pytest.raises(
        MeasurementInvalid, match=r"2 of 8 inference windows touch .* first from 0\.000000 s"
    ) as raised:
        latency(capture)
    assert "buffer larger" in raised.value.fix


def test_windows_before_the_capture_are_cut():
    line = edge_line(INFERENCES)
    early = replace(line, times_s=line.times_s - 0.011)
    capture = capture_of(np.ones(COUNT), markers={"inference": early})
    usable, notes = usable_windows(capture, find_windows(early), "inference")
    assert usable.tolist() == [False, *[True] * 7]
    assert notes == ("1 window cut by the start or end of the record, not used",)


def power_capture(power):
    made = capture_of([])
    return replace(made, power_w=np.asarray(power, np.float32))


def test_a_record_of_power_alone_is_sound():
    capture = replace(
        power_capture(np.ones(COUNT)), markers={"inference": line_of_windows(INFERENCES, COUNT)}
    )
    require_sound(capture)
    assert latency(capture).values == pytest.approx([1.7] * 8)


def test_a_record_of_power_whose_factors_have_another_length_is_invalid():
    capture = replace(
        power_capture(np.ones(10)), current_a=np.ones(4, np.float32), voltage_v=np.ones(4, np.float32)
    )
    with pytest.raises(MeasurementInvalid, match="4 samples of current and 4 of voltage beside 10 of power"):
        require_sound(capture)


def test_a_sample_of_power_that_is_not_finite_is_named():
    power = np.ones(100)
    power[42] = np.inf
    with pytest.raises(MeasurementInvalid, match=r"sample 42 \(at 0\.000042 s\) is inf W"):
        require_finite(power_capture(power), np.array([np.inf]), np.array([0.0]), np.array([1e-4]))


def test_none_of_the_windows_inside_a_record_of_power_is_invalid():
    capture = power_capture(np.ones(100))
    with pytest.raises(MeasurementInvalid, match="s of power"):
        usable_windows(capture, windows_at([(500, 600)]), "inference")


def test_energy_of_windows_known_by_time_stamps_is_that_of_the_same_windows_sampled():
    sampled = capture_with(inference=INFERENCES)
    by_stamps = replace(sampled, markers={"inference": edge_line(INFERENCES)})
    assert energy(by_stamps).values == pytest.approx(energy(sampled).values)
