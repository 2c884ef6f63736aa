"""Parts of `monitor serve`: programs found, started, watched and stopped; derived configuration; alerts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from required import binary

from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.run.monitor.alerts import Alert, listening, parse
from pytest_lan_hil.run.monitor.services import (
    PROMETHEUS,
    Ending,
    Program,
    Service,
    find,
    port_near,
    started,
    until_told_to_end,
)
from pytest_lan_hil.run.monitor.stack_config import alertmanager_config, monitoring_root, prometheus_config

LIMIT_S = 20.0
TARGETS = {"lan_hil": "127.0.0.1:1", "lan_devices": "127.0.0.1:2"}
PYTHON = sys.executable


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def wait_until(true: Callable[[], bool], what: str) -> None:
    stop = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < stop, what
        time.sleep(0.02)


def test_programs_that_are_missing_are_all_named_with_their_packages() -> None:
    with pytest.raises(BlockedError) as refused:
        find((Program(("no-such-a",), "package-a"), Program(("no-such-b", "b2"), "package-b")))
    assert "not installed: no-such-a, no-such-b" in refused.value.problem
    assert "sudo apt install package-a package-b" in refused.value.fix


def test_a_program_is_found_by_any_of_its_names() -> None:
    assert find((Program(("no-such", "sh"), "x"),))[0].endswith("/sh")
    assert PROMETHEUS.package == "prometheus"


def test_a_port_that_is_taken_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port_near(port) != port
    assert port_near(port) == port


def test_what_a_service_started_is_stopped_with_it_even_if_it_does_not_want_to(tmp_path: Path) -> None:
    script = (
        "import os, signal, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c',"
        " 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'])\n"
        "time.sleep(0.3)\n"
        "print(os.getpid(), child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with started(Service("a", (PYTHON, "-c", script)), tmp_path) as running:
        wait_until(lambda: len(running.tail().split()) == 2, "it did not say its processes")
        processes = [int(word) for word in running.tail().split()]
        assert all(map(alive, processes))
    wait_until(lambda: not any(map(alive, processes)), "a process outlived its service")


def test_a_service_is_stopped_when_the_block_fails(tmp_path: Path) -> None:
    processes = []

    def fail() -> None:
        with started(Service("a", ("sleep", "600")), tmp_path) as running:
            processes.append(running._process.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not any(map(alive, processes))


def test_a_service_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = ("sh", "-c", "echo 'no space left'; exit 3")
    with started(Service("a", command, "http://127.0.0.1:9/"), tmp_path) as running:
        with pytest.raises(BlockedError, match="a ended with 3:\nno space left"):
            running.wait_ready(Ending())
        with pytest.raises(BlockedError, match="a ended with 3"):
            running.require()


def test_a_program_that_can_not_be_started_is_told(tmp_path: Path) -> None:
    service = Service("a", (str(tmp_path / "none"),))
    with pytest.raises(BlockedError, match="starting a: No such file"), started(service, tmp_path):
        pass


def test_waiting_for_a_service_ends_when_it_is_time_to_end(tmp_path: Path) -> None:
    ending = Ending()
    ending.tell()
    with started(Service("a", ("sleep", "600"), "http://127.0.0.1:9/"), tmp_path) as running:
        begun = time.monotonic()
        running.wait_ready(ending)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_say_that_it_is_time_and_interrupt_nothing(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with until_told_to_end() as ending:
        assert not ending.wait(0.01)
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        assert ending.wait(LIMIT_S)
        os.kill(os.getpid(), number)  # again, as impatient people do
        assert ending.is_set()
        assert ending.wait()
    assert signal.getsignal(number) == before


# Configuration ----------------------------------------------------------------------------------------------


def test_prometheus_gets_the_shipped_jobs_and_rules_at_our_addresses(tmp_path: Path) -> None:
    root = monitoring_root()
    text = prometheus_config(root, TARGETS, "127.0.0.1:3")
    found = json.loads(text)
    jobs = {job["job_name"]: job for job in found["scrape_configs"]}
    assert {name: job["static_configs"] for name, job in jobs.items()} == {
        name: [{"targets": [target]}] for name, target in TARGETS.items()
    }
    assert jobs["lan_hil"]["honor_labels"] is True
    assert not any(key.endswith("_sd_configs") for job in jobs.values() for key in job)
    assert list((root / "prometheus" / "rules").glob("*.yml"))
    file = tmp_path / "prometheus.yml"
    file.write_text(text, encoding="utf-8")
    checked = subprocess.run(
        [binary("promtool", "prometheus"), "check", "config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "rules found" in checked.stdout


def test_every_receiver_becomes_our_webhook_and_no_secret_is_asked_for(tmp_path: Path) -> None:
    text = alertmanager_config(monitoring_root(), "http://127.0.0.1:4")
    found = json.loads(text)
    receivers = {receiver["name"]: receiver for receiver in found["receivers"]}
    assert len(receivers) >= 3
    for name, receiver in receivers.items():
        assert receiver["webhook_configs"] == [{"url": f"http://127.0.0.1:4/{name}", "send_resolved": True}]
        assert set(receiver) == {"name", "webhook_configs"}
    assert "/run/secrets" not in text
    assert found["route"]["routes"]
    file = tmp_path / "alertmanager.yml"
    file.write_text(text, encoding="utf-8")
    checked = subprocess.run(
        [binary("amtool", "prometheus-alertmanager"), "check-config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scrape_configs: []", "has no job lan_devices, lan_hil"),
        ("a: [", "can't be read"),
        ("- 1", "holds no configuration"),
    ],
)
def test_a_configuration_that_can_not_be_used_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "prometheus").mkdir()
    (tmp_path / "prometheus" / "prometheus.yml").write_text(text, encoding="utf-8")
    with pytest.raises(BlockedError, match=told):
        prometheus_config(tmp_path, TARGETS, "127.0.0.1:3")


# Alerts -----------------------------------------------------------------------------------------------------

NOTIFICATION = {
    "receiver": "critical-slack",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "DeviceOffline", "severity": "critical", "board": "b", "device": "d"},
            "annotations": {"summary": "it is gone"},
        }
    ],
}


def test_an_alert_is_heard_as_it_was_sent() -> None:
    heard: list[Alert] = []
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with listening(heard.append) as url:
        opener.open(f"{url}/critical-slack", json.dumps(NOTIFICATION).encode(), 5).close()
        with pytest.raises(urllib.error.HTTPError, match="400"):
            opener.open(url, b"nonsense", 5)
    (alert,) = heard
    assert str(alert) == "alert firing: DeviceOffline (critical) b, d: it is gone -> critical-slack"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"alerts": 3}', b'{"alerts": [3]}', b"\xff"])
def test_what_is_no_notification_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse(body)
