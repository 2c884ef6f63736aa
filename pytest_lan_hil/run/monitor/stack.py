"""The monitoring stack on loopback: Prometheus, Pushgateway and Alertmanager, with a place for the exporter.

Everything lives in one folder that goes with it; nothing that runs on this machine already is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.run.monitor.alerts import Alert, listening
from pytest_lan_hil.run.monitor.services import (
    ALERTMANAGER,
    PROMETHEUS,
    PUSHGATEWAY,
    Ending,
    Running,
    Service,
    find,
    port_near,
    started,
)
from pytest_lan_hil.run.monitor.stack_config import alertmanager_config, monitoring_root, prometheus_config


@dataclass(frozen=True, slots=True)
class Addresses:
    """host:port of each part."""

    prometheus: str
    pushgateway: str
    alertmanager: str
    exporter: str


def choose_addresses() -> Addresses:
    """The usual ports where they are free, else others."""
    prometheus, pushgateway, alertmanager, exporter = (
        f"127.0.0.1:{port_near(port)}" for port in (9090, 9091, 9093, 8080)
    )
    return Addresses(prometheus, pushgateway, alertmanager, exporter)


@contextmanager
def running_stack(
    folder: Path,
    addresses: Addresses,
    heard: Callable[[Alert], None],
    ending: Ending,
) -> Iterator[Sequence[Running]]:
    """Everything, ready; stopped when the block ends, or when a part can't be started.

    Args:
        folder: Configuration, data and logs.
        addresses: Of the parts.
        heard: Called with each alert, on a thread of its own.
        ending: Once it is set, nothing is waited for any more.

    Raises:
        BlockedError: A program is not installed, or one does not start.
    """
    prometheus, pushgateway, alertmanager = find((PROMETHEUS, PUSHGATEWAY, ALERTMANAGER))
    root = monitoring_root()
    targets = {
        "lan_hil": addresses.pushgateway,
        "lan_devices": addresses.exporter,
        "prometheus": addresses.prometheus,
        "alertmanager": addresses.alertmanager,
    }
    with ExitStack() as stack:
        webhook = stack.enter_context(listening(heard))
        (folder / "prometheus.yml").write_text(
            prometheus_config(root, targets, addresses.alertmanager), encoding="utf-8"
        )
        (folder / "alertmanager.yml").write_text(alertmanager_config(root, webhook), encoding="utf-8")
        services = (
            Service(
                "pushgateway",
                (pushgateway, f"--web.listen-address={addresses.pushgateway}", "--persistence.file="),
                f"http://{addresses.pushgateway}/-/ready",
            ),
            Service(
                "alertmanager",
                (
                    alertmanager,
                    f"--config.file={folder / 'alertmanager.yml'}",
                    f"--storage.path={folder / 'alertmanager'}",
                    f"--web.listen-address={addresses.alertmanager}",
                    "--cluster.listen-address=",
                ),
                f"http://{addresses.alertmanager}/-/ready",
            ),
            Service(
                "prometheus",
                (
                    prometheus,
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'prometheus'}",
                    f"--web.listen-address={addresses.prometheus}",
                ),
                f"http://{addresses.prometheus}/-/ready",
            ),
        )
        running = [stack.enter_context(started(service, folder)) for service in services]
        for one in running:
            one.wait_ready(ending)
        yield running
