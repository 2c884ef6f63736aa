"""TIM2 to TIM5: counting up, update and compare events. RM0402, chapter "General-purpose timers".

Flags that raise no interrupt cost nothing: they are worked out when they are read. Other counting modes,
capture, outputs, slave mode and DMA are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block
from pytest_lan_hil.virtual.silicon.timeline import Event
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

_CR1, _DIER, _SR, _EGR, _CCER, _CNT, _PSC, _ARR, _CCR = 0x00, 0x0C, 0x10, 0x14, 0x20, 0x24, 0x28, 0x2C, 0x34
_CEN, _OPM, _MODES = 1, 8, 0x70
_UIF, _FLAGS = 1, 0x1F


class Tim(Block):
    """One timer.

    Args:
        fabric, name, base, note: As for every block.
        irq: Interrupt number.
        bits: 32 (TIM2, TIM5) or 16.
        clock_hz: Its clock now.
    """

    def __init__(
        self,
        fabric: Fabric,
        name: str,
        base: int,
        irq: int,
        *,
        bits: int,
        note: Callable[[str], None],
        clock_hz: Callable[[], int],
    ) -> None:
        super().__init__(fabric, name, base, note=note)
        self._irq = irq
        self._mask = (1 << bits) - 1
        self._clock_hz = clock_hz
        self._base_tick = self._base_count = 0
        self._tick_rate = 1
        self._stopped = False
        self._prescaler = 0
        self._flags = 0
        self._pending: Event | None = None
        self.declare("CR1", _CR1, mask=0x3FF, on_write=self._write_cr1)
        self.declare("CR2", 0x04, mask=0)
        self.declare("SMCR", 0x08, mask=0xFFFF, on_write=self._refuse_nonzero)
        self.declare("DIER", _DIER, on_write=self._write_dier)
        self.declare("SR", _SR, on_read=self._read_sr, on_write=self._write_sr)
        self.declare("EGR", _EGR, on_read=lambda: 0, on_write=self._write_egr)
        self.declare("CCMR1", 0x18, mask=0xFFFF)
        self.declare("CCMR2", 0x1C, mask=0xFFFF)
        self.declare("CCER", _CCER, mask=0xFFFF, on_write=self._refuse_nonzero)
        self.declare("CNT", _CNT, mask=self._mask, on_read=self._read_cnt, on_write=self._write_cnt)
        self.declare("PSC", _PSC, mask=0xFFFF)
        self.declare(
            "ARR", _ARR, reset=self._mask, mask=self._mask, on_write=partial(self._write_limit, _ARR)
        )
        for n in range(4):
            at = _CCR + 4 * n
            self.declare(f"CCR{n + 1}", at, mask=self._mask, on_write=partial(self._write_limit, at))

    def _refuse_nonzero(self, value: int) -> None:
        if value:
            raise NotModelled(f"{self.name}: slave mode, capture and outputs are not modelled")

    # -- counting ----------------------------------------------------------------------------------------

    @property
    def _runs(self) -> bool:
        return bool(self.values[_CR1] & _CEN) and not self._stopped and self.clocked()

    def _elapsed(self) -> int:
        return (self.fabric.now - self._base_tick) // self._tick_rate if self._runs else 0

    def _catch_up(self) -> None:
        """Bring counter and flags up to now."""
        elapsed = self._elapsed()
        period = self.values[_ARR] + 1
        before, after = self._base_count, self._base_count + elapsed
        self._base_tick += elapsed * self._tick_rate
        if elapsed:
            for n in range(4):
                match = self.values[_CCR + 4 * n]
                if match < period and (after - match) // period > (before - match) // period:
                    self._flags |= 2 << n
            if after >= period:
                self._flags |= _UIF
                self._take_prescaler()
                if self.values[_CR1] & _OPM:
                    self.values[_CR1] &= ~_CEN
                    after = 0
        self._base_count = after % period

    def _take_prescaler(self) -> None:
        self._prescaler = self.values[_PSC]
        self._set_rate()

    def _set_rate(self) -> None:
        self._tick_rate = max(
            round(self.fabric.timeline.tick_hz * (self._prescaler + 1) / self._clock_hz()), 1
        )

    def _plan(self) -> None:
        self.fabric.timeline.cancel(self._pending)
        self._pending = None
        wanted = self.values[_DIER] & _FLAGS & ~self._flags
        if self._runs and wanted:
            period, count = self.values[_ARR] + 1, self._base_count
            ahead = [period - count] if wanted & _UIF else []
            for n in range(4):
                match = self.values[_CCR + 4 * n]
                if wanted & 2 << n and match < period:
                    ahead.append((match - count - 1) % period + 1)
            if ahead:
                at = self._base_tick + min(ahead) * self._tick_rate
                self._pending = self.fabric.schedule(at, self._due)
        self.fabric.drive_irq(self._irq, self.name, level=bool(self._flags & self.values[_DIER] & _FLAGS))

    def _due(self) -> None:
        self._catch_up()
        self._plan()

    # -- registers ---------------------------------------------------------------------------------------

    def _write_cr1(self, value: int) -> None:
        if value & _MODES:
            raise NotModelled(f"{self.name}_CR1 = 0x{value:03x}: only counting up is modelled")
        self._catch_up()
        if value & _CEN and not self.values[_CR1] & _CEN:
            self._base_tick = self.fabric.now
            self._set_rate()
        self.values[_CR1] = value
        self._plan()

    def _write_dier(self, value: int) -> None:
        if value & ~_FLAGS:
            raise NotModelled(
                f"{self.name}_DIER = 0x{value:04x}: only update and compare interrupts are modelled"
            )
        self._catch_up()
        self.values[_DIER] = value
        self._plan()

    def _read_sr(self) -> int:
        self._catch_up()
        return self._flags

    def _write_sr(self, value: int) -> None:
        self._catch_up()
        self._flags &= value
        self._plan()

    def _write_egr(self, value: int) -> None:
        self._catch_up()
        if value & 1:
            self._base_count, self._base_tick = 0, self.fabric.now
            self._take_prescaler()
            if not self.values[_CR1] & 4:  # URS
                self._flags |= _UIF
        self._flags |= value & 0x1E
        self._plan()

    def _read_cnt(self) -> int:
        self._catch_up()
        return self._base_count

    def _write_cnt(self, value: int) -> None:
        self._catch_up()
        self._base_count, self._base_tick = value, self.fabric.now
        self._plan()

    def _write_limit(self, offset: int, value: int) -> None:
        self._catch_up()
        self.values[offset] = value
        self._plan()

    # -- clocks ------------------------------------------------------------------------------------------

    def rates_changed(self) -> None:
        """Count on at the new rate."""
        if self.values[_CR1] & _CEN:
            self._catch_up()
            self._base_tick = self.fabric.now
            self._set_rate()
            self._plan()

    def clocks_stop(self) -> None:
        """Stop mode: the count stays."""
        self._catch_up()
        self._stopped = True
        self._plan()

    def clocks_run(self) -> None:
        """Count on."""
        self._stopped = False
        self._base_tick = self.fabric.now
        self._set_rate()
        self._plan()

    def on_reset(self) -> None:
        """Stands at 0."""
        self._base_count = self._flags = self._prescaler = 0
        self._base_tick = self.fabric.now
        self._stopped = False
        self._plan()
