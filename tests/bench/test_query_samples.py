"""docs/explanation/scale.md: samples that a real Prometheus holds for a p95 over the buckets of a fleet."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from loopback_prometheus import Server, holding

DEVICES, BUCKETS, STEP_S = 100, 16, 15
BEGIN, END = 1_700_000_000, 1_700_000_000 + 100 * STEP_S
SERIES = DEVICES * BUCKETS
P95 = "histogram_quantile(0.95, sum by (le) (rate(latency_bucket[5m])))"


def buckets_text() -> str:
    lines = ["# TYPE latency histogram"]
    for device in range(DEVICES):
        for bound in [*(f"{number}.0" for number in range(1, BUCKETS)), "+Inf"]:
            labels = f'{{device="d-{device}",le="{bound}"}}'
            lines += [f"latency_bucket{labels} {at - BEGIN} {at}" for at in range(BEGIN, END + 1, STEP_S)]
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with holding(tmp_path_factory.mktemp("prometheus"), [buckets_text()]) as started:
        yield started


def held(server: Server, path: str, **query: str) -> int:
    """The most samples that the query held at a time, by Prometheus' own count."""
    asked = urllib.parse.urlencode({"query": P95, "stats": "all", **query})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{server.url}/api/v1/{path}?{asked}", timeout=30) as response:
        found = json.load(response)["data"]["stats"]["samples"]
    assert found["totalQueryableSamples"] >= 20 * SERIES  # it read far more than it held
    return int(found["peakSamples"])


def test_a_p95_of_one_point_holds_two_samples_for_each_bucket(server: Server) -> None:
    assert held(server, "query", time=str(END)) == pytest.approx(2 * SERIES, rel=0.02)


@pytest.mark.parametrize("points", [20, 60])
def test_a_graph_of_a_p95_holds_a_sample_for_each_bucket_and_point(server: Server, points: int) -> None:
    start = END - (points - 1) * STEP_S
    peak = held(server, "query_range", start=str(start), end=str(END), step=str(STEP_S))
    assert peak == pytest.approx((points + 1) * SERIES, rel=0.02)
