"""GPIO ports A to H. RM0402, chapter "GPIO".

A pin in alternate function has the level that its pull or something outside gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.pinbank import LevelListener, PinBank
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block

PORTS = "ABCDEFGH"
_MODER, _OTYPER, _PUPDR, _IDR, _ODR, _BSRR = 0x00, 0x04, 0x0C, 0x10, 0x14, 0x18
_INPUT, _OUTPUT, _ALTERNATE, _ANALOG = range(4)
_RESET_MODE = {"A": 0xA800_0000, "B": 0x280}  # JTAG and SWD
_RESET_PULL = {"A": 0x6400_0000, "B": 0x100}
_RESET_SPEED = {"A": 0x0C00_0000, "B": 0xC0}


class Port(Block):
    """One port.

    Args:
        fabric, note: As for every block.
        index: 0 for A.
        on_level: Called with the chip-wide pin number and level at every edge.
    """

    def __init__(
        self, fabric: Fabric, index: int, *, note: Callable[[str], None], on_level: LevelListener
    ) -> None:
        letter = PORTS[index]
        super().__init__(fabric, f"GPIO{letter}", 0x4002_0000 + 0x400 * index, note=note)
        self._bank = PinBank(16 * index, on_level=on_level, output=self._output, pulled_up=self._pulled_up)
        settles = self._write_and_settle
        self.declare("MODER", _MODER, reset=_RESET_MODE.get(letter, 0), on_write=partial(settles, _MODER))
        self.declare("OTYPER", _OTYPER, mask=0xFFFF, on_write=partial(settles, _OTYPER))
        self.declare("OSPEEDR", 0x08, reset=_RESET_SPEED.get(letter, 0))
        self.declare("PUPDR", _PUPDR, reset=_RESET_PULL.get(letter, 0), on_write=partial(settles, _PUPDR))
        self.declare_read_only("IDR", _IDR, self._read_idr)
        self.declare("ODR", _ODR, mask=0xFFFF, on_write=partial(settles, _ODR))
        self.declare("BSRR", _BSRR, on_read=lambda: 0, on_write=self._write_bsrr)
        self.declare("LCKR", 0x1C)
        self.declare("AFRL", 0x20)
        self.declare("AFRH", 0x24)

    def _mode(self, pin: int) -> int:
        return self.values[_MODER] >> 2 * pin & 3

    def _output(self, pin: int) -> bool | None:
        if self._mode(pin) != _OUTPUT:
            return None
        high = bool(self.values[_ODR] >> pin & 1)
        return None if high and self.values[_OTYPER] >> pin & 1 else high  # open drain

    def _pulled_up(self, pin: int) -> bool:
        return self.values[_PUPDR] >> 2 * pin & 3 == 1

    def _read_idr(self) -> int:
        analog = sum(1 << pin for pin in range(16) if self._mode(pin) == _ANALOG)
        return self._bank.levels & ~analog

    def _write_and_settle(self, offset: int, value: int) -> None:
        changed = self.values[offset] ^ value
        self.values[offset] = value
        if offset in (_MODER, _PUPDR):  # two bits a pin
            changed |= changed >> 1
            changed = sum(1 << pin for pin in range(16) if changed >> 2 * pin & 1)
        self._bank.settle(changed)

    def _write_bsrr(self, value: int) -> None:
        # Set wins over reset.
        self._write_and_settle(_ODR, self.values[_ODR] & ~(value >> 16) | value & 0xFFFF)

    def function(self, pin: int) -> int | None:
        """Number of the alternate function that a pin is in; None if it is in none."""
        if self._mode(pin) != _ALTERNATE:
            return None
        return self.values[0x20 + 4 * (pin >> 3)] >> 4 * (pin & 7) & 0xF

    def drive_external(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """Something outside drives the pin (None: lets it float)."""
        self._bank.drive_external(pin, level)

    def on_reset(self) -> None:
        """Inputs, but for the debug pins."""
        self._bank.settle(0xFFFF)
