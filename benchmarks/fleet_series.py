"""The series of a virtual fleet, as an exporter writes them, with values that go on: generated, not emulated.

One exporter's page is rendered once by the exporter's own code; of each line the value is then made anew for
every scrape. Counters grow by what a device counts, and all counters of a device together; gauges move as
far as a sensor's last digits do; what stands still on a device stands still here.
"""

from __future__ import annotations

import random
import re

import numpy as np
import numpy.typing as npt

from pytest_lan_hil.dut.metrics_values import (
    Confidence,
    DeviceMetrics,
    Energy,
    FeatureHistogram,
    Latency,
    Power,
    Share,
)
from pytest_lan_hil.publish.device_metrics import DeviceLabels, Told, samples
from pytest_lan_hil.publish.device_metrics_fleet import DeviceView, Facts, families
from pytest_lan_hil.publish.openmetrics import openmetrics_text

CYCLE_HZ, TICK_HZ = 64_000_000, 32_768
EDGES_MS = (0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 12, 15, 20, 32, 64)
TARGETS = {"latency": 12.0, "power": 0.9, "memory": 32.0, "accuracy": 93.5}
SCRAPE_S = 15.0
_LINE = re.compile(r"^(\w+)(\{.*device=\"([^\"]+)\".*\}) (\S+)$")
_GROWING = ("_total", "_bucket", "_count", "_sum")
# Gauges that a device measures anew, and by how much of the value their last digits move.
_MOVING = {
    "lan_power_watts": 0.02,
    "lan_energy_per_inference_joules": 0.02,
    "lan_model_confidence_ratio": 0.01,
    "lan_cpu_utilisation_ratio": 0.05,
    "lan_temperature_celsius": 0.01,
    "lan_feature_drift_ratio": 0.1,
}


def device(seed: int) -> DeviceMetrics:
    """A device that knows everything, an hour after its start."""
    chance = random.Random(seed)
    counts = [0] * 16
    for _ in range(1000):
        counts[min(15, max(0, round(chance.gauss(9, 0.8))))] += 100
    n = sum(counts)
    return DeviceMetrics(
        sequence=40, tick_hz=TICK_HZ, uptime_ticks=3600 * TICK_HZ,
        latency=Latency(
            CYCLE_HZ, tuple(round(ms * CYCLE_HZ / 1000) for ms in EDGES_MS), tuple(counts),
            n * CYCLE_HZ // 100, CYCLE_HZ // 100, CYCLE_HZ // 50,
        ),
        confidence=Confidence((0,) * 8 + (n // 4, n - n // 4), 920 * n, 950),
        power=Power(n, round(chance.gauss(850, 40)) * n, 850, 1100),
        energy=Energy(n, round(chance.gauss(90_000, 3000)) * n, 90_000),
        memory_used=chance.randrange(18_000, 24_000), memory_available=chance.randrange(2_000, 9_000),
        flash_used=152_000, flash_size=1 << 20,
        temperature_degc=round(chance.gauss(31, 4), 2), battery_h=chance.randrange(100, 900),
        battery_v=2.9, cpu_percent=round(chance.gauss(9, 1), 1),
        accuracy=Share(95, 100), false_positives=Share(2, 100),
        frames=n, dropped=chance.randrange(50), errors=chance.randrange(5),
        features=FeatureHistogram(
            tuple(range(-400, 500, 100)), (0.1,) * 10,
            tuple(n // 10 + chance.randrange(200) for _ in range(10)),
        ),
        refused=0,
    )  # fmt: skip


def view(number: int) -> DeviceView:
    """What an exporter knows of device `number`."""
    labels = DeviceLabels(f"board{number % 4}", f"site{number // 200:03d}", f"d{number:07d}", simulated=True)
    now = device(number)
    told = Told(now, now, now, 3.06)
    return DeviceView(
        labels, up=True, last_seen_s=1.8e9, samples=samples(labels, told),
        facts=Facts("nRF52840", CYCLE_HZ, "git=628798f,image=a7,version=3"),
    )  # fmt: skip


class Exporter:
    """One exporter's page over time; `series` is how many it has."""

    def __init__(self, first: int, devices: int) -> None:
        views = [view(number) for number in range(first, first + devices)]
        boards = {one.labels.board: TARGETS for one in views}
        text = openmetrics_text(families(views, boards))
        template, values, names, of_device = [], [], [], []
        for line in text.split("\n"):
            found = _LINE.fullmatch(line)
            if found is None:
                template.append(line.replace("%", "%%"))
                continue
            name, labels, owner, value = found.groups()
            template.append(f"{name}{labels} ".replace("%", "%%") + "%.10g")
            values.append(float(value))
            names.append(name)
            of_device.append(int(owner[1:]) - first)
        self.series = sum(not line.startswith("#") for line in text.split("\n") if line)
        self._template = "\n".join(template)
        self._start = np.array(values)
        self._owner = np.array(of_device)
        self._grows = np.array([name.endswith(_GROWING) for name in names])
        self._moves = np.array([_MOVING.get(name, 0.0) for name in names])
        self._clock = np.array([name == "lan_uptime_seconds" for name in names])
        self._seen = np.array([name.endswith("_timestamp_seconds") for name in names])
        self._whole = self._grows & np.array([not name.endswith(("_sum", "_joules_total")) for name in names])
        self._devices = devices
        self._chance = np.random.default_rng(first)

    def page(self, scrape: int) -> str:
        """OpenMetrics text of scrape 0, 1, ..."""
        return self._template % tuple(self._values(scrape).tolist())

    def history(self, scrapes: int, start_s: float) -> str:
        """The same for so many scrapes from a Unix time on, as one text with times: for promtool."""
        lines: list[str] = []
        for scrape in range(scrapes):
            at = f" {start_s + SCRAPE_S * scrape:.0f}"
            body = self.page(scrape).removesuffix("\n").removesuffix("# EOF").rstrip("\n").split("\n")
            lines += [line + at for line in body if not line.startswith("#")]
        return "\n".join(lines) + "\n# EOF\n"

    def _values(self, scrape: int) -> npt.NDArray[np.float64]:
        # Inferences come when there is sound: a device counts more in one interval than in another.
        busy = (scrape + self._chance.random(self._devices))[self._owner]
        grown = self._start * (1 + 0.004 * busy)
        values = np.where(self._grows, grown, self._start)
        values = np.where(self._whole, np.floor(values), values)
        noise = np.round(self._chance.standard_normal(values.size), 1)
        values = values * (1 + self._moves * noise)
        digit = _digit(values)
        values = np.where(self._moves > 0, np.round(values / digit) * digit, values)
        later: npt.NDArray[np.float64] = values + (self._clock | self._seen) * SCRAPE_S * scrape
        return later


def _digit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A thousandth of each value's decade: what a sensor resolves."""
    decades: npt.NDArray[np.float64] = np.floor(np.log10(np.maximum(np.abs(values), 1e-12)))
    return np.power(10.0, decades - 3)
