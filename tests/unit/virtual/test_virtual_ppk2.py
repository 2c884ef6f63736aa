"""The real ppk2_api package, and the instrument on top of it, on the virtual PPK2."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from fake_board import TICK_HZ, FakeBoard, duty_cycle, record
from numpy.testing import assert_allclose, assert_array_equal
from ppk2_api.ppk2_api import PPK2_API

from pytest_lan_hil.instruments import open_analyzer, ppk2_open
from pytest_lan_hil.instruments.ppk2_models import RANGES
from pytest_lan_hil.model.capture import Gap
from pytest_lan_hil.model.errors import InputError, InstrumentError
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.ppk2 import VirtualPpk2, open_port

PINS = {"d0": "P0.13", "d3": "P0.14"}
MARKERS = {"inference": "d0", "phase": "d3"}


class PoweredBoard(FakeBoard):
    """A scripted board that notes what its supply did."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.supply_v = None
        self.resets = 0

    def set_supply(self, supply_v):
        self.supply_v = supply_v

    def power_on_reset(self):
        self.resets += 1


def port_on(board, *, fault="", seed=1, serial="VIRTUAL1"):
    return VirtualPpk2(
        board, target="nrf52840", serial=serial, pins=PINS, seed=seed, faults=Faults.parse(fault)
    )


def package_on(port):
    """The package, around a port: set up as its own example does."""
    api = PPK2_API(None)
    api.ser = port
    assert api.get_modifiers()
    api.use_source_meter()
    api.set_source_voltage(3000)
    api.toggle_DUT_power("ON")
    return api


@pytest.fixture
def instrument_on(monkeypatch):
    """Opens the instrument on a board, with a port from the entry point; closes it afterwards."""
    opened = []

    def open_on(board, options="mode=source", *, markers=MARKERS, supply_v=3.0, **port_options):
        port = port_on(board, **port_options)
        entry = SimpleNamespace(name="virtual", load=lambda: lambda target, options: port)
        monkeypatch.setattr(ppk2_open, "entry_points", lambda group: [entry])
        opened.append(open_analyzer(f"ppk2+virtual:x?{options}", markers=markers, supply_v=supply_v))
        return opened[-1]

    yield open_on
    for analyzer in opened:
        analyzer.close()


def bits(line):
    return np.unpackbits(line.bits, bitorder="little")[: line.count]


# -- the package on the virtual port ----------------------------------------------------------------------


def test_the_package_reads_calibration_and_current_from_the_port():
    board = PoweredBoard(2e-3)
    api = package_on(port_on(board))
    assert board.supply_v == 3.0
    assert api.modifiers["R"]["2"] == pytest.approx(10.25, rel=0.03)
    api.start_measuring()
    board.clock.sleep(0.1)
    api.stop_measuring()
    samples, logic = api.get_samples(api.get_data())
    assert len(samples) == len(logic) == 10_000
    assert np.mean(samples) == pytest.approx(2000, rel=0.10)
    api.ser.close()


def test_what_a_port_sends_depends_on_serial_and_seed_alone():
    def sent(**options):
        api = package_on(port_on(PoweredBoard(**duty_cycle(0.2)), **options))
        api.start_measuring()
        api.ser.clock.sleep(0.2)
        api.stop_measuring()
        return api.get_data()

    assert sent() == sent()
    assert sent() != sent(seed=2)
    assert sent() != sent(serial="OTHER")


def test_a_board_is_powered_up_anew_after_its_output_was_off():
    board = PoweredBoard(1e-3)
    api = package_on(port_on(board))
    assert board.resets == 0
    api.toggle_DUT_power("OFF")
    api.start_measuring()
    board.clock.sleep(0.01)
    api.stop_measuring()
    assert abs(np.mean(api.get_samples(api.get_data())[0])) < 0.5
    api.toggle_DUT_power("ON")
    assert board.resets == 1


# -- the instrument on the package ------------------------------------------------------------------------


