"""The dashboard of CI's runs: outcomes, verdicts, each quantity's trend per commit, marks at regressions.

No label of a series but `lan_firmware_info` names a commit: the number of series is bounded. The trend is
joined with that info, whose `build` is what the firmware says of itself (`lan 0.1.0 git 628798f`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitoring.generate import dashboards_queries as promql
from monitoring.generate.dashboards_panels import (
    Json,
    Query,
    Row,
    annotation,
    dashboard,
    stat,
    state_timeline,
    table,
    timeseries,
    variable,
)
from monitoring.generate.dashboards_words import PLACE, text_of, title_of, unit_of
from pytest_lan_hil.model.measurement import Outcome, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES, Quantity
from pytest_lan_hil.publish.openmetrics import metric_names

_RUN_PLACES = tuple(
    variable(name, "lan_run_timestamp_seconds", label)
    for name, label in (("board", "Board"), ("bench", "Bench"), ("simulated", "Simulated"))
)

_OUTCOMES = {
    Outcome.PASSED: (1, "green"),
    Outcome.SKIPPED: (2, "text"),
    Outcome.INTERRUPTED: (3, "purple"),
    Outcome.BLOCKED: (4, "orange"),
    Outcome.FAILED: (5, "red"),
}


def runs_dashboard(topics: Mapping[str, Sequence[str]]) -> Json:
    """The dashboard; `topics` gives the names of quantities of each of its rows of trends."""
    regressed = f"{promql.last_run('lan_run_verdicts', _is('verdict', VerdictKind.REGRESSED))} > 0"
    over = f"{promql.last_run('lan_run_verdicts', _is('verdict', VerdictKind.OVER))} > 0"
    trends = [
        Row(
            f"Trend per commit: {topic}",
            [_trend(QUANTITIES[name]) for name in names],
            folded=topic in ("quality", "hardware"),
        )
        for topic, names in topics.items()
    ]
    return dashboard(
        "lan-hil-ci-runs",
        "lan-hil / CI runs",
        "Outcomes, verdicts and the trend of every quantity per commit, with marks where a run regressed.",
        [Row("Runs", _runs()), *trends],
        _RUN_PLACES,
        since="now-30d",
        annotations=(
            annotation(
                "Regressions", "red", promql.at_end_of_run(regressed), "{{quantity}} regressed", PLACE
            ),
            annotation(
                "Budgets broken", "orange", promql.at_end_of_run(over), "{{quantity}} over its budget", PLACE
            ),
        ),
    )


def _is(label: str, value: Outcome | VerdictKind) -> str:
    return f', {label}="{value.value}"'


def _runs() -> list[Json]:
    coded = " or ".join(
        f"{code} * ({promql.last_run('lan_run_outcome', _is('outcome', outcome))} == 1)"
        for outcome, (code, _) in _OUTCOMES.items()
    )
    return [
        state_timeline(
            "Outcome",
            "Blocked means that the bench is at fault: it says nothing about the firmware.",
            Query(f"max by ({promql.BENCH}) ({coded})", PLACE),
            {code: (outcome.value, color) for outcome, (code, color) in _OUTCOMES.items()},
        ),
        stat(
            "Since the last run",
            "Long silence: the job no longer runs, or its push is refused.",
            Query(f"time() - max by ({promql.BENCH}) (lan_run_timestamp_seconds{{{promql.RUNS}}})", PLACE),
            "s",
            width=8,
        ),
        stat(
            "Since the last run that passed",
            "Absent where no run ever passed.",
            Query(
                f"time() - max by ({promql.BENCH}) (lan_run_last_success_timestamp_seconds{{{promql.RUNS}}})",
                PLACE,
            ),
            "s",
            width=8,
        ),
        stat(
            "Values behind the least measured quantity",
            "Few values give a wide interval and inconclusive verdicts.",
            Query(f"min by ({promql.BENCH}) (lan_measurement_values{{{promql.RUNS}}})", PLACE),
            "none",
            width=8,
        ),
        timeseries(
            "Tests by outcome",
            "Over all boards and benches that are chosen.",
            [
                Query(
                    f"sum by (simulated, outcome) ({promql.last_run('lan_run_tests')})",
                    "{{outcome}} simulated={{simulated}}",
                )
            ],
            "none",
            draw="bars",
        ),
        timeseries(
            "Verdicts",
            "On budgets and on baselines, over all boards and benches that are chosen.",
            [
                Query(
                    f"sum by (simulated, verdict) ({promql.last_run('lan_run_verdicts')})",
                    "{{verdict}} simulated={{simulated}}",
                )
            ],
            "none",
            draw="bars",
        ),
        table(
            "Verdicts of the last run that want a look",
            "Everything but within and improved.",
            Query(f'lan_run_verdicts{{{promql.RUNS}, verdict=~"over|regressed|inconclusive"}} > 0'),
            "none",
            width=12,
        ),
        timeseries(
            "Duration",
            "Wall time of a run.",
            [Query(promql.last_run("lan_run_duration_seconds"), PLACE)],
            "s",
            draw="points",
        ),
    ]


def _trend(one: Quantity) -> Json:
    names = metric_names(one)
    return timeseries(
        title_of(one),
        f"{text_of(one)} One colour for each build: the build names the commit. "
        "Yellow: ends of the 95 % interval; dashed: budget (red) and baseline (blue).",
        [
            Query(promql.by_build(names.estimate), "{{build}} {{image}} " + PLACE),
            Query(promql.last_run(names.low), f"low {PLACE}", "interval"),
            Query(promql.last_run(names.high), f"high {PLACE}", "interval"),
            Query(promql.last_run(names.budget), f"budget {PLACE}", "budget"),
            Query(promql.last_run(names.baseline), f"baseline {PLACE}", "baseline"),
        ],
        unit_of(one),
        draw="points",
    )
