"""The frame of an nRF peripheral: tasks at 0x000, events at 0x100, shortcuts, interrupts, plain registers.

Follows the nRF52840 Product Specification, chapter "Peripheral interface".
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import Fabric
from pytest_lan_hil.virtual.silicon.registerblock import RegisterBlock

_SHORTS, _INTEN, _INTENSET, _INTENCLR = 0x200, 0x300, 0x304, 0x308


class Event:
    """One event register: a flag, a bit in INTEN, shortcuts, and possibly PPI channels that listen to it."""

    __slots__ = ("address", "bit", "block", "flag", "name", "routed", "shorts")

    def __init__(self, block: Block, name: str, offset: int) -> None:
        self.block = block
        self.name = name
        self.bit = 1 << ((offset - 0x100) // 4)
        self.address = block.base + offset
        self.flag = False
        self.routed = False
        self.shorts: list[tuple[int, Callable[[], None]]] = []

    @property
    def watched(self) -> bool:
        """True if somebody would notice this event at once: interrupt, shortcut or PPI."""
        block = self.block
        return (
            self.routed or bool(block.inten & self.bit) or any(mask & block.shorts for mask, _ in self.shorts)
        )

    def fire(self) -> None:
        """Generate the event now."""
        block = self.block
        self.flag = True
        if block.inten & self.bit:
            block.update_irq()
        if self.shorts:
            enabled = block.shorts
            for mask, task in self.shorts:
                if enabled & mask:
                    task()
        if self.routed:
            block.fabric.signal(self.address)


class Block(RegisterBlock):
    """A peripheral of the nRF kind.

    Args:
        fabric: What it shares with the others.
        name: As in the SVD ("TIMER0").
        base: First address.
        irq: Interrupt number, or None.
        size: Bytes of address space.
    """

    def __init__(self, fabric: Fabric, name: str, base: int, *, irq: int | None, size: int = 0x1000) -> None:
        super().__init__(name, base, size=size)
        self.fabric = fabric
        self.irq = irq
        self.inten = 0
        self.shorts = 0
        self.events: dict[int, Event] = {}
        self._tasks: dict[int, tuple[str, Callable[[], None]]] = {}
        self._inten_mask = 0
        self._shorts_mask = 0

    # -- declaration -------------------------------------------------------------------------------------

    def declare_task(self, name: str, offset: int, run: Callable[[], None]) -> None:
        """A task register: writing 1 runs it; the PPI may trigger it by its address."""
        self._tasks[offset] = (name, run)
        self.fabric.tasks[self.base + offset] = run

    def declare_event(self, name: str, offset: int) -> Event:
        """An event register, with its bit in INTEN."""
        event = Event(self, name, offset)
        self.events[offset] = event
        self._inten_mask |= event.bit
        return event

    def declare_short(self, bit: int, event: Event, task: Callable[[], None]) -> None:
        """A shortcut: when `bit` of SHORTS is set, `event` runs `task`."""
        event.shorts.append((1 << bit, task))
        self._shorts_mask |= 1 << bit

    # -- what subclasses override ------------------------------------------------------------------------

    def watch_changed(self) -> None:
        """INTEN, SHORTS or the PPI changed: plan anew which events need a callback."""

    def before_event_read(self, event: Event) -> None:
        """Bring an event flag that is evaluated lazily up to date."""

    # -- bus ---------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Reset values everywhere; interrupt line low."""
        self.inten = 0
        self.shorts = 0
        for event in self.events.values():
            event.flag = False
        super().reset()
        self.update_irq()

    def update_irq(self) -> None:
        """Recompute the interrupt line."""
        if self.irq is None:
            return
        inten = self.inten
        level = any(event.flag and event.bit & inten for event in self.events.values()) if inten else False
        self.fabric.drive_irq(self.irq, self.name, level=level)

    def read_other(self, offset: int) -> int:
        """Events, tasks (which read as 0), INTEN and SHORTS."""
        event = self.events.get(offset)
        if event is not None:
            self.before_event_read(event)
            return int(event.flag)
        if offset in self._tasks:
            return 0
        if self._inten_mask and offset in (_INTEN, _INTENSET, _INTENCLR):
            return self.inten
        if offset == _SHORTS and self._shorts_mask:
            return self.shorts
        raise self.unmodelled(offset)

    def write_other(self, offset: int, value: int) -> None:
        """Tasks, events, INTEN and SHORTS."""
        task = self._tasks.get(offset)
        if task is not None:
            if value & 1:
                task[1]()
            return
        event = self.events.get(offset)
        if event is not None:
            self._write_event(event, value)
        elif self._inten_mask and offset in (_INTEN, _INTENSET, _INTENCLR):
            self._write_inten(offset, value)
        elif offset == _SHORTS and self._shorts_mask:
            self.shorts = value & self._shorts_mask
            self.watch_changed()
        else:
            raise self.unmodelled(offset)

    def _write_event(self, event: Event, value: int) -> None:
        self.before_event_read(event)
        if value & 1:
            event.fire()
        else:
            event.flag = False
            if self.inten & event.bit:
                self.update_irq()

    def _write_inten(self, offset: int, value: int) -> None:
        value &= self._inten_mask
        if offset == _INTENSET:
            self.inten |= value
        elif offset == _INTENCLR:
            self.inten &= ~value
        else:
            self.inten = value
        self.watch_changed()
        self.update_irq()
