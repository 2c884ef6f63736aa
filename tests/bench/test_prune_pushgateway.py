"""`lan-hil monitor prune` on a real Pushgateway: exact keys, nobody else's groups, refusals told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import typer
from loopback import pushgateway
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
from publish_samples import RECORD

from pytest_lan_hil.cli.commands import monitor
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.publish.pushgateway import groups, push


def prune(url: str, *arguments: str) -> int:
    app = typer.Typer()
    monitor.register(app)
    return run(app, ["monitor", "prune", "--pushgateway", url, *arguments])


def keys(url: str) -> set[tuple[str, ...]]:
    return {tuple(sorted(group.labels.values())) for group in groups(url)}


def a_group(url: str, job: str, **key: str) -> None:
    registry = CollectorRegistry()
    Gauge("x", "x", registry=registry).set(1)
    push_to_gateway(url, job=job, grouping_key=key, registry=registry)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_groups_of_benches_that_are_gone_go_by_their_exact_key_and_no_others(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pushgateway() as url:
        assert push(RECORD, url).ok
        assert push(dataclasses.replace(RECORD, bench="old-desk"), url).ok
        a_group(url, "lan_hil", board="nrf52840", bench="a/b c?%é")
        a_group(url, "lan_hil", board="nrf52840")
        a_group(url, "lan_hil", board="nrf52840", bench="old-desk", instance="mine")
        a_group(url, "backup", board="nrf52840", bench="old-desk")
        before = keys(url)
        assert len(before) == 6

        assert prune(url) == 0  # all were pushed to a moment ago
        assert keys(url) == before
        assert prune(url, "--older-than", "0", "--dry-run") == 0
        told = capsys.readouterr()
        assert "nothing was deleted" in told.err
        assert [line.split("  ")[0] for line in told.out.splitlines() if "  goes  " in line] == [
            "bench=old-desk, board=nrf52840, job=lan_hil",
            "bench=a/b c?%é, board=nrf52840, job=lan_hil",
        ]
        assert keys(url) == before

        assert prune(url, "--older-than", "0") == 0
        assert "deleted job=lan_hil" in capsys.readouterr().out
        gone = {("lan_hil", "nrf52840", "old-desk"), ("a/b c?%é", "lan_hil", "nrf52840")}
        assert keys(url) == before - gone


def test_a_named_bench_goes_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pushgateway() as url:
        assert push(RECORD, url).ok
        assert push(dataclasses.replace(RECORD, bench="desk"), url).ok
        assert prune(url, "--bench", "desk", "--bench", "never-was") == 0
        assert "no group of bench never-was" in capsys.readouterr().err
        assert keys(url) == {("lan_hil", "nrf52840", "virtual")}


def test_an_empty_gateway(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pushgateway() as url:
        assert prune(url) == 0
    assert capsys.readouterr().out == "the gateway holds no group\n"


def test_a_gateway_that_can_not_be_asked_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prune("http://127.0.0.1:9") == 3
    assert "what it holds can't be told" in capsys.readouterr().err
    assert prune("http://127.0.0.1:9", "--older-than", "soon") == 2
    assert "is no age" in capsys.readouterr().err
