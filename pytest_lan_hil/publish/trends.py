"""Measurements of past runs to trends: one line for each subject on one bench by one instrument, with its
steps. Pure.

Nothing that can't be compared is in one line: simulated and real, two benches, two instruments, two units.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_lan_hil.measure.changepoints import steps
from pytest_lan_hil.model.comparison import Subject
from pytest_lan_hil.model.history import PastMeasurement, PastRun
from pytest_lan_hil.model.quantities import QUANTITIES, Direction, Margin
from pytest_lan_hil.publish.numbers import title_of

# Of a quantity that the table doesn't know: its floor in its own unit can't be known here.
_OWN_MARGIN = Margin(0.10, 0.0)
# A step is told from this share of the margin on: four of them in a row are a regression.
_SMALLEST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Point:
    """What one run measured; of a test that was repeated within the run, the mean of the repeats.

    Attributes:
        run: The run.
        value: Display unit.
        low, high: 95 % interval with the instrument's error; infinite where not bounded.
        n: Number of values behind it.
    """

    run: PastRun
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Change:
    """A step of a trend.

    Attributes:
        index: Of the first point on the new level.
        before, after: The levels, display unit.
        last: The last run on the old level.
        first: The first run on the new level: what changed, changed between the two.
        better: True or False by the quantity's direction; None where the table has none.
    """

    index: int
    before: float
    after: float
    last: PastRun
    first: PastRun
    better: bool | None

    @property
    def percent(self) -> float:
        """After less before, in percent of before; infinite where that was 0."""
        size = self.after - self.before
        return 100 * size / abs(self.before) if self.before else math.copysign(math.inf, size)


@dataclass(frozen=True, slots=True)
class Trend:
    """One line.

    Attributes:
        board, bench, simulated, instrument: Who measured.
        subject, unit, statistic: What.
        points: In order of the runs.
        changes: In order of the runs.
    """

    board: str
    bench: str
    simulated: bool
    instrument: str
    subject: Subject
    unit: str
    statistic: str
    points: tuple[Point, ...]
    changes: tuple[Change, ...]

    @property
    def title(self) -> str:
        """ "latency per inference (p95)"."""
        return f"{title_of(self.subject.quantity)} ({self.statistic})"

    @property
    def margin(self) -> float:
        """How much of a change nobody minds, at the level of the line; display unit."""
        return _margin(self.subject.quantity).at(statistics.median(point.value for point in self.points))


_Key = tuple[str, str, bool, Subject, str, str, str]


def trends(measurements: Iterable[PastMeasurement]) -> tuple[Trend, ...]:
    """The lines that these measurements make, sorted by board, bench, subject and instrument.

    Args:
        measurements: In order of their runs; of runs that may stand in a trend.
    """
    lines: dict[_Key, dict[int, list[PastMeasurement]]] = {}
    for one in measurements:
        run = one.run
        key = (run.board, run.bench, run.simulated, one.subject, one.unit, one.statistic, one.instrument)
        lines.setdefault(key, {}).setdefault(run.number, []).append(one)
    return tuple(_trend(key, lines[key].values()) for key in sorted(lines))


def _trend(key: _Key, runs: Iterable[list[PastMeasurement]]) -> Trend:
    board, bench, simulated, subject, unit, statistic, instrument = key
    found = list(runs)
    points = tuple(map(_point, found))
    return Trend(
        board=board,
        bench=bench,
        simulated=simulated,
        instrument=instrument,
        subject=subject,
        unit=unit,
        statistic=statistic,
        points=points,
        changes=_changes(subject, points, _own_noise(found)),
    )


def _point(repeats: list[PastMeasurement]) -> Point:
    return Point(
        run=repeats[0].run,
        value=statistics.fmean(one.sample.value for one in repeats),
        low=statistics.fmean(one.low for one in repeats),
        high=statistics.fmean(one.high for one in repeats),
        n=sum(one.sample.n for one in repeats),
    )


def _own_noise(runs: list[list[PastMeasurement]]) -> float:
    """What the runs say of their own uncertainty, typically; 0 where they can't say."""
    errors = [
        one.sample.standard_error / math.sqrt(len(repeats))
        for repeats in runs
        for one in repeats
        if math.isfinite(one.sample.standard_error)
    ]
    return statistics.median(errors) if errors else 0.0


def _changes(subject: Subject, points: tuple[Point, ...], noise: float) -> tuple[Change, ...]:
    values = [point.value for point in points]
    smallest = _SMALLEST_SHARE * _margin(subject.quantity).at(statistics.median(values))
    row = QUANTITIES.get(subject.quantity)
    changes = []
    for step in steps(values, noise=noise, smallest=smallest):
        lower = step.after < step.before
        changes.append(
            Change(
                index=step.index,
                before=step.before,
                after=step.after,
                last=points[step.index - 1].run,
                first=points[step.index].run,
                better=lower == (row.direction is Direction.LOWER) if row else None,
            )
        )
    return tuple(changes)


def _margin(quantity: str) -> Margin:
    return QUANTITIES[quantity].margin if quantity in QUANTITIES else _OWN_MARGIN
