"""A recorded capture behind the protocol of a power analyzer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from energy_traces import write_trace

from pytest_lan_hil.instruments import open_analyzer
from pytest_lan_hil.instruments.files import write_npz
from pytest_lan_hil.model.capture import Accuracy, Capture, InstrumentIdentity, MarkerLine
from pytest_lan_hil.model.errors import InputError, InstrumentError

EXACT = Accuracy(0, 0, 0, 0, 0, "made up")


def recorded(folder: Path, *, rate_hz: float = 1e5, simulated: bool = False) -> Path:
    capture = Capture(
        rate_hz,
        np.full(80, 1e-3, np.float32),
        np.full(80, 3.0, np.float32),
        InstrumentIdentity("Joulescope JS220", "002557", simulated=simulated),
        EXACT,
        markers={"gpi0": MarkerLine(np.full(10, 0b00111100, np.uint8), 80, rate_hz)},
    )
    return write_npz(capture, folder / "run.npz")


def test_each_capture_is_the_whole_record(tmp_path: Path) -> None:
    analyzer = open_analyzer(f"replay:{recorded(tmp_path)}?inference=gpi0", markers={})
    for _ in range(2):
        analyzer.start()
        capture = analyzer.stop()
        assert capture.count == 80
        assert list(capture.markers) == ["inference"]
    analyzer.close()


def test_it_names_the_file_its_hash_and_the_original_instrument(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    analyzer = open_analyzer(f"replay:{path}", markers={})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert str(analyzer.identity) == f"replay of run.npz (sha256 {digest}), Joulescope JS220 002557"
    assert any("nothing was measured" in note for note in analyzer.identity.notes)
    analyzer.start()
    capture = analyzer.stop()
    assert capture.instrument == analyzer.identity
    assert any("nothing was measured" in note for note in capture.notes)


def test_what_was_simulated_stays_simulated(tmp_path: Path) -> None:
    for simulated in (True, False):
        path = recorded(tmp_path, simulated=simulated)
        for named in ("", "?instrument=js220"):
            assert open_analyzer(f"replay:{path}{named}", markers={}).identity.simulated is simulated


def test_it_offers_what_the_record_holds(tmp_path: Path) -> None:
    fast = open_analyzer(f"replay:{recorded(tmp_path)}", markers={"inference": "gpi0"})
    assert fast.capabilities == {"power", "power.waveform", "power.markers", "edges"}
    trace = write_trace(tmp_path, np.ones(1000))
    assert open_analyzer(f"replay:{trace}", markers={}).capabilities == {"power"}
    stamped = write_trace(tmp_path, np.ones(1000), stamps=[0.1, 0.2, 0.4])
    # The time stamps make a phase, which holds nobody knows how many inferences.
    assert open_analyzer(f"replay:{stamped}", markers={}).capabilities == {"power", "power.markers"}


def test_options_of_the_uri_reach_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "ppk.csv"
    path.write_text("Timestamp(ms),Current(uA),D0-D7\n0,100,10000000\n0.01,100,00000000\n")
    analyzer = open_analyzer(
        f"replay:{path}?supply_v=2.5&instrument=ppk2-source&inference=d0", markers={}, supply_v=3.0
    )
    analyzer.start()
    capture = analyzer.stop()
    assert capture.voltage_v[0] == 2.5
    assert capture.accuracy.voltage_offset_v > 0
    assert list(capture.markers) == ["inference"]


def test_the_board_s_supply_is_used_where_the_uri_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "ppk.csv"
    path.write_text("Timestamp(ms),Current(uA)\n0,100\n0.01,100\n")
    analyzer = open_analyzer(f"replay:{path}", markers={}, supply_v=3.0)
    analyzer.start()
    capture = analyzer.stop()
    assert capture.voltage_v[0] == 3.0
    assert "no voltage was recorded: the supply of 3 V is that of the board file" in capture.notes
    given = open_analyzer(f"replay:{path}?supply_v=3.0", markers={}, supply_v=2.0)
    given.start()
    assert not any("board file" in note for note in given.stop().notes)


def test_power_alone_needs_the_board_s_supply_for_error_limits_only(tmp_path: Path) -> None:
    trace = write_trace(tmp_path, np.ones(1000))
    for named, supply in (("", "none"), ("?instrument=js110", "assumed")):
        analyzer = open_analyzer(f"replay:{trace}{named}", markers={}, supply_v=3.0)
        analyzer.start()
        assert analyzer.stop().supply == supply


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("", "names no file"),
        ("absent.jls", "No such file"),
        ("run.npz?inference=gpi7", "no marker line 'gpi7' for marker 'inference': it has gpi0"),
        ("run.npz?timestamps=absent.json", "reading time stamps absent.json"),
        ("run.npz?instrument=nobody", "no error limits for instrument 'nobody'"),
        ("run.npz?supply_v=three", "supply_v is 'three', no voltage"),
    ],
)
def test_what_can_t_be_replayed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, says: str
) -> None:
    recorded(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=says):
        open_analyzer(f"replay:{target}", markers={})


def test_start_and_stop_belong_together(tmp_path: Path) -> None:
    analyzer = open_analyzer(f"replay:{recorded(tmp_path)}", markers={})
    with pytest.raises(InstrumentError, match="no capture has begun"):
        analyzer.stop()
    analyzer.start()
    with pytest.raises(InstrumentError, match="begun already"):
        analyzer.start()
    analyzer.close()
    analyzer.start()
    assert analyzer.stop().count == 80
