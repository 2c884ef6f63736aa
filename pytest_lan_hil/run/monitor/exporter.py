"""All devices of an inventory, offered to Prometheus: what `lan-hil monitor exporter` serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pytest_lan_hil.config import Board
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.publish.device_metrics_fleet import DeviceView, families
from pytest_lan_hil.run.monitor.inventory import Device
from pytest_lan_hil.run.monitor.reader import Claims, DeviceReader

#: Intervals after which a reading that was not followed by another is stale, unless told otherwise.
STALE_INTERVALS = 3


class Exporter(Collector):
    """Reads all devices from `with` on; `collect` never waits for one.

    Args:
        devices: Of the inventory.
        boards: Every board that they name.
        every_s: Seconds from one reading of a device to the next.
        stale_after_s: Age from which on a device's last reading is no longer told; None: three intervals.

    Raises:
        InputError: It would be stale before the next reading.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        boards: Mapping[str, Board],
        *,
        every_s: float,
        stale_after_s: float | None = None,
    ) -> None:
        stale_s = STALE_INTERVALS * every_s if stale_after_s is None else stale_after_s
        if stale_s < every_s:
            raise InputError(
                f"a reading that is stale after {stale_s:g} s, with {every_s:g} s from one to the next:"
                " every device would be down in between",
                fix=f"give --stale-after {STALE_INTERVALS * every_s:g}",
            )
        claims = Claims()
        self._targets = {name: board.targets for name, board in boards.items()}
        self._readers = [
            DeviceReader(device, boards[device.board], every_s=every_s, stale_after_s=stale_s, claims=claims)
            for device in devices
        ]

    def __enter__(self) -> Exporter:
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._readers:
            reader.stop()
        for reader in self._readers:
            reader.join()

    def views(self) -> list[DeviceView]:
        """What is known of each device now, in the order of the inventory."""
        return [reader.view() for reader in self._readers]

    def collect(self) -> Iterator[Metric]:
        """All metrics, for prometheus_client."""
        return families(self.views(), self._targets)


def status(views: Sequence[DeviceView], now_s: float) -> str:
    """A line per device for people: up or down, how old its last frame is, what is wrong."""
    lines = []
    for view in views:
        labels, site = view.labels, " ".join(view.labels.bench.split())
        age = (
            "never seen"
            if view.last_seen_s is None
            else f"seen {max(0.0, now_s - view.last_seen_s):.1f} s ago"
        )
        simulated = " (simulated)" if labels.simulated else ""
        problem = f": {view.problem}" if view.problem else ""
        lines.append(
            f"{'up  ' if view.up else 'DOWN'} {labels.device} {labels.board} at {site}{simulated},"
            f" {age}{problem}"
        )
    return "\n".join(lines) + "\n"
