"""Custom metrics: the names of the table, exact counts from threads and tasks, and nothing that can't be."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pytest_lan_hil.metrics import InferenceMetrics
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish.openmetrics import BUCKETS, ERRORS, bound_label, metric_names

LATENCY = metric_names(QUANTITIES["latency"]).plain
PLACE = {"board": "desktop", "bench": "field", "simulated": "false"}


class Served:
    """Metrics in a registry of their own, and what a scraper would read."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = InferenceMetrics("desktop", registry=self.registry)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {**PLACE, **labels})

    @property
    def inferences(self) -> float | None:
        return self.value(f"{LATENCY}_count")

    @property
    def errors(self) -> float | None:
        return self.value(ERRORS)


@pytest.fixture
def served() -> Served:
    return Served()


def test_a_with_block_is_one_inference_and_its_time(served: Served) -> None:
    with served.metrics.track_inference():
        assert not threading.Event().wait(0.02)
    assert served.inferences == 1
    assert 0.02 <= (served.value(f"{LATENCY}_sum") or 0) < 5


def test_before_the_first_inference_the_counters_are_zero_and_nothing_else_is_there(served: Served) -> None:
    assert (served.inferences, served.errors) == (0, 0)
    text = generate_latest(served.registry).decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert names == {LATENCY, ERRORS.removesuffix("_total")}


def test_a_decorated_function_keeps_name_result_and_arguments(served: Served) -> None:
    @served.metrics.track_inference
    def infer(audio: bytes, *, gain: int = 1) -> int:
        """Doc."""
        return len(audio) * gain

    assert (infer(b"ab", gain=3), infer.__name__, infer.__doc__) == (6, "infer", "Doc.")
    assert served.inferences == 1


def test_an_exception_is_counted_passed_on_and_not_timed(served: Served) -> None:
    @served.metrics.track_inference
    def broken() -> None:
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        broken()
    with pytest.raises(ValueError, match="no audio"), served.metrics.track_inference():
        raise ValueError("no audio")
    assert (served.errors, served.inferences) == (2, 0)


def test_an_interrupt_is_neither_an_inference_nor_an_error(served: Served) -> None:
    @served.metrics.track_inference
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(KeyboardInterrupt), served.metrics.track_inference():
        raise KeyboardInterrupt
    assert (served.errors, served.inferences) == (0, 0)


def test_nested_inferences_each_have_their_own_start(served: Served) -> None:
    with served.metrics.track_inference():
        for _ in range(2):
            with served.metrics.track_inference():
                assert not threading.Event().wait(0.02)
    assert served.inferences == 3
    assert (served.value(f"{LATENCY}_sum") or 0) >= 0.08  # 0.02 twice, and both again in the outer one


def test_threads_lose_no_inference_and_no_error(served: Served) -> None:
    def work() -> None:
        for number in range(2000):
            try:
                with served.metrics.track_inference():
                    if number % 4 == 0:
                        raise ValueError
            except ValueError:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (served.inferences, served.errors) == (8 * 1500, 8 * 500)


def test_tasks_that_overlap_are_timed_apart(served: Served) -> None:
    @served.metrics.track_inference
    async def infer(pause_s: float) -> float:
        await asyncio.sleep(pause_s)
        return pause_s

    async def both() -> list[float]:
        return await asyncio.gather(infer(0.05), infer(0.1))

    assert asyncio.run(both()) == [0.05, 0.1]
    assert served.inferences == 2
    assert served.value(f"{LATENCY}_bucket", le="0.033") == 0
    assert (served.value(f"{LATENCY}_sum") or 0) >= 0.15


def test_a_coroutine_that_fails_is_an_error_and_a_cancelled_one_is_not(served: Served) -> None:
    @served.metrics.track_inference
    async def infer(*, fail: bool) -> None:
        if fail:
            raise ValueError
        await asyncio.sleep(60)

    async def work() -> None:
        with pytest.raises(ValueError):
            await infer(fail=True)
        task = asyncio.create_task(infer(fail=False))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert (served.errors, served.inferences) == (1, 0)


