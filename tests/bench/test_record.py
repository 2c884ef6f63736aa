"""`lan-hil record`: what the virtual analyzer saw is in the file, however the recording ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pytest_lan_hil.cli import record as record_module
from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.instruments.jls import read_jls
from pytest_lan_hil.instruments.joulescope_models import ACCURACY
from pytest_lan_hil.model.capture import Capture, InstrumentIdentity

ON_VIRTUAL = ("--board", "nrf52840", "--bench", "virtual")
MARKERS = {"inference": "gpi0", "phase": "gpi1"}

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lan_hil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a project and on a virtual board of its own; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setenv("LAN_HIL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(tmp_path / "virtual"))

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(app, list(arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return command


class SlowClock:
    """Time that passes when somebody sleeps; at one moment it asks the process to end."""

    def __init__(self, ends_at: float = float("inf")) -> None:
        self.now = 0.0
        self.ends_at = ends_at

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.ends_at:
            self.ends_at = float("inf")
            signal.raise_signal(signal.SIGTERM)


class SlowMeter:
    """An analyzer that can't stream: a hundred samples a second, in memory."""

    def __init__(self, clock: SlowClock, *, complete: bool = True) -> None:
        self.identity = InstrumentIdentity("INA219", "i2c-1")
        self.clock = clock
        self.complete = complete

    def start(self) -> None:
        self.began = self.clock.now

    def stop(self) -> Capture:
        samples = np.full(round(100 * (self.clock.now - self.began)), 3, np.float32)
        return Capture(100.0, samples, samples, self.identity, ACCURACY["js110"], complete=self.complete)

    def close(self) -> None:
        pass


def test_the_firmware_that_is_flashed_is_recorded_with_its_marker_lines(lan_hil: Command) -> None:
    assert lan_hil("flash", *ON_VIRTUAL)[0] == 0
    code, out, err = lan_hil("record", *ON_VIRTUAL, "--seconds", "1.5", "--out", "a.jls")
    assert code == 0
    assert "1.500 s" in out
    assert "lost 0.000%" in out
    assert "simulated" in err
    capture = read_jls("a.jls", markers=MARKERS)
    assert capture.instrument.simulated
    assert capture.complete
    assert capture.duration_s == pytest.approx(1.5)
    assert np.isfinite(capture.current_a).all()
    assert len(set(capture.ranges.indices.tolist())) > 1, "the firmware starts, then sleeps"
    assert capture.time_map.utc_s == pytest.approx(1_767_225_600, abs=60), "virtual time begins in 2026"


