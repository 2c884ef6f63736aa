"""The pass after the tests: it may fail in any way, and the run stands."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from past_runs import past

from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.model.profile import Counted, FunctionTime, Profile
from pytest_lan_hil.run import profiling
from pytest_lan_hil.run.profiling import with_profile
from pytest_lan_hil.run.publication import Publication

PROFILE = Profile("aa" * 32, Counted.CYCLES, 20, 1.0, 0.5, 10, (FunctionTime("main", 10, 0.0),))


class FakeRun:
    """A board's run that is over."""

    def __init__(self, *, native: bool = False) -> None:
        record = past(1)
        self.board = SimpleNamespace(name=record.board, is_native=native)
        self.bench = SimpleNamespace(name=record.bench)
        self.run_id, self.simulated, self.tests = record.run_id, False, list(record.tests)
        self.problem = ""
        self.calls: list[str] = []
        self.error: BaseException | None = None

    def prepare(self, image: str) -> None:
        self.calls.append(f"prepare {image}")
        if self.error is not None:
            raise self.error

    def open(self) -> Any:
        return SimpleNamespace(flashable=lambda: ("probe", "dut"))

    def close(self, *, interrupted: bool) -> str:
        self.calls.append("close")
        return self.problem


@pytest.fixture(autouse=True)
def profiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "profile", lambda probe, dut: PROFILE)


def published(tmp_path: Path) -> Publication:
    return Publication(tmp_path / "record.json", None, ("tests: 1 passed",))


def test_the_image_of_the_tests_is_profiled_into_the_runs_folder(tmp_path: Path) -> None:
    run = FakeRun()
    found = with_profile(published(tmp_path), run, tmp_path)  # type: ignore[arg-type]
    path = tmp_path / "runs" / run.run_id / "profile.json"
    assert found.lines == ("tests: 1 passed", f"profile of nrf52840: {path}")
    assert run.calls == ["prepare lan.elf", "close"]
    assert json.loads(path.read_text())["bench"] == "desk"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BlockedError("the probe is gone", fix="look"), "the probe is gone"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_goes_wrong_is_a_warning_and_the_bench_is_closed(
    tmp_path: Path, error: BaseException, told: str
) -> None:
    run = FakeRun()
    run.error, run.problem = error, "releasing nrf52840: it hangs"
    found = with_profile(published(tmp_path), run, tmp_path)  # type: ignore[arg-type]
    assert found.lines[1:] == (
        f"warning: nrf52840 has no profile: {told}",
        "warning: releasing nrf52840: it hangs",
    )
    assert run.calls[-1] == "close"
    assert not (tmp_path / "runs").exists()


def test_a_program_of_the_host_and_a_run_without_a_proved_image_say_why(tmp_path: Path) -> None:
    host, bare = FakeRun(native=True), FakeRun()
    bare.tests.clear()
    for run, told in ((host, "a program of this host"), (bare, "no test proved an image")):
        found = with_profile(published(tmp_path), run, tmp_path)  # type: ignore[arg-type]
        assert told in found.lines[-1]


def test_a_run_whose_record_is_lost_is_not_profiled(tmp_path: Path) -> None:
    run = FakeRun()
    lost = Publication(None, None, ("THE RUN RECORD IS LOST",))
    assert with_profile(lost, run, tmp_path) is lost  # type: ignore[arg-type]
    assert run.calls == []
