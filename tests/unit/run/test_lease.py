"""The lease: exclusive, all or nothing, and gone with its owner."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def _holder(*devices: str) -> Iterator[int]:
    """Another process that holds `devices`; its process id. It is killed in the end."""
    command = [sys.executable, "-c", HOLDER, *devices]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline().strip() == "held"
            yield holder.pid
        finally:
            holder.kill()


def test_second_process_is_refused_and_told_who_holds_the_bench() -> None:
    with (
        _holder("virtual:nrf52840") as pid,
        pytest.raises(LeaseError, match=f"process {pid}"),
        lease(["virtual:nrf52840"], wait_s=0.1),
    ):
        pass


def test_killed_owner_leaves_the_bench_free() -> None:
    with _holder("virtual:nrf52840"):
        pass
    with lease(["virtual:nrf52840"], wait_s=5):
        pass


def test_when_one_device_is_held_none_is_kept() -> None:
    with _holder("b"):
        with pytest.raises(LeaseError), lease(["a", "b"], wait_s=0.1):
            pass
        with _holder("a"):
            pass


def test_two_names_of_one_device_file_are_one_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.realpath", lambda path: "/dev/ttyACM0")
    with lease(["/dev/serial/by-id/usb-SEGGER-if00?dtr=off", "/dev/ttyACM0"], wait_s=0.1):
        assert len(list((tmp_path / "leases").glob("*.owner"))) == 1
    assert list((tmp_path / "leases").glob("*.owner")) == []


def test_lock_files_that_can_not_be_written_are_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    monkeypatch.setenv("LAN_HIL_STATE", str(tmp_path / "state"))
    with pytest.raises(LeaseError, match="LAN_HIL_STATE"), lease(["a"], wait_s=0.1):
        pass
