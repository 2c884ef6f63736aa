"""Metrics of an application that runs the network on a desktop, under the names that boards and runs have.

    metrics = InferenceMetrics("desktop")

    with metrics.track_inference():
        result = model.inference(audio)

    metrics.report(power_mw=850.0, accuracy_percent=95.1)

Names, units and buckets are those of the quantity table, so that dashboards apply unchanged, and alerts once
there is a target (docs/how-to/custom-metrics.md). Serving them is prometheus-client's:
`start_http_server(8080)`.
"""

from __future__ import annotations

import functools
import inspect
import math
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from time import perf_counter
from types import TracebackType
from typing import Any, TypeVar, cast, overload

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.quantities import QUANTITIES, Quantity
from pytest_lan_hil.publish.openmetrics import BUCKETS, ERRORS, bound_label, metric_names

__all__ = ["InferenceMetrics"]

_LATENCY = QUANTITIES["latency"]
_KEYS = {row.target_key: row for row in QUANTITIES.values()}

F = TypeVar("F", bound=Callable[..., Any])


class InferenceMetrics(Collector):
    """Latency, errors and reported figures of one application.

    It may be used from any number of threads and tasks at once. What was never reported has no series.

    Args:
        board: What runs the network: the label `board`.
        bench: Where it stands: the label `bench`.
        device: Which one of many it is, from a bounded inventory; "" for no such label.
        simulated: True if this is no real machine: the label `simulated`.
        registry: Where the metrics are served from: prometheus-client's own, or a registry of yours.

    Raises:
        InputError: The registry has metrics of these names already.
    """

    def __init__(
        self,
        board: str,
        *,
        bench: str = "field",
        device: str = "",
        simulated: bool = False,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._labels = {"board": board, "bench": bench, "simulated": "true" if simulated else "false"}
        if device:
            self._labels["device"] = device
        # Held for a few additions only; reentrant, because a finalizer may run an inference in between.
        self._lock = threading.RLock()
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum_s = 0.0
        self._errors = 0
        self._figures: dict[str, float] = {}
        try:
            registry.register(self)
        except ValueError as error:
            raise InputError(
                f"making metrics of board {board!r}: {error}",
                fix="make one InferenceMetrics and share it, or give each a CollectorRegistry() of its own",
            ) from error

    @overload
    def track_inference(self, function: F) -> F: ...

    @overload
    def track_inference(self, function: None = None) -> _Tracked: ...

    def track_inference(self, function: F | None = None) -> F | _Tracked:
        """Time inferences by the wall clock: `with metrics.track_inference():` around one, or
        `@metrics.track_inference` on a function or coroutine function that makes one a call.

        An inference that raises an `Exception` is counted as an error, and its time is not taken: it would
        be the time of something else. One that is cancelled or interrupted is neither.

        Raises:
            InputError: A generator can't be decorated: what it does is done while it is iterated.
        """
        if function is None:
            return _Tracked(self)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__qualname__", repr(function))
            raise InputError(
                f"tracking {name}: it is a generator, whose call does no work",
                fix="write `with metrics.track_inference():` around each inference within it",
            )
        if inspect.iscoroutinefunction(function):
            return cast("F", self._tracked_coroutine(function))
        return cast("F", self._tracked_call(function))

    def report(self, **figures: float) -> None:
        """Set figures of the quantity table, by name and unit: `power_mw`, `accuracy_percent`, `memory_kb`.

        `latency_ms` is one inference more that was timed elsewhere; every other figure replaces the one
        before.

        Raises:
            InputError: No such figure, or one that can't be; then none of them is taken.
        """
        checked = {key: _checked(key, value) for key, value in figures.items()}
        with self._lock:
            for key, value in checked.items():
                quantity = _KEYS[key]
                if quantity is _LATENCY:
                    self._observe(value * quantity.scale)
                else:
                    self._figures[quantity.name] = value * quantity.scale

    def describe(self) -> Iterator[Metric]:
        """Every name that may be served, so that a registry sees a clash at once."""
        yield self._latency_family()
        yield self._errors_family()
        for quantity in QUANTITIES.values():
            if quantity is not _LATENCY:
                yield self._figure_family(quantity)

    def collect(self) -> Iterator[Metric]:
        """One consistent state of all."""
        with self._lock:
            counts, sum_s, errors = list(self._counts), self._sum_s, self._errors
            figures = dict(self._figures)
        values = list(self._labels.values())
        bounds = [*map(bound_label, BUCKETS), "+Inf"]
        latency = self._latency_family()
        buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
        latency.add_metric(values, buckets, sum_value=sum_s)
        yield latency
        counter = self._errors_family()
        counter.add_metric(values, errors)
        yield counter
        for quantity in QUANTITIES.values():
            if quantity.name in figures:
                family = self._figure_family(quantity)
                family.add_metric([*values, quantity.statistic], figures[quantity.name])
                yield family

    def _latency_family(self) -> HistogramMetricFamily:
        text = "Wall time of an inference"
        return HistogramMetricFamily(metric_names(_LATENCY).plain, text, labels=list(self._labels))

    def _errors_family(self) -> CounterMetricFamily:
        return CounterMetricFamily(ERRORS, "Inferences that raised an error", labels=list(self._labels))

    def _figure_family(self, quantity: Quantity) -> GaugeMetricFamily:
        name = metric_names(quantity).estimate
        return GaugeMetricFamily(name, quantity.help, labels=[*self._labels, "statistic"])

    def _observe(self, duration_s: float) -> None:
        place = bisect_left(BUCKETS, duration_s)
        with self._lock:
            self._counts[place] += 1
            self._sum_s += duration_s

    def _failed(self) -> None:
        with self._lock:
            self._errors += 1

    def _tracked_call(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def tracked(*args: Any, **kwargs: Any) -> Any:
            start = perf_counter()
            try:
                result = function(*args, **kwargs)
            except Exception:
                self._failed()
                raise
            self._observe(perf_counter() - start)
            return result

        return tracked

    def _tracked_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def tracked(*args: Any, **kwargs: Any) -> Any:
            start = perf_counter()
            try:
                result = await function(*args, **kwargs)
            except Exception:
                self._failed()
                raise
            self._observe(perf_counter() - start)
            return result

        return tracked


class _Tracked:
    """One inference; each has its own, so that threads, tasks and nested ones don't share a start."""

    __slots__ = ("_metrics", "_start_s")

    def __init__(self, metrics: InferenceMetrics) -> None:
        self._metrics = metrics
        self._start_s = 0.0

    def __enter__(self) -> None:
        self._start_s = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        duration_s = perf_counter() - self._start_s
        if kind is None:
            self._metrics._observe(duration_s)
        elif issubclass(kind, Exception):
            self._metrics._failed()


def bounds_of(quantity: Quantity) -> tuple[float, float]:
    """Lowest and highest value of a quantity that can be, display unit."""
    lowest = -273.15 if quantity.unit == "degC" else 0.0
    return lowest, 100.0 if quantity.unit == "%" else math.inf


def _checked(key: str, value: float) -> float:
    """The figure, if there is such a one and it can be."""
    quantity = _KEYS.get(key)
    if quantity is None:
        raise InputError(f"reporting {key}: there is no such figure", fix=f"it is one of {', '.join(_KEYS)}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    lowest, highest = bounds_of(quantity)
    if not (math.isfinite(number) and lowest <= number <= highest):
        up_to = f" to {highest:g}" if math.isfinite(highest) else " or more"
        raise InputError(
            f"reporting {key}={value!r}: that can't be",
            fix=f"give a number, {lowest:g}{up_to}, or leave it out",
        )
    return number
