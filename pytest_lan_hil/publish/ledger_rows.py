"""Run records to the ledger's rows, and rows to the values of `model.history`. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_lan_hil.model.comparison import Sample, Subject, without_board
from pytest_lan_hil.model.history import PastMeasurement, PastRun
from pytest_lan_hil.model.measurement import Spread
from pytest_lan_hil.model.record import RunRecord, TestRecord

# In the order of what `run_row` and `measurement_rows` give, and of what `past_run` and `past_measurement`
# take.
RUN_COLUMNS = (
    "run_id", "started_at", "finished_at", "board", "bench", "simulated", "outcome", "kind", "job",
    "git_commit", "git_branch", "git_dirty", "firmware_sha256", "instruments",
)  # fmt: skip
MEASUREMENT_COLUMNS = (
    "quantity", "test", "repeat", "unit", "statistic", "instrument",
    "value", "standard_error", "degrees", "n", "mean", "std", "minimum", "p50", "p95", "p99", "maximum",
    "low", "high", "judged", "firmware_sha256",
)  # fmt: skip

Row = tuple[Any, ...]


def run_row(record: RunRecord) -> Row:
    """Figures of `RUN_COLUMNS`, then whether the run is a replay."""
    proved = (test.firmware.sha256 for test in record.tests if test.firmware and test.firmware.proved)
    instruments = {found.instrument for test in record.tests for found in (test.measurements or {}).values()}
    return (
        record.run_id,
        record.started_at,
        record.finished_at,
        record.board,
        record.bench,
        record.simulated,
        record.outcome.value,
        record.kind.value,
        record.job,
        record.git_commit,
        record.git_branch,
        record.git_dirty,
        next(proved, ""),
        json.dumps(sorted(instruments - {""}), ensure_ascii=False),
        record.replayed,
    )


def measurement_rows(record: RunRecord) -> Iterator[Row]:
    """Figures of `MEASUREMENT_COLUMNS` for every measurement of every test, in order.

    Raises:
        InputError: A measurement's statistic is none.
    """
    from pytest_lan_hil.measure.samples import sample_of  # numpy: readers of the ledger do without

    repeats: Counter[str] = Counter()
    for test in record.tests:
        judged = _judged(test)
        for quantity, found in (test.measurements or {}).items():
            sample = sample_of(found)
            spread = sample.spread
            yield (
                quantity,
                without_board(test.nodeid, record.board),
                repeats[test.nodeid],
                found.unit,
                found.estimate.statistic,
                found.instrument,
                sample.value,
                sample.standard_error,
                sample.degrees,
                sample.n,
                spread.mean,
                spread.std,
                spread.minimum,
                spread.p50,
                spread.p95,
                spread.p99,
                spread.maximum,
                found.estimate.low,
                found.estimate.high,
                quantity in judged,
                test.firmware.sha256 if test.firmware else "",
            )
        repeats[test.nodeid] += 1


def _judged(test: TestRecord) -> set[str]:
    budgets = {verdict.budget.quantity for verdict in test.verdicts}
    return budgets | {comparison.subject.quantity for comparison in test.comparisons}


def past_run(row: Sequence[Any]) -> PastRun:
    """From its number and `RUN_COLUMNS`."""
    number, run_id, started_at, finished_at, board, bench, simulated, outcome, kind, job, *rest = row
    commit, branch, dirty, firmware, instruments = rest
    return PastRun(
        number=number,
        run_id=run_id,
        started_at=started_at,
        finished_at=finished_at,
        board=board,
        bench=bench,
        simulated=bool(simulated),
        outcome=outcome,
        kind=kind,
        job=job,
        git_commit=commit,
        git_branch=branch,
        git_dirty=bool(dirty),
        firmware_sha256=firmware,
        instruments=tuple(json.loads(instruments)),
    )


def past_measurement(run: PastRun, row: Sequence[Any]) -> PastMeasurement:
    """From `MEASUREMENT_COLUMNS`."""
    quantity, test, repeat, unit, statistic, instrument, *figures = row
    low, high, judged, firmware = figures[-4:]
    return PastMeasurement(
        run=run,
        subject=Subject(quantity, test),
        repeat=repeat,
        unit=unit,
        statistic=statistic,
        instrument=instrument,
        sample=past_sample(figures[:-4]),
        low=low,
        high=high,
        judged=bool(judged),
        firmware_sha256=firmware,
    )


def past_sample(figures: Sequence[Any]) -> Sample:
    """From the columns from "value" to "maximum"."""
    value, standard_error, degrees, n, *spread = figures
    return Sample(value, standard_error, degrees, n, Spread(*spread))
