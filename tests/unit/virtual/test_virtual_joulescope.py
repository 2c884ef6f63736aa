"""The real joulescope package, and the instrument on top of it, on the virtual JS220."""

from __future__ import annotations

import numpy as np
import pytest
from fake_board import FakeBoard, duty_cycle, record
from joulescope.v1.js220 import DeviceJs220

from pytest_lan_hil.instruments.joulescope import Joulescope
from pytest_lan_hil.model.capture import Gap
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.js220_driver import VirtualDriver
from pytest_lan_hil.virtual.sampling import RANGES, VOLTAGE_GAIN_LIMIT, VOLTAGE_OFFSET_LIMIT_V

PINS = {"gpi0": "P0.13", "gpi1": "P0.14"}
MARKERS = {"inference": "gpi0", "phase": "gpi1"}
SUPPLY_V = 3.0


def driver_on(board, *, fault="", seed=1, serial="000001", pins=PINS):
    return VirtualDriver(
        board, serial=serial, supply_v=SUPPLY_V, pins=pins, seed=seed, faults=Faults.parse(fault)
    )


def device_on(driver):
    device = DeviceJs220(driver, driver.path)
    device.buffer_duration = 1
    device.open()
    return device


def instrument_on(board, **options):
    driver = driver_on(board, **options)
    analyzer = Joulescope(
        driver, DeviceJs220(driver, driver.path), driver.path, markers=MARKERS, release=driver.finalize
    )
    analyzer.open_device()
    analyzer.configure(current_range="auto", voltage_range="15V")
    return analyzer


def limit_of(level_a):
    held_by = next(one for one in RANGES if one.full_scale_a >= level_a)
    return level_a * held_by.gain_limit + held_by.offset_limit_a


class Collector:
    """Subscribes to topics of a device and keeps what comes."""

    def __init__(self, device, *signals):
        self.messages = {signal: [] for signal in signals}
        self.device = device
        for signal in signals:
            device.subscribe(f"{signal}/!data", "pub", self)
        for signal in signals:
            device.publish(f"{signal}/ctrl", 1)

    def __call__(self, topic, value):
        self.messages[topic.split("/", 3)[3].removesuffix("/!data")].append(value)

    def end(self):
        for signal in self.messages:
            self.device.publish(f"{signal}/ctrl", 0)
            self.device.unsubscribe(f"{signal}/!data", self)
        return self.messages


# -- the joulescope package on the driver --------------------------------------------------------------------


def test_the_package_opens_describes_sets_up_and_closes_the_device():
    driver = driver_on(FakeBoard())
    device = device_on(driver)
    info = device.info()
    assert (info["model"], info["serial_number"]) == ("js220", "000001")
    assert info["ctl"]["fw"]["ver"] == "1.3.0"
    device.parameter_set("i_range", "18 mA")
    assert driver.query(f"{driver.path}/s/i/range/select") == "18 mA"
    assert driver.query(f"{driver.path}/s/i/range/mode") == "manual"
    device.parameter_set("i_range", "auto")
    device.parameter_set("v_range", "15V")
    device.parameter_set("sampling_frequency", 100_000)
    assert driver.query(f"{driver.path}/h/fs") == 100_000
    device.parameter_set("reduction_frequency", "10 Hz")
    device.parameter_set("gpo0", 1)
    device.close()
    device.open()
    assert driver.query(f"{driver.path}/h/fs") == 2_000_000
    device.close()


def test_the_packages_own_buffer_holds_a_second_of_the_load():
    board = FakeBoard(2e-3)
    device = device_on(driver_on(board))
    device.start()
    board.clock.sleep(0.9)
    buffer = device.stream_buffer
    first, last = buffer.sample_id_range
    assert last - first == 900_000
    samples = buffer.samples_get(first, last, fields=["current", "voltage", "power", "current_lsb"])
    signals = {name: signal["value"] for name, signal in samples["signals"].items()}
    assert np.isfinite(signals["current"]).all()
    assert float(np.mean(signals["current"], dtype=np.float64)) == pytest.approx(2e-3, abs=limit_of(2e-3))
    np.testing.assert_allclose(signals["power"], signals["current"] * signals["voltage"], rtol=1e-6)
    device.stop()
    device.close()


