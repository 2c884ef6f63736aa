"""The comparisons of a session: each test with its baseline as it ends, and again after each repeat.

Not all comparisons of a session are at hand when a test ends, so each is corrected for as many as were asked
for on its board (Bonferroni). With `--hil-until-decided` a test is repeated, and judged after each repeat at
the level of `judge.sequential`, until its comparisons are settled, the looks are used up or the time box is
over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pytest_lan_hil.judge.decision import ALPHA
from pytest_lan_hil.judge.regression import compare
from pytest_lan_hil.judge.sequential import LOOKS, nominal_level, settled
from pytest_lan_hil.model.comparison import BaselineRow, Comparison, Repeatability, Subject, without_board
from pytest_lan_hil.model.measurement import Measurement, Outcome, VerdictKind
from pytest_lan_hil.model.quantities import Margin
from pytest_lan_hil.run.baselines import pair_of, refuse_changed_rows, row_of
from pytest_lan_hil.run.options import Inconclusive
from pytest_lan_hil.run.reference import Reference


class ComparedTest:
    """The comparisons of one test, over its repeats.

    Attributes:
        margins: Quantity to margin, for each that is compared.
        comparisons: After the last repeat; of all repeats so far together.
        wants_another: True if one more repeat may settle what is open.
        ending: Why there is no further repeat though something is open; "" if there was to be none.
    """

    def __init__(
        self,
        nodeid: str,
        board: str,
        margins: Mapping[str, Margin],
        reference: Callable[[], Reference],
        *,
        family: int,
        box_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is read before the first comparison.

        Args:
            nodeid, board: Of the test.
            margins: What is compared.
            reference: Gives what it is compared with, or raises why nothing can be.
            family: Comparisons asked for on this board in this session.
            box_s: Time for all repeats, seconds; None: the test is not repeated.
            clock: Seconds.
        """
        self.margins = margins
        self.comparisons: tuple[Comparison, ...] = ()
        self.wants_another = False
        self.ending = ""
        self._nodeid = nodeid
        self._board = board
        self._reference = reference
        self._family = max(family, len(margins))
        self._box_s = box_s
        self._clock = clock
        self._began_s = clock()
        self._rows: list[Mapping[Subject, BaselineRow]] = []

    @property
    def repeats(self) -> int:
        """How often the test was measured so far."""
        return len(self._rows)

    def judge(self, measurements: Mapping[str, Measurement]) -> tuple[Comparison, ...]:
        """Take in what one repeat measured, and compare all repeats so far with the baseline.

        A quantity that this test asks for and did not measure is left out; that it can't be measured is said
        elsewhere.

        Raises:
            InputError: The baseline is of something else, or was not measured alike.
        """
        rows = [
            row_of(measurements[quantity], self._nodeid, self._board)
            for quantity in self.margins
            if quantity in measurements
        ]
        self._rows.append({row.subject: row for row in rows})
        reference = self._reference()
        self.wants_another = False
        pairs = []
        for subject, head in self._pooled().items():
            base = reference.baseline.rows.get(subject)
            if base is not None:
                refuse_changed_rows(
                    replace(reference.baseline, rows={subject: base}),
                    replace(reference.baseline, rows={subject: head}),
                )
            margin = self.margins[subject.quantity]
            noise = reference.repeatability.get(subject, Repeatability())
            pairs.append(pair_of(subject, base, head, margin, noise))
        found = compare(pairs, alpha=self._level(), tests=self._family) if pairs else ()
        self.comparisons = tuple(_with_advice(one, reference) for one in found)
        self._decide_on_another()
        return self.comparisons

    def _level(self) -> float:
        return ALPHA if self._box_s is None else nominal_level(LOOKS, ALPHA, self._family)

    def _pooled(self) -> dict[Subject, BaselineRow]:
        """A row for each subject, with a sample of each repeat that measured it."""
        pooled: dict[Subject, BaselineRow] = {}
        for rows in self._rows:
            for subject, row in rows.items():
                before = pooled.get(subject)
                pooled[subject] = replace(row, samples=(*before.samples, *row.samples)) if before else row
        return pooled

    def _decide_on_another(self) -> None:
        kinds = {one.kind for one in self.comparisons}
        if self._box_s is None or settled(self.comparisons) or VerdictKind.REGRESSED in kinds:
            return
        if all(_is_hopeless(one) for one in self.comparisons if one.kind is VerdictKind.INCONCLUSIVE):
            return
        spent = self._clock() - self._began_s
        if self.repeats >= LOOKS:
            self.ending = f"measured {self.repeats} times, which is the most"
        elif spent + spent / self.repeats > self._box_s:
            times = "once" if self.repeats == 1 else f"{self.repeats} times"
            self.ending = (
                f"measured {times} in {spent:.3g} s: one more would not end within the {self._box_s:g} s of"
                " --hil-until-decided"
            )
        else:
            self.wants_another = True


def _is_hopeless(comparison: Comparison) -> bool:
    """True if repeats can't settle it, however many: a side is missing, or its values don't bound it."""
    sides = (comparison.base, comparison.head)
    return any(side is None or math.isinf(side.standard_error) for side in sides)


def _with_advice(comparison: Comparison, reference: Reference) -> Comparison:
    """A comparison without a baseline says the command that saves one."""
    if comparison.base is not None:
        return comparison
    return replace(comparison, reason=reference.without_baseline(comparison.subject))


def outcome_of(comparisons: Sequence[Comparison], inconclusive: Inconclusive) -> Outcome:
    """Failed if anything regressed, else what `--hil-inconclusive` makes of what is open, else passed.

    A missing baseline blocks the test in any case: it is said, never passed over.
    """
    kinds = {one.kind for one in comparisons}
    if VerdictKind.REGRESSED in kinds:
        return Outcome.FAILED
    if any(one.base is None for one in comparisons):
        return Outcome.BLOCKED
    if VerdictKind.INCONCLUSIVE in kinds:
        return _OUTCOMES[inconclusive]
    return Outcome.PASSED


_OUTCOMES = {
    Inconclusive.BLOCK: Outcome.BLOCKED,
    Inconclusive.PASS: Outcome.PASSED,
    Inconclusive.FAIL: Outcome.FAILED,
}


def subject_of(nodeid: str, board: str, quantity: str) -> Subject:
    """What a baseline calls a quantity of a test."""
    return Subject(quantity, without_board(nodeid, board))
