"""How often a verdict is wrong, and how often it finds what is there: 2,000 synthetic pairs a row.

`python -m benchmarks verdicts` prints the rows that have a bar; `python -m benchmarks.verdict_tables` writes
the tables of docs/explanation/verdicts.md anew. Both set our verdicts beside the rules that people use: "the
mean is more than 10 % worse", and a plain t-test of all values. Seeds are fixed. 2,000 pairs show a share of
5 % to 0.5 points (one standard deviation), so the bar for an error of nominally 5 % is 6 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.table import Row
from benchmarks.verdict_trials import (
    ALPHA,
    BENCHES,
    VARYING,
    Bench,
    Trial,
    drawn,
    judged,
    naive_says_worse,
    plain_sample,
    run_samples,
    scaled,
    share,
    t_test_says_worse,
)
from pytest_lan_hil.judge.paired import Block, Blocks, compare_blocks
from pytest_lan_hil.judge.regression import Pair, compare
from pytest_lan_hil.judge.sequential import LOOKS, nominal_level, settled
from pytest_lan_hil.model.comparison import Subject
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.quantities import Direction, Margin

PAIRS = 2000
#: Run-to-run variation and runs of the baseline, for repeats until decided.
REPEATED = ((0.03, 5), (0.03, 20))
#: True changes of the head: none, one that nobody minds, one that lies on the margin, one that is too much.
CHANGES = (0.0, 0.02, 0.10, 0.15)
SAME, SMALL, ON_MARGIN, WORSE = CHANGES
_SEED = 20_261_129
_MARGIN = 0.10
_NOMINAL = 6.0  # 5 % and two standard deviations of 2,000 pairs
#: In a family.
SUBJECTS = 12
#: Of the bench, from one run to the next.
DRIFT = 0.01


@dataclass(frozen=True, slots=True)
class Rates:
    """What three rules said of 2,000 pairs with one true change, in percent of the pairs.

    Attributes:
        regressed, within, inconclusive: Our verdicts ("improved" counts as within).
        naive, t_test: How often these rules said "worse".
    """

    regressed: float
    within: float
    inconclusive: float
    naive: float
    t_test: float


@dataclass(frozen=True, slots=True)
class Repeated:
    """Repeats until decided.

    Attributes:
        regressed, inconclusive: Percent of the pairs, at the end.
        looks: Mean number of repeats.
        fixed: Percent regressed with as many repeats as there are at most, judged once at 5 %.
        careless: Percent regressed if it were judged at 5 % after every repeat.
    """

    regressed: float
    inconclusive: float
    looks: float
    fixed: float
    careless: float


def run() -> list[Row]:
    return [*_rate_rows(), *_repeat_rows(), *_family_rows(), *_block_rows()]


def _rate_rows() -> list[Row]:
    rows = []
    for bench in (*BENCHES, *VARYING):
        found = rates(bench)
        rows += [
            _most(f"A/A regressed, {bench.name}", found[SAME], 5),
            _most(f"+10 % regressed, {bench.name}", found[ON_MARGIN], _NOMINAL),
        ]
        worse = found[WORSE]
        if bench in BENCHES:
            rows.append(Row(f"+15 % regressed, {bench.name}", worse.regressed, "%", _rules(worse), 95))
        else:  # what so few runs can't show on such a bench has to be inconclusive
            beside = f"regressed: {worse.regressed:.1f}, inconclusive: {worse.inconclusive:.1f}"
            name = f"+15 % within, {bench.name}"
            rows.append(Row(name, worse.within, "%", beside, 5, at_least=False))
    return rows


def _most(name: str, found: Rates, bar: float) -> Row:
    return Row(name, found.regressed, "%", _rules(found), bar, at_least=False)


def _rules(found: Rates) -> str:
    return f"mean > 10 %: {found.naive:.1f}, t-test: {found.t_test:.1f}"


@lru_cache(maxsize=16)
def rates(bench: Bench) -> dict[float, Rates]:
    """What is said of a bench's pairs, for each of `CHANGES`; the same draws serve all of them."""
    rng = np.random.default_rng(_SEED)
    trials = drawn(bench, PAIRS, rng)
    return {change: _rates(bench, trials, change) for change in CHANGES}


def _rates(bench: Bench, trials: list[Trial], change: float) -> Rates:
    kinds = [judged(bench, trial, change, head_runs=bench.head_runs).kind for trial in trials]
    return Rates(
        regressed=share([kind is VerdictKind.REGRESSED for kind in kinds]),
        within=share([kind in (VerdictKind.WITHIN, VerdictKind.IMPROVED) for kind in kinds]),
        inconclusive=share([kind is VerdictKind.INCONCLUSIVE for kind in kinds]),
        naive=share([naive_says_worse(trial, change) for trial in trials]),
        t_test=share([t_test_says_worse(trial, change) for trial in trials]),
    )


def _repeat_rows() -> list[Row]:
    rows = []
    for between, base_runs in REPEATED:
        found = repeated(between, base_runs)
        name = f"baseline of {base_runs}"
        edge, worse, same = found[ON_MARGIN], found[WORSE], found[SAME]
        beside = f"{LOOKS} repeats at once: {edge.fixed:.1f}; a look after each at 5 %: {edge.careless:.1f}"
        error = f"until decided, +10 % regressed, {name}"
        rows.append(Row(error, edge.regressed, "%", beside, _NOMINAL, at_least=False))
        beside = f"of {LOOKS}, which find {worse.fixed:.1f} %; it finds {worse.regressed:.1f} %"
        rows.append(Row(f"repeats saved at +15 %, {name}", LOOKS - worse.looks, "runs", beside, 2))
        beside = f"of {LOOKS}; regressed: {same.regressed:.1f} %, inconclusive: {same.inconclusive:.1f} %"
        rows.append(Row(f"repeats saved at A/A, {name}", LOOKS - same.looks, "runs", beside, 4))
    return rows