def test_the_package_reads_the_present_level_of_the_inputs():
    board = FakeBoard(edges=[(0.001, "P0.14", True)])
    device = device_on(driver_on(board, fault="stuck_high=gpi3"))
    assert device.extio_status()["gpi_value"]["value"] == 0b1000
    board.clock.sleep(0.002)
    assert device.extio_status()["gpi_value"]["value"] == 0b1010
    device.close()


def test_messages_have_the_form_and_the_rates_of_a_js220():
    board = FakeBoard(3e-3, edges=[(0.05, "P0.13", True)])
    collector = Collector(device_on(driver_on(board)), "s/i", "s/v", "s/p", "s/i/range", "s/gpi/0", "s/gpi/7")
    board.clock.sleep(0.1234)
    messages = collector.end()
    keys = {
        "sample_id",
        "utc",
        "field_id",
        "index",
        "sample_rate",
        "decimate_factor",
        "time_map",
        "data",
    }
    form = {
        "s/i": (1, 0, 2, np.float32, 1),
        "s/v": (2, 0, 2, np.float32, 1),
        "s/p": (3, 0, 2, np.float32, 1),
        "s/i/range": (4, 0, 1, np.uint8, 1),
        "s/gpi/0": (5, 0, 1, np.uint8, 8),
        "s/gpi/7": (5, 7, 1, np.uint8, 8),
    }
    for signal, (field_id, index, decimation, dtype, per_item) in form.items():
        expected_id = messages[signal][0]["sample_id"]
        for one in messages[signal]:
            assert set(one) == keys
            assert (one["field_id"], one["index"], one["decimate_factor"]) == (field_id, index, decimation)
            assert one["sample_rate"] == 2_000_000
            assert one["data"].dtype == dtype
            assert one["sample_id"] == expected_id, "continuous"
            seconds = (one["sample_id"] - one["time_map"]["offset_counter"]) / one["time_map"]["counter_rate"]
            assert one["utc"] - one["time_map"]["offset_time"] == pytest.approx(seconds * 2**30, abs=1)
            expected_id += len(one["data"]) * per_item * decimation
        assert expected_id - messages[signal][0]["sample_id"] == 246_800, "0.1234 s of the 2 MHz clock"
    line = np.unpackbits(np.concatenate([one["data"] for one in messages["s/gpi/0"]]), bitorder="little")
    assert np.flatnonzero(np.diff(line)).tolist() == [99_999], "high from 0.05 s on, 2 MS/s"
    codes = np.concatenate([one["data"] for one in messages["s/i/range"]])
    assert set(codes.tolist()) == {3}, "3 mA is measured in the 18 mA range"


def test_sample_ids_go_on_over_several_streams():
    board = FakeBoard(1e-3)
    device = device_on(driver_on(board))
    end = 0
    for _ in range(5):
        collector = Collector(device, "s/i")
        board.clock.sleep(0.0123457)
        for one in collector.end()["s/i"]:
            assert one["sample_id"] >= end
            end = one["sample_id"] + 2 * len(one["data"])
        board.clock.sleep(0.0000013)
    assert end == pytest.approx(5 * 0.012347 * 2e6, abs=100)


def test_a_lower_sampling_frequency_averages():
    board = FakeBoard(0.0, loads=[(k * 0.001, 4e-3 * (k % 2)) for k in range(1, 1000)])
    device = device_on(driver_on(board))
    device.parameter_set("sampling_frequency", 100)
    collector = Collector(device, "s/i")
    board.clock.sleep(0.5)
    messages = collector.end()["s/i"]
    samples = np.concatenate([one["data"] for one in messages])
    assert messages[0]["decimate_factor"] == 20_000
    assert len(samples) == 50
    assert samples == pytest.approx(2e-3, abs=limit_of(2e-3))


