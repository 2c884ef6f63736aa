"""A bench opened for one board: lease, console, probe and analyzer, closed again in every case.

Order matters: an analyzer may be what powers the board, so it comes first; and the console's reader runs
before the probe can reset the board, so that no boot line is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from pytest_lan_hil.config import REPLAY, Bench, Board, Wiring
from pytest_lan_hil.dut.console import Console
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.native import NativeDut, host_notes
from pytest_lan_hil.dut.port import WAIT_SLICE_S
from pytest_lan_hil.dut.probe import Probe
from pytest_lan_hil.dut.program_port import open_program_port
from pytest_lan_hil.dut.recorded import RecordedDut
from pytest_lan_hil.dut.targets import require_target
from pytest_lan_hil.instruments import (
    CAPABILITIES,
    EdgeSource,
    PowerAnalyzer,
    open_analyzer,
    open_edges,
)
from pytest_lan_hil.model.capture import InstrumentIdentity
from pytest_lan_hil.model.clock import HOST_CLOCK, Clock
from pytest_lan_hil.model.errors import CapabilityMissing, ConfigError
from pytest_lan_hil.model.record import DeviceIdentity
from pytest_lan_hil.run.lease import lease


@dataclass(frozen=True, slots=True)
class OpenBench:
    """What stands on the bench while it is open; None where it has none.

    `probe` is None where the DUT is a program of this host, and where the analyzer replays a record; then
    `dut` is a stand-in that answers nothing.
    """

    board: Board
    bench: Bench
    wiring: Wiring
    probe: Probe | None
    console: Console | None
    analyzer: PowerAnalyzer | None
    dut: Dut | RecordedDut
    devices: tuple[DeviceIdentity, ...]
    edges: EdgeSource | None = None

    @property
    def clock(self) -> Clock:
        """The clock that the board lives in: the host's, or the simulation's."""
        return self.probe.clock if self.probe is not None else HOST_CLOCK

    @property
    def simulated(self) -> bool:
        """True if any device on the bench is."""
        return any(device.simulated for device in self.devices)

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be measured and done here; see `instruments.base.CAPABILITIES`."""
        offered = {"probe"} if self.probe is not None else set()
        if isinstance(self.dut, Dut):
            offered.add("memory")
        if self.console is not None:
            offered.add("console")
        for instrument in (self.analyzer, self.edges):
            if instrument is not None:
                offered |= instrument.capabilities
        return frozenset(offered)

    @property
    def measuring_identity(self) -> InstrumentIdentity:
        """Of the power analyzer, or of the edge source where there is no analyzer.

        Raises:
            CapabilityMissing: There is neither.
        """
        instrument = self.analyzer or self.edges
        if instrument is None:
            raise CapabilityMissing(
                f"bench {self.bench.name} has nothing that measures",
                fix='add analyzer = "joulescope:SERIAL" to the bench file',
            )
        return instrument.identity

    def flashable(self) -> tuple[Probe, Dut]:
        """The probe, or what stands in for one, and the DUT behind it.

        Raises:
            CapabilityMissing: There is none on this bench.
        """
        if isinstance(self.dut, RecordedDut):
            raise CapabilityMissing(
                f"bench {self.bench.name} has no board, only a record: nothing can be flashed",
                fix="choose a bench with a probe: --bench NAME",
            )
        return self.dut.probe, self.dut

    def require(self, needs: Iterable[str]) -> None:
        """Make sure that the bench offers all of these.

        Raises:
            CapabilityMissing: Names every one that it lacks, and what it means.
        """
        missing = [need for need in CAPABILITIES if need in set(needs) - self.capabilities]
        if missing:
            listed = ", ".join(f"{need} ({CAPABILITIES[need]})" for need in missing)
            raise CapabilityMissing(
                f"bench {self.bench.name} lacks {listed}",
                fix="run it on a bench that offers this; `lan-hil doctor` shows what this one has",
            )


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
    if wiring.probe is None and wiring.program is None and not is_replay(wiring):
        raise ConfigError(
            f"bench {bench.name} has no probe, so nothing can be flashed or proved",
            path=bench.path,
            key="probe",
            fix='add  probe = "jlink:UID"  (`lan-hil doctor` lists what is attached)',
        )
    with ExitStack() as stack:
        if not is_replay(wiring):
            stack.enter_context(lease(wiring.uris, wait_s=wait_s))
        analyzer = edges = console = probe = None
        dut: Dut | RecordedDut = RecordedDut()
        measuring = []
        if wiring.analyzer:
            analyzer = stack.enter_context(
                closing(open_analyzer(wiring.analyzer, markers=wiring.markers, supply_v=board.supply_v))
            )
            measuring.append(_device("analyzer", wiring.analyzer, analyzer.identity))
        if wiring.edges:
            edges = stack.enter_context(closing(open_edges(wiring.edges, lines=wiring.edge_lines)))
            measuring.append(_device("edges", wiring.edges, edges.identity))
        talking = []
        if wiring.program:
            port = open_program_port(wiring.program, baudrate=board.baudrate, timeout=WAIT_SLICE_S)
            console = stack.enter_context(Console(port, wiring.program))
            dut = NativeDut(console, port)
            about = (wiring.program, console.description)
            talking.append(DeviceIdentity("console", *about, simulated=False, notes=host_notes()))
        elif wiring.console:
            console = stack.enter_context(Console.open(wiring.console, baudrate=board.baudrate))
            talking.append(DeviceIdentity("console", wiring.console, console.description, console.simulated))
        if wiring.probe is not None:
            require_target(board)
            probe = stack.enter_context(Probe.open(wiring.probe, target=board.target))
            notes = tuple(probe.notes)
            talking.insert(
                0, DeviceIdentity("probe", wiring.probe, probe.description, probe.simulated, notes)
            )
            dut = Dut(probe, console)
        devices = (*talking, *measuring)
        yield OpenBench(board, bench, wiring, probe, console, analyzer, dut, devices, edges)


def is_replay(wiring: Wiring) -> bool:
    """True if nothing stands on the bench but a recorded capture."""
    return wiring.probe is None and wiring.analyzer is not None and wiring.analyzer.startswith(REPLAY)


def _device(role: str, uri: str, identity: InstrumentIdentity) -> DeviceIdentity:
    return DeviceIdentity(role, uri, str(identity), identity.simulated, identity.notes)
