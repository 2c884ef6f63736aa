"""TIMER: the product specification's counting, compare and capture, exact to the tick."""

from __future__ import annotations

import pytest
from fabric_rig import Rig
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_16MHZ
from pytest_lan_hil.virtual.silicon.nrf52840.ppi import Ppi
from pytest_lan_hil.virtual.silicon.nrf52840.timer import Timer

START, STOP, COUNT, CLEAR, CAPTURE0 = 0x000, 0x004, 0x008, 0x00C, 0x040
COMPARE0, SHORTS, INTENSET, MODE, BITMODE, PRESCALER, CC0 = 0x140, 0x200, 0x304, 0x504, 0x508, 0x510, 0x540


def make(rig, **settings_):
    timer = Timer(rig.fabric, "TIMER0", 0x4000_8000, 8, channels=4)
    timer.reset()
    for offset, value in settings_.get("registers", {}).items():
        timer.write(offset, value, 4)
    return timer


def captured(timer):
    timer.write(CAPTURE0, 1, 4)
    return timer.read(CC0, 4)


def test_counts_16_mhz_divided_by_the_prescaler(rig):
    timer = make(rig, registers={PRESCALER: 4, BITMODE: 3})
    timer.write(START, 1, 4)
    rig.run(1000 * TICKS_PER_16MHZ * 16)
    assert captured(timer) == 1000


def test_counter_wraps_at_its_bit_width(rig):
    timer = make(rig, registers={PRESCALER: 0, BITMODE: 1})
    timer.write(START, 1, 4)
    rig.run(300 * TICKS_PER_16MHZ)
    assert captured(timer) == 300 - 256


def test_stop_keeps_the_count_and_start_goes_on_from_it(rig):
    timer = make(rig, registers={PRESCALER: 0, BITMODE: 3})
    timer.write(START, 1, 4)
    rig.run(100 * TICKS_PER_16MHZ)
    timer.write(STOP, 1, 4)
    rig.run(500 * TICKS_PER_16MHZ)
    assert captured(timer) == 100
    timer.write(START, 1, 4)
    rig.run(7 * TICKS_PER_16MHZ)
    assert captured(timer) == 107


def test_compare_interrupt_rises_at_the_exact_tick(rig):
    timer = make(rig, registers={PRESCALER: 0, BITMODE: 3, CC0: 50, INTENSET: 1 << 16})
    timer.write(START, 1, 4)
    rig.run(50 * TICKS_PER_16MHZ - 1)
    assert not rig.irqs.levels.get(8)
    rig.run(1)
    assert rig.irqs.levels[8]
    timer.write(COMPARE0, 0, 4)
    assert not rig.irqs.levels[8]


def test_compare_flag_is_right_although_nobody_watches_it(rig):
    timer = make(rig, registers={PRESCALER: 0, BITMODE: 3, CC0: 50})
    timer.write(START, 1, 4)
    rig.run(49 * TICKS_PER_16MHZ)
    assert timer.read(COMPARE0, 4) == 0
    rig.run(TICKS_PER_16MHZ)
    assert timer.read(COMPARE0, 4) == 1
    assert rig.timeline.next_at() is None, "an unwatched compare must cost no callback"


def test_compare_clear_shortcut_makes_a_period_of_cc_counts(rig):
    timer = make(rig, registers={PRESCALER: 0, BITMODE: 3, CC0: 25, SHORTS: 1, INTENSET: 1 << 16})
    timer.write(START, 1, 4)
    for _ in range(4):
        rig.run(25 * TICKS_PER_16MHZ)
        timer.write(COMPARE0, 0, 4)
    assert rig.irqs.rises[8] == 4
    rig.run(10 * TICKS_PER_16MHZ)
    assert captured(timer) == 10


def test_compare_stop_shortcut_stops_at_the_match(rig):
    timer = make(rig, registers={PRESCALER: 0, BITMODE: 3, CC0: 25, SHORTS: 1 << 8})
    timer.write(START, 1, 4)
    rig.run(100 * TICKS_PER_16MHZ)
    timer.write(CAPTURE0 + 4, 1, 4)
    assert timer.read(CC0 + 4, 4) == 25


def test_counter_mode_counts_tasks_and_compares(rig):
    timer = make(rig, registers={MODE: 1, BITMODE: 3, CC0: 3, INTENSET: 1 << 16})
    timer.write(START, 1, 4)
    for _ in range(2):
        timer.write(COUNT, 1, 4)
    assert not rig.irqs.levels.get(8)
    timer.write(COUNT, 1, 4)
    assert rig.irqs.levels[8]


def test_running_timer_keeps_the_high_frequency_clock_on(rig):
    timer = make(rig)
    assert not rig.fabric.hfclk_requested
    timer.write(START, 1, 4)
    assert rig.fabric.hfclk_requested
    timer.write(STOP, 1, 4)
    assert not rig.fabric.hfclk_requested


def test_ppi_lets_one_timer_capture_another_at_the_event(rig):
    first = make(rig, registers={PRESCALER: 0, BITMODE: 3, CC0: 40})
    second = Timer(rig.fabric, "TIMER1", 0x4000_9000, 9, channels=4)
    second.reset()
    second.write(PRESCALER, 0, 4)
    second.write(BITMODE, 3, 4)
    ppi = Ppi(rig.fabric, [first, second])
    ppi.write(0x510, 0x4000_8140, 4)
    ppi.write(0x514, 0x4000_9040, 4)
    ppi.write(0x504, 1, 4)
    first.write(START, 1, 4)
    rig.run(10 * TICKS_PER_16MHZ)
    second.write(START, 1, 4)
    rig.run(200 * TICKS_PER_16MHZ)
    assert second.read(CC0, 4) == 30


@settings(max_examples=60, deadline=None)
@given(
    cc=st.integers(1, 400),
    prescaler=st.integers(0, 3),
    steps=st.lists(st.integers(1, 5000), min_size=1, max_size=20),
)
def test_watched_and_unwatched_compare_agree_whenever_they_are_read(cc, prescaler, steps):
    watched, lazy = Rig(), Rig()
    registers = {PRESCALER: prescaler, BITMODE: 0, CC0: cc}
    one, two = make(watched, registers={**registers, INTENSET: 1 << 16}), make(lazy, registers=registers)
    one.write(START, 1, 4)
    two.write(START, 1, 4)
    for step in steps:
        watched.run(step)
        lazy.run(step)
        assert one.read(COMPARE0, 4) == two.read(COMPARE0, 4)
        assert one.counter() == two.counter() == (watched.now // (32 << prescaler)) % 65536
        one.write(COMPARE0, 0, 4)
        two.write(COMPARE0, 0, 4)


def test_undeclared_register_is_not_silently_zero(rig):
    from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

    with pytest.raises(NotModelled, match="TIMER0"):
        make(rig).read(0x700, 4)
