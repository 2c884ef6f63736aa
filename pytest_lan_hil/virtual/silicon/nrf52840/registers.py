"""The frame of an nRF peripheral: tasks at 0x000, events at 0x100, shortcuts, interrupts, plain registers.

Follows the nRF52840 Product Specification, chapter "Peripheral interface". A register that is not declared is
not modelled, and an access to it stops with the names of peripheral and register: it never reads as zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_lan_hil.virtual.silicon.bus import Peripheral
from pytest_lan_hil.virtual.silicon.nrf52840.fabric import Fabric
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

WORD = 0xFFFF_FFFF
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


@dataclass(slots=True)
class _Register:
    name: str
    reset: int
    mask: int
    on_read: Callable[[], int] | None
    on_write: Callable[[int], None] | None
    writable: bool


class Block(Peripheral):
    """A peripheral of the nRF kind.

    Args:
        fabric: What it shares with the others.
        name: As in the SVD ("TIMER0").
        base: First address.
        irq: Interrupt number, or None.
        size: Bytes of address space.
    """

    def __init__(self, fabric: Fabric, name: str, base: int, *, irq: int | None, size: int = 0x1000) -> None:
        self.fabric = fabric
        self.name = name
        self.base = base
        self.size = size
        self.irq = irq
        self.inten = 0
        self.shorts = 0
        self.events: dict[int, Event] = {}
        self.values: dict[int, int] = {}
        self._registers: dict[int, _Register] = {}
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

    def declare(
        self,
        name: str,
        offset: int,
        *,
        reset: int = 0,
        mask: int = WORD,
        on_read: Callable[[], int] | None = None,
        on_write: Callable[[int], None] | None = None,
        writable: bool = True,
    ) -> None:
        """A plain register; `on_write` replaces the store, `on_read` the load."""
        self._registers[offset] = _Register(name, reset, mask, on_read, on_write, writable)
        self.values[offset] = reset

    def declare_read_only(self, name: str, offset: int, on_read: Callable[[], int]) -> None:
        """A register that is computed when read; writing has no effect, as on silicon."""
        self.declare(name, offset, on_read=on_read, writable=False)

    # -- what subclasses override ------------------------------------------------------------------------

    def on_reset(self) -> None:
        """Bring the state that is not in plain registers to its reset value."""

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
        for offset, register in self._registers.items():
            self.values[offset] = register.reset
        self.on_reset()
        self.update_irq()

    def update_irq(self) -> None:
        """Recompute the interrupt line."""
        if self.irq is None:
            return
        inten = self.inten
        level = any(event.flag and event.bit & inten for event in self.events.values()) if inten else False
        self.fabric.drive_irq(self.irq, self.name, level=level)

    def read(self, offset: int, size: int) -> int:
        """Read a register; narrower reads return the addressed bytes."""
        word_offset = offset & ~3
        value = self._read_word(word_offset)
        if size == 4:
            return value
        return (value >> (8 * (offset & 3))) & ((1 << (8 * size)) - 1)

    def _read_word(self, offset: int) -> int:
        register = self._registers.get(offset)
        if register is not None:
            return register.on_read() if register.on_read is not None else self.values[offset]
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

    def write(self, offset: int, value: int, size: int) -> None:
        """Write a register; only whole words reach a peripheral."""
        if size != 4 or offset & 3:
            raise self.unmodelled(offset, detail="only whole words are written here")
        register = self._registers.get(offset)
        if register is not None:
            if not register.writable:
                return
            value &= register.mask
            if register.on_write is not None:
                register.on_write(value)
            else:
                self.values[offset] = value
            return
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

    def unmodelled(self, offset: int, *, detail: str = "") -> NotModelled:
        """The error for a register of this peripheral that the model lacks."""
        return NotModelled(detail or f"{self.name} has no register at offset 0x{offset:03x} in this model")
