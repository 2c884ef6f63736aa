"""MLPerf Tiny traces, their time stamps and their reports: what is read, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from energy_traces import report_of, write_trace

from pytest_lan_hil.instruments.files import read_capture, read_trace
from pytest_lan_hil.instruments.files.results import read_results
from pytest_lan_hil.instruments.files.stamps import lost_stamp, read_stamps
from pytest_lan_hil.model.capture import EdgeLine
from pytest_lan_hil.model.errors import InputError


def test_energy_of_each_sample_becomes_power(tmp_path: Path) -> None:
    trace = read_trace(write_trace(tmp_path, [2.0, 4.0, 8.0], rate_hz=500))
    assert trace.format == "mlperf"
    assert trace.capture.sample_rate_hz == 500
    assert trace.capture.power_w is not None
    np.testing.assert_allclose(trace.capture.power_w, [1e-3, 2e-3, 4e-3], rtol=1e-12)
    assert trace.stamps is None


def test_time_stamps_beside_the_trace_are_found(tmp_path: Path) -> None:
    trace = read_trace(write_trace(tmp_path, np.ones(1000), stamps=[0.015, 0.2, 0.5]))
    assert trace.stamps is not None
    assert trace.stamps.times_s.tolist() == [0.015, 0.2, 0.5]
    assert trace.stamps.resolution_s == pytest.approx(1e-3)


def test_stamps_are_never_finer_than_a_sample(tmp_path: Path) -> None:
    trace = read_trace(write_trace(tmp_path, np.ones(1000), rate_hz=100, stamps=[0.0151, 0.2, 0.5]))
    assert trace.stamps is not None
    assert trace.stamps.resolution_s == pytest.approx(1e-4)
    assert trace.resolution_s == pytest.approx(1e-2)


def test_an_unnamed_instrument_has_no_error_and_says_so(tmp_path: Path) -> None:
    capture = read_capture(write_trace(tmp_path, np.ones(10)))
    assert capture.accuracy.current_gain == capture.accuracy.timebase == 0
    assert not capture.accuracy.known
    assert "not included" in capture.accuracy.source
    assert any("--instrument js110" in note for note in capture.notes)


def test_a_named_instrument_needs_the_supply_voltage(tmp_path: Path) -> None:
    path = write_trace(tmp_path, np.ones(10))
    with pytest.raises(InputError, match="holds no voltage") as caught:
        read_capture(path, instrument="js110")
    assert "--supply-v" in caught.value.fix
    capture = read_capture(path, instrument="js110", supply_v=2.0)
    assert capture.instrument.model == "Joulescope JS110"
    assert capture.accuracy.current_ranges
    assert capture.supply == "assumed"
    np.testing.assert_allclose(capture.current_a * capture.voltage_v, 1e-3, rtol=1e-6)
    np.testing.assert_allclose(capture.power_w, 1e-3, rtol=1e-12)


def test_an_unknown_instrument_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'js999'") as caught:
        read_capture(write_trace(tmp_path, np.ones(10)), instrument="js999", supply_v=3)
    assert "js110, js220" in caught.value.fix


@pytest.mark.parametrize("supply_v", [0.0, -3.0, float("nan"), float("inf")])
def test_a_supply_that_is_no_voltage_is_refused(tmp_path: Path, supply_v: float) -> None:
    with pytest.raises(InputError, match="can't be meant"):
        read_capture(write_trace(tmp_path, np.ones(10)), supply_v=supply_v)


HEAD = b"\xf1" + struct.pack("<f", 1000.0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xf1", "1 bytes are not a whole energy trace"),
        (HEAD, "5 bytes are not a whole"),
        (HEAD + b"\0" * 7, "12 bytes are not a whole"),
        (b"\xf0" + HEAD[1:] + b"\0" * 8, "first byte is 0xF0, expected 0xF1"),
        (b"\xf1" + struct.pack("<ff", 0.0, 1.0), "sample rate is 0 Hz"),
        (b"\xf1" + struct.pack("<ff", -1.0, 1.0), "sample rate is -1 Hz"),
        (b"\xf1" + struct.pack("<ff", float("nan"), 1.0), "sample rate is nan Hz"),
        (b"\xf1" + struct.pack("<ff", 1e-40, 1.0), "sample rate is 9.99995e-41 Hz, expected 0.001 to"),
        (
            HEAD + struct.pack("<fff", 1.0, float("nan"), float("inf")),
            r"sample 1 .* is nan uJ, the first of 2",
        ),
        (HEAD + struct.pack("<ff", float("-inf"), 1.0), "sample 0 .* is -inf uJ"),
    ],
)
def test_a_damaged_trace_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "trace1-energy.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        read_capture(path)
    assert caught.value.fix


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_capture(tmp_path / "absent.bin")
    with pytest.raises(InputError, match="is a folder"):
        read_capture(tmp_path)


def test_a_file_of_no_known_format_is_refused_with_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "what.dat"
    path.write_bytes(b"\x00\x01\x02\x03rest")
    with pytest.raises(InputError, match="00 01 02 03"):
        read_capture(path)


def test_a_trace_has_no_marker_lines(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no marker lines"):
        read_capture(write_trace(tmp_path, np.ones(10)), markers={"gpi0": "gpi0"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[0.1, 0.2", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ('{"a": 1}', "an object, expected a list"),
        ("3", "a number, expected a list"),
        ("true", "true or false, expected a list"),
        ("null", "null, expected a list"),
        ("[]", "hold 0, and a window needs two"),
        ("[0.5]", "hold 1, and a window needs two"),
        ('[0.1, "0.2"]', 'stamp 1 is "0.2"'),
        ("[0.1, true]", "stamp 1 is true"),
        ("[0.1, [0.2]]", "stamp 1 is"),
        ("[0.1, NaN]", "stamp 1 is NaN"),
        ("[0.1, Infinity]", "stamp 1 is Infinity"),
        ("[-0.1, 0.2]", "stamp 0 is -0.1"),
        ("[0.1, 0.1]", r"stamp 1 \(0.1 s\) is not after stamp 0"),
        ("[0.1, 0.3, 0.2]", r"stamp 2 \(0.2 s\) is not after stamp 1"),
    ],
)
def test_time_stamps_that_are_none_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_stamps(path)


def test_a_time_stamp_outside_the_trace_is_refused(tmp_path: Path) -> None:
    path = write_trace(tmp_path, np.ones(1000), stamps=[0.1, 1.0, 1.2, 1.3])
    with pytest.raises(InputError, match=r"stamp 2 \(1.2 s\) lies outside the record, which ends at 1 s"):
        read_trace(path)


def test_resolution_follows_the_digits(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    for text, resolution_s in (
        ("[1, 2]", 1.0),
        ("[1e5, 2e400]", 1.0),
        ("[0.5, 2.25]", 0.01),
        ("[1e-3, 0.0025]", 1e-4),
    ):
        path.write_text(text)
        assert read_stamps(path).resolution_s == pytest.approx(resolution_s)


def rhythm(pauses: list[float], work_s: float) -> list[float]:
    times = [0.02]
    for pause in pauses:
        times += [times[-1] + pause, times[-1] + pause + work_s]
    return times


@pytest.mark.parametrize("pauses", [[11.6, 10.09, 10.01, 9.99, 10.06], [2.7, 1.82, 1.81, 1.83, 1.82]])
@pytest.mark.parametrize("lost", range(1, 11))
def test_a_lost_stamp_is_found_by_the_rhythm_of_the_others(lost: int, pauses: list[float]) -> None:
    times = rhythm(pauses, 10.70)
    gone = times.pop(lost)
    found = lost_stamp(np.array(times))
    assert found is not None
    assert found.about_s == pytest.approx(gone, abs=0.02)
    assert found.work_s == pytest.approx(10.70, abs=0.01)


def test_a_whole_record_and_one_without_rhythm_have_no_lost_stamp() -> None:
    times = rhythm([11.6, 10.09, 10.01, 9.99, 10.06], 10.70)
    assert lost_stamp(np.array(times)) is None
    assert lost_stamp(np.cumsum([1.0, 7.0, 3.0, 2.0, 9.0, 4.0, 6.0, 2.5])) is None
    assert lost_stamp(np.arange(8.0)) is None  # all alike: nobody can tell which one


def test_stamps_become_the_phase_line_that_is_high_while_inferences_run(tmp_path: Path) -> None:
    path = write_trace(tmp_path, np.ones(1000), stamps=[0.015, 0.2, 0.4, 0.5, 0.7])
    line = read_capture(path).markers["phase"]
    assert isinstance(line, EdgeLine)
    assert line.times_s.tolist() == [0.2, 0.4, 0.5, 0.7]
    assert not line.high_at_start
    assert line.resolution_s == pytest.approx(1e-3)


def test_a_missing_stamp_makes_no_phase_line(tmp_path: Path) -> None:
    path = write_trace(tmp_path, np.ones(1000), stamps=[0.01, 0.2, 0.4, 0.5])
    with pytest.raises(InputError, match="4 time stamps, and a runner's record has an odd number"):
        read_capture(path)


def test_a_report_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "results.txt"
    path.write_text(report_of([(2, 2.73, 13.38, 2175020.65), (4, 17.93, 13.38, 2177424.4)]) + "noise\n")
    first, second = read_results(path)
    assert (first.number, first.start_s, first.duration_s, first.energy_uj) == (2, 2.73, 13.38, 2175020.65)
    assert second.power_uw == pytest.approx(2177424.4 / 13.38, abs=1e-3)


def test_a_report_without_windows_or_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.txt"
    path.write_text("00100.248 ulp-ml: Median throughput\n")
    with pytest.raises(InputError, match="hold no line"):
        read_results(path)
    path.write_text("".join(report_of([(2, 1.0, 1.0, 5.0)]).splitlines(keepends=True)[:2]))
    with pytest.raises(InputError, match="line 1: window 2 is not followed"):
        read_results(path)
    for window in ("9" * 5000, "2"):
        path.write_text(
            report_of([(2, 1.0, 1.0, 5.0)])
            .replace("window 2", f"window {window}")
            .replace("5.000", "5" * 400)
        )
        with pytest.raises(InputError, match="line 1: a figure of this window is too large"):
            read_results(path)
    with pytest.raises(InputError, match="No such file"):
        read_results(tmp_path / "absent.txt")
