"""What `lan-hil monitor backfill` writes becomes the past of a real Prometheus, by a real promtool."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from loopback_prometheus import Server, holding
from past_runs import past, record_all
from publish_samples import COMPARING, LATENCY, POWER, RECORD
from required import binary

from pytest_lan_hil.cli.backfill import backfill
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.publish.openmetrics import families, unix_time

# Long ago enough for blocks, whatever the day on which this is run.
FIRST = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=9)


def at(days: int, record: RunRecord) -> RunRecord:
    start = FIRST + timedelta(days=days)
    return dataclasses.replace(
        record,
        run_id=f"{start:%Y%m%dT%H%M%S}-{record.board}-{days:06x}",
        started_at=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        finished_at=f"{start + timedelta(seconds=42, milliseconds=500):%Y-%m-%dT%H:%M:%S.%fZ}",
    )


RUNS = [
    at(0, dataclasses.replace(RECORD, measurements={"power": POWER, "latency": LATENCY})),
    at(1, past(1)),
    at(2, dataclasses.replace(COMPARING, measurements={"latency": LATENCY}, bench='de"sk\n2')),
    at(3, dataclasses.replace(RECORD, measurements={"latency": LATENCY}, simulated=False)),
]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("backfill")
    with holding(folder, [written(folder).read_text(encoding="utf-8")]) as server:
        yield server


def written(folder: Path) -> Path:
    """The runs as `lan-hil monitor backfill` writes them."""
    record_all(folder / "out", RUNS)
    text = folder / "history.om"
    backfill(None, str(text), str(folder / "out"), now_s=datetime.now(timezone.utc).timestamp())
    return text


def test_the_command_that_it_names_makes_few_blocks_of_many_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = written(tmp_path)
    command = (
        capsys.readouterr().err.partition("next: ")[2].replace("PROMETHEUS_DATA", str(tmp_path / "data"))
    )
    assert f" {text} " in command
    binary("promtool", "prometheus")
    made = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
    blocks = [json.loads(meta.read_text("utf-8")) for meta in (tmp_path / "data").glob("*/meta.json")]
    assert 1 <= len(blocks) <= 2  # a month may end within these days
    samples = sum(not line.startswith("#") for line in text.read_text("utf-8").splitlines())
    assert sum(block["stats"]["numSamples"] for block in blocks) == samples


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_every_series_of_a_run_is_served_at_its_own_time_with_its_value(
    prometheus: Server, number: int
) -> None:
    record = RUNS[number]
    ended = unix_time(record.finished_at)
    of_place = f'board="{record.board}",bench="{escaped(record.bench)}"'
    found = {
        (one.labels["__name__"], labels({**one.labels, "__name__": ""})): one.points[0][1]
        for one in prometheus.instant(f'{{job="lan_hil",{of_place}}}', ended)
    }
    expected = {
        (sample.name, labels({**sample.labels, "job": "lan_hil"})): sample.value
        for family in families(record)
        for sample in family.samples
    }
    passed = {key for key in found if key[0] == "lan_run_last_success_timestamp_seconds"}
    assert found.keys() - passed == expected.keys() - passed
    assert {key: found[key] for key in expected} == pytest.approx(expected)


def labels(of_sample: dict[str, str]) -> frozenset[tuple[str, str]]:
    """To Prometheus a label without a value is none."""
    return frozenset(item for item in of_sample.items() if item[1])


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def test_nothing_is_served_at_a_time_when_no_run_ended(prometheus: Server) -> None:
    before = unix_time(RUNS[1].finished_at) - 1
    assert prometheus.instant('{job="lan_hil"}', before) == []


def test_quantiles_of_the_past_come_from_the_histogram(prometheus: Server) -> None:
    (found,) = prometheus.instant(
        'histogram_quantile(0.95, lan_inference_latency_seconds_bucket{bench="virtual"})',
        unix_time(RUNS[3].finished_at),
    )
    assert 6.8e-3 <= found.points[0][1] <= 10e-3  # the bucket that all four values lie in


def test_a_trend_over_days_is_one_query(prometheus: Server) -> None:
    after = unix_time(RUNS[3].finished_at) + 1
    found = prometheus.instant("count_over_time(lan_run_timestamp_seconds[30d])", after)
    counts = {(one.labels["bench"], one.labels["simulated"]): one.points[0][1] for one in found}
    assert counts == {
        ("virtual", "true"): 1,
        ("virtual", "false"): 1,
        ("desk", "false"): 1,
        ('de"sk\n2', "true"): 1,
    }
