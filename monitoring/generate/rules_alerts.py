"""Which alerts there are. Limits are the boards' targets (`lan_budget_*`), or the constants below.

Alerts about the monitoring itself stand in `rules_watch`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from monitoring.generate import rules_words as words
from monitoring.generate.rules_promql import FLASH, Source, number, over_budget, regressed
from pytest_lan_hil.model.quantities import QUANTITIES

# For so long a device's figure has to be wrong before anybody is told. A run is judged once; its figure
# stays.
DEVICE_FOR = "5m"
RUN_FOR = "1m"
# And right for so long again, so that a figure that swings around its limit is one alert and not twenty.
KEEP_FOR = "5m"

# Share of the flash, from where on an update over the air no longer fits beside what is there.
FLASH_LIMIT = 0.9


class Severity(str, Enum):
    """Who is told, and how: see monitoring/alertmanager/alertmanager.yml."""

    CRITICAL = "critical"
    WARNING = "warning"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule.

    Attributes:
        name, severity: As they are told.
        expr: PromQL.
        summary, description: Go templates.
        wait, keep: `for` and `keep_firing_for`, "" for none.
        labels: Further ones.
    """

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    wait: str
    keep: str = KEEP_FOR
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Threshold:
    """An alert on a quantity that breaks its board's target.

    Attributes:
        alert, severity: Of the alert.
        quantity: Of the table.
        sources: Which figures are judged.
        default: Limit where the board has no target, display unit; None if there is none.
    """

    alert: str
    severity: Severity
    quantity: str
    sources: tuple[Source, ...] = (Source.RUN, Source.DEVICE)
    default: float | None = None

    @property
    def base_default(self) -> float | None:
        """`default` in base unit."""
        return None if self.default is None else self.default * QUANTITIES[self.quantity].scale


THRESHOLDS = (
    # A device in the field infers as often as there is something to hear; only a run infers back to back.
    Threshold("LowThroughput", Severity.CRITICAL, "throughput", (Source.RUN,)),
    # Slower than real time is what a device in the field shows by losing audio.
    Threshold("LowThroughput", Severity.CRITICAL, "dropped_frames", default=1),
    Threshold("LowModelAccuracy", Severity.CRITICAL, "accuracy"),
    Threshold("HighInferenceLatency", Severity.WARNING, "latency"),
    Threshold("HighPowerConsumption", Severity.WARNING, "power"),
    Threshold("HighMemoryUsage", Severity.WARNING, "memory"),
    Threshold("DeviceTemperatureHigh", Severity.WARNING, "temperature", default=70),
    Threshold("LowAvailableMemory", Severity.WARNING, "memory_available", default=1),
    # A device in the field is judged by the share that is full, see `device_alerts`.
    Threshold("HighFlashUsage", Severity.WARNING, "flash", (Source.RUN,)),
    Threshold("ModelDrift", Severity.WARNING, "drift_score", default=0.1),
    Threshold("LowBattery", Severity.WARNING, "battery", default=48),
)


def threshold_alerts(source: Source) -> list[Alert]:
    """One alert for each threshold on figures from this source."""
    return [_threshold_alert(one, source) for one in THRESHOLDS if source in one.sources]


def _threshold_alert(threshold: Threshold, source: Source) -> Alert:
    quantity = QUANTITIES[threshold.quantity]
    summary, description = words.over_target(quantity, source, threshold.default)
    return Alert(
        name=threshold.alert,
        severity=threshold.severity,
        expr=over_budget(quantity, source, threshold.base_default),
        summary=summary,
        description=description,
        wait=RUN_FOR if source is Source.RUN else DEVICE_FOR,
        labels={"quantity": quantity.name, "source": source.value},
    )


def device_alerts() -> list[Alert]:
    """Alerts of devices in the field that are not about a target."""
    last_seen = (
        '{{ with printf "time() - max(lan_device_last_seen_timestamp_seconds'
        '{job=%q,board=%q,bench=%q,device=%q})"'
        " $labels.job $labels.board $labels.bench $labels.device | query }}"
        "last answered {{ . | first | value | humanizeDuration }} ago{{ else }}never answered{{ end }}"
    )
    return [
        Alert(
            name="DeviceOffline",
            severity=Severity.CRITICAL,
            expr="max without (instance) (lan_device_up) == 0",
            summary=f"{words.DEVICE} is offline",
            description=f"lan_device_up is {{{{ $value }}}}, it should be 1: the device {last_seen}.",
            wait="2m",
            labels={"source": Source.DEVICE.value},
        ),
        Alert(
            name="HighFlashUsage",
            severity=Severity.WARNING,
            expr=f"{FLASH} > {number(FLASH_LIMIT)}",
            summary=f"{words.DEVICE}: flash is almost full",
            description=(
                "{{ $value | humanizePercentage }} of the flash are in use, target at most"
                f" {100 * FLASH_LIMIT:g}%."
            ),
            wait=DEVICE_FOR,
            labels={"quantity": "flash", "source": Source.DEVICE.value},
        ),
    ]


def regression_alerts() -> list[Alert]:
    """PerformanceRegression, once for each quantity of the table."""
    found = []
    for quantity in QUANTITIES.values():
        summary, description = words.regression(quantity)
        found.append(
            Alert(
                name="PerformanceRegression",
                severity=Severity.WARNING,
                expr=regressed(quantity),
                summary=summary,
                description=description,
                wait=RUN_FOR,
                labels={"quantity": quantity.name, "source": Source.RUN.value},
            )
        )
    return found
