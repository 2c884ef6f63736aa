"""Recording straight to disk through the real joulescope package: the file holds what a capture would."""

from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pyjoulescope_driver
import pytest
from fake_driver import CLOCK_HZ, FakeDriver, analog, bits, message, steady
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jls_files import JS220, levels
from test_stream_logs import deliveries

from pytest_lan_hil.instruments import joulescope_open, open_analyzer
from pytest_lan_hil.instruments.jls import jls_signals, read_jls
from pytest_lan_hil.instruments.jls_format import Header
from pytest_lan_hil.instruments.jls_stream import JlsRecording
from pytest_lan_hil.instruments.joulescope_models import ACCURACY, RANGE_INDICES
from pytest_lan_hil.instruments.streaming import Streaming
from pytest_lan_hil.model.capture import Gap
from pytest_lan_hil.model.clock import HOST_CLOCK
from pytest_lan_hil.model.errors import InputError, InstrumentError

MARKERS = {"inference": "gpi0", "phase": "gpi1"}
LOAD = {"s/i": 0.003, "s/v": 3.0, "s/gpi/0": 1, "s/gpi/1": 0}
UTC = 252_460_800 << 30


@pytest.fixture
def played(monkeypatch):
    """Open the instrument on a driver that plays a script; closed at the end."""
    analyzers = []

    def opening(script=(), *, path="u/js220/002557", **options):
        driver = FakeDriver(path, script=script, **options)
        entry = SimpleNamespace(name="played", load=lambda: lambda target, options: driver)
        monkeypatch.setattr(joulescope_open, "entry_points", lambda group: [entry])
        analyzers.append(open_analyzer("joulescope+played:", markers=MARKERS))
        return analyzers[-1], driver

    yield opening
    for analyzer in analyzers:
        analyzer.close()


def stream(analyzer, path, seconds):
    with analyzer.stream_to(path) as recording:
        analyzer.clock.sleep(seconds)
    return recording.report


def ranges(sample_id, codes):
    return message(sample_id, np.asarray(codes, np.uint8), decimation=1)


