"""Recording rules: a device's figures from what it counts, and everyday names of all 16 quantities."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitoring.generate.rules_promql import (
    DROPPED,
    FLASH,
    LATENCY_P50,
    LATENCY_P95,
    THROUGHPUT,
    number,
    worst,
)
from pytest_lan_hil.model.quantities import QUANTITIES, Quantity
from pytest_lan_hil.publish.openmetrics import metric_names


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording rule: `name` is `expr` with `labels` added."""

    name: str
    expr: str
    labels: dict[str, str] = field(default_factory=dict)


# The name that people type, for every quantity. Values are in its display unit; no unit: a ratio.
EVERYDAY_NAMES = {
    "latency": "inference_latency_ms",
    "energy": "energy_per_inference_uj",
    "power": "power_consumption_mw",
    "memory": "memory_usage_kb",
    "accuracy": "model_accuracy_percent",
    "confidence": "confidence_score",
    "false_positive_rate": "false_positive_rate",
    "drift_score": "drift_score",
    "throughput": "throughput_inferences_per_sec",
    "dropped_frames": "dropped_frames_percent",
    "cpu_utilisation": "cpu_utilization_percent",
    "flash": "flash_usage_percent",
    "memory_available": "memory_available_kb",
    "temperature": "device_temperature_celsius",
    "battery": "estimated_battery_hours",
    "uptime": "device_uptime_seconds",
}
_RATIOS = frozenset({"confidence", "false_positive_rate"})


def _rate(metric: str) -> str:
    return f"sum without (instance) (rate({metric}[5m]))"


def device_recordings() -> list[Recording]:
    """What a device counts, over five minutes. `statistic` is the one that its target is given for."""
    latency = QUANTITIES["latency"]
    buckets = _rate(f'{latency.metric}_bucket{{device!=""}}')
    dropped = _rate("lan_dropped_frames_total")
    flash = QUANTITIES["flash"]
    return [
        Recording(LATENCY_P95, f"histogram_quantile(0.95, {buckets})", {"statistic": latency.statistic}),
        Recording(LATENCY_P50, f"histogram_quantile(0.5, {buckets})", {"statistic": "p50"}),
        Recording(
            THROUGHPUT,
            _rate(f'{latency.metric}_count{{device!=""}}'),
            {"statistic": QUANTITIES["throughput"].statistic},
        ),
        Recording(
            DROPPED,
            f"{dropped}\n  /\n({dropped} + {_rate('lan_frames_total')})",
            {"statistic": QUANTITIES["dropped_frames"].statistic},
        ),
        Recording("device:lan_errors:rate5m", _rate("lan_errors_total")),
        Recording("device:lan_power_watts:rate5m", _rate("lan_energy_joules_total")),
        Recording(
            FLASH,
            f"max without (instance) ({flash.metric})\n"
            "  / on (job, board, bench, device, simulated) group_left ()\n"
            "max by (job, board, bench, device, simulated) (lan_flash_size_bytes)",
        ),
        Recording("board:lan_device_up:ratio", "avg by (job, board, bench, simulated) (lan_device_up)"),
    ]


def everyday_recordings() -> list[Recording]:
    """Everyday names: of runs and of devices, with the labels of what they are made from."""
    return [Recording(EVERYDAY_NAMES[name], _everyday_expr(row)) for name, row in QUANTITIES.items()]


def _everyday_expr(quantity: Quantity) -> str:
    if quantity.name == "flash":  # people ask for the share, which only a device knows
        return f"100 * {FLASH}"
    estimate = worst(quantity.direction, metric_names(quantity).estimate)
    counted = {
        "latency": (LATENCY_P95, LATENCY_P50),
        "throughput": (THROUGHPUT,),
        "dropped_frames": (DROPPED,),
    }.get(quantity.name, ())
    figures = "\n  or\n".join((estimate, *counted))
    scale = 1.0 if quantity.name in _RATIOS else quantity.scale
    if scale == 1:
        return figures
    inner = f"(\n{figures}\n)" if counted else figures
    return f"{inner} / {number(scale)}" if scale > 1 else f"{number(1 / scale)} * {inner}"
