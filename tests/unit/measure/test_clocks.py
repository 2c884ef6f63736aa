from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_captures import EXACT, capture_of, line_of_windows

from pytest_lan_hil.measure.clocks import merge, tie
from pytest_lan_hil.measure.windows import find_windows
from pytest_lan_hil.model.capture import EdgeLine, EdgeRecord, InstrumentIdentity
from pytest_lan_hil.model.errors import MeasurementInvalid

SAMPLE_S = 5e-7
JITTER_S = 20e-6
HOST = InstrumentIdentity("GPIO lines of the host", "gpiochip0")

IRREGULAR = np.cumsum(0.01 + 0.03 * np.random.default_rng(1).random(60)) + 0.3
PERIODIC = 0.3 + 0.02 * np.arange(60)


def edges_of(rises, width_s=0.0017):
    return np.sort(np.concatenate([rises, np.asarray(rises) + width_s]))


def seen_twice(edges_s, offset_s, rate, *, jitter_s=JITTER_S, seed=0, margin_s=0.3):
    """The same edges on the reference's sample grid, and with jitter on a clock that is offset and faster."""
    edges_s = np.asarray(edges_s)
    stop_s = float(edges_s[-1]) + margin_s
    sampled = EdgeLine(np.ceil(edges_s / SAMPLE_S) * SAMPLE_S, False, stop_s, SAMPLE_S)
    noise = np.random.default_rng(seed).normal(0.0, jitter_s / 1.96, len(edges_s))
    times = np.sort((edges_s - offset_s) / rate + noise)
    return sampled, EdgeLine(times, False, (stop_s - offset_s) / rate + 0.1, 1e-9, jitter_s)


def error_s(tied, offset_s, rate, reference):
    """Largest error at the ends of the reference's record, which the other's covers."""
    ends = np.array([0.0, reference.duration_s])
    return float(np.abs(tied.to_reference((ends - offset_s) / rate) - ends).max())


@settings(max_examples=60, deadline=None)
@given(
    offset_s=st.floats(-5.0, -0.05),
    ppm=st.floats(-550, 550),
    seed=st.integers(0, 1000),
    rises=st.sampled_from([IRREGULAR, PERIODIC]),
)
def test_a_known_offset_and_rate_are_found(offset_s, ppm, seed, rises):
    rate = 1 + ppm * 1e-6
    reference, other = seen_twice(edges_of(rises), offset_s, rate, seed=seed)
    tied = tie(reference, other)
    assert tied.n == 120
    # The residual holds 95 of 100; twice that holds practically all.
    assert error_s(tied, offset_s, rate, reference) <= 2 * tied.residual_s
    assert tied.residual_s < JITTER_S


def normal(count, random):
    return random.normal(0.0, JITTER_S / 1.96, count)


def interrupts(count, random):
    """Late by an exponential distribution, 95 % within the jitter; what all have in common doesn't matter."""
    mean_s = JITTER_S / np.log(20)
    return random.exponential(mean_s, count) - mean_s


@pytest.mark.parametrize("late", [normal, interrupts])
@pytest.mark.parametrize(
    "edges_s",
    [[0.5, 1.0], [0.5, 2.0], [0.5, 0.8, 1.7, 2.4], [0.3, 0.4, 0.9, 1.0, 1.6, 2.1], edges_of(IRREGULAR[:8])],
    ids=["one short pulse", "one pulse", "4 edges", "6 edges", "16 edges"],
)
def test_the_residual_covers_the_truth_in_nineteen_of_twenty_at_both_ends(edges_s, late):
    random, runs, covered = np.random.default_rng(3), 600, 0
    edges_s = np.asarray(edges_s)
    stop_s = edges_s[-1] + 0.3
    for _ in range(runs):
        moved_s = edges_s + 1e-3 * random.random()
        rate = 1 + random.uniform(-5e-4, 5e-4)
        reference = EdgeLine(np.ceil(moved_s / SAMPLE_S) * SAMPLE_S, False, stop_s, SAMPLE_S)
        times_s = (moved_s + 0.1) / rate + late(len(edges_s), random)
        tied = tie(reference, EdgeLine(times_s, False, stop_s + 0.2, 1e-9, JITTER_S), timebase=5.5e-4)
        ends = np.array([0.0, stop_s])
        covered += np.abs(tied.to_reference((ends + 0.1) / rate) - ends) <= tied.residual_s
    # Three standard deviations of a share of 0.95 in so many runs below it.
    assert covered.min() >= (0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)) * runs


