"""PromQL of a quantity, for panels: its value, the worst and the median, the budget, the share of the budget.

Names come from the quantity table through `metric_names`; no threshold stands here, budgets are series. Every
query keeps `simulated`, so that a virtual bench is never drawn as part of a real one.

A run of the harness has no label `device`; a device in the field has. The matcher `device=~"$device"` with
the variable at "All" (`.*`) takes both, and a chosen device leaves the runs out.
"""

from __future__ import annotations

from pytest_lan_hil.model.quantities import Direction, Quantity
from pytest_lan_hil.publish.openmetrics import metric_names

PLACE = 'board=~"$board", bench=~"$bench", simulated=~"$simulated"'
ANY = f'{PLACE}, device=~"$device"'
DEVICES = f'{ANY}, device!=""'
RUNS = f'{PLACE}, device=""'

BENCH = "board, bench, simulated"
DEVICE = f"{BENCH}, device"
RATE = "$__rate_interval"


def rate(metric: str) -> str:
    """Per-second increase of a counter of the devices, by device."""
    return f"sum by ({DEVICE}) (rate({metric}{{{DEVICES}}}[{RATE}]))"


def per(numerator: str, denominator: str) -> str:
    """Ratio of two counters' rates, by device; numerator and denominator are summed on their own."""
    return f"{rate(numerator)} / {rate(denominator)}"


def device_latency_quantile(share: float) -> str:
    """A quantile of the devices' latency histogram, by device. Seconds."""
    return f"histogram_quantile({share:g}, {_buckets(f'{DEVICE}, le')})"


def latency_heat() -> str:
    """Inferences per second in each bucket of the devices' latency histogram."""
    return _buckets("le")


def _buckets(by: str) -> str:
    return f"sum by ({by}) (rate(lan_inference_latency_seconds_bucket{{{DEVICES}}}[{RATE}]))"


def value(quantity: Quantity) -> str:
    """Series of the quantity in its base unit, of runs and of devices, with label `statistic`.

    Devices publish the gauge that runs do, except where they have counters or a histogram: then the figure is
    made of these.
    """
    runs_and_devices = f"{metric_names(quantity).estimate}{{{ANY}}}"
    from_counters = _from_counters(quantity)
    if from_counters is None:
        return runs_and_devices
    labelled = f'label_replace({from_counters}, "statistic", "{quantity.statistic}", "", "")'
    return f"({runs_and_devices} or {labelled})"


def _from_counters(quantity: Quantity) -> str | None:
    if metric_names(quantity).histogram:
        return device_latency_quantile(float(quantity.statistic.removeprefix("p")) / 100)
    if quantity.name == "dropped_frames":
        return per("lan_dropped_frames_total", "lan_frames_total")
    return None


def worst(quantity: Quantity) -> str:
    """The worst value of each board and bench: the highest where lower is better."""
    most = "max" if quantity.direction is Direction.LOWER else "min"
    return f"{most} by ({BENCH}) ({value(quantity)})"


def median(quantity: Quantity) -> str:
    """The median of each board and bench."""
    return f"quantile by ({BENCH}) (0.5, {value(quantity)})"


def budget(quantity: Quantity) -> str:
    """The tightest budget of each board and bench."""
    return _budget(quantity, BENCH)


def _budget(quantity: Quantity, by: str) -> str:
    tightest = "min" if quantity.direction is Direction.LOWER else "max"
    return f"{tightest} by ({by}) ({metric_names(quantity).budget}{{{PLACE}}})"


def share_each(quantity: Quantity) -> str:
    """How much of its budget each run or device uses: 1 is at the budget, more is beyond it.

    Value / budget where lower is better, budget / value where higher is: the same colours fit both.
    """
    matched = f"{BENCH}, statistic"
    share = f"{value(quantity)} / on ({matched}) group_left () {_budget(quantity, matched)}"
    return share if quantity.direction is Direction.LOWER else f"1 / ({share})"


def share(quantity: Quantity) -> str:
    """The largest share of its budget that any run or device of a board uses."""
    return f"max by (board, simulated) ({share_each(quantity)})"


def nearest(quantities: tuple[Quantity, ...]) -> str:
    """The ten runs or devices that use most of a budget, with label `quantity`."""
    each = (f'label_replace({share_each(one)}, "quantity", "{one.name}", "", "")' for one in quantities)
    return f"topk(10, {' or '.join(each)})"


# --- runs only


def last_run(metric: str, more: str = "") -> str:
    """Each run's sample, however few: a backfilled run has one, and a step of the panel is longer than the
    five minutes for which Prometheus looks back.
    """
    return f"last_over_time({metric}{{{RUNS}{more}}}[$__interval])"


def by_build(metric: str) -> str:
    """A run's figure once for each image it had under test, with the image's build: the commit is part of it.

    Times `lan_firmware_info`, which is 1; the info is the many side, since a run may test several images.
    """
    info = f"max by ({BENCH}, build, image) ({last_run('lan_firmware_info')})"
    return f"{info} * on ({BENCH}) group_left (statistic) max by ({BENCH}, statistic) ({last_run(metric)})"


def at_end_of_run(condition: str) -> str:
    """When the run ended, ms, where the condition holds: for annotations that take it as their time."""
    ended = f"1000 * max by ({BENCH}) ({last_run('lan_run_timestamp_seconds')})"
    return f"({condition}) * 0 + on ({BENCH}) group_left () ({ended})"
