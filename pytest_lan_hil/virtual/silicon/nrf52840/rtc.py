"""RTC0 to RTC2: 24-bit counters on the 32768 Hz clock.

Follows the nRF52840 Product Specification, chapter "RTC": a task takes effect at an LFCLK edge 15 to 46 us
later; a compare value of N + 1 may be missed, N + 2 never is; events are generated only where EVTEN or INTEN
asks for them, so that the 16 MHz clock can stay off.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_LFCLK, Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block, Event
from pytest_lan_hil.virtual.silicon.timeline import Event as TimelineEvent

_EVTEN, _EVTENSET, _EVTENCLR = 0x340, 0x344, 0x348
_COUNTER, _PRESCALER, _CC = 0x504, 0x508, 0x540
_MODULUS = 1 << 24
_TRIGGER_OVERFLOW = 0xFF_FFF0
_TASK_SETUP = TICKS_PER_LFCLK // 2  # a task misses an edge that comes sooner


class LowFrequencyClock:
    """The 32768 Hz clock: running since a tick, or not at all."""

    def __init__(self) -> None:
        self.since: int | None = None
        self.listeners: list[Callable[[], None]] = []

    def run(self, since: int | None) -> None:
        """Start at tick `since`, or stop (None)."""
        self.since = since
        for listener in self.listeners:
            listener()

    def edge_after(self, tick: int) -> int:
        """Tick of the first rising edge at or after `tick`; the clock must run."""
        assert self.since is not None
        return self.since + max(-(-(tick - self.since) // TICKS_PER_LFCLK), 0) * TICKS_PER_LFCLK


class Rtc(Block):
    """One RTC instance.

    Args:
        fabric: Shared by the peripherals.
        name, base, irq: As in the SVD.
        channels: Compare registers: 3 (RTC0) or 4.
        clock: The LFCLK.
        on_running: Called with the name and True or False (power model).
    """

    def __init__(
        self,
        fabric: Fabric,
        name: str,
        base: int,
        irq: int,
        *,
        channels: int,
        clock: LowFrequencyClock,
        on_running: Callable[[str, bool], None] | None = None,
    ) -> None:
        super().__init__(fabric, name, base, irq=irq)
        self._clock = clock
        self._on_running = on_running
        self._evten = 0
        self._started = False
        self._edge: int | None = None  # LFCLK edge from which the counter counts; None while it stands still
        self._base_count = 0
        self._pending: TimelineEvent | None = None
        self.declare_task("TASKS_START", 0x000, self._start)
        self.declare_task("TASKS_STOP", 0x004, self._stop)
        self.declare_task("TASKS_CLEAR", 0x008, partial(self._set_counter, 0))
        self.declare_task("TASKS_TRIGOVRFLW", 0x00C, partial(self._set_counter, _TRIGGER_OVERFLOW))
        self.tick_event = self.declare_event("EVENTS_TICK", 0x100)
        self.overflow_event = self.declare_event("EVENTS_OVRFLW", 0x104)
        self.compare: list[Event] = []
        for n in range(channels):
            self.compare.append(self.declare_event(f"EVENTS_COMPARE[{n}]", 0x140 + 4 * n))
            self.declare(f"CC[{n}]", _CC + 4 * n, mask=_MODULUS - 1, on_write=partial(self._write_cc, n))
        self._skip: dict[int, int] = {}  # channel -> count that a late CC write must miss
        self.declare_read_only("COUNTER", _COUNTER, self.counter)
        self.declare("PRESCALER", _PRESCALER, mask=0xFFF, on_write=self._write_prescaler)
        self.declare("EVTEN", _EVTEN, on_read=lambda: self._evten, on_write=self._write_evten)
        self.declare("EVTENSET", _EVTENSET, on_read=lambda: self._evten, on_write=self._set_evten)
        self.declare("EVTENCLR", _EVTENCLR, on_read=lambda: self._evten, on_write=self._clear_evten)
        clock.listeners.append(self._clock_changed)

    # -- counting ----------------------------------------------------------------------------------------

    @property
    def _period(self) -> int:
        return TICKS_PER_LFCLK * (self.values[_PRESCALER] + 1)

    def _unwrapped(self) -> int:
        if self._edge is None:
            return self._base_count
        return self._base_count + max(self.fabric.now - self._edge, 0) // self._period

    def counter(self) -> int:
        """COUNTER as the CPU reads it."""
        return self._unwrapped() % _MODULUS

    def _effective_edge(self) -> int:
        """The LFCLK edge at which a task given now takes effect."""
        return self._clock.edge_after(self.fabric.now + _TASK_SETUP)

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        if self._clock.since is not None:
            self._edge = self._effective_edge()
        self._report()
        self._plan()

    def _stop(self) -> None:
        if not self._started:
            return
        # The counter stands still from the edge at which the task takes effect; counts until then are kept.
        if self._edge is not None and self._clock.since is not None:
            stop = self._effective_edge()
            self._base_count = (self._base_count + max(stop - self._edge, 0) // self._period) % _MODULUS
        self._edge = None
        self._started = False
        self._report()
        self._plan()

    def _set_counter(self, value: int) -> None:
        self._base_count = value
        if self._edge is not None:
            self._edge = self._effective_edge()
        self._skip.clear()
        self._plan()

    def _clock_changed(self) -> None:
        if self._clock.since is None:
            if self._edge is not None:
                self._base_count = self._unwrapped() % _MODULUS
                self._edge = None
        elif self._started and self._edge is None:
            self._edge = self._clock.edge_after(self.fabric.now)
        self._plan()

    def _report(self) -> None:
        if self._on_running is not None:
            self._on_running(self.name, self._started)

    # -- registers ---------------------------------------------------------------------------------------

    def _write_cc(self, n: int, value: int) -> None:
        self.values[_CC + 4 * n] = value
        self._skip.pop(n, None)
        if self._edge is not None and self._clock.since is not None:
            count = self._unwrapped()
            next_increment = self._edge + (count + 1 - self._base_count) * self._period
            too_late = next_increment - self.fabric.now < _TASK_SETUP
            if value == (count + 1) % _MODULUS and too_late:
                self._skip[n] = count + 1
        self._plan()

    def _write_prescaler(self, value: int) -> None:
        if not self._started:  # can only be written while the RTC is stopped
            self.values[_PRESCALER] = value

    def _write_evten(self, value: int) -> None:
        self._evten = value & self._inten_mask
        self._plan()

    def _set_evten(self, value: int) -> None:
        self._write_evten(self._evten | value)

    def _clear_evten(self, value: int) -> None:
        self._write_evten(self._evten & ~value)

    def on_reset(self) -> None:
        """Stopped, counter 0, no event enabled."""
        self._evten = 0
        self._started = False
        self._edge = None
        self._base_count = 0
        self._skip.clear()
        self._report()
        self._plan()

    # -- events ------------------------------------------------------------------------------------------

    def _enabled(self, event: Event) -> bool:
        return bool((self._evten | self.inten) & event.bit)

    def _targets(self, count: int) -> list[tuple[int, Event]]:
        """Next unwrapped count after `count` for each enabled event."""
        out = []
        if self._enabled(self.tick_event):
            out.append((count + 1, self.tick_event))
        if self._enabled(self.overflow_event):
            out.append((count + _MODULUS - count % _MODULUS, self.overflow_event))
        for n, event in enumerate(self.compare):
            if self._enabled(event):
                delta = (self.values[_CC + 4 * n] - count) % _MODULUS or _MODULUS
                if self._skip.get(n) == count + delta:
                    delta += _MODULUS
                out.append((count + delta, event))
        return out

    def _plan(self, after: int | None = None) -> None:
        if self._pending is not None:
            self.fabric.timeline.cancel(self._pending)
            self._pending = None
        if self._edge is None:
            return
        targets = self._targets(self._unwrapped() if after is None else after)
        if targets:
            at = min(count for count, _ in targets)
            tick = self._edge + (at - self._base_count) * self._period
            self._pending = self.fabric.schedule(tick, partial(self._due, at))

    def _due(self, at: int) -> None:
        self._pending = None
        for count, event in self._targets(at - 1):
            if count == at:
                self._generate(event)
        self._plan(after=max(at, self._unwrapped()) if self._edge is not None else None)

    def _generate(self, event: Event) -> None:
        """EVTEN gates the way to the PPI, INTEN the way to the CPU (figure "RTC event enabling")."""
        routed, event.routed = event.routed, event.routed and bool(self._evten & event.bit)
        try:
            event.fire()
        finally:
            event.routed = routed

    def watch_changed(self) -> None:
        """INTEN changed: event generation depends on it."""
        self._plan()
