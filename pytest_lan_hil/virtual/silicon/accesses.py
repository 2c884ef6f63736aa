"""What the running code reads and writes outside of plain memory: peripherals, and stores to flash.

Called back in the middle of a block. Each access happens at its exact cycle, after everything that was due
before it. An error that only software running without privilege can cause is delivered late, as an imprecise
bus fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon.blocks import BlockTable
from pytest_lan_hil.virtual.silicon.bus import PRIVATE_BUS, Bus
from pytest_lan_hil.virtual.silicon.coreclock import CoreClock
from pytest_lan_hil.virtual.silicon.timeline import Timeline


class Accesses:
    """Serves the engine's callbacks.

    Args:
        bus, timeline, blocks, clock: Of the core.
        pc: Address of the instruction that makes the access.
        privileged: Its privilege.

    Attributes:
        imprecise_fault: An access failed after its instruction was done.
    """

    def __init__(
        self,
        bus: Bus,
        timeline: Timeline,
        blocks: BlockTable,
        clock: CoreClock,
        *,
        pc: Callable[[], int],
        privileged: Callable[[], bool],
    ) -> None:
        self._bus, self._timeline, self._blocks, self._clock = bus, timeline, blocks, clock
        self._pc, self._privileged = pc, privileged
        self._stores: list[tuple[int, bytes]] = []  # what stores to flash must leave behind
        self.imprecise_fault = False

    def reset(self) -> None:
        """Nothing is pending."""
        self._stores.clear()
        self.imprecise_fault = False

    @contextmanager
    def _at_its_cycle(self) -> Iterator[int]:
        """Set the time to that of the access; gives the instruction's address."""
        pc = self._pc()
        clock, timing = self._clock, self._blocks.timing()
        before = timing.before.get(pc, 0) if timing is not None else 0
        clock.access_cycle = int(self._blocks.state[h.BLOCK_BASE]) + before
        try:
            due = self._timeline.next_at()
            if due is not None and due <= clock.tick():
                self._timeline.run_due()
            yield pc
        finally:
            clock.access_cycle = None

    def _refused(self, address: int) -> bool:
        if address < PRIVATE_BUS or self._privileged():
            return False
        self._fail_late()
        return True

    def _fail_late(self) -> None:
        self.imprecise_fault = True
        self._clock.attention()

    def read(self, address: int, size: int) -> int:
        """A load from a peripheral page."""
        with self._at_its_cycle() as pc:
            return 0 if self._refused(address) else self._bus.read_register(address, size, pc=pc)

    def write(self, address: int, size: int, value: int) -> None:
        """A store to a peripheral page."""
        with self._at_its_cycle() as pc:
            if not self._refused(address):
                self._bus.write_register(address, value, size, pc=pc)

    def store(self, address: int, size: int, value: int) -> None:
        """A store to flash, about to happen: take it as the flash controller does."""
        memory = self._bus.memory_at(address)
        assert memory is not None
        with self._at_its_cycle():
            if memory.takes(address, size):
                memory.store(address, value, size)
            else:
                self._fail_late()
            kept = self._bus.read_memory(address, size)
        if kept != value.to_bytes(size, "little"):
            self._stores.append((address, kept))
            self._clock.attention()

    def leave_stores(self) -> None:
        """Put right what the engine stored as it stood."""
        for address, content in self._stores:
            self._bus.write_memory(address, content)
        self._stores.clear()