def test_a_generator_is_refused_with_what_to_write_instead(served: Served) -> None:
    def words() -> Iterator[str]:
        yield "yes"

    async def more() -> AsyncIterator[str]:
        yield "no"

    for function in (words, more):
        with pytest.raises(InputError, match="it is a generator") as error:
            served.metrics.track_inference(function)
        assert "with metrics.track_inference():" in error.value.fix


@given(st.lists(st.floats(0, 2e4), max_size=40))
def test_buckets_are_those_of_a_run(latencies_ms: list[float]) -> None:
    served = Served()
    for latency_ms in latencies_ms:
        served.metrics.report(latency_ms=latency_ms)
    for bound in BUCKETS:
        expected = sum(latency_ms * 1e-3 <= bound for latency_ms in latencies_ms)
        assert served.value(f"{LATENCY}_bucket", le=bound_label(bound)) == expected
    assert served.value(f"{LATENCY}_bucket", le="+Inf") == served.inferences == len(latencies_ms)


@pytest.mark.parametrize("quantity", [row for row in QUANTITIES.values() if row.name != "latency"])
def test_every_quantity_is_reported_under_its_name_in_its_base_unit(served: Served, quantity) -> None:
    served.metrics.report(**{quantity.target_key: 12.5})
    name = metric_names(quantity).estimate
    assert served.value(name, statistic=quantity.statistic) == pytest.approx(12.5 * quantity.scale)


def test_a_figure_replaces_the_one_before(served: Served) -> None:
    served.metrics.report(power_mw=900.0, accuracy_percent=95.0)
    served.metrics.report(power_mw=850)
    assert served.value("lan_power_watts", statistic="mean") == pytest.approx(0.85)
    assert served.value("lan_model_accuracy_ratio", statistic="share") == pytest.approx(0.95)


@pytest.mark.parametrize(
    "figures",
    [
        {"power_mw": math.nan},
        {"power_mw": math.inf},
        {"power_mw": -0.1},
        {"power_mw": None},
        {"power_mw": "a lot"},
        {"latency_ms": -1.0},
        {"accuracy_percent": 100.5},
        {"temperature_degc": -300.0},
        {"power_w": 0.9},
    ],
)
def test_what_can_t_be_is_refused_and_nothing_of_the_call_is_taken(served: Served, figures) -> None:
    with pytest.raises(InputError) as error:
        served.metrics.report(memory_kb=100.0, **figures)
    assert next(iter(figures)) in error.value.problem
    assert error.value.fix
    assert served.value("lan_memory_bytes", statistic="max") is None
    assert served.inferences == 0


def test_below_freezing_is_a_temperature(served: Served) -> None:
    served.metrics.report(temperature_degc=-20.0)
    assert served.value("lan_temperature_celsius", statistic="max") == -20.0


def test_labels_say_where_and_of_what() -> None:
    registry = CollectorRegistry()
    InferenceMetrics("laptop", bench="site 3", device="d-17", simulated=True, registry=registry)
    labels = {"board": "laptop", "bench": "site 3", "device": "d-17", "simulated": "true"}
    assert registry.get_sample_value(ERRORS, labels) == 0


def test_a_registry_that_has_such_metrics_is_refused(served: Served) -> None:
    with pytest.raises(InputError, match="making metrics of board 'other'") as error:
        InferenceMetrics("other", registry=served.registry)
    assert "CollectorRegistry()" in error.value.fix
    with pytest.raises(ValueError, match="lan_power_watts"):
        Gauge("lan_power_watts", "a clash with a figure that was not reported yet", registry=served.registry)


def test_a_scrape_while_threads_work_sees_a_whole_state(served: Served) -> None:
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            served.metrics.report(latency_ms=1.0)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(200):
            found = {
                (sample.name, sample.labels.get("le")): sample.value
                for family in served.metrics.collect()
                for sample in family.samples
            }
            count = found[f"{LATENCY}_count", None]
            assert found[f"{LATENCY}_bucket", "+Inf"] == count
            assert found[f"{LATENCY}_sum", None] == pytest.approx(count * 1e-3)
    finally:
        done.set()
        thread.join()
