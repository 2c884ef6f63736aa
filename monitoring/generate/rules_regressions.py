"""PerformanceRegression in literals: for each quantity a baseline at which the margin's share decides, and
one at which its amount does.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.generate.rules_cases import Case


@dataclass(frozen=True, slots=True)
class Side:
    """Which end of the interval is judged, in words and names; the factor of a stricter baseline."""

    end: str
    infix: str
    side: str
    stricter: float


LOWER_IS_BETTER = Side("lower", "low", "above", 0.1)
HIGHER_IS_BETTER = Side("upper", "high", "below", 10)


def _case(
    side: Side,
    quantity: str,
    metric: str,
    statistic: str,
    title: str,
    margin: str,
    values: tuple[float, float, float],
    shown: tuple[str, str],
) -> Case:
    """`values` are baseline, kept and broken, `shown` is how broken and baseline are told."""
    stem, _, unit = metric.rpartition("_")
    baseline, kept, broken = values
    return Case(
        alert="PerformanceRegression",
        severity="warning",
        quantity=quantity,
        metric=f"lan_{stem}_{side.infix}_{unit}",
        statistic=statistic,
        kept=kept,
        broken=broken,
        limit_metric=f"lan_baseline_{metric}",
        limit=baseline,
        told=f"{title} is worse than its baseline",
        description=(
            f"Even the {side.end} end of the 95 % interval, {shown[0]}, is more than {margin} {side.side} the"
            f" baseline of {shown[1]} ({statistic} of {title})."
        ),
        stricter=baseline * side.stricter,
    )


def _both(
    side: Side,
    names: tuple[str, str, str, str, str],
    by_share: tuple[float, float, float],
    shares_shown: tuple[str, str],
    by_amount: tuple[float, float, float],
    amounts_shown: tuple[str, str],
) -> tuple[Case, Case]:
    return _case(side, *names, by_share, shares_shown), _case(side, *names, by_amount, amounts_shown)


REGRESSIONS = (
    *_both(
        LOWER_IS_BETTER,
        ("latency", "inference_latency_seconds", "p95", "latency per inference", "10 % and 0.01 ms"),
        (0.010, 0.01099, 0.01101), ("11.01ms", "10ms"),
        (0.00005, 0.0000599, 0.0000601), ("60.1us", "50us"),
    ),
    *_both(
        LOWER_IS_BETTER,
        ("energy", "energy_per_inference_joules", "mean", "energy per inference", "10 % and 0.1 uJ"),
        (1e-4, 1.099e-4, 1.101e-4), ("110.1uJ", "100uJ"),
        (5e-7, 5.99e-7, 6.01e-7), ("601nJ", "500nJ"),
    ),
    *_both(
        LOWER_IS_BETTER,
        ("power", "power_watts", "mean", "mean power", "10 % and 0.01 mW"),
        (1e-3, 1.099e-3, 1.101e-3), ("1.101mW", "1mW"),
        (5e-5, 5.99e-5, 6.01e-5), ("60.1uW", "50uW"),
    ),
    *_both(
        LOWER_IS_BETTER,
        ("memory", "memory_bytes", "max", "memory", "10 % and 0.25 KB"),
        (20480, 22500, 22550), ("22.02kiB", "20kiB"),
        (1024, 1279, 1281), ("1.251kiB", "1kiB"),
    ),
    *_both(
        HIGHER_IS_BETTER,
        ("accuracy", "model_accuracy_ratio", "share", "accuracy", "5 % and 1 points"),
        (0.95, 0.903, 0.902), ("90.2%", "95%"),
        (0.1, 0.0901, 0.0899), ("8.99%", "10%"),
    ),
    *_both(
        HIGHER_IS_BETTER,
        ("confidence", "model_confidence_ratio", "mean", "confidence of answers", "10 % and 1 points"),
        (0.8, 0.7205, 0.7195), ("71.95%", "80%"),
        (0.05, 0.0401, 0.0399), ("3.99%", "5%"),
    ),
    # 10 % of a share of at most 100 % are never more than 10 points
    _case(
        LOWER_IS_BETTER,
        "false_positive_rate", "false_positive_ratio", "share", "false positives", "10 points",
        (0.05, 0.1499, 0.1501), ("15.01%", "5%"),
    ),
    *_both(
        LOWER_IS_BETTER,
        ("drift_score", "feature_drift_ratio", "max", "drift of features", "10 % and 0.05"),
        (1.0, 1.099, 1.101), ("1.1", "1"),
        (0.1, 0.1499, 0.1501), ("0.15", "0.1"),
    ),
    *_both(
        HIGHER_IS_BETTER,
        ("throughput", "inference_throughput_hertz", "min", "throughput", "10 % and 1 1/s"),
        (60, 54.1, 53.9), ("53.9/s", "60/s"),
        (5, 4.01, 3.99), ("3.99/s", "5/s"),
    ),
    *_both(
        LOWER_IS_BETTER,
        ("dropped_frames", "dropped_frames_ratio", "max", "dropped frames", "10 % and 0.1 points"),
        (0.05, 0.0549, 0.0551), ("5.51%", "5%"),
        (0.001, 0.00199, 0.00201), ("0.201%", "0.1%"),
    ),
    *_both(
        LOWER_IS_BETTER,
        ("cpu_utilisation", "cpu_utilisation_ratio", "max", "CPU utilisation", "10 % and 0.5 points"),
        (0.4, 0.4395, 0.4405), ("44.05%", "40%"),
        (0.01, 0.01495, 0.01505), ("1.505%", "1%"),
    ),
    *_both(
        LOWER_IS_BETTER,
        ("flash", "flash_bytes", "max", "flash", "10 % and 1 KB"),
        (102400, 112600, 112700), ("110.1kiB", "100kiB"),
        (2048, 3071, 3073), ("3.001kiB", "2kiB"),
    ),
    *_both(
        HIGHER_IS_BETTER,
        ("memory_available", "memory_available_bytes", "min", "memory left", "10 % and 0.25 KB"),
        (20480, 18450, 18400), ("17.97kiB", "20kiB"),
        (1024, 769, 767), ("767B", "1kiB"),
    ),
    _case(
        LOWER_IS_BETTER,
        "temperature", "temperature_celsius", "max", "temperature of the chip", "5 degC",
        (40, 44.9, 45.1), ("45.1 °C", "40.0 °C"),
    ),
    *_both(
        HIGHER_IS_BETTER,
        ("battery", "battery_life_seconds", "mean", "battery life", "10 % and 24 h"),
        (7200000, 6490000, 6470000), ("74d 21h 13m 20s", "83d 8h 0m 0s"),
        (360000, 274000, 273000), ("3d 3h 50m 0s", "4d 4h 0m 0s"),
    ),
    *_both(
        HIGHER_IS_BETTER,
        ("uptime", "uptime_seconds", "min", "uptime", "10 % and 0.1 s"),
        (60, 54.1, 53.9), ("53.9s", "1m 0s"),
        (0.5, 0.401, 0.399), ("399ms", "500ms"),
    ),
)  # fmt: skip
