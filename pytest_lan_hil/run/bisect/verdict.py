"""What a session of two images says about the commit of the head image. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from pytest_lan_hil.model.comparison import Comparison
from pytest_lan_hil.model.errors import BlockedError, InputError
from pytest_lan_hil.model.measurement import Outcome, VerdictKind
from pytest_lan_hil.model.record import RunRecord, TestRecord
from pytest_lan_hil.run.ab_steps import Side, side_of


class Word(str, Enum):
    """What a commit is, in the words of `git bisect`."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out about a commit, and why."""

    word: Word
    reason: str


def found_in(record: RunRecord, quantities: Collection[str] = ()) -> Found:
    """Judge the head image: bad if a quantity regressed, good if all held, else there is nothing to be said.

    Args:
        record: Of a session with `--hil-ab`.
        quantities: Only these count; none named: all.

    Raises:
        BlockedError: The bench is at fault: it would be for every commit.
        InputError: The good image itself fails, or nothing was compared.
    """
    compared = [
        comparison
        for test in record.tests
        for comparison in test.comparisons
        if not quantities or comparison.subject.quantity in quantities
    ]
    worse = [one for one in compared if one.kind is VerdictKind.REGRESSED]
    if worse:
        return Found(Word.BAD, _reasons(worse))
    broken = [test for test in record.tests if _is_broken(test)]
    for test in broken:
        if side_of(test.nodeid) is Side.BASE:
            raise _good_is_broken(test)
    if broken:
        return Found(Word.SKIP, f"{broken[0].nodeid} {broken[0].outcome.value}: {broken[0].message}")
    if not compared:
        raise _nothing_compared(record, quantities)
    undecided = [one for one in compared if one.kind is VerdictKind.INCONCLUSIVE]
    if undecided:
        return Found(Word.SKIP, _reasons(undecided))
    return Found(Word.GOOD, _reasons(compared))


def _reasons(compared: Sequence[Comparison]) -> str:
    return "\n".join(one.reason for one in compared)


def _is_broken(test: TestRecord) -> bool:
    """True if a test came to no comparison, though it should have."""
    return test.outcome in (Outcome.FAILED, Outcome.BLOCKED) and not test.comparisons


def _good_is_broken(test: TestRecord) -> BlockedError | InputError:
    if test.outcome is Outcome.BLOCKED:
        return BlockedError(
            f"{test.nodeid} was blocked with the good image: {test.message}",
            fix="mend the bench (`lan-hil doctor`), and bisect again",
        )
    return InputError(
        f"{test.nodeid} failed with the good image, which is to pass: {test.message}",
        fix="name tests that it passes: --tests PATH",
    )


def _nothing_compared(record: RunRecord, quantities: Collection[str]) -> InputError:
    what = f"no test compared {', '.join(sorted(quantities))}" if quantities else "no test compared anything"
    judged = sorted({one.subject.quantity for test in record.tests for one in test.comparisons})
    there = f"; compared were {', '.join(judged)}" if judged else ""
    return InputError(
        f"{what}{there}",
        fix='give a test a budget, or @pytest.mark.no_regression("latency"), and name it: --tests PATH',
    )
