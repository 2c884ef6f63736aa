"""TIMER0 to TIMER4: 16 MHz timers with prescaler, compare and capture.

Follows the nRF52840 Product Specification, chapter "TIMER". Compare events that nobody watches (no interrupt,
shortcut or PPI channel) cost nothing: their flags are worked out when they are read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_16MHZ, Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block, Event
from pytest_lan_hil.virtual.silicon.registerblock import WORD
from pytest_lan_hil.virtual.silicon.timeline import Event as TimelineEvent

_BITS = {0: 16, 1: 8, 2: 24, 3: 32}
_MODE, _BITMODE, _PRESCALER, _CC = 0x504, 0x508, 0x510, 0x540
_TIMER_MODE = 0
_MAX_PRESCALER = 9


class Timer(Block):
    """One TIMER instance.

    Args:
        fabric: Shared by the peripherals.
        name, base, irq: As in the SVD.
        channels: Number of compare registers: 4 (TIMER0-2) or 6 (TIMER3-4).
        on_running: Called with True and False as the timer starts and stops (power model).
    """

    def __init__(
        self,
        fabric: Fabric,
        name: str,
        base: int,
        irq: int,
        *,
        channels: int,
        on_running: Callable[[str, bool], None] | None = None,
    ) -> None:
        super().__init__(fabric, name, base, irq=irq)
        self.channels = channels
        self._on_running = on_running
        self._running = False
        self._base_tick = 0  # tick at which the counter was _base_count
        self._base_count = 0
        self._seen = 0  # unwrapped count up to which compare flags are up to date
        self._pending: TimelineEvent | None = None
        self.declare_task("TASKS_START", 0x000, self._start)
        self.declare_task("TASKS_STOP", 0x004, self._stop)
        self.declare_task("TASKS_COUNT", 0x008, self._count)
        self.declare_task("TASKS_CLEAR", 0x00C, self._clear)
        self.declare_task("TASKS_SHUTDOWN", 0x010, self._shutdown)
        self.compare: list[Event] = []
        for n in range(channels):
            self.declare_task(f"TASKS_CAPTURE[{n}]", 0x040 + 4 * n, partial(self._capture, n))
            event = self.declare_event(f"EVENTS_COMPARE[{n}]", 0x140 + 4 * n)
            self.declare_short(n, event, self._clear)
            self.declare_short(8 + n, event, self._stop)
            self.compare.append(event)
            self.declare(f"CC[{n}]", _CC + 4 * n, on_write=partial(self._write_cc, n))
        self.declare("MODE", _MODE, mask=3, on_write=partial(self._write_config, _MODE))
        self.declare("BITMODE", _BITMODE, mask=3, on_write=partial(self._write_config, _BITMODE))
        self.declare(
            "PRESCALER", _PRESCALER, reset=4, mask=0xF, on_write=partial(self._write_config, _PRESCALER)
        )

    # -- counting ----------------------------------------------------------------------------------------

    @property
    def _period(self) -> int:
        """Ticks per count."""
        return TICKS_PER_16MHZ << min(self.values[_PRESCALER], _MAX_PRESCALER)

    @property
    def _modulus(self) -> int:
        return 1 << _BITS[self.values[_BITMODE]]

    def _unwrapped(self) -> int:
        """Counts since the base, plus the base count; not reduced to the bit width."""
        if not self._running or self.values[_MODE] != _TIMER_MODE:
            return self._base_count
        return self._base_count + max(self.fabric.now - self._base_tick, 0) // self._period

    def counter(self) -> int:
        """The internal counter as CAPTURE would take it now."""
        return self._unwrapped() % self._modulus

    def _rebase(self) -> None:
        """Fold the elapsed counts into the base, keeping the phase."""
        if self._running and self.values[_MODE] == _TIMER_MODE:
            elapsed = max(self.fabric.now - self._base_tick, 0) // self._period
            self._base_tick += elapsed * self._period
            self._base_count += elapsed
        self._base_count %= self._modulus
        self._seen = self._base_count

    # -- tasks -------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._running:
            return
        self._running = True
        self._base_tick = self.fabric.next_16mhz_edge()
        self._seen = self._base_count
        self._report()
        self._plan()

    def _stop(self) -> None:
        if not self._running:
            return
        self._catch_up()
        self._rebase()
        self._running = False
        self._report()
        self._plan()

    def _shutdown(self) -> None:
        self._stop()
        self._base_count = self._seen = 0

    def _clear(self) -> None:
        self._catch_up()
        self._base_tick = self.fabric.next_16mhz_edge()
        self._base_count = self._seen = 0
        self._plan()

    def _count(self) -> None:
        if not self._running or self.values[_MODE] == _TIMER_MODE:
            return
        self._base_count = self._seen = (self._base_count + 1) % self._modulus
        for n, event in enumerate(self.compare):
            if self.values[_CC + 4 * n] % self._modulus == self._base_count:
                event.fire()

    def _capture(self, n: int) -> None:
        self._catch_up()
        self.values[_CC + 4 * n] = self.counter()
        self._plan()

    def _report(self) -> None:
        counting = self._running and self.values[_MODE] == _TIMER_MODE
        self.fabric.request_hfclk(self.name, wanted=counting)
        if self._on_running is not None:
            self._on_running(self.name, counting)

    # -- registers ---------------------------------------------------------------------------------------

    def _write_cc(self, n: int, value: int) -> None:
        self._catch_up()
        self.values[_CC + 4 * n] = value & WORD
        self._plan()

    def _write_config(self, offset: int, value: int) -> None:
        self._catch_up()
        self._rebase()
        self.values[offset] = value
        if self._running:
            self._base_tick = self.fabric.next_16mhz_edge()
            self._report()
        self._base_count %= self._modulus
        self._seen = self._base_count
        self._plan()

    def on_reset(self) -> None:
        """Stopped, counter 0."""
        self._running = False
        self._base_count = self._seen = 0
        self._report()
        self._plan()

    # -- compare events ----------------------------------------------------------------------------------

    def _next(self, n: int) -> int:
        """Unwrapped count, after `_seen`, at which compare `n` matches."""
        delta = (self.values[_CC + 4 * n] - self._seen) % self._modulus
        return self._seen + (delta or self._modulus)

    def _catch_up(self) -> None:
        """Set the flags of unwatched compare events passed since the last time."""
        if not self._running or self.values[_MODE] != _TIMER_MODE:
            return
        count = self._unwrapped()
        if count <= self._seen:
            return
        for n, event in enumerate(self.compare):
            if not event.flag and not event.watched and self._next(n) <= count:
                event.flag = True
        # A watched event that is due at this very tick is fired by its own callback, which compares with
        # _seen.
        due = [self._next(n) for n, event in enumerate(self.compare) if event.watched]
        self._seen = min([count, *(at - 1 for at in due)])

    def _plan(self) -> None:
        """Have the timeline call when the next watched compare event is due."""
        if self._pending is not None:
            self.fabric.timeline.cancel(self._pending)
            self._pending = None
        if not self._running or self.values[_MODE] != _TIMER_MODE:
            return
        watched = [n for n, event in enumerate(self.compare) if event.watched]
        if not watched:
            return
        at = min(self._next(n) for n in watched)
        tick = self._base_tick + (at - self._base_count) * self._period
        self._pending = self.fabric.schedule(tick, partial(self._due, at))

    def _due(self, at: int) -> None:
        self._pending = None
        fired = [event for n, event in enumerate(self.compare) if event.watched and self._next(n) == at]
        self._seen = at
        anchor_tick = self._base_tick + (at - self._base_count) * self._period
        clears = any(mask & 0x3F & self.shorts for event in fired for mask, _ in event.shorts)
        for event in fired:
            event.fire()
        if clears:
            # The clear takes effect at the compare match itself, however late this callback runs.
            self._base_tick, self._base_count, self._seen = anchor_tick, 0, 0
        self._plan()

    def before_event_read(self, event: Event) -> None:  # noqa: ARG002 - all flags at once
        """Compare flags are evaluated lazily."""
        self._catch_up()

    def watch_changed(self) -> None:
        """Interrupts, shortcuts or PPI channels changed."""
        self._catch_up()
        self._plan()
