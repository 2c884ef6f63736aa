"""WDT: a watchdog that really resets the chip.

Follows the nRF52840 Product Specification, chapter "WDT": once started its configuration is locked; it
counts CRV + 1 cycles of 32768 Hz, generates TIMEOUT, and two cycles later the reset. CONFIG decides whether
it counts while the CPU sleeps or is halted by a debugger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_LFCLK, Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block
from pytest_lan_hil.virtual.silicon.registerblock import WORD
from pytest_lan_hil.virtual.silicon.timeline import Event as TimelineEvent

_RELOAD = 0x6E52_4635
_CHANNELS = 8
_CRV, _RREN, _CONFIG, _RR = 0x504, 0x508, 0x50C, 0x600
_RUN_ASLEEP, _RUN_HALTED = 1, 8
_MINIMUM = 0xF


class Wdt(Block):
    """The watchdog.

    Args:
        fabric: Shared by the peripherals.
        on_reset_request: Called when the watchdog bites.
        on_active: Called with name and True or False (power model).
    """

    def __init__(
        self,
        fabric: Fabric,
        *,
        on_reset_request: Callable[[], None],
        on_active: Callable[[str, bool], None] | None = None,
    ) -> None:
        super().__init__(fabric, "WDT", 0x4001_0000, irq=16)
        self._on_reset_request = on_reset_request
        self._on_active = on_active
        self._running = False
        self._requested = 0
        self._left = 0  # ticks left while the counter is paused
        self._due_at: int | None = None
        self._pending: TimelineEvent | None = None
        self._asleep = self._halted = False
        self.declare_task("TASKS_START", 0x000, self._start)
        self._timeout = self.declare_event("EVENTS_TIMEOUT", 0x100)
        self.declare_read_only("RUNSTATUS", 0x400, lambda: int(self._running))
        self.declare_read_only("REQSTATUS", 0x404, self._read_requests)
        self.declare("CRV", _CRV, reset=WORD, on_write=partial(self._write_locked, _CRV))
        self.declare("RREN", _RREN, reset=1, mask=0xFF, on_write=partial(self._write_locked, _RREN))
        self.declare("CONFIG", _CONFIG, reset=1, mask=9, on_write=partial(self._write_locked, _CONFIG))
        for n in range(_CHANNELS):
            self.declare(f"RR[{n}]", _RR + 4 * n, on_read=lambda: 0, on_write=partial(self._reload, n))

    @property
    def _period(self) -> int:
        return (max(self.values[_CRV], _MINIMUM) + 1) * TICKS_PER_LFCLK

    def _write_locked(self, offset: int, value: int) -> None:
        if not self._running:
            self.values[offset] = value

    def _start(self) -> None:
        if self._running:
            return
        self._running = True
        if self._on_active is not None:
            self._on_active(self.name, True)  # noqa: FBT003 - a plain callback
        self._restart()

    def _restart(self) -> None:
        self._requested = self.values[_RREN]
        self._left = self._period
        self._due_at = None
        self._run()

    def _read_requests(self) -> int:
        return self._requested if self._running else 1

    def _reload(self, n: int, value: int) -> None:
        if self._running and value == _RELOAD:
            self._requested &= ~(1 << n)
            if not self._requested & self.values[_RREN]:
                self._pause()
                self._restart()

    def cpu_state(self, *, asleep: bool, halted: bool) -> None:
        """The CPU fell asleep, woke up, was halted or resumed."""
        self._asleep, self._halted = asleep, halted
        if self._running:
            self._pause()
            self._run()

    def _counts(self) -> bool:
        config = self.values[_CONFIG]
        if self._halted and not config & _RUN_HALTED:
            return False
        return not (self._asleep and not config & _RUN_ASLEEP)

    def _pause(self) -> None:
        if self._due_at is not None:
            self._left = max(self._due_at - self.fabric.now, 0)
            self._due_at = None
        if self._pending is not None:
            self.fabric.timeline.cancel(self._pending)
            self._pending = None

    def _run(self) -> None:
        if self._due_at is None and self._counts():
            self._due_at = self.fabric.now + self._left
            self._pending = self.fabric.timeline.schedule(self._due_at, self._bite)

    def _bite(self) -> None:
        self._pending = None
        self._due_at = None
        self._timeout.fire()
        self.fabric.timeline.schedule(self.fabric.now + 2 * TICKS_PER_LFCLK, self._on_reset_request)

    def on_reset(self) -> None:
        """Stopped."""
        self._pause()
        self._running = False
        self._requested = 0
        if self._on_active is not None:
            self._on_active(self.name, False)  # noqa: FBT003
