"""Our own file of a capture: what is written is read back, and what is damaged is refused."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pytest_lan_hil.instruments.files import read_capture, write_npz
from pytest_lan_hil.instruments.joulescope_models import ACCURACY
from pytest_lan_hil.model.capture import (
    Capture,
    EdgeLine,
    Gap,
    InstrumentIdentity,
    MarkerLine,
    RangeRuns,
    TimeMap,
)
from pytest_lan_hil.model.errors import InputError


def full_capture() -> Capture:
    rng = np.random.default_rng(7)
    current = rng.random(1000, np.float32)
    voltage = np.full(1000, 3.0, np.float32)
    current[100:110] = voltage[100:110] = np.nan
    return Capture(
        1e5,
        current,
        voltage,
        InstrumentIdentity("Joulescope JS220", "002557", "1.2", simulated=True, notes=("made up",)),
        ACCURACY["js220"],
        markers={
            "inference": MarkerLine(rng.integers(0, 256, 250, np.uint8), 2000, 2e5),
            "phase": EdgeLine(np.array([1e-3, 4e-3]), True, 0.01, 1e-6, 2e-6, 3e-6, ((0.001, 0.002),)),
        },
        gaps=(Gap(100, 110),),
        complete=False,
        ranges=RangeRuns(np.array([0, 500]), np.array([3, 4])),
        time_map=TimeMap(1.7e9, 1.00001, 1e-3),
        start_s=12.5,
        start_error_s=1e-4,
        notes=("a note",),
    )


def test_everything_that_is_written_is_read_back(tmp_path: Path) -> None:
    written = full_capture()
    read = read_capture(write_npz(written, tmp_path / "x.npz"))
    np.testing.assert_array_equal(read.current_a, written.current_a)
    np.testing.assert_array_equal(read.voltage_v, written.voltage_v)
    line = read.markers["inference"]
    assert isinstance(line, MarkerLine)
    np.testing.assert_array_equal(line.bits, written.markers["inference"].bits)
    assert (line.count, line.sample_rate_hz) == (2000, 2e5)
    edges = read.markers["phase"]
    assert isinstance(edges, EdgeLine)
    assert edges.times_s.tolist() == [1e-3, 4e-3]
    assert dataclasses.replace(edges, times_s=0) == dataclasses.replace(written.markers["phase"], times_s=0)
    assert read.ranges is not None
    assert read.ranges.starts.tolist() == [0, 500]
    for name in (
        "instrument",
        "accuracy",
        "gaps",
        "supply",
        "complete",
        "time_map",
        "start_s",
        "start_error_s",
        "notes",
    ):
        assert getattr(read, name) == getattr(written, name), name


def test_one_assumed_voltage_stays_one_number(tmp_path: Path) -> None:
    one = np.broadcast_to(np.float32(3.3), (1000,))
    written = dataclasses.replace(full_capture(), voltage_v=one, supply="assumed")
    read = read_capture(write_npz(written, tmp_path / "x.npz"))
    assert read.voltage_v.strides == (0,)
    assert read.voltage_v[0] == np.float32(3.3)
    assert read.supply == "assumed"


def test_a_file_made_by_hand_needs_rate_current_and_voltage_only(tmp_path: Path) -> None:
    bits = np.packbits([0, 1, 1, 0], bitorder="little")
    np.savez(
        tmp_path / "x.npz",
        **{"bits.inference": bits},
        sample_rate_hz=1e3,
        current_a=np.ones(4),
        voltage_v=np.ones(4),
    )
    capture = read_capture(tmp_path / "x.npz")
    assert (capture.count, capture.sample_rate_hz) == (4, 1000)
    assert capture.markers["inference"].count == 4
    assert any("does not say which instrument" in note for note in capture.notes)
    renamed = read_capture(tmp_path / "x.npz", markers={"work": "inference"}, instrument="js220")
    assert list(renamed.markers) == ["work"]
    assert renamed.accuracy == ACCURACY["js220"]


def test_a_record_of_power_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", sample_rate_hz=1e3, power_w=np.arange(4.0))
    capture = read_capture(tmp_path / "x.npz")
    assert capture.power_w is not None
    assert capture.power_w.tolist() == [0, 1, 2, 3]
    assert capture.count == 4


def meta(**told: object) -> dict[str, object]:
    return {"meta": np.array(json.dumps(told))}


GOOD = {"sample_rate_hz": 1e3, "current_a": np.ones(4), "voltage_v": np.ones(4)}
LINE = {"bits.x": np.zeros(1, np.uint8)}
EDGES = {"edges.x": np.array([0.001, 0.002])}
LIMITS = {
    **dict.fromkeys(("current_gain", "current_offset_a", "voltage_gain", "voltage_offset_v", "timebase"), 0),
    "source": "made up",
}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sample_rate_hz": 0.0}, "sample_rate_hz is 0 Hz"),
        ({"sample_rate_hz": -5.0}, "sample_rate_hz is -5 Hz"),
        ({"sample_rate_hz": np.nan}, "sample_rate_hz is nan Hz"),
        ({"sample_rate_hz": 1e-300}, "sample_rate_hz is 1e-300 Hz, expected 0.001 to"),
        ({"sample_rate_hz": 1e300}, r"sample_rate_hz is 1e\+300 Hz"),
        ({"sample_rate_hz": "fast"}, "sample_rate_hz has shape .* expected one number"),
        ({"sample_rate_hz": np.ones(2)}, r"sample_rate_hz has shape \(2,\)"),
        ({"current_a": np.ones((2, 2)), "voltage_v": np.ones((2, 2))}, r"current_a has shape \(2, 2\)"),
        ({"current_a": np.float64(1)}, r"current_a has shape \(\)"),
        ({"current_a": np.full(4, 1e39)}, "sample 0 of current_a .* is inf"),
        ({"power_w": np.ones((4, 1))}, r"power_w has shape \(4, 1\)"),
        ({"power_w": np.ones(4, complex)}, "power_w has shape .* of complex128, expected numbers"),
        ({"power_w": np.ones(4, bool)}, "power_w has shape .* of bool"),
        ({"voltage_v": np.ones(3)}, "4 samples of current, 3 of voltage"),
        ({"current_a": np.ones(0), "voltage_v": np.ones(0)}, "0 samples of current"),
        (
            {"current_a": np.array([1, np.nan, 1, np.inf])},
            "sample 1 of current_a .* is nan, and lies in no gap",
        ),
        ({"voltage_v": np.array([1, 1, 1, np.inf])}, "sample 3 of voltage_v"),
        ({"gaps": np.array([[3, 2]])}, "gaps don't rise"),
        ({"gaps": np.array([[0, 9]])}, "gaps don't rise"),
        ({"gaps": np.array([[0, 2], [1, 3]])}, "gaps don't rise"),
        ({"gaps": np.array([[0.5, 1.5]])}, "gaps has shape .* of float64, expected whole numbers"),
        ({"gaps": np.array([[0, np.inf]])}, "gaps has shape .* of float64, expected whole numbers"),
        ({"gaps": np.array([0, 1])}, r"gaps has shape \(2,\)"),
        ({"gaps": np.array([[0, 1, 2]])}, r"gaps has shape \(1, 3\) .* expected shape \(k, 2\)"),
        ({"bits.x": np.zeros(0, np.uint8)}, r"bits.x has shape \(0,\) of uint8, expected shape \(1,\)"),
        ({"bits.x": np.zeros((1, 1), np.uint8)}, r"bits.x has shape \(1, 1\)"),
        ({**LINE, "count.x": np.inf}, "count.x is inf, expected a whole number from 1"),
        ({**LINE, "count.x": 0}, "count.x is 0"),
        ({**LINE, "count.x": -5}, "count.x is -5"),
        ({**LINE, "rate.x": 0.0}, "rate.x is 0 Hz"),
        ({**LINE, "rate.x": -1.0}, "rate.x is -1 Hz"),
        ({**LINE, "rate.x": np.nan}, "rate.x is nan Hz"),
        ({"edges.x": np.array([[0.1, 0.2]])}, r"edges.x has shape \(1, 2\)"),
        ({"edges.x": np.array([0.2, 0.1])}, "times of edges.x do not rise"),
        ({"edges.x": np.array([0.1, np.nan])}, "times of edges.x do not rise, or are not numbers"),
        ({"range_starts": np.array([0])}, "1 range_starts and 0 range_indices"),
        ({"range_starts": np.array([0, 1]), "range_indices": np.array([0])}, "2 range_starts and 1"),
        ({"range_starts": np.array([0, 1]), "range_indices": np.array([0, -7])}, "indices from 0"),
        ({"range_starts": np.array([5, 1]), "range_indices": np.array([0, 1])}, "range_starts don't rise"),
        ({"range_starts": np.array([0.5]), "range_indices": np.array([0])}, "range_starts has shape"),
        ({"meta": np.array("{")}, "not a capture of ours: meta"),
        ({"meta": np.array("[" * 100_000)}, "not a capture of ours: meta"),
        ({"meta": np.array("null")}, "not a capture of ours: meta"),
        (meta(accuracy={"gain": 1}), "meta.accuracy.current_gain: Field required"),
        (
            meta(accuracy={**LIMITS, "current_gain": "a"}),
            "meta.accuracy.current_gain: Input should be a valid",
        ),
        (meta(accuracy={**LIMITS, "timebase": float("nan")}), "meta.accuracy.timebase: .* finite"),
        (meta(accuracy={**LIMITS, "current_gain": -1}), "current_gain is -1, and no error limit is negative"),
        (
            meta(accuracy={**LIMITS, "current_ranges": [{"limit_a": 1, "gain": 0, "offset_a": -1}]}),
            "current_ranges.0.offset_a is -1",
        ),
        (meta(complete="no"), "meta.complete: Input should be a valid boolean"),
        (meta(supply=3), "meta.supply: Input should be 'measured'"),
        (meta(notes="abc"), "meta.notes"),
        ({**EDGES, **meta(edges={"x": {"resolution_s": "x"}})}, "meta.edges.x.resolution_s"),
        ({**EDGES, **meta(edges={"x": {"resolution_s": -1}})}, "meta.edges.x.resolution_s"),
        ({**EDGES, **meta(edges={"x": {"resolution_s": float("nan")}})}, "meta.edges.x.resolution_s"),
        ({"current_a": np.array(["a", "b", "c", "d"])}, "current_a has shape .* expected numbers"),
        ({"current_a": np.array([{}, {}, {}, {}], object)}, "not a capture of ours: .*pickle"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, changed: dict[str, object], says: str) -> None:
    np.savez(tmp_path / "x.npz", **{**GOOD, **changed})
    with pytest.raises(InputError, match=says):
        read_capture(tmp_path / "x.npz")


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("sample_rate_hz.npy", "hello")
    with pytest.raises(InputError, match="not a capture of ours: sample_rate_hz is no array"):
        read_capture(tmp_path / "x.npz")


def test_time_stamps_of_edges_are_as_fine_as_a_sample_unless_meta_says_so(tmp_path: Path) -> None:
    for told, resolution_s in (({}, 1e-3), ({"resolution_s": 1e-6}, 1e-6)):
        np.savez(tmp_path / "x.npz", **{**GOOD, **EDGES, **meta(edges={"x": told})})
        line = read_capture(tmp_path / "x.npz").markers["x"]
        assert isinstance(line, EdgeLine)
        assert line.resolution_s == resolution_s


def test_naming_an_instrument_changes_its_error_limits_and_not_who_recorded(tmp_path: Path) -> None:
    written = full_capture()
    read = read_capture(write_npz(written, tmp_path / "x.npz"), instrument="js110")
    assert read.accuracy == ACCURACY["js110"]
    assert read.instrument == written.instrument
    assert read.instrument.simulated
    # The ranges that the JS220 told are none of a JS110's.
    assert read.ranges is None


def test_a_supply_gives_power_alone_its_factors_and_leaves_the_power_as_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", sample_rate_hz=1e3, power_w=np.arange(4.0))
    capture = read_capture(tmp_path / "x.npz", supply_v=2.0, instrument="js220")
    assert capture.power_w is not None
    assert capture.power_w.tolist() == [0, 1, 2, 3]
    assert capture.current_a.tolist() == [0, 0.5, 1, 1.5]
    assert (capture.voltage_v[0], capture.supply) == (2.0, "assumed")
    with pytest.raises(
        InputError, match="a record of power alone with error limits of js220, holds no voltage"
    ):
        read_capture(tmp_path / "x.npz", instrument="js220")
    np.savez(tmp_path / "x.npz", sample_rate_hz=1e3, power_w=np.arange(4.0), voltage_v=3.0)
    with pytest.raises(InputError, match=r"voltage_v has shape \(\) .* none beside power alone"):
        read_capture(tmp_path / "x.npz")


def test_a_supply_that_would_not_be_used_is_refused_and_the_board_s_is_not(tmp_path: Path) -> None:
    path = write_npz(full_capture(), tmp_path / "x.npz")
    with pytest.raises(
        InputError, match="holds the voltage itself, 3 V on average: a supply of 5 V would not"
    ):
        read_capture(path, supply_v=5.0)
    capture = read_capture(path, board_v=5.0)
    assert capture.voltage_v[0] == 3.0
    assert not any("board" in note for note in capture.notes)


def test_what_is_no_zip_or_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_npz(full_capture(), tmp_path / "x.npz")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="not a capture of ours"):
        read_capture(path)
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match=r"is not an .npz file: it starts with b'hell'"):
        read_capture(path)


def test_a_marker_line_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = write_npz(full_capture(), tmp_path / "x.npz")
    with pytest.raises(InputError, match="no marker line 'gpi0': it has inference, phase"):
        read_capture(path, markers={"gpi0": "gpi0"})
