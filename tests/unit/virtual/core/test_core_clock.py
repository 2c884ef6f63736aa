"""What stops a running core and what does not: events, attention, changes of masks and privilege."""

from __future__ import annotations

import numpy as np
from core_rig import program

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import cycles
from pytest_lan_hil.virtual.silicon.coreclock import CoreClock
from pytest_lan_hil.virtual.silicon.timeline import Timeline

TICKS = 4


def clock_and_timeline() -> tuple[CoreClock, Timeline, np.ndarray]:
    timeline, state = Timeline(64_000_000), np.zeros(h.SCALARS, np.int64)
    return CoreClock(timeline, TICKS, state), timeline, state


def test_the_core_stops_at_the_earliest_of_event_deadline_and_limit() -> None:
    clock, timeline, state = clock_and_timeline()
    timeline.schedule(400, lambda: None)
    clock.set_deadline(1000, at_most=None)
    assert state[h.DEADLINE] == 100
    clock.set_deadline(200, at_most=None)
    assert state[h.DEADLINE] == 50
    clock.set_deadline(1000, at_most=7)
    assert state[h.DEADLINE] == 7


def test_an_event_that_has_happened_while_the_core_waited_no_longer_stops_it() -> None:
    clock, timeline, state = clock_and_timeline()
    clock.set_deadline(4000, at_most=None)
    with clock.running():
        timeline.schedule(400, lambda: None)
        timeline.schedule(2000, lambda: None)
        assert state[h.DEADLINE] == 100
        clock.stall(800)
        timeline.run_due()
        clock.events_ran()
        assert state[h.DEADLINE] == 500


def test_an_event_that_asked_for_attention_stops_it_all_the_same() -> None:
    clock, timeline, state = clock_and_timeline()
    clock.set_deadline(4000, at_most=None)
    with clock.running():
        timeline.schedule(400, clock.attention)
        clock.stall(800)
        timeline.run_due()
        clock.events_ran()
        assert state[h.DEADLINE] < state[h.CYCLES]


def test_only_what_may_unmask_or_change_privilege_is_looked_at() -> None:
    flags = {
        text: cycles.analyse(code, 0).flags
        for text, code in {
            "cpsid": program("cpsid i", "72b6"),
            "cpsie": program("cpsie i", "62b6"),
            "primask": program("msr PRIMASK, r0", "80f31088"),
            "control": program("msr CONTROL, r0", "80f31488"),
        }.items()
    }
    assert flags == {
        "cpsid": 0,
        "cpsie": h.FLAG_UNMASK,
        "primask": h.FLAG_UNMASK,
        "control": h.FLAG_PRIVILEGE,
    }
