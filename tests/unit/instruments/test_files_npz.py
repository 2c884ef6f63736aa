"""Our own file of a capture: what is written is read back, and what is damaged is refused."""

from __future__ import annotations

import dataclasses
import json
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
    np.testing.assert_array_equal(line.bits, written.markers["inference"].bits)  # type: ignore[union-attr]
    assert (line.count, line.sample_rate_hz) == (2000, 2e5)
    edges = read.markers["phase"]
    assert isinstance(edges, EdgeLine)
    assert edges.times_s.tolist() == [1e-3, 4e-3]
    assert dataclasses.replace(edges, times_s=0) == dataclasses.replace(written.markers["phase"], times_s=0)  # type: ignore[arg-type, call-arg]
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
    assert capture.markers["inference"].count == 4  # type: ignore[union-attr]
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


GOOD = {"sample_rate_hz": 1e3, "current_a": np.ones(4), "voltage_v": np.ones(4)}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sample_rate_hz": 0.0}, "sample_rate_hz is 0"),
        ({"sample_rate_hz": -5.0}, "sample_rate_hz is -5"),
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
        ({"bits.x": np.zeros(0, np.uint8)}, "bits.x holds 0"),
        ({"meta": np.array("{")}, "not a capture of ours"),
        ({"meta": np.array(json.dumps({"accuracy": {"gain": 1}}))}, "not a capture of ours"),
        ({"current_a": np.array(["a", "b", "c", "d"])}, "not a capture of ours"),
        ({"current_a": np.array([{}, {}, {}, {}], object)}, "not a capture of ours: .*pickle"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, changed: dict[str, object], says: str) -> None:
    np.savez(tmp_path / "x.npz", **{**GOOD, **changed})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=says):
        read_capture(tmp_path / "x.npz")


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
