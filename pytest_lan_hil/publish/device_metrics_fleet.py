"""Many devices in the field as one scrape: their samples, and what the exporter itself knows of each. Pure.

`lan_device_up` is 1 exactly while a device's data is published, so that no series outlives its device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from pytest_lan_hil.dut.metrics_frame import Defect
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish.device_metrics import FAMILIES, DeviceLabels, Family
from pytest_lan_hil.publish.openmetrics import Labels, metric_names

# Prometheus can be told to refuse a whole scrape for one label that is too long: what is somebody's own text
# (a device's build, a board's title) is cut, in bytes of UTF-8.
_TEXT_MAX = 200


_Reason = TypeVar("_Reason", bound=Enum)


class Failure(str, Enum):
    """Why a reading brought nothing; the value is a label."""

    PORT = "port"
    SILENT = "silent"
    REFUSED = "refused"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while a device is connected: its board's title, its clock, its build."""

    title: str = ""
    cycle_hz: int | None = None
    build: str = ""


@dataclass(frozen=True, slots=True)
class DeviceView:
    """What is known of a device at the time of a scrape.

    Attributes:
        labels: See there.
        up: Its last sound frame is not stale and its port is open.
        last_seen_s: Unix time of its last sound frame; None if there was none yet.
        samples: As `device_metrics.samples` gives them; empty unless it is up.
        facts: See there.
        rejected: Frames that could not be used, by what was wrong.
        failures: Readings that brought no frame at all, by why.
        resets: How often its counters started anew.
        clock_jumps: How often its clock went otherwise than ours between two readings.
        problem: What was wrong last, in words, "" if nothing is.
    """

    labels: DeviceLabels
    up: bool = False
    last_seen_s: float | None = None
    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    facts: Facts = Facts()
    rejected: Mapping[Defect, int] = field(default_factory=dict)
    failures: Mapping[Failure, int] = field(default_factory=dict)
    resets: int = 0
    clock_jumps: int = 0
    problem: str = ""


UP = Family("lan_device_up", "gauge", "1 while the device answers with sound frames, else 0")
LAST_SEEN = Family(
    "lan_device_last_seen_timestamp_seconds", "gauge", "When the last sound frame came, Unix time", "seconds"
)
REJECTED = Family("lan_frames_rejected", "counter", "Frames that could not be used, by what was wrong")
FAILURES = Family("lan_device_read_failures", "counter", "Readings that brought no frame, by why")
RESETS = Family("lan_device_resets", "counter", "Times that the device's counters started anew")
JUMPS = Family(
    "lan_device_clock_jumps", "counter", "Times that the device's clock went otherwise than the exporter's"
)
INFO = Family("lan_device", "info", "Facts about the device")
FIRMWARE = Family("lan_firmware", "info", "Image that the device says it runs")
EXPECTED = Family("lan_expected", "info", "1 for each device of the inventory, there or not")


def families(views: Sequence[DeviceView], targets: Mapping[str, Mapping[str, float]]) -> Iterator[Metric]:
    """All metrics of all devices.

    Args:
        views: One per device.
        targets: Board to its targets (quantity to limit in the quantity's display unit).
    """
    yield from _own(views)
    yield from _budgets(views, targets)
    for family in FAMILIES:
        found = [sample for view in views for sample in view.samples.get(family.name, ())]
        if found:
            yield _metric(family, found)


def _metric(family: Family, samples: list[Sample]) -> Metric:
    metric = Metric(family.name, family.help, family.type, family.unit)
    metric.samples = samples
    return metric


def _own(views: Sequence[DeviceView]) -> Iterator[Metric]:
    every = [(view, view.labels.all()) for view in views]
    yield _metric(EXPECTED, [Sample("lan_expected_info", labels, 1.0) for _, labels in every])
    yield _metric(UP, [Sample(UP.name, labels, float(view.up)) for view, labels in every])
    yield _metric(
        LAST_SEEN,
        [
            Sample(LAST_SEEN.name, labels, view.last_seen_s)
            for view, labels in every
            if view.last_seen_s is not None
        ],
    )
    yield _metric(
        REJECTED, [s for v, labels in every for s in _by_reason(REJECTED, labels, Defect, v.rejected)]
    )
    yield _metric(
        FAILURES, [s for v, labels in every for s in _by_reason(FAILURES, labels, Failure, v.failures)]
    )
    yield _metric(
        RESETS, [Sample(f"{RESETS.name}_total", labels, float(view.resets)) for view, labels in every]
    )
    yield _metric(
        JUMPS, [Sample(f"{JUMPS.name}_total", labels, float(view.clock_jumps)) for view, labels in every]
    )
    yield _metric(INFO, [Sample("lan_device_info", labels | _facts(view), 1.0) for view, labels in every])
    built = [(_cut(view.facts.build), labels) for view, labels in every if view.facts.build]
    if built:
        yield _metric(
            FIRMWARE,
            [Sample("lan_firmware_info", {**labels, "build": build}, 1.0) for build, labels in built],
        )


def _by_reason(
    family: Family, labels: Labels, kinds: type[_Reason], counts: Mapping[_Reason, int]
) -> Iterator[Sample]:
    """A counter for each reason there is, from 0 on, so that the first one to be counted is an increase."""
    for kind in kinds:
        yield Sample(f"{family.name}_total", {**labels, "reason": kind.value}, float(counts.get(kind, 0)))


def _cut(text: str) -> str:
    return text.encode("utf-8")[:_TEXT_MAX].decode("utf-8", "ignore")


def _facts(view: DeviceView) -> dict[str, str]:
    hz = view.facts.cycle_hz
    return {"title": _cut(view.facts.title), "cycle_hertz": "" if hz is None else str(hz)}


def _budgets(views: Sequence[DeviceView], targets: Mapping[str, Mapping[str, float]]) -> Iterator[Metric]:
    """The board's targets, once for each board and site."""
    places: dict[tuple[str, ...], dict[str, str]] = {}
    for view in views:
        shared = view.labels.shared()
        places[tuple(shared.values())] = shared
    for name, row in QUANTITIES.items():
        names = metric_names(row)
        found = [
            Sample(
                names.budget,
                {**labels, "statistic": row.statistic},
                targets[labels["board"]][name] * row.scale,
            )
            for labels in places.values()
            if name in targets.get(labels["board"], {})
        ]
        if found:
            yield _metric(Family(names.budget, "gauge", f"{row.help}: the board's target", names.unit), found)
