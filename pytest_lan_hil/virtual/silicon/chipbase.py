"""What every chip does alike: let its core run, stand still, and be reset when the core has stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from pytest_lan_hil.virtual.silicon import fabric
from pytest_lan_hil.virtual.silicon.core import Core, Stop
from pytest_lan_hil.virtual.silicon.uart import Uart


class ChipBase(ABC):
    """A chip with one core.

    Args:
        shared: Its fabric.
        core: Its core; may be set later.

    Attributes:
        timeline: Its time.
    """

    core: Core

    def __init__(self, shared: fabric.Fabric) -> None:
        self._shared = shared
        self.timeline = shared.timeline
        self._held = False
        self._browned_out = False
        self._pending_reset: str | None = None

    # -- what a chip says --------------------------------------------------------------------------------

    @property
    @abstractmethod
    def lowest_supply_v(self) -> float:
        """Below this it is held in power-on reset."""

    @property
    @abstractmethod
    def switched_off(self) -> bool:
        """It has switched itself off until something outside of the core wakes it."""

    @abstractmethod
    def reset(self, kind: str) -> None:
        """Reset it."""

    @abstractmethod
    def observe_cpu(self) -> None:
        """The CPU may have fallen asleep, woken, been halted or resumed."""

    @abstractmethod
    def lockup(self, deadline: int) -> None:
        """The core has locked up: let time pass at most to `deadline`, or ask for a reset."""

    @abstractmethod
    def supply_changed(self, supply_v: float) -> None:
        """The supply voltage."""

    @abstractmethod
    def supply_lost(self) -> None:
        """The supply is too low from now on: pins let go."""

    @abstractmethod
    def all_uarts(self) -> Iterable[Uart]:
        """Its UARTs."""

    # -- time --------------------------------------------------------------------------------------------

    @property
    def stands(self) -> bool:
        """The core does not run, whatever it would do."""
        return self.switched_off or self._held or self._browned_out

    def run_until(self, deadline: int) -> None:
        """Let virtual time pass to `deadline` (a running core may overshoot by an instruction)."""
        timeline = self.timeline
        while timeline.now < deadline:
            self.apply_reset()
            if self.stands:
                self.idle_until(deadline)
                continue
            self.observe_cpu()
            stop = self.core.run_until(deadline)
            if stop is Stop.LOCKUP:
                self.lockup(deadline)
            elif stop is not Stop.DEADLINE and self._pending_reset is None:
                self.observe_cpu()
                self.idle_until(deadline)
        self.apply_reset()

    def quiet_until(self) -> int | None:
        """Tick before which nothing happens unless something from outside does; None if nothing ever will."""
        quiet = self.stands or (self.core.waiting and self._pending_reset is None)
        return self.timeline.next_at() if quiet else self.timeline.now

    def idle_until(self, deadline: int) -> None:
        """Time passes without the core; stops early if a reset is asked for or the chip wakes."""
        timeline = self.timeline
        while timeline.now < deadline and self._pending_reset is None:
            due = timeline.next_at()
            timeline.advance_to(deadline if due is None else min(due, deadline))
            timeline.run_due()

    def stall(self, ticks: int) -> None:
        """The CPU stands still for this long."""
        if ticks > 0:
            self.core.stall(ticks)

    # -- awake or not ------------------------------------------------------------------------------------

    def cpu_sleeps(self) -> None:
        """Nobody looks at memory any more until `cpu_wakes`."""
        self._shared.cpu_awake = False
        self._replan_uarts()

    def cpu_wakes(self) -> None:
        """The CPU may look at what has arrived."""
        self._shared.cpu_awake = True
        self._replan_uarts()

    def _replan_uarts(self) -> None:
        for uart in self.all_uarts():
            if uart.line is not None:
                uart.line.replan()

    # -- supply and resets -------------------------------------------------------------------------------

    @property
    def powered(self) -> bool:
        """The supply is high enough for debug port and core."""
        return not self._browned_out

    def set_supply(self, supply_v: float) -> None:
        """The supply voltage; below the lowest at which it works the chip is held in power-on reset."""
        was_out, self._browned_out = self._browned_out, supply_v < self.lowest_supply_v
        if self._browned_out:
            self.core.stop()
            self.supply_lost()
        self.supply_changed(supply_v)
        if was_out and not self._browned_out:
            self.reset("power_on")
        self.observe_cpu()

    def hold_pin_reset(self, *, asserted: bool) -> None:
        """The reset line is low: the chip stands still. A pin reset follows when it is let go."""
        self._held = asserted
        if not asserted:
            self.reset("pin")
        self.observe_cpu()

    def request_reset(self, kind: str) -> None:
        """Ask for a reset as soon as the core has stopped; the first of several wins."""
        if self._pending_reset is None:
            self._pending_reset = kind
            self.core.stop()

    def apply_reset(self) -> None:
        """Do what `request_reset` asked for."""
        kind, self._pending_reset = self._pending_reset, None
        if kind is not None:
            self.reset(kind)
