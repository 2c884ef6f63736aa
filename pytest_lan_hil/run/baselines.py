"""A baseline for a run: found, refused where it is of something else, and compared with what was measured.

What was measured is put into the same shape as a baseline (rows by subject), so that a committed file, runs
of the ledger and a run that is still going on can stand on either side.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lan_hil.judge.regression import Pair, compare
from pytest_lan_hil.model.comparison import (
    Baseline,
    BaselineRow,
    Comparison,
    Repeatability,
    Subject,
    without_board,
)
from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.model.quantities import QUANTITIES, Direction, Margin
from pytest_lan_hil.publish.baseline_file import baseline_path, read_baseline

if TYPE_CHECKING:
    from pytest_lan_hil.model.history import PastRun
    from pytest_lan_hil.model.measurement import Measurement
    from pytest_lan_hil.model.record import RunRecord

#: Margin of a quantity that a test made up: the usual share, and no amount that nobody minds.
OWN_MARGIN = Margin(0.10, 0.0)


@dataclass(frozen=True, slots=True)
class Setup:
    """Whom figures are of: only those of one and the same set-up are ever compared."""

    board: str
    bench: str
    simulated: bool

    @classmethod
    def of(cls, one: Baseline | PastRun | RunRecord) -> Setup:
        """The set-up of a baseline or a run."""
        return cls(one.board, one.bench, one.simulated)

    def __str__(self) -> str:
        kind = "SIMULATED" if self.simulated else "real"
        return f"board {self.board} on bench {self.bench} ({kind})"

    @property
    def options(self) -> str:
        """What names it on the command line."""
        return f"--board {shlex.quote(self.board)} --bench {shlex.quote(self.bench)}"


def find_baseline(folder: Path, setup: Setup) -> Baseline:
    """The committed baseline of a set-up.

    Raises:
        BlockedError: There is none; says the command that saves one.
        InputError: The file can't be read, or is of another set-up.
    """
    path = baseline_path(folder, setup.board, setup.bench)
    if not path.exists():
        raise BlockedError(
            f"there is no baseline of {setup}: {path} is not there",
            fix=f"save one from a run that you trust: lan-hil baseline save {setup.options}",
        )
    baseline = read_baseline(path)
    refuse_foreign(baseline, setup)
    return baseline


def refuse_foreign(baseline: Baseline, setup: Setup) -> None:
    """Refuse a baseline of another board, bench, or of a simulation for a real run and the other way round.

    Raises:
        InputError: It is; names both.
    """
    owner = Setup.of(baseline)
    if owner != setup:
        raise InputError(
            f"{baseline.origin or 'the baseline'} is of {owner}, but what was measured is of {setup}:"
            " these are never compared",
            fix=f"compare with a baseline of {setup}: lan-hil baseline save {setup.options}",
        )


def refuse_changed_rows(base: Baseline, head: Baseline) -> None:
    """Refuse rows that were not measured alike: another unit, statistic or instrument.

    Raises:
        InputError: There are such; names each with both sides.
    """
    told = [
        f"{subject.quantity} of {subject.test} was {_means(base.rows[subject])},"
        f" is now {_means(head.rows[subject])}"
        for subject in changed_rows(base, head)
    ]
    if told:
        raise InputError(
            f"{base.origin or 'the baseline'} was not measured as these runs were:\n    "
            + "\n    ".join(told),
            fix="measure as the baseline was, or, if the change is meant:"
            f" lan-hil baseline accept {Setup.of(head).options} --reason TEXT",
        )


def changed_rows(base: Baseline, head: Baseline) -> list[Subject]:
    """Subjects of both sides that were not measured alike, sorted."""
    both = sorted(base.rows.keys() & head.rows.keys())
    return [subject for subject in both if _means(base.rows[subject]) != _means(head.rows[subject])]


def _means(row: BaselineRow) -> str:
    return f"{row.statistic} in {row.unit} by {row.instrument}"


def row_of(measurement: Measurement, nodeid: str, board: str) -> BaselineRow:
    """One measurement of one test as a row.

    Args:
        measurement: What was measured.
        nodeid: Of the test, as pytest names it.
        board: It is taken out of the node id.

    Raises:
        InputError: The measurement's statistic is not known.
    """
    from pytest_lan_hil.measure.samples import sample_of  # numpy: who only compares does without

    return BaselineRow(
        Subject(measurement.quantity, without_board(nodeid, board)),
        measurement.unit,
        measurement.estimate.statistic,
        measurement.instrument,
        (sample_of(measurement),),
    )


def margin_of(quantity: str, margins: Mapping[str, Margin]) -> Margin:
    """The margin of a quantity on a board (`Board.margins`)."""
    return margins.get(quantity, OWN_MARGIN)


def direction_of(quantity: str) -> Direction:
    """Which way is better; of a quantity that a test made up, lower."""
    row = QUANTITIES.get(quantity)
    return row.direction if row else Direction.LOWER


def pair_of(
    subject: Subject,
    base: BaselineRow | None,
    head: BaselineRow | None,
    margin: Margin,
    repeatability: Repeatability,
) -> Pair:
    """What `judge.regression.compare` takes. One side may be missing, which is inconclusive.

    Raises:
        ValueError: Both sides are missing.
    """
    known = head or base
    if known is None:
        raise ValueError(f"{subject} is on neither side")
    return Pair(
        subject=subject,
        unit=known.unit,
        statistic=known.statistic,
        direction=direction_of(subject.quantity),
        margin=margin,
        base=base.samples if base else (),
        head=head.samples if head else (),
        repeatability=repeatability,
    )


def compare_with(
    base: Baseline,
    head: Baseline,
    margins: Mapping[str, Margin],
    repeatability: Mapping[Subject, Repeatability],
) -> tuple[Comparison, ...]:
    """Compare every subject of either side; those that vanished or appeared are inconclusive, and named so.

    Args:
        base: The baseline.
        head: What was measured.
        margins: `Board.margins`.
        repeatability: The bench's A/A history, without the runs of either side.

    Raises:
        InputError: The sides are of different set-ups, or a subject was not measured alike.
    """
    refuse_foreign(base, Setup.of(head))
    refuse_changed_rows(base, head)
    return compare_rows(base, head, base.rows.keys() | head.rows.keys(), margins, repeatability)


def compare_rows(
    base: Baseline,
    head: Baseline,
    subjects: Iterable[Subject],
    margins: Mapping[str, Margin],
    repeatability: Mapping[Subject, Repeatability],
) -> tuple[Comparison, ...]:
    """Compare these subjects, in the order of tests and quantities."""
    return compare(
        [
            pair_of(
                subject,
                base.rows.get(subject),
                head.rows.get(subject),
                margin_of(subject.quantity, margins),
                repeatability.get(subject, Repeatability()),
            )
            for subject in sorted(subjects, key=lambda one: (one.test, one.quantity))
        ]
    )