def test_every_sample_of_the_virtual_time_is_there(instrument_on):
    analyzer = instrument_on(PoweredBoard(1e-3))
    capture = record(analyzer, 1.5)
    assert (capture.count, capture.sample_rate_hz) == (150_000, 100_000)
    assert capture.complete
    assert capture.gaps == ()
    assert capture.start_s == pytest.approx(0.0, abs=1e-9)
    assert record(analyzer, 0.01234).count == 1234
    assert not [note for note in capture.notes if "filtered" in note]


def test_a_second_capture_of_the_same_load_is_the_same_bit_for_bit(instrument_on):
    analyzer = instrument_on(PoweredBoard(1e-3))
    assert_array_equal(record(analyzer, 0.3).current_a, record(analyzer, 0.3).current_a)


@pytest.mark.parametrize("level_a", [0.0, 5e-6, 40e-6, 300e-6, 2e-3, 30e-3, 0.4])
def test_a_steady_current_is_read_within_the_stated_error_of_its_range(instrument_on, level_a):
    capture = record(instrument_on(PoweredBoard(level_a)), 0.2)
    held_by = next(one for one in RANGES if one.limit_a >= level_a)
    assert abs(capture.current_a.mean(dtype=float) - level_a) < level_a * held_by.gain + held_by.offset_a
    assert capture.ranges.indices.tolist() == [RANGES.index(held_by)]


def test_the_record_equals_the_packages_decoding_of_the_same_bytes(instrument_on):
    api = package_on(port_on(PoweredBoard(**duty_cycle(0.5))))
    api.start_measuring()
    api.ser.clock.sleep(0.5)
    api.stop_measuring()
    samples, _ = api.get_samples(api.get_data())
    capture = record(instrument_on(PoweredBoard(**duty_cycle(0.5))), 0.5)
    assert_allclose(capture.current_a, np.array(samples) / 1e6, rtol=1e-6, atol=1e-13)


def test_charge_of_a_duty_cycle_is_right_within_range_errors_and_switches(instrument_on):
    capture = record(instrument_on(PoweredBoard(**duty_cycle(3.2))), 3.2)
    true_a = (3e-3 * 4e-3 + 29e-3 * 3e-6) / 32e-3
    switching = np.isin(
        np.repeat(capture.ranges.indices, np.diff([*capture.ranges.starts, capture.count])), 5
    )
    allowance = 0.10 * true_a + 5e-6 + switching.mean() * capture.accuracy.current_offset_a
    assert abs(capture.current_a.mean(dtype=float) - true_a) < allowance


def test_samples_within_a_range_switch_are_a_range_of_their_own_with_an_error_of_their_own(instrument_on):
    capture = record(instrument_on(PoweredBoard(**duty_cycle(0.32))), 0.32)
    runs = capture.ranges
    lengths = np.diff([*runs.starts, capture.count])
    switches = runs.indices == len(RANGES)
    # Ten times awake: up at once, and down after the current was low for a while; three samples each.
    assert lengths[switches].tolist() == [3] * 20
    assert set(runs.indices[~switches]) == {0, 2}
    # Between 3 uA and 4 mA a sample that is a mean of both can be off by about half of it.
    assert 1e-3 < capture.accuracy.current_offset_a < 8e-3
    assert any("60 of 32000 samples lie within a range switch" in note for note in capture.notes)


def test_marker_lines_are_on_the_samples_grid(instrument_on):
    capture = record(instrument_on(PoweredBoard(**duty_cycle(0.1))), 0.1)
    line = capture.markers["inference"]
    assert (line.count, line.sample_rate_hz) == (10_000, 100_000)
    rises = np.flatnonzero(np.diff(bits(line).astype(int)) == 1) + 1
    assert rises.tolist() == [550, 3750, 6950]
    assert not bits(capture.markers["phase"]).any()


