"""What every alert on a figure must do, in literals: nothing here is computed from the rules or the table.

`rules_tests` lays each case out in time for `promtool test rules`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """A figure at its limit (silent), and one step beyond (fires).

    Attributes:
        alert, severity, quantity: Expected.
        metric: Judged.
        statistic: Of the figure and its limit.
        kept, broken: The last value that keeps the limit, the first that breaks it. Base unit.
        limit_metric, limit: What the limit is published as; "" where the board has none.
        told: What the summary says behind the subject.
        description: Expected.
        stricter: A limit that `kept` breaks: of other boards, benches, jobs, statistics, of simulated ones.
    """

    alert: str
    severity: str
    quantity: str
    metric: str
    statistic: str
    kept: float
    broken: float
    limit_metric: str
    limit: float | None
    told: str
    description: str
    stricter: float | None = None


DEVICES = (
    Case(
        "LowModelAccuracy", "critical", "accuracy", "lan_model_accuracy_ratio", "share",
        0.935, 0.9345, "lan_budget_model_accuracy_ratio", 0.935,
        "accuracy below target", "share of accuracy is 93.45%, below the target of 93.5%.", 0.99,
    ),
    Case(
        "HighPowerConsumption", "warning", "power", "lan_power_watts", "mean",
        0.0009, 0.000901, "lan_budget_power_watts", 0.0009,
        "mean power above target", "mean of mean power is 901uW, above the target of 900uW.", 0.0001,
    ),
    Case(
        "HighMemoryUsage", "warning", "memory", "lan_memory_bytes", "max",
        32768, 32800, "lan_budget_memory_bytes", 32768,
        "memory above target", "max of memory is 32.03kiB, above the target of 32kiB.", 1024,
    ),
    Case(
        "DeviceTemperatureHigh", "warning", "temperature", "lan_temperature_celsius", "max",
        85, 85.25, "lan_budget_temperature_celsius", 85,
        "temperature of the chip above target",
        "max of temperature of the chip is 85.2 °C, above the target of 85.0 °C.", 20,
    ),
    Case(
        "DeviceTemperatureHigh", "warning", "temperature", "lan_temperature_celsius", "max",
        70, 70.25, "lan_budget_temperature_celsius", None,
        "temperature of the chip above target",
        "max of temperature of the chip is 70.2 °C, above the target of 70 degC (no target for"
        " this board).", 20,
    ),
    Case(
        "LowAvailableMemory", "warning", "memory_available", "lan_memory_available_bytes", "min",
        4096, 4092, "lan_budget_memory_available_bytes", 4096,
        "memory left below target", "min of memory left is 3.996kiB, below the target of 4kiB.", 65536,
    ),
    Case(
        "LowAvailableMemory", "warning", "memory_available", "lan_memory_available_bytes", "min",
        1024, 1020, "lan_budget_memory_available_bytes", None,
        "memory left below target",
        "min of memory left is 1020B, below the target of 1 KB (no target for this board).", 65536,
    ),
    Case(
        "ModelDrift", "warning", "drift_score", "lan_feature_drift_ratio", "max",
        0.25, 0.251, "lan_budget_feature_drift_ratio", 0.25,
        "drift of features above target",
        "max of drift of features is 0.251, above the target of 0.25.", 0.01,
    ),
    Case(
        "ModelDrift", "warning", "drift_score", "lan_feature_drift_ratio", "max",
        0.1, 0.1005, "lan_budget_feature_drift_ratio", None,
        "drift of features above target",
        "max of drift of features is 0.101, above the target of 0.1 (no target for this board).", 0.01,
    ),
    Case(
        "LowBattery", "warning", "battery", "lan_battery_life_seconds", "mean",
        7200000, 7196400, "lan_budget_battery_life_seconds", 7200000,
        "battery life below target",
        "mean of battery life is 83d 7h 0m 0s, below the target of 83d 8h 0m 0s.", 9000000,
    ),
    Case(
        "LowBattery", "warning", "battery", "lan_battery_life_seconds", "mean",
        172800, 172000, "lan_budget_battery_life_seconds", None,
        "battery life below target",
        "mean of battery life is 1d 23h 46m 40s, below the target of 48 h (no target for this"
        " board).", 9000000,
    ),
)  # fmt: skip

RUNS = (
    Case(
        "LowThroughput", "critical", "throughput", "lan_inference_throughput_high_hertz", "min",
        62, 61.9, "lan_budget_inference_throughput_hertz", 62,
        "throughput below target",
        "Even the upper end of the 95 % interval, 61.9/s, is below the target of 62/s (min of"
        " throughput).", 900,
    ),
    Case(
        "LowThroughput", "critical", "dropped_frames", "lan_dropped_frames_low_ratio", "max",
        0.02, 0.0201, "lan_budget_dropped_frames_ratio", 0.02,
        "dropped frames above target",
        "Even the lower end of the 95 % interval, 2.01%, is above the target of 2% (max of dropped"
        " frames).", 0.001,
    ),
    Case(
        "LowThroughput", "critical", "dropped_frames", "lan_dropped_frames_low_ratio", "max",
        0.01, 0.01005, "lan_budget_dropped_frames_ratio", None,
        "dropped frames above target",
        "Even the lower end of the 95 % interval, 1.005%, is above the target of 1 % (no target"
        " for this board)"
        " (max of dropped frames).", 0.001,
    ),
    Case(
        "LowModelAccuracy", "critical", "accuracy", "lan_model_accuracy_high_ratio", "share",
        0.935, 0.9345, "lan_budget_model_accuracy_ratio", 0.935,
        "accuracy below target",
        "Even the upper end of the 95 % interval, 93.45%, is below the target of 93.5% (share of"
        " accuracy).", 0.99,
    ),
    Case(
        "HighInferenceLatency", "warning", "latency", "lan_inference_latency_low_seconds", "p95",
        0.012, 0.01201, "lan_budget_inference_latency_seconds", 0.012,
        "latency per inference above target",
        "Even the lower end of the 95 % interval, 12.01ms, is above the target of 12ms (p95 of latency per"
        " inference).", 0.001,
    ),
    Case(
        "HighPowerConsumption", "warning", "power", "lan_power_low_watts", "mean",
        0.0012, 0.001201, "lan_budget_power_watts", 0.0012,
        "mean power above target",
        "Even the lower end of the 95 % interval, 1.201mW, is above the target of 1.2mW (mean of"
        " mean power).",
        0.0001,
    ),
    Case(
        "HighMemoryUsage", "warning", "memory", "lan_memory_low_bytes", "max",
        65536, 65600, "lan_budget_memory_bytes", 65536,
        "memory above target",
        "Even the lower end of the 95 % interval, 64.06kiB, is above the target of 64kiB (max of"
        " memory).", 1024,
    ),
    Case(
        "DeviceTemperatureHigh", "warning", "temperature", "lan_temperature_low_celsius", "max",
        85, 85.25, "lan_budget_temperature_celsius", 85,
        "temperature of the chip above target",
        "Even the lower end of the 95 % interval, 85.2 °C, is above the target of 85.0 °C (max of"
        " temperature of"
        " the chip).", 20,
    ),
    Case(
        "DeviceTemperatureHigh", "warning", "temperature", "lan_temperature_low_celsius", "max",
        70, 70.25, "lan_budget_temperature_celsius", None,
        "temperature of the chip above target",
        "Even the lower end of the 95 % interval, 70.2 °C, is above the target of 70 degC (no target for this"
        " board) (max of temperature of the chip).", 20,
    ),
    Case(
        "LowAvailableMemory", "warning", "memory_available", "lan_memory_available_high_bytes", "min",
        4096, 4092, "lan_budget_memory_available_bytes", 4096,
        "memory left below target",
        "Even the upper end of the 95 % interval, 3.996kiB, is below the target of 4kiB (min of"
        " memory left).",
        65536,
    ),
    Case(
        "LowAvailableMemory", "warning", "memory_available", "lan_memory_available_high_bytes", "min",
        1024, 1020, "lan_budget_memory_available_bytes", None,
        "memory left below target",
        "Even the upper end of the 95 % interval, 1020B, is below the target of 1 KB (no target"
        " for this board)"
        " (min of memory left).", 65536,
    ),
    Case(
        "HighFlashUsage", "warning", "flash", "lan_flash_low_bytes", "max",
        262144, 262400, "lan_budget_flash_bytes", 262144,
        "flash above target",
        "Even the lower end of the 95 % interval, 256.2kiB, is above the target of 256kiB (max of"
        " flash).", 1024,
    ),
    Case(
        "ModelDrift", "warning", "drift_score", "lan_feature_drift_low_ratio", "max",
        0.25, 0.251, "lan_budget_feature_drift_ratio", 0.25,
        "drift of features above target",
        "Even the lower end of the 95 % interval, 0.251, is above the target of 0.25 (max of drift"
        " of features).",
        0.01,
    ),
    Case(
        "ModelDrift", "warning", "drift_score", "lan_feature_drift_low_ratio", "max",
        0.1, 0.1005, "lan_budget_feature_drift_ratio", None,
        "drift of features above target",
        "Even the lower end of the 95 % interval, 0.101, is above the target of 0.1 (no target for"
        " this board)"
        " (max of drift of features).", 0.01,
    ),
    Case(
        "LowBattery", "warning", "battery", "lan_battery_life_high_seconds", "mean",
        7200000, 7196400, "lan_budget_battery_life_seconds", 7200000,
        "battery life below target",
        "Even the upper end of the 95 % interval, 83d 7h 0m 0s, is below the target of 83d 8h 0m 0s (mean of"
        " battery life).", 9000000,
    ),
    Case(
        "LowBattery", "warning", "battery", "lan_battery_life_high_seconds", "mean",
        172800, 172000, "lan_budget_battery_life_seconds", None,
        "battery life below target",
        "Even the upper end of the 95 % interval, 1d 23h 46m 40s, is below the target of 48 h (no"
        " target for this"
        " board) (mean of battery life).", 9000000,
    ),
)  # fmt: skip