def test_a_fixed_range_saturates_and_measures_small_currents_badly():
    board = FakeBoard(3e-6, loads=[(0.01, 5e-3)])
    device = device_on(driver_on(board))
    device.parameter_set("i_range", "1.8 mA")
    collector = Collector(device, "s/i", "s/i/range")
    board.clock.sleep(0.02)
    messages = collector.end()
    samples = np.concatenate([one["data"] for one in messages["s/i"]])
    assert set(np.concatenate([one["data"] for one in messages["s/i/range"]]).tolist()) == {4}
    assert samples[11_000:].max() <= 1.8e-3 * 1.01
    assert samples[:9_000].std() == pytest.approx(100e-9, rel=0.1), "noise of the 1.8 mA range"


@pytest.mark.parametrize(
    ("topic", "value"),
    [("s/uart/0/ctrl", 1), ("s/adc/0/ctrl", 1), ("h/mem/s/app1/!erase", 0), ("c/led/red", 1)],
)
def test_a_topic_that_is_not_modelled_is_an_error_that_names_it(topic, value):
    device = device_on(driver_on(FakeBoard()))
    with pytest.raises(RuntimeError, match="5 PARAMETER_INVALID: the virtual JS220 does not model") as caught:
        device.publish(topic, value)
    assert f"u/js220/000001/{topic}" in str(caught.value)
    with pytest.raises(RuntimeError, match="does not model"):
        device.query(topic)


@pytest.mark.parametrize(
    ("topic", "value"),
    [("s/v/range/select", "2 V"), ("s/i/range/mode", "off"), ("s/stats/ctrl", 1), ("h/fs", 1234)],
)
def test_a_value_that_is_not_modelled_is_an_error_that_names_it(topic, value):
    device = device_on(driver_on(FakeBoard()))
    with pytest.raises(RuntimeError, match=f"5 PARAMETER_INVALID: {value!r}.*{topic}"):
        device.publish(topic, value)


def test_calls_fail_as_those_of_the_real_driver_do():
    driver = driver_on(FakeBoard())
    with pytest.raises(RuntimeError, match=r"jsdrv_publish failed 22 CLOSED \| u/js220/000001/s/i/ctrl"):
        driver.publish(f"{driver.path}/s/i/ctrl", 1)
    with pytest.raises(TimeoutError, match=r"jsdrv_open timed out \| u/js220/9"):
        driver.open("u/js220/9")
    with pytest.raises(TimeoutError, match=r"jsdrv_publish timed out \| u/js220/9/s/i/ctrl|u/js220/9"):
        driver.publish("u/js220/9/s/i/ctrl", 1)
    with pytest.raises(RuntimeError, match="jsdrv_query failed 16 NOT_FOUND"):
        driver.query("u/js220/9/h/fs")
    with pytest.raises(RuntimeError, match="jsdrv_unsubscribe failed 16 NOT_FOUND"):
        driver.unsubscribe("@/!remove", print)
    with pytest.raises(KeyError):
        driver.open(driver.path, "sideways")
    driver.open(driver.path + "/", "restore")
    with pytest.raises(RuntimeError, match="21 IN_USE"):
        driver.open(driver.path)
    with pytest.raises(ValueError, match="Unsupported value type"):
        driver.publish(f"{driver.path}/h/fs", None)
    driver.close(driver.path)
    driver.close(driver.path)


@pytest.mark.parametrize(("mode", "kept"), [(None, 1_000_000), ("defaults", 1_000_000), ("restore", 77)])
def test_opening_sets_the_defaults_unless_it_restores(mode, kept):
    driver = driver_on(FakeBoard())
    driver.open(driver.path)
    driver.publish(f"{driver.path}/s/stats/scnt", 77)
    driver.close(driver.path)
    driver.open(driver.path, mode)
    assert driver.query(f"{driver.path}/s/stats/scnt") == kept


