"""What dashboards call a quantity, and how Grafana shows its unit."""

from __future__ import annotations

from monitoring.generate.dashboards_panels import UNITS
from pytest_lan_hil.model.quantities import Direction, Quantity
from pytest_lan_hil.publish.openmetrics import metric_names

PLACE = "{{board}} {{bench}} simulated={{simulated}}"


def unit_of(quantity: Quantity) -> str:
    """Grafana's unit; a plain number (drift's index) has none, though its metric is named a ratio."""
    return "none" if quantity.unit == "1" else UNITS[metric_names(quantity).unit]


def title_of(quantity: Quantity) -> str:
    """The table's title with the statistic that is judged: "Latency per inference (p95)"."""
    return f"{quantity.title[0].upper()}{quantity.title[1:]} ({quantity.statistic})"


def text_of(quantity: Quantity) -> str:
    """Help and direction."""
    better = "Lower" if quantity.direction is Direction.LOWER else "Higher"
    return f"{quantity.help}. {better} is better."
