import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from make_captures import capture_of, line, line_of_windows

from pytest_lan_hil.measure.envelope import envelope
from pytest_lan_hil.model.capture import EdgeLine


def test_every_peak_of_the_capture_is_in_its_envelope():
    current = np.full(1_000_003, 1e-3)
    current[[17, 499_999, 1_000_002]] = [9e-3, -4e-3, 8e-3]
    made = envelope(capture_of(current), points=2000)
    assert len(made.time_s) == len(made.current_max_a) == len(made.voltage_min_v) <= 2000
    assert made.current_max_a[0] == pytest.approx(9e-3)
    assert min(made.current_min_a) == pytest.approx(-4e-3)
    assert made.current_max_a[-1] == pytest.approx(8e-3)
    assert made.time_s[1] == pytest.approx(made.step_s)
    assert made.time_s[-1] < 1.000003 <= made.time_s[-1] + made.step_s + 1e-9


def test_a_short_capture_is_kept_sample_by_sample():
    made = envelope(capture_of([1.0, 2.0, 3.0]), points=2000)
    assert made.current_min_a == made.current_max_a == [1.0, 2.0, 3.0]


def test_dropped_samples_are_none_and_stand_as_gaps():
    made = envelope(capture_of(np.ones(100), gaps=[(10, 20), (55, 58)]), points=10)
    assert made.current_max_a == [1.0, None, *[1.0] * 8]
    assert made.gaps == [
        (pytest.approx(10e-6), pytest.approx(20e-6)),
        (pytest.approx(55e-6), pytest.approx(58e-6)),
    ]


def test_marker_intervals_include_those_cut_by_the_record():
    markers = {
        "inference": line([1] * 10 + [0] * 20 + [1] * 30 + [0] * 30 + [1] * 10),
        "phase": line([1] * 100),
    }
    made = envelope(capture_of(np.ones(100), markers=markers))
    assert np.round(np.array(made.markers["inference"]) * 1e6).tolist() == [[0, 10], [30, 60], [90, 100]]
    assert np.round(np.array(made.markers["phase"]) * 1e6).tolist() == [[0, 100]]


def test_marker_intervals_too_close_to_draw_are_joined():
    marker = line_of_windows([(100, 110), (112, 120), (500, 600)], 1000)
    made = envelope(capture_of(np.ones(1000), markers={"inference": marker}), points=100)
    assert np.round(np.array(made.markers["inference"]) * 1e6).tolist() == [[100, 120], [500, 600]]


def test_an_empty_capture_has_an_empty_envelope():
    made = envelope(capture_of([], markers={"inference": line([])}))
    assert made.time_s == made.current_min_a == []
    assert made.markers == {"inference": []}


def test_an_envelope_is_plain_values_for_json():
    made = envelope(capture_of(np.ones(100), gaps=[(0, 50)], markers={"a": line([0, 1] * 50)}), points=10)
    assert json.loads(json.dumps(asdict(made), allow_nan=False))["current_min_a"][0] is None


def test_an_envelope_without_points_is_refused():
    with pytest.raises(ValueError, match="0 points"):
        envelope(capture_of([1.0]), points=0)


def test_a_marker_line_known_by_time_stamps_is_drawn_as_the_same_line_sampled():
    sampled = line([1] * 10 + [0] * 20 + [1] * 30 + [0] * 30 + [1] * 10)
    stamped = EdgeLine(np.array([10e-6, 30e-6, 60e-6, 90e-6]), True, 100e-6, 1e-9)
    made = envelope(capture_of(np.ones(100), markers={"sampled": sampled, "stamped": stamped}))
    assert np.allclose(made.markers["stamped"], made.markers["sampled"])


def test_a_record_of_power_has_the_extremes_of_its_power():
    power = np.ones(1000)
    power[[3, 998]] = [-2.0, 5.0]
    made = envelope(replace(capture_of([]), power_w=power), points=10)
    assert (made.power_min_w[0], made.power_max_w[-1]) == (-2.0, 5.0)
    assert len(made.time_s) == len(made.power_min_w) == 10
    assert made.current_min_a == []
