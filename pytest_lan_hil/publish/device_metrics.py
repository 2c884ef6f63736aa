"""What one device in the field tells of itself, as Prometheus samples. Pure.

The names are those of the quantity table (`openmetrics.metric_names`), in base units; the counters are the
device's own, as it counts them. So they start again at 0 when the device does, and when one of its counters
of 32 bits wraps: `rate()` and `increase()` take either for the reset that it is. An exporter that is started
anew changes nothing about them, because it adds nothing up.

What the device does not know has no sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client.samples import Sample

from pytest_lan_hil.dut.metrics_values import DeviceMetrics, Latency
from pytest_lan_hil.measure.drift import chance_index, stability_index
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish.openmetrics import Labels, metric_names

# A device that hears what it was trained for scores (bins - 1) / frames by chance alone; what is published
# is well below the 0.1 from which on people speak of drift.
CHANCE_MAX = 0.01
# An edge is known to one cycle of the device's counter; six digits make cores of 64 and of 100 MHz agree.
_EDGE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class DeviceLabels:
    """What every series of a device carries.

    Attributes:
        board: The kind of device.
        bench: The site that it stands at.
        device: Its id in the inventory.
        simulated: No real device stands behind its port.
    """

    board: str
    bench: str
    device: str
    simulated: bool

    def shared(self) -> dict[str, str]:
        """Those that the devices of one board at one site have in common."""
        return {"board": self.board, "bench": self.bench, "simulated": "true" if self.simulated else "false"}

    def all(self) -> dict[str, str]:
        """All four."""
        return {**self.shared(), "device": self.device}


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a device after a reading.

    Attributes:
        now: The reading.
        recent: What happened in the last minute, or since the device started if that is shorter.
        lately: The same of the last hour, for what needs many events to say anything.
        energy_j: What the device took since it was first read, by its own power sensor, joules.
    """

    now: DeviceMetrics
    recent: DeviceMetrics
    lately: DeviceMetrics
    energy_j: float | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name without the counter's `_total` or the info's `_info`, type, help and unit."""

    name: str
    type: str
    help: str
    unit: str = ""


def _kb(size: int | None) -> float | None:
    return None if size is None else size / 1024


def _confidence(told: Told) -> float | None:
    mean = told.recent.confidence.mean_percent if told.recent.confidence else None
    # Its sum has 64 bits and its counts 32: once these have wrapped, the mean since the start is none.
    return mean if mean is not None and mean <= 100 else None


def _drift(told: Told) -> float | None:
    features = told.lately.features
    if features is None or not features.n or chance_index(len(features.counts), features.n) > CHANCE_MAX:
        return None
    return stability_index(features.counts, features.training)


#: Quantity to its value in the table's display unit, None where the device does not know it.
GAUGES: Mapping[str, Callable[[Told], float | None]] = {
    "energy": lambda told: told.recent.energy.mean_uj if told.recent.energy else None,
    "power": lambda told: told.recent.power.mean_mw if told.recent.power else None,
    "memory": lambda told: _kb(told.now.memory_used),
    "accuracy": lambda told: told.lately.accuracy.percent if told.lately.accuracy else None,
    "confidence": _confidence,
    "false_positive_rate": lambda told: (
        told.lately.false_positives.percent if told.lately.false_positives else None
    ),
    "drift_score": _drift,
    "cpu_utilisation": lambda told: told.now.cpu_percent,
    "flash": lambda told: _kb(told.now.flash_used),
    "memory_available": lambda told: _kb(told.now.memory_available),
    "temperature": lambda told: told.now.temperature_degc,
    "battery": lambda told: told.now.battery_h,
    "uptime": lambda told: told.now.uptime_s,
}
LATENCY = QUANTITIES["latency"]

_COUNTERS: Mapping[Family, Callable[[Told], float | None]] = {
    Family("lan_frames", "counter", "Audio frames that the device took"): lambda told: told.now.frames,
    Family("lan_dropped_frames", "counter", "Audio frames that came too late or were lost"): (
        lambda told: told.now.dropped
    ),
    Family("lan_errors", "counter", "Errors that the device counted"): lambda told: told.now.errors,
    Family(
        "lan_energy_joules", "counter",
        "Energy that the device took since it was first read, by its own power sensor", "joules",
    ): lambda told: told.energy_j,
    Family(
        "lan_inference_energy_joules", "counter",
        "Energy of the device's inferences alone, by its own sensor", "joules",
    ): lambda told: told.now.energy.total * 1e-9 if told.now.energy else None,
    Family(
        "lan_device_values_refused", "counter", "Values that the device's metrics library did not take"
    ): lambda told: told.now.refused,
}  # fmt: skip
_FLASH_SIZE = Family("lan_flash_size_bytes", "gauge", "Flash that the chip has", "bytes")
_HISTOGRAM = Family(
    metric_names(LATENCY).plain,
    "histogram",
    f"{LATENCY.title[0].upper()}{LATENCY.title[1:]}, in the device's own buckets",
    metric_names(LATENCY).unit,
)


def _gauge_family(quantity: str) -> Family:
    row = QUANTITIES[quantity]
    return Family(
        metric_names(row).estimate,
        "gauge",
        f"{row.title[0].upper()}{row.title[1:]}, as the device tells it",
        metric_names(row).unit,
    )


_GAUGE_FAMILIES = {quantity: _gauge_family(quantity) for quantity in GAUGES}
#: Every family that `samples` fills, in the order in which they are published.
FAMILIES = (_HISTOGRAM, *_GAUGE_FAMILIES.values(), _FLASH_SIZE, *_COUNTERS)


def samples(labels: DeviceLabels, told: Told) -> dict[str, tuple[Sample, ...]]:
    """The device's samples by the name of their family."""
    plain = labels.all()
    found: dict[str, tuple[Sample, ...]] = {}
    if told.now.latency is not None:
        found[_HISTOGRAM.name] = _histogram(plain, told.now.latency)
    for quantity, value_of in GAUGES.items():
        value = value_of(told)
        if value is not None:
            row, name = QUANTITIES[quantity], _GAUGE_FAMILIES[quantity].name
            found[name] = (Sample(name, {**plain, "statistic": row.statistic}, value * row.scale),)
    if told.now.flash_size is not None:
        found[_FLASH_SIZE.name] = (Sample(_FLASH_SIZE.name, plain, float(told.now.flash_size)),)
    for family, count_of in _COUNTERS.items():
        count = count_of(told)
        if count is not None:
            found[family.name] = (Sample(f"{family.name}_total", plain, float(count)),)
    return found


def _histogram(labels: Labels, latency: Latency) -> tuple[Sample, ...]:
    name = _HISTOGRAM.name
    bounds = [repr(float(f"{edge / latency.cycle_hz:.{_EDGE_DIGITS}g}")) for edge in latency.edges]
    found = []
    seen = 0
    for bound, count in zip([*bounds, "+Inf"], latency.counts, strict=True):
        seen += count
        found.append(Sample(f"{name}_bucket", {**labels, "le": bound}, float(seen)))
    plain = dict(labels)
    found.append(Sample(f"{name}_count", plain, float(seen)))
    found.append(Sample(f"{name}_sum", plain, latency.total / latency.cycle_hz))
    return tuple(found)
