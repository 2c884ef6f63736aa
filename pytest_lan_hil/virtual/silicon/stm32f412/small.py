"""Independent watchdog, debug support (DBGMCU) and electronic signature: RM0402, chapters of these names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.bus import Peripheral
from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412 import timing as t
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block
from pytest_lan_hil.virtual.silicon.stm32f412.rcc import LSI_HZ
from pytest_lan_hil.virtual.silicon.timeline import Event

# DEV_ID 0x441: Adafruit_DAP's table of parts. REV_ID 0x3000, revisions C and 1: ES0305.
IDCODE = 0x3000_0441
_IWDG_STOP = 1 << 12
_SIGNATURE = 0x1FFF_7000
_UID, _FLASH_SIZE, _OPTIONS_END = 0xA10, 0xA22, 0x1000


class Dbgmcu(Block):
    """Debug support. Only power-on resets it: a debugger's settings outlast it."""

    def __init__(self, fabric: Fabric, *, note: Callable[[str], None], changed: Callable[[], None]) -> None:
        super().__init__(fabric, "DBG", 0xE004_2000, note=note)
        self._changed = changed
        self.declare_read_only("IDCODE", 0x00, lambda: IDCODE)
        self.declare("CR", 0x04, mask=0xE7, on_write=self._write_cr)
        self.declare("APB1_FZ", 0x08)
        self.declare("APB2_FZ", 0x0C)

    def _write_cr(self, value: int) -> None:
        self.values[0x04] = value
        self._changed()

    @property
    def keeps_clocks_in_stop(self) -> bool:
        """DBG_STOP."""
        return bool(self.values[0x04] & 2)

    @property
    def keeps_clocks_in_standby(self) -> bool:
        """DBG_STANDBY."""
        return bool(self.values[0x04] & 4)

    @property
    def stops_watchdog(self) -> bool:
        """The independent watchdog stands while the core is halted."""
        return bool(self.values[0x08] & _IWDG_STOP)

    def reset(self) -> None:
        """A system reset leaves it alone."""

    def power_up(self) -> None:
        """Power-on."""
        super().reset()


class Signature(Peripheral):
    """System memory: unique device ID and flash size; the rest of the page reads as erased memory."""

    name, base, size = "SIGNATURE", _SIGNATURE, 0x1000

    def __init__(self, serial: str) -> None:
        image = bytearray(b"\xff" * self.size)
        image[_UID : _UID + 12] = hashlib.sha256(b"virtual STM32F412 " + serial.encode()).digest()[:12]
        image[_FLASH_SIZE : _FLASH_SIZE + 2] = (t.FLASH_SIZE // 1024).to_bytes(2, "little")
        self._image = bytes(image)

    def read(self, offset: int, size: int) -> int:
        """Any width."""
        return int.from_bytes(self._image[offset : offset + size], "little")

    def write(self, offset: int, value: int, size: int) -> None:
        """Writing has no effect."""


class Iwdg(Block):
    """The independent watchdog, on the LSI oscillator. Once started only a reset stops it.

    Args:
        fabric, note: As for every block.
        on_start: Called when it is started.
        on_bite: Called when it has run out.
    """

    def __init__(
        self,
        fabric: Fabric,
        *,
        note: Callable[[str], None],
        on_start: Callable[[], None],
        on_bite: Callable[[], None],
    ) -> None:
        super().__init__(fabric, "IWDG", 0x4000_3000, note=note)
        self._on_start = on_start
        self._on_bite = on_bite
        self._open = False
        self._event: Event | None = None
        self._left: int | None = None  # while it is frozen
        self.running = False
        self.declare("KR", 0x00, on_read=lambda: 0, on_write=self._write_key)
        self.declare("PR", 0x04, mask=7, on_write=lambda value: self._write_setting(0x04, value))
        self.declare(
            "RLR", 0x08, reset=0xFFF, mask=0xFFF, on_write=lambda value: self._write_setting(0x08, value)
        )
        self.declare_read_only("SR", 0x0C, lambda: 0)

    def _write_key(self, value: int) -> None:
        key = value & 0xFFFF
        self._open = key == 0x5555
        if key == 0xCCCC:
            self.start()
        elif key == 0xAAAA and self.running:
            self._reload()

    def _write_setting(self, offset: int, value: int) -> None:
        if self._open:
            self.values[offset] = value

    def start(self) -> None:
        """By key, or by option byte at reset."""
        if not self.running:
            self.running = True
            self._on_start()
            self._reload()

    def _reload(self) -> None:
        count = (self.values[0x08] + 1) * (4 << min(self.values[0x04], 6))
        self._run_for(count * self.fabric.timeline.tick_hz // LSI_HZ)

    def _run_for(self, ticks: int) -> None:
        self.fabric.timeline.cancel(self._event)
        if self._left is not None:
            self._left = ticks
        else:
            self._event = self.fabric.schedule(self.fabric.now + ticks, self._on_bite)

    def freeze(self, *, frozen: bool) -> None:
        """The core was halted by a debugger that wants it to stand, or runs again."""
        if not self.running or frozen == (self._left is not None):
            return
        if frozen and self._event is not None:
            self._left = max(self._event.at - self.fabric.now, 0)
            self.fabric.timeline.cancel(self._event)
        elif self._left is not None:
            left, self._left = self._left, None
            self._run_for(left)

    def on_reset(self) -> None:
        """Stopped."""
        self.fabric.timeline.cancel(self._event)
        self._left = None
        self.running = self._open = False
