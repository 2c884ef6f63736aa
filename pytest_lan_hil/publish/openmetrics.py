"""A run as Prometheus metrics, from the quantity table (docs/reference/metrics.md lists every name).

Base units (displayed value * scale). A registry of its own: nothing of this process leaks in. Only pooled
measurements of tests that were not blocked are published, and only quantities of the table, so that the
number of series is bounded: a user's own quantities stay in the record.

Naming: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from types import MappingProxyType
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from pytest_lan_hil.model.measurement import Measurement, Outcome, VerdictKind
from pytest_lan_hil.model.quantities import QUANTITIES, Direction, Quantity
from pytest_lan_hil.model.record import RunKind, RunRecord
from pytest_lan_hil.publish.comparisons import last_repeats

Labels: TypeAlias = Mapping[str, str]

# E6 preferred numbers (IEC 60063): each bound about 1.5 times the one before, which bounds the relative error
# of histogram_quantile(); six decades, because a keyword takes from 100 us (M7) to seconds (a busy desktop).
_E6 = (1.0, 1.5, 2.2, 3.3, 4.7, 6.8)
BUCKETS = (*(round(step * 10.0**decade, 7) for decade in range(-4, 1) for step in _E6), 10.0)
# Counter of inferences that failed, of a device as of a desktop.
ERRORS = "lan_errors_total"


@dataclass(frozen=True, slots=True)
class MetricNames:
    """Names that a quantity of the table has in Prometheus, all in its base unit.

    Attributes:
        plain: The table's own. A gauge of the estimate; a histogram of the values for a quantity that is
            judged by a percentile.
        estimate: Gauge of the estimate: `plain`, unless that is a histogram.
        low, high: Gauges of the interval that verdicts are made from.
        budget: Gauge of the budget.
        baseline: Gauge of what the board did in accepted runs.
        unit: The base unit.
        histogram: True if `plain` is one.
    """

    plain: str
    estimate: str
    low: str
    high: str
    budget: str
    baseline: str
    unit: str
    histogram: bool


def metric_names(quantity: Quantity) -> MetricNames:
    """Names of a row of the quantity table; rules and dashboards are generated from these too."""
    stem, _, unit = quantity.metric.rpartition("_")
    histogram = quantity.statistic.startswith("p")
    rest = quantity.metric.removeprefix("lan_")
    return MetricNames(
        plain=quantity.metric,
        estimate=f"{stem}_estimate_{unit}" if histogram else quantity.metric,
        low=f"{stem}_low_{unit}",
        high=f"{stem}_high_{unit}",
        budget=f"lan_budget_{rest}",
        baseline=f"lan_baseline_{rest}",
        unit=unit,
        histogram=histogram,
    )


def registry(record: RunRecord, *, last_success_s: float | None = None) -> CollectorRegistry:
    """A private registry with the run's metrics.

    `last_success_s` is the Unix time of the last passed run of the same job, board and bench, if it is known
    and this run did not pass itself.
    """
    return fixed_registry(families(record, last_success_s=last_success_s))


def fixed_registry(made: Iterable[Metric]) -> CollectorRegistry:
    """A private registry that hands out families which are already made."""
    private = CollectorRegistry(auto_describe=False)
    private.register(_Fixed(tuple(made)))
    return private


def render(record: RunRecord, *, last_success_s: float | None = None) -> str:
    """Text exposition format, without time stamps: `metrics.prom`, for node_exporter's textfile collector."""
    return generate_latest(registry(record, last_success_s=last_success_s)).decode("utf-8")


def render_openmetrics(record: RunRecord) -> str:
    """OpenMetrics text, each sample at the run's end: for `promtool tsdb create-blocks-from openmetrics`."""
    return openmetrics_text(families(record, at=unix_time(record.finished_at)))


def openmetrics_text(made: Iterable[Metric]) -> str:
    """OpenMetrics text of families: each its `# HELP` and `# TYPE`, then a line for each sample; `# EOF`."""
    return str(generate_openmetrics(fixed_registry(made)).decode("utf-8"))  # type: ignore[no-untyped-call]


