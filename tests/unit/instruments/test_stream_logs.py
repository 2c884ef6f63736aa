"""A log holds exactly what its messages say, however they are cut; what they leave out is a gap."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from fake_driver import CLOCK_HZ, analog, bits, message
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lan_hil.instruments.assembly import common_span, gaps_of, nan_spans
from pytest_lan_hil.instruments.memory import Blocks
from pytest_lan_hil.instruments.stream import AnalogLog, LineLog
from pytest_lan_hil.model.capture import Gap
from pytest_lan_hil.model.errors import InstrumentError

PROPERTY = settings(max_examples=300, deadline=None)


def analog_log(name="current"):
    """A log whose blocks are so small that short signals span several."""
    return AnalogLog(name, Blocks(samples=16))


@st.composite
def deliveries(draw, most: int = 12):
    """(sample number, number of samples) of consecutive messages, with jumps between some of them."""
    at = 0
    pieces = []
    for _ in range(draw(st.integers(1, most))):
        at += draw(st.sampled_from([0, 0, 0, 1, 3, 8, 40])) if pieces else 0
        count = draw(st.integers(1, 40))
        pieces.append((at, count))
        at += count
    return pieces


def part_of(draw_from, log):
    """A span of whole samples inside the log."""
    total = (log.stop - log.start) // log.decimation
    first = draw_from.draw(st.integers(0, total))
    last = draw_from.draw(st.integers(first, total))
    return first, last, (log.start + first * log.decimation, log.start + last * log.decimation)


@PROPERTY
@given(deliveries(), st.sampled_from([1, 2, 4]), st.integers(0, 1000), st.data())
def test_samples_stand_where_their_ids_say_and_nan_stands_for_the_rest(pieces, decimation, origin, data):
    log = analog_log()
    expected: dict[int, float] = {}
    for at, count in pieces:
        values = np.arange(at, at + count, dtype=np.float32)
        log.add(analog(origin + at * decimation, values, decimation=decimation))
        expected.update(enumerate(values.tolist(), start=at))
    first, last, span = part_of(data, log)
    taken = log.take(span)
    assert taken.dtype == np.float32
    plain = [expected.get(k, np.nan) for k in range(first, last)]
    assert np.array_equal(taken, np.array(plain, np.float32), equal_nan=True)


@PROPERTY
@given(deliveries(), st.integers(0, 1000), st.randoms(use_true_random=False), st.data())
def test_bits_stand_where_their_ids_say_and_a_lost_one_keeps_the_level(pieces, origin, random, data):
    log = LineLog("marker line")
    plain: list[int] = []
    for at, count in pieces:
        levels = [random.randrange(2) for _ in range(count)]
        log.add(bits(origin + at, levels))
        # The padding of the last byte counts as samples until the next id says otherwise.
        del plain[at:]
        plain += [plain[-1] if plain else 0] * (at - len(plain))
        plain += levels + [0] * (-count % 8)
    first, last, span = part_of(data, log)
    line = log.take(span)
    assert (line.count, line.sample_rate_hz) == (last - first, CLOCK_HZ)
    assert np.unpackbits(line.bits, bitorder="little")[: line.count].tolist() == plain[first:last]


@PROPERTY
@given(deliveries(), st.sampled_from([1, 2, 4]))
def test_what_no_message_covers_is_lost_and_nothing_else(pieces, decimation):
    log = analog_log()
    covered = set()
    for at, count in pieces:
        log.add(analog(at * decimation, np.zeros(count), decimation=decimation))
        covered |= set(range(at * decimation, (at + count) * decimation))
    lost = {count for start, stop in log.lost for count in range(start, stop)}
    assert lost == set(range(log.start, log.stop)) - covered


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 50)), max_size=8),
    st.integers(0, 100),
    st.sampled_from([1, 2, 5]),
    st.integers(0, 60),
)
def test_gaps_are_the_samples_that_a_lost_span_touches(spans, start, step, total):
    spans = [(at, at + length) for at, length in spans]
    lost = [any(a < start + (k + 1) * step and b > start + k * step for a, b in spans) for k in range(total)]
    gaps = gaps_of(spans, start, step, total)
    assert [any(gap.start <= k < gap.stop for gap in gaps) for k in range(total)] == lost
    assert all(gap.stop > gap.start for gap in gaps)
    assert all(a.stop < b.start for a, b in itertools.pairwise(gaps)), "not united"


def test_gaps_of_no_spans_are_none():
    assert gaps_of([], 0, 2, 10) == ()


def test_touching_spans_are_one_gap():
    assert gaps_of([(20, 30), (0, 20)], 0, 2, 100) == (Gap(0, 15),)


@PROPERTY
@given(st.lists(st.booleans(), max_size=40))
def test_runs_of_nan_are_found(lost):
    samples = np.where(lost, np.nan, 1.0).astype(np.float32)
    found = [False] * len(lost)
    for start, stop in nan_spans(samples):
        found[start:stop] = [True] * (stop - start)
    assert found == lost


def test_a_shorter_last_byte_is_cut_by_the_next_id():
    log = LineLog("marker line")
    log.add(bits(0, [1, 1, 1]))  # five bits of padding
    log.add(bits(3, [1] * 8))
    line = log.take((0, 11))
    assert np.unpackbits(line.bits, bitorder="little")[:11].tolist() == [1] * 11
    assert log.lost == []


def test_the_common_span_starts_where_all_have_begun_and_ends_where_one_ends():
    current, line = analog_log(), LineLog("marker line")
    current.add(analog(1000, np.zeros(100)))  # to 1200
    line.add(bits(1003, [0] * 160))  # to 1163
    assert common_span([current, line]) == (1004, 1162)


def test_signals_that_do_not_overlap_have_an_empty_common_span():
    current, voltage = analog_log(), analog_log("voltage")
    current.add(analog(0, np.zeros(10)))
    voltage.add(analog(5000, np.zeros(10)))
    start, stop = common_span([current, voltage])
    assert start == stop


def test_a_signal_without_samples_leaves_no_common_span():
    current = analog_log()
    current.add(analog(0, np.zeros(10)))
    assert common_span([current, analog_log("voltage")]) == (0, 0)


def test_a_span_of_no_length_at_the_end_of_a_full_block_holds_nothing():
    log = analog_log()
    log.add(analog(0, np.zeros(32)))  # two blocks, both full
    assert len(log.take((64, 64))) == 0


def test_an_empty_message_adds_nothing():
    log = analog_log()
    log.add(analog(50, []))
    assert not log.has_samples
    log.add(analog(70, [1.0]))
    assert (log.start, log.stop) == (70, 72)


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (
            message(200, np.zeros(4, np.float32), rate=1_000_000),
            "sample clock from 2000000 Hz / 2 to 1000000",
        ),
        (message(200, np.zeros(4, np.float32), decimation=4), "2000000 Hz / 4"),
        (message(90, np.zeros(4, np.float32)), "went back from 100 to 90"),
        (message(102, np.zeros(4, np.float32)), "came twice: from 102 on"),
        (message(100 + 61 * CLOCK_HZ, np.zeros(4, np.float32)), "61 s are missing"),
    ],
)
def test_an_inconsistent_stream_is_refused_with_what_was_found(second, found):
    log = analog_log()
    log.add(analog(100, np.zeros(4)))
    with pytest.raises(InstrumentError, match=found) as caught:
        log.add(second)
    assert "current" in str(caught.value)
    assert caught.value.fix


def test_memory_is_used_again_only_when_no_view_of_it_is_left():
    memory = Blocks(samples=16)
    log = AnalogLog("current", memory)
    log.add(analog(0, np.arange(16)))
    kept = log.take((8, 16))[1:3]
    del log
    other = AnalogLog("current", memory)
    other.add(analog(0, np.zeros(16)))
    assert kept.tolist() == [5.0, 6.0]
    address = other.take((0, 16)).__array_interface__["data"][0]
    assert memory.lend().__array_interface__["data"][0] == address
