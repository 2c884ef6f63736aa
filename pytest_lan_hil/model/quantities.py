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
class Quantity:
    """A named thing that can be measured.

    Attributes:
        name: The key everywhere: records, markers (`{name}_budget`), board targets (`{name}_{unit}`).
        title: For people.
        unit: Display unit.
        direction: Which way is better.
        statistic: What is judged unless the marker says otherwise: "mean", "max" or a percentile ("p95").
        metric: Prometheus name, in base unit.
        scale: Base unit per display unit.
        needs: What a bench must offer to measure it (see `instruments.base.CAPABILITIES`).
        help: One line for `# HELP` and reports.
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

    @property
    def marker(self) -> str:
        """Name of the pytest marker that sets a budget on this quantity."""
        return f"{self.name}_budget"

    @property
    def target_key(self) -> str:
        """Key in a board file's `[targets]` table, and name of the marker's first argument is its unit."""
        return f"{self.name}_{self.unit.lower()}"


_ROWS = (
    Quantity(
        "latency", "latency per inference", "ms", Direction.LOWER, "p95",
        "lan_inference_latency_seconds", 1e-3, ("edges",),
        "Time from the rising to the falling edge of the inference marker line",
    ),
    Quantity(
        "energy", "energy per inference", "uJ", Direction.LOWER, "mean",
        "lan_energy_per_inference_joules", 1e-6, ("power.waveform", "edges"),
        "Energy taken from the supply between the edges of the inference marker line",
    ),
    Quantity(
        "power", "mean power", "mW", Direction.LOWER, "mean",
        "lan_power_watts", 1e-3, ("power",),
        "Mean power over the measured part of the test",
    ),
    Quantity(
        "memory", "memory", "KB", Direction.LOWER, "max",
        "lan_memory_bytes", 1024.0, ("memory",),
        "Static RAM of the image plus the stack's high-water mark (1 KB = 1024 bytes)",
    ),
)  # fmt: skip

QUANTITIES: dict[str, Quantity] = {row.name: row for row in _ROWS}
