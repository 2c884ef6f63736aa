import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.measure.drift import LEAST_RECORDINGS, chance_index, drift_score, stability_index
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid

SHARES = [0.1] * 10
HISTOGRAMS = st.lists(st.integers(0, 1000), min_size=10, max_size=10).filter(any)
FULL = st.lists(st.integers(1, 1000), min_size=10, max_size=10)


@given(counts=FULL, factor=st.integers(1, 50))
def test_equal_shares_do_not_drift_however_many_frames_there_are(counts, factor):
    assert stability_index([count * factor for count in counts], counts) == pytest.approx(0, abs=1e-9)


@given(counts=HISTOGRAMS, training=FULL)
def test_the_index_is_finite_and_never_negative(counts, training):
    assert 0 <= stability_index(counts, training) < 100


@given(counts=FULL, training=FULL, order=st.permutations(range(10)))
def test_the_index_does_not_depend_on_the_order_of_the_bins(counts, training, order):
    shuffled = stability_index([counts[k] for k in order], [training[k] for k in order])
    assert shuffled == pytest.approx(stability_index(counts, training))


@given(first=FULL, second=FULL)
def test_both_histograms_play_the_same_part_where_no_bin_is_empty(first, second):
    # A floor of half a frame, or of 1e-4, touches no bin here.
    assert stability_index(first, second) == pytest.approx(stability_index(second, first))


def test_the_index_of_known_shares():
    # (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5)
    assert stability_index([60, 40], [0.5, 0.5]) == pytest.approx(0.0405465, abs=1e-6)


def test_an_empty_bin_counts_as_half_a_frame():
    found = stability_index([100, 0], [0.5, 0.5])
    a = np.array([1.0, 0.005]) / 1.005
    assert found == pytest.approx(float(np.sum((a - 0.5) * np.log(a / 0.5))))
    assert stability_index([10_000, 0], [0.5, 0.5]) > found


def test_the_index_of_few_frames_of_the_training_itself_is_about_what_chance_makes():
    rng = np.random.default_rng(1)
    for frames in (200, 1000):
        found = [stability_index(rng.multinomial(frames, SHARES), SHARES) for _ in range(400)]
        assert np.mean(found) == pytest.approx(chance_index(10, frames), rel=0.1)
    assert chance_index(10, 100, 900) == pytest.approx(9 * (1 / 100 + 1 / 900))


@pytest.mark.parametrize(
    ("counts", "training", "problem"),
    [
        ([1, 2], [0.5, 0.3, 0.2], "bins"),
        ([3], [1.0], "bins"),
        ([1, -1], [0.5, 0.5], "less than nothing"),
        ([1, 1], [0.0, 0.0], "training histogram that is empty"),
    ],
)
def test_histograms_that_can_not_be_compared_are_bad_input(counts, training, problem):
    with pytest.raises(InputError, match=problem):
        stability_index(counts, training)


def test_a_network_that_never_ran_has_no_drift():
    with pytest.raises(MeasurementInvalid, match="ran in no frame"):
        stability_index([0, 0], [0.5, 0.5])


def recordings(rng, count, frames, alike=0.0):
    """Histograms of recordings whose frames all fall into one bin with probability `alike`."""
    made = []
    for _ in range(count):
        if rng.random() < alike:
            made.append((frames * np.eye(10, dtype=int)[rng.integers(10)]).tolist())
        else:
            made.append(rng.multinomial(frames, SHARES).tolist())
    return made


def score(histograms, training=SHARES):
    return drift_score(histograms, training, instrument="a DUT", simulated=True)


def test_without_drift_the_interval_reaches_down_to_nothing():
    measured = score(recordings(np.random.default_rng(2), 60, 30))
    found = measured.estimate
    assert found.low <= 0 < found.value < 0.05
    assert (measured.quantity, measured.unit, measured.simulated) == ("drift_score", "1", True)
    assert "1800 frames of 60 recordings" in measured.notes[0]


def test_a_drift_is_told_from_chance():
    moved = [share * factor for share, factor in zip(SHARES, [0.2] * 5 + [1.8] * 5, strict=True)]
    rng = np.random.default_rng(3)
    found = score([rng.multinomial(30, moved).tolist() for _ in range(60)]).estimate
    true = stability_index(np.array(moved) * 1e6, SHARES)
    assert found.low > 0.25
    assert found.low <= true <= found.high


def test_frames_of_one_recording_that_resemble_each_other_count_for_less():
    rng = np.random.default_rng(4)
    independent = score(recordings(rng, 60, 30))
    alike = score(recordings(rng, 60, 30, alike=1.0))
    assert alike.estimate.instrument_error > 3 * independent.estimate.instrument_error
    assert {part.name for part in alike.contributions} == {"choice of recordings", "few frames"}
    (worth,) = [part.source for part in alike.contributions if part.name == "few frames"]
    assert 30 < float(worth.split()[2]) < 120  # sixty recordings, each of one bin


def test_the_interval_holds_the_true_index_as_often_as_it_says():
    moved = [share * factor for share, factor in zip(SHARES, [0.5] * 5 + [1.5] * 5, strict=True)]
    true = stability_index(np.array(moved) * 1e6, SHARES)
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        found = score([rng.multinomial(20, moved).tolist() for _ in range(30)]).estimate
        held += found.low <= true <= found.high
    assert held >= 90


def test_too_few_recordings_are_refused_and_a_score_is_the_same_each_time():
    histograms = recordings(np.random.default_rng(6), LEAST_RECORDINGS, 30)
    with pytest.raises(InputError, match="spread can't be told"):
        score(histograms[1:])
    assert score(histograms) == score(histograms)
