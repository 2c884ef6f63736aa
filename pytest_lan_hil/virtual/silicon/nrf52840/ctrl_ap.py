"""CTRL-AP: the access port that works even when the chip is protected.

Follows the nRF52840 Product Specification, chapter "Debug and trace", section "CTRL-AP - Control access
port". An access port of the debug port (`virtual/debug_port.py`); it is not on the CPU's bus.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import Fabric

PORT_NUMBER = 1
RESET, ERASEALL, ERASEALLSTATUS, APPROTECTSTATUS, IDR = 0x000, 0x004, 0x008, 0x00C, 0x0FC
IDR_VALUE = 0x1288_0000


class CtrlAp:
    """State of the control access port.

    Args:
        fabric: Time.
        erase_all: Starts the erase of flash and UICR; returns the tick at which it is done.
        protected: True while the AHB-AP is closed.
        hold_reset: Called with True and False as RESET is written.
    """

    def __init__(
        self,
        fabric: Fabric,
        *,
        erase_all: Callable[[], int],
        protected: Callable[[], bool],
        hold_reset: Callable[[bool], None],
    ) -> None:
        self._fabric = fabric
        self._erase_all = erase_all
        self._protected = protected
        self._hold_reset = hold_reset
        self._reset = False
        self._erased_at = 0

    @property
    def erasing(self) -> bool:
        """ERASEALLSTATUS: an erase is under way. It takes virtual time: whoever polls lets time pass."""
        return self._fabric.now < self._erased_at

    def erase_all(self) -> None:
        """ERASEALL: erase flash and UICR, and open the port."""
        self._erased_at = self._erase_all()

    def hold_reset(self, *, asserted: bool) -> None:
        """RESET: the chip stands still while it is asserted; a soft reset follows when it is released."""
        if asserted != self._reset:
            self._reset = asserted
            self._hold_reset(asserted)

    def read(self, offset: int) -> int:
        """A register as the debugger reads it; unused ones read 0."""
        return {
            RESET: int(self._reset),
            ERASEALLSTATUS: int(self.erasing),
            APPROTECTSTATUS: int(not self._protected()),
            IDR: IDR_VALUE,
        }.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A register as the debugger writes it."""
        if offset == RESET:
            self.hold_reset(asserted=bool(value & 1))
        elif offset == ERASEALL and value & 1:
            self.erase_all()
