"""From differences with their standard errors to verdicts: the one place where p-values decide.

Two questions are asked of each subject, and each has its own error. *Is it worse by more than the margin?*
A false yes fails somebody's commit, so it is held to alpha over the whole family of subjects. *Is it worse
by less?* (non-inferiority) A false yes lets one regression pass, and all subjects must pass for the run to
pass, so each is held to alpha by itself. Neither: inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pytest_lan_hil.judge.families import bonferroni, holm
from pytest_lan_hil.judge.student import critical, upper_tail
from pytest_lan_hil.judge.wording import change_text, heading, margin_text
from pytest_lan_hil.model.comparison import Arm, Comparison, Subject
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.quantities import Direction, Margin

ALPHA = 0.05
# Baseline files keep six digits: an exact figure that differs by less did not change.
_ROUNDING = 5e-6


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference and what is known of it, display unit.

    Attributes:
        value: Of the difference.
        error: Its standard error; 0: exact, infinite: not bounded.
        degrees: Degrees of freedom of the error.
    """

    value: float
    error: float
    degrees: float

    def p_above(self, tolerance: float) -> float:
        """How often chance alone gives a difference so large, or larger, if it is 0."""
        if self.error == 0:
            return 0.0 if self.value > tolerance else 1.0
        return upper_tail(self.value / self.error, self.degrees)

    def p_below(self, tolerance: float) -> float:
        """How often chance alone gives a difference so small, or smaller, if it is 0."""
        if self.error == 0:
            return 1.0 if self.value > tolerance else 0.0
        return upper_tail(-self.value / self.error, self.degrees)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would settle an inconclusive verdict: runs of the head in all, if a number would, and words."""

    repeats: int | None
    advice: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One subject, measured on both sides, before it is judged with its family.

    Attributes:
        subject, unit, statistic, direction, margin: Of the subject.
        base, head: Both sides.
        change: head less base.
        excess: Worse by how much more than the margin.
        gain: Better by how much more than the margin.
        recurs: False where a regression is not (yet) seen in every block of an A/B session.
        caveat: What is not known, for the reason; "" if nothing.
        outlook: Asked with the level of a regression and that of within.
    """

    subject: Subject
    unit: str
    statistic: str
    direction: Direction
    margin: Margin
    base: Arm
    head: Arm
    change: Difference
    excess: Difference
    gain: Difference
    outlook: Callable[[float, float], Outlook]
    recurs: bool = True
    caveat: str = ""

    @property
    def tolerance(self) -> float:
        """Below which an exact difference is rounding."""
        return _ROUNDING * abs(self.base.value)


def decide(findings: Sequence[Finding], *, alpha: float, tests: int | None) -> list[Comparison]:
    """Judge the findings as one family, in their order.

    Args:
        findings: What was measured on both sides.
        alpha: See `compare`.
        tests: See `compare`.

    Raises:
        InputError: `alpha` is not between 0 and 1, or there are more findings than tests.
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha = {alpha} is not a probability of error", fix="give for instance 0.05")
    if tests is not None and tests < len(findings):
        raise InputError(
            f"{len(findings)} comparisons in a family of {tests}", fix="count every comparison of the run"
        )
    worse = [one.excess.p_above(one.tolerance) for one in findings]
    better = [one.gain.p_above(one.tolerance) for one in findings]
    if tests is None:
        worse, better = holm(worse), holm(better)
    else:
        worse, better = bonferroni(worse, tests), bonferroni(better, tests)
    family = len(findings) if tests is None else tests
    return [
        _judged(one, p_regressed, p_improved, alpha, family)
        for one, p_regressed, p_improved in zip(findings, worse, better, strict=True)
    ]


def undecided(
    subject: Subject,
    unit: str,
    statistic: str,
    direction: Direction,
    margin: Margin,
    *,
    base: Arm | None = None,
    head: Arm | None = None,
    reason: str,
) -> Comparison:
    """Inconclusive, because a side is missing: the change is not bounded."""
    return Comparison(
        subject=subject,
        kind=VerdictKind.INCONCLUSIVE,
        unit=unit,
        statistic=statistic,
        direction=direction,
        base=base,
        head=head,
        margin=margin.at(base.value) if base else margin.absolute,
        change=0.0,
        change_low=-math.inf,
        change_high=math.inf,
        p_regressed=1.0,
        p_within=1.0,
        p_improved=1.0,
        reason=reason,
    )


def _judged(found: Finding, p_regressed: float, p_improved: float, alpha: float, family: int) -> Comparison:
    p_within = found.excess.p_below(found.tolerance)
    outlook = Outlook(None, "")
    if p_regressed <= alpha and found.recurs:
        kind = VerdictKind.REGRESSED
    elif p_within <= alpha:
        kind = VerdictKind.IMPROVED if p_improved <= alpha else VerdictKind.WITHIN
    else:
        kind = VerdictKind.INCONCLUSIVE
        outlook = found.outlook(alpha / family, alpha)
    change = _without_rounding(found.change, found.tolerance)
    low, high = _interval(change)
    return Comparison(
        subject=found.subject,
        kind=kind,
        unit=found.unit,
        statistic=found.statistic,
        direction=found.direction,
        base=found.base,
        head=found.head,
        margin=found.margin.at(found.base.value),
        change=change.value,
        change_low=low,
        change_high=high,
        p_regressed=p_regressed,
        p_within=p_within,
        p_improved=p_improved,
        reason=_reason(found, kind, change.value, low, high, outlook.advice),
        repeats=outlook.repeats,
    )


def _without_rounding(change: Difference, tolerance: float) -> Difference:
    """0 where a change without an interval is no more than rounding."""
    rounding = abs(change.value) <= tolerance and (change.error == 0 or math.isinf(change.error))
    return replace(change, value=0.0) if rounding else change


def _interval(change: Difference) -> tuple[float, float]:
    if change.error == 0:
        return change.value, change.value
    if math.isinf(change.error):
        return -math.inf, math.inf
    half = critical(0.025, change.degrees) * change.error
    return change.value - half, change.value + half


def _reason(found: Finding, kind: VerdictKind, change: float, low: float, high: float, advice: str) -> str:
    margin = margin_text(found.margin, found.base.value, found.unit)
    said = {
        VerdictKind.REGRESSED: f"worse by more than {margin}",
        VerdictKind.IMPROVED: f"better by more than {margin}",
        VerdictKind.WITHIN: f"within {margin}",
        VerdictKind.INCONCLUSIVE: f"can't be told from {margin}: {advice}",
    }[kind]
    changed = change_text(change, low, high, found.base, found.unit)
    first = heading(found.subject, found.statistic, found.unit, found.base, found.head, changed)
    return f"{first}: {said}" + (f" ({found.caveat})" if found.caveat else "")
