"""The frame of an STM32 peripheral: registers behind a clock that RCC switches on."""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.registerblock import WORD, RegisterBlock


class Block(RegisterBlock):
    """A peripheral.

    Without its clock it reads as 0 and takes no writes, as silicon does; the first such access is noted.

    Args:
        fabric: Shared by the peripherals.
        name, base, size: As in the SVD.
        note: Called with a sentence that a reader of the chip's figures must know.

    Attributes:
        clocked: RCC's enable bit.
        draws: Called when what it draws may have changed.
    """

    def __init__(
        self, fabric: Fabric, name: str, base: int, *, note: Callable[[str], None], size: int = 0x400
    ) -> None:
        super().__init__(name, base, size=size)
        self.fabric = fabric
        self.note = note
        self.clocked: Callable[[], bool] = lambda: True

    def read(self, offset: int, size: int) -> int:
        """A register, any width."""
        if not self.clocked():
            self._refuse("read")
            return 0
        return super().read(offset, size)

    def write(self, offset: int, value: int, size: int) -> None:
        """A register; a narrow write leaves the other bytes of the word as they are."""
        if not self.clocked():
            self._refuse("written")
            return
        super().write(offset, value, size)

    def _refuse(self, what: str) -> None:
        self.note(f"{self.name} was {what} while its clock was off (RCC): reads are 0, writes are lost")

    def widen(self, offset: int, value: int, size: int) -> int:
        """The other bytes stay."""
        shift = 8 * (offset & 3)
        lane = ((1 << 8 * size) - 1) << shift
        return self.values.get(offset & ~3, 0) & ~lane & WORD | value << shift & lane

    # -- clocks ------------------------------------------------------------------------------------------

    def rates_changed(self) -> None:
        """Bus clocks have changed: what is timed by them is timed anew."""

    def clocks_stop(self) -> None:
        """Stop mode begins."""

    def clocks_run(self) -> None:
        """Stop mode has ended."""
