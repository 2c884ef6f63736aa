"""A memory-mapped peripheral made of declared registers.

A register that is not declared is not modelled, and an access to it stops with the names of peripheral and
register: it never reads as zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_lan_hil.virtual.silicon.bus import Peripheral
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

WORD = 0xFFFF_FFFF


@dataclass(slots=True)
class _Register:
    name: str
    reset: int
    mask: int
    on_read: Callable[[], int] | None
    on_write: Callable[[int], None] | None
    writable: bool


class RegisterBlock(Peripheral):
    """A peripheral.

    Args:
        name: As in the SVD ("TIMER0").
        base: First address.
        size: Bytes of address space.

    Attributes:
        values: Offset to the content of each plain register.
    """

    def __init__(self, name: str, base: int, *, size: int) -> None:
        self.name = name
        self.base = base
        self.size = size
        self.values: dict[int, int] = {}
        self._registers: dict[int, _Register] = {}

    # -- declaration -------------------------------------------------------------------------------------

    def declare(
        self,
        name: str,
        offset: int,
        *,
        reset: int = 0,
        mask: int = WORD,
        on_read: Callable[[], int] | None = None,
        on_write: Callable[[int], None] | None = None,
        writable: bool = True,
    ) -> None:
        """A plain register; `on_write` replaces the store, `on_read` the load."""
        self._registers[offset] = _Register(name, reset, mask, on_read, on_write, writable)
        self.values[offset] = reset

    def declare_read_only(self, name: str, offset: int, on_read: Callable[[], int]) -> None:
        """A register that is computed when read; writing has no effect, as on silicon."""
        self.declare(name, offset, on_read=on_read, writable=False)

    # -- what subclasses override ------------------------------------------------------------------------

    def on_reset(self) -> None:
        """Bring the state that is not in plain registers to its reset value."""

    def read_other(self, offset: int) -> int:
        """Read a word that is no plain register."""
        raise self.unmodelled(offset)

    def write_other(self, offset: int, value: int) -> None:
        """Write a word that is no plain register."""
        del value
        raise self.unmodelled(offset)

    def widen(self, offset: int, value: int, size: int) -> int:
        """The word that a narrower write to the word at `offset` & ~3 amounts to."""
        del value, size
        raise self.unmodelled(offset, detail="only whole words are written here")

    # -- bus ---------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Reset values everywhere."""
        for offset, register in self._registers.items():
            self.values[offset] = register.reset
        self.on_reset()

    def read(self, offset: int, size: int) -> int:
        """Read a register; narrower reads return the addressed bytes."""
        value = self._read_word(offset & ~3)
        if size == 4:
            return value
        return (value >> (8 * (offset & 3))) & ((1 << (8 * size)) - 1)

    def _read_word(self, offset: int) -> int:
        register = self._registers.get(offset)
        if register is None:
            return self.read_other(offset)
        return register.on_read() if register.on_read is not None else self.values[offset]

    def write(self, offset: int, value: int, size: int) -> None:
        """Write a register."""
        if size != 4 or offset & 3:
            value = self.widen(offset, value, size)
            offset &= ~3
        register = self._registers.get(offset)
        if register is None:
            self.write_other(offset, value)
        elif register.writable:
            value &= register.mask
            if register.on_write is not None:
                register.on_write(value)
            else:
                self.values[offset] = value

    def unmodelled(self, offset: int, *, detail: str = "") -> NotModelled:
        """The error for a register of this peripheral that the model lacks."""
        return NotModelled(detail or f"{self.name} has no register at offset 0x{offset:03x} in this model")