def test_two_edges_far_apart_give_the_rate():
    reference, other = seen_twice([0.2, 1.8], -0.1, 1.0003, margin_s=0.2)
    tied = tie(reference, other, timebase=5.5e-4)
    assert tied.rate == pytest.approx(1.0003, abs=3e-5)
    assert tied.rate_error == pytest.approx(np.sqrt(2) * JITTER_S / 1.6, rel=0.01)
    assert tied.residual_s == pytest.approx(JITTER_S * np.sqrt(1 / 2 + 1.0**2 / (2 * 0.8**2)), rel=0.01)


def test_a_scatter_that_contradicts_the_stated_jitter_counts_instead_of_it():
    reference, other = seen_twice(edges_of(IRREGULAR), -0.1, 1.0, jitter_s=50e-6)
    told = tie(reference, other)
    untold = tie(reference, replace(other, jitter_s=20e-6))
    assert untold.residual_s == pytest.approx(told.residual_s, rel=0.3)


@pytest.mark.parametrize("rises", [IRREGULAR, PERIODIC], ids=["irregular", "periodic"])
def test_a_few_edges_may_be_missing_in_either_record(rises):
    reference, other = seen_twice(edges_of(rises), -0.1, 0.9999)
    reference = replace(reference, times_s=np.delete(reference.times_s, [17, 60]))
    other = replace(other, times_s=np.delete(other.times_s, [30, 31, 32, 99]))
    tied = tie(reference, other)
    assert tied.n == 114
    assert error_s(tied, -0.1, 0.9999, reference) <= 2 * tied.residual_s


def test_edges_lost_in_a_known_span_are_not_held_against_a_match():
    reference, other = seen_twice(edges_of(PERIODIC), -0.1, 1.0)
    cut = replace(other, times_s=other.times_s[2:])
    with pytest.raises(MeasurementInvalid, match=r"120 edges in .* 118 in .* match in two ways, 20 ms apart"):
        tie(reference, cut)
    known = replace(cut, lost=((0.35, 0.411),))
    assert error_s(tie(reference, known), -0.1, 1.0, reference) < JITTER_S


def test_a_periodic_line_that_both_records_cut_is_ambiguous():
    reference, other = seen_twice(edges_of(PERIODIC), 0.0, 1.0, margin_s=0.001)
    reference = replace(
        reference, times_s=reference.times_s[:-2], duration_s=float(reference.times_s[-3]) + 0.001
    )
    other = replace(other, times_s=other.times_s[2:] - other.times_s[2] + 0.001)
    other = replace(other, duration_s=float(other.times_s[-1]) + 0.001)
    with pytest.raises(MeasurementInvalid, match="match in two ways") as raised:
        tie(reference, other)
    assert "make its pulses irregular" in raised.value.fix


EVEN = 0.02 + 0.98 * np.arange(4)


def test_evenly_spaced_pulses_that_fill_the_record_are_told_apart_by_when_the_other_record_began():
    reference, other = seen_twice(edges_of(EVEN, width_s=0.3), -0.01, 1.0001, margin_s=0.01)
    with pytest.raises(MeasurementInvalid, match=r"match in two ways, 980\.\d+ ms apart"):
        tie(reference, other)
    tied = tie(reference, other, offset_s=(-0.04, 0.0))
    assert tied.n == 8
    assert error_s(tied, -0.01, 1.0001, reference) <= 2 * tied.residual_s


def test_a_match_that_the_times_of_both_records_exclude_is_invalid():
    reference, other = seen_twice(edges_of(IRREGULAR), -0.1, 1.0)
    with pytest.raises(
        MeasurementInvalid, match=r"began at -0\.1000\d\d s .* between -0\.050000 and 0\.000000 s"
    ) as raised:
        tie(reference, other, offset_s=(-0.05, 0.0))
    assert "states its time of start wrong" in raised.value.fix


