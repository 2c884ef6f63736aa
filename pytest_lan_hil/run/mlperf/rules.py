"""What MLPerf Tiny asks of a run, and whether a run meets it. Pure.

Where each rule comes from:

- RULES     mlcommons/tiny, benchmark/MLPerfTiny_Rules.adoc (version 1.2): quality targets and metrics.
- README    eembc/energyrunner, README.md (runner 3.0.6): five different input files and the median; baud
            rates; time stamps; `emon-drop-thresh-pct`.
- DATASETS  eembc/energyrunner, datasets/README.md: number of inputs, forms of y_labels.csv.
- RUNNER    what runner 3.0.10 printed in results that were published (mlcommons/tiny_results_v1.0, _v1.1).
            "At least 10 seconds and 10 iterations": a window of 9.987 s was refused. The README's text says
            "or" where the program says "and"; the program is followed.

Unconfirmed, because the EnergyRunner's source is not public: whether it compares before or after rounding to
1 ms (here: before), and how it makes a Top-1 of an anomaly score (here: not at all, no threshold is defined).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

RULES = "MLPerf Tiny inference rules 1.2"
README = "EnergyRunner README"
DATASETS = "EnergyRunner datasets README"
RUNNER = "EnergyRunner 3.0.10"
OURS = "pytest-lan-hil"

PROFILE = "ULPMark for tinyML Firmware V0.0.1"
WINDOWS = 5
MIN_SECONDS = 10.0
MIN_INFERENCES = 10
WARMUPS = 1
"""Before each window, as in every published log (`iterWarmup`); the user may set another in the runner."""

MAX_LOST_SHARE = 0.001
"""`emon-drop-thresh-pct=0.1`."""

TIMESTAMP_HOLD_S = 50e-6
"""`timestamp-hold-us=50`: a falling edge so soon after another is noise of that one."""

PERFORMANCE_BAUD = 115200
ENERGY_BAUD = 9600
"""Between IO manager and DUT."""

# Far above what an RC oscillator is off (1 %).
_CLOCK_SHARE = 0.02
HOST_STAMPS_S = 0.05
"""What delays on the way of two lines can feign in a time that the host takes from them."""


class Metric(str, Enum):
    """What accuracy means."""

    TOP_1 = "Top-1"
    AUC = "AUC"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of the suite.

    Attributes:
        model: As the DUT reports it in `m-model-[...]`.
        title: For people.
        metric: What the target is about.
        target: Smallest share (Top-1) or area (AUC), 0 to 1.
        inputs: Number of inputs of the official accuracy dataset.
        input_bytes: What is loaded for one inference.
    """

    model: str
    title: str
    metric: Metric
    target: float
    inputs: int
    input_bytes: int


BENCHMARKS = {
    one.model: one
    for one in (
        Benchmark("kws01", "keyword spotting", Metric.TOP_1, 0.90, 1000, 490),
        Benchmark("vww01", "visual wake words", Metric.TOP_1, 0.80, 1000, 27648),
        Benchmark("ic01", "image classification", Metric.TOP_1, 0.85, 200, 3072),
        Benchmark("ad01", "anomaly detection", Metric.AUC, 0.85, 248, 2560),
    )
}


def model_name(text: str) -> str:
    """The model's full name: "kws" is "kws01"; any other name stays."""
    return text if f"{text}01" not in BENCHMARKS else f"{text}01"


class Standing(str, Enum):
    """How a run stands to a rule."""

    MET = "met"
    NOT_MET = "not met"
    OPEN = "open"
    """Can't be told, or does not apply; the reason says which. Never a reason to fail."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule, and how this run stands to it.

    Attributes:
        rule: In words.
        standing: Met or not.
        found: What was found.
        source: Where the rule comes from.
    """

    rule: str
    standing: Standing
    found: str
    source: str

    def __str__(self) -> str:
        return f"{self.standing.value}: {self.rule}: {self.found} [{self.source}]"


def failed(checks: Sequence[Check]) -> bool:
    """True if a rule is not met."""
    return any(check.standing is Standing.NOT_MET for check in checks)


def long_enough(runtime_s: float, inferences: int) -> bool:
    """True if a window counts: at least 10 seconds and 10 iterations (RUNNER)."""
    return runtime_s >= MIN_SECONDS and inferences >= MIN_INFERENCES


