"""Many runs in one OpenMetrics text: each at its own time, grouped as the format asks, nothing twice."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from past_runs import FIRST_DAY, past
from prometheus_client.parser import text_string_to_metric_families
from publish_samples import LATENCY

from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.openmetrics import families, unix_time
from pytest_lan_hil.publish.openmetrics_history import render_history


def measured(number: int, value_ms: float = 10.0, **where: str) -> RunRecord:
    """A run whose latency is a histogram of three values."""
    latency = dataclasses.replace(LATENCY, values=(value_ms,) * 3, n=3)
    return dataclasses.replace(past(number, **where), measurements={"latency": latency})  # type: ignore[arg-type]


def points(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], list[tuple[float, float]]]:
    """Series to times (s) and values.

    Read by the parser of the text format, which takes times for ms: that of OpenMetrics (prometheus-client
    0.26) loses the second point of a histogram. `promtool` reads the real thing in tests/bench.
    """
    found: dict[tuple[str, frozenset[tuple[str, str]]], list[tuple[float, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            found.setdefault(series, []).append((1000 * float(sample.timestamp), sample.value))
    return found


def test_every_sample_of_every_run_stands_at_the_runs_end_with_its_job() -> None:
    runs = [measured(1, 10.0), measured(2, 11.0, board="stm32f4"), measured(3, 12.0)]
    found = points(render_history(runs))
    expected: set[tuple[str, frozenset[tuple[str, str]], float, float]] = set()
    for run in runs:
        at = unix_time(run.finished_at)
        passed = at  # every run of `past` passed
        for family in families(run, last_success_s=passed):
            for sample in family.samples:
                labels = frozenset({**sample.labels, "job": "lan_hil"}.items())
                expected.add((sample.name, labels, at, sample.value))
    assert {(*series, *point) for series, all_of in found.items() for point in all_of} == expected


@settings(max_examples=20)
@given(st.permutations(range(6)))
def test_points_of_a_series_rise_in_time_whatever_the_order_of_runs(order: list[int]) -> None:
    found = points(render_history(measured(number, board="ab"[number % 2]) for number in order))
    assert all(times == sorted(times) for times in ([at for at, _ in one] for one in found.values()))
    assert {len(one) for one in found.values()} == {3}


def test_the_text_ends_in_eof_once_and_names_each_family_once() -> None:
    lines = render_history([measured(1), measured(2)]).split("\n")
    assert lines[-2:] == ["# EOF", ""]
    assert lines.count("# EOF") == 1
    types = [line for line in lines if line.startswith("# TYPE ")]
    assert len(types) == len(set(types)) > 5


def test_neither_families_nor_metrics_are_interleaved() -> None:
    runs = [measured(number, board="ab"[number % 2]) for number in range(4)]
    for family in text_string_to_metric_families(render_history(runs)):
        metrics = [
            tuple(sorted(item for item in sample.labels.items() if item[0] != "le"))
            for sample in family.samples
        ]
        changes = [one for one, before in pairwise([*metrics, ()]) if one != before]
        assert len(changes) == len(set(metrics)), family.name


def test_no_run_is_an_empty_but_valid_text() -> None:
    assert render_history([]) == "# EOF\n"


def test_of_two_runs_that_ended_in_one_millisecond_the_later_recorded_stands() -> None:
    same = FIRST_DAY + timedelta(days=1)
    first = measured(1, 10.0)
    second = dataclasses.replace(measured(2, 12.0), finished_at=f"{same + timedelta(seconds=30):%FT%T}.0004Z")
    found = points(render_history([first, second]))
    sums = [one for (name, _), one in found.items() if name == "lan_inference_latency_seconds_sum"]
    assert [[value for _, value in one] for one in sums] == [[0.012 * 3]]


def test_a_failed_run_knows_when_its_board_last_passed_and_of_no_other() -> None:
    failed = dataclasses.replace(measured(3), outcome=Outcome.FAILED)
    other = dataclasses.replace(measured(4, board="stm32f4"), outcome=Outcome.FAILED)
    found = points(render_history([measured(1), failed, other]))
    name = "lan_run_last_success_timestamp_seconds"
    passed = [one for (metric, _), one in found.items() if metric == name]
    first_end = unix_time(measured(1).finished_at)
    assert [[value for _, value in one] for one in passed] == [[first_end, first_end]]


def test_labels_that_look_like_lines_do_not_break_the_text() -> None:
    bench = 'de"sk\n# EOF\n\u2028\\'
    found = points(render_history([measured(1, bench=bench)]))
    assert {dict(labels)["bench"] for _, labels in found} == {bench}
