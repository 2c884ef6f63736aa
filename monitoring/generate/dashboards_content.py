"""What the four topics of dashboards show; the runs of CI are in dashboards_runs.

Every quantity of the table stands on exactly one topic.
"""

from __future__ import annotations

from monitoring.generate import dashboards_queries as promql
from monitoring.generate.dashboards_panels import (
    OF_BUDGET,
    WIDTH,
    Json,
    Query,
    Row,
    dashboard,
    heatmap,
    stat,
    table,
    timeseries,
    variable,
)
from monitoring.generate.dashboards_runs import runs_dashboard
from monitoring.generate.dashboards_words import PLACE, text_of, title_of, unit_of
from pytest_lan_hil.model.quantities import QUANTITIES, Quantity
from pytest_lan_hil.publish.openmetrics import metric_names

TOPICS = {
    "performance": ("latency", "throughput", "dropped_frames", "cpu_utilisation"),
    "power": ("power", "energy", "battery"),
    "quality": ("accuracy", "confidence", "false_positive_rate", "drift_score"),
    "hardware": ("memory", "memory_available", "flash", "temperature", "uptime"),
}


_INFERENCES = f"{metric_names(QUANTITIES['latency']).plain}_count"

# Devices have `lan_device_up`, runs `lan_run_timestamp_seconds`: a name pattern finds the places of both.
_EITHER = '{__name__=~"lan_device_up|lan_run_timestamp_seconds"}'
_PLACES = (
    variable("board", _EITHER, "Board"),
    variable("bench", f'{_EITHER[:-1]}, board=~"$board"}}', "Bench or site"),
    variable("simulated", _EITHER, "Simulated"),
)
_WITH_DEVICE = (*_PLACES, variable("device", f"lan_device_up{{{promql.PLACE}}}", "Device"))


def all_dashboards() -> dict[str, Json]:
    """The dashboards by file name.

    Raises:
        ValueError: A row of the quantity table stands on no topic, or on two.
    """
    placed = sorted(name for names in TOPICS.values() for name in names)
    if placed != sorted(QUANTITIES):
        odd = sorted(
            {name for name in (*placed, *QUANTITIES) if placed.count(name) != 1 or name not in QUANTITIES}
        )
        raise ValueError(f"each quantity belongs to one topic of TOPICS; look at {', '.join(odd)}")
    return {
        "performance.json": _topic("performance", "Real-time performance", _performance()),
        "power.json": _topic("power", "Power efficiency", _power()),
        "quality.json": _topic("quality", "Model quality", _quality()),
        "hardware.json": _topic("hardware", "Hardware health", _hardware()),
        "ci-runs.json": runs_dashboard(TOPICS),
    }


def _topic(name: str, title: str, rows: list[Row]) -> Json:
    quantities = tuple(QUANTITIES[one] for one in TOPICS[name])
    judged = [
        stat(
            f"{one.title}: share of budget",
            f"{text_of(one)} 100 % is at the budget, more breaks it; the run or device that uses most of it.",
            Query(promql.share(one), "{{board}} simulated={{simulated}}"),
            "percentunit",
            width=WIDTH // len(quantities),
            thresholds=OF_BUDGET,
        )
        for one in quantities
    ]
    worst = table(
        "Nearest to a budget",
        "The ten runs (no device) and devices that use most of a budget of this page.",
        Query(promql.nearest(quantities)),
        "percentunit",
        width=WIDTH,
        thresholds=OF_BUDGET,
    )
    over_time = [_over_time(one) for one in quantities]
    return dashboard(
        f"lan-hil-{name}",
        f"lan-hil / {title}",
        f"{title} of runs on benches and of devices in the field, against their budgets.",
        [Row("Budgets", [*judged, worst]), Row("Over time", over_time), *rows],
        _WITH_DEVICE,
        since="now-6h",
    )


def _over_time(one: Quantity) -> Json:
    return timeseries(
        title_of(one),
        f"{text_of(one)} Worst and median of each board and bench, and the tightest budget (dashed).",
        [
            Query(promql.worst(one), f"worst {PLACE}"),
            Query(promql.median(one), f"median {PLACE}", "median"),
            Query(promql.budget(one), f"budget {PLACE}", "budget"),
        ],
        unit_of(one),
    )