def test_retained_values_are_told_to_a_new_subscriber_that_asks():
    driver = driver_on(FakeBoard())
    told = {}
    driver.subscribe(f"{driver.path}/s/i/range", "pub", lambda topic, value: told.update({topic: value}))
    assert told == {}
    driver.subscribe(driver.path, "pub_retain", lambda topic, value: told.update({topic: value}))
    assert told[f"{driver.path}/h/fs"] == 2_000_000
    assert told[f"{driver.path}/s/i/range/mode"] == "auto"


def test_a_failing_subscriber_stops_nobody_else(caplog):
    board = FakeBoard(1e-3)
    device = device_on(driver_on(board))

    def broken(topic, value):
        raise RuntimeError("broken subscriber")

    device.subscribe("s/i/!data", "pub", broken)
    collector = Collector(device, "s/i")
    board.clock.sleep(0.2)
    assert sum(len(one["data"]) for one in collector.end()["s/i"]) == 200_000
    assert "broken subscriber" in caplog.text


def test_finalize_releases_the_board_once():
    released = []
    driver = VirtualDriver(
        FakeBoard(),
        serial="1",
        supply_v=3.0,
        pins={},
        seed=1,
        faults=Faults(),
        release=lambda: released.append(1),
    )
    with driver:
        device_on(driver)
    driver.finalize()
    assert released == [1]


# -- the instrument on the package ---------------------------------------------------------------------------


@pytest.mark.parametrize("level_a", [3e-6, 100e-6, 1e-3, 4e-3, 50e-3])
def test_a_known_current_is_measured_within_the_stated_error(level_a):
    capture = record(instrument_on(FakeBoard(level_a), serial="123456"), 0.3)
    stated = next(one for one in capture.accuracy.current_ranges if one.limit_a >= level_a)
    mean = float(capture.current_a.mean(dtype=np.float64))
    assert abs(mean - level_a) <= level_a * stated.gain + stated.offset_a
    assert abs(mean - level_a) > 1e-7 * level_a, "the instrument has an error of its own"
    burden_v = level_a * next(one.shunt_ohm for one in RANGES if one.full_scale_a >= level_a)
    mean_v = float(capture.voltage_v.mean(dtype=np.float64))
    assert abs(mean_v - (SUPPLY_V - burden_v)) <= SUPPLY_V * VOLTAGE_GAIN_LIMIT + VOLTAGE_OFFSET_LIMIT_V


def test_samples_are_noisy_and_quantised():
    capture = record(instrument_on(FakeBoard(4e-3)), 0.2)
    lsb = 18e-3 / 32768
    steps = capture.current_a.astype(np.float64) / lsb
    assert np.abs(steps - np.round(steps)).max() < 1e-3
    assert capture.current_a.std() == pytest.approx(1e-6, rel=0.1)
    assert len(np.unique(capture.current_a)) > 5


def test_marker_and_current_share_one_clock():
    capture = record(instrument_on(FakeBoard(**duty_cycle(0.5))), 0.5)
    line = capture.markers["inference"]
    assert (line.sample_rate_hz, capture.sample_rate_hz) == (2e6, 1e6)
    levels = np.unpackbits(line.bits, bitorder="little")[: line.count]
    rises = np.flatnonzero(np.diff(levels.astype(np.int8)) == 1) + 1
    wakes = np.flatnonzero(np.diff((capture.current_a > 2e-3).astype(np.int8)) == 1) + 1
    assert len(rises) == len(wakes) == 16
    assert rises / 2e6 - wakes / 1e6 == pytest.approx(0.0005, abs=1.6e-6)
    assert not np.unpackbits(capture.markers["phase"].bits).any()


def test_two_runs_that_do_the_same_get_the_same_samples():
    first, second = (record(instrument_on(FakeBoard(**duty_cycle(0.5))), 0.3) for _ in range(2))
    assert np.array_equal(first.current_a, second.current_a)
    assert np.array_equal(first.voltage_v, second.voltage_v)
    assert np.array_equal(first.markers["inference"].bits, second.markers["inference"].bits)
    other = record(instrument_on(FakeBoard(**duty_cycle(0.5)), seed=2), 0.3)
    assert not np.array_equal(first.current_a, other.current_a)