def test_a_single_short_pulse_ties_by_the_resolutions_jitter_and_timebase():
    reference, other = seen_twice([0.5, 0.51], -0.1, 1.0, jitter_s=0.0)
    tied = tie(reference, other, timebase=1e-5)
    assert (tied.n, tied.rate, tied.rate_error) == (2, 1.0, None)
    far_s = 0.505  # from the pulse to the start of the reference, which is farther than its end
    grid_s = 1.96 * np.hypot(SAMPLE_S, 1e-9) / np.sqrt(12)
    # The grid that both stamps have in common, and half of what they have each for themselves.
    assert tied.residual_s == pytest.approx(float(np.hypot(grid_s * np.sqrt(1.5), 1e-5 * far_s)), rel=0.02)
    jittery = tie(reference, replace(other, jitter_s=50e-6), timebase=0.0)
    assert jittery.residual_s == pytest.approx(50e-6 / np.sqrt(2), rel=1e-3)


def test_few_edges_widen_the_residual():
    def residual(count):
        return np.median(
            [
                tie(*seen_twice(edges_of(IRREGULAR[:count]), -0.1, 1.0, seed=seed)).residual_s
                for seed in range(9)
            ]
        )

    assert residual(3) > 2 * residual(12) > 4 * residual(60) > 0


def test_patterns_of_different_lines_are_invalid():
    reference, _ = seen_twice(edges_of(IRREGULAR), 0.0, 1.0)
    _, other = seen_twice(edges_of(np.cumsum(0.013 + 0.02 * np.random.default_rng(9).random(60))), 0.0, 1.0)
    with pytest.raises(
        MeasurementInvalid, match=r"the two patterns don't match \(at best \d+ edges agree"
    ) as raised:
        tie(reference, other)
    assert "wired to the same line" in raised.value.fix


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_a_pulse_is_invalid(count):
    reference, other = seen_twice(edges_of(IRREGULAR), 0.0, 1.0)
    with pytest.raises(MeasurementInvalid, match=rf"120 edges in .* {count} in .* at least one whole pulse"):
        tie(reference, replace(other, times_s=other.times_s[:count]))


def test_a_long_record_is_matched():
    reference, other = seen_twice(edges_of(1 + 0.25 * np.arange(4000)), -0.1, 1.0001)
    tied = tie(reference, other)
    assert tied.n == 8000
    assert error_s(tied, -0.1, 1.0001, reference) < 5e-6


WINDOWS = [(start, start + 1700) for start in range(200_000, 800_000, 25_000)]
COUNT = 1_000_000
CLOCK = 5000.0


def capture(**more):
    made = capture_of(
        np.ones(COUNT),
        markers={"sync": line_of_windows(WINDOWS, COUNT)},
        accuracy=replace(EXACT, timebase=2e-5),
    )
    return replace(made, **more)


def record(offset_s=-0.25, **more):
    """Lines `sync` and `inference`, the same edges, by a host that began 0.25 s before the capture."""
    edges = np.array([edge for pair in WINDOWS for edge in pair]) * 1e-6 - offset_s
    line = EdgeLine(edges, False, 1.5, 1e-9, JITTER_S)
    made = EdgeRecord({"sync": line, "inference": line}, CLOCK + offset_s, HOST, 1e-4)
    return replace(made, **more)


def test_lines_of_the_edge_source_come_onto_the_clock_of_the_capture():
    merged = merge(capture(), record(), sync="sync")
    assert set(merged.markers) == {"sync", "inference"}
    assert merged.markers["sync"] is not record().lines["sync"]
    inference, sync = find_windows(merged.markers["inference"]), find_windows(merged.markers["sync"])
    np.testing.assert_allclose(inference.start_s, sync.start_s, atol=2e-6)
    assert 0 < inference.tie_s < JITTER_S
    assert inference.jitter_s == JITTER_S
    assert merged.instrument == capture().instrument
    assert merged.notes == (
        f"edges of inference: stamped by GPIO lines of the host gpiochip0, tied by 48 edges of 'sync', to"
        f" {inference.tie_s * 1e6:.3g} us",
    )


def test_a_line_that_the_analyzer_has_stays_its_own():
    made = capture()
    assert merge(made, record(), sync="sync").markers["sync"] is made.markers["sync"]


def test_without_a_sync_line_the_common_clock_ties():
    merged = merge(capture(markers={}, start_s=CLOCK, start_error_s=1e-3), record())
    inference = find_windows(merged.markers["inference"])
    np.testing.assert_allclose(inference.start_s, [start * 1e-6 for start, _ in WINDOWS], atol=1e-9)
    assert inference.tie_s == pytest.approx(float(np.hypot(np.hypot(1e-3, JITTER_S), 1.2e-4 * 1.0)))
    assert "tied by the times at which both started" in merged.notes[0]


