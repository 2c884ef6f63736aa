"""NVMC: the only way to write or erase flash and UICR.

Follows the nRF52840 Product Specification, chapter "NVMC": a write ands whole words into erased cells and
needs CONFIG = Wen; an erase needs CONFIG = Een. While the flash is busy a CPU that fetches from it stands
still, and a CPU that polls READY from RAM waits: in the model both are the same stall, because the outcome
is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_US, Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block
from pytest_lan_hil.virtual.silicon.timeline import Event

FLASH_SIZE = 0x10_0000
PAGE_SIZE = 0x1000
UICR_BASE, UICR_SIZE = 0x1000_1000, 0x1000

# Product specification, chapter NVMC, electrical specification (nRF52840: tWRITE, tERASEPAGE, tERASEALL).
# tERASEPAGE 85 ms is quoted by nrf-hal pull request 385; tWRITE and tERASEALL are unconfirmed.
WRITE_US = 41
ERASE_PAGE_US = 85_000
ERASE_ALL_US = 169_000

READ_ONLY, WRITE, ERASE = 0, 1, 2
_READY, _READYNEXT, _CONFIG = 0x400, 0x408, 0x504
_PARTIAL_CFG, _ICACHECNF = 0x51C, 0x540
_CACHEPROFEN = 1 << 8


class Cells(Protocol):
    """Flash or UICR as an array of cells (a bus region)."""

    def read_memory(self, address: int, size: int) -> bytes:
        """Current content."""
        ...

    def write_memory(self, address: int, data: bytes) -> None:
        """Replace content, past all rules; translated code is dropped."""
        ...


class Nvmc(Block):
    """The flash controller.

    Args:
        fabric: Shared by the peripherals.
        cells: Flash and UICR.
        stall: Lets the given ticks pass for the CPU before its next instruction.
        on_busy: Called with True and False as the flash starts and stops to work (power model).
        on_cache: Called with True and False when the instruction cache is switched.
        cache_counts: (hits, misses) of the cache so far.
    """

    def __init__(
        self,
        fabric: Fabric,
        cells: Cells,
        *,
        stall: Callable[[int], None],
        on_busy: Callable[[bool], None],
        on_cache: Callable[[bool], None],
        cache_counts: Callable[[], tuple[int, int]],
    ) -> None:
        super().__init__(fabric, "NVMC", 0x4001_E000, irq=None, size=0x800)
        self._cells = cells
        self._stall = stall
        self._on_busy = on_busy
        self._on_cache = on_cache
        self._cache_counts = cache_counts
        self._counted = [0, 0]
        self._counted_from = [0, 0]
        self._ready_at = 0
        self._busy = False
        self._end: Event | None = None
        self._partial_us: dict[int, int] = {}
        self.changed = False
        self.declare_read_only("READY", _READY, self._read_ready)
        self.declare_read_only("READYNEXT", _READYNEXT, self._read_ready)
        self.declare("CONFIG", _CONFIG, mask=3)
        self.declare("ERASEPAGE", 0x508, on_write=self._erase_page, on_read=lambda: 0)
        self.declare("ERASEALL", 0x50C, on_write=self._write_erase_all, on_read=lambda: 0)
        self.declare("ERASEPCR0", 0x510, on_write=self._erase_page, on_read=lambda: 0)
        self.declare("ERASEUICR", 0x514, on_write=self._write_erase_uicr, on_read=lambda: 0)
        self.declare("ERASEPAGEPARTIAL", 0x518, on_write=self._erase_partially, on_read=lambda: 0)
        self.declare("ERASEPAGEPARTIALCFG", _PARTIAL_CFG, reset=10, mask=0x7F)
        self.declare("ICACHECNF", _ICACHECNF, mask=0x101, on_write=self._write_cache)
        for offset, index, name in ((0x548, 0, "IHIT"), (0x54C, 1, "IMISS")):
            self.declare(
                name, offset, on_read=partial(self._cache_count, index), on_write=partial(self._clear, index)
            )

    # -- busy --------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while an operation runs."""
        return self.fabric.now < self._ready_at

    def _read_ready(self) -> int:
        """READY. A CPU that polls it would read 0 until the operation ends: here one read lasts as long."""
        left = self._ready_at - self.fabric.now
        if left > 0:
            self._stall(left)
        return 1

    def ready_now(self) -> int:
        """READY as the debugger reads it: the CPU is not made to wait."""
        return int(not self.busy)

    def _work(self, microseconds: int) -> None:
        self._work_from(max(self.fabric.now, self._ready_at), microseconds)

    def _work_from(self, start: int, microseconds: int) -> None:
        self._ready_at = start + microseconds * TICKS_PER_US
        if not self._busy:
            self._busy = True
            self._on_busy(True)  # noqa: FBT003 - a plain callback
        self.fabric.timeline.cancel(self._end)
        self._end = self.fabric.schedule(self._ready_at, self._done)

    def _done(self) -> None:
        self._busy = False
        self._on_busy(False)  # noqa: FBT003

    # -- write and erase ---------------------------------------------------------------------------------

    def may_store(self, address: int, size: int) -> bool:
        """True if a store to flash or UICR would be taken: a whole aligned word, CONFIG = Wen.

        Silicon answers any other store with a bus fault.
        """
        return size == 4 and not address & 3 and self.values[_CONFIG] == WRITE

    def store(self, address: int, value: int) -> None:
        """A store to flash or UICR by the CPU or the debugger, which `may_store` allows."""
        now = self.fabric.now
        if now < self._ready_at:  # the bus holds the CPU until the previous word is written
            self._stall(self._ready_at - now)
            now = self._ready_at
        old = int.from_bytes(self._cells.read_memory(address, 4), "little")
        self._program(address, (old & value).to_bytes(4, "little"))
        self._work_from(now, WRITE_US)

    def _program(self, address: int, data: bytes) -> None:
        self._cells.write_memory(address, data)
        self.changed = True

    def _erase_page(self, address: int) -> None:
        if self.values[_CONFIG] != ERASE or not address < FLASH_SIZE:
            return
        page = address & ~(PAGE_SIZE - 1)
        self._program(page, b"\xff" * PAGE_SIZE)
        self._partial_us.pop(page, None)
        self._work(ERASE_PAGE_US)
        self._hold()

    def _erase_partially(self, address: int) -> None:
        if self.values[_CONFIG] != ERASE or not address < FLASH_SIZE:
            return
        page = address & ~(PAGE_SIZE - 1)
        duration = self.values[_PARTIAL_CFG] * 1000
        done = self._partial_us.get(page, 0) + duration
        self._partial_us[page] = done
        if done >= ERASE_PAGE_US:
            del self._partial_us[page]
            self._program(page, b"\xff" * PAGE_SIZE)
        self._work(duration)
        self._hold()

    def _write_erase_all(self, value: int) -> None:
        if value & 1 and self.values[_CONFIG] == ERASE:
            self.erase_all()
            self._hold()

    def _write_erase_uicr(self, value: int) -> None:
        if value & 1 and self.values[_CONFIG] == ERASE:
            self._program(UICR_BASE, b"\xff" * UICR_SIZE)
            self._work(ERASE_PAGE_US)
            self._hold()

    def _hold(self) -> None:
        """The CPU fetches from flash, or polls READY: it stands still until the erase is done."""
        self._stall(self._ready_at - self.fabric.now)

    def erase_all(self) -> int:
        """Erase flash and UICR (NVMC.ERASEALL, CTRL-AP). Returns the tick at which it is done."""
        self._program(0, b"\xff" * FLASH_SIZE)
        self._program(UICR_BASE, b"\xff" * UICR_SIZE)
        self._partial_us.clear()
        self._work(ERASE_ALL_US)
        return self._ready_at

    # -- cache -------------------------------------------------------------------------------------------

    def _write_cache(self, value: int) -> None:
        self._counted = [self._cache_count(0), self._cache_count(1)]
        self._counted_from = list(self._cache_counts())
        self.values[_ICACHECNF] = value
        self._on_cache(bool(value & 1))

    def _cache_count(self, index: int) -> int:
        """IHIT or IMISS; they count while CACHEPROFEN is set."""
        if not self.values[_ICACHECNF] & _CACHEPROFEN:
            return self._counted[index]
        return self._counted[index] + self._cache_counts()[index] - self._counted_from[index]

    def _clear(self, index: int, _value: int) -> None:
        self._counted[index] = 0
        self._counted_from[index] = self._cache_counts()[index]

    @property
    def cache_enabled(self) -> bool:
        """ICACHECNF.CACHEEN."""
        return bool(self.values[_ICACHECNF] & 1)

    def on_reset(self) -> None:
        """Read only, cache off, not busy."""
        self._ready_at = 0
        if self._busy:
            self._busy = False
            self._on_busy(False)  # noqa: FBT003
        self._partial_us.clear()
        self._counted = [0, 0]
        self._on_cache(False)  # noqa: FBT003