def js110(duration_s):
    """Noise at 2 MS/s, two lines and the range, as a JS110 sends them."""
    rng = np.random.default_rng(2)
    script = []
    for piece in range(round(duration_s / 0.01)):
        at, first, counts = (piece + 1) * 0.01, 4_000_000 + piece * 20_000, 20_000
        for signal in ("s/i", "s/v"):
            noise = rng.standard_normal(counts, np.float32)
            script.append((at, signal, analog(first, noise, decimation=1)))
        script += [(at, f"s/gpi/{line}", bits(first, rng.integers(0, 2, counts))) for line in (0, 1)]
        script.append((at, "s/i/range", ranges(first, np.repeat([6, 3 if piece % 2 else 1], counts // 2))))
    for _, _, entry in script:
        entry["utc"] = UTC + entry["sample_id"] * (1 << 30) // CLOCK_HZ
    return script


def test_a_js110_at_2_ms_per_second_is_in_the_file_as_in_memory(played, tmp_path):
    script = js110(0.5)
    analyzer, _ = played(script, path="u/js110/000123")
    report = stream(analyzer, tmp_path / "a.jls", 0.5)
    back = read_jls(tmp_path / "a.jls", markers=MARKERS)
    assert report.complete
    assert (report.duration_s, report.lost_share) == (pytest.approx(0.5), 0.0)
    analyzer, _ = played(script, path="u/js110/000123")
    analyzer.start()
    analyzer.clock.sleep(0.5)
    capture = analyzer.stop()
    assert back.sample_rate_hz == capture.sample_rate_hz == 2e6
    assert back.count == capture.count == 1_000_000
    assert np.array_equal(back.current_a, capture.current_a)
    assert np.array_equal(back.voltage_v, capture.voltage_v)
    for marker in MARKERS:
        assert np.array_equal(levels(back.markers[marker]), levels(capture.markers[marker]))
    assert back.ranges.starts.tolist() == capture.ranges.starts.tolist()
    assert back.ranges.indices.tolist() == capture.ranges.indices.tolist()
    assert back.time_map.utc_s == pytest.approx(capture.time_map.utc_s, abs=1e-6)
    assert back.instrument == capture.instrument
    assert back.complete


def test_range_switching_is_recorded_in_runs_of_the_accuracys_ranges(played):
    script = [(0.01, signal, entry) for _, signal, entry in steady(0.01, {"s/i": 1e-3, "s/v": 3.0})]
    script += [
        (0.01, "s/gpi/0", bits(4_000_000, np.zeros(20_000))),
        (0.01, "s/gpi/1", bits(4_000_000, np.zeros(20_000))),
        (0.01, "s/i/range", ranges(4_000_000, [6] * 10_000 + [4] * 5001 + [0] * 2 + [7] * 4997)),
    ]
    analyzer, _ = played(script)
    analyzer.start()
    analyzer.clock.sleep(0.01)
    capture = analyzer.stop()
    # A sample of 1 MS/s has the range of the first of its two counts.
    assert capture.ranges.starts.tolist() == [0, 5000, 7501, 7502]
    assert capture.ranges.indices.tolist() == [0, 2, 5, 6]
    limits = [one.limit_a for one in capture.accuracy.current_ranges]
    assert [limits[index] for index in capture.ranges.indices[:3]] == [18e-6, 1.8e-3, 10.0]


@pytest.mark.parametrize("model", sorted(RANGE_INDICES))
def test_every_range_code_leads_to_a_range_or_beyond_the_last(model):
    count = len(ACCURACY[model].current_ranges)
    indices = RANGE_INDICES[model]
    assert len(indices) == 16
    assert set(indices[:7]) == set(range(count))
    assert set(indices[7:]) == {count}


def test_an_instrument_that_tells_no_range_has_none(played):
    analyzer, _ = played(steady(0.1, LOAD))
    analyzer.start()
    analyzer.clock.sleep(0.1)
    assert analyzer.stop().ranges is None


def test_the_sample_clock_is_tied_to_utc_and_to_the_harness_by_what_the_messages_say(played):
    script = steady(1.0, LOAD, late_s=0.02)
    for _, _, entry in script:
        entry["time_map"] = {
            "offset_time": UTC,
            "offset_counter": 4_000_000,
            "counter_rate": CLOCK_HZ * 1.00001,
        }
        entry["utc"] = UTC + round((entry["sample_id"] - 4_000_000) / CLOCK_HZ / 1.00001 * (1 << 30))
    analyzer, driver = played(script)
    begun = driver.clock.now
    analyzer.start()
    for _ in range(60):
        analyzer.clock.sleep(0.01)
    capture = analyzer.stop()
    assert capture.time_map.utc_s == pytest.approx(1_514_764_800 + 252_460_800, abs=1e-6)
    assert capture.time_map.rate == pytest.approx(1 / 1.00001, abs=1e-12)
    assert abs(capture.start_s - begun) <= capture.start_error_s + 1e-9
    assert capture.start_error_s == pytest.approx(0.01, abs=1e-6), "half of how late the messages came"


def test_dropped_samples_are_gaps_in_the_file_and_lost_lines_keep_their_level(played, tmp_path):
    script = steady(0.1, LOAD)
    lost = [entry for entry in script if not (entry[1] == "s/gpi/0" and entry[2]["sample_id"] == 4_100_000)]
    del lost[4:8]  # one piece of every signal
    analyzer, _ = played(lost)
    report = stream(analyzer, tmp_path / "a.jls", 0.1)
    back = read_jls(tmp_path / "a.jls", markers=MARKERS)
    assert back.gaps == (Gap(10_000, 20_000), Gap(50_000, 60_000))
    assert np.isnan(back.current_a[10_000:20_000]).all()
    assert levels(back.markers["inference"]).all(), "the line keeps its level"
    assert report.lost_share == pytest.approx(0.1)
    assert report.complete


def test_an_instrument_unplugged_in_the_middle_leaves_a_file_that_is_marked_incomplete(played, tmp_path):
    analyzer, driver = played(steady(1.0, LOAD))
    with analyzer.stream_to(tmp_path / "a.jls") as recording:
        analyzer.clock.sleep(0.3)
        driver.unplug()
        assert "unplugged" in recording.problem
    assert not recording.report.complete
    assert recording.report.duration_s == pytest.approx(0.3)
    back = read_jls(tmp_path / "a.jls", markers=MARKERS)
    assert not back.complete
    assert any("unplugged" in note for note in back.notes)
    assert back.count == 300_000
    with pytest.raises(InstrumentError, match="was unplugged"), analyzer.stream_to(tmp_path / "b.jls"):
        pass
    assert not (tmp_path / "b.jls").exists()


def test_an_instrument_that_falls_silent_is_told(played, tmp_path):
    analyzer, _ = played(steady(0.2, LOAD))
    assert "stopped sending samples" in stream(analyzer, tmp_path / "a.jls", 1.0).problem


def test_a_full_disk_ends_the_recording_and_keeps_it(played, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    free = iter([10**12, 10**12, 10**6])
    monkeypatch.setattr("pytest_lan_hil.instruments.jls_stream._CHECK_EVERY_BYTES", 2 << 20)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**12, 0, next(free)))
    analyzer, _ = played(steady(1.0, LOAD))
    report = stream(analyzer, tmp_path / "a.jls", 1.0)
    assert not report.complete
    assert "is full" in report.problem
    back = read_jls(tmp_path / "a.jls", markers=MARKERS)
    assert 0.1 < back.duration_s < 0.9
    assert not back.complete


def test_a_disk_that_is_full_already_is_told_before_a_file_is_made(played, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**12, 0, 10**6))
    analyzer, _ = played(steady(1.0, LOAD))
    with pytest.raises(InstrumentError, match="is full: 0 MiB are left, 128 MiB are needed"):
        stream(analyzer, tmp_path / "a.jls", 1.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError])
def test_what_was_recorded_is_kept_whatever_ends_the_block(played, tmp_path, raised):
    analyzer, driver = played(steady(1.0, LOAD))

    def broken_off():
        with analyzer.stream_to(tmp_path / "a.jls"):
            analyzer.clock.sleep(0.3)
            raise raised

    with pytest.raises(raised):
        broken_off()
    back = read_jls(tmp_path / "a.jls", markers=MARKERS)
    assert back.duration_s == pytest.approx(0.3)
    assert back.complete == (raised is KeyboardInterrupt)
    assert not [topic for topic, _ in driver.subscribed if topic.endswith("!data")]


def test_signals_that_run_backwards_end_the_recording(played, tmp_path):
    script = steady(0.5, LOAD)
    script.append((0.505, "s/i", analog(4_000_000, np.zeros(10))))
    analyzer, _ = played(script)
    report = stream(analyzer, tmp_path / "a.jls", 1.0)
    assert "went back" in report.problem
    assert read_jls(tmp_path / "a.jls", markers=MARKERS).duration_s == pytest.approx(0.5)


def test_a_device_that_refuses_to_stream_leaves_no_file(played, tmp_path):
    analyzer, driver = played(refuses={"s/v/ctrl"})
    with pytest.raises(InstrumentError, match="refused"), analyzer.stream_to(tmp_path / "a.jls"):
        pass
    assert list(tmp_path.iterdir()) == []
    assert ("s/i/ctrl", 0) in driver.published


def test_one_recording_at_a_time_in_memory_or_on_disk(played, tmp_path):
    analyzer, _ = played(steady(0.1, LOAD))
    with analyzer.stream_to(tmp_path / "a.jls"):
        with pytest.raises(InstrumentError, match="is capturing already"):
            analyzer.start()
        with pytest.raises(InstrumentError, match="is not capturing"):
            analyzer.stop()
    analyzer.start()
    analyzer.stop()


def test_a_file_that_can_not_be_made_leaves_the_instrument_alone(played, tmp_path):
    analyzer, driver = played(steady(0.1, LOAD))
    with pytest.raises(InputError), analyzer.stream_to(tmp_path / "none" / "a.jls"):
        pass
    assert ("s/i/ctrl", 1) not in driver.published
    assert isinstance(analyzer, Streaming)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=deliveries(most=8), origin=st.integers(0, 50), data=st.data())