EVEN_WINDOWS = [(start, start + 100_000) for start in range(10_000, 1_000_000, 250_000)]


def evenly(begins_s, **more):
    """An edge record that began `begins_s` before the capture, of evenly spaced pulses that fill it."""
    edges = np.array([edge for pair in EVEN_WINDOWS for edge in pair]) * 1e-6 + begins_s
    return record(
        -begins_s,
        lines={name: EdgeLine(edges, False, 1.04, 1e-9, JITTER_S) for name in ("sync", "inference")},
    )


@pytest.mark.parametrize(
    "known",
    [{}, {"start_s": CLOCK, "start_error_s": 0.01}],
    ids=["the edge source recorded around it", "both began on one clock"],
)
def test_what_is_known_of_the_start_tells_evenly_spaced_pulses_apart(known):
    made = capture(markers={"sync": line_of_windows(EVEN_WINDOWS, COUNT)}, **known)
    inference = find_windows(merge(made, evenly(0.02), sync="sync").markers["inference"])
    np.testing.assert_allclose(inference.start_s, [start * 1e-6 for start, _ in EVEN_WINDOWS], atol=2e-6)


def test_a_start_that_contradicts_the_sync_line_is_invalid():
    with pytest.raises(MeasurementInvalid, match="by the times of both it began between -0"):
        merge(capture(start_s=CLOCK + 0.1, start_error_s=0.01), record(), sync="sync")


def test_lengths_have_the_error_of_the_clock_that_they_were_measured_on():
    made = capture(markers={}, start_s=CLOCK)
    assert find_windows(merge(made, record()).markers["inference"]).timebase == 1e-4
    # A single short pulse does not give the rate: the lengths are still those of the edge source.
    some = {name: replace(line, times_s=line.times_s[:2]) for name, line in record().lines.items()}
    once = capture(markers={"sync": line_of_windows(WINDOWS[:1], COUNT)})
    assert find_windows(merge(once, record(lines=some), sync="sync").markers["inference"]).timebase == 1e-4
    # Where it is known they follow the sample clock, as well as it is known.
    tied = find_windows(merge(capture(), record(), sync="sync").markers["inference"])
    assert 2e-5 < tied.timebase < 5e-5
    assert find_windows(capture().markers["sync"]).timebase is None


def test_without_a_sync_line_or_a_common_clock_it_says_what_to_wire():
    with pytest.raises(
        MeasurementInvalid, match="can't be tied together: the analyzer does not tell"
    ) as raised:
        merge(capture(markers={}), record())
    assert "wire one marker line to an input of both" in raised.value.fix


@pytest.mark.parametrize(
    ("made", "edges", "owner"),
    [
        (capture(markers={}), record(), r"Test analyzer 7 \(it has: none\)"),
        (capture(), record(lines={}), r"GPIO lines of the host gpiochip0 \(it has: none\)"),
    ],
    ids=["analyzer", "edge source"],
)
def test_a_sync_line_that_one_of_them_lacks_is_invalid(made, edges, owner):
    with pytest.raises(MeasurementInvalid, match=f"sync line 'sync' is not recorded by {owner}"):
        merge(made, edges, sync="sync")


def test_a_sync_line_that_does_not_match_names_both_instruments():
    dead = replace(record().lines["sync"], times_s=np.empty(0))
    with pytest.raises(
        MeasurementInvalid, match=r"Test analyzer 7 and GPIO lines .* by 'sync': 48 edges .* 0 in"
    ):
        merge(capture(), record(lines={"sync": dead}), sync="sync")


def test_an_edge_source_that_stopped_early_is_invalid():
    with pytest.raises(MeasurementInvalid, match="gpiochip0 stopped before it was told to"):
        merge(capture(), record(complete=False), sync="sync")


def test_simulated_edges_make_the_capture_simulated():
    simulated = record(instrument=replace(HOST, simulated=True, notes=("made up",)))
    merged = merge(capture(), simulated, sync="sync")
    assert merged.instrument.simulated
    assert "made up" in merged.notes


def test_what_the_edge_source_did_not_watch_counts_as_lost():
    late = replace(record().lines["inference"], lost=((0.5, 0.6),))
    made = capture(start_s=CLOCK)
    merged = merge(made, record(lines={"inference": late}, start_s=CLOCK + 0.1))
    assert np.allclose(merged.markers["inference"].lost, [(0.0, 0.1), (0.6, 0.7)])
