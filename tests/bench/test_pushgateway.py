"""The real Pushgateway (of Debian) takes what a run pushes, and promtool finds nothing to say against it."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram, delete_from_gateway, push_to_gateway
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from publish_samples import POWER, RECORD
from required import binary

from pytest_lan_hil.cli.app import app
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish.files import run_directory
from pytest_lan_hil.publish.openmetrics import metric_names, unix_time
from pytest_lan_hil.publish.pushgateway import push
from pytest_lan_hil.publish.record import write_record
from pytest_lan_hil.publish.spool import flush, pending, push_spooled
from pytest_lan_hil.run.options import RunOptions
from pytest_lan_hil.run.publication import publish

PASSED = dataclasses.replace(
    RECORD,
    run_id="20261124T060000-nrf52840-ffffff",
    started_at="2026-11-24T06:00:00Z",
    finished_at="2026-11-24T06:00:40Z",
    outcome=Outcome.PASSED,
    measurements={"power": POWER},
    tests=RECORD.tests[:1],
)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


class Gateway:
    """A Pushgateway on a loopback port; `with started()` runs it."""

    def __init__(self, binary: str) -> None:
        address = f"127.0.0.1:{_free_port()}"
        # Debian's build keeps what was pushed in a file of the system unless it is told to forget.
        keep_nothing = "--persistence.file="
        self._command = [binary, f"--web.listen-address={address}", keep_nothing, "--log.level=error"]
        self.url = f"http://{address}"

    @contextlib.contextmanager
    def started(self) -> Iterator[None]:
        with subprocess.Popen(self._command, stderr=subprocess.DEVNULL) as process:
            try:
                self._wait(process)
                yield
            finally:
                process.kill()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        stop = time.monotonic() + 10
        while time.monotonic() < stop:
            assert process.poll() is None, f"the gateway ended with {process.returncode}"
            with contextlib.suppress(OSError):
                self._get("/-/ready")
                return
            time.sleep(0.02)
        pytest.fail("the gateway did not become ready")

    def _get(self, path: str) -> str:
        # never through the proxy of the environment
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=5) as response:
            text: str = response.read().decode("utf-8")
            return text

    def metrics(self) -> str:
        return self._get("/metrics")

    def ours(self) -> dict[str, list[Sample]]:
        """Samples of our metrics by name."""
        found: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(self.metrics()):
            for sample in family.samples:
                if sample.name.startswith("lan_"):
                    found.setdefault(sample.name, []).append(sample)
        return found


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(binary("prometheus-pushgateway", "prometheus-pushgateway"))


def test_a_push_is_served_with_help_base_units_labels_and_group(gateway: Gateway) -> None:
    with gateway.started():
        result = push(RECORD, gateway.url)
        text, ours = gateway.metrics(), gateway.ours()
    assert result.ok, result.detail
    names = metric_names(QUANTITIES["power"])
    assert f"# HELP {names.plain} {QUANTITIES['power'].help}" in text
    assert f"# TYPE {names.plain} gauge" in text
    (power,) = ours[names.plain]
    assert power.value == pytest.approx(POWER.estimate.value * 1e-3)
    assert power.labels == {
        "job": "lan_hil",
        "board": "nrf52840",
        "bench": "virtual",
        "instance": "",
        "simulated": "true",
        "statistic": "mean",
    }
    assert {sample.labels["simulated"] for sample in ours["lan_run_outcome"]} == {"true"}
    (pushed,) = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "push_time_seconds"
    ]
    assert pushed.labels == {"job": "lan_hil", "board": "nrf52840", "bench": "virtual", "instance": ""}


def test_the_next_push_replaces_the_whole_group_and_no_other(gateway: Gateway) -> None:
    other = dataclasses.replace(RECORD, board="stm32f4")
    with gateway.started():
        for record in (RECORD, other, PASSED):
            assert push(record, gateway.url).ok
        ours = gateway.ours()
    memory = metric_names(QUANTITIES["memory"]).plain
    assert [sample.labels["board"] for sample in ours[memory]] == ["stm32f4"]  # PASSED measured no memory
    ended = {sample.labels["board"]: sample.value for sample in ours["lan_run_timestamp_seconds"]}
    assert ended == {"nrf52840": unix_time(PASSED.finished_at), "stm32f4": unix_time(other.finished_at)}


def test_what_a_dead_gateway_missed_is_spooled_and_pushed_later(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = RunOptions(
        rootdir=tmp_path,
        boards=("nrf52840",),
        benches=("virtual",),
        output=tmp_path / "out",
        pushgateway=gateway.url,
    )
    publication = publish(PASSED, {}, options, "")
    assert publication.record is not None
    assert publication.record.is_file()
    assert any("not pushed" in line and "lan-hil push" in line for line in publication.lines)
    push_later = ["push", "--hil-output", str(options.output), "--pushgateway", gateway.url]
    assert run(app, push_later) == 3
    assert f"{PASSED.run_id}: not pushed" in capsys.readouterr().out
    with gateway.started():
        assert run(app, push_later) == 0
        ours = gateway.ours()
        assert f"{PASSED.run_id}: pushed to {gateway.url}" in capsys.readouterr().out
        assert run(app, push_later) == 0
    assert capsys.readouterr().out == "nothing waits to be pushed\n"
    (ended,) = ours["lan_run_timestamp_seconds"]
    assert ended.value == unix_time(PASSED.finished_at)


def test_a_push_that_the_gateway_refuses_waits_and_goes_once_its_reason_is_gone(
    gateway: Gateway, tmp_path: Path
) -> None:
    write_record(PASSED, run_directory(tmp_path, PASSED.run_id))
    clash = CollectorRegistry()
    power = metric_names(QUANTITIES["power"]).plain
    Histogram(power, "a gauge elsewhere", registry=clash)
    with gateway.started():
        push_to_gateway(gateway.url, job="other", registry=clash)
        refused = push_spooled(PASSED, tmp_path, gateway.url)
        assert not refused.ok
        assert refused.answered
        assert "refused it with 400 Bad Request" in refused.detail
        assert f'collected metric "{power}"' in refused.detail
        text = gateway.metrics()
        assert [item.run_id for item in pending(tmp_path)] == [PASSED.run_id]
        times = {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("push_") and sample.labels.get("board") == PASSED.board
        }
        assert (
            times["push_failure_time_seconds"] > times["push_time_seconds"] == 0
        )  # what PushRefused looks at
        delete_from_gateway(gateway.url, job="other")
        stop = time.monotonic() + 10
        while not flush(tmp_path, gateway.url).ok:  # the gateway deletes in its own time
            assert time.monotonic() < stop
            time.sleep(0.05)
        assert gateway.ours()["lan_run_timestamp_seconds"]
    assert pending(tmp_path) == []


def test_promtool_has_nothing_to_say_against_our_metrics(gateway: Gateway) -> None:
    promtool = binary("promtool", "prometheus")
    with gateway.started():
        assert push(RECORD, gateway.url).ok
        text = gateway.metrics()
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    said = checked.stdout + checked.stderr
    assert "error while linting" not in said
    assert [line for line in said.splitlines() if line.startswith("lan_")] == []


def test_a_missing_server_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAN_HIL_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception):
        binary("no-such-server", "no-such-package")
    monkeypatch.setenv("LAN_HIL_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception):
        binary("no-such-server", "no-such-package")