@lru_cache(maxsize=16)
def repeated(between: float, base_runs: int) -> dict[float, Repeated]:
    """2,000 pairs, repeated until decided, if equal, on the margin and worse."""
    bench = Bench("", "latency", 0, 0.0, 0.0, between, base_runs=base_runs, head_runs=LOOKS)
    rng = np.random.default_rng(_SEED)
    nothing = np.empty(0)
    trials = [
        Trial(nothing, nothing, run_samples(rng, base_runs, between), run_samples(rng, LOOKS, between))
        for _ in range(PAIRS)
    ]
    return {change: _repeated(bench, trials, change) for change in (SAME, ON_MARGIN, WORSE)}


def _repeated(bench: Bench, trials: list[Trial], change: float) -> Repeated:
    level = nominal_level()
    kinds, looks, fixed, careless = [], [], [], []
    for trial in trials:
        found = [judged(bench, trial, change, head_runs=1 + k, alpha=level) for k in range(LOOKS)]
        last = next((k for k, one in enumerate(found) if settled([one])), LOOKS - 1)
        kinds.append(found[last].kind)
        looks.append(last + 1)
        fixed.append(found[-1].p_regressed <= ALPHA)
        first = next((one for one in found if min(one.p_regressed, one.p_within) <= ALPHA), found[-1])
        careless.append(first.p_regressed <= ALPHA)
    return Repeated(
        regressed=share([kind is VerdictKind.REGRESSED for kind in kinds]),
        inconclusive=share([kind is VerdictKind.INCONCLUSIVE for kind in kinds]),
        looks=float(np.mean(looks)),
        fixed=share(fixed),
        careless=share(careless),
    )


def _family_rows() -> list[Row]:
    holm, alone = family_errors()
    against = f"{SUBJECTS} subjects, all on the margin; without correction: {alone:.1f}"
    return [Row("any regressed of a family", holm, "%", against, _NOMINAL, at_least=False)]


@lru_cache(maxsize=1)
def family_errors() -> tuple[float, float]:
    """How often at least one of many subjects, all just on the margin, is called regressed: with and without
    correction.
    """
    rng = np.random.default_rng(_SEED)
    corrected, alone = [], []
    for _ in range(PAIRS):
        pairs = [
            Pair(
                Subject("latency", f"test {k}"), "ms", "p95", Direction.LOWER, Margin(_MARGIN, 0.0),
                run_samples(rng, 5, 0.01),
                tuple(scaled(one, 1 + _MARGIN) for one in run_samples(rng, 3, 0.01)),
            )
            for k in range(SUBJECTS)
        ]  # fmt: skip
        found = compare(pairs)
        corrected.append(any(one.kind is VerdictKind.REGRESSED for one in found))
        alone.append(any(1 - one.p_within <= ALPHA for one in found))  # which is not corrected
    return share(corrected), share(alone)


def _block_rows() -> list[Row]:
    rows = []
    for change, name, bar in ((ON_MARGIN, "+10 %", _NOMINAL), (WORSE, "+15 %", 95.0)):
        paired, apart = block_rates()[change]
        against = f"3 blocks A, B, B, A while the bench drifts; A six times, then B: {apart:.1f}"
        rows.append(
            Row(f"A/B {name} regressed, drift of {100 * DRIFT:g} % a run", paired, "%", against, bar,
                at_least=change == WORSE)
        )  # fmt: skip
    return rows


@lru_cache(maxsize=1)
def block_rates() -> dict[float, tuple[float, float]]:
    """Percent regressed on a bench that drifts upwards, by change: in blocks, and one image after another."""
    rng = np.random.default_rng(_SEED)
    found: dict[float, tuple[list[bool], list[bool]]] = {change: ([], []) for change in CHANGES}
    for _ in range(PAIRS):
        turns = 1 + DRIFT * np.arange(12) + 0.01 * rng.standard_normal(12)
        for change, (paired, apart) in found.items():
            factor = 1 + change
            head_turns = np.isin(np.arange(12) % 4, (1, 2))
            in_blocks = [plain_sample(one) for one in np.where(head_turns, factor * turns, turns)]
            blocks = tuple(
                Block((in_blocks[k], in_blocks[k + 3]), (in_blocks[k + 1], in_blocks[k + 2]))
                for k in range(0, 12, 4)
            )
            subject = (Subject("latency", "t"), "ms", "p95", Direction.LOWER, Margin(_MARGIN, 0.0))
            paired.append(compare_blocks([Blocks(*subject, blocks)])[0].kind is VerdictKind.REGRESSED)
            in_turn = [plain_sample(one) for one in (*turns[:6], *(factor * turns[6:]))]
            pair = Pair(*subject, tuple(in_turn[:6]), tuple(in_turn[6:]))
            apart.append(compare([pair])[0].kind is VerdictKind.REGRESSED)
    return {change: (share(paired), share(apart)) for change, (paired, apart) in found.items()}
