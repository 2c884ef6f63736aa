"""A bench opened for one board: lease, console, probe and analyzer, closed again in every case.

Order matters: the console's reader runs before anything can reset the board, so that no boot line is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from pytest_lan_hil.config import Bench, Board, Wiring
from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.probe import Probe
from pytest_lan_hil.instruments import PowerAnalyzer, open_analyzer
from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import ConfigError
from pytest_lan_hil.model.record import DeviceIdentity
from pytest_lan_hil.run.lease import lease


@dataclass(frozen=True, slots=True)
class OpenBench:
    """What stands on the bench while it is open; `console` and `analyzer` are None where it has none."""

    board: Board
    bench: Bench
    wiring: Wiring
    probe: Probe
    console: Console | None
    analyzer: PowerAnalyzer | None
    dut: Dut
    devices: tuple[DeviceIdentity, ...]

    @property
    def clock(self) -> Clock:
        """The clock that the board lives in: the host's, or the simulation's."""
        return self.probe.clock

    @property
    def simulated(self) -> bool:
        """True if any device on the bench is."""
        return any(device.simulated for device in self.devices)

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be measured here (see `instruments.base`), "memory" through the probe included."""
        return frozenset({"memory"}) | (self.analyzer.capabilities if self.analyzer else frozenset())


@contextmanager
def open_bench(board: Board, bench: Bench, wiring: Wiring, *, wait_s: float) -> Iterator[OpenBench]:
    """Lease and open every device of `wiring`.

    Args:
        board: The board that the bench is opened for.
        bench: The set-up.
        wiring: Its URIs, filled in for the board.
        wait_s: How long to wait for a bench that another process holds.

    Raises:
        BlockedError: A device is held, absent or failed; everything opened until then is closed.
    """
    if wiring.probe is None:
        raise ConfigError(
            f"bench {bench.name} has no probe, so nothing can be flashed or proved",
            path=bench.path,
            key="probe",
            fix='add  probe = "jlink:UID"  (`lan-hil doctor` lists what is attached)',
        )
    with ExitStack() as stack:
        stack.enter_context(lease(wiring.uris, wait_s=wait_s))
        console = None
        devices = []
        if wiring.console:
            console = stack.enter_context(Console.open(wiring.console, baudrate=board.baudrate))
            devices.append(DeviceIdentity("console", wiring.console, console.description, console.simulated))
        probe = stack.enter_context(Probe.open(wiring.probe, target=board.target))
        devices.insert(
            0, DeviceIdentity("probe", wiring.probe, probe.description, probe.simulated, tuple(probe.notes))
        )
        analyzer = None
        if wiring.analyzer:
            analyzer = stack.enter_context(
                closing(open_analyzer(wiring.analyzer, markers=wiring.markers, supply_v=board.supply_v))
            )
            identity = analyzer.identity
            devices.append(
                DeviceIdentity("analyzer", wiring.analyzer, str(identity), identity.simulated, identity.notes)
            )
        yield OpenBench(board, bench, wiring, probe, console, analyzer, Dut(probe, console), tuple(devices))
