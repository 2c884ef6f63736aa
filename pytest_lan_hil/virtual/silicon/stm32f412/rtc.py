"""RTC: calendar with sub-seconds, wake-up timer, backup registers. RM0402, chapter "RTC".

It lies in the backup domain: a reset keeps it, and Stop and Standby mode do not stop it. Alarms, time
stamps, tamper detection, calibration and shifting are not modelled. Registers are read past the shadow
registers, whose delay of up to two periods is not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block
from pytest_lan_hil.virtual.silicon.timeline import Event
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

_TR, _DR, _CR, _ISR, _PRER, _WUTR, _WPR, _SSR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x24, 0x28
_WUTE, _WUTIE = 1 << 10, 1 << 14
# TSEDGE, REFCKON, FMT, both alarms, time stamps, ADD1H, SUB1H
_CR_UNMODELLED = 3 << 3 | 1 << 6 | 3 << 8 | 7 << 11 | 1 << 15 | 3 << 16
_WUTWF, _INITS, _RSF, _INITF, _INIT, _WUTF = 1 << 2, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 10
_SETTLE = 2  # periods until INITF, and until WUTWF


def _bcd(value: int) -> int:
    return value // 10 << 4 | value % 10


def _binary(bcd: int) -> int:
    return (bcd >> 4) * 10 + (bcd & 0xF)


class Rtc(Block):
    """The real-time clock.

    Args:
        fabric, note: As for every block.
        clock_hz: Of RTCCLK; 0 while it stands. `clock_changed` must be called when it changes.
        writable: PWR_CR.DBP.
        on_wakeup: Called with the level of the wake-up signal.
    """

    def __init__(
        self,
        fabric: Fabric,
        *,
        note: Callable[[str], None],
        clock_hz: Callable[[], int],
        writable: Callable[[], bool],
        on_wakeup: Callable[[bool], None],
    ) -> None:
        super().__init__(fabric, "RTC", 0x4000_2800, note=note)
        self._clock_hz = clock_hz
        self._writable = writable
        self._on_wakeup = on_wakeup
        self._period = 0  # ticks of RTCCLK; 0 while it stands
        self._base_tick = 0  # tick at which it had counted _base periods
        self._base = 0
        self._start = 0  # period at which the calendar showed _date exactly
        self._date = datetime(2000, 1, 1)
        self._init_at: int | None = None  # period at which INITF rises
        self._wut_free_at = 0  # period at which WUTWF rises
        self._wakeup: Event | None = None
        self._flags = 0
        self._unlocked = False
        self._key = 0
        self.declare("TR", _TR, mask=0x7F_7F7F, on_read=self._read_tr, on_write=self._write_tr)
        self.declare("DR", _DR, reset=0x2101, mask=0xFF_FF3F, on_read=self._read_dr, on_write=self._write_dr)
        self.declare("CR", _CR, mask=0xFF_FF7F, on_write=self._write_cr)
        self.declare("ISR", _ISR, on_read=self._read_isr, on_write=self._write_isr)
        self.declare("PRER", _PRER, reset=0x7F_00FF, mask=0x7F_7FFF, on_write=self._write_prer)
        self.declare("WUTR", _WUTR, reset=0xFFFF, mask=0xFFFF, on_write=self._write_wutr)
        self.declare("WPR", _WPR, on_read=lambda: 0, on_write=self._write_wpr)
        self.declare_read_only("SSR", _SSR, self._read_ssr)
        for n in range(20):
            at = 0x50 + 4 * n
            self.declare(f"BKP{n}R", at, on_write=partial(self._write_backup, at))

    # -- counting ----------------------------------------------------------------------------------------

    def _count(self) -> int:
        """Periods of RTCCLK so far."""
        return self._base + ((self.fabric.now - self._base_tick) // self._period if self._period else 0)

    def _tick_of(self, count: int) -> int:
        return self._base_tick + (count - self._base) * self._period

    def clock_changed(self) -> None:
        """RTCCLK was started, stopped or exchanged."""
        hz = self._clock_hz()
        period = round(self.fabric.timeline.tick_hz / hz) if hz else 0
        if period != self._period:
            self._base = self._count()
            self._base_tick = self.fabric.now
            self._period = period
            self._plan_wakeup()

    # -- calendar ----------------------------------------------------------------------------------------

    @property
    def _dividers(self) -> tuple[int, int]:
        prer = self.values[_PRER]
        return (prer >> 16) + 1, (prer & 0x7FFF) + 1

    def _steps(self) -> int:
        """Sub-seconds since `_date`."""
        if self._init_at is not None and self._count() >= self._init_at:
            return 0
        return (self._count() - self._start) // self._dividers[0]

    def _now(self) -> datetime:
        return self._date + timedelta(seconds=self._steps() // self._dividers[1])

    def _read_ssr(self) -> int:
        per_second = self._dividers[1]
        return per_second - 1 - self._steps() % per_second

    def _read_tr(self) -> int:
        now = self._now()
        return _bcd(now.hour) << 16 | _bcd(now.minute) << 8 | _bcd(now.second)

    def _read_dr(self) -> int:
        now = self._now()
        return _bcd(now.year - 2000) << 16 | now.isoweekday() << 13 | _bcd(now.month) << 8 | _bcd(now.day)

    def _may_write(self, *, init: bool) -> bool:
        if not (self._unlocked and self._writable()):
            self.note("the RTC was written while it was protected (RTC_WPR, PWR_CR.DBP): the write is lost")
            return False
        if init and not self._read_isr() & _INITF:
            self.note("the RTC's calendar was written outside of its initialization mode: the write is lost")
            return False
        return True

    def _write_tr(self, value: int) -> None:
        if self._may_write(init=True):
            try:
                self._date = self._date.replace(
                    hour=_binary(value >> 16 & 0x3F),
                    minute=_binary(value >> 8 & 0x7F),
                    second=_binary(value & 0x7F),
                )
            except ValueError:
                self.note(f"RTC_TR = 0x{value:06x} is no time: the write is lost")

    def _write_dr(self, value: int) -> None:
        if self._may_write(init=True):
            try:
                self._date = self._date.replace(
                    year=2000 + _binary(value >> 16),
                    month=_binary(value >> 8 & 0x1F),
                    day=_binary(value & 0x3F),
                )
            except ValueError:
                self.note(f"RTC_DR = 0x{value:06x} is no date: the write is lost")

    def _write_prer(self, value: int) -> None:
        if self._may_write(init=True):
            self.values[_PRER] = value

    # -- control and status ------------------------------------------------------------------------------

    def _write_wpr(self, value: int) -> None:
        self._unlocked = self._key == 0xCA and value & 0xFF == 0x53
        self._key = value & 0xFF

    def _write_backup(self, offset: int, value: int) -> None:
        if self._writable():
            self.values[offset] = value
        else:
            self.note("an RTC backup register was written while PWR_CR.DBP was 0: the write is lost")

    def _read_isr(self) -> int:
        count = self._count()
        value = self._flags | _RSF
        if not self.values[_CR] & _WUTE and count >= self._wut_free_at:
            value |= _WUTWF
        if self._init_at is not None:
            value |= _INIT | (_INITF if self._period and count >= self._init_at else 0)
        return value | (_INITS if self._date.year != 2000 else 0)

    def _write_isr(self, value: int) -> None:
        if not value & _WUTF:  # this flag needs no key
            self._flags &= ~_WUTF
            self._signal_wakeup()
        initializing = bool(value & _INIT)
        if initializing == (self._init_at is not None) or not self._may_write(init=False):
            return
        if initializing:
            self._date = self._now().replace(microsecond=0)
            self._init_at = self._count() + _SETTLE
        else:
            self._init_at = None
            self._start = self._count()

    def _write_cr(self, value: int) -> None:
        if not self._may_write(init=False):
            return
        if value & _CR_UNMODELLED:
            raise NotModelled(f"RTC_CR = 0x{value:06x}: only BYPSHAD and the wake-up timer are modelled")
        before, self.values[_CR] = self.values[_CR], value
        if before & ~value & _WUTE:
            self._wut_free_at = self._count() + _SETTLE
        if (before ^ value) & (_WUTE | 7):
            self._plan_wakeup()
        self._signal_wakeup()

    # -- wake-up timer -----------------------------------------------------------------------------------

    def _write_wutr(self, value: int) -> None:
        if not self._may_write(init=False):
            return
        if not self._read_isr() & _WUTWF:
            self.note("RTC_WUTR was written while WUTWF was 0: the write is lost")
            return
        self.values[_WUTR] = value

    def _wakeup_periods(self) -> tuple[int, int]:
        """Periods of one step of the wake-up timer, and steps until it fires."""
        select = self.values[_CR] & 7
        steps = self.values[_WUTR] + 1
        if select < 4:
            return 16 >> select, steps
        asynchronous, synchronous = self._dividers
        return asynchronous * synchronous, steps + (0x1_0000 if select & 2 else 0)

    def _plan_wakeup(self) -> None:
        self.fabric.timeline.cancel(self._wakeup)
        self._wakeup = None
        if self.values[_CR] & _WUTE and self._period:
            step, steps = self._wakeup_periods()
            due = (self._count() // step + steps) * step
            self._wakeup = self.fabric.timeline.schedule(self._tick_of(due), self._fire)

    def _fire(self) -> None:
        self._flags |= _WUTF
        self._signal_wakeup()
        self._plan_wakeup()

    def _signal_wakeup(self) -> None:
        self._on_wakeup(bool(self._flags & _WUTF and self.values[_CR] & _WUTIE))

    # -- reset -------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """A system reset protects it, and leaves it alone otherwise."""
        self._unlocked = False
        self._key = 0

    def forget(self) -> None:
        """The backup domain is reset."""
        super().reset()

    def on_reset(self) -> None:
        """1 January 2000, counting."""
        self.fabric.timeline.cancel(self._wakeup)
        self._wakeup = None
        self._period = self._base = self._start = self._flags = self._wut_free_at = 0
        self._base_tick = self.fabric.now
        self._date = datetime(2000, 1, 1)
        self._init_at = None
        self._signal_wakeup()
