"""Many runs as one OpenMetrics text, each sample at its run's end.

For `promtool tsdb create-blocks-from openmetrics`, which makes of it blocks that Prometheus serves as its own
past. The series are those that the Pushgateway serves of the same runs, with the label `job`.

Format: https://prometheus.io/docs/specs/om/open_metrics_spec/ (families and metrics are never interleaved,
the points of a metric are in order of time).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.openmetrics import families, openmetrics_text, unix_time

# A metric within a family: its labels, without the bound of a histogram's bucket.
_Key: TypeAlias = tuple[tuple[str, str], ...]
END = "# EOF"


@dataclass(slots=True)
class _Family:
    """One family over all runs: `points` maps each metric and time (ms) to its lines."""

    header: tuple[str, str]
    points: dict[_Key, dict[int, str]] = field(default_factory=dict)


def render_history(records: Iterable[RunRecord]) -> str:
    """OpenMetrics text of all these runs.

    Where two runs of one board and bench ended in the same millisecond, the later one of `records` stands:
    Prometheus keeps one value for a time.

    Args:
        records: In the order in which they ended; each is let go before the next is asked for. Its text is
            kept: 12 KB of a run with five quantities, 28 KB of one with all.
    """
    return "\n".join((*_lines(_collected(records)), END)) + "\n"


def _collected(records: Iterable[RunRecord]) -> dict[str, _Family]:
    collected: dict[str, _Family] = {}
    passed: dict[tuple[str, str, str], float] = {}
    for record in records:
        ended = unix_time(record.finished_at)
        group = (record.job, record.board, record.bench)
        if record.outcome is Outcome.PASSED:
            passed[group] = ended
        made = list(families(record, last_success_s=passed.get(group), at=ended, further={"job": record.job}))
        lines = iter(openmetrics_text(made).split("\n"))
        for one in made:
            header = (next(lines), next(lines))
            family = collected.setdefault(one.name, _Family(header))
            of_run: dict[_Key, list[str]] = {}
            for sample in one.samples:
                key = tuple(sorted(item for item in sample.labels.items() if item[0] != "le"))
                of_run.setdefault(key, []).append(next(lines))
            for key, found in of_run.items():
                family.points.setdefault(key, {})[round(1000 * ended)] = "\n".join(found)
    return collected


def _lines(collected: dict[str, _Family]) -> Iterator[str]:
    for family in collected.values():
        yield from family.header
        for points in family.points.values():
            yield from (points[time_ms] for time_ms in sorted(points))
