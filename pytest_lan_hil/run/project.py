"""Identity of the project under test and of this run: git commit, versions, run id."""

from __future__ import annotations

import os
import secrets
import subprocess
from datetime import datetime, timezone
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

# https://docs.github.com/en/actions/reference/workflows-and-actions/variables,
# https://docs.gitlab.com/ci/variables/predefined_variables/, Jenkins' multibranch pipelines
_CI_BRANCHES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME")


def git_state(folder: Path) -> tuple[str, bool]:
    """Commit and dirtiness of the checkout that holds `folder`; ("", False) where there is none."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def git_branch(folder: Path) -> str:
    """Branch that the checkout of `folder` is on; "" where there is none: no checkout, or a detached head.

    A CI job checks out a commit, not a branch; there the branch is taken from what the CI says of its job:
    GITHUB_HEAD_REF or GITHUB_REF_NAME, CI_COMMIT_REF_NAME (GitLab), BRANCH_NAME (Jenkins).
    """
    command = ["git", "-C", str(folder), "symbolic-ref", "--quiet", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    if done.returncode == 0:
        return done.stdout.strip()
    detached = 1  # https://git-scm.com/docs/git-symbolic-ref: --quiet; anything else is no checkout
    told = (os.environ.get(name, "") for name in _CI_BRANCHES)
    return next(filter(None, told), "") if done.returncode == detached else ""


def versions() -> dict[str, str]:
    """Installed versions of the packages that shape a measurement."""
    from importlib import metadata  # takes as long to load as many a command

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
