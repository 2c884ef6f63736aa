"""Virtual time: what is due when, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lan_hil.virtual.silicon.timeline import Timeline


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(1000)


def advance(timeline: Timeline, tick: int) -> None:
    timeline.advance_to(tick)
    timeline.run_due()


def test_a_rate_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        Timeline(0)


def test_seconds_and_ticks_convert_both_ways(timeline: Timeline) -> None:
    assert timeline.seconds(1500) == 1.5
    assert timeline.ticks(1.5004) == 1500


def test_each_event_sees_its_own_tick(timeline: Timeline) -> None:
    seen: list[int] = []
    for at in (30, 10, 20):
        timeline.schedule(at, lambda: seen.append(timeline.now))
    advance(timeline, 25)
    assert seen == [10, 20]
    assert timeline.now == 25
    assert timeline.next_at() == 30


def test_events_of_one_tick_run_in_the_order_of_scheduling(timeline: Timeline) -> None:
    seen: list[str] = []
    for name in "abc":
        timeline.schedule(5, lambda name=name: seen.append(name))
    advance(timeline, 5)
    assert seen == ["a", "b", "c"]


def test_an_event_scheduled_by_an_event_runs_if_it_is_due_too(timeline: Timeline) -> None:
    seen: list[int] = []
    timeline.schedule(5, lambda: timeline.schedule(7, lambda: seen.append(timeline.now)))
    advance(timeline, 10)
    assert seen == [7]


def test_an_event_in_the_past_runs_now_and_never_earlier(timeline: Timeline) -> None:
    timeline.advance_to(50)
    seen: list[int] = []
    event = timeline.schedule(10, lambda: seen.append(timeline.now))
    assert event.at == 50
    timeline.run_due()
    assert seen == [50]


def test_a_cancelled_event_does_not_run(timeline: Timeline) -> None:
    seen: list[int] = []
    event = timeline.schedule(5, lambda: seen.append(1))
    timeline.cancel(event)
    timeline.cancel(None)
    assert timeline.next_at() is None
    advance(timeline, 10)
    assert seen == []


def test_an_event_that_ran_is_not_live(timeline: Timeline) -> None:
    event = timeline.schedule(5, lambda: None)
    assert event.live
    advance(timeline, 5)
    assert not event.live


def test_a_callback_that_fails_leaves_the_clock_usable(timeline: Timeline) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    timeline.schedule(5, fail)
    with pytest.raises(RuntimeError, match="broken"):
        advance(timeline, 8)
    assert timeline.now == 8


def test_due_events_are_not_run_from_inside_an_event(timeline: Timeline) -> None:
    seen: list[str] = []

    def outer() -> None:
        timeline.run_due()
        seen.append("outer")

    timeline.schedule(5, outer)
    timeline.schedule(5, lambda: seen.append("inner"))
    advance(timeline, 5)
    assert seen == ["outer", "inner"]


def test_a_source_leads_the_clock_and_leaves_it_where_it_came_to(timeline: Timeline) -> None:
    cycles = 40
    timeline.follow(lambda: cycles)
    assert timeline.now == 40
    cycles = 60
    timeline.follow(None)
    assert timeline.now == 60


def test_the_clock_does_not_go_back(timeline: Timeline) -> None:
    timeline.advance_to(50)
    timeline.advance_to(20)
    timeline.follow(lambda: 30)
    timeline.follow(None)
    assert timeline.now == 50


def test_a_listener_hears_of_each_new_event(timeline: Timeline) -> None:
    heard: list[int] = []
    timeline.notify_sooner(heard.append)
    timeline.schedule(9, lambda: None)
    timeline.schedule(4, lambda: None)
    assert heard == [9, 4]


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=30), st.integers(1, 17))
def test_random_events_run_once_in_order_and_on_time(events: list[tuple[int, bool]], stride: int) -> None:
    timeline = Timeline(1000)
    ran: list[tuple[int, int]] = []
    expected = []
    for number, (at, cancelled) in enumerate(events):
        event = timeline.schedule(at, lambda number=number: ran.append((timeline.now, number)))
        if cancelled:
            timeline.cancel(event)
        else:
            expected.append((at, number))
    for tick in range(0, 120, stride):
        advance(timeline, tick)
        assert all(at <= tick for at, _ in ran)
    advance(timeline, 120)
    assert ran == sorted(expected)