def test_digital_samples_stand_where_their_ids_say_however_messages_are_cut(tmp_path, pieces, origin, data):
    """Also where a message holds no whole number of bytes: its last byte is then filled with anything."""
    path = tmp_path / "a.jls"
    header = Header(JS220, ACCURACY["js220"], range_indices=RANGE_INDICES["js110"])
    recording = JlsRecording(path, header, {"s/gpi/0": "gpi[0]"}, HOST_CLOCK)
    total = pieces[-1][0] + pieces[-1][1]
    line, codes = np.zeros(total, np.uint8), np.full(total, 5, np.uint8)
    for signal in ("s/i", "s/v"):
        recording.add(signal, analog(origin, np.ones(total), decimation=1))
    known = np.zeros(total, bool)
    for at, count in pieces:
        part = slice(at, at + count)
        known[part] = True
        line[part] = data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
        codes[part] = data.draw(st.lists(st.integers(0, 6), min_size=count, max_size=count))
        junk = data.draw(st.lists(st.integers(0, 1), min_size=7, max_size=7))
        filled = [*line[part].tolist(), *junk][: -(-count // 8) * 8]
        recording.add("s/gpi/0", bits(origin + at, filled))
        recording.add("s/i/range", ranges(origin + at, codes[part]))
    recording.close()
    back = read_jls(path, markers={"inference": "gpi0"})
    assert back.count == total
    assert np.array_equal(levels(back.markers["inference"])[known], line[known])
    found = np.repeat(back.ranges.indices, np.diff([*back.ranges.starts, total]))
    assert np.array_equal(found[known], 6 - codes[known].astype(int))
    lost = sum(gap.stop - gap.start for gap in back.gaps)
    assert lost == total - known.sum()
    assert {signal.name for signal in jls_signals(path)} == {"current", "voltage", "gpi0", "current_range"}


def test_what_pyjoulescope_drivers_own_record_writes_is_read(tmp_path):
    path, script = "u/js110/000123", js110(0.2)
    driver = FakeDriver(path, script=script)
    recorder = pyjoulescope_driver.Record(driver, path, signals="current,voltage,current_range,gpi[0],gpi[1]")
    recorder.open(str(tmp_path / "a.jls"))
    driver.clock.sleep(0.2)
    recorder.close()
    back = read_jls(tmp_path / "a.jls", markers=MARKERS)
    sent = {
        signal: np.concatenate([entry["data"] for _, one, entry in script if one == signal])
        for signal in ("s/i", "s/v", "s/gpi/0", "s/gpi/1")
    }
    assert np.array_equal(back.current_a, sent["s/i"])
    assert np.array_equal(back.voltage_v, sent["s/v"])
    for marker, signal in (("inference", "s/gpi/0"), ("phase", "s/gpi/1")):
        assert np.array_equal(back.markers[marker].bits, sent[signal])
    assert back.instrument.model == "Joulescope JS110"
    assert back.ranges is None, "its ranges have another width than it declares"
    assert back.time_map is not None
