"""INA219 and INA228, opened as a bench file would, on the register models and a scripted load."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fake_board import FakeBoard

from pytest_lan_hil.instruments import ina_open
from pytest_lan_hil.instruments.ina import Ina
from pytest_lan_hil.instruments.registry import open_analyzer
from pytest_lan_hil.judge.budgets import judge
from pytest_lan_hil.measure.quantities import mean_power
from pytest_lan_hil.model.errors import InputError, InstrumentError
from pytest_lan_hil.model.measurement import Budget, VerdictKind
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.smbus import bus_on

# 5 mA for 11 ms of every 100 ms, else 150 uA: the shape of a listening microcontroller.
LISTENING = tuple((t * 0.1 + at, level) for t in range(60) for at, level in ((0.02, 5e-3), (0.031, 150e-6)))
LISTENING_MW = (0.089 * 150e-6 + 0.011 * 5e-3) / 0.1 * 3e3
BOTH = ("ina219+virtual:b?shunt_ohm=10&range_mv=80", "ina228+virtual:b?shunt_ohm=10")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ina]:
    """Opens a URI on a scripted board instead of a virtual one."""

    def open_it(uri: str, board: FakeBoard, **specimen) -> Ina:
        class Entry:
            name = "virtual"

            @staticmethod
            def load():
                def bus(target, options):
                    given = {**specimen, "shunt_ohm": specimen.get("shunt_ohm", float(options["shunt_ohm"]))}
                    faults = Faults.parse(options.get("fault", ""))
                    return bus_on(board, chip=options["chip"], faults=faults, **given)

                return bus

        monkeypatch.setattr(ina_open, "entry_points", lambda group: [Entry])
        return open_analyzer(uri, markers={}, supply_v=3.0)

    return open_it


def capture(ina: Ina, seconds: float):
    ina.start()
    ina.clock.sleep(seconds)
    return ina.stop()


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("uri", BOTH)
def test_mean_power_is_within_the_instruments_own_error(opened, uri: str, seed: int) -> None:
    found = mean_power(capture(opened(uri, FakeBoard(300e-6), seed=seed), 2.0)).estimate
    assert abs(found.value - 0.9) <= found.instrument_error
    assert found.ci95_high - found.ci95_low < found.instrument_error


@pytest.mark.parametrize("uri", BOTH)
def test_mean_power_of_a_load_with_peaks_is_within_the_stated_interval(opened, uri: str) -> None:
    found = mean_power(capture(opened(uri, FakeBoard(150e-6, loads=LISTENING)), 5.0)).estimate
    assert found.low <= LISTENING_MW <= found.high


@pytest.mark.parametrize("uri", BOTH)
def test_a_capture_is_as_long_as_was_asked_and_has_no_gaps(opened, uri: str) -> None:
    ina = opened(uri, FakeBoard(1e-3))
    ina.clock.sleep(0.7)
    found = capture(ina, 3.0)
    assert found.duration_s == pytest.approx(3.0, abs=1.01 / found.sample_rate_hz)
    assert (found.complete, found.gaps, found.supply, found.start_s) == (True, (), "measured", 0.7)
    assert ina.capabilities == {"power"}
    assert ina.identity.simulated
    assert any("unconfirmed" in note for note in ina.identity.notes)


@pytest.mark.parametrize("uri", BOTH)
def test_two_captures_of_the_same_load_are_the_same_bit_for_bit(opened, uri: str) -> None:
    def power() -> bytes:
        found = capture(opened(uri, FakeBoard(150e-6, loads=LISTENING)), 1.0)
        return found.current_a.tobytes() + found.voltage_v.tobytes()

    assert power() == power()


def test_ina228_reports_the_energy_that_its_counter_counted(opened) -> None:
    """Peaks of 50 us that no paced sample resolves are in the counter nevertheless."""
    peaks = [(k * 0.0123 + at, level) for k in range(160) for at, level in ((0, 10e-3), (50e-6, 0.0))]
    found = mean_power(capture(opened("ina228+virtual:b?shunt_ohm=1", FakeBoard(0.0, loads=peaks)), 1.9))
    assert found.estimate.value == pytest.approx(10e-3 * 50e-6 / 0.0123 * 3e3, rel=0.15)


@pytest.mark.parametrize(
    ("uri", "range_text"),
    [
        ("ina219+virtual:b?shunt_ohm=10&range_mv=40", "± 40 mV, ± 4 mA"),
        ("ina228+virtual:b?shunt_ohm=10&range_mv=40.96", "± 40.96 mV, ± 4.096 mA"),
    ],
)
def test_an_overflow_is_an_error_that_names_the_range_and_what_to_do(opened, uri, range_text) -> None:
    ina = opened(uri, FakeBoard(1e-3, loads=[(0.5, 5e-3), (0.52, 1e-3)]))
    with pytest.raises(InstrumentError, match=range_text) as error:
        capture(ina, 2.0)
    assert "range_mv=80" in error.value.fix or "range_mv=163.84" in error.value.fix
    assert capture(ina, 0.2).count > 10  # the next one is not spoiled


def test_a_device_that_vanishes_keeps_what_was_recorded_as_incomplete(opened) -> None:
    for uri in BOTH:
        found = capture(opened(f"{uri}&fault=analyzer_vanish@1.0", FakeBoard(1e-3)), 3.0)
        assert not found.complete
        assert found.duration_s == pytest.approx(1.0, abs=0.02)


def test_a_stuck_bus_leaves_a_gap_in_samples_but_none_in_counted_energy(opened) -> None:
    fault = "&fault=drop@1.0:0.002"
    board = FakeBoard(1e-3)
    fast = "&averaging=1&bits=9"
    sampled = capture(opened(f"ina219+virtual:b?shunt_ohm=10{fast}{fault}", board), 2.0)
    (gap,) = sampled.gaps
    assert gap.start / sampled.sample_rate_hz == pytest.approx(1.0, abs=0.002)
    assert np.isnan(sampled.current_a[gap.start : gap.stop]).all()
    assert np.isfinite(np.delete(sampled.current_a, np.s_[gap.start : gap.stop])).all()
    counted = capture(opened(f"ina228+virtual:b?shunt_ohm=10&conversion_us=280{fault}", FakeBoard(1e-3)), 2.0)
    assert (counted.gaps, counted.complete) == ((), True)
    assert counted.current_a.mean() == pytest.approx(1e-3, rel=0.01)


def test_current_that_flows_backwards_is_an_error_and_not_a_negative_power(opened) -> None:
    for uri in BOTH:
        with pytest.raises(InstrumentError, match="backwards") as error:
            capture(opened(uri, FakeBoard(-2e-3)), 0.5)
        assert "IN+" in error.value.fix


def test_a_bus_without_voltage_is_an_error(opened) -> None:
    for uri in BOTH:
        with pytest.raises(InstrumentError, match="bus voltage"):
            capture(opened(uri, FakeBoard(0.0), supply_v=0.1), 0.5)


def test_a_capture_shorter_than_a_conversion_says_so(opened) -> None:
    with pytest.raises(InstrumentError, match=r"converts once in 68\.6 ms"):
        capture(opened("ina219+virtual:b?shunt_ohm=10&averaging=128", FakeBoard(1e-4)), 0.01)


def test_an_ina228_that_lost_its_supply_is_noticed(opened) -> None:
    board = FakeBoard(1e-3)
    ina = opened(BOTH[1], board)
    ina.start()
    ina.clock.sleep(1.0)
    ina._bus._devices[0x40]._reset()
    ina._bus._devices[0x40].write(0x0B, 0x8000)
    ina.clock.sleep(1.0)
    with pytest.raises(InstrumentError, match="lost its supply"):
        ina.stop()


def test_an_energy_counter_that_rolls_over_counts_on(opened) -> None:
    ina = opened(BOTH[1], FakeBoard(1e-3))
    ina.start()
    ina.clock.sleep(0.5)
    ina._bus._devices[0x40]._energy += (1 << 40) - ina._bus._devices[0x40]._energy - 50
    ina._chip._energy = (1 << 40) - 60
    ina.clock.sleep(1.5)
    found = ina.stop()
    assert found.current_a.mean() == pytest.approx(1e-3, rel=0.02)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("ina228+virtual:b?shunt_ohm=10", "no INA228"),
        ("ina219+virtual:b?shunt_ohm=10", "no INA219"),
    ],
)
def test_the_other_chip_at_the_address_is_noticed(opened, monkeypatch, uri: str, says: str) -> None:
    other = "ina219" if "ina228" in uri else "ina228"
    board = FakeBoard(1e-3)
    opened(BOTH[0], board)  # installs the scripted bus
    entry = ina_open.entry_points(group="")[0]
    monkeypatch.setattr(
        entry, "load", lambda: lambda target, options: bus_on(board, chip=other, shunt_ohm=10.0)
    )
    with pytest.raises(InstrumentError, match=says) as error:
        open_analyzer(uri, markers={}, supply_v=3.0)
    assert "address" in error.value.fix
    assert not board.power._recorders


def test_a_capture_under_way_is_thrown_away_by_close(opened) -> None:
    board = FakeBoard(1e-3)
    ina = opened(BOTH[0], board)
    ina.start()
    ina.clock.sleep(0.1)
    ina.close()
    ina.close()
    assert not board._listeners
    assert not board.power._recorders


def test_a_budget_finer_than_the_shunt_resolves_is_inconclusive_and_the_better_shunt_is_named(opened) -> None:
    board = FakeBoard(280e-6, loads=[(0.5, 5e-3), (0.52, 280e-6)])
    found = capture(opened("ina219+virtual:b?shunt_ohm=0.1&range_mv=40", board), 3.0)
    verdict = judge(mean_power(found), Budget("power", 0.9, "mean", "marker"))
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    (advice,) = found.notes
    assert "with 0.1 ohm is 100 uA" in advice
    assert "a shunt of 10 ohm would" in advice
    settled = capture(opened("ina219+virtual:b?shunt_ohm=10&range_mv=80", FakeBoard(250e-6)), 3.0)
    assert settled.notes == ()
    assert judge(mean_power(settled), Budget("power", 0.9, "mean", "marker")).kind is VerdictKind.WITHIN


def test_marker_lines_are_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="'inference'") as error:
        open_analyzer("ina219:/dev/i2c-1?shunt_ohm=10", markers={"inference": "gpi0"})
    assert "[edge_lines]" in error.value.fix


# Means of a quarter of full scale, made of peaks beyond it: 2 ms of every 10 ms. Each peak holds whole
# conversions of half a millisecond, and no average of eight milliseconds comes near the end of the range.
PULSED = tuple((t * 0.01 + at, level) for t in range(300) for at, level in ((0.003, 5e-3), (0.005, 0.1e-3)))


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        (
            "ina228+virtual:b?shunt_ohm=10&range_mv=40&averaging=64&conversion_us=280",
            "overflowed: the current",
        ),
        ("ina219+virtual:b?shunt_ohm=10&range_mv=40&averaging=16", "may have exceeded the range of ± 40 mV"),
        ("ina219+virtual:b?shunt_ohm=10&range_mv=40", "overflowed: the current"),
    ],
)
def test_a_peak_that_an_average_hides_is_an_overflow_and_never_a_clipped_mean(
    opened, uri: str, says: str
) -> None:
    with pytest.raises(InstrumentError, match=says):
        capture(opened(uri, FakeBoard(0.1e-3, loads=PULSED)), 2.0)


@pytest.mark.parametrize(
    ("uri", "ohm"),
    [
        ("ina228+virtual:b?shunt_ohm=10&averaging=64&conversion_us=280", 10),
        ("ina228+virtual:b?shunt_ohm=8&range_mv=40&averaging=64&conversion_us=280", 8),
        ("ina219+virtual:b?shunt_ohm=10&range_mv=80", 10),
        ("ina219+virtual:b?shunt_ohm=10&range_mv=320&averaging=4", 10),
    ],
)
def test_a_pulsed_load_near_full_scale_is_measured_within_the_stated_interval(opened, uri, ohm) -> None:
    found = mean_power(capture(opened(uri, FakeBoard(0.1e-3, loads=PULSED)), 2.9)).estimate
    # The board has what the shunt leaves of 3 V.
    true_w = sum(share * current * (3 - ohm * current) for share, current in ((0.2, 5e-3), (0.8, 0.1e-3)))
    assert found.low <= true_w * 1e3 <= found.high


class Slow:
    """Makes whoever follows virtual time come late: to each call, to every fifth, or to none."""

    def __init__(self, ina: Ina, late_s: float, *, every: int = 1) -> None:
        bus, calls = ina._bus, 0
        repeat = bus.repeat

        def slowly(act):
            def late() -> float:
                nonlocal calls
                calls += 1
                return act() if calls % every else max(act(), late_s)

            return repeat(late)

        bus.repeat = slowly


@pytest.mark.parametrize(("pace_s", "share"), [(1.5e-3, 0.29), (1.7e-3, 0.37)])
def test_a_slow_host_is_told_what_share_of_the_conversions_it_missed(opened, pace_s, share) -> None:
    ina = opened("ina219+virtual:b?shunt_ohm=10&range_mv=80", FakeBoard(1e-3))
    Slow(ina, pace_s)
    found = capture(ina, 3.0)
    (note,) = (note for note in found.notes if "were not fetched" in note)
    # The chip's period is off by up to 6 % here, which a host that is always late can't see.
    assert float(note.partition("%")[0]) / 100 == pytest.approx(share, abs=0.05)
    assert found.gaps == ()
    assert 1 / found.sample_rate_hz == pytest.approx(pace_s, rel=0.01)


def test_a_host_that_keeps_up_is_told_nothing_whatever_the_chips_oscillator(opened) -> None:
    for seed in range(1, 7):
        ina = opened("ina219+virtual:b?shunt_ohm=10&range_mv=80", FakeBoard(1e-3), seed=seed)
        assert capture(ina, 1.0).notes == ()


def test_an_ina228_that_is_read_late_misses_nothing_and_says_nothing(opened) -> None:
    ina = opened("ina228+virtual:b?shunt_ohm=10&conversion_us=280", FakeBoard(1e-3))
    Slow(ina, 5e-3)
    assert capture(ina, 2.0).notes == ()


@pytest.mark.parametrize("seed", range(1, 5))
def test_noise_about_zero_is_no_power_on_an_ina228(opened, seed: int) -> None:
    """With 0.02 ohm the inputs' 3 uA are 0.06 uV, and a conversion of 50 us has 2.2 uV of noise."""
    fast = "ina228+virtual:b?shunt_ohm=0.02&range_mv=40&conversion_us=50&averaging=16"
    board = FakeBoard(0.0)
    ina = opened(fast, board, seed=seed)
    device = ina._bus._devices[0x40]
    device._offset_v = 0.0
    found = capture(ina, 3.0)
    measured = mean_power(found)
    assert abs(measured.estimate.value) < 0.1 * measured.estimate.instrument_error
    (note,) = (note for note in found.notes if "magnitude" in note)
    assert "charge times bus voltage" in note
