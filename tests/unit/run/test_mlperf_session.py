"""A DUT opened for a procedure: what is missing is told first, and what ended a window is what is heard."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_lan_hil.model.capture import InstrumentIdentity
from pytest_lan_hil.model.errors import CapabilityMissing, DutTimeout, InstrumentError
from pytest_lan_hil.run.mlperf import session
from pytest_lan_hil.run.mlperf.session import (
    ENERGY,
    PERFORMANCE,
    Opened,
    Plan,
    open_board,
    open_console,
    play,
)

PROGRAM = Path(__file__).parents[2] / "helpers" / "mlperf_dut.py"
needs_pty = pytest.mark.skipif(os.name != "posix", reason="needs pseudo terminals")


class Prepared(Exception):
    pass


class Run:
    """A board run that tells when it is asked to flash."""

    def __init__(self, *lines: str, analyzer: object | None) -> None:
        wiring = SimpleNamespace(
            markers=dict.fromkeys(lines[:1], "gpi0"), edge_lines=dict.fromkeys(lines[1:])
        )
        self.bench = SimpleNamespace(analyzer=analyzer, wiring=wiring, require=lambda needs: None)

    def open(self) -> SimpleNamespace:
        return self.bench

    def prepare(self, image: str | None) -> None:
        raise Prepared(image)


@pytest.mark.parametrize(
    ("lines", "analyzer", "told"),
    [
        ((), object(), "no marker line shows from when to when; recorded are none"),
        (("inference",), object(), "recorded are inference, not 'timestamp'"),
        (("phase",), None, "no power analyzer"),
    ],
)
def test_a_bench_that_can_t_measure_energy_is_refused_before_the_board_is_flashed(
    lines: tuple[str, ...], analyzer: object | None, told: str
) -> None:
    with pytest.raises(CapabilityMissing, match=told):
        open_board(Run(*lines, analyzer=analyzer), None, ENERGY)


@pytest.mark.parametrize("lines", [("timestamp",), ("phase",), ("inference", "phase")])
def test_a_line_of_the_analyzer_or_of_an_edge_source_will_do(lines: tuple[str, ...]) -> None:
    with pytest.raises(Prepared):
        open_board(Run(*lines, analyzer=object()), None, ENERGY)


def test_performance_needs_neither() -> None:
    with pytest.raises(Prepared):
        open_board(Run(analyzer=None), None, PERFORMANCE)


class BrokenAnalyzer:
    """It starts, and fails when it is stopped."""

    identity = InstrumentIdentity("Broken", "1")

    def start(self) -> None:
        return

    def stop(self) -> None:
        raise InstrumentError("the analyzer is gone")

    def close(self) -> None:
        return


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *lines: str) -> Iterator[Opened]:
    monkeypatch.setenv("LAN_HIL_STATE", str(tmp_path))
    monkeypatch.setattr(session, "open_analyzer", lambda uri, markers: BrokenAnalyzer())
    uri = "exec:" + shlex.join([sys.executable, str(PROGRAM)])
    with open_console(
        uri, baudrate=9600, analyzer="broken:", markers=dict.fromkeys(lines, "gpi0"), wait_s=1.0
    ) as found:
        yield found


@needs_pty
@pytest.mark.parametrize("error", [KeyboardInterrupt(), DutTimeout("the DUT stopped answering")])
def test_what_ended_a_window_is_not_replaced_by_what_the_analyzer_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException
) -> None:
    with opened(monkeypatch, tmp_path, "phase") as found:
        assert found.record is not None
        with pytest.raises(type(error)) as caught, found.record():
            raise error
        assert caught.value is error
        with pytest.raises(InstrumentError, match="the analyzer is gone"), found.record():
            pass


@needs_pty
def test_energy_without_a_line_is_refused_before_the_dut_runs_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = Plan(ENERGY, 5, 10.0, None, None, None)
    with opened(monkeypatch, tmp_path, "inference") as found:
        with pytest.raises(CapabilityMissing, match="recorded are inference"):
            play(found, plan, tmp_path / "run", print)
        assert not any("infer" in line.text for line in found.console.lines)
