"""CSV of the Joulescope UI and of the Power Profiler: units, gaps, digital lines, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_lan_hil.instruments.files import read_capture, read_trace, table
from pytest_lan_hil.model.capture import Gap, MarkerLine
from pytest_lan_hil.model.errors import InputError


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "record.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def levels(line: object) -> list[int]:
    assert isinstance(line, MarkerLine)
    return np.unpackbits(line.bits, bitorder="little")[: line.count].tolist()


def test_joulescope_export_is_read_in_its_units(tmp_path: Path) -> None:
    path = csv(
        tmp_path, "#time (s),current (mA),voltage (V)", "0.0,1.5,3.0", "0.001,2.5,3.1", "0.002,3.5,3.2"
    )
    trace = read_trace(path)
    assert trace.format == "joulescope csv"
    assert trace.capture.sample_rate_hz == pytest.approx(1000)
    np.testing.assert_allclose(trace.capture.current_a, [1.5e-3, 2.5e-3, 3.5e-3], rtol=1e-6)
    np.testing.assert_allclose(trace.capture.voltage_v, [3.0, 3.1, 3.2], rtol=1e-6)
    assert trace.capture.supply == "measured"


def test_statistics_bring_their_own_power_and_are_taken_as_si(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "#time,current,voltage,power,charge,energy",
        "0.0,0.399422,4.74572,1.89553,0,0",
        "0.5,0.400691,4.74479,1.90114,0.200345,0.950568",
        "1.0,0.399392,4.74555,1.89532,0.400042,1.89823",
    )
    capture = read_capture(path)
    assert capture.sample_rate_hz == 2
    assert capture.power_w is not None
    np.testing.assert_allclose(capture.power_w, [1.89553, 1.90114, 1.89532], rtol=1e-6)
    assert any("without a unit" in note for note in capture.notes)


def test_a_marker_column_and_crlf_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "record.csv"
    rows = "\r\n".join(f"{k * 1e-6:.7f},1e-3,3,{int(2 <= k < 5)}" for k in range(8))
    path.write_bytes(f"\ufeff#time (s),current (A),voltage (V),gpi0\r\n{rows}\r\n".encode())
    capture = read_capture(path, markers={"inference": "gpi0"})
    assert capture.sample_rate_hz == 1e6
    assert levels(capture.markers["inference"]) == [0, 0, 1, 1, 1, 0, 0, 0]


def test_rounded_times_of_a_fast_record_give_its_rate(tmp_path: Path) -> None:
    path = csv(tmp_path, "#time (s),current (A),voltage (V)", *(f"{k / 2e6:.7f},1e-3,3" for k in range(5000)))
    capture = read_capture(path)
    assert capture.sample_rate_hz == 2e6
    assert capture.gaps == ()


def test_times_rounded_coarser_than_a_sample_are_no_gaps(tmp_path: Path) -> None:
    path = csv(tmp_path, "#time (s),current (A),voltage (V)", *(f"{k / 2e6:.6f},1e-3,3" for k in range(5000)))
    capture = read_capture(path)
    assert capture.sample_rate_hz == pytest.approx(2e6, rel=1e-3)
    assert (capture.count, capture.gaps) == (5000, ())


@pytest.mark.parametrize(
    ("rate_hz", "digits", "count"), [(3000, 3, 5000), (100_000, 4, 20_000), (44_100, 3, 20_000)]
)
def test_the_roundest_rate_that_rounded_times_allow_is_taken_and_its_error_counts(
    tmp_path: Path, rate_hz: int, digits: int, count: int
) -> None:
    rows = (f"{k / rate_hz:.{digits}f},1e-3,3" for k in range(count))
    capture = read_capture(csv(tmp_path, "#time (s),current (A),voltage (V)", *rows), instrument="js220")
    off = abs(capture.sample_rate_hz - rate_hz) / rate_hz
    assert off == 0 or rate_hz == 44_100  # 44000 is rounder, and as good
    span_s = (count - 1) / rate_hz
    assert capture.accuracy.timebase == pytest.approx(2 * 10**-digits / span_s, rel=0.05)
    assert off <= capture.accuracy.timebase
    assert "rounded times" in capture.accuracy.source


@pytest.mark.parametrize("cut", range(1, 27))
def test_a_last_line_that_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = csv(tmp_path, "#time (s),current (A),voltage (V),gpi0", "0.000,0.010020,3.000000,10",
               *(f"0.{k:03d},0.010137,3.300000,11" for k in range(1, 40)))  # fmt: skip
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    if cut == 1:  # the newline alone is missing
        assert read_capture(path, markers={}).count == 40
        return
    with pytest.raises(InputError, match="no newline at its end: it may be cut short"):
        read_capture(path, markers={})


def test_figures_of_any_length_may_be_cut_unnoticed_and_need_a_newline(tmp_path: Path) -> None:
    path = csv(tmp_path, "Timestamp(ms),Current(uA)", "0,100.5", "0.01,7", "0.02,100.25")
    path.write_text(path.read_text()[:-1])
    with pytest.raises(InputError, match=r"its last line, '0.02,100.25', has no newline"):
        read_capture(path, supply_v=3)


def test_a_long_table_is_looked_at_from_its_end(tmp_path: Path) -> None:
    path = csv(tmp_path, "Timestamp(ms),Current(uA)", *(f"{k / 100:.2f},{k:.3f}" for k in range(9000)))
    path.write_bytes(path.read_bytes()[:-1])
    assert read_capture(path, supply_v=3).count == 9000
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="cut short"):
        read_capture(path, supply_v=3)


def test_a_table_knows_when_it_begins(tmp_path: Path) -> None:
    path = csv(tmp_path, "Timestamp(ms),Current(uA)", "2500,1", "2500.01,1")
    assert read_trace(path, supply_v=3).origin_s == 2.5


def test_missing_rows_and_nan_are_gaps(tmp_path: Path) -> None:
    rows = [f"{k * 0.01:.2f},{'nan' if k == 20 else k},3.0,1" for k in range(40) if not 5 <= k < 8]
    capture = read_capture(csv(tmp_path, "#time (s),current (uA),voltage (V),gpi0", *rows))
    assert capture.sample_rate_hz == 100
    assert capture.gaps == (Gap(5, 8), Gap(20, 21))
    assert capture.count == 40
    assert np.isnan(capture.current_a[[5, 6, 7, 20]]).all()
    assert np.isnan(capture.voltage_v[[5, 20]]).all()
    assert capture.current_a[8] == pytest.approx(8e-6)
    assert levels(capture.markers["gpi0"]) == [1] * 40


def test_pieces_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{k * 0.01:.2f},{k % 7},3.0,{k // 10 % 2}" for k in range(60) if k not in (9, 10, 30, 31)]
    path = csv(tmp_path, "#time (s),current (uA),voltage (V),gpi0", *rows)
    whole = read_capture(path)
    monkeypatch.setattr(table, "_ROWS", 9)
    pieces = read_capture(path)
    np.testing.assert_array_equal(pieces.current_a, whole.current_a)
    assert pieces.gaps == whole.gaps == (Gap(9, 11), Gap(30, 32))
    assert levels(pieces.markers["gpi0"]) == levels(whole.markers["gpi0"])
    assert pieces.sample_rate_hz == whole.sample_rate_hz == 100


def test_power_profiler_export_takes_the_voltage_from_the_user(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "Timestamp(ms),Current(uA),D0-D7",
        "0,500.25,01000000",
        "0.01,600,11000000",
        "0.02,7,00000001",
    )
    trace = read_trace(path, supply_v=3.0)
    assert trace.format == "ppk2 csv"
    capture = trace.capture
    assert capture.sample_rate_hz == 100_000
    np.testing.assert_allclose(capture.current_a, [500.25e-6, 600e-6, 7e-6], rtol=1e-6)
    assert capture.voltage_v.tolist() == [3.0, 3.0, 3.0]
    assert (capture.supply, capture.instrument.model) == ("assumed", "Nordic PPK2")
    assert levels(capture.markers["d1"]) == [1, 1, 0]
    assert levels(capture.markers["d0"]) == [0, 1, 0]
    assert levels(capture.markers["d7"]) == [0, 0, 1]


def test_power_profiler_channels_of_their_own_and_of_older_versions(tmp_path: Path) -> None:
    own = csv(
        tmp_path,
        "Timestamp(ms),Current(uA),D0,D1,D2,D3,D4,D5,D6,D7",
        "0,1,0,1,0,0,0,0,0,0",
        "0.01,1,1,1,0,0,0,0,0,0",
    )
    capture = read_capture(own, supply_v=3, markers={"inference": "d0"})
    assert list(capture.markers) == ["inference"]
    assert levels(capture.markers["inference"]) == [0, 1]
    older = csv(tmp_path, "Timestamp(ms),Current(uA),Bits", "0,1,00000010", "0.01,1,00000001")
    assert levels(read_capture(older, supply_v=3).markers["d1"]) == [1, 0]


def test_rows_that_the_power_profiler_left_out_are_a_gap(tmp_path: Path) -> None:
    path = csv(
        tmp_path, "Timestamp(ms),Current(uA)", *(f"{k / 100},{k}" for k in range(30) if not 10 <= k < 13)
    )
    assert read_capture(path, supply_v=3).gaps == (Gap(10, 13),)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["Timestamp(ms),Current(uA)", "0,1", "0.01,2"], "holds no voltage"),
        (["#time (s),current (A)", "0,1", "0.01,2"], "holds no voltage"),
        (["0,1,3", "1,1,3"], "nothing says what its columns are"),
        (["a,b,c", "0,1,2"], "its columns are a, b, c; expected time"),
        (["#time (s),current (A),voltage (V)"], "holds no numbers below its first line"),
        (
            ["#time (s);current (A);voltage (V)", "0;1;3", "1;1;3", "2;1;3"],
            r"below its first line: #time \(s\);current",
        ),
        (["#time (s),current (A),voltage (V)", "0,1,3"], "one sample, which has no sample rate"),
        (["#time (s),current (A),voltage (V)", "0,1,3", "1,x,3"], "line 3: could not convert string 'x'"),
        (["#time (s),current (A),voltage (V)", "0,1,3", "1,2"], "line 3"),
        (["#time (s),current (A),voltage (V)", "0,1,3", "1,inf,3"], "line 3: current is inf"),
        (["#time (s),current (A),voltage (V)", "0,nan,3", "1,nan,3"], "every sample is missing"),
        (
            ["#time (s),current (A),voltage (V)", "0,1,3", "1,1,3", "2,1,3", "2,1,3", "3,1,3"],
            "line 5: time 2 s follows 2 s",
        ),
        (
            ["#time (s),current (A),voltage (V)", "0,1,3", "1,1,3", "2,1,3", "1,1,3", "4,1,3"],
            "line 5: time 1 s follows 2 s",
        ),
        (["#time (s),current (A),voltage (V)", "2,1,3", "1,1,3", "0,1,3"], "times do not rise"),
        (
            ["#time (s),current (A),voltage (V)", *(f"{k},1,3" for k in (0, 1, 2, 3, 99999999999))],
            "line 6: the time jumps",
        ),
        (["#time (h),current (A),voltage (V)", "0,1,3", "1,1,3"], "'time' is in 'h'"),
        (["#time (s),current (V),voltage (V)", "0,1,3", "1,1,3"], "'current' is in 'V'"),
        (["#time (s),current (A),voltage (V),gpi0", "0,1,3,0", "1,1,3,2"], "line 3: the level of gpi0"),
    ],
)
def test_a_table_that_can_t_be_used_is_refused(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_capture(csv(tmp_path, *lines))


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.csv"
    path.write_text("")
    with pytest.raises(InputError, match="is empty"):
        read_capture(path)
    path.write_text("\n\n")
    with pytest.raises(InputError, match="is empty"):
        read_capture(path)


def test_a_digital_channel_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = csv(tmp_path, "#time (s),current (A),voltage (V),gpi1", "0,1,3,0", "1,1,3,0")
    with pytest.raises(InputError, match="no marker line 'gpi0' for marker 'inference': it has gpi1"):
        read_capture(path, markers={"inference": "gpi0"})
