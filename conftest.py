"""Shared by every test of this repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session", autouse=True)
def own_state(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Path | None]:
    """Tests of the harness keep virtual boards, leases and settings apart from the user's own.

    A run on a board (`--board`) is a user's run and keeps the user's state.
    """
    if request.config.getoption("board"):
        yield None
        return
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAN_HIL_STATE", str(folder))
        patch.setenv("LAN_HIL_VIRTUAL_STATE", str(folder / "virtual"))
        for name in ("BENCH", "PUSHGATEWAY", "OUTPUT", "JOB", "DEBUG", "VIRTUAL_FAULTS"):
            patch.delenv(f"LAN_HIL_{name}", raising=False)
        yield folder
