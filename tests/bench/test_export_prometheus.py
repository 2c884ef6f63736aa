"""`lan-hil monitor export` out of a real Prometheus: what was pushed comes back whole, refusals are told."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import time
from collections.abc import Iterator

import pytest
import typer
from loopback import Prometheus, prometheus, pushgateway
from prometheus_client.parser import text_string_to_metric_families
from publish_samples import RECORD as SHORT

from pytest_lan_hil.cli.commands import monitor
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.record import FirmwareIdentity
from pytest_lan_hil.publish.openmetrics import render
from pytest_lan_hil.publish.pushgateway import push

FIRMWARE = FirmwareIdentity("lan.elf", "3f" * 32, build='a "quoted" build, of two\nlines', proved=True)
LATENCY = from_values("latency", [2.0, 2.1, 2.2, 9.5], instrument="JS220", simulated=True)
RECORD = dataclasses.replace(
    SHORT,
    measurements={**(SHORT.measurements or {}), "latency": LATENCY},
    tests=tuple(dataclasses.replace(test, firmware=FIRMWARE) for test in SHORT.tests),
)
OWN = ("time", "unix_s", "metric", "value")
# What the gateway and the scrape add to what was pushed.
ADDED = ("job", "instance")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has scraped a run a few times."""
    with pushgateway() as gateway:
        assert push(RECORD, gateway).ok
        folder = tmp_path_factory.mktemp("prometheus")
        target = gateway.removeprefix("http://")
        with prometheus(folder, {"lan_hil": target}, "--query.max-samples=20000") as found:
            found.wait("count_over_time(lan_run_timestamp_seconds[1h]) >= bool 5", 1, RECORD.board, "board")
            yield found


def export(server: Prometheus, *arguments: str) -> int:
    app = typer.Typer()
    monitor.register(app)
    return run(app, ["monitor", "export", *arguments, "--prometheus", server.url])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def pushed() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the run, as it was pushed."""
    return {
        _key(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(render(RECORD))
        for sample in family.samples
    }


def key(row: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    labels = {name: value for name, value in row.items() if value and name not in (*OWN, *ADDED)}
    return _key(row["metric"], labels)


def _key(name: str, labels: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    """The gateway writes le="1.0" as le="1"."""
    bound = {"le": repr(float(labels["le"]))} if "le" in labels else {}
    return name, frozenset({**labels, **bound}.items())


def test_all_that_was_pushed_comes_back_as_csv(
    server: Prometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(server, '{__name__=~"lan_.*"}', "--csv") == 0
    captured = capsys.readouterr()
    found = {key(row): float(row["value"]) for row in rows(captured.out)}
    assert found == pytest.approx(pushed())
    assert len(found) > 50
    assert captured.err == ""


def test_the_histogram_of_the_last_hour_comes_back_by_its_plain_name(
    server: Prometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(server, "lan_inference_latency_seconds[1h]", "--csv") == 0
    captured = capsys.readouterr()
    found = rows(captured.out)
    wanted = {k: v for k, v in pushed().items() if k[0].startswith("lan_inference_latency_seconds_")}
    assert {key(row) for row in found} == set(wanted)
    assert all(float(row["value"]) == pytest.approx(wanted[key(row)]) for row in found)
    times = {row["unix_s"] for row in found}
    assert len(times) >= 5
    assert all(abs(float(t) - time.time()) < 600 for t in times)
    assert "it is a histogram" in captured.err
    narrowed = 'lan_inference_latency_seconds{board="other"}[1h]'
    assert export(server, narrowed) == 0
    assert rows(capsys.readouterr().out) == []


def test_instant_range_and_scalar_results(server: Prometheus, capsys: pytest.CaptureFixture[str]) -> None:
    now = time.time()
    arguments = (
        "lan_run_duration_seconds",
        "--start",
        f"{now - 20:.3f}",
        "--end",
        f"{now:.3f}",
        "--step",
        "0.5",
    )
    assert export(server, *arguments) == 0
    ranged = rows(capsys.readouterr().out)
    assert len(ranged) > 1
    assert {float(row["value"]) for row in ranged} == {
        value for (name, _), value in pushed().items() if name == "lan_run_duration_seconds"
    }
    assert export(server, "1 / 0", "--jsonl") == 0
    (scalar,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert scalar["value"] == "+Inf"
    assert scalar["labels"] == {}
    assert export(server, "lan_run_outcome", "--jsonl", "--at", f"{now:.3f}") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["labels"]["outcome"]: line["value"] for line in lines}["passed"] in (0.0, 1.0)
    assert {line["labels"]["board"] for line in lines} == {RECORD.board}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("lan_power_watts[1h", "does not understand the query"),
        ("sum(lan_power_watts", "unclosed left parenthesis\n  sum(lan_power_watts\n                     ^"),
        ("rate(lan_power_watts)", "expected type range vector"),
        ("lan_power_watts{board=nrf}", "does not understand the query"),
        ("", "does not understand the query"),
    ],
)
def test_a_query_that_is_none_is_refused_with_the_place(
    server: Prometheus, query: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(server, query) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert "fix:" in captured.err
    assert captured.out == ""


def test_other_refusals_in_plain_words(server: Prometheus, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(server, "up", "--at", "yesterday") == 2
    assert 'cannot parse "yesterday" to a valid timestamp' in capsys.readouterr().err
    assert export(server, "up", "--start", "2026-01-01T00:00:00Z", "--step", "1") == 2
    assert "exceeded maximum resolution" in capsys.readouterr().err
    too_much = '{__name__=~".+"}'
    now = time.time()
    code = export(
        server, too_much, "--start", f"{now - 6000:.0f}", "--end", f"{now + 300:.0f}", "--step", "0.7"
    )
    assert code == 2
    assert "can't evaluate the query" in capsys.readouterr().err


def test_no_series_is_told_with_the_names_that_look_like_it(
    server: Prometheus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(server, "lan_powr_watts[1h]") == 0
    captured = capsys.readouterr()
    assert "no metric is called lan_powr_watts; there are lan_power_watts" in captured.err
    assert captured.out == "time,unix_s,metric,value\n"
    assert export(server, 'lan_power_watts{board="none"}') == 0
    assert "no series of lan_power_watts matches" in capsys.readouterr().err
