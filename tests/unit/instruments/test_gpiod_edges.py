"""Kernel events of one GPIO line to edges: levels stay right whatever was lost, and what was lost is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.instruments.gpiod_edges import FoundEdges, LineEvents, Times, find
from pytest_lan_hil.model.errors import InstrumentError

MS = 1_000_000
# Asked for at 1000 ms, recorded from 1010 to 2010.
TIMES = Times(requested=1000 * MS, start=1010 * MS, levels_read=1010 * MS, stop=2010 * MS, fetched=2012 * MS)


def edges(*events: tuple[float, str] | tuple[float, str, int], high: bool = False) -> FoundEdges:
    """(milliseconds after the start, "rise" or "fall"[, number]); without numbers, they go up by one."""
    stamps, rising, numbers = [], [], []
    for at, kind, *number in events:
        stamps.append(TIMES.start + round(at * MS))
        rising.append(kind == "rise")
        numbers.append(number[0] if number else (numbers[-1] if numbers else 0) + 1)
    found = LineEvents(np.array(stamps, np.int64), np.array(rising, bool), np.array(numbers, np.int64))
    return find(found, TIMES, high_when_read=high, line="17")


def test_edges_are_seconds_from_the_start_and_nothing_is_lost() -> None:
    found = edges((100, "rise"), (108.000001, "fall"), (900, "rise"))
    assert found.times_s.tolist() == [0.1, 0.108000001, 0.9]
    assert (found.high_at_start, found.lost) == (False, ())


def test_a_line_without_events_has_the_level_that_was_read() -> None:
    for high in (False, True):
        found = edges(high=high)
        assert (len(found.times_s), found.high_at_start, found.lost) == (0, high, ())


def test_events_outside_of_the_record_are_not_in_it_but_tell_the_level_at_its_start() -> None:
    found = edges((-5, "rise"), (30, "fall"), (1001, "rise"), high=True)
    assert found.times_s.tolist() == [0.03]
    assert found.high_at_start


@pytest.mark.parametrize("high_when_read", [False, True])
def test_an_edge_that_races_with_the_reading_of_the_level_decides_what_the_level_was(high_when_read) -> None:
    found = edges((0.3, "rise"), (50, "fall"), high=high_when_read)
    assert (found.high_at_start, found.lost) == (False, ())
    assert found.times_s.tolist() == [0.0003, 0.05]


def test_a_first_event_that_the_level_contradicts_is_a_pulse_too_short_for_the_kernel() -> None:
    """Low, then an event that finds the line low: it rose and fell before the kernel looked."""
    found = edges((400, "fall"), (500, "rise"), high=False)
    assert not found.high_at_start
    assert found.times_s.tolist() == [0.5]
    assert found.lost == ((0.0, 0.4),)


def test_two_equal_edges_in_a_row_are_no_edge_and_what_is_between_them_is_lost() -> None:
    found = edges((100, "rise"), (110, "fall"), (300, "fall"), (500, "rise"), (510, "fall"))
    assert found.times_s.tolist() == [0.1, 0.11, 0.5, 0.51]
    assert found.lost == ((0.11, 0.3),)


def test_an_even_number_of_lost_events_leaves_the_levels_right_and_a_lost_span() -> None:
    found = edges((100, "rise", 1), (110, "fall", 2), (300, "rise", 5), (310, "fall", 6))
    assert found.times_s.tolist() == [0.1, 0.11, 0.3, 0.31]
    assert found.lost == ((0.11, 0.3),)


def test_an_odd_number_of_lost_events_leaves_the_levels_right_and_a_lost_span() -> None:
    found = edges((100, "rise", 1), (300, "rise", 3), (310, "fall", 4), (400, "rise", 5))
    assert found.times_s.tolist() == [0.1, 0.31, 0.4]
    assert found.lost == ((0.1, 0.3),)


def test_events_lost_at_the_beginning_are_lost_from_the_start() -> None:
    found = edges((300, "rise", 9), (310, "fall", 10), high=False)
    assert found.times_s.tolist() == [0.3, 0.31]
    assert (found.high_at_start, found.lost) == (False, ((0.0, 0.3),))


def test_a_lost_span_is_cut_to_the_record() -> None:
    across_the_start = edges((-5, "rise", 1), (20, "fall", 4), high=True)
    assert across_the_start.lost == ((0.0, 0.02),)
    across_the_end = edges((900, "rise", 1), (1001, "rise", 3))
    assert across_the_end.lost == ((0.9, 1.0),)
    before_it = edges((-8, "rise", 1), (-2, "rise", 3), (20, "fall", 4), high=True)
    assert before_it.lost == ()


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([(200, "rise"), (100, "fall")], "out of order"),
        ([(100, "rise", 2), (200, "fall", 2)], "out of order"),
        ([(100, "rise", 5), (200, "fall", 3)], "out of order"),
        ([(-11, "rise")], "another clock"),
        ([(1003, "rise")], "another clock"),
    ],
)
def test_events_that_cant_be_are_an_error_and_not_edges(events, says: str) -> None:
    with pytest.raises(InstrumentError, match=says) as error:
        edges(*events)
    assert "17" in error.value.problem
    assert error.value.fix


@given(
    gaps=st.lists(st.integers(2, 40), max_size=24),
    dropped=st.sets(st.integers(0, 23)),
    high=st.booleans(),
)
def test_whatever_is_dropped_the_level_outside_of_lost_spans_is_the_lines_own(gaps, dropped, high) -> None:
    ticks = np.cumsum(np.array(gaps, np.int64))  # ms after the start
    rises = np.array([(k % 2 == 0) != high for k in range(len(ticks))], bool)
    kept = [k for k in range(len(ticks)) if k not in dropped]
    found = edges(*((ticks[k], "rise" if rises[k] else "fall", k + 1) for k in kept), high=high)
    assert found.high_at_start == high
    last = ticks[kept[-1]] if kept else 0
    for at in np.arange(0.5, min(last, 1000), 1.0):
        if any(start * 1e3 < at < stop * 1e3 for start, stop in found.lost):
            continue
        true = high != bool(np.count_nonzero(ticks < at) % 2)
        seen = found.high_at_start != bool(np.count_nonzero(found.times_s * 1e3 < at) % 2)
        assert seen == true