def test_how_time_is_cut_does_not_change_a_sample():
    whole, pieces = instrument_on(FakeBoard(**duty_cycle(0.5))), instrument_on(FakeBoard(**duty_cycle(0.5)))
    whole.start()
    pieces.start()
    whole.clock.sleep(0.2)
    for _ in range(200):
        pieces.clock.sleep(0.001)
    first, second = whole.stop(), pieces.stop()
    assert np.array_equal(first.current_a, second.current_a)
    assert np.array_equal(first.markers["inference"].bits, second.markers["inference"].bits)


def test_dropped_samples_are_a_gap_with_the_rest_unharmed():
    capture = record(instrument_on(FakeBoard(4e-3), fault="drop@0.1:0.02,drop@0.25:0.001"), 0.4)
    assert capture.gaps == (Gap(100_000, 120_000), Gap(250_000, 251_000))
    kept = np.ones(400_000, bool)
    for gap in capture.gaps:
        kept[gap.start : gap.stop] = False
    assert np.isnan(capture.current_a[~kept]).all()
    assert float(capture.current_a[kept].mean(dtype=np.float64)) == pytest.approx(4e-3, abs=limit_of(4e-3))
    assert capture.complete
    whole = record(instrument_on(FakeBoard(4e-3)), 0.4)
    assert np.array_equal(capture.current_a[kept], whole.current_a[kept]), "noise goes on over a gap"


@pytest.mark.parametrize(("fault", "level"), [("stuck_low=gpi0", 0), ("stuck_high=gpi0", 1)])
def test_a_stuck_input_shows_no_edge_while_the_current_moves(fault, level):
    capture = record(instrument_on(FakeBoard(**duty_cycle(0.3)), fault=fault), 0.3)
    line = capture.markers["inference"]
    assert set(np.unpackbits(line.bits, bitorder="little")[: line.count].tolist()) == {level}
    assert capture.current_a.max() > 1000 * np.median(capture.current_a) / 2


def test_an_analyzer_that_vanishes_leaves_a_record_that_is_not_complete():
    board = FakeBoard(**duty_cycle(1.0))
    analyzer = instrument_on(board, fault="analyzer_vanish@0.33")
    capture = record(analyzer, 1.0)
    assert not capture.complete
    assert 0.2 < capture.duration_s <= 0.33
    assert np.isfinite(capture.current_a).all()
    assert board.now == 512_000_000, "stop does not wait for a device that is gone"
    analyzer.close()


def test_a_capture_of_no_length_is_empty():
    analyzer = instrument_on(FakeBoard(1e-3))
    analyzer.start()
    capture = analyzer.stop()
    assert len(capture.current_a) == 0
    assert capture.complete
    assert record(analyzer, 0.1).duration_s == pytest.approx(0.1)


def test_the_identity_says_simulated_and_what_is_not_confirmed():
    identity = instrument_on(FakeBoard()).identity
    assert identity.simulated
    assert identity.version == "1.3.0"
    assert any("unconfirmed" in note for note in identity.notes)
    assert "scripted" in identity.notes
    assert len(set(identity.notes)) == len(identity.notes)


def test_only_what_is_subscribed_is_sampled(monkeypatch):
    from pytest_lan_hil.virtual.sampling import Sensor

    asked = []
    for name in ("current", "voltage"):
        original = getattr(Sensor, name)
        monkeypatch.setattr(
            Sensor,
            name,
            lambda *a, _name=name, _original=original, **k: asked.append(_name) or _original(*a, **k),
        )
    board = FakeBoard(1e-3)
    collector = Collector(device_on(driver_on(board)), "s/i", "s/gpi/0")
    board.clock.sleep(0.2)
    assert sum(len(one["data"]) for one in collector.end()["s/i"]) == 200_000
    assert set(asked) == {"current"}
