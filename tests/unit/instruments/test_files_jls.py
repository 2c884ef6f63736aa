"""JLS files among the formats that `read_trace` tells apart: marker lines by name and by input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_lan_hil.instruments.files import read_trace
from pytest_lan_hil.instruments.jls import write_jls
from pytest_lan_hil.instruments.joulescope_models import ACCURACY
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity, MarkerLine
from pytest_lan_hil.model.errors import InputError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    level = np.zeros(2000, np.uint8)
    level[500:900] = 1
    capture = Capture(
        1e6,
        np.linspace(1e-3, 2e-3, 2000, dtype=np.float32),
        np.full(2000, 3.0, np.float32),
        InstrumentIdentity("Joulescope JS220", "002557", simulated=True),
        ACCURACY["js220"],
        markers={"inference": MarkerLine(np.packbits(level, bitorder="little"), 2000, 1e6)},
    )
    write_jls(capture, tmp_path / "run.jls")
    return tmp_path / "run.jls"


def test_all_lines_by_their_names_where_none_is_asked_for(path: Path) -> None:
    trace = read_trace(path)
    assert trace.format == "jls"
    assert list(trace.capture.markers) == ["inference"]
    assert trace.capture.instrument.simulated
    np.testing.assert_array_equal(trace.capture.current_a, np.linspace(1e-3, 2e-3, 2000, dtype=np.float32))


@pytest.mark.parametrize("place", ["inference", "gpi0"])
def test_a_line_is_found_by_its_name_and_by_its_input(path: Path, place: str) -> None:
    capture = read_trace(path, markers={"work": place}).capture
    line = capture.markers["work"]
    assert isinstance(line, MarkerLine)
    assert np.unpackbits(line.bits, bitorder="little")[: line.count].sum() == 400


def test_a_line_that_is_not_there_is_refused_with_those_that_are(path: Path) -> None:
    with pytest.raises(InputError, match="no marker line 'gpi3': it has gpi0, inference"):
        read_trace(path, markers={"gpi3": "gpi3"})


def test_naming_another_instrument_changes_its_error_limits_and_not_who_recorded(path: Path) -> None:
    capture = read_trace(path, instrument="js110").capture
    assert capture.accuracy == ACCURACY["js110"]
    assert capture.instrument.model == "Joulescope JS220"
    assert capture.instrument.simulated


def test_a_damaged_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError):
        read_trace(path)
    path.write_bytes(b"hello world, no magic here")
    with pytest.raises(InputError):
        read_trace(path)
