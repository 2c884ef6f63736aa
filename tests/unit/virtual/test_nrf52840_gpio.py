"""GPIO, GPIOTE and PPI: levels, sense, tasks and events."""

from __future__ import annotations

import pytest

from pytest_lan_hil.virtual.names import SILICON
from pytest_lan_hil.virtual.silicon.nrf52840.gpio import Gpio
from pytest_lan_hil.virtual.silicon.nrf52840.gpiote import Gpiote
from pytest_lan_hil.virtual.silicon.nrf52840.ppi import Ppi
from pytest_lan_hil.virtual.silicon.nrf52840.small import Egu

PINS = SILICON["nrf52840"].pins

OUT, OUTSET, OUTCLR, IN, DIR, DIRSET, LATCH, DETECTMODE = (
    0x504, 0x508, 0x50C, 0x510, 0x514, 0x518, 0x520, 0x524,
)  # fmt: skip
PIN_CNF = 0x700
PULLUP, INPUT = 3 << 2, 0
SENSE_HIGH, SENSE_LOW = 2 << 16, 3 << 16


@pytest.fixture
def edges():
    return []


@pytest.fixture
def gpio(rig, edges):
    gpio = Gpio(rig.fabric, on_level=lambda pin, level: edges.append((rig.now, PINS.name(pin), level)))
    gpio.reset()
    return gpio


def test_outset_and_outclr_make_one_edge_each(rig, gpio, edges):
    gpio.write(DIRSET, 1 << 13, 4)
    rig.run(100)
    gpio.write(OUTSET, 1 << 13, 4)
    gpio.write(OUTSET, 1 << 13, 4)
    rig.run(7)
    gpio.write(OUTCLR, 1 << 13, 4)
    assert edges == [(100, "P0.13", True), (107, "P0.13", False)]


def test_output_value_of_an_input_pin_is_no_level(gpio, edges):
    gpio.write(OUTSET, 1 << 13, 4)
    assert edges == []
    gpio.write(DIRSET, 1 << 13, 4)
    assert edges == [(0, "P0.13", True)]


def test_port_1_lies_0x300_further(gpio, edges):
    gpio.write(DIRSET + 0x300, 1 << 2, 4)
    gpio.write(OUTSET + 0x300, 1 << 2, 4)
    assert edges == [(0, "P1.02", True)]
    assert gpio.read(OUT, 4) == 0
    assert gpio.read(OUT + 0x300, 4) == 1 << 2


def test_input_reads_only_through_a_connected_buffer(gpio):
    gpio.drive_external(5, True)
    assert gpio.read(IN, 4) == 0
    gpio.write(PIN_CNF + 4 * 5, INPUT, 4)
    assert gpio.read(IN, 4) == 1 << 5


def test_pull_up_makes_an_undriven_pin_high(gpio):
    gpio.write(PIN_CNF + 4 * 7, INPUT | PULLUP, 4)
    assert gpio.read(IN, 4) == 1 << 7
    gpio.drive_external(7, False)
    assert gpio.read(IN, 4) == 0


def test_latch_keeps_a_sensed_pin_until_the_condition_is_gone(gpio):
    gpio.write(PIN_CNF + 4 * 3, INPUT | SENSE_HIGH, 4)
    gpio.drive_external(3, True)
    assert gpio.read(LATCH, 4) == 1 << 3
    gpio.write(LATCH, 1 << 3, 4)
    assert gpio.read(LATCH, 4) == 1 << 3
    gpio.drive_external(3, False)
    gpio.write(LATCH, 1 << 3, 4)
    assert gpio.read(LATCH, 4) == 0


def test_port_event_wakes_on_sense(rig, gpio):
    gpiote = Gpiote(rig.fabric, gpio)
    gpiote.reset()
    gpiote.write(0x304, 1 << 31, 4)
    gpio.write(PIN_CNF + 4 * 3, INPUT | SENSE_LOW | PULLUP, 4)
    assert not rig.irqs.levels.get(6)
    gpio.drive_external(3, False)
    assert rig.irqs.levels[6]


@pytest.mark.parametrize(("polarity", "expected"), [(1, [True]), (2, [False]), (3, [True, False])])
def test_event_channel_fires_on_its_polarity(rig, gpio, polarity, expected):
    gpiote = Gpiote(rig.fabric, gpio)
    gpiote.reset()
    gpiote.write(0x304, 1, 4)
    gpiote.write(0x510, 1 | 11 << 8 | polarity << 16, 4)
    seen = []
    for level in (True, False):
        gpio.drive_external(11, level)
        if gpiote.read(0x100, 4):
            seen.append(level)
            gpiote.write(0x100, 0, 4)
    assert seen == expected


def test_task_channel_owns_the_pin_until_it_is_released(gpio, rig, edges):
    gpiote = Gpiote(rig.fabric, gpio)
    gpiote.reset()
    gpiote.write(0x510, 3 | 13 << 8 | 3 << 16, 4)
    gpiote.write(0x000, 1, 4)
    gpiote.write(0x000, 1, 4)
    assert [level for _, _, level in edges] == [True, False]
    gpio.write(DIRSET, 1 << 13, 4)
    gpio.write(OUTSET, 1 << 13, 4)
    assert not gpio.level(13), "OUT has no effect while GPIOTE owns the pin"
    gpiote.write(0x510, 0, 4)
    assert gpio.level(13)


def test_ppi_channel_group_and_fork(rig, gpio, edges):
    gpiote = Gpiote(rig.fabric, gpio)
    egu = Egu(rig.fabric, 0)
    ppi = Ppi(rig.fabric, [egu, gpiote])
    for block in (gpiote, egu, ppi):
        block.reset()
    gpiote.write(0x510, 3 | 13 << 8 | 3 << 16, 4)
    gpiote.write(0x514, 3 | 14 << 8 | 3 << 16, 4)
    ppi.write(0x510 + 8 * 5, egu.base + 0x100, 4)
    ppi.write(0x514 + 8 * 5, gpiote.base + 0x030, 4)
    ppi.write(0x910 + 4 * 5, gpiote.base + 0x034, 4)
    egu.write(0x000, 1, 4)
    assert edges == []
    ppi.write(0x800, 1 << 5, 4)
    ppi.write(0x000, 1, 4)  # CHG[0].EN
    egu.write(0x000, 1, 4)
    assert {pin for _, pin, _ in edges} == {"P0.13", "P0.14"}
    ppi.write(0x004, 1, 4)  # CHG[0].DIS
    assert ppi.read(0x500, 4) == 0


def test_pin_names_round_trip_and_wrong_ones_are_refused():
    assert [PINS.number(PINS.name(n)) for n in range(48)] == list(range(48))
    for wrong in ("P0.32", "P1.16", "P2.0", "13", "P0", ""):
        with pytest.raises(ValueError, match="pin"):
            PINS.number(wrong)
