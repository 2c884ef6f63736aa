"""Two profiles beside each other: which function got slower, and by how much of one inference. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_lan_hil.measure.distributions import NORMAL_95
from pytest_lan_hil.model.profile import FunctionTime, Profile


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """One function then and now, for one inference; None where it did not run.

    Attributes:
        name: Of the function.
        before, after: In the profiles' unit.
        error: Standard error of the difference; 0 where every cycle was counted.
    """

    name: str
    before: float | None
    after: float | None
    error: float

    @property
    def change(self) -> float:
        """After less before."""
        return (self.after or 0.0) - (self.before or 0.0)

    @property
    def state(self) -> str:
        """ "same" (or not told apart by the samples), else "new", "gone", "slower" or "faster"."""
        if abs(self.change) <= NORMAL_95 * self.error:
            return "same"
        if self.before is None or self.after is None:
            return "new" if self.before is None else "gone"
        return "slower" if self.change > 0 else "faster"


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """All functions of two profiles.

    Attributes:
        unit: "cycles" or "us", for one inference.
        functions: What got slower most first.
        before, after: Of all functions together; what the core slept is no part of it.
        asleep_before_s, asleep_after_s: Seconds asleep for one inference.
    """

    unit: str
    functions: tuple[FunctionChange, ...]
    before: float
    after: float
    asleep_before_s: float
    asleep_after_s: float


def compare_profiles(base: Profile, head: Profile) -> ProfileChange:
    """Every function of the two, largest growth first.

    Raises:
        ValueError: One counted cycles and the other samples.
    """
    if base.counted is not head.counted:
        raise ValueError(f"{base.counted.value} and {head.counted.value} can't be compared")
    old = {one.name: one for one in base.functions}
    new = {one.name: one for one in head.functions}
    rows = []
    for name in old.keys() | new.keys():
        before, before_error = _each(base, old.get(name))
        after, after_error = _each(head, new.get(name))
        rows.append(FunctionChange(name, before, after, math.hypot(before_error, after_error)))
    return ProfileChange(
        unit=base.unit,
        functions=tuple(sorted(rows, key=lambda row: (-row.change, row.name))),
        before=_all(base),
        after=_all(head),
        asleep_before_s=base.asleep_s / base.inferences,
        asleep_after_s=head.asleep_s / head.inferences,
    )


def _each(profile: Profile, found: FunctionTime | None) -> tuple[float | None, float]:
    scale = profile.for_each_inference
    return (found.amount * scale, found.error * scale) if found is not None else (None, 0.0)


def _all(profile: Profile) -> float:
    return sum(one.amount for one in profile.functions) * profile.for_each_inference
