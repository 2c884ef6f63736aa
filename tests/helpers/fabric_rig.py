"""A fabric without a core: peripherals driven by hand on a real timeline."""

from __future__ import annotations

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import RAM_START, TICK_HZ, Fabric
from pytest_lan_hil.virtual.silicon.timeline import Timeline


class Ram:
    """RAM, flash and UICR as plain bytes."""

    def __init__(self) -> None:
        self.content: dict[int, int] = {}

    def read_memory(self, address: int, size: int) -> bytes:
        blank = 0 if address >= RAM_START else 0xFF
        return bytes(self.content.get(address + k, blank) for k in range(size))

    def write_memory(self, address: int, data: bytes) -> None:
        for k, byte in enumerate(data):
            self.content[address + k] = byte


class Irqs:
    """Interrupt lines as the core would see them, and how often each rose."""

    def __init__(self) -> None:
        self.levels: dict[int, bool] = {}
        self.rises: dict[int, int] = {}

    def set_irq(self, number: int, level: bool) -> None:
        if level and not self.levels.get(number):
            self.rises[number] = self.rises.get(number, 0) + 1
        self.levels[number] = level


class Rig:
    """Timeline, fabric, memory and interrupt lines."""

    def __init__(self) -> None:
        self.timeline = Timeline(TICK_HZ)
        self.memory = Ram()
        self.fabric = Fabric(self.timeline, self.memory)
        self.irqs = Irqs()
        self.fabric.irqs = self.irqs

    @property
    def now(self) -> int:
        return self.timeline.now

    def run(self, ticks: int) -> None:
        """Let `ticks` pass, running what is due."""
        target = self.now + ticks
        while (at := self.timeline.next_at()) is not None and at <= target:
            self.timeline.advance_to(at)
            self.timeline.run_due()
        self.timeline.advance_to(target)
