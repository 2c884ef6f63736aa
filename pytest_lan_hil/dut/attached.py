"""An open debug session as the harness sees it: memory, registers, and the proof that it ended properly."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from pyocd.core import exceptions

from pytest_lan_hil.model.clock import Clock

DHCSR = 0xE000_EDF0
C_DEBUGEN, S_HALT, S_SLEEP, S_LOCKUP = 1 << 0, 1 << 17, 1 << 18, 1 << 19
DP_CTRL_STAT = 0x4
POWER_ACKS = 1 << 31 | 1 << 29  # CSYSPWRUPACK, CDBGPWRUPACK

CORE_REGISTERS = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc", "xpsr", "msp", "psp")


@dataclass(frozen=True, slots=True)
class FlashReport:
    """What flashing did: whether anything was written, bytes of the image, time, and the proved hash."""

    written: bool
    bytes: int
    duration_s: float
    flash_sha256: str


@dataclass(frozen=True, slots=True)
class DebugState:
    """What was read back while a debug session closed.

    Attributes:
        c_debugen_cleared: DHCSR.C_DEBUGEN read as 0.
        core_running: DHCSR.S_HALT read as 0 (asleep is running).
        debug_domain_down: Both power-up acknowledges of the debug port read as 0.
        dhcsr, ctrl_stat: The raw values; None where the read failed.
        at_s: When, on the probe's clock.
    """

    c_debugen_cleared: bool
    core_running: bool
    debug_domain_down: bool
    dhcsr: int | None
    ctrl_stat: int | None
    at_s: float

    @property
    def clean(self) -> bool:
        """True if nothing of the debugger is left on the chip."""
        return self.c_debugen_cleared and self.core_running and self.debug_domain_down

    def __str__(self) -> str:
        def register(value: int | None) -> str:
            return "unreadable" if value is None else f"0x{value:08x}"

        faults = [
            text
            for sound, text in (
                (self.c_debugen_cleared, "C_DEBUGEN is not proved cleared"),
                (self.core_running, "the core is not proved running"),
                (self.debug_domain_down, "the debug domain is not proved down"),
            )
            if not sound
        ]
        summary = ", ".join(faults) or "debugger detached"
        return f"{summary} (DHCSR {register(self.dhcsr)}, CTRL/STAT {register(self.ctrl_stat)})"


class Target:
    """The target in an open session. Errors are pyOCD's until they leave `Probe.attached`, which translates
    them."""

    def __init__(self, session: Any) -> None:
        self._soc = session.target

    def read_memory(self, address: int, size: int) -> bytes:
        """`size` bytes from `address`."""
        return bytes(self._soc.read_memory_block8(address, size)) if size else b""

    def write_memory(self, address: int, data: bytes) -> None:
        """Write RAM or registers (flash is written by `Probe.flash`)."""
        self._soc.write_memory_block8(address, list(data))

    def read32(self, address: int) -> int:
        """One aligned word, in one access."""
        return int(self._soc.read32(address))

    def read32_often(self, addresses: Sequence[int], times: int) -> list[tuple[int, ...]]:
        """These words read in turn, `times` over, as close together as the probe can."""
        # all are asked for before the first is waited for, so that a USB probe sends them in few packets
        asked = [[self._soc.read32(address, now=False) for address in addresses] for _ in range(times)]
        return [tuple(int(answer()) for answer in turn) for turn in asked]

    def write32(self, address: int, value: int) -> None:
        """One aligned word, in one access."""
        self._soc.write32(address, value)

    def halt(self) -> None:
        """Stop the core."""
        self._soc.halt()

    def resume(self) -> None:
        """Let the core run."""
        self._soc.resume()

    def reset(self) -> None:
        """Reset the chip and let the core run."""
        self._soc.reset()

    def reset_and_halt(self) -> None:
        """Reset the chip and stop the core before its first instruction."""
        self._soc.reset_and_halt()

    def registers(self) -> dict[str, int]:
        """Core registers by name; the core must be halted."""
        values = self._soc.read_core_registers_raw(list(CORE_REGISTERS))
        return dict(zip(CORE_REGISTERS, values, strict=True))


class DetachWitness:
    """pyOCD session delegate: leaves out what short sessions don't need, and reads back how a session
    ended."""

    def __init__(self) -> None:
        self._dhcsr: int | None = None

    def will_init_target(self, target: Any, init_sequence: Any) -> None:
        """Drop the register descriptions (SVD): parsing them costs more than the whole session."""
        del target
        if init_sequence.has_task("load_svd"):
            init_sequence.remove_task("load_svd")

    def did_stop_debug_core(self, core: Any) -> None:
        """Called once pyOCD has cleared DHCSR and DEMCR, while the debug domain is still up."""
        try:
            self._dhcsr = int(core.read32(DHCSR))
        except exceptions.Error:
            self._dhcsr = None

    def close(self, session: Any, clock: Clock) -> DebugState:
        """Close `session` as pyOCD does, and say what was read back on the way."""
        ctrl_stat = None
        try:
            if session.is_open:
                session.board.uninit()
                ctrl_stat = int(session.target.dp.read_reg(DP_CTRL_STAT))
            elif session.probe.is_open and session.probe.wire_protocol is not None:
                # The target's init failed half way: pyOCD would leave the debug domain powered.
                session.target.dp.power_down_debug()
                ctrl_stat = int(session.target.dp.read_reg(DP_CTRL_STAT))
        except exceptions.Error as error:
            logging.getLogger("pyocd").warning("closing the session: %s", error)
        finally:
            session.close()
        dhcsr = self._dhcsr
        return DebugState(
            c_debugen_cleared=dhcsr is not None and not dhcsr & C_DEBUGEN,
            core_running=dhcsr is not None and not dhcsr & S_HALT,
            debug_domain_down=ctrl_stat is not None and not ctrl_stat & POWER_ACKS,
            dhcsr=dhcsr,
            ctrl_stat=ctrl_stat,
            at_s=clock.monotonic(),
        )


class PyocdLog(logging.Handler):
    """Keeps what pyOCD logs out of the user's way, and the last lines of it for an error message.
    Re-entrant."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kept: deque[str] = deque(maxlen=5)
        self._depth = 0
        self._propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self._kept.append(record.getMessage())

    def excerpt(self) -> str:
        """The last warnings, as the end of a sentence."""
        return f"; pyOCD said: {' | '.join(self._kept)}" if self._kept else ""

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth == 1:
            self._kept.clear()
            logger = logging.getLogger("pyocd")
            self._propagate, logger.propagate = logger.propagate, False
            logger.addHandler(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            logger = logging.getLogger("pyocd")
            logger.removeHandler(self)
            logger.propagate = self._propagate
