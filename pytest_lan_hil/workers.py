"""How pytest-xdist shares out tests: all of one board go to one worker, because two can't hold one bench.

Imported only when xdist asks for a scheduler. Overriding `_split_scope` is how xdist's own schedulers differ:
https://pytest-xdist.readthedocs.io/en/stable/how-it-works.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class BoardScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
    """One unit of work per board; every other test is a unit of its own.

    Args:
        config, log: From xdist.
        boards: Names of the boards under test.
    """

    def __init__(self, config: pytest.Config, log: Producer | None, boards: Iterable[str]) -> None:
        super().__init__(config, log)
        self._boards = tuple(boards)

    def _split_scope(self, nodeid: str) -> str:
        return board_of(nodeid, self._boards) or nodeid


def board_of(nodeid: str, boards: Iterable[str]) -> str:
    """The board that a node id's parameters name ("test_it[nrf52840-3]"), or ""."""
    _, _, parameters = nodeid.rstrip("]").partition("[")
    named = [name for name in boards if re.search(rf"(^|-){re.escape(name)}(-|$)", parameters)]
    return max(named, key=len, default="")