def _performance() -> list[Row]:
    speed = promql.rate(_INFERENCES)
    quantiles = [
        Query(
            f"max by ({promql.BENCH}) ({promql.device_latency_quantile(share)})",
            f"p{100 * share:g} {PLACE}",
        )
        for share in (0.5, 0.95, 0.99)
    ]
    return [
        Row(
            "Devices in the field",
            [
                heatmap(
                    "Latency per inference, all devices, simulated=$simulated",
                    "Inferences per second in each bucket of the devices' own histogram. "
                    "One heat map for simulated devices, one for real ones.",
                    Query(promql.latency_heat(), "{{le}}"),
                    "s",
                    width=12,
                ),
                timeseries(
                    "Latency quantiles of the worst device",
                    "Estimated within a bucket: no finer than the buckets of the device.",
                    quantiles,
                    "s",
                ),
                timeseries(
                    "Inferences per second",
                    "Rate of finished inferences of a device, the slowest of each site.",
                    [Query(f"min by ({promql.BENCH}) ({speed})", PLACE)],
                    "hertz",
                ),
                timeseries(
                    "Errors per second",
                    "Errors that the devices counted themselves, summed over each site.",
                    [Query(f"sum by ({promql.BENCH}) ({promql.rate('lan_errors_total')})", PLACE)],
                    "hertz",
                ),
            ],
        )
    ]


def _power() -> list[Row]:
    energy = promql.rate("lan_energy_joules_total")
    of_each = promql.per("lan_inference_energy_joules_total", _INFERENCES)
    return [
        Row(
            "Devices in the field",
            [
                timeseries(
                    "Power, from the energy counter",
                    "Rate of the joules that a device counted: its mean power between scrapes.",
                    [Query(f"max by ({promql.BENCH}) ({energy})", f"worst {PLACE}")],
                    "watt",
                ),
                timeseries(
                    "Energy per inference, from counters",
                    "Joules of inferences over their number, between scrapes.",
                    [
                        Query(f"max by ({promql.BENCH}) ({of_each})", f"worst {PLACE}"),
                    ],
                    "joule",
                ),
            ],
        )
    ]


def _quality() -> list[Row]:
    runs = f"max by ({promql.BENCH}, build, image, sha256) (lan_firmware_info{{{promql.RUNS}}})"
    devices = f"count by ({promql.BENCH}, build) (lan_firmware_info{{{promql.DEVICES}}})"
    return [
        Row(
            "Firmware: the model is part of the image",
            [
                table(
                    "Images under test",
                    "Images that the last runs had under test.",
                    Query(runs),
                    "none",
                    width=12,
                ),
                table(
                    "Images in the field",
                    "How many devices say that they run which build.",
                    Query(devices),
                    "none",
                    width=12,
                ),
            ],
        )
    ]


def _hardware() -> list[Row]:
    up = f"lan_device_up{{{promql.ANY}}}"
    seen = f"lan_device_last_seen_timestamp_seconds{{{promql.ANY}}}"
    resets = f"increase(lan_device_resets_total{{{promql.ANY}}}[1h])"
    flash = f"{metric_names(QUANTITIES['flash']).estimate}{{{promql.DEVICES}}}"
    size = f"max by ({promql.DEVICE}) (lan_flash_size_bytes{{{promql.DEVICES}}})"
    full = f"{flash} / on ({promql.DEVICE}) group_left () {size}"
    return [
        Row(
            "Devices in the field",
            [
                stat(
                    "Devices that answer",
                    "Share of the devices of the inventory that answered last time.",
                    Query(f"avg by ({promql.BENCH}) ({up})", PLACE),
                    "percentunit",
                    width=8,
                ),
                stat(
                    "Longest silence",
                    "Time since the device that has been silent longest was heard.",
                    Query(f"max by ({promql.BENCH}) (time() - {seen})", PLACE),
                    "s",
                    width=8,
                ),
                stat(
                    "Restarts in the last hour",
                    "Times that a device's counters started anew, over all devices of a site.",
                    Query(f"sum by ({promql.BENCH}) ({resets})", PLACE),
                    "none",
                    width=8,
                ),
                timeseries(
                    "Devices that answer",
                    "How many answer, and how many the inventory has.",
                    [
                        Query(f"sum by ({promql.BENCH}) ({up})", f"up {PLACE}"),
                        Query(f"count by ({promql.BENCH}) ({up})", f"known {PLACE}", "baseline"),
                    ],
                    "none",
                ),
                timeseries(
                    "Frames refused per second",
                    "Frames of metrics that were cut, damaged or out of range: never taken for data.",
                    [
                        Query(
                            f"sum by ({promql.BENCH}, reason) "
                            f"(rate(lan_frames_rejected_total{{{promql.ANY}}}[{promql.RATE}]))",
                            f"{{{{reason}}}} {PLACE}",
                        )
                    ],
                    "hertz",
                ),
                timeseries(
                    "Flash that is full",
                    "Flash that the image fills over the flash that the chip has.",
                    [Query(f"max by ({promql.BENCH}) ({full})", PLACE)],
                    "percentunit",
                ),
            ],
        )
    ]
