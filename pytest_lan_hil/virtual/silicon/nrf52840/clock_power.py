"""CLOCK and POWER: they share one base address, and therefore one block here.

Follows the nRF52840 Product Specification, chapters "CLOCK" and "POWER". The start-up times come from the
same chapter's electrical specification.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICK_HZ, TICKS_PER_LFCLK, TICKS_PER_US, Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block
from pytest_lan_hil.virtual.silicon.nrf52840.rtc import LowFrequencyClock

# Electrical specification of CLOCK (typical): all three are unconfirmed.
HFXO_START_US = 360
LFRC_START_US = 600
LFXO_START_US = 250_000
CALIBRATION_US = 25_000  # LFRC calibration; unconfirmed

RC, XTAL, SYNTH = 0, 1, 2
_HFCLKSTAT_RUNNING_XTAL = 0x1_0001
_HFCLKSTAT_RUNNING_RC = 0x1_0000
_CTIV, _LFCLKSRC = 0x538, 0x518
_RAM_BLOCKS = 9
_RAM_BASE = 0x900
_DCDCEN, _DCDCEN0 = 0x578, 0x580

RESETREAS = {
    "pin": 1 << 0,
    "watchdog": 1 << 1,
    "soft": 1 << 2,
    "lockup": 1 << 3,
    "off": 1 << 16,
    "debug": 1 << 18,
}


class PowerSink(Protocol):
    """What the power model wants to know of clocks and regulators."""

    def update(self) -> None:
        """Something that draws current changed."""
        ...


class ClockPower(Block):
    """CLOCK and POWER.

    Args:
        fabric: Shared by the peripherals.
        lfclk: The 32768 Hz clock that this block starts and stops.
        changed: Called when anything that draws current changed.
        system_off: Called when the CPU writes SYSTEMOFF.
    """

    def __init__(
        self,
        fabric: Fabric,
        lfclk: LowFrequencyClock,
        *,
        changed: Callable[[], None],
        system_off: Callable[[], None],
    ) -> None:
        super().__init__(fabric, "CLOCK", 0x4000_0000, irq=0)
        self._lfclk = lfclk
        self._changed = changed
        self._system_off = system_off
        self.hfxo_running = False
        self.hfxo_starting = False
        self.lf_source: int | None = None  # source that is asked for; None: stopped
        self.lfxo_running = False
        self.constant_latency = False
        self._resetreas = 0
        self._generation = {"hf": 0, "lf": 0, "cal": 0, "ct": 0}
        self._lfsrc_copy = 0
        self._declare_clock()
        self._declare_power()

    def _declare_clock(self) -> None:
        self.declare_task("TASKS_HFCLKSTART", 0x000, self._start_hfxo)
        self.declare_task("TASKS_HFCLKSTOP", 0x004, self._stop_hfxo)
        self.declare_task("TASKS_LFCLKSTART", 0x008, self._start_lfclk)
        self.declare_task("TASKS_LFCLKSTOP", 0x00C, self._stop_lfclk)
        self.declare_task("TASKS_CAL", 0x010, self._calibrate)
        self.declare_task("TASKS_CTSTART", 0x014, self._start_calibration_timer)
        self.declare_task("TASKS_CTSTOP", 0x018, self._stop_calibration_timer)
        self._hf_started = self.declare_event("EVENTS_HFCLKSTARTED", 0x100)
        self._lf_started = self.declare_event("EVENTS_LFCLKSTARTED", 0x104)
        self._cal_done = self.declare_event("EVENTS_DONE", 0x10C)
        self._ct_timeout = self.declare_event("EVENTS_CTTO", 0x110)
        self._ct_started = self.declare_event("EVENTS_CTSTARTED", 0x128)
        self._ct_stopped = self.declare_event("EVENTS_CTSTOPPED", 0x12C)
        self.declare_read_only("HFCLKRUN", 0x408, lambda: int(self.hfxo_running or self.hfxo_starting))
        self.declare_read_only("HFCLKSTAT", 0x40C, self._read_hfclkstat)
        self.declare_read_only("LFCLKRUN", 0x414, lambda: int(self.lf_source is not None))
        self.declare_read_only("LFCLKSTAT", 0x418, self._read_lfclkstat)
        self.declare_read_only("LFCLKSRCCOPY", 0x41C, lambda: self._lfsrc_copy)
        self.declare("LFCLKSRC", _LFCLKSRC, mask=0x3_0003)
        self.declare("HFXODEBOUNCE", 0x528, reset=0x10, mask=0xFF)
        self.declare("CTIV", _CTIV, mask=0x7F)
        self.declare("TRACECONFIG", 0x55C, mask=0x3_0003)
        self.declare("LFRCMODE", 0x5B4, mask=0x1_0001)

    def _declare_power(self) -> None:
        self.declare_task("TASKS_CONSTLAT", 0x078, partial(self._set_constant_latency, on=True))
        self.declare_task("TASKS_LOWPWR", 0x07C, partial(self._set_constant_latency, on=False))
        self.declare_event("EVENTS_POFWARN", 0x108)
        self._sleep_enter = self.declare_event("EVENTS_SLEEPENTER", 0x114)
        self._sleep_exit = self.declare_event("EVENTS_SLEEPEXIT", 0x118)
        self.declare_event("EVENTS_USBDETECTED", 0x11C)
        self.declare_event("EVENTS_USBREMOVED", 0x120)
        self.declare_event("EVENTS_USBPWRRDY", 0x124)
        self.declare("RESETREAS", 0x400, on_read=lambda: self._resetreas, on_write=self._clear_resetreas)
        self.declare_read_only("RAMSTATUS", 0x428, lambda: 0xF)
        self.declare_read_only("USBREGSTATUS", 0x438, lambda: 0)
        self.declare("SYSTEMOFF", 0x500, on_read=lambda: 0, on_write=self._write_system_off)
        self.declare("POFCON", 0x510, mask=0xF1F)
        self.declare("GPREGRET", 0x51C, mask=0xFF)
        self.declare("GPREGRET2", 0x520, mask=0xFF)
        self.declare("DCDCEN", _DCDCEN, mask=1, on_write=partial(self._write_and_tell, _DCDCEN))
        self.declare("DCDCEN0", _DCDCEN0, mask=1, on_write=partial(self._write_and_tell, _DCDCEN0))
        self.declare_read_only("MAINREGSTATUS", 0x640, lambda: 0)  # normal voltage: VDD supplied directly
        self.declare("(anomaly 115)", 0xEE4)  # written by Nordic's SystemInit; without effect here
        for n in range(_RAM_BLOCKS):
            at = _RAM_BASE + 0x10 * n
            self.declare(f"RAM[{n}].POWER", at, reset=0xFFFF, on_write=partial(self._write_and_tell, at))
            self.declare(
                f"RAM[{n}].POWERSET",
                at + 4,
                on_read=partial(self._ram, at),
                on_write=partial(self._ram_set, at),
            )
            self.declare(
                f"RAM[{n}].POWERCLR",
                at + 8,
                on_read=partial(self._ram, at),
                on_write=partial(self._ram_clear, at),
            )

    # -- high-frequency clock ----------------------------------------------------------------------------

    def _after(self, what: str, ticks: int, then: Callable[[], None]) -> None:
        """Run `then` after `ticks`, unless `what` was started or stopped again meanwhile."""
        self._generation[what] += 1
        generation = self._generation[what]

        def due() -> None:
            if self._generation[what] == generation:
                then()

        self.fabric.schedule(self.fabric.now + ticks, due)

    def _cancel(self, what: str) -> None:
        self._generation[what] += 1

    def _start_hfxo(self) -> None:
        if self.hfxo_running:
            self._hf_started.fire()
        elif not self.hfxo_starting:
            self.hfxo_starting = True
            self._after("hf", HFXO_START_US * TICKS_PER_US, self._hfxo_started)
            self._changed()

    def _hfxo_started(self) -> None:
        self.hfxo_starting, self.hfxo_running = False, True
        self._hf_started.fire()
        self._changed()

    def _stop_hfxo(self) -> None:
        self._cancel("hf")
        self.hfxo_running = self.hfxo_starting = False
        self._changed()

    def _read_hfclkstat(self) -> int:
        return _HFCLKSTAT_RUNNING_XTAL if self.hfxo_running else _HFCLKSTAT_RUNNING_RC

    # -- low-frequency clock -----------------------------------------------------------------------------

    def _start_lfclk(self) -> None:
        if self.lf_source is not None:
            return
        self.lf_source = self._lfsrc_copy = self.values[_LFCLKSRC] & 3
        # With the crystal chosen, the RC oscillator runs until the crystal does.
        self._after("lf", LFRC_START_US * TICKS_PER_US, self._lfrc_started)
        self._changed()

    def _lfrc_started(self) -> None:
        self._lfclk.run(self.fabric.now)
        if self.lf_source == XTAL:
            self._after("lf", (LFXO_START_US - LFRC_START_US) * TICKS_PER_US, self._lfxo_started)
        else:
            self._lf_started.fire()
        self._changed()

    def _lfxo_started(self) -> None:
        self.lfxo_running = True
        self._lf_started.fire()
        self._changed()

    def _stop_lfclk(self) -> None:
        self._cancel("lf")
        self.lf_source = None
        self.lfxo_running = False
        self._lfclk.run(None)
        self._changed()

    def _read_lfclkstat(self) -> int:
        if self._lfclk.since is None:
            return 0
        running_from = XTAL if self.lfxo_running else SYNTH if self.lf_source == SYNTH else RC
        return 0x1_0000 | running_from

    def _calibrate(self) -> None:
        """Calibration needs the crystal oscillator; without it nothing happens."""
        if self.hfxo_running:
            self._after("cal", CALIBRATION_US * TICKS_PER_US, self._cal_done.fire)

    def _start_calibration_timer(self) -> None:
        self._ct_started.fire()
        self._after("ct", self.values[_CTIV] * TICK_HZ // 4, self._ct_timeout.fire)  # CTIV in 0.25 s

    def _stop_calibration_timer(self) -> None:
        self._cancel("ct")
        self.fabric.schedule(self.fabric.now + TICKS_PER_LFCLK, self._ct_stopped.fire)

    # -- power -------------------------------------------------------------------------------------------

    def _set_constant_latency(self, *, on: bool) -> None:
        self.constant_latency = on
        self._changed()

    def _clear_resetreas(self, value: int) -> None:
        self._resetreas &= ~value

    def add_reset_reason(self, kind: str) -> None:
        """Accumulate a cause in RESETREAS; a power-on reset clears it."""
        self._resetreas |= RESETREAS[kind]

    def _write_system_off(self, value: int) -> None:
        if value & 1:
            self._system_off()

    def _write_and_tell(self, offset: int, value: int) -> None:
        self.values[offset] = value
        self._changed()

    def _ram(self, at: int) -> int:
        return self.values[at]

    def _ram_set(self, at: int, value: int) -> None:
        self._write_and_tell(at, self.values[at] | value)

    def _ram_clear(self, at: int, value: int) -> None:
        self._write_and_tell(at, self.values[at] & ~value)

    @property
    def dcdc(self) -> bool:
        """REG1 runs as DC/DC converter."""
        return bool(self.values[_DCDCEN])

    @property
    def ram_powered_share(self) -> float:
        """Share of the 256 KiB of RAM whose sections are powered in System ON (0 to 1)."""
        kib = 0.0
        for n in range(_RAM_BLOCKS):
            power = self.values[_RAM_BASE + 0x10 * n] & 0xFFFF
            sections, section_kib = (2, 4) if n < _RAM_BLOCKS - 1 else (6, 32)  # chapter "Memory"
            kib += section_kib * bin(power & ((1 << sections) - 1)).count("1")
        return kib / 256

    def sleep_entered(self) -> None:
        """The CPU went to sleep."""
        self._sleep_enter.fire()

    def sleep_left(self) -> None:
        """The CPU woke up."""
        self._sleep_exit.fire()

    def on_reset(self) -> None:
        """Clocks stop; the DC/DC converter is off."""
        for what in self._generation:
            self._cancel(what)
        self.hfxo_running = self.hfxo_starting = False
        self.lf_source = None
        self.lfxo_running = False
        self.constant_latency = False
        self._lfsrc_copy = 0
        self._lfclk.run(None)
        self._changed()

    def reset_retained(self, *, power_on: bool) -> None:
        """Clear the retained registers (pin, watchdog, power-on reset), and RESETREAS after power-on."""
        self.values[0x51C] = self.values[0x520] = 0
        if power_on:
            self._resetreas = 0

    def reset(self) -> None:
        """Everything but GPREGRET, GPREGRET2 and RESETREAS."""
        kept = self.values[0x51C], self.values[0x520]
        super().reset()
        self.values[0x51C], self.values[0x520] = kept
