"""Debug control of the core: DHCSR, DCRSR, DCRDR, DEMCR and DFSR.

Follows the ARMv7-M Architecture Reference Manual (ARM DDI 0403E), C1.6. Breakpoints and watchpoints are
`coresight.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

C_DEBUGEN, C_HALT, C_STEP, C_MASKINTS, C_SNAPSTALL = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 5
S_REGRDY, S_HALT, S_SLEEP, S_LOCKUP = 1 << 16, 1 << 17, 1 << 18, 1 << 19
S_RETIRE_ST, S_RESET_ST = 1 << 24, 1 << 25
_KEY = 0xA05F
HALTED, BKPT, DWTTRAP, VCATCH = 1 << 0, 1 << 1, 1 << 2, 1 << 3  # DFSR
VC_CORERESET, VC_HARDERR, VC_INTERR = 1 << 0, 1 << 10, 1 << 9
VC_MMERR, VC_NOCPERR, VC_STATERR, VC_BUSERR = 1 << 4, 1 << 5, 1 << 7, 1 << 8
MON_EN, _MON_STEP = 1 << 16, 1 << 18


class DebuggedCore(Protocol):
    """What debug needs of the core."""

    @property
    def sleeping(self) -> bool:
        """In WFI or WFE."""
        ...

    @property
    def locked_up(self) -> bool:
        """In lockup."""
        ...

    def read_register(self, number: int) -> int:
        """A register by its DCRSR number."""
        ...

    def write_register(self, number: int, value: int) -> None:
        """Change a register by its DCRSR number."""
        ...

    def current_exception(self) -> int:
        """IPSR."""
        ...


class DebugControl:
    """DHCSR, DCRSR, DCRDR, DEMCR and DFSR. Survives a system reset.

    Args:
        core: Whose registers are shown.
        changed: Called when the core may have to stop, run on, or look at every instruction.
    """

    def __init__(self, core: DebuggedCore, changed: Callable[[], None]) -> None:
        self._core = core
        self._changed = changed
        self.power_up()

    def power_up(self) -> None:
        """Values after power-on."""
        self.control = 0
        self.demcr = 0
        self.dcrdr = 0
        self.dfsr = 0
        self.halted = False
        self.was_reset = True
        self.retired = False

    @property
    def enabled(self) -> bool:
        """Halting debug is on (C_DEBUGEN)."""
        return bool(self.control & C_DEBUGEN)

    @property
    def stepping(self) -> bool:
        """The core runs one instruction, then halts."""
        return self.enabled and bool(self.control & C_STEP)

    @property
    def masks_interrupts(self) -> bool:
        """PendSV, SysTick and external interrupts are held back."""
        return self.enabled and bool(self.control & C_MASKINTS)

    def current_exception(self) -> int:
        """IPSR of the core."""
        return self._core.current_exception()

    def halt(self, reason: int) -> None:
        """The core stops; `reason` is a DFSR bit."""
        self.halted = True
        self.control |= C_HALT
        self.dfsr |= reason

    def after_reset(self) -> None:
        """The core was reset: it stands still if the debugger wants that (VC_CORERESET, C_HALT)."""
        self.halted = False
        self.was_reset = True
        if self.catches(VC_CORERESET):
            self.halt(VCATCH)
        elif self.control & C_HALT:
            self.halt(HALTED)

    def read_dhcsr(self) -> int:
        """DHCSR; reading clears the sticky bits."""
        value = self.control | S_REGRDY
        value |= S_HALT if self.halted else 0
        value |= S_SLEEP if self._core.sleeping and not self.halted else 0
        value |= S_LOCKUP if self._core.locked_up else 0
        value |= S_RETIRE_ST if self.retired else 0
        value |= S_RESET_ST if self.was_reset else 0
        self.was_reset = self.retired = False
        return value

    def write_dhcsr(self, value: int) -> None:
        """DHCSR; ignored without the key."""
        if value >> 16 != _KEY:
            return
        if not value & C_DEBUGEN:
            value &= ~(C_HALT | C_STEP | C_MASKINTS)
        self.control = value & (C_DEBUGEN | C_HALT | C_STEP | C_MASKINTS | C_SNAPSTALL)
        if self.control & C_HALT:
            if not self.halted:
                self.halt(HALTED)
        else:
            self.halted = False
        self._changed()

    def write_dcrsr(self, value: int) -> None:
        """DCRSR: move a core register from or to DCRDR. The core must be halted."""
        if not self.halted:
            return
        if value & 1 << 16:
            self._core.write_register(value & 0x7F, self.dcrdr)
        else:
            self.dcrdr = self._core.read_register(value & 0x7F)

    def write_demcr(self, value: int) -> None:
        """DEMCR."""
        if value & _MON_STEP:
            raise NotModelled("stepping by the debug monitor (DEMCR.MON_STEP) is not modelled")
        self.demcr = value & 0x010F_07F1
        self._changed()

    def read_dfsr(self) -> int:
        """DFSR."""
        return self.dfsr

    def clear_dfsr(self, value: int) -> None:
        """DFSR: writing ones clears."""
        self.dfsr &= ~value

    def catches(self, vector_catch: int) -> bool:
        """The debugger wants to see this exception."""
        return self.enabled and bool(self.demcr & vector_catch)
