"""Levels of the pins of one GPIO port: what drives each of them, and who is told of edges.

A pin's level is what drives it: a peripheral that owns it, the output driver, an external source, or the pull
resistor; an undriven pin reads 0.
"""

from __future__ import annotations

from collections.abc import Callable

LevelListener = Callable[[int, bool], None]


class PinBank:
    """The pins of one port.

    Args:
        first: Chip-wide number of pin 0.
        on_level: Called with the chip-wide pin number and level whenever a pin changes.
        output: Level of the output driver by pin, None while it is off.
        pulled_up: True for a pin with its pull-up on.

    Attributes:
        levels: One bit for each pin.
    """

    def __init__(
        self,
        first: int,
        *,
        on_level: LevelListener,
        output: Callable[[int], bool | None],
        pulled_up: Callable[[int], bool],
    ) -> None:
        self._first = first
        self._on_level = on_level
        self._output = output
        self._pulled_up = pulled_up
        self._external: dict[int, bool] = {}
        self._override: dict[int, bool] = {}
        self.levels = 0

    def _level(self, pin: int) -> bool:
        level = self._override.get(pin)
        if level is None:
            level = self._output(pin)
        if level is None:
            level = self._external.get(pin)
        return self._pulled_up(pin) if level is None else level

    def settle(self, mask: int) -> bool:
        """Work out the levels of the pins in `mask` anew, and tell who listens. True if one changed."""
        changed = False
        while mask:
            bit = mask & -mask
            mask ^= bit
            pin = bit.bit_length() - 1
            level = self._level(pin)
            if bool(self.levels & bit) != level:
                self.levels ^= bit
                changed = True
                self._on_level(self._first + pin, level)
        return changed

    def drive_external(self, pin: int, level: bool | None) -> bool:  # noqa: FBT001 - a signal
        """Something outside drives the pin (None: lets it float). True if its level changed."""
        return self._drive(self._external, pin, level)

    def override(self, pin: int, level: bool | None) -> bool:  # noqa: FBT001 - a signal
        """A peripheral owns the pin's output (None: gives it back). True if its level changed."""
        return self._drive(self._override, pin, level)

    def _drive(self, drivers: dict[int, bool], pin: int, level: bool | None) -> bool:  # noqa: FBT001
        if level is None:
            drivers.pop(pin, None)
        else:
            drivers[pin] = level
        return self.settle(1 << pin)

    def release_overrides(self) -> None:
        """No peripheral owns a pin any more; settle afterwards."""
        self._override.clear()
