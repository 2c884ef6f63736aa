"""What the peripherals of one chip share: time, interrupt lines, and whether the CPU is awake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pytest_lan_hil.virtual.silicon.timeline import Event, Timeline


class Memory(Protocol):
    """The part of the bus that a DMA uses."""

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of RAM or flash."""
        ...

    def write_memory(self, address: int, data: bytes) -> None:
        """Write RAM."""
        ...


class IrqSink(Protocol):
    """The interrupt inputs of the core."""

    def set_irq(self, number: int, level: bool) -> None:  # noqa: FBT001 - the core's signature
        """Drive a level-sensitive interrupt line."""
        ...


class Fabric:
    """Shared by all peripherals of one chip.

    Args:
        timeline: The chip's time.
        memory: For DMA.

    Attributes:
        irqs: Where interrupt levels go; set once the core exists.
        epoch: Tick of the last reset; clock phases count from here, so that what happens after a reset does
            not depend on when it came.
        cpu_awake: False while the CPU sleeps: nobody looks at memory or registers.
    """

    def __init__(self, timeline: Timeline, memory: Memory) -> None:
        self.timeline = timeline
        self.memory = memory
        self.irqs: IrqSink | None = None
        self.epoch = 0
        self.cpu_awake = True
        self._irq_sources: dict[int, set[str]] = {}
        self._resets = 0

    @property
    def now(self) -> int:
        """The current tick."""
        return self.timeline.now

    def schedule(self, at: int, callback: Callable[[], None]) -> Event:
        """Call back at tick `at`, unless the peripherals are reset before."""
        resets = self._resets

        def due() -> None:
            if self._resets == resets:
                callback()

        return self.timeline.schedule(at, due)

    def forget_scheduled(self) -> None:
        """The peripherals are reset: what they had planned does not happen."""
        self._resets += 1
        self.epoch = self.now

    def drive_irq(self, number: int, source: str, *, level: bool) -> None:
        """Raise or lower `source`'s part of interrupt `number`: who shares an id shares the line."""
        sources = self._irq_sources.setdefault(number, set())
        before = bool(sources)
        if level:
            sources.add(source)
        else:
            sources.discard(source)
        if self.irqs is not None and before != bool(sources):
            self.irqs.set_irq(number, bool(sources))