@pytest.mark.parametrize(("options", "offset_v"), [("mode=source", 0.05), ("mode=ampere", 0.0)])
def test_the_voltage_is_assumed_and_the_record_says_so(instrument_on, options, offset_v):
    capture = record(instrument_on(PoweredBoard(1e-3), options), 0.01)
    assert capture.supply == "assumed"
    assert capture.voltage_v.strides == (0,)
    assert_array_equal(capture.voltage_v, np.float32(3.0))
    assert capture.accuracy.voltage_offset_v == offset_v
    assert any("3 V" in note and "measure" in note for note in capture.notes)


@pytest.mark.parametrize(
    ("fault", "gap"),
    [
        ("drop@0.5:0.0003", (50_000, 50_030)),
        ("drop@0.5:0.1", (50_000, 60_000)),
        ("drop@0.503:0.01", (50_300, 51_300)),
    ],
)
def test_lost_samples_become_a_gap_of_their_length(instrument_on, fault, gap):
    capture = record(instrument_on(PoweredBoard(**duty_cycle(2)), fault=fault), 2)
    assert capture.gaps == (Gap(*gap),)
    assert capture.count == 200_000
    assert_array_equal(np.flatnonzero(np.isnan(capture.current_a)), np.arange(*gap))


def test_a_loss_that_the_counter_can_not_see_is_a_gap_all_the_same(instrument_on):
    capture = record(instrument_on(PoweredBoard(1e-3), fault="drop@0.5:0.00064"), 2)
    (gap,) = capture.gaps
    assert gap.start <= 50_000 < 50_064 <= gap.stop
    assert gap.stop - gap.start <= 2000 + 64
    assert capture.count == 200_000


def test_what_was_recorded_before_it_was_unplugged_is_kept_and_incomplete(instrument_on):
    analyzer = instrument_on(PoweredBoard(1e-3), fault="analyzer_vanish@0.5")
    capture = record(analyzer, 1.0)
    assert capture.count == 50_000
    assert not capture.complete
    assert any("lost 0.500 s into the capture" in note for note in capture.notes)
    with pytest.raises(InstrumentError, match="unplugged"):
        analyzer.start()


def test_current_beyond_the_highest_range_is_a_gap_and_not_a_number(instrument_on):
    board = PoweredBoard(1e-3, loads=[(0.05, 50.0), (0.06, 1e-3)])
    capture = record(instrument_on(board), 0.1)
    assert Gap(5000, 6000) in capture.gaps
    assert any("limit of the PPK2's highest range" in note for note in capture.notes)


def test_the_output_is_switched_off_at_the_end_unless_it_is_to_stay(instrument_on):
    for options, resets in (("mode=source", 1), ("mode=source&keep_on=1", 0)):
        board = PoweredBoard(1e-3)
        port = port_on(board)
        analyzer = instrument_on(board, options)
        powered = analyzer._port
        analyzer.close()
        analyzer.close()
        assert not powered.is_open
        assert powered._powered == (resets == 0)
        port.close()


def test_a_voltage_that_the_virtual_board_can_not_take_is_refused(instrument_on):
    with pytest.raises(InputError, match="supply_v=5 is outside the nRF52840's range"):
        instrument_on(PoweredBoard(), "mode=source&supply_mv=5000")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d9": "P0.13"}, "no option 'd9'"),
        ({"d0": "P7.99"}, "options are wrong"),
        ({"seed": "x"}, "options are wrong"),
    ],
)
def test_options_that_can_not_be_meant_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        open_port("nrf52840", options)


def test_the_board_is_let_go_when_the_instrument_does_not_open():
    for _ in range(2):
        with pytest.raises(InputError, match="supply_v=5 is outside"):
            open_analyzer("ppk2+virtual:nrf52840-p?mode=source&supply_mv=5000", markers={})
    analyzer = open_analyzer("ppk2+virtual:nrf52840-p?mode=source", markers={}, supply_v=3.0)
    assert analyzer.identity.simulated
    assert TICK_HZ % 100_000 == 0
    analyzer.close()
