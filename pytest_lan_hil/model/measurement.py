"""Measurements and verdicts: what a run is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class VerdictKind(str, Enum):
    """What a budget (within, over, inconclusive) or a baseline (all but over) says about a measurement."""

    WITHIN = "within"
    OVER = "over"
    REGRESSED = "regressed"
    IMPROVED = "improved"
    INCONCLUSIVE = "inconclusive"


class Outcome(str, Enum):
    """How a test, or a run, ended."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Estimate:
    """One statistic of a measurement, with its uncertainty. All figures in the quantity's display unit.

    Attributes:
        statistic: "mean", "max", or a percentile such as "p95".
        value: The point estimate.
        ci95_low, ci95_high: Statistical 95 % confidence interval; equal to `value` for an exact figure,
            infinite where the samples can't bound it.
        instrument_error: 95 % half-width of the instrument's systematic error.
        low, high: `ci95_*` widened by `instrument_error` (root sum of squares per side): the interval that
            verdicts are made from.
    """

    statistic: str
    value: float
    ci95_low: float
    ci95_high: float
    instrument_error: float
    low: float
    high: float

    @property
    def uncertainty(self) -> float:
        """Half-width: the larger distance from `value` to `low` or `high`."""
        return max(self.value - self.low, self.high - self.value)


@dataclass(frozen=True, slots=True)
class Spread:
    """Descriptive statistics of the values, in the display unit (std is 0 for n = 1)."""

    mean: float
    std: float
    minimum: float
    p50: float
    p95: float
    p99: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Conditions:
    """State of the bench while the record was made.

    Attributes:
        probe: "detached" (session closed, core running, debug domain down), "attached", or "none".
        console: "rest" (no byte moved while measuring power), "active", or "none".
        supply: "measured" or "assumed" supply voltage, or "none".
    """

    probe: str = "none"
    console: str = "none"
    supply: str = "none"


@dataclass(frozen=True, slots=True)
class Contribution:
    """One line of an uncertainty budget.

    Attributes:
        name: "current gain".
        half_width: 95 % half-width, in the unit of the measurement.
        unit: That unit.
        source: Where the figure comes from: data sheet and table, or the record itself.
    """

    name: str
    half_width: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A quantity's distribution in one test, with uncertainty and provenance.

    Attributes:
        quantity: Name in `model.quantities.QUANTITIES`, or a user's own name.
        unit: Display unit of every figure.
        n: Number of values (windows, blocks or readings).
        values: The values themselves, in order of time.
        spread: Their description.
        estimate: The quantity's own statistic with its uncertainty.
        lost_share: Share of the samples that the instrument dropped, 0 to 1.
        instrument: Model and serial of what measured it: the same in every run with it, or no baseline fits.
        simulated: True if a virtual bench made it.
        conditions: State of the bench.
        notes: Sentences that a reader of the number must know.
        duration_s: Seconds of record that the values come from; 0 where that means nothing (memory).
        contributions: The instrument's part of the uncertainty, line by line (`--explain` prints them).
    """

    quantity: str
    unit: str
    n: int
    values: tuple[float, ...]
    spread: Spread
    estimate: Estimate
    lost_share: float
    instrument: str
    simulated: bool
    conditions: Conditions = Conditions()
    notes: tuple[str, ...] = ()
    duration_s: float = 0.0
    contributions: tuple[Contribution, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """An absolute limit on a measurement.

    Attributes:
        quantity: Name in the quantity table.
        limit: In the quantity's display unit.
        statistic: What is compared: "mean", "max", "p95".
        source: Where it comes from: "marker" or "board nrf52840".
    """

    quantity: str
    limit: float
    statistic: str
    source: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a budget says about a measurement, and why.

    `estimate` is None where nothing could be measured.
    """

    kind: VerdictKind
    budget: Budget
    unit: str
    estimate: Estimate | None
    n: int
    reason: str
