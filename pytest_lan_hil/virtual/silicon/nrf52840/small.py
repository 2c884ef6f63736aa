"""Small peripherals: EGU, RNG, TEMP.

Follows the nRF52840 Product Specification, chapters "EGU", "RNG" and "TEMP". The random numbers are a seeded
sequence that starts anew at every reset: a virtual run is repeatable, and therefore not random.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_US, Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.ficr import TEMP_COEFFICIENTS
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block

Activity = Callable[[str, bool], None]

# Typical times from the chapters' electrical specifications, both unconfirmed.
RNG_US = {False: 30, True: 120}  # per byte, without and with bias correction
TEMP_US = 36
AMBIENT_QUARTER_DEGREES = 25 * 4

_EGU_CHANNELS = 16
_RNG_SEED = 0x2545_F491


class Egu(Block):
    """Event generator unit: software interrupts (also SWI0 to SWI5)."""

    def __init__(self, fabric: Fabric, number: int) -> None:
        super().__init__(fabric, f"EGU{number}", 0x4001_4000 + 0x1000 * number, irq=20 + number)
        for n in range(_EGU_CHANNELS):
            event = self.declare_event(f"EVENTS_TRIGGERED[{n}]", 0x100 + 4 * n)
            self.declare_task(f"TASKS_TRIGGER[{n}]", 4 * n, event.fire)


class Rng(Block):
    """Random number generator (a seeded sequence)."""

    def __init__(self, fabric: Fabric, *, on_active: Activity | None = None) -> None:
        super().__init__(fabric, "RNG", 0x4000_D000, irq=13)
        self._on_active = on_active
        self._running = False
        self._generation = 0
        self._state = _RNG_SEED
        self._value = 0
        self.declare_task("TASKS_START", 0x000, self._start)
        self.declare_task("TASKS_STOP", 0x004, self._stop)
        self._ready = self.declare_event("EVENTS_VALRDY", 0x100)
        self.declare_short(0, self._ready, self._stop)
        self.declare("CONFIG", 0x504, mask=1)
        self.declare_read_only("VALUE", 0x508, lambda: self._value)

    def _report(self) -> None:
        if self._on_active is not None:
            self._on_active(self.name, self._running)

    def _start(self) -> None:
        if not self._running:
            self._running = True
            self._generation += 1
            self._report()
            self._next()

    def _stop(self) -> None:
        self._running = False
        self._generation += 1
        self._report()

    def _next(self) -> None:
        delay = RNG_US[bool(self.values[0x504])] * TICKS_PER_US
        self.fabric.schedule(self.fabric.now + delay, partial(self._due, self._generation))

    def _due(self, generation: int) -> None:
        if generation != self._generation:
            return
        # xorshift32 (Marsaglia 2003)
        x = self._state
        x ^= (x << 13) & 0xFFFF_FFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFF_FFFF
        self._state = x
        self._value = x >> 24
        self._ready.fire()
        if self._running:
            self._next()

    def on_reset(self) -> None:
        """Stopped; the sequence starts anew."""
        self._state = _RNG_SEED
        self._value = 0
        self._stop()


class Temp(Block):
    """Temperature sensor: 25 degrees Celsius, always."""

    def __init__(self, fabric: Fabric, *, on_active: Activity | None = None) -> None:
        super().__init__(fabric, "TEMP", 0x4000_C000, irq=12)
        self._on_active = on_active
        self._generation = 0
        self._value = 0
        self.declare_task("TASKS_START", 0x000, self._start)
        self.declare_task("TASKS_STOP", 0x004, self._stop)
        self._ready = self.declare_event("EVENTS_DATARDY", 0x100)
        self.declare_read_only("TEMP", 0x508, lambda: self._value)
        for k in range(6):
            self.declare(f"A{k}", 0x520 + 4 * k, reset=TEMP_COEFFICIENTS[k] & 0xFFF)
            self.declare(f"B{k}", 0x540 + 4 * k, reset=TEMP_COEFFICIENTS[6 + k] & 0x3FFF)
        for k in range(5):
            self.declare(f"T{k}", 0x560 + 4 * k, reset=TEMP_COEFFICIENTS[12 + k] & 0xFF)

    def _start(self) -> None:
        self._generation += 1
        if self._on_active is not None:
            self._on_active(self.name, True)  # noqa: FBT003 - Activity
        self.fabric.schedule(self.fabric.now + TEMP_US * TICKS_PER_US, partial(self._due, self._generation))

    def _stop(self) -> None:
        self._generation += 1
        if self._on_active is not None:
            self._on_active(self.name, False)  # noqa: FBT003

    def _due(self, generation: int) -> None:
        if generation == self._generation:
            self._value = AMBIENT_QUARTER_DEGREES
            self._stop()
            self._ready.fire()

    def on_reset(self) -> None:
        """Idle."""
        self._value = 0
        self._stop()
