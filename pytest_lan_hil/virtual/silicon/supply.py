"""The supply current of a chip, as the sum of what is switched on. It knows states, not waveforms: current is
piecewise constant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable


class SupplyModel(ABC):
    """Sums contributions and reports every step.

    Args:
        now: The current tick.
        sink: Called with (tick, amperes) when the current changes.
        supply_v: Supply voltage.
    """

    def __init__(
        self, now: Callable[[], int], sink: Callable[[int, float], None], *, supply_v: float
    ) -> None:
        self._now = now
        self._sink = sink
        self._active: dict[str, float] = {}
        self._base = 0.0  # what the chip draws without `_active`
        self._last = -1.0
        self.supply_v = supply_v

    @abstractmethod
    def base_current(self) -> float:
        """What the chip draws without its active peripherals, in amperes."""

    @property
    def peripherals_draw(self) -> bool:
        """Active peripherals are powered."""
        return True

    def set_supply(self, supply_v: float) -> None:
        """The bench's supply voltage."""
        if supply_v != self.supply_v:
            self.supply_v = supply_v
            self.update()

    def set_active(self, name: str, amperes: float) -> None:
        """A peripheral draws this much on top (0: no longer)."""
        if self._active.get(name, 0.0) == amperes:
            return
        if amperes:
            self._active[name] = amperes
        else:
            self._active.pop(name, None)
        self._report()

    def reset(self) -> None:
        """Peripherals are off."""
        self._active.clear()
        self.update()

    def current(self) -> float:
        """Supply current now, in amperes."""
        return self._base + sum(self._active.values()) if self.peripherals_draw else self._base

    def update(self) -> None:
        """Something changed: report the current if it changed with it."""
        self._base = self.base_current()
        self._report()

    def _report(self) -> None:
        current = self.current()
        if current != self._last:
            self._last = current
            self._sink(self._now(), current)
