"""Synthetic runs for `bench_verdicts`, with the noise of the virtual bench, and the rules that people use.

The noise was measured on 29 November 2026: the tests for latency, energy and power of tests/hil ran 13 times
with the shipped nRF52840 image, and with another noise seed of the analyzer (`&seed=N` in its URI) each time.
`BENCHES` has what the values of a run looked like, and how far apart the 13 runs lay. Latency and energy are
made harder than they were: there the values of all runs were the same up to the analyzer's noise, here each
run draws its own. Nothing but that noise differs between two virtual runs, so `VARYING` is made up: what a
real board does from run to run has to be found out on that board.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.judge.regression import Pair, compare
from pytest_lan_hil.judge.student import satterthwaite, upper_tail
from pytest_lan_hil.measure.quantities import from_values
from pytest_lan_hil.measure.samples import sample_of
from pytest_lan_hil.model.comparison import Comparison, Repeatability, Sample, Subject
from pytest_lan_hil.model.measurement import Spread
from pytest_lan_hil.model.quantities import QUANTITIES

NAIVE_LIMIT = 1.10
ALPHA = 0.05
# Power of the blocks of one period of listening, by their mean: how it was measured, to three digits.
_LISTENING = (1.183, 1.190, 1.217, 1.209, 0.410, 1.211, 1.199, 1.184, 0.064)


@dataclass(frozen=True, slots=True)
class Bench:
    """How a quantity varies on a bench, relative to its value.

    Attributes:
        name: For the table.
        quantity: Name in the quantity table.
        n: Values in a run.
        within: Standard deviation of the values of one run that is new in each run.
        lag_1: Correlation of neighbouring values.
        between: Standard deviation of a run's true value: what makes runs differ beyond their values.
        pattern: What the values do in the same way in every run; empty for nothing.
        history: What is known of A/A runs.
        base_runs, head_runs: How many runs a comparison has.
    """

    name: str
    quantity: str
    n: int
    within: float
    lag_1: float
    between: float
    base_runs: int = 5
    head_runs: int = 1
    pattern: tuple[float, ...] = ()
    history: Repeatability = field(default_factory=Repeatability)


_MEASURED = "virtual bench"
#: The noise as it was measured: 13 runs.
BENCHES = (
    Bench(f"latency p95, {_MEASURED}", "latency", 200, 1.7e-3, 0.34, 0.0),
    Bench(f"energy, {_MEASURED}", "energy", 200, 1.7e-3, 0.34, 3.8e-7),
    # 58 blocks of each run repeat one pattern; what is new in a run is the analyzer's noise.
    Bench(
        f"power while listening, {_MEASURED}", "power", 58, 2e-6, 0.0, 0.0,
        pattern=_LISTENING, history=Repeatability(2.6e-7, 12),
    ),
)  # fmt: skip
#: Made up.
VARYING = (
    Bench("latency p95, runs vary by 1 %", "latency", 200, 1.7e-3, 0.34, 0.01),
    Bench("latency p95, runs vary by 3 %", "latency", 200, 1.7e-3, 0.34, 0.03),
    Bench("the same, 8 runs on each side", "latency", 200, 1.7e-3, 0.34, 0.03, base_runs=8, head_runs=8),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trial:
    """One pair of firmwares, both of true value 1: every run's values, and its sample.

    Attributes:
        base, head: Values: shape (runs, n).
        base_samples, head_samples: One for each run.
    """

    base: NDArray[np.float64]
    head: NDArray[np.float64]
    base_samples: tuple[Sample, ...]
    head_samples: tuple[Sample, ...]


def drawn(bench: Bench, pairs: int, rng: np.random.Generator) -> list[Trial]:
    """Pairs of firmwares that are equal."""
    runs = bench.base_runs + bench.head_runs
    values = _values(bench, pairs * runs, rng).reshape(pairs, runs, bench.n)
    trials = []
    for one in values:
        base, head = one[: bench.base_runs], one[bench.base_runs :]
        trials.append(Trial(base, head, _samples(bench, base), _samples(bench, head)))
    return trials


def _values(bench: Bench, runs: int, rng: np.random.Generator) -> NDArray[np.float64]:
    noise = rng.standard_normal((runs, bench.n))
    if bench.lag_1:
        fresh = math.sqrt(1 - bench.lag_1**2)
        for k in range(1, bench.n):
            noise[:, k] = bench.lag_1 * noise[:, k - 1] + fresh * noise[:, k]
    values = 1 + bench.within * noise
    if bench.pattern:
        values += np.resize(np.asarray(bench.pattern) / np.mean(bench.pattern) - 1, bench.n)
    found: NDArray[np.float64] = values * (1 + bench.between * rng.standard_normal((runs, 1)))
    return found


def _samples(bench: Bench, values: NDArray[np.float64]) -> tuple[Sample, ...]:
    return tuple(sample_of(from_values(bench.quantity, one.tolist())) for one in values)


def judged(bench: Bench, trial: Trial, worse: float, *, head_runs: int, alpha: float = ALPHA) -> Comparison:
    """The verdict if the head were worse by the share `worse`, from its first `head_runs` runs."""
    row = QUANTITIES[bench.quantity]
    head = tuple(scaled(one, 1 + worse) for one in trial.head_samples[:head_runs])
    pair = Pair(
        Subject(row.name, "benchmark"), row.unit, row.statistic, row.direction,
        replace(row.margin, absolute=0.0), trial.base_samples, head, bench.history,
    )  # fmt: skip
    return compare([pair], alpha=alpha)[0]


def scaled(sample: Sample, factor: float) -> Sample:
    """The sample of values that are `factor` times as large; its spread is left as it is."""
    return replace(sample, value=factor * sample.value, standard_error=factor * sample.standard_error)


def naive_says_worse(trial: Trial, worse: float) -> bool:
    """The usual rule: the mean of all values rose by more than 10 %."""
    return bool((1 + worse) * trial.head.mean() > NAIVE_LIMIT * trial.base.mean())


def t_test_says_worse(trial: Trial, worse: float) -> bool:
    """Welch's t-test of all values, one-sided at 5 %: is the head larger?"""
    return welch(trial.base.ravel(), (1 + worse) * trial.head.ravel())


def welch(base: NDArray[np.float64], head: NDArray[np.float64]) -> bool:
    parts = [(float(side.var(ddof=1)) / side.size, side.size - 1.0) for side in (base, head)]
    error = math.sqrt(sum(variance for variance, _ in parts))
    t = float(head.mean() - base.mean()) / error
    return upper_tail(t, satterthwaite(parts)) <= ALPHA


def run_samples(rng: np.random.Generator, runs: int, between: float) -> tuple[Sample, ...]:
    """Runs of a firmware of value 1 with values so many that only the runs differ."""
    return tuple(plain_sample(1 + between * float(z)) for z in rng.standard_normal(runs))


def plain_sample(value: float) -> Sample:
    """A run whose own values are certain to 0.01 %."""
    return Sample(value, 1e-4 * abs(value), 100.0, 200, _any_spread())


@lru_cache(maxsize=1)
def _any_spread() -> Spread:
    """No verdict looks at it."""
    return from_values("latency", [1.0]).spread


def share(findings: Sequence[bool]) -> float:
    """Percent of True."""
    return 100 * sum(findings) / len(findings)
