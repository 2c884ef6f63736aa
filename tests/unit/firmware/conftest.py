"""The firmware's portable part on the host, compiled once."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import pytest
from firmware_host import HostConsole, build


@pytest.fixture(scope="session")
def firmware_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("firmware"))


@pytest.fixture(scope="session")
def firmware(firmware_library: Path) -> ctypes.CDLL:
    """For functions that keep no state."""
    return ctypes.CDLL(str(firmware_library))


@pytest.fixture
def host(firmware_library: Path, tmp_path: Path) -> HostConsole:
    """A firmware of its own: a copy is loaded anew, with fresh variables."""
    own = shutil.copy(firmware_library, tmp_path / "own.so")
    console = HostConsole(ctypes.CDLL(str(own)))
    console.start()
    console.frame_takes(200)
    return console
