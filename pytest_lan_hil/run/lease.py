"""A lease on everything a bench names, so that two processes never drive one board.

All or nothing, in a fixed order (no deadlock between two processes); an operating system file lock per
device, which dies with its owner. The lock file says who holds it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import filelock
import platformdirs

from pytest_lan_hil.config.uris import device_of
from pytest_lan_hil.model.errors import LeaseError


def lease_folder() -> Path:
    """Where lock files live: `LAN_HIL_STATE` or the user's state directory."""
    override = os.environ.get("LAN_HIL_STATE")
    return (
        Path(override) / "leases" if override else platformdirs.user_state_path("pytest-lan-hil") / "leases"
    )


def _lock_path(device: str) -> Path:
    """The lock file of a device; two names of one device file (by-id link, ttyACM0) share it."""
    file = device_of(device)
    device = os.path.realpath(file) if file.startswith("/dev/") else file
    readable = re.sub(r"[^A-Za-z0-9]+", "-", device).strip("-")[:40]
    digest = hashlib.sha256(device.encode()).hexdigest()[:8]
    return lease_folder() / f"{readable}-{digest}.lock"


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.with_suffix(".owner").read_text(encoding="utf-8"))
        return f"process {owner['pid']} since {owner['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"


@contextmanager
def lease(devices: Iterable[str], *, wait_s: float) -> Iterator[None]:
    """Hold every device of `devices` (URIs) until the block ends.

    Args:
        devices: Device URIs; order does not matter.
        wait_s: How long to wait for all of them together.

    Raises:
        LeaseError: Another process holds one of them for longer than `wait_s`, or lock files can't be
            written; none is held then.
    """
    deadline = time.monotonic() + wait_s
    with ExitStack() as held:
        # By lock file, because two names may mean one device.
        for path, device in sorted({_lock_path(device): device for device in devices}.items()):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                lock = filelock.FileLock(path)
                held.enter_context(lock.acquire(timeout=max(0.0, deadline - time.monotonic())))
                _sign(path, device)
            except filelock.Timeout as error:
                raise LeaseError(
                    f"leasing {device}: {_owner(path)} holds it, and did not let go within {wait_s:g} s",
                    fix="wait for that process, end it, or wait longer (pytest --hil-wait, lan-hil --wait)",
                ) from error
            except OSError as error:
                raise LeaseError(
                    f"leasing {device}: lock file {path}: {error.strerror or error}",
                    fix="make that folder writable, or set LAN_HIL_STATE to one that is",
                ) from error
            held.callback(path.with_suffix(".owner").unlink, missing_ok=True)
        yield


def _sign(path: Path, device: str) -> None:
    """Say who holds it."""
    owner = {"pid": os.getpid(), "device": device, "since": time.strftime("%H:%M:%S")}
    path.with_suffix(".owner").write_text(json.dumps(owner), encoding="utf-8")
