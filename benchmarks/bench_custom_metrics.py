"""What tracking an inference costs an application, against prometheus-client and against the work."""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram

from benchmarks.table import Row
from pytest_lan_hil.metrics import InferenceMetrics
from pytest_lan_hil.publish.openmetrics import BUCKETS

# The desktop's own target for an inference.
INFERENCE_US = 5000.0
CALLS, PAIRS = 20_000, 15
LABELS = ("board", "bench", "simulated")


def _nothing() -> None:
    """The inference."""


def _ours() -> Callable[[], None]:
    metrics = InferenceMetrics("desktop", registry=CollectorRegistry())

    def tracked() -> None:
        with metrics.track_inference():
            _nothing()

    return tracked


def _bare() -> Callable[[], None]:
    """The same by hand: a histogram's timer, and a counter of exceptions."""
    registry = CollectorRegistry()
    latency = Histogram("latency_seconds", "", LABELS, buckets=BUCKETS, registry=registry)
    errors = Counter("errors_total", "", LABELS, registry=registry)
    timed, failed = latency.labels("desktop", "field", "false"), errors.labels("desktop", "field", "false")

    def tracked() -> None:
        with failed.count_exceptions(), timed.time():
            _nothing()

    return tracked


def _us(function: Callable[[], None]) -> float:
    return 1e6 * timeit.timeit(function, number=CALLS) / CALLS


def run() -> list[Row]:
    ours, bare = _ours(), _bare()
    for function in (ours, bare):
        _us(function)
    pairs = []
    for index in range(PAIRS):
        order = (ours, bare) if index % 2 else (bare, ours)
        took = {function: _us(function) for function in order}
        pairs.append((took[ours], took[bare]))
    each = [statistics.median(times) for times in zip(*pairs, strict=True)]
    own = each[0] - _us(_nothing)
    return [
        Row(
            "tracking an inference from Python",
            statistics.median(mine / theirs for mine, theirs in pairs),
            "x",
            f"prometheus-client's timer and exception counter ({each[0]:.1f} against {each[1]:.1f} us,"
            f" median of {PAIRS} pairs)",
            1.0,
            at_least=False,
        ),
        Row(
            "tracking, of an inference at its target",
            100 * own / INFERENCE_US,
            "%",
            f"{INFERENCE_US / 1000:g} ms, the desktop's target",
            0.1,
            at_least=False,
        ),
    ]
