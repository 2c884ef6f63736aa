"""Benchmarks keep their virtual boards and leases apart from the user's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_state() -> Iterator[str]:
    """A fresh folder for boards and leases while the block runs; the environment is put back after it."""
    names = ("LAN_HIL_STATE", "LAN_HIL_VIRTUAL_STATE")
    before = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(dict.fromkeys(names, folder))
        try:
            yield folder
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
