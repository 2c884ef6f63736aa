"""Which exception runs next: pending, enabled, active, priorities. Pure state, no registers, no emulator.

Follows the ARMv7-M Architecture Reference Manual (ARM DDI 0403E), B1.5.4 (priorities), B1.5.5 to B1.5.8
(entry, return, derived exceptions), B3.4 (NVIC).
"""

from __future__ import annotations

RESET, NMI, HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT = 1, 2, 3, 4, 5, 6
SVCALL, DEBUG_MONITOR, PENDSV, SYSTICK, FIRST_IRQ = 11, 12, 14, 15, 16
LOWEST = 256
"""Execution priority of thread mode with nothing masked: below every configurable one."""

_FIXED = {RESET: -3, NMI: -2, HARD_FAULT: -1}


class Nvic:
    """Exceptions of one core.

    Args:
        irq_count: External interrupts.
        priority_bits: Implemented bits of each priority, from the top of its byte.

    Attributes:
        sev_on_pend: SCR.SEVONPEND: an exception that becomes pending is an event, enabled or not.
        event: Such an event happened; who looks at it clears it.
    """

    def __init__(self, irq_count: int, priority_bits: int) -> None:
        self.irq_count = irq_count
        self.priority_mask = 0xFF & ~((1 << (8 - priority_bits)) - 1)
        self.lines = 0  # levels of the interrupt lines, by exception number
        self.reset()

    def reset(self) -> None:
        """Nothing enabled or active; levels of the lines stay, and a high one is pending at once."""
        self.pending = self.lines
        self.enabled = 0  # external interrupts, by exception number
        self.active = 0
        self.priority = [0] * (FIRST_IRQ + self.irq_count)
        self.prigroup = 0
        self.primask = 0
        self.faultmask = 0
        self.basepri = 0
        self.sev_on_pend = False
        self.event = False

    # -- pending -----------------------------------------------------------------------------------------

    def set_line(self, irq: int, *, level: bool) -> None:
        """Drive a level-sensitive interrupt input; its rising makes it pending, in its own handler too."""
        bit = 1 << (FIRST_IRQ + irq)
        if not level:
            self.lines &= ~bit
        elif not self.lines & bit:
            self.lines |= bit
            self.pend(FIRST_IRQ + irq)

    def pend(self, exception: int) -> None:
        """Make an exception pending."""
        bit = 1 << exception
        self.event = self.event or (self.sev_on_pend and not self.pending & bit)
        self.pending |= bit

    def unpend(self, exception: int) -> None:
        """Clear pending; without effect while the line is high."""
        self.pending &= ~(1 << exception) | self.lines

    def activate(self, exception: int) -> None:
        """The exception is taken."""
        self.pending &= ~(1 << exception)
        self.active |= 1 << exception

    def deactivate(self, exception: int) -> None:
        """Its handler returned; a line that is still high makes it pending again."""
        self.active &= ~(1 << exception)
        if self.lines & 1 << exception:
            self.pend(exception)

    # -- priorities --------------------------------------------------------------------------------------

    def set_priority(self, exception: int, value: int) -> None:
        """Write a priority byte; bits that are not implemented read as zero."""
        if exception < len(self.priority):
            self.priority[exception] = value & self.priority_mask

    def group_priority(self, exception: int) -> int:
        """Priority less the subpriority bits: what decides about pre-emption."""
        fixed = _FIXED.get(exception)
        if fixed is not None:
            return fixed
        return self.priority[exception] & ~((2 << self.prigroup) - 1) & 0xFF

    def _full_priority(self, exception: int) -> tuple[int, int]:
        fixed = _FIXED.get(exception)
        return (fixed if fixed is not None else self.priority[exception], exception)

    def active_priority(self) -> int:
        """Priority of the most urgent active exception, masks left aside."""
        return min((self.group_priority(n) for n in bits(self.active)), default=LOWEST)

    def execution_priority(self) -> int:
        """What a new exception must be below to pre-empt (B1.5.4, ExecutionPriority)."""
        boosted = LOWEST
        if self.basepri:
            boosted = self.basepri & ~((2 << self.prigroup) - 1) & 0xFF
        if self.primask:
            boosted = min(boosted, 0)
        if self.faultmask:
            boosted = min(boosted, -1)
        return min(self.active_priority(), boosted)

    def _ready(self, hidden: int) -> int:
        """Pending exceptions that are enabled; `hidden` are held back by the debugger."""
        system = self.pending & ((1 << FIRST_IRQ) - 1)
        return (system | self.pending & self.enabled) & ~hidden

    def best(self, hidden: int = 0) -> int | None:
        """The most urgent pending exception, whether or not it may pre-empt now."""
        ready = self._ready(hidden)
        return min(bits(ready), key=self._full_priority) if ready else None

    def next_exception(self, hidden: int = 0) -> int | None:
        """The exception to take now, or None."""
        exception = self.best(hidden)
        if exception is None or self.group_priority(exception) >= self.execution_priority():
            return None
        return exception

    def wakes(self, hidden: int = 0) -> bool:
        """True if WFI ends: something pending would pre-empt if PRIMASK were clear (B1.5.19)."""
        exception = self.best(hidden)
        if exception is None:
            return False
        masked, self.primask = self.primask, 0
        try:
            return self.group_priority(exception) < self.execution_priority()
        finally:
            self.primask = masked


def bits(mask: int) -> list[int]:
    """Numbers of the bits that are set, rising."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
