"""What the ledger knows of past runs, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_lan_hil.model.comparison import Sample, Subject


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run in the ledger.

    Attributes:
        number: Its place in the order of recording, from 1; never reused, whatever the clock said.
        run_id, started_at, finished_at, board, bench, simulated, outcome, kind, job: As in its record.
        git_commit, git_branch, git_dirty: As in its record.
        firmware_sha256: Of the image under test; of several, the first; "" where none was proved.
        instruments: What measured, sorted.
    """

    number: int
    run_id: str
    started_at: str
    finished_at: str
    board: str
    bench: str
    simulated: bool
    outcome: str
    kind: str
    job: str
    git_commit: str
    git_branch: str
    git_dirty: bool
    firmware_sha256: str
    instruments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastMeasurement:
    """One measurement of one test (or of one repeat of it) in a past run.

    Attributes:
        run: The run.
        subject: Quantity and test.
        repeat: 0, 1, ... where a test was repeated within the run.
        unit, statistic, instrument: As measured.
        sample: The figures.
        low, high: 95 % interval with the instrument's error, display unit; infinite where not bounded.
        judged: True if a budget or a baseline was asked about it: only those make baselines and trends.
        firmware_sha256: Of the image that this test flashed.
    """

    run: PastRun
    subject: Subject
    repeat: int
    unit: str
    statistic: str
    instrument: str
    sample: Sample
    low: float
    high: float
    judged: bool
    firmware_sha256: str
