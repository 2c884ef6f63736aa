"""Where a core spends its time while it makes inferences, by function. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

OUTSIDE = "(outside functions)"
"""Name for addresses that no function of the image holds."""


class Counted(str, Enum):
    """What was counted: every cycle (a virtual core), or samples of the program counter (a real one)."""

    CYCLES = "cycles"
    SAMPLES = "samples"


@dataclass(frozen=True, slots=True)
class FunctionTime:
    """One function's part.

    Attributes:
        name: As in the image's symbols; clones of the compiler ("f.isra.0") count as the function.
        amount: Cycles, or samples.
        error: Standard error of `amount`; 0 for cycles.
    """

    name: str
    amount: int
    error: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One pass of a firmware that makes inferences.

    Attributes:
        firmware_sha256: Of the image.
        counted: What `total` and the functions' amounts are.
        inferences: How many were made, one at least.
        duration_s: How long the pass took, on the board's clock.
        asleep_s: Of it, how long the core did not run.
        total: Cycles: all, by the core's own counter. Samples: all, those of a sleeping core too.
        functions: Largest first.
    """

    firmware_sha256: str
    counted: Counted
    inferences: int
    duration_s: float
    asleep_s: float
    total: int
    functions: tuple[FunctionTime, ...]

    @property
    def unit(self) -> str:
        """Of what `for_each_inference` gives."""
        return "cycles" if self.counted is Counted.CYCLES else "us"

    @property
    def for_each_inference(self) -> float:
        """What an amount is multiplied by, for cycles (or microseconds, from samples) of one inference."""
        if self.counted is Counted.CYCLES:
            return 1 / self.inferences
        return 1e6 * self.duration_s / self.total / self.inferences
