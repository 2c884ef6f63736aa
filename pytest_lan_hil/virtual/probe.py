"""A pyOCD debug probe with a virtual board on its cable: `pyocd cmd -u virtual:nrf52840`.

The probe is the wire and nothing else: debug port, access ports and chip behind them belong to the board
(`debug_port`, `silicon`). pyOCD finds it through the entry-point group `pyocd.probe`. Listing probes makes
no board; opening one takes it for this process (`board.acquire`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from pyocd.board.board import Board
from pyocd.board.board_ids import BoardInfo
from pyocd.core import exceptions
from pyocd.core.plugin import Plugin
from pyocd.probe.debug_probe import DebugProbe

from pytest_lan_hil.model.errors import BlockedError, HilError
from pytest_lan_hil.virtual.counting import CycleCounts, count_cycles
from pytest_lan_hil.virtual.faults import Faults
from pytest_lan_hil.virtual.names import is_board, known_boards, silicon_of
from pytest_lan_hil.virtual.wire import TransferFault, Wire

if TYPE_CHECKING:
    from pytest_lan_hil.model.clock import Clock
    from pytest_lan_hil.virtual.board import VirtualBoard
    from pytest_lan_hil.virtual.debug_port import DebugPort

KIND = "virtual"
_NEEDS = ("unicorn", "capstone", "numba")

T = TypeVar("T")


class SimulationError(BlockedError, exceptions.ProbeError):  # type: ignore[misc]  # pyOCD is untyped
    """What the virtual bench has to say, as an error that both the harness and pyOCD know.

    pyOCD's commands print it as one message; the harness lets it pass with its own text and fix.
    """


class Hold:
    """Keeps a virtual board alive; close it when done."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go: Callable[[], None] | None = let_go

    def close(self) -> None:
        """Let the board go; harmless in every state."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()


class VirtualProbe(DebugProbe):  # type: ignore[misc]  # pyOCD is untyped
    """One virtual board's probe. Get it from pyOCD, not from here.

    Attributes:
        simulated: Always True.
    """

    simulated = True

    @classmethod
    def get_all_connected_probes(
        cls,
        unique_id: str | None = None,
        is_explicit: bool = False,  # noqa: FBT001, FBT002 - pyOCD's signature
    ) -> Sequence[VirtualProbe]:
        """A probe for every known board, and for the one that is asked for by "virtual:NAME"."""
        if Faults.from_environment().probe_absent:
            return []
        names = known_boards()
        if is_explicit and unique_id is not None and is_board(unique_id) and unique_id not in names:
            names.append(unique_id)
        return [cls(name) for name in names]

    @classmethod
    def get_probe_with_id(
        cls,
        unique_id: str,
        is_explicit: bool = False,  # noqa: FBT001, FBT002 - pyOCD's signature
    ) -> VirtualProbe | None:
        """The probe of the board that has exactly this name."""
        wanted = unique_id.lower()
        probes = cls.get_all_connected_probes(wanted, is_explicit)
        return next((probe for probe in probes if probe.unique_id == wanted), None)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._silicon = silicon_of(name)
        self._board: VirtualBoard | None = None
        self._wire: Wire | None = None
        self._holds = 0
        self._session_hold: Hold | None = None
        self._protocol: DebugProbe.Protocol | None = None
        self._frequency_hz: float | None = None
        self._reset_asserted = False

    # -- what it is --------------------------------------------------------------------------------------

    @property
    def vendor_name(self) -> str:
        """Who made the probe."""
        return "pytest-lan-hil"

    @property
    def product_name(self) -> str:
        """What it is; says that it is simulated."""
        return f"virtual {self._silicon.title} (simulated)"

    @property
    def unique_id(self) -> str:
        """The board's name."""
        return self._name

    @property
    def supported_wire_protocols(self) -> Collection[DebugProbe.Protocol]:
        """SWD only."""
        return (self.Protocol.DEFAULT, self.Protocol.SWD)

    @property
    def wire_protocol(self) -> DebugProbe.Protocol | None:
        """SWD while connected."""
        return self._protocol

    @property
    def is_open(self) -> bool:
        """True while a session holds it."""
        return self._session_hold is not None

    @property
    def capabilities(self) -> set[DebugProbe.Capability]:
        """It selects access ports by itself: each access carries the number of its port."""
        capability = self.Capability
        return {
            capability.MANAGED_AP_SELECTION,
            capability.MANAGED_DPBANKSEL,
            capability.BANKED_DP_REGISTERS,
        }

    @property
    def associated_board_info(self) -> BoardInfo:
        """The board on the cable: its pyOCD target is known."""
        title = f"virtual {self._silicon.title}"
        return BoardInfo(name=title, target=self._silicon.target, vendor=self._silicon.vendor)

    def create_associated_board(self) -> Board:
        """pyOCD's board object, so that nobody needs to name the target."""
        return Board(self.session, board_info=self.associated_board_info)

    # -- what the harness asks ---------------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The board's clock, while the board is held."""
        return self._held().clock

    @property
    def notes(self) -> tuple[str, ...]:
        """Figures of the board's model that are not confirmed; while the board is held."""
        return self._held().identity_notes

    def keep_powered(self) -> Hold:
        """Keep the board alive between sessions: it runs on while no debugger is attached.

        Raises:
            SimulationError: Another process has the board, or its state can't be read.
        """
        try:
            from pytest_lan_hil.virtual.board import acquire
        except ImportError as error:
            raise SimulationError(
                f"the virtual board {self._name!r} can't be made: {error}",
                fix="install pytest-lan-hil[virtual]",
            ) from error
        try:
            board = acquire(self._name)
        except HilError as error:
            raise SimulationError(error.problem, fix=error.fix) from error
        self._board = board
        self._holds += 1
        return Hold(self._release)

    def count_cycles(self) -> AbstractContextManager[CycleCounts]:
        """Count every cycle of the core by the code that took it, while the board is held."""
        return count_cycles(self._held())

    def _release(self) -> None:
        from pytest_lan_hil.virtual.board import release

        board = self._held()
        self._holds -= 1
        if self._holds == 0:
            self._board = None
        release(board)

    def _held(self) -> VirtualBoard:
        if self._board is None:
            raise exceptions.ProbeError(f"the virtual probe {self._name} is not open")
        return self._board

    # -- session -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the board.

        Raises:
            SimulationError: Another process has it, or its state can't be read.
        """
        if self.is_open:
            return
        self._session_hold = self.keep_powered()
        board = self._held()
        self._wire = Wire(board.advance, board.tick_hz)
        if self._frequency_hz is not None:
            self._wire.set_clock(self._frequency_hz)
        options = self.session.options if self.session is not None else None
        if options is not None and not options.is_set("reset.post_delay"):
            # pyOCD would sleep 0.1 s of the host's time after each reset, in which no virtual time passes.
            options.set("reset.post_delay", 0.0)

    def close(self) -> None:
        """Let the board go; it stays as it is for as long as somebody else of this process holds it."""
        hold, self._session_hold = self._session_hold, None
        self._protocol = self._wire = None
        if hold is not None:
            hold.close()

    def connect(self, protocol: DebugProbe.Protocol | None = None) -> None:
        """Drive the wires. The board must be open."""
        self._held()
        if protocol not in (None, *self.supported_wire_protocols):
            raise exceptions.ProbeError(f"the virtual probe {self._name} speaks SWD only")
        self._protocol = self.Protocol.SWD

    def disconnect(self) -> None:
        """Let go of the wires."""
        self.flush()
        self._protocol = None

    def set_clock(self, frequency: float) -> None:
        """SWD clock in hertz; it sets how long a transfer takes in virtual time."""
        if not frequency > 0:
            raise exceptions.ProbeError(f"{frequency:g} Hz is not a clock for the virtual probe {self._name}")
        self._frequency_hz = frequency
        if self._wire is not None:
            self._wire.set_clock(frequency)

    # -- reset -------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Pull the reset line for a moment."""
        board = self._held()
        assert self.session is not None
        for asserted, wait in ((True, "reset.hold_time"), (False, "reset.post_delay")):
            self.assert_reset(asserted)
            self._translated(board.clock.sleep, self.session.options.get(wait))

    def assert_reset(self, asserted: bool) -> None:  # noqa: FBT001 - pyOCD's signature
        """Drive the reset line low, or let it go."""
        board = self._held()
        self.flush()
        self._reset_asserted = asserted
        self._translated(board.hold_pin_reset, asserted=asserted)

    def is_reset_asserted(self) -> bool:
        """As last driven."""
        return self._reset_asserted

    # -- transfers ---------------------------------------------------------------------------------------

    def read_dp(self, addr: int, now: bool = True) -> int | Callable[[], int]:  # noqa: FBT001, FBT002
        """Read a register of the debug port."""
        value = self._transfer(("read_dp", addr), lambda port: port.read_dp(addr))
        return self._result(value, now)

    def write_dp(self, addr: int, data: int) -> None:
        """Write a register of the debug port."""
        self._transfer(("write_dp", addr, data), lambda port: port.write_dp(addr, data))

    def read_ap(self, addr: int, now: bool = True) -> int | Callable[[], int]:  # noqa: FBT001, FBT002
        """Read a register of an access port; the port's number is in bits 24 to 31 of `addr`."""
        value = self._transfer(("read_ap", addr), lambda port: port.read_ap(*_port(addr)))
        return self._result(value, now)

    def write_ap(self, addr: int, data: int) -> None:
        """Write a register of an access port."""
        self._transfer(("write_ap", addr, data), lambda port: port.write_ap(*_port(addr), data))

    def read_ap_multiple(
        self,
        addr: int,
        count: int = 1,
        now: bool = True,  # noqa: FBT001, FBT002 - pyOCD's signature
    ) -> Sequence[int] | Callable[[], Sequence[int]]:
        """Read the same register `count` times over."""
        values = self._transfer(
            ("read_ap", addr, count), lambda port: port.read_ap_block(*_port(addr), count), frames=count
        )
        return self._result(values, now)

    def write_ap_multiple(self, addr: int, values: Sequence[int]) -> None:
        """Write the same register with each of `values` in turn."""
        self._transfer(
            ("write_ap", addr, tuple(values)),
            lambda port: port.write_ap_block(*_port(addr), values),
            frames=len(values),
        )

    def flush(self) -> None:
        """Wait for what was sent."""
        if self._wire is not None:
            self._translated(self._wire.round_trip)

    def _transfer(self, what: tuple[object, ...], access: Callable[[DebugPort], T], *, frames: int = 1) -> T:
        """One transfer, done at once; its virtual time passes when somebody asks for a result."""
        board, wire = self._held(), self._wire
        if wire is None:
            raise exceptions.ProbeError(f"the virtual probe {self._name} has no session")

        def locked() -> T:
            with board.lock:
                result = access(board.debug_port)
                wire.transfer((*what, result), frames)
                return result

        return self._translated(locked)

    def _result(self, value: T, now: bool) -> T | Callable[[], T]:  # noqa: FBT001 - pyOCD's parameter
        """The value at once, or a function that waits for it: pyOCD's two ways to read."""

        def wait() -> T:
            self.flush()
            return value

        return wait() if now else wait

    def _translated(self, action: Callable[..., T], *arguments: object, **named: object) -> T:
        """Run something on the board; what goes wrong there becomes an error that pyOCD knows."""
        try:
            return action(*arguments, **named)
        except TransferFault as error:
            raise exceptions.TransferFaultError(str(error)) from error
        except SimulationError:
            raise
        except HilError as error:
            raise SimulationError(error.problem, fix=error.fix) from error


def _port(addr: int) -> tuple[int, int]:
    """Number of the access port and offset of the register."""
    return addr >> 24, addr & 0xFC


class VirtualProbePlugin(Plugin):  # type: ignore[misc]  # pyOCD is untyped
    """The entry point: tells pyOCD of the virtual probe where the virtual bench is installed."""

    def should_load(self) -> bool:
        """Not without what the silicon needs; found without importing it."""
        return all(find_spec(name) is not None for name in _NEEDS)

    def load(self) -> type[VirtualProbe]:
        """The probe class."""
        return VirtualProbe

    @property
    def name(self) -> str:
        """As in `-u virtual:nrf52840`."""
        return KIND

    @property
    def description(self) -> str:
        """One line for `pyocd list --plugins`."""
        return "Virtual boards of pytest-lan-hil"
