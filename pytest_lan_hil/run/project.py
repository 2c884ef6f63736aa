"""Identity of the project under test and of this run: git commit, versions, run id."""

from __future__ import annotations

import secrets
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

_PACKAGES = (
    "pytest-lan-hil",
    "pytest",
    "pyocd",
    "pyserial",
    "numpy",
    "joulescope",
    "pyjoulescope_driver",
    "unicorn",
    "soxr",
)


def git_state(folder: Path) -> tuple[str, bool]:
    """Commit and dirtiness of the checkout that holds `folder`; ("", False) where there is none."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def versions() -> dict[str, str]:
    """Installed versions of the packages that shape a measurement."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def utc_now() -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_run_id(board: str) -> str:
    """Unique, and sorts by time."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{board}-{secrets.token_hex(3)}"
