"""From tests to the run: which outcome wins, and what is pooled."""

from __future__ import annotations

import pytest

from pytest_lan_hil.model.measurement import Outcome
from pytest_lan_hil.model.record import TestRecord
from pytest_lan_hil.run.summary import run_outcome


def _tests(*outcomes: Outcome) -> list[TestRecord]:
    return [TestRecord(nodeid=str(index), outcome=outcome) for index, outcome in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Outcome.PASSED, Outcome.SKIPPED], Outcome.PASSED),
        ([Outcome.PASSED, Outcome.BLOCKED], Outcome.BLOCKED),
        ([Outcome.BLOCKED, Outcome.FAILED], Outcome.FAILED),
        ([Outcome.SKIPPED], Outcome.SKIPPED),
        ([Outcome.FAILED, Outcome.INTERRUPTED], Outcome.INTERRUPTED),
    ],
)
def test_worst_outcome_wins(outcomes: list[Outcome], expected: Outcome) -> None:
    assert run_outcome(_tests(*outcomes), interrupted=False) is expected


def test_interrupted_session_is_interrupted_whatever_passed() -> None:
    assert run_outcome(_tests(Outcome.PASSED), interrupted=True) is Outcome.INTERRUPTED
