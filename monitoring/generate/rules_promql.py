"""PromQL of the rules, from the quantity table. Pure text.

Every comparison joins on `job`, `board`, `bench`, `simulated` and `statistic`: a simulated series never meets
a real one, nor a percentile a mean. `instance` is aggregated away, so that a device keeps its alert when it
is plugged into another host. A run has no label `device`, a device in the field always has one.
"""

from __future__ import annotations

from enum import Enum

from pytest_lan_hil.model.quantities import Direction, Quantity
from pytest_lan_hil.publish.openmetrics import metric_names

JOIN = ("job", "board", "bench", "simulated", "statistic")

LATENCY_P95 = "device:lan_inference_latency_seconds:p95_rate5m"
LATENCY_P50 = "device:lan_inference_latency_seconds:p50_rate5m"
THROUGHPUT = "device:lan_inference_throughput_hertz:rate5m"
DROPPED = "device:lan_dropped_frames:ratio_rate5m"
FLASH = "device:lan_flash:ratio"

# What a device counts, it has as a histogram or a counter; its figure is made by a recording rule.
_RECORDED = {"latency": LATENCY_P95, "throughput": THROUGHPUT, "dropped_frames": DROPPED}


class Source(str, Enum):
    """Where a figure comes from: a run of the harness, or a device in the field."""

    RUN = "run"
    DEVICE = "device"


def number(value: float) -> str:
    """A figure as PromQL writes it; nine digits, so that 1 + 0.1 is 1.1."""
    return f"{value:.9g}"


def on(labels: tuple[str, ...] = JOIN) -> str:
    """The clause that matches both sides of an operator."""
    return f"on ({', '.join(labels)})"


def worst(direction: Direction, selector: str) -> str:
    """One series where several hosts tell of the same thing: the worst of them."""
    return f"{'max' if direction is Direction.LOWER else 'min'} without (instance) ({selector})"


def tightest(direction: Direction, selector: str) -> str:
    """One limit where several hosts tell it: the tightest of them."""
    return f"{'min' if direction is Direction.LOWER else 'max'} without (instance) ({selector})"


def worse(direction: Direction) -> str:
    """The operator between a figure and the limit that it breaks."""
    return ">" if direction is Direction.LOWER else "<"


def figure(quantity: Quantity, source: Source) -> str:
    """What is judged: of a run the better end of the interval, as verdicts are; of a device its figure."""
    names = metric_names(quantity)
    if source is Source.RUN:
        end = names.low if quantity.direction is Direction.LOWER else names.high
        return worst(quantity.direction, f'{end}{{device=""}}')
    recorded = _RECORDED.get(quantity.name)
    return recorded if recorded else worst(quantity.direction, f'{names.plain}{{device!=""}}')


def over_budget(quantity: Quantity, source: Source, default: float | None) -> str:
    """What breaks its board's target; where the board has none, `default` (base unit) if there is one."""
    left, sign = figure(quantity, source), worse(quantity.direction)
    budget = tightest(quantity.direction, metric_names(quantity).budget)
    by_budget = f"{left}\n  {sign} {on()} group_left ()\n{budget}"
    if default is None:
        return by_budget
    by_default = f"{left} {sign} {number(default)}\n  unless {on()}\n{budget}"
    return f"(\n{_indented(by_budget)}\n)\nor\n(\n{_indented(by_default)}\n)"


def share_matters(quantity: Quantity) -> bool:
    """Whether the margin's share can ever be the larger part: not of a share, which is 100 % at most."""
    margin = quantity.margin
    return margin.relative > 0 and not (quantity.unit == "%" and margin.relative * 100 <= margin.absolute)


def regressed(quantity: Quantity) -> str:
    """Runs that are worse than their baseline by the table's margin: by the share and by the amount."""
    sign = worse(quantity.direction)
    side = 1 if quantity.direction is Direction.LOWER else -1
    left = figure(quantity, Source.RUN)
    baseline = worst(quantity.direction, metric_names(quantity).baseline)
    amount = number(quantity.margin.absolute * quantity.scale)
    by_amount = f"{left}\n  {sign} {on()} group_left ()\n{baseline} {'+' if side > 0 else '-'} {amount}"
    if not share_matters(quantity):
        return by_amount
    share = number(1 + side * quantity.margin.relative)
    by_share = f"{left}\n  {sign} {on()} group_left ()\n{share} * {baseline}"
    return f"(\n{_indented(by_share)}\n)\nand\n(\n{_indented(by_amount)}\n)"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