def test_an_analyzer_unplugged_in_the_middle_ends_with_3_and_keeps_what_there_was(
    lan_hil: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_FAULTS", "analyzer_vanish@0.6")
    code, out, err = lan_hil("record", *ON_VIRTUAL, "--seconds", "2", "--out", "a.jls", "--json")
    told = json.loads(out)
    assert code == 3
    assert not told["complete"]
    assert told["instrument"]["simulated"]
    assert "unplugged" in told["problem"]
    assert "broke off after" in err
    capture = read_jls("a.jls", markers=MARKERS)
    assert not capture.complete
    assert 0.5 <= capture.duration_s <= 0.6


def test_dropped_samples_are_reported_and_are_gaps(lan_hil: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_FAULTS", "drop@0.5:0.01")
    code, out, _ = lan_hil("record", *ON_VIRTUAL, "--seconds", "1", "--out", "a.jls")
    assert code == 0, "a gap is in the record for whoever measures by it"
    assert "lost 1.000% of the samples" in out
    capture = read_jls("a.jls", markers=MARKERS)
    assert [(gap.start, gap.stop) for gap in capture.gaps] == [(500_000, 510_000)]


def test_being_told_to_end_keeps_a_complete_file(lan_hil: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = record_module._wait
    handler = signal.getsignal(signal.SIGTERM)

    def interrupted(clock, seconds, over):
        wait(clock, 0.5, over)
        os.kill(os.getpid(), signal.SIGTERM)
        wait(clock, seconds, over)

    monkeypatch.setattr(record_module, "_wait", interrupted)
    code, out, err = lan_hil("record", *ON_VIRTUAL, "--seconds", "1000", "--out", "a.jls")
    assert code == 130
    assert "interrupted" in err
    assert "a.jls: 0." in out
    capture = read_jls("a.jls", markers=MARKERS)
    assert capture.complete
    assert 0.5 <= capture.duration_s < 2
    assert signal.getsignal(signal.SIGTERM) == handler


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seconds", "0", "--out", "a.jls"), "is not a length of time"),
        (("--seconds", "1", "--out", "a.csv"), "name it a.jls"),
        (("--seconds", "1", "--out", "none/a.jls"), "there is no folder none"),
        (("--seconds", "1", "--out", "there.jls"), "there.jls exists"),
        (("--seconds", "1", "--out", "a.jls", "--bench", "nonsense"), "nonsense"),
    ],
)
def test_bad_input_ends_with_2_and_leaves_no_file(
    lan_hil: Command, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "there.jls").write_bytes(b"mine")
    code, out, err = lan_hil("record", *ON_VIRTUAL, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert [path.name for path in tmp_path.glob("*.jls")] == ["there.jls"]
    assert (tmp_path / "there.jls").read_bytes() == b"mine"


def test_an_existing_file_is_replaced_only_by_force(lan_hil: Command, tmp_path: Path) -> None:
    (tmp_path / "a.jls").write_bytes(b"old")
    code, _, _ = lan_hil("record", *ON_VIRTUAL, "--seconds", "0.2", "--out", "a.jls", "--force")
    assert code == 0
    assert read_jls("a.jls", markers={}).duration_s == pytest.approx(0.2)


def test_a_forced_recording_that_never_begins_keeps_the_old_file(lan_hil: Command, tmp_path: Path) -> None:
    (tmp_path / "a.jls").write_bytes(b"old")
    usage = shutil._ntuple_diskusage(1 << 40, 1 << 40, 1 << 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        code, _, err = lan_hil("record", *ON_VIRTUAL, "--seconds", "0.2", "--out", "a.jls", "--force")
    assert (code, "is full" in err) == (3, True)
    assert (tmp_path / "a.jls").read_bytes() == b"old"
    assert not list(tmp_path.glob("*.part*"))


def test_a_bench_for_several_boards_asks_for_the_board(lan_hil: Command) -> None:
    code, _, err = lan_hil("record", "--bench", "virtual", "--seconds", "1", "--out", "a.jls")
    assert code == 2
    assert "--board NAME" in err


def test_a_bench_for_one_board_needs_no_board(lan_hil: Command, tmp_path: Path) -> None:
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "desk.toml").write_text(
        'probe = "virtual:nrf52840"\nanalyzer = "joulescope+virtual:nrf52840?gpi0=P0.13"\n'
        '[markers]\ninference = "gpi0"\n'
    )
    code, _, err = lan_hil("record", "--bench", "desk", "--seconds", "0.2", "--out", "a.jls")
    assert code == 0, err
    assert "inference" in read_jls("a.jls", markers={"inference": "gpi0"}).markers


@pytest.mark.parametrize(("complete", "expected"), [(True, 0), (False, 3)])
def test_an_instrument_that_can_not_stream_is_recorded_and_then_written(
    lan_hil: Command, monkeypatch: pytest.MonkeyPatch, *, complete: bool, expected: int
) -> None:
    meter = SlowMeter(SlowClock(), complete=complete)
    monkeypatch.setattr(record_module, "open_analyzer", lambda *_, **__: meter)
    code, out, _ = lan_hil("record", *ON_VIRTUAL, "--seconds", "3", "--out", "a.jls")
    assert code == expected
    assert "3.000 s" in out
    capture = read_jls("a.jls", markers={})
    assert (capture.count, capture.complete) == (300, complete)
    assert capture.instrument.model == "INA219"


def test_such_an_instrument_too_keeps_what_it_has_when_it_is_told_to_end(
    lan_hil: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = SlowMeter(SlowClock(ends_at=2.0))
    monkeypatch.setattr(record_module, "open_analyzer", lambda *_, **__: meter)
    code, _, _ = lan_hil("record", *ON_VIRTUAL, "--seconds", "100", "--out", "a.jls")
    assert code == 130
    assert read_jls("a.jls", markers={}).duration_s == pytest.approx(2.0)
