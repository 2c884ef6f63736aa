"""The lease: exclusive, all or nothing, and gone with its owner."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lan_hil.model.errors import LeaseError
from pytest_lan_hil.run.lease import lease

HOLDER = """
import sys, time
from pytest_lan_hil.run.lease import lease
with lease(sys.argv[1:], wait_s=5):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HIL_STATE", str(tmp_path))


def _hold(*devices: str) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, *devices], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "held"
    return holder


def test_second_process_is_refused_and_told_who_holds_the_bench() -> None:
    holder = _hold("virtual:nrf52840")
    try:
        with (
            pytest.raises(LeaseError, match=f"process {holder.pid}"),
            lease(["virtual:nrf52840"], wait_s=0.1),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()


def test_killed_owner_leaves_the_bench_free() -> None:
    holder = _hold("virtual:nrf52840")
    holder.kill()
    holder.wait()
    with lease(["virtual:nrf52840"], wait_s=5):
        pass


def test_when_one_device_is_held_none_is_kept() -> None:
    holder = _hold("b")
    try:
        with pytest.raises(LeaseError), lease(["a", "b"], wait_s=0.1):
            pass
        other = _hold("a")
        other.kill()
        other.wait()
    finally:
        holder.kill()
        holder.wait()
