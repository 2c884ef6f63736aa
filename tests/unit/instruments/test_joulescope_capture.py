"""A capture through the real joulescope package: complete, on one clock, with what was lost as gaps."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from fake_driver import FakeDriver, analog, bits, steady

from pytest_lan_hil.instruments import joulescope_open, open_analyzer
from pytest_lan_hil.model.capture import Gap
from pytest_lan_hil.model.errors import InstrumentError

PATH = "u/js220/002557"
MARKERS = {"inference": "gpi0", "phase": "gpi1"}
LOAD = {"s/i": 0.003, "s/v": 3.0, "s/gpi/0": 1, "s/gpi/1": 0}


@pytest.fixture
def opened(monkeypatch):
    """Open the instrument on a driver that plays a script; closed at the end."""
    analyzers = []

    def opening(script=(), *, path=PATH, markers=MARKERS, refuses=()):
        driver = FakeDriver(path, script=script, refuses=refuses)
        entry = SimpleNamespace(name="played", load=lambda: lambda target, options: driver)
        monkeypatch.setattr(joulescope_open, "entry_points", lambda group: [entry])
        analyzer = open_analyzer("joulescope+played:", markers=markers)
        analyzers.append(analyzer)
        return analyzer, driver

    yield opening
    for analyzer in analyzers:
        analyzer.close()


def record(analyzer, seconds):
    analyzer.start()
    analyzer.clock.sleep(seconds)
    return analyzer.stop()


def levels(line):
    return np.unpackbits(line.bits, bitorder="little")[: line.count]


def test_a_capture_is_as_long_as_it_was_recorded_and_holds_what_came(opened):
    analyzer, _ = opened(steady(1.0, LOAD))
    capture = record(analyzer, 0.5)
    assert capture.sample_rate_hz == 1e6
    assert capture.duration_s == pytest.approx(0.5, abs=1e-9)
    assert np.all(capture.current_a == np.float32(0.003))
    assert np.all(capture.voltage_v == np.float32(3.0))
    assert {name: (line.count, line.sample_rate_hz) for name, line in capture.markers.items()} == {
        "inference": (1_000_000, 2e6),
        "phase": (1_000_000, 2e6),
    }
    assert levels(capture.markers["inference"]).all()
    assert not levels(capture.markers["phase"]).any()
    assert capture.complete
    assert capture.gaps == ()
    assert capture.supply == "measured"


def test_samples_that_are_still_on_their_way_are_waited_for(opened):
    analyzer, _ = opened(steady(1.0, LOAD, late_s=0.08))
    capture = record(analyzer, 0.3)
    assert capture.duration_s == pytest.approx(0.3, abs=1e-9)
    assert capture.complete


def test_what_comes_after_the_end_is_not_part_of_the_record(opened):
    analyzer, driver = opened(steady(1.0, LOAD))
    capture = record(analyzer, 0.1005)
    assert capture.duration_s == pytest.approx(0.1005, abs=2e-6)
    assert [value for topic, value in driver.published if topic == "s/i/ctrl"] == [1, 0]
    assert not [topic for topic, _ in driver.subscribed if topic.endswith("!data")]


def test_dropped_samples_are_a_gap_in_current_and_voltage_never_zero(opened):
    script = steady(0.1, LOAD)
    del script[4 * 5 : 4 * 5 + 4]  # one piece of every signal
    analyzer, _ = opened(script)
    capture = record(analyzer, 0.1)
    assert capture.gaps == (Gap(50_000, 60_000),)
    for samples in (capture.current_a, capture.voltage_v):
        assert np.isnan(samples[50_000:60_000]).all()
        assert np.isfinite(samples[:50_000]).all()
        assert np.isfinite(samples[60_000:]).all()
    assert capture.lost_share == pytest.approx(0.1)
    assert levels(capture.markers["inference"]).all(), "the line keeps its level"


@pytest.mark.parametrize("signal", sorted(LOAD))
def test_a_loss_in_any_signal_is_a_gap(opened, signal):
    script = steady(0.1, LOAD)
    script = [entry for entry in script if not (entry[1] == signal and entry[2]["sample_id"] == 4_100_000)]
    analyzer, _ = opened(script)
    assert record(analyzer, 0.1).gaps == (Gap(50_000, 60_000),)


def test_signals_that_begin_at_different_ids_are_aligned(opened):
    script = [
        (0.01, "s/i", analog(1000, np.arange(1000))),
        (0.01, "s/v", analog(1010, np.arange(1000))),
        (0.01, "s/gpi/0", bits(1003, [0] * 17 + [1] * 1983)),
    ]
    analyzer, _ = opened(script, markers={"inference": "gpi0"})
    capture = record(analyzer, 0.02)
    assert capture.current_a[0] == 5.0
    assert capture.voltage_v[0] == 0.0
    assert levels(capture.markers["inference"]).tolist()[:12] == [0] * 10 + [1, 1]


def test_a_capture_of_no_length_is_empty_and_complete(opened):
    analyzer, _ = opened(steady(0.1, LOAD))
    analyzer.start()
    capture = analyzer.stop()
    assert len(capture.current_a) == len(capture.voltage_v) == 0
    assert capture.duration_s == 0.0
    assert capture.complete


def test_a_stream_that_never_comes_is_empty_and_not_complete(opened):
    analyzer, _ = opened([])
    capture = record(analyzer, 2.0)
    assert len(capture.current_a) == 0
    assert not capture.complete


def test_a_line_that_does_not_stream_makes_the_record_not_complete(opened):
    analyzer, _ = opened(steady(1.0, {"s/i": 0.003, "s/v": 3.0}))
    capture = record(analyzer, 1.0)
    assert len(capture.current_a) == 0
    assert not capture.complete


def test_a_stream_that_ends_early_is_kept_and_not_complete(opened):
    analyzer, _ = opened(steady(0.4, LOAD))
    capture = record(analyzer, 1.0)
    assert capture.duration_s == pytest.approx(0.4, abs=1e-9)
    assert not capture.complete


def test_an_unplugged_device_gives_what_it_had_and_is_asked_nothing_more(opened):
    analyzer, driver = opened(steady(1.0, LOAD))
    analyzer.start()
    analyzer.clock.sleep(0.3)
    driver.unplug()
    driver.published.clear()
    analyzer.clock.sleep(0.2)
    capture = analyzer.stop()
    assert capture.duration_s == pytest.approx(0.3, abs=1e-9)
    assert not capture.complete
    assert driver.published == driver.refused == []
    with pytest.raises(InstrumentError, match="was unplugged"):
        analyzer.start()
    analyzer.close()
    analyzer.close()
    assert driver.finalized == 1


def test_another_device_that_is_unplugged_does_not_matter(opened):
    analyzer, driver = opened(steady(1.0, LOAD))
    analyzer.start()
    driver.emit("@/!remove", "u/js220/000001")
    analyzer.clock.sleep(0.1)
    assert analyzer.stop().complete


def test_sample_ids_that_go_back_make_the_record_unusable_and_the_next_one_works(opened):
    script = [*steady(0.05, LOAD, first_id=9_000_000), (0.06, "s/i", analog(500, [1.0]))]
    analyzer, driver = opened(script)
    analyzer.start()
    analyzer.clock.sleep(0.1)
    with pytest.raises(InstrumentError, match="current went back from 9080000 to 500"):
        analyzer.stop()
    assert not [topic for topic, _ in driver.subscribed if topic.endswith("!data")]
    driver._script = steady(0.1, LOAD)
    assert record(analyzer, 0.05).complete


@pytest.mark.parametrize(
    ("options", "found"),
    [({"rate": 1_000_000}, "voltage 1000000 Hz / 2"), ({"decimation": 4}, "voltage 2000000 Hz / 4")],
)
def test_signals_on_different_clocks_are_refused(opened, options, found):
    script = [(0.01, "s/i", analog(0, np.zeros(9))), (0.01, "s/v", analog(0, np.zeros(9), **options))]
    analyzer, _ = opened(script, markers={})
    analyzer.start()
    analyzer.clock.sleep(0.02)
    with pytest.raises(InstrumentError, match=f"different sample clocks: current 2000000 Hz / 2, {found}"):
        analyzer.stop()


def test_no_memory_left_is_said_so(opened, monkeypatch):
    analyzer, _ = opened(steady(0.1, LOAD))
    analyzer.start()

    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr("pytest_lan_hil.instruments.stream.AnalogLog._append", exhausted)
    analyzer.clock.sleep(0.1)
    with pytest.raises(InstrumentError, match="ran out of memory"):
        analyzer.stop()


def test_one_capture_at_a_time(opened):
    analyzer, _ = opened(steady(0.1, LOAD))
    with pytest.raises(InstrumentError, match="is not capturing"):
        analyzer.stop()
    analyzer.start()
    with pytest.raises(InstrumentError, match="is capturing already"):
        analyzer.start()
    analyzer.stop()


def test_a_device_that_refuses_to_stream_can_be_tried_again(opened):
    analyzer, driver = opened(steady(0.1, LOAD), refuses={"s/v/ctrl"})
    with pytest.raises(InstrumentError, match="refused to start streaming") as caught:
        analyzer.start()
    assert "other programs" in caught.value.fix
    assert ("s/i/ctrl", 0) in driver.published, "what was on is switched off again"
    driver.refuses.clear()
    analyzer.start()
    analyzer.stop()


def test_closing_in_the_middle_of_a_capture_stops_the_stream(opened):
    analyzer, driver = opened(steady(0.1, LOAD))
    analyzer.start()
    analyzer.close()
    assert ("s/i/ctrl", 0) in driver.published
    assert driver.subscribed == []
    assert driver.finalized == 1


def test_a_js110_samples_twice_as_fast_and_its_nans_are_gaps(opened):
    script = steady(0.1, LOAD, decimation=1)
    for _, signal, entry in script:
        if signal == "s/v" and entry["sample_id"] == 4_100_000:
            entry["data"][100:200] = np.nan
    analyzer, _ = opened(script, path="u/js110/000123")
    capture = record(analyzer, 0.1)
    assert capture.sample_rate_hz == 2e6
    assert capture.gaps == (Gap(100_100, 100_200),)
    assert np.isnan(capture.current_a[100_100:100_200]).all()
    assert "JS110" in capture.accuracy.source


def test_markers_are_offered_only_where_they_are_wired(opened):
    analyzer, _ = opened(markers={})
    assert analyzer.capabilities == {"power", "power.waveform"}
    analyzer, _ = opened(markers={"inference": "trigger"})
    assert analyzer.capabilities == {"power", "power.waveform", "power.markers", "edges"}
