"""From tests to the run: which outcome wins, and what is pooled."""

from __future__ import annotations

import pytest

from pytest_lan_hil.measure.battery import battery_life
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.model.measurement import Budget, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.record import TestRecord
from pytest_lan_hil.run.summary import pooled, run_outcome


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


def test_battery_lives_are_joined_to_the_shortest() -> None:
    lives = [battery_life(from_values("power", [load, load]), 2.55) for load in (0.5, 0.8, 0.6)]
    verdict = Verdict(VerdictKind.WITHIN, Budget("battery", 1.0, "mean", "marker"), "h", None, 2, "")
    tests = [
        TestRecord(str(k), Outcome.PASSED, measurements={"battery": life}, verdicts=(verdict,))
        for k, life in enumerate(lives)
    ]
    assert pooled(tests) == {"battery": lives[1]}
