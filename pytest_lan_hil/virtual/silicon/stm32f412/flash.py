"""The flash controller: keys, wait states and ART, programming, erasing, option bytes.

RM0402, chapter "Embedded flash memory interface". While the flash is busy a CPU that fetches from it stands
still, and a CPU that polls SR waits: in the model both are the same stall, because the outcome is the same.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.blocks import FlashSetting
from pytest_lan_hil.virtual.silicon.bus import Bus
from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412 import timing as t
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block
from pytest_lan_hil.virtual.silicon.timeline import Event
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

OPTION_BYTES_SIZE = 16
# OPTCR as delivered: nWRP all ones, RDP level 0, watchdog by software, no reset in Stop and Standby, BOR off
DEFAULT_OPTIONS = 0x0FFF_AAED

_ACR, _KEYR, _OPTKEYR, _SR, _CR, _OPTCR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
_KEYS, _OPTION_KEYS = (0x4567_0123, 0xCDEF_89AB), (0x0819_2A3B, 0x4C5D_6E7F)
_EOP, _OPERR, _WRPERR, _PGAERR, _PGPERR, _PGSERR, _BSY = 1, 2, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 16
_PG, _SER, _MER, _STRT, _EOPIE, _ERRIE, _LOCK = 1, 2, 4, 1 << 16, 1 << 24, 1 << 25, 1 << 31
_PRFTEN, _ICEN, _DCEN, _ICRST = 1 << 8, 1 << 9, 1 << 10, 1 << 11
_OPTLOCK, _OPTSTRT, _WDG_SW = 1, 2, 1 << 5
_IRQ = 4
# (start, KiB) of each sector
SECTORS = tuple(
    [(k * 0x4000, 16) for k in range(4)] + [(0x1_0000, 64)] + [(k * 0x2_0000, 128) for k in range(1, 8)]
)


def sector_of(offset: int) -> int:
    """Number of the sector that holds this offset into the flash."""
    return max(number for number, (start, _) in enumerate(SECTORS) if start <= offset)


class FlashController(Block):
    """The embedded flash memory interface.

    Args:
        fabric, note: As for every block.
        bus: Holds the cells.
        supply_v: Supply voltage now.
        stall: Lets ticks pass for the CPU.
        polled_by_cpu: True while the access that is served is the running core's.
        on_setting: Called when wait states or ART change.
        on_lines_lost: ICRST.
        on_busy: Called with True and False as the flash starts and stops to work.
    """

    def __init__(
        self,
        fabric: Fabric,
        bus: Bus,
        *,
        note: Callable[[str], None],
        supply_v: Callable[[], float],
        stall: Callable[[int], None],
        polled_by_cpu: Callable[[], bool],
        on_setting: Callable[[FlashSetting], None],
        on_lines_lost: Callable[[], None],
        on_busy: Callable[[bool], None],
    ) -> None:
        super().__init__(fabric, "FLASH", 0x4002_3C00, note=note)
        self._bus = bus
        self._supply_v = supply_v
        self._stall = stall
        self._polled_by_cpu = polled_by_cpu
        self._on_setting = on_setting
        self._on_lines_lost = on_lines_lost
        self._on_busy = on_busy
        self._errors = 0
        self._keys: dict[int, int | None] = {}
        self._ready_at = 0
        self._end: Event | None = None
        self._work: Callable[[], None] = lambda: None
        self.options = DEFAULT_OPTIONS
        self.changed = False
        self.declare("ACR", _ACR, mask=0x1F0F, on_write=self._write_acr)
        self.declare("KEYR", _KEYR, on_read=lambda: 0, on_write=self._write_key)
        self.declare("OPTKEYR", _OPTKEYR, on_read=lambda: 0, on_write=self._write_option_key)
        self.declare("SR", _SR, on_read=self._read_sr, on_write=self._write_sr)
        self.declare("CR", _CR, reset=_LOCK, on_write=self._write_cr)
        self.declare("OPTCR", _OPTCR, reset=DEFAULT_OPTIONS, on_write=self._write_optcr)

    # -- wait states and ART -----------------------------------------------------------------------------

    def _write_acr(self, value: int) -> None:
        if value & _ICRST and not self.values[_ACR] & _ICEN:
            self._on_lines_lost()
        self.values[_ACR] = value
        self._on_setting(self.setting)

    @property
    def setting(self) -> FlashSetting:
        """What ACR says."""
        acr = self.values[_ACR]
        return FlashSetting(acr & 0xF, bool(acr & _ICEN), bool(acr & _DCEN), bool(acr & _PRFTEN))

    # -- locks -------------------------------------------------------------------------------------------

    def _key(self, register: int, value: int, keys: tuple[int, int]) -> bool:
        """True once both keys were written in order; a wrong one locks until the next reset."""
        expected = self._keys.get(register, keys[0])
        if expected is None or value != expected:
            self._keys[register] = None
            self.note(
                f"a wrong key was written to the flash controller: it stays locked until a reset "
                f"(0x{value:08x})"
            )
            return False
        self._keys[register] = keys[1] if value == keys[0] else keys[0]
        return value == keys[1]

    def _write_key(self, value: int) -> None:
        if self.values[_CR] & _LOCK and self._key(_KEYR, value, _KEYS):
            self.values[_CR] &= ~_LOCK

    def _write_option_key(self, value: int) -> None:
        if self.values[_OPTCR] & _OPTLOCK and self._key(_OPTKEYR, value, _OPTION_KEYS):
            self.values[_OPTCR] &= ~_OPTLOCK

    # -- status ------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """An operation runs."""
        return self._end is not None

    def _read_sr(self) -> int:
        if self.busy and self._polled_by_cpu():  # it would poll until the end: here one read lasts as long
            self._stall(self._ready_at - self.fabric.now)
            self._finish()
        return self._errors | (_BSY if self.busy else 0)

    def _write_sr(self, value: int) -> None:
        self._errors &= ~value
        self._update_irq()

    def _fail(self, error: int) -> None:
        self._errors |= error | (_OPERR if self.values[_CR] & _ERRIE else 0)
        self._update_irq()

    def _update_irq(self) -> None:
        control = self.values[_CR]
        level = bool(
            (control & _EOPIE and self._errors & _EOP) or (control & _ERRIE and self._errors & _OPERR)
        )
        self.fabric.drive_irq(_IRQ, self.name, level=level)

    # -- operations --------------------------------------------------------------------------------------

    def _start(self, microseconds: int, work: Callable[[], None]) -> None:
        psize = self.values[_CR] >> 8 & 3
        if self._supply_v() < t.PSIZE_SUPPLY_V[psize]:
            self.note(
                f"flash was written or erased {8 << psize} bits at a time at {self._supply_v():g} V; "
                f"DS11139 allows that "
                f"from {t.PSIZE_SUPPLY_V[psize]:g} V up (silicon may fail)"
            )
        if not self.busy:
            self._on_busy(True)  # noqa: FBT003 - a plain callback
        self._work = work
        self._ready_at = self.fabric.now + microseconds * t.TICKS_PER_US
        self.fabric.timeline.cancel(self._end)
        self._end = self.fabric.schedule(self._ready_at, self._finish)

    def _finish(self) -> None:
        self.fabric.timeline.cancel(self._end)
        self._end = None
        self._work()
        self.values[_CR] &= ~_STRT
        self.values[_OPTCR] &= ~_OPTSTRT
        if self.values[_CR] & _EOPIE:
            self._errors |= _EOP
        self._on_busy(False)  # noqa: FBT003
        self._update_irq()

    def _write_cr(self, value: int) -> None:
        if self.values[_CR] & _LOCK:
            self.note("FLASH_CR was written while it was locked: the write is lost")
            return
        if value & 0x8000:
            raise NotModelled("FLASH_CR bit 15 (MER1): there is one bank")
        self.values[_CR] = value & ~_STRT
        if value & _STRT and not self.busy:
            self._erase(value)
        self._update_irq()

    def _erase(self, control: int) -> None:
        psize = control >> 8 & 3
        if control & _PG or not control & (_SER | _MER):
            self._fail(_PGSERR)
        elif control & _MER:
            if self.options >> 16 & 0xFFF != 0xFFF:
                self._fail(_WRPERR)
            else:
                self.values[_CR] |= _STRT
                self._start(t.MASS_ERASE_MS[psize] * 1000, lambda: self._blank(0, t.FLASH_SIZE))
        else:
            number = control >> 3 & 0xF
            if number >= len(SECTORS):
                self._fail(_PGSERR)
            elif not self._writable(number):
                self._fail(_WRPERR)
            else:
                start, kib = SECTORS[number]
                self.values[_CR] |= _STRT
                self._start(t.ERASE_MS[kib][psize] * 1000, lambda: self._blank(start, kib * 1024))

    def _writable(self, sector: int) -> bool:
        return bool(self.options >> 16 + sector & 1)

    def _blank(self, start: int, size: int) -> None:
        self._bus.write_memory(t.FLASH_BASE + start, b"\xff" * size)
        self.changed = True

    def store(self, address: int, value: int, size: int) -> None:
        """A store of CPU or debugger to the flash: programs it, or does nothing but set an error."""
        if self.busy:  # the bus waits
            self._stall(self._ready_at - self.fabric.now)
            self._finish()
        control = self.values[_CR]
        if control & _LOCK or not control & _PG or control & (_SER | _MER):
            self._fail(_PGSERR)
        elif not self._writable(sector_of(address - t.FLASH_BASE)):
            self._fail(_WRPERR)
        elif size != min(1 << (control >> 8 & 3), 4):
            self._fail(_PGPERR)
        elif address % size:
            self._fail(_PGAERR)
        else:
            old = int.from_bytes(self._bus.read_memory(address, size), "little")
            self._bus.write_memory(address, (old & value).to_bytes(size, "little"))
            self.changed = True
            self._start(t.PROGRAM_US, lambda: None)

    # -- option bytes ------------------------------------------------------------------------------------

    def _write_optcr(self, value: int) -> None:
        if self.values[_OPTCR] & _OPTLOCK:
            self.note("FLASH_OPTCR was written while it was locked: the write is lost")
            return
        if value >> 8 & 0xFF != 0xAA:
            raise NotModelled("read protection (RDP other than level 0) is not modelled")
        self.values[_OPTCR] = value & ~_OPTSTRT
        if value & _OPTSTRT:
            self.options = value & 0x0FFF_FFEC | 1
            self.changed = True
            self._start(t.ERASE_MS[16][0] * 1000, lambda: None)

    @property
    def watchdog_by_software(self) -> bool:
        """WDG_SW: the independent watchdog waits to be started."""
        return bool(self.options & _WDG_SW)

    def option_bytes(self) -> bytes:
        """As they are kept."""
        return self.options.to_bytes(4, "little") + b"\xff" * (OPTION_BYTES_SIZE - 4)

    def load_option_bytes(self, content: bytes) -> None:
        """What `option_bytes` returned."""
        self.options = int.from_bytes(content[:4], "little")

    def on_reset(self) -> None:
        """Locked, no wait states; an operation that ran is cut short: what it was to write is not written."""
        if self.busy:
            self.fabric.timeline.cancel(self._end)
            self._end = None
            self._on_busy(False)  # noqa: FBT003
        self._errors = 0
        self._keys.clear()
        self.values[_OPTCR] = self.options
        self._on_setting(self.setting)
        self._update_irq()
