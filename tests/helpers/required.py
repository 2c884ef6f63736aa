"""Programs that tests run: where one is absent they skip, but in CI (LAN_HIL_REQUIRE_SERVERS) they fail."""

from __future__ import annotations

import os
import shutil

import pytest


def binary(name: str, package: str) -> str:
    """Path of a program; `package` is Debian's that brings it."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("LAN_HIL_REQUIRE_SERVERS"):
            pytest.fail(f"{name} is not installed, and LAN_HIL_REQUIRE_SERVERS is set")
        pytest.skip(f"{name} is not installed (Debian: apt install {package})")
    return path
