"""The one table of quantities: markers, budgets, reports, metric names and dashboards all read it.

Adding a quantity is adding one row. Display units are those that engineers say (ms, mW, uJ, KB); metrics
are published in Prometheus' base units by `scale` (value in base unit = displayed value * scale).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Direction(str, Enum):
    """Which way is better."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse than a baseline is still within: the larger of a share of it and an absolute amount.

    Attributes:
        relative: Share of the baseline, 0.10 for 10 %.
        absolute: In the quantity's display unit: what nobody minds, however small the baseline is.
    """

    relative: float
    absolute: float

    def at(self, baseline: float) -> float:
        """The margin for this baseline, in display unit."""
        return max(self.relative * abs(baseline), self.absolute)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A named thing that can be measured.

    Attributes:
        name: The key everywhere: records, markers (`{name}_budget`), board targets (`{name}_{unit}`).
        title: For people.
        unit: Display unit.
        direction: Which way is better.
        statistic: What is judged unless the marker says otherwise: "mean", "max", "min", a percentile such as
            "p95", or "share": the share of values that are 100 and not 0, in percent.
        metric: Prometheus name, in base unit.
        scale: Base unit per display unit.
        needs: What a bench must offer to measure it (see `instruments.base.CAPABILITIES`).
        help: One line for `# HELP` and reports.
        margin: From where on a change for the worse is a regression; a board may have its own.
    """

    name: str
    title: str
    unit: str
    direction: Direction
    statistic: str
    metric: str
    scale: float
    needs: tuple[str, ...]
    help: str
    margin: Margin

    @property
    def marker(self) -> str:
        """Name of the pytest marker that sets a budget on this quantity."""
        return f"{self.name}_budget"

    @property
    def unit_key(self) -> str:
        """The unit as a name that Python and TOML take: the marker's argument."""
        return _UNIT_KEYS.get(self.unit, self.unit.lower())

    @property
    def target_key(self) -> str:
        """Key in a board file's `[targets]` table: name and unit, for a plain number the name alone."""
        return self.name if self.unit == "1" else f"{self.name}_{self.unit_key}"


_UNIT_KEYS = {"%": "percent", "1/s": "per_s", "1": "score"}


_ROWS = (
    Quantity(
        "latency", "latency per inference", "ms", Direction.LOWER, "p95",
        "lan_inference_latency_seconds", 1e-3, ("edges",),
        "Time from the rising to the falling edge of the inference marker line",
        Margin(0.10, 0.01),
    ),
    Quantity(
        "energy", "energy per inference", "uJ", Direction.LOWER, "mean",
        "lan_energy_per_inference_joules", 1e-6, ("power.waveform", "edges"),
        "Energy taken from the supply between the edges of the inference marker line",
        Margin(0.10, 0.1),
    ),
    Quantity(
        "power", "mean power", "mW", Direction.LOWER, "mean",
        "lan_power_watts", 1e-3, ("power",),
        "Mean power over the measured part of the test",
        Margin(0.10, 0.01),
    ),
    Quantity(
        "memory", "memory", "KB", Direction.LOWER, "max",
        "lan_memory_bytes", 1024.0, ("memory",),
        "Static RAM of the image plus the high-water marks of stack and heap (1 KB = 1024 bytes)",
        Margin(0.10, 0.25),
    ),
    Quantity(
        "accuracy", "accuracy", "%", Direction.HIGHER, "share",
        "lan_model_accuracy_ratio", 1e-2, ("console",),
        "Share of labelled recordings that the DUT names rightly",
        Margin(0.05, 1),
    ),
    Quantity(
        "confidence", "confidence of answers", "%", Direction.HIGHER, "mean",
        "lan_model_confidence_ratio", 1e-2, ("console",),
        "Probability that the network gives its own answer",
        Margin(0.10, 1),
    ),
    Quantity(
        "false_positive_rate", "false positives", "%", Direction.LOWER, "share",
        "lan_false_positive_ratio", 1e-2, ("console",),
        "Share of sounds without speech that the DUT takes for a word",
        Margin(0.10, 10),
    ),
    Quantity(
        "drift_score", "drift of features", "1", Direction.LOWER, "max",
        "lan_feature_drift_ratio", 1.0, ("console",),
        "Population stability index of the features on the DUT against those of the training",
        Margin(0.10, 0.05),
    ),
    Quantity(
        "throughput", "throughput", "1/s", Direction.HIGHER, "min",
        "lan_inference_throughput_hertz", 1.0, ("console",),
        "Inferences per second that the DUT completes back to back",
        Margin(0.10, 1),
    ),
    Quantity(
        "dropped_frames", "dropped frames", "%", Direction.LOWER, "max",
        "lan_dropped_frames_ratio", 1e-2, ("console",),
        "Share of audio frames that came too late or were lost",
        Margin(0.10, 0.1),
    ),
    Quantity(
        "cpu_utilisation", "CPU utilisation", "%", Direction.LOWER, "max",
        "lan_cpu_utilisation_ratio", 1e-2, ("console",),
        "Share of time that the core is awake while it listens",
        Margin(0.10, 0.5),
    ),
    Quantity(
        "flash", "flash", "KB", Direction.LOWER, "max",
        "lan_flash_bytes", 1024.0, ("probe",),
        "Flash that the image fills (1 KB = 1024 bytes)",
        Margin(0.10, 1),
    ),
    Quantity(
        "memory_available", "memory left", "KB", Direction.HIGHER, "min",
        "lan_memory_available_bytes", 1024.0, ("probe",),
        "RAM of the chip that neither the image nor its stack and heap ever used (1 KB = 1024 bytes)",
        Margin(0.10, 0.25),
    ),
    Quantity(
        "temperature", "temperature of the chip", "degC", Direction.LOWER, "max",
        "lan_temperature_celsius", 1.0, ("console",),
        "Temperature that the chip's own sensor reports",
        Margin(0, 5),
    ),
    Quantity(
        "battery", "battery life", "h", Direction.HIGHER, "mean",
        "lan_battery_life_seconds", 3600.0, ("power",),
        "Time that the board's battery lasts at the mean power measured",
        Margin(0.10, 24),
    ),
    Quantity(
        "uptime", "uptime", "s", Direction.HIGHER, "min",
        "lan_uptime_seconds", 1.0, ("console",),
        "Time since the DUT's last reset, by its own clock",
        Margin(0.10, 0.1),
    ),
)  # fmt: skip

QUANTITIES: dict[str, Quantity] = {row.name: row for row in _ROWS}


def unit_text(unit: str) -> str:
    """ " ms": the unit behind a figure; nothing behind a plain number, whose unit is "1"."""
    return "" if unit == "1" else f" {unit}"
