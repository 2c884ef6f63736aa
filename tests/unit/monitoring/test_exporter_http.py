"""/metrics over HTTP: it never waits for a device, tells only what is sound, and is bounded in every way."""

from __future__ import annotations

import gzip
import http.client
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from field_devices import FieldDevice
from metrics_blocks import a_block
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families
from prometheus_client.registry import Collector

from pytest_lan_hil.cli.commands import monitor
from pytest_lan_hil.cli.failures import run
from pytest_lan_hil.config import SearchPath, load_board
from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.run.monitor.exporter import Exporter, status
from pytest_lan_hil.run.monitor.inventory import Device
from pytest_lan_hil.run.monitor.serving import is_loopback, parse_address, serving

ROOT = Path(__file__).resolve().parents[3]
BOARD = load_board("nrf52840", SearchPath.default(ROOT))
LIMIT_S = 10.0
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


def get(
    address: tuple[str, int], path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(*address, timeout=LIMIT_S)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@contextmanager
def served(*devices: Device) -> Iterator[tuple[tuple[str, int], Exporter]]:
    with (
        Exporter(devices, {"nrf52840": BOARD}, every_s=0.05, stale_after_s=60) as exporter,
        serving(exporter, ("127.0.0.1", 0), lambda: status(exporter.views(), time.time())) as address,
    ):
        yield address, exporter


def a_device(path: Path, **changes: object) -> Device:
    return Device(**{"id": path.name, "board": "nrf52840", "port": str(path), **changes})


def wait_up(exporter: Exporter) -> None:
    stop = time.monotonic() + LIMIT_S
    while not all(view.up for view in exporter.views()):
        assert time.monotonic() < stop, status(exporter.views(), time.time())
        time.sleep(0.01)


def value(text: str, name: str, **labels: str) -> float | None:
    found = [
        sample.value
        for family in families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_scrape_tells_all_of_a_device_in_either_format_and_zipped(tmp_path: Path) -> None:
    with FieldDevice(tmp_path / "d"), served(a_device(tmp_path / "d")) as (address, exporter):
        wait_up(exporter)
        code, headers, plain = get(address, "/metrics")
        _, open_headers, opened = get(address, "/metrics", OPENMETRICS)
        _, zipped_headers, zipped = get(address, "/metrics", {"Accept-Encoding": "gzip"})
    assert code == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert open_headers["Content-Type"].startswith("application/openmetrics-text")
    assert zipped_headers["Content-Encoding"] == "gzip"
    for parsed in (
        families(plain.decode()),
        open_families(opened.decode()),
        families(gzip.decompress(zipped).decode()),
    ):
        samples = {sample.name: sample for family in parsed for sample in family.samples}
        assert samples["lan_device_up"].value == 1
        assert samples["lan_frames_total"].value == 313
        assert samples["lan_inference_latency_seconds_count"].value == 4
        assert samples["lan_budget_power_watts"].value == pytest.approx(0.9e-3)
        assert all(not math.isnan(sample.value) for sample in samples.values())


def test_a_scrape_does_not_wait_for_a_device_that_never_answers(tmp_path: Path) -> None:
    with FieldDevice(tmp_path / "d") as silent:
        silent.answer = lambda block: None
        with served(a_device(tmp_path / "d"), a_device(tmp_path / "absent")) as (address, _):
            while "lnn metrics" not in silent.asked:  # from here on its reader waits, for two seconds
                time.sleep(0.005)
            started = time.monotonic()
            _, _, text = get(address, "/metrics")
            took_s = time.monotonic() - started
    assert took_s < 1.0
    assert value(text.decode(), "lan_device_up", device="d") == 0
    assert value(text.decode(), "lan_device_up", device="absent") == 0
    assert value(text.decode(), "lan_expected_info", device="absent") == 1
    assert value(text.decode(), "lan_device_last_seen_timestamp_seconds", device="d") is None
    assert value(text.decode(), "lan_frames_total", device="d") is None


def test_quotes_newlines_and_backslashes_in_labels_come_back_as_they_were(tmp_path: Path) -> None:
    site = 'hall "3"\nby the \\ door'
    with (
        FieldDevice(tmp_path / "d") as fake,
        served(a_device(tmp_path / "d", site=site)) as (address, exporter),
    ):
        wait_up(exporter)
        _, _, plain = get(address, "/metrics")
        _, _, opened = get(address, "/metrics", OPENMETRICS)
        _, _, shown = get(address, "/")
        assert fake.asked
    for parsed in (families(plain.decode()), open_families(opened.decode())):
        assert {sample.labels["bench"] for family in parsed for sample in family.samples} == {site}
    assert 'up   d nrf52840 at hall "3" by the \\ door, seen' in shown.decode()


class _Slow(Collector):
    """Takes its time, and counts how often it was asked."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked = 0

    def collect(self) -> Iterator[Metric]:
        self.asked += 1
        time.sleep(self.seconds)
        yield GaugeMetricFamily("lan_asked", "How often", value=self.asked)


def test_scrapes_that_overlap_share_one_answer() -> None:
    slow = _Slow(0.3)
    with serving(slow, ("127.0.0.1", 0), str) as address:
        scrapes = [threading.Thread(target=get, args=(address, "/metrics")) for _ in range(8)]
        started = time.monotonic()
        for scrape in scrapes:
            scrape.start()
        for scrape in scrapes:
            scrape.join()
        took_s = time.monotonic() - started
    assert slow.asked <= 2
    assert took_s < 8 * 0.3


def test_clients_beyond_the_limit_are_let_go_and_idle_ones_do_not_keep_a_place() -> None:
    with serving(_Slow(0), ("127.0.0.1", 0), str) as address:
        idle = [socket.create_connection(address) for _ in range(40)]
        try:
            with pytest.raises((OSError, http.client.HTTPException)):
                get(address, "/metrics")
        finally:
            for connection in idle:
                connection.close()
        stop = time.monotonic() + LIMIT_S
        while True:  # their places are free as soon as their threads have seen the end
            try:
                assert get(address, "/metrics")[0] == 200
                break
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < stop
                time.sleep(0.02)


def test_other_pages() -> None:
    with serving(_Slow(0), ("127.0.0.1", 0), lambda: "the status\n") as address:
        assert get(address, "/")[2].decode().endswith("the status\n")
        assert get(address, "/-/healthy")[0] == 200
        assert get(address, "/etc/passwd")[0] == 404


def test_an_address_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = f"listening on 127.0.0.1:{port}: Address already in use"
        with pytest.raises(BlockedError, match=said), serving(_Slow(0), ("127.0.0.1", port), str):
            pass


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:1", ("::1", 1)), (":8080", ("", 8080))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["8080", "localhost", "localhost:", "h:65536", "h:-1", "h:x"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(InputError, match="is not HOST:PORT"):
        parse_address(text)


def test_what_others_can_reach_is_known() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(is_loopback, ("", "0.0.0.0", "::", "10.0.0.1", "example.org")))


def test_a_reading_that_would_be_stale_before_the_next_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stale after 1 s"):
        Exporter([a_device(tmp_path)], {"nrf52840": BOARD}, every_s=5, stale_after_s=1)


# The command ------------------------------------------------------------------------------------------------


def command(*arguments: str) -> int:
    app = typer.Typer()
    monitor.register(app)
    return run(app, ["monitor", "exporter", *arguments])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no device is named"),
        (("--device", "a=/dev/x", "--inventory", "f"), "by --inventory and by --device"),
        (("--device", "a=/dev/x"), "add --board nrf52840"),
        (("--device", "a=/dev/x", "--board", "nrf5284"), "did you mean nrf52840?"),
        (("--inventory", "none.toml"), "can't be read"),
        (("--device", "a=/dev/x", "--board", "nrf52840", "--listen", "8080"), "is not HOST:PORT"),
    ],
)
def test_a_command_line_that_names_no_devices_is_refused(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_end_and_ends_well(
    tmp_path: Path, ending: signal.Signals
) -> None:
    code = (
        "import sys, typer; from pytest_lan_hil.cli.commands import monitor;"
        "from pytest_lan_hil.cli.failures import run;"
        "app = typer.Typer(); monitor.register(app); sys.exit(run(app, sys.argv[1:]))"
    )
    options = ("--board", "nrf52840", "--listen", "127.0.0.1:0", "--every", "0.1")
    arguments = ["monitor", "exporter", "--device", f"d={tmp_path / 'd'}", *options]
    with (
        FieldDevice(tmp_path / "d", a_block(frames=77)),
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        assert process.stderr is not None
        said = process.stderr.readline()
        address = ("127.0.0.1", int(said.split("127.0.0.1:")[1].split("/")[0]))
        stop = time.monotonic() + LIMIT_S
        while value(get(address, "/metrics")[2].decode(), "lan_frames_total") != 77:
            assert time.monotonic() < stop
            time.sleep(0.05)
        process.send_signal(ending)
        assert process.wait(LIMIT_S) == 0
        assert process.stderr.read() == ""
    with pytest.raises(OSError):
        socket.create_connection(address, timeout=1)
