"""RCC: oscillators, PLL, clock tree, enables and resets, reset flags. RM0402, chapter "RCC"."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.model.errors import DutFault
from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412 import timing as t
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block
from pytest_lan_hil.virtual.silicon.timeline import Event
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

HSI_HZ, HSE_HZ, LSE_HZ, LSI_HZ = 16_000_000, 8_000_000, 32_768, 32_000
_CR, _PLLCFGR, _CFGR, _CIR = 0x00, 0x04, 0x08, 0x0C
AHB1, AHB2, AHB3, APB1, APB2 = 0x30, 0x34, 0x38, 0x40, 0x44
BDCR, CSR, _DCKCFGR = 0x70, 0x74, 0x8C
_LOW_POWER = 0x20  # from an enable register to its twin for Sleep mode
_RESETS = 0x20  # from a reset register to its enable register
_HSION, _HSEON, _PLLON, _PLLI2SON = 1 << 0, 1 << 16, 1 << 24, 1 << 26
_LSEON, _RTCEN, _BDRST, _LSION = 1 << 0, 1 << 15, 1 << 16, 1 << 0
_RMVF, _TIMPRE = 1 << 24, 1 << 24
# Ready flags of CIR, and their interrupt enables 8 bits above and clear bits 16 above
_LSI, _LSE, _HSI, _HSE, _PLL, _PLLI2S = range(6)
_START_US = {
    _LSI: t.LSI_START_US, _LSE: t.LSE_START_US, _HSI: t.HSI_START_US, _HSE: t.HSE_START_US,
    _PLL: t.PLL_LOCK_US, _PLLI2S: t.PLL_LOCK_US,
}  # fmt: skip
_AHB_SHIFT = (0,) * 8 + (1, 2, 3, 4, 6, 7, 8, 9)  # HPRE: no division by 32
_APB_SHIFT = (0,) * 4 + (1, 2, 3, 4)
_IRQ = 5
RESET_FLAGS = {
    "power_on": 0b0111 << 25,  # BORRSTF, PINRSTF, PORRSTF
    "pin": 1 << 26, "soft": 0b101 << 26, "iwdg": 0b1001 << 26, "standby": 1 << 26,
}  # fmt: skip  # every reset pulls NRST low


class Rcc(Block):
    """Clocks and resets.

    Args:
        fabric: Shared by the peripherals.
        note: For the chip's notes.
        changed: Called when a clock, an oscillator or an enable has changed.
        reset_peripheral: Called with (enable register, bit) as a peripheral's reset bit rises.
        backup_writable: PWR_CR.DBP.
        reset_backup: BDCR.BDRST: the RTC forgets.
    """

    def __init__(
        self,
        fabric: Fabric,
        *,
        note: Callable[[str], None],
        changed: Callable[[], None],
        reset_peripheral: Callable[[int, int], None],
        backup_writable: Callable[[], bool],
        reset_backup: Callable[[], None],
    ) -> None:
        super().__init__(fabric, "RCC", 0x4002_3800, note=note)
        self._changed = changed
        self._reset_peripheral = reset_peripheral
        self._backup_writable = backup_writable
        self._reset_backup = reset_backup
        self._wanted: set[int] = set()
        self._ready: set[int] = set()
        self._starting: dict[int, Event] = {}
        self._flags = 0  # of CIR
        self._csr = 0
        self._source = _HSI
        self.hclk_hz = HSI_HZ
        self.declare("CR", _CR, reset=0x81, on_read=self._read_cr, on_write=self._write_cr)
        self.declare("PLLCFGR", _PLLCFGR, reset=0x2400_3010, on_write=self._write_pllcfgr)
        self.declare("CFGR", _CFGR, on_read=self._read_cfgr, on_write=self._write_cfgr)
        self.declare("CIR", _CIR, on_read=self._read_cir, on_write=self._write_cir)
        for enable, name, reset in (
            (AHB1, "AHB1", 0), (AHB2, "AHB2", 0), (AHB3, "AHB3", 0), (APB1, "APB1", 0x400), (APB2, "APB2", 0),
        ):  # fmt: skip
            at = enable - _RESETS
            self.declare(f"{name}RSTR", at, on_write=partial(self._write_reset, at))
            self.declare(f"{name}ENR", enable, reset=reset, on_write=partial(self._write_enable, enable))
            self.declare(f"{name}LPENR", enable + _LOW_POWER, reset=0xFFFF_FFFF)
        self.declare("BDCR", BDCR, on_read=self._read_bdcr, on_write=self._write_bdcr)
        self.declare("CSR", CSR, on_read=self._read_csr, on_write=self._write_csr)
        self.declare("PLLI2SCFGR", 0x84, reset=0x2400_3000)
        self.declare("DCKCFGR", _DCKCFGR, on_write=partial(self._write_enable, _DCKCFGR))
        for name, offset in (("SSCGR", 0x80), ("CKGATENR", 0x90), ("DCKCFGR2", 0x94)):
            self.declare(name, offset)

    # -- oscillators -------------------------------------------------------------------------------------

    def _want(self, oscillator: int, *, on: bool) -> None:
        timeline = self.fabric.timeline
        if not on:
            self._wanted.discard(oscillator)
            self._ready.discard(oscillator)
            timeline.cancel(self._starting.pop(oscillator, None))
        elif oscillator not in self._wanted:
            self._wanted.add(oscillator)
            self._start(oscillator)

    def _start(self, oscillator: int) -> None:
        """A PLL waits for its source."""
        if oscillator in (_PLL, _PLLI2S) and self._pll_source() not in self._ready:
            return
        timeline = self.fabric.timeline
        at = timeline.now + _START_US[oscillator] * t.TICKS_PER_US
        self._starting[oscillator] = timeline.schedule(at, partial(self._started, oscillator))

    def _started(self, oscillator: int) -> None:
        self._ready.add(oscillator)
        if self.values[_CIR] >> 8 + oscillator & 1:
            self._flags |= 1 << oscillator
        if oscillator == self._pll_source():
            for pll in {_PLL, _PLLI2S} & self._wanted - self._ready:
                self._start(pll)
        self._update_irq()
        self._switch()

    def runs(self, oscillator: str) -> bool:
        """ "LSI", "LSE", "HSI", "HSE" or "PLL" is ready."""
        return ("LSI", "LSE", "HSI", "HSE", "PLL").index(oscillator) in self._ready

    @property
    def pll_on(self) -> bool:
        """PLLON."""
        return _PLL in self._wanted

    def _read_cr(self) -> int:
        value = self.values[_CR] & ~(0xF << 24 | 3 << 16 | 3)
        for oscillator, bit in ((_HSI, 0), (_HSE, 16), (_PLL, 24), (_PLLI2S, 26)):
            value |= (oscillator in self._wanted) << bit | (oscillator in self._ready) << bit + 1
        return value

    def _write_cr(self, value: int) -> None:
        self.values[_CR] = value
        for oscillator, bit in ((_HSI, _HSION), (_HSE, _HSEON), (_PLL, _PLLON), (_PLLI2S, _PLLI2SON)):
            used = self._source in (oscillator, _PLL) and (
                oscillator == self._source or oscillator == self._pll_source()
            )
            if not value & bit and used:
                continue  # hardware keeps what drives the system clock
            self._want(oscillator, on=bool(value & bit))
        if value & _PLLON:
            self._pll_hz()
        self._changed()

    # -- PLL and switch ----------------------------------------------------------------------------------

    def _write_pllcfgr(self, value: int) -> None:
        if self.pll_on:
            self.note("RCC_PLLCFGR was written while the PLL was on: the write is lost")
        else:
            self.values[_PLLCFGR] = value

    def _pll_source(self) -> int:
        return _HSE if self.values[_PLLCFGR] >> 22 & 1 else _HSI

    def _pll_hz(self) -> int:
        config = self.values[_PLLCFGR]
        m, n, p = config & 0x3F, config >> 6 & 0x1FF, 2 * (config >> 16 & 3) + 2
        source_hz = HSE_HZ if self._pll_source() == _HSE else HSI_HZ
        input_hz = source_hz / m if m else 0.0
        if not 950e3 <= input_hz <= 2.1e6 or not 100e6 <= input_hz * n <= 432e6:
            raise DutFault(
                f"the PLL can't run as RCC_PLLCFGR = 0x{config:08x} says: its input is {input_hz / 1e6:g} "
                f"MHz (0.95 to "
                f"2.1), its VCO {input_hz * n / 1e6:g} MHz (100 to 432)"
            )
        return round(input_hz * n / p)

    def _read_cfgr(self) -> int:
        sws = (_HSI, _HSE, _PLL).index(self._source)
        return self.values[_CFGR] & ~0xC | sws << 2

    def _write_cfgr(self, value: int) -> None:
        if value & 3 == 3:
            raise NotModelled("SW = 3 (PLLR as system clock) is not modelled")
        self.values[_CFGR] = value
        self._switch()

    def _switch(self) -> None:
        """Follow SW as soon as its source is ready."""
        wanted = (_HSI, _HSE, _PLL)[self.values[_CFGR] & 3]
        if wanted in self._ready:
            self._source = wanted
        self.hclk_hz = self._sysclk_hz() >> _AHB_SHIFT[self.values[_CFGR] >> 4 & 0xF]
        self._changed()

    def _sysclk_hz(self) -> int:
        if self._source == _PLL:
            return self._pll_hz()
        return HSE_HZ if self._source == _HSE else HSI_HZ

    @property
    def on_pll(self) -> bool:
        """The PLL drives the system clock."""
        return self._source == _PLL

    def pclk_hz(self, bus: int) -> int:
        """Clock of APB1 or APB2."""
        return self.hclk_hz >> _APB_SHIFT[self.values[_CFGR] >> (10 if bus == APB1 else 13) & 7]

    def timer_hz(self, bus: int) -> int:
        """Clock of the timers on APB1 or APB2: twice the bus's (TIMPRE: four times), HCLK at most."""
        factor = 4 if self.values[_DCKCFGR] & _TIMPRE else 2
        return min(self.hclk_hz, factor * self.pclk_hz(bus))

    def stop_entered(self) -> None:
        """Stop mode: HSI, HSE and PLL stop. HSI is what drives the system clock from now on: nothing may take
        the PLL's rate for the core's while the regulator is at scale 3, as it is without the PLL."""
        for oscillator in (_HSI, _HSE, _PLL, _PLLI2S):
            self._want(oscillator, on=False)
        self._source = _HSI
        self.values[_CFGR] &= ~3
        self._switch()

    def stop_left(self) -> None:
        """HSI drives the system clock; HSE and PLL are off."""
        self._wanted.add(_HSI)
        self._ready.add(_HSI)
        self._changed()

    # -- enables -----------------------------------------------------------------------------------------

    def enabled(self, register: int, bit: int) -> bool:
        """A peripheral's clock is on."""
        return bool(self.values[register] >> bit & 1)

    def enabled_asleep(self, register: int, bit: int) -> bool:
        """It is on in Sleep mode, too."""
        return bool(self.values[register] & self.values[register + _LOW_POWER] & 1 << bit)

    def _write_enable(self, offset: int, value: int) -> None:
        self.values[offset] = value
        self._changed()

    def _write_reset(self, offset: int, value: int) -> None:
        rising = value & ~self.values[offset]
        self.values[offset] = value
        for bit in range(32):
            if rising >> bit & 1:
                self._reset_peripheral(offset + _RESETS, bit)

    # -- interrupts --------------------------------------------------------------------------------------

    def _read_cir(self) -> int:
        return self.values[_CIR] & 0x3F00 | self._flags

    def _write_cir(self, value: int) -> None:
        self.values[_CIR] = value & 0x3F00
        self._flags &= ~(value >> 16 & 0x3F)
        self._update_irq()

    def _update_irq(self) -> None:
        level = bool(self._flags & self.values[_CIR] >> 8 & 0x3F)
        self.fabric.drive_irq(_IRQ, self.name, level=level)

    # -- backup domain and status ------------------------------------------------------------------------

    def _read_bdcr(self) -> int:
        return self.values[BDCR] & ~2 | (_LSE in self._ready) << 1

    def _write_bdcr(self, value: int) -> None:
        if not self._backup_writable():
            self.note("RCC_BDCR was written while PWR_CR.DBP was 0: the write is lost")
            return
        if value & _BDRST:
            self._forget_backup()
            self._reset_backup()
            self.values[BDCR] = _BDRST
            return
        kept = self.values[BDCR]
        if kept >> 8 & 3:  # the RTC's clock is chosen once, until the domain is reset
            value = value & ~0x300 | kept & 0x300
        if value & _RTCEN and value >> 8 & 3 == 3:
            raise NotModelled("the RTC on a divided HSE is not modelled")
        self.values[BDCR] = value
        self._want(_LSE, on=bool(value & _LSEON))
        self._changed()

    def _forget_backup(self) -> None:
        self.values[BDCR] = 0
        self._want(_LSE, on=False)

    @property
    def rtc_hz(self) -> int:
        """The RTC's clock; 0 while it stands."""
        if not self.values[BDCR] & _RTCEN:
            return 0
        source = self.values[BDCR] >> 8 & 3
        if source == 1 and _LSE in self._ready:
            return LSE_HZ
        return LSI_HZ if source == 2 and _LSI in self._ready else 0

    def keep_lsi(self) -> None:
        """The independent watchdog runs: so does its oscillator."""
        self._want(_LSI, on=True)

    def _read_csr(self) -> int:
        return self._csr | (_LSI in self._wanted) | (_LSI in self._ready) << 1

    def _write_csr(self, value: int) -> None:
        self._want(_LSI, on=bool(value & _LSION))
        if value & _RMVF:
            self._csr = 0
        self._changed()

    # -- reset -------------------------------------------------------------------------------------------

    def after_reset(self, kind: str) -> None:
        """Note its cause; power-on takes the backup domain as well."""
        if kind == "power_on":
            self._csr = 0
            self._forget_backup()
            self._reset_backup()
        self._csr |= RESET_FLAGS[kind]

    def reset(self) -> None:
        """Everything but the backup domain and the reset flags."""
        kept = self.values[BDCR]
        super().reset()
        self.values[BDCR] = kept

    def on_reset(self) -> None:
        """HSI drives the system clock."""
        for oscillator in (_LSI, _HSI, _HSE, _PLL, _PLLI2S):
            self._want(oscillator, on=False)
        self._wanted.add(_HSI)
        self._ready.add(_HSI)
        self._flags = 0
        self._source, self.hclk_hz = _HSI, HSI_HZ
        self._update_irq()
