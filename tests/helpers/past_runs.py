"""Made-up runs for a ledger: one test, one quantity, one value a run unless said otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import TextIO

from publish_samples import measurement

from pytest_lan_hil.model.measurement import Budget, Measurement, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.record import (
    DeviceIdentity,
    FirmwareIdentity,
    RunKind,
    RunRecord,
    TestRecord,
)
from pytest_lan_hil.publish.files import run_directory
from pytest_lan_hil.publish.ledger import Ledger
from pytest_lan_hil.publish.ledger_making import announce
from pytest_lan_hil.publish.record import write_record

FIRST_DAY = datetime(2026, 11, 1, 6, tzinfo=timezone.utc)


def latency(value_ms: float, spread_ms: float = 0.002) -> Measurement:
    values = (value_ms - spread_ms, value_ms, value_ms + spread_ms)
    return measurement("latency", "ms", values, "mean", half=2 * spread_ms)


def one_test(
    found: Sequence[Measurement],
    *,
    board: str = "nrf52840",
    name: str = "test_latency",
    firmware: str = "aa",
    judged: bool = True,
) -> TestRecord:
    verdicts = [
        Verdict(
            VerdictKind.WITHIN, Budget(one.quantity, 100.0, "mean", "marker"), one.unit, one.estimate, 3, ""
        )
        for one in found
        if judged
    ]
    return TestRecord(
        nodeid=f"tests/hil/test_speed.py::{name}[{board}]",
        outcome=Outcome.PASSED,
        measurements={one.quantity: one for one in found},
        verdicts=tuple(verdicts),
        firmware=FirmwareIdentity("lan.elf", firmware * 32, proved=True),
    )


def past(
    number: int,
    value_ms: float = 10.0,
    *,
    board: str = "nrf52840",
    bench: str = "desk",
    simulated: bool = False,
    branch: str = "main",
    commit: str = "",
    firmware: str = "aa",
    kind: RunKind = RunKind.PLAIN,
    replayed: bool = False,
    started: datetime | None = None,
    tests: Sequence[TestRecord] | None = None,
) -> RunRecord:
    """The run of day `number`, unless `started` says something else."""
    at = started or FIRST_DAY + timedelta(days=number)
    uri = "replay:trace.jls" if replayed else "joulescope:1"
    return RunRecord(
        run_id=f"{at:%Y%m%dT%H%M%S}-{board}-{number:06x}",
        started_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
        finished_at=f"{at + timedelta(seconds=30):%Y-%m-%dT%H:%M:%SZ}",
        board=board,
        bench=bench,
        simulated=simulated,
        job="lan_hil",
        outcome=Outcome.PASSED,
        git_commit=commit or f"{0xABCDEF0 + number:07x}" + "0" * 33,
        git_branch=branch,
        devices=(DeviceIdentity("analyzer", uri, "Joulescope", simulated),),
        tests=tuple(
            tests if tests is not None else [one_test([latency(value_ms)], board=board, firmware=firmware)]
        ),
        kind=kind,
    )


def record_all(output: Path, records: Sequence[RunRecord]) -> None:
    """As runs do it: the record, then the ledger."""
    for record in records:
        announce(output, record.run_id)
        write_record(record, run_directory(output, record.run_id))
        with Ledger.open(output) as ledger:
            ledger.add(record)


def write_for_ever(output: Path, first: int, told: int) -> None:
    """Record runs until this process is killed; writes the id of each run that is finished to the pipe."""
    for number in range(first, first + 100_000):
        record = past(number)
        record_all(output, [record])
        os.write(told, f"{record.run_id}\n".encode())


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that records runs; it is a fork of this one, so that it begins at once."""

    process: ForkProcess
    told: TextIO

    @classmethod
    def start(cls, output: Path, first: int) -> Writer:
        reading, writing = os.pipe()
        process = get_context("fork").Process(target=write_for_ever, args=(output, first, writing))
        process.start()
        os.close(writing)
        return cls(process, os.fdopen(reading))

    def kill(self, after_s: float) -> list[str]:
        """Let it finish a run, kill it (SIGKILL) some time later, and return the runs that it had
        finished.
        """
        first = self.told.readline()
        time.sleep(after_s)
        self.process.kill()
        with self.told:
            rest = self.told.read()
        self.process.join()
        return [line for line in (first + rest).splitlines() if line]
