"""Fixtures of the virtual bench's own tests."""

from __future__ import annotations

import pytest
from fabric_rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()
