"""A project with made-up runs, and `lan-hil baseline` in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from past_runs import one_test, past, record_all
from publish_samples import measurement

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.model.measurement import Measurement, Outcome
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.baseline_file import read_baseline

#: Of day `number` (see `past_runs`); baselines are saved between days 10 and 20.
SAVED_AT = "2026-11-15T12:00:00.000Z"


def figures(value: float, spread: float = 0.002, quantity: str = "latency", unit: str = "ms") -> Measurement:
    values = (value - spread, value, value + spread)
    return measurement(quantity, unit, values, "mean", half=2 * spread)


def runs(
    first: int,
    values: Sequence[float],
    *,
    firmware: str = "aa",
    power: Sequence[float] = (),
    outcome: Outcome = Outcome.PASSED,
    dirty: bool = False,
    instrument: str = "Joulescope JS220 002557",
    unit: str = "ms",
    **more: Any,
) -> list[RunRecord]:
    """A run for each value of latency, from day `first` on; `power` gives each a second test."""
    made = []
    for index, value in enumerate(values):
        tests = [one_test([replace(figures(value, unit=unit), instrument=instrument)], firmware=firmware)]
        if power:
            drawn = replace(figures(power[index], quantity="power", unit="mW"), instrument=instrument)
            tests.append(one_test([drawn], name="test_power", firmware=firmware))
        record = past(first + index, tests=tests, **more)
        made.append(replace(record, outcome=outcome, git_dirty=dirty))
    return made


@dataclass
class Project:
    """Attributes: folder, its root; `command` runs `lan-hil baseline ... --board nrf52840`."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    out: str = field(default="", init=False)
    err: str = field(default="", init=False)

    @property
    def file(self) -> Path:
        return self.folder / "baselines" / "nrf52840.desk.json"

    def record(self, records: Sequence[RunRecord]) -> None:
        record_all(self.folder / ".hil", records)

    def command(self, *arguments: str) -> int:
        """Exit code; `out` and `err` keep what was printed."""
        code = run(app, ["baseline", *arguments, "--board", "nrf52840"])
        captured = self.capsys.readouterr()
        self.out, self.err = captured.out, captured.err
        assert "Traceback" not in self.err
        assert "internal error" not in self.err
        return code

    def json(self, *arguments: str) -> Any:
        self.command(*arguments, "--json")
        return json.loads(self.out)

    def saved(self, *records: RunRecord) -> None:
        """Record these and make them the baseline."""
        self.record(records)
        assert self.command("save") == 0, self.err

    def values(self, quantity: str = "latency") -> list[float]:
        """Of the samples in the file."""
        rows = read_baseline(self.file).rows
        return [
            one.value for subject, row in rows.items() if subject.quantity == quantity for one in row.samples
        ]


def make_project(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Project:
    (folder / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("LAN_HIL_OUTPUT", raising=False)
    monkeypatch.delenv("LAN_HIL_BASELINES", raising=False)
    monkeypatch.setattr("pytest_lan_hil.run.baseline_runs.utc_now", lambda: SAVED_AT)
    return Project(folder, capsys)
