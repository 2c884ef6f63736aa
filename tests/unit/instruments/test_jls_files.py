"""JLS files: what is written here is what pyjls reads, what is read back is what was written, and no number
comes from a damaged file."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pyjls
import pytest
from jls_files import JS220, capture, foreign, levels

from pytest_lan_hil.instruments import jls_memory
from pytest_lan_hil.instruments.jls import jls_signals, read_jls, write_jls
from pytest_lan_hil.instruments.jls_samples import hold_level
from pytest_lan_hil.instruments.joulescope_models import ACCURACY
from pytest_lan_hil.model.capture import EdgeLine, Gap, InstrumentIdentity, MarkerLine, RangeRuns, TimeMap
from pytest_lan_hil.model.errors import InputError, InstrumentError

F32, U1 = pyjls.DataType.F32, pyjls.DataType.U1
INFERENCE = {"inference": "gpi0"}
ONES = np.ones(1000, np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.jls"


def pair(**changes):
    """Current and voltage of a thousand samples."""
    return {"current": (F32, 1_000_000, 0, ONES), "voltage": (F32, 1_000_000, 0, 3 * ONES), **changes}


def test_pyjls_reads_every_sample_that_was_written_under_the_names_of_the_joulescope_ui(path):
    original = capture()
    write_jls(original, path)
    with pyjls.Reader(str(path)) as reader:
        read = {
            name: reader.fsr(number, 0, reader.signals[number].length)
            for name in ("current", "voltage", "power", "gpi[0]")
            for number in [reader.signal_lookup(name).signal_id]
        }
        units = {definition.name: definition.units for definition in reader.signals.values()}
        source = reader.source_lookup("JS220-002557")
    assert np.array_equal(read["current"], original.current_a)
    assert np.array_equal(read["voltage"], original.voltage_v)
    assert np.array_equal(read["power"], original.current_a * original.voltage_v)
    bits = np.unpackbits(read["gpi[0]"], bitorder="little")[: original.markers["inference"].count]
    assert np.array_equal(bits, levels(original.markers["inference"]))
    assert (units["current"], units["voltage"], units["power"]) == ("A", "V", "W")
    assert (source.vendor, source.model, source.serial_number) == ("Jetperch", "JS220", "002557")


def test_a_capture_comes_back_as_it_was_with_gaps_ranges_utc_and_provenance(path):
    plain = capture()
    for samples in (plain.current_a, plain.voltage_v):
        samples[1000:2000] = samples[262_140:262_150] = np.nan
    original = capture(
        current_a=plain.current_a,
        voltage_v=plain.voltage_v,
        gaps=(Gap(1000, 2000), Gap(262_140, 262_150)),
        ranges=RangeRuns(np.array([0, 5, 262_144, 300_000]), np.array([3, 2, 6, 0])),
        time_map=TimeMap(1.75e9 + 0.25, 1.0, 1e-3),
        complete=False,
        notes=("look here",),
    )
    write_jls(original, path)
    back = read_jls(path, markers=INFERENCE)
    assert np.array_equal(back.current_a, original.current_a, equal_nan=True)
    assert np.array_equal(back.voltage_v, original.voltage_v, equal_nan=True)
    assert np.array_equal(levels(back.markers["inference"]), levels(original.markers["inference"]))
    by_name = read_jls(path, markers={"other": "inference"}).markers["other"]
    assert np.array_equal(by_name.bits, back.markers["inference"].bits)
    assert back.gaps == original.gaps
    assert back.ranges.starts.tolist() == [0, 5, 262_144, 300_000]
    assert back.ranges.indices.tolist() == [3, 2, 6, 0]
    assert back.time_map.utc_s == pytest.approx(1.75e9 + 0.25, abs=1e-6)
    assert back.time_map.rate == pytest.approx(1.0, abs=1e-9)
    assert (back.instrument, back.accuracy) == (JS220, ACCURACY["js220"])
    assert not back.complete
    assert "look here" in back.notes
    assert back.power_w is None


def test_arrays_that_may_not_be_written_to_are_written_out(path):
    original = capture()
    for array in (original.current_a, original.voltage_v, original.markers["inference"].bits):
        array.flags.writeable = False
    write_jls(original, path)
    assert np.array_equal(read_jls(path, markers={}).current_a, original.current_a)


def test_the_rate_of_the_sample_clock_against_utc_is_kept(path):
    count = 700_000
    samples = np.zeros(count, np.float32)
    slow = capture(
        count,
        sample_rate_hz=1e4,
        current_a=samples,
        voltage_v=samples,
        markers={},
        time_map=TimeMap(1.75e9, 1.00002, 1e-3),
    )
    write_jls(slow, path)
    assert read_jls(path, markers={}).time_map.rate == pytest.approx(1.00002, abs=1e-9)


def test_a_simulated_record_stays_simulated_even_if_another_program_exports_it(path):
    write_jls(capture(instrument=InstrumentIdentity("Joulescope JS220", "1", simulated=True)), path)
    assert read_jls(path, markers={}).instrument.simulated
    foreign(path, pair(), name="JS220-1 (simulated)")
    assert read_jls(path, markers={}).instrument.simulated


def test_a_rate_that_is_no_whole_number_and_an_assumed_voltage_survive(path):
    count = 1000
    original = capture(
        count,
        sample_rate_hz=939.85,
        voltage_v=np.broadcast_to(np.float32(3.3), count),
        supply="assumed",
        instrument=InstrumentIdentity("INA219", "i2c-1"),
        markers={},
    )
    write_jls(original, path)
    back = read_jls(path, markers={})
    assert back.sample_rate_hz == 939.85
    assert (back.supply, back.instrument.model, back.count) == ("assumed", "INA219", count)
    assert np.all(back.voltage_v == np.float32(3.3))


def test_edges_with_time_stamps_come_back_whole_and_in_part(path):
    line = EdgeLine(np.array([0.1, 0.15, 0.2, 0.25]), False, 0.3, 1e-9, jitter_s=1e-6, lost=((0.12, 0.13),))
    write_jls(capture(markers={"inference": line}), path)
    back = read_jls(path, markers={"inference": "inference"}).markers["inference"]
    assert back.times_s.tolist() == line.times_s.tolist()
    assert (back.jitter_s, back.lost) == (1e-6, ((0.12, 0.13),))
    part = read_jls(path, markers={"inference": "inference"}, start_s=0.125, stop_s=0.225)
    assert part.markers["inference"].times_s == pytest.approx([0.025, 0.075])
    assert part.markers["inference"].high_at_start
    assert part.markers["inference"].lost == (pytest.approx((0.0, 0.005)),)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_power_alone_is_read_as_power(path, dtype):
    nothing = np.empty(0, np.float32)
    power_w = np.linspace(0, 1, 1000).astype(dtype)
    write_jls(capture(current_a=nothing, voltage_v=nothing, power_w=power_w, markers={}), path)
    back = read_jls(path, markers={})
    assert back.power_w.dtype == dtype
    assert np.array_equal(back.power_w, power_w)
    assert len(back.current_a) == len(back.voltage_v) == 0


@pytest.mark.parametrize("begin", [0, 1, 2, 3, 65_533, 100_003])
@pytest.mark.parametrize("end", [131_073, 200_000, 262_149])
def test_a_part_is_the_part_of_the_whole(path, begin, end):
    original = capture(ranges=RangeRuns(np.array([0, 120_000]), np.array([1, 4])))
    write_jls(original, path)
    part = read_jls(path, markers=INFERENCE, start_s=begin / 1e6, stop_s=end / 1e6)
    line = levels(original.markers["inference"])
    assert np.array_equal(part.current_a, original.current_a[begin:end])
    assert np.array_equal(levels(part.markers["inference"]), line[2 * begin : 2 * end])
    assert part.ranges.starts.tolist() == [0, 120_000 - begin]
    assert part.ranges.indices.tolist() == [1, 4]


def test_what_is_too_long_for_memory_is_read_into_a_file_that_nobody_sees(path, tmp_path, monkeypatch):
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    original = capture()
    write_jls(original, path)
    back = read_jls(path, markers=INFERENCE, in_memory=1000)
    assert isinstance(back.current_a, np.memmap)
    assert isinstance(back.markers["inference"].bits, np.memmap)
    assert list(folder.iterdir()) == []
    assert np.array_equal(back.current_a, original.current_a)
    assert np.array_equal(levels(back.markers["inference"]), levels(original.markers["inference"]))


def test_a_disk_without_room_for_that_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(
        jls_memory.os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(28, "No space"))
    )
    with pytest.raises(InputError, match="No space") as caught:
        jls_memory.array_of(1 << 20, np.float32, in_memory=0)
    assert "TMPDIR" in caught.value.fix


def test_a_file_of_the_joulescope_ui_is_aligned_by_its_sample_ids_and_its_losses_are_gaps(path):
    current = np.arange(1000, dtype=np.float32)
    bits = np.packbits([0] * 1000 + [1] * 1000, bitorder="little")
    foreign(
        path,
        {
            "current": (F32, 1_000_000, 0, [(500, current[:600]), (1200, current[700:])]),
            "voltage": (F32, 1_000_000, 510, 3 * np.ones(990, np.float32)),
            "gpi[0]": (U1, 2_000_000, 1000, bits),
        },
        utc=[("current", 500, 1 << 40), ("voltage", 510, (1 << 40) + round(10e-6 * (1 << 30)))],
    )
    back = read_jls(path, markers=INFERENCE)
    assert back.current_a[0] == 10
    assert back.count == 990
    assert back.gaps == (Gap(590, 690),)
    assert np.isnan(back.voltage_v[590:690]).all()
    assert levels(back.markers["inference"])[978:983].tolist() == [0, 0, 1, 1, 1]
    assert levels(back.markers["inference"])[1180:1380].all(), "a missing line keeps its level"
    assert back.complete
    assert back.accuracy == ACCURACY["js220"]
    assert back.ranges is None


def test_signals_that_are_not_on_one_clock_are_refused(path):
    foreign(path, pair(), utc=[("current", 0, 1 << 40), ("voltage", 0, (1 << 40) + (1 << 28))])
    with pytest.raises(InputError, match="not on one clock"):
        read_jls(path, markers={})


def test_an_instrument_that_is_not_known_is_read_with_a_warning(path):
    foreign(path, pair(), model="OTHER")
    back = read_jls(path, markers={})
    assert any("'OTHER' are not known" in note for note in back.notes)


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        ({"current": (F32, 1_000_000, 0, ONES)}, r"lacks voltage; it has: current\n.* \(--supply-v"),
        ({"voltage": (F32, 1_000_000, 0, ONES)}, "lacks current; it has: voltage"),
        ({"gpi[1]": (U1, 2_000_000, 0, np.zeros(9, np.uint8))}, "lacks current and voltage; it has: gpi1"),
        (pair(voltage=(F32, 500_000, 0, ONES)), "current has 1e\\+06 samples a second, voltage 500000"),
        (pair(voltage=(F32, 1_000_000, 5000, ONES)), "never recorded at the same time"),
        (pair(current=(F32, 1_000_000, 0, np.where(ONES.cumsum() == 500, np.inf, 1).astype(np.float32))),
         "sample 499 of current, at 0.000499 s, is infinite"),
        (pair(current=(pyjls.DataType.U8, 1_000_000, 0, np.ones(1000, np.uint8))), "of current are u8"),
    ],
)  # fmt: skip
def test_a_file_without_what_is_needed_is_refused_with_what_it_has(path, signals, said):
    foreign(path, signals)
    with pytest.raises(InputError, match=said):
        read_jls(path, markers={})


@pytest.mark.parametrize("name", ["gpi1", "nonsense", "current"])
def test_a_marker_line_that_was_not_recorded_is_refused_with_what_there_is(path, name):
    write_jls(capture(), path)
    with pytest.raises(InputError, match=r"has no signal|is no digital line") as raised:
        read_jls(path, markers={"inference": name})
    assert raised.value.fix == "name one of its digital lines: gpi0"


def test_a_digital_line_is_found_under_its_input_s_name_too(path):
    bits = np.arange(9, dtype=np.uint8)
    foreign(path, pair(gpi0=(U1, 1_000_000, 0, bits), gpi1=(F32, 1_000_000, 0, ONES)))
    line = read_jls(path, markers={"inference": "gpi0"}).markers["inference"]
    assert line.bits.tolist()[:9] == bits.tolist()
    with pytest.raises(InputError, match="'gpi1' is no digital line") as raised:
        read_jls(path, markers={"inference": "gpi1"})
    assert raised.value.fix == "name one of its digital lines: gpi0"


def test_current_alone_is_read_where_the_supply_is_given(path):
    foreign(path, {"current": (F32, 1_000_000, 0, ONES)})
    back = read_jls(path, markers={}, supply_v=2.5)
    assert (back.supply, back.power_w, len(back.current_a)) == ("assumed", None, 1000)
    assert back.voltage_v.strides == (0,)
    assert back.voltage_v[0] == 2.5


@pytest.mark.parametrize(
    ("start_s", "stop_s"), [(-0.1, None), (None, 0.4), (0.2, 0.1), (0.1, 0.1), (0.31, None)]
)
def test_a_part_that_is_not_in_the_record_is_refused(path, start_s, stop_s):
    write_jls(capture(), path)
    with pytest.raises(InputError, match=r"within the record of 0.300001 s|nothing between"):
        read_jls(path, markers={}, start_s=start_s, stop_s=stop_s)


@pytest.mark.parametrize("share", [0.0001, 0.5, 0.99999])
def test_a_truncated_file_is_refused_and_left_as_it_is(path, share):
    write_jls(capture(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"truncated|is empty|never closed|not a JLS file"):
        read_jls(path, markers={})
    assert path.read_bytes() == whole[: int(share * len(whole))]


def test_a_file_that_was_never_closed_is_refused(path, tmp_path):
    write_jls(capture(), path)
    content = bytearray(path.read_bytes())
    content[16:24] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(InputError, match="never closed"):
        jls_signals(path)


def test_a_file_whose_end_could_not_be_written_is_refused(path):
    write_jls(capture(), path)
    content = bytearray(path.read_bytes())
    content[-32:] = bytes(32)
    path.write_bytes(content)
    with pytest.raises(InputError, match="its end is missing"):
        jls_signals(path)


def test_a_file_with_bits_turned_over_gives_no_number(path):
    write_jls(capture(), path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_jls(path, markers={})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"time,current\n" * 10, "is not a JLS file: it begins with 74 69 6d 65"),
        (bytes([0xD3, 0x74, 0x61, 0x67]) + bytes(100), "version 1"),
    ],
)
def test_a_foreign_file_is_named_for_what_it_is(path, content, said):
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_jls(path, markers={})


def test_a_file_that_is_absent_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_jls(tmp_path / "none.jls", markers={})


def test_the_records_of_several_instruments_are_told_apart(path):
    with pyjls.Writer(str(path)) as file:
        for source in (1, 2):
            file.source_def(source_id=source, name=f"JS220-{source}", model="JS220")
            file.signal_def(source, source, data_type=F32, sample_rate=1000, name="current")
            file.fsr(source, 0, ONES)
    with pytest.raises(InputError, match="several instruments: JS220-1, JS220-2"):
        jls_signals(path)


def test_what_a_file_holds_is_listed_with_the_marker_lines(path):
    write_jls(capture(), path)
    listed = {signal.name: (signal.rate_hz, signal.marker) for signal in jls_signals(path)}
    assert listed == {
        "current": (1e6, ""),
        "voltage": (1e6, ""),
        "power": (1e6, ""),
        "gpi0": (2e6, "inference"),
    }


def test_a_file_that_can_not_be_made_is_the_users_error(tmp_path):
    with pytest.raises(InputError, match="No such file or directory"):
        write_jls(capture(), tmp_path / "none" / "a.jls")


def test_a_disk_that_does_not_take_the_end_is_told(path, monkeypatch):
    class Full(pyjls.Writer):
        def close(self):
            super().close()
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size - 100)

    monkeypatch.setattr(pyjls, "Writer", Full)
    with pytest.raises(InstrumentError, match="the disk did not take all of it"):
        write_jls(capture(), path)


@pytest.mark.parametrize(
    "changes",
    [
        {"current_a": np.empty(0, np.float32), "voltage_v": np.empty(0, np.float32)},
        {"sample_rate_hz": 0.5},
        {"markers": {str(n): MarkerLine(np.zeros(1, np.uint8), 8, 1e6) for n in range(6)}},
    ],
    ids=["empty", "slow", "lines"],
)
def test_a_capture_that_does_not_fit_the_format_is_refused(path, changes):
    with pytest.raises(InputError, match=r"no samples|one sample a second|6 marker lines"):
        write_jls(capture(**changes), path)


def test_without_pyjls_it_says_what_to_install(path, monkeypatch):
    write_jls(capture(), path)
    monkeypatch.setitem(sys.modules, "pyjls", None)
    with pytest.raises(InputError, match="pyjls package is not installed") as caught:
        read_jls(shutil.copy(path, path.with_name("b.jls")), markers={})
    assert "pytest-lan-hil[joulescope]" in caught.value.fix


@pytest.mark.parametrize("level", [0, 1])
def test_holding_a_level_changes_what_is_asked_for_and_nothing_else(level):
    rng = np.random.default_rng(1)
    for _ in range(200):
        before = rng.integers(0, 2, 64, np.uint8)
        start, stop = sorted(rng.integers(1, 65, 2).tolist())
        before[start - 1] = level
        bits = np.packbits(before, bitorder="little")
        hold_level(bits, start, stop)
        expected = before.copy()
        expected[start:stop] = level
        assert np.unpackbits(bits, bitorder="little").tolist() == expected.tolist()


def test_a_disk_without_room_is_told_and_nothing_hangs_or_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 40, 1 << 40, 1 << 20))
    with pytest.raises(InstrumentError, match="is full: 1 MiB are left"):
        write_jls(capture(), tmp_path / "a.jls")
    assert not list(tmp_path.iterdir())