class _Fixed(Collector):
    """Hands out families that are already made."""

    def __init__(self, families: tuple[Metric, ...]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The families."""
        yield from self._families


def unix_time(iso: str) -> float:
    """Seconds since 1970 of an ISO 8601 time with a zone ("Z" or "+00:00")."""
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


def families(
    record: RunRecord,
    *,
    last_success_s: float | None = None,
    at: float | None = None,
    further: Labels = MappingProxyType({}),
) -> Iterator[Metric]:
    """The run's metric families.

    Args:
        record: The run.
        last_success_s: See `registry`.
        at: Unix time of every sample, s; None for samples without a time.
        further: Labels that every series has besides `board`, `bench` and `simulated`.
    """
    labels = {
        **further,
        "board": record.board,
        "bench": record.bench,
        "simulated": "true" if record.simulated else "false",
    }
    yield from _run_families(record, labels, last_success_s, at)
    for name, quantity in QUANTITIES.items():
        measurement = (record.measurements or {}).get(name)
        if measurement is not None:
            yield from _measurement_families(quantity, measurement, labels, at)
        yield from _budget_families(record, quantity, labels, at)
        yield from _baseline_families(record, quantity, labels, at)
    yield from _quality_families(record, labels, at)


def _gauge(name: str, text: str, labels: Labels, value: float, at: float | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value, timestamp=at)
    return family


def _run_families(
    record: RunRecord, labels: Labels, last_success_s: float | None, at: float | None
) -> Iterator[Metric]:
    finished = unix_time(record.finished_at)
    yield _gauge("lan_run_timestamp_seconds", "When the last run ended, Unix time", labels, finished, at)
    success = finished if record.outcome is Outcome.PASSED else last_success_s
    if success is not None:
        text = "When the last run that passed ended, Unix time"
        yield _gauge("lan_run_last_success_timestamp_seconds", text, labels, success, at)
    duration = max(0.0, finished - unix_time(record.started_at))
    yield _gauge("lan_run_duration_seconds", "Wall time that the last run took", labels, duration, at)
    outcomes = GaugeMetricFamily(
        "lan_run_outcome", "1 for the outcome of the last run, 0 for the others", labels=[*labels, "outcome"]
    )
    tests = GaugeMetricFamily(
        "lan_run_tests", "Tests of the last run by outcome; blocked means that the bench is at fault",
        labels=[*labels, "outcome"],
    )  # fmt: skip
    counts = Counter(test.outcome for test in last_repeats(record.tests))
    for outcome in Outcome:
        values = [*labels.values(), outcome.value]
        outcomes.add_metric(values, float(record.outcome is outcome), timestamp=at)
        tests.add_metric(values, float(counts[outcome]), timestamp=at)
    yield outcomes
    yield tests
    images = {test.firmware.sha256: test.firmware for test in record.tests if test.firmware is not None}
    if images:
        info = InfoMetricFamily(
            "lan_firmware", "Images that the last run had under test", labels=list(labels)
        )
        for image in images.values():
            info.add_metric(
                list(labels.values()),
                {"sha256": image.sha256, "build": image.build, "image": PurePath(image.image).name},
                timestamp=at,
            )
        yield info


def _measurement_families(
    quantity: Quantity, measurement: Measurement, labels: Labels, at: float | None
) -> Iterator[Metric]:
    names = metric_names(quantity)
    estimate = measurement.estimate
    judged = {**labels, "simulated": "true" if measurement.simulated else labels["simulated"]}
    judged = {**judged, "statistic": estimate.statistic}
    text = quantity.help
    yield _gauge(names.estimate, f"{text}: estimate", judged, estimate.value * quantity.scale, at)
    low, high = estimate.low * quantity.scale, estimate.high * quantity.scale
    yield _gauge(
        names.low, f"{text}: lower end of the 95 % interval, instrument's error included", judged, low, at
    )
    yield _gauge(
        names.high, f"{text}: upper end of the 95 % interval, instrument's error included", judged, high, at
    )
    if names.histogram:
        plain = {key: value for key, value in judged.items() if key != "statistic"}
        family = HistogramMetricFamily(names.plain, f"{text}: values of the last run", labels=list(plain))
        values = [value * quantity.scale for value in measurement.values]
        buckets = [(bound_label(b), float(sum(v <= b for v in values))) for b in BUCKETS]
        buckets.append(("+Inf", float(len(values))))
        family.add_metric(list(plain.values()), buckets, sum_value=sum(values), timestamp=at)
        yield family


def bound_label(bound: float) -> str:
    """A bucket's upper bound as the value of the label `le`: "0.0001", "1.0", as OpenMetrics writes it."""
    return repr(bound)


def _budget_families(
    record: RunRecord, quantity: Quantity, labels: Labels, at: float | None
) -> Iterator[Metric]:
    """The loosest budget per statistic: several tests may set their own, each for its load, but the figure
    beside it is pooled over them; held against the tightest, it would break a limit that no test broke.
    """
    limits: dict[str, list[float]] = {}
    for test in record.tests:
        for verdict in test.verdicts:
            budget = verdict.budget
            if budget.quantity == quantity.name:
                limits.setdefault(budget.statistic, []).append(budget.limit)
    loosest = max if quantity.direction is Direction.LOWER else min
    name, text = metric_names(quantity).budget, f"{quantity.help}: loosest budget of the last run"
    yield from _references(name, text, quantity, {k: loosest(v) for k, v in limits.items()}, labels, at)


def _baseline_families(
    record: RunRecord, quantity: Quantity, labels: Labels, at: float | None
) -> Iterator[Metric]:
    """The worst baseline per statistic: the run's figure is pooled over tests, and may not be called worse
    than one of them only because its tests differ. The base of an A/B run is an image, not a baseline.
    """
    if record.kind is not RunKind.PLAIN:
        return
    bases: dict[str, list[float]] = {}
    for test in last_repeats(record.tests):
        for comparison in test.comparisons:
            if comparison.subject.quantity == quantity.name and comparison.base is not None:
                bases.setdefault(comparison.statistic, []).append(comparison.base.value)
    worst = max if quantity.direction is Direction.LOWER else min
    name, text = metric_names(quantity).baseline, f"{quantity.help}: baseline that the last run had"
    yield from _references(name, text, quantity, {k: worst(v) for k, v in bases.items()}, labels, at)


def _references(
    name: str,
    text: str,
    quantity: Quantity,
    by_statistic: Mapping[str, float],
    labels: Labels,
    at: float | None,
) -> Iterator[Metric]:
    """What an estimate is held against, a series for each statistic; values in the display unit."""
    if not by_statistic:
        return
    family = GaugeMetricFamily(name, text, labels=[*labels, "statistic"])
    for statistic, value in sorted(by_statistic.items()):
        family.add_metric([*labels.values(), statistic], value * quantity.scale, timestamp=at)
    yield family


def _quality_families(record: RunRecord, labels: Labels, at: float | None) -> Iterator[Metric]:
    keys = [*labels, "quantity"]
    verdicts = GaugeMetricFamily(
        "lan_run_verdicts",
        "Verdicts of the last run by quantity and kind, on budgets and baselines",
        labels=[*keys, "verdict"],
    )
    samples = GaugeMetricFamily(
        "lan_measurement_values", "Number of values that the last run's estimate is made from", labels=keys
    )
    lost = GaugeMetricFamily(
        "lan_measurement_lost_ratio", "Share of the samples that the instrument dropped", labels=keys
    )
    tests = last_repeats(record.tests)
    counts = Counter((v.budget.quantity, v.kind) for test in tests for v in test.verdicts)
    counts += Counter((c.subject.quantity, c.kind) for test in tests for c in test.comparisons)
    for name in QUANTITIES:
        values = [*labels.values(), name]
        if any(counts[name, kind] for kind in VerdictKind):
            for kind in VerdictKind:
                verdicts.add_metric([*values, kind.value], float(counts[name, kind]), timestamp=at)
        measurement = (record.measurements or {}).get(name)
        if measurement is not None:
            samples.add_metric(values, float(measurement.n), timestamp=at)
            lost.add_metric(values, measurement.lost_share, timestamp=at)
    yield from (family for family in (verdicts, samples, lost) if family.samples)
