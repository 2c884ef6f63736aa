"""RTC: counts LFCLK edges exactly; events only where they are enabled."""

from __future__ import annotations

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_LFCLK
from pytest_lan_hil.virtual.silicon.nrf52840.rtc import LowFrequencyClock, Rtc

START, STOP, CLEAR, TRIGOVRFLW = 0x000, 0x004, 0x008, 0x00C
TICK, OVRFLW, COMPARE0 = 0x100, 0x104, 0x140
INTENSET, EVTENSET, COUNTER, PRESCALER, CC0 = 0x304, 0x344, 0x504, 0x508, 0x540


def make(rig):
    clock = LowFrequencyClock()
    rtc = Rtc(rig.fabric, "RTC1", 0x4001_1000, 17, channels=4, clock=clock)
    rtc.reset()
    clock.run(rig.now)
    return rtc, clock


def test_one_second_is_32768_counts(rig):
    rtc, _ = make(rig)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK)  # the start task's delay
    rig.run(32768 * TICKS_PER_LFCLK)
    assert rtc.read(COUNTER, 4) == 32768


def test_prescaler_divides(rig):
    rtc, _ = make(rig)
    rtc.write(PRESCALER, 32, 4)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK * (1 + 33 * 100))
    assert rtc.read(COUNTER, 4) == 100


def test_compare_wakes_at_the_exact_edge(rig):
    rtc, _ = make(rig)
    rtc.write(CC0, 100, 4)
    rtc.write(INTENSET, 1 << 16, 4)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK * 101 - 1)
    assert not rig.irqs.levels.get(17)
    rig.run(1)
    assert rig.irqs.levels[17]
    assert rtc.read(COMPARE0, 4) == 1


def test_disabled_compare_generates_no_event(rig):
    rtc, _ = make(rig)
    rtc.write(CC0, 10, 4)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK * 50)
    assert rtc.read(COMPARE0, 4) == 0
    assert rig.timeline.next_at() is None


def test_event_enable_without_interrupt_sets_the_flag_only(rig):
    rtc, _ = make(rig)
    rtc.write(CC0, 10, 4)
    rtc.write(EVTENSET, 1 << 16, 4)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK * 50)
    assert rtc.read(COMPARE0, 4) == 1
    assert not rig.irqs.levels.get(17)


def test_compare_of_the_next_count_is_missed_when_it_is_written_too_late(rig):
    rtc, _ = make(rig)
    rtc.write(INTENSET, 1 << 16, 4)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK * 11 - 100)  # counter 9, about to become 10
    rtc.write(CC0, 10, 4)
    rig.run(TICKS_PER_LFCLK * 5)
    assert rtc.read(COMPARE0, 4) == 0
    rtc.write(CC0, 17, 4)  # two ahead: never missed
    rig.run(TICKS_PER_LFCLK * 5)
    assert rtc.read(COMPARE0, 4) == 1


def test_overflow(rig):
    rtc, _ = make(rig)
    rtc.write(INTENSET, 1 << 1, 4)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK * 3)
    rtc.write(TRIGOVRFLW, 1, 4)
    rig.run(TICKS_PER_LFCLK * 18)
    assert rtc.read(OVRFLW, 4) == 1
    assert rtc.read(COUNTER, 4) < 0x100


def test_tick_event_every_count(rig):
    rtc, _ = make(rig)
    rtc.write(INTENSET, 1, 4)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK)
    for _ in range(5):
        rig.run(TICKS_PER_LFCLK)
        assert rtc.read(TICK, 4) == 1
        rtc.write(TICK, 0, 4)
    assert rig.irqs.rises[17] == 5


def test_counter_stands_still_while_the_clock_is_off(rig):
    rtc, clock = make(rig)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK * 11)
    clock.run(None)
    rig.run(TICKS_PER_LFCLK * 100)
    assert rtc.read(COUNTER, 4) == 10
    clock.run(rig.now)
    rig.run(TICKS_PER_LFCLK * 5)
    assert rtc.read(COUNTER, 4) == 15


def test_stop_takes_effect_within_46_us(rig):
    rtc, _ = make(rig)
    rtc.write(START, 1, 4)
    rig.run(TICKS_PER_LFCLK * 21)
    rtc.write(STOP, 1, 4)
    rig.run(TICKS_PER_LFCLK * 100)
    assert 20 <= rtc.read(COUNTER, 4) <= 22