def check_profile(profile: str) -> Check:
    """The DUT says that it speaks the API."""
    return _check(f"the DUT's profile is [{PROFILE}]", f"[{profile}]", RUNNER, met=profile == PROFILE)


def check_model(model: str, asked: str | None) -> Check:
    """The DUT runs a model of the suite, and the one that was asked for."""
    rule = "the DUT reports a model of the suite" if asked is None else f"the DUT reports model {asked}"
    if model in BENCHMARKS and asked in (None, model):
        return Check(rule, Standing.MET, f"[{model}]", README)
    return Check(rule, Standing.OPEN, f"[{model}]: not a result of the suite", README)


def check_windows(count: int) -> Check:
    """The median is one of five windows."""
    return _check(f"{WINDOWS} windows", f"{count}", README, met=count == WINDOWS)


def check_inputs(names: Sequence[str], windows: int) -> Check:
    """Every window has an input of its own.

    Args:
        names: The input file of each window; empty if none was loaded.
        windows: Number of windows.
    """
    rule = "a different input file for each window"
    if not names:
        return Check(rule, Standing.OPEN, "no --dataset: the DUT used what its buffer held", README)
    different = len(set(names))
    if different == windows:
        return Check(rule, Standing.MET, f"{different} files", README)
    return Check(rule, Standing.OPEN, f"the dataset has {different} for {windows} windows", README)


def check_runtime(windows: Sequence[tuple[float, int]]) -> Check:
    """Every window is long enough.

    Args:
        windows: Runtime in seconds and number of inferences of each.
    """
    shortest = min(runtime for runtime, _ in windows)
    fewest = min(count for _, count in windows)
    return _check(
        f"at least {MIN_SECONDS:g} seconds and {MIN_INFERENCES} iterations in every window",
        f"shortest {shortest:.3f} s, fewest {fewest}",
        RUNNER,
        met=all(long_enough(*window) for window in windows),
    )


def check_lost(share: float) -> Check:
    """The analyzer dropped hardly any sample."""
    return _check(
        f"at most {MAX_LOST_SHARE:.1%} of the samples dropped",
        f"{share:.3%}",
        README,
        met=share <= MAX_LOST_SHARE,
    )


def check_clock(laps: Sequence[tuple[float, float]], *, simulated: bool) -> Check:
    """The DUT's clock, which throughput is counted by, agrees with the host's.

    Args:
        laps: Length of each window by the DUT's clock and by the host's, seconds.
        simulated: A simulated DUT's time is not the host's.
    """
    rule = f"the DUT's clock agrees with the host's to {_CLOCK_SHARE:.0%}"
    if simulated:
        return Check(rule, Standing.OPEN, "simulated: its time is not the host's", OURS)
    if not laps:
        return Check(rule, Standing.OPEN, "the DUT stamps with a pin", OURS)
    worst = max(laps, key=lambda lap: abs(lap[0] - lap[1]))
    agrees = all(abs(dut - host) <= _CLOCK_SHARE * host + HOST_STAMPS_S for dut, host in laps)
    return _check(rule, f"at worst {worst[0]:.3f} s for {worst[1]:.3f} s", OURS, met=agrees)


def check_quality(benchmark: Benchmark | None, value: float, inputs: int) -> Check:
    """The quality target is reached; judged on the official number of inputs only.

    Args:
        benchmark: None for a model that is not of the suite.
        value: Of the benchmark's metric, 0 to 1.
        inputs: How many inputs it comes from.
    """
    if benchmark is None:
        return Check("a quality target", Standing.OPEN, "the model is not of the suite", RULES)
    rule = f"{benchmark.metric.value} of {benchmark.title} at least {benchmark.target:g}"
    found = f"{value:.4g}"
    if inputs != benchmark.inputs:
        found += f", not judged: not the official dataset ({inputs} inputs, it has {benchmark.inputs})"
        return Check(rule, Standing.OPEN, found, f"{RULES}; {DATASETS}")
    return _check(rule, found, RULES, met=value >= benchmark.target)


def _check(rule: str, found: str, source: str, *, met: bool) -> Check:
    return Check(rule, Standing.MET if met else Standing.NOT_MET, found, source)
