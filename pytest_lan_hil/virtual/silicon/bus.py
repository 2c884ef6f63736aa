"""What the core can reach: memories and memory-mapped peripherals, and who is told when memory changes.

The bus knows nothing of Unicorn. The core maps the bus's memories (they share one buffer) and sends every
access to a peripheral page here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled, UnmodelledAccess

PAGE = 0x1000
PRIVATE_BUS = 0xE000_0000
"""From here on: the core's own peripherals (ARM DDI 0403E, B3.1)."""


class Peripheral(ABC):
    """A memory-mapped block.

    Attributes:
        name: As in the SVD.
        base, size: Byte address and extent; several blocks may share a 4 KiB page.
    """

    name: str
    base: int
    size: int

    @abstractmethod
    def read(self, offset: int, size: int) -> int:
        """Value at byte `offset`, `size` bytes wide (1, 2 or 4).

        Raises NotModelled for a register that this model doesn't have.
        """

    @abstractmethod
    def write(self, offset: int, value: int, size: int) -> None:
        """Store `value` at byte `offset`. Raises NotModelled for a register that this model doesn't have."""

    def reset(self) -> None:  # noqa: B027  a block without state needs no reset
        """Back to the state after a system reset."""


WriteHandler = Callable[[int, int, int], None]


class BusFault(Exception):
    """The bus answers an access with an error: nothing is there, or it can't be written."""


@dataclass(slots=True, eq=False)
class Memory:
    """A region of flash or RAM.

    Attributes:
        name: For messages.
        base, size: Byte address and extent, multiples of 4096.
        writable: False if the core's stores don't change it (flash).
        data: The content, shape (size,), uint8, shared with the emulator.
        may_write, on_write: For a read-only memory: may_write(address, size) says whether a store would be
            taken now (else it is a bus fault), on_write(address, value, size) takes it.
    """

    name: str
    base: int
    size: int
    writable: bool
    data: NDArray[np.uint8]
    may_write: Callable[[int, int], bool] | None = None
    on_write: WriteHandler | None = None

    @property
    def end(self) -> int:
        """First address behind the region."""
        return self.base + self.size

    def takes(self, address: int, size: int) -> bool:
        """True if a store of the core would be taken now."""
        return self.writable or (self.may_write is not None and self.may_write(address, size))

    def store(self, address: int, value: int, size: int) -> None:
        """A store of the core to a read-only memory that takes it."""
        if self.on_write is not None:
            self.on_write(address, value, size)


@dataclass(eq=False)
class Bus:
    """Memories and peripherals of one chip.

    Args:
        svd: Name inside pyOCD's SVD archive without ".svd" ("nrf52840", "STM32F41x"), for error messages.
    """

    svd: str = ""
    memories: list[Memory] = field(default_factory=list)
    peripherals: list[Peripheral] = field(default_factory=list)
    _pages: dict[int, list[Peripheral]] = field(default_factory=dict)
    _watchers: list[Callable[[int, int], None]] = field(default_factory=list)

    def add_memory(
        self,
        name: str,
        base: int,
        size: int,
        *,
        writable: bool,
        may_write: Callable[[int, int], bool] | None = None,
        on_write: WriteHandler | None = None,
    ) -> Memory:
        """Add flash or RAM, filled with zeros. Must happen before the core is made.

        Raises ValueError if the region isn't made of whole 4 KiB pages.
        """
        if base % PAGE or size % PAGE or size <= 0:
            raise ValueError(f"memory {name}: base 0x{base:x} and size 0x{size:x} must be whole 4 KiB pages")
        memory = Memory(name, base, size, writable, np.zeros(size, np.uint8), may_write, on_write)
        self.memories.append(memory)
        return memory

    def add_mirror(self, name: str, base: int, of: Memory) -> Memory:
        """The same cells at a second address. Must happen before the core is made."""
        shift = of.base - base
        memory = Memory(
            name,
            base,
            of.size,
            of.writable,
            of.data,
            lambda address, size: of.takes(address + shift, size),
            lambda address, value, size: of.store(address + shift, value, size),
        )
        self.memories.append(memory)
        return memory

    def add_peripheral(self, p: Peripheral) -> None:
        """Add a peripheral. Must happen before the core is made."""
        self.peripherals.append(p)
        for page in range(p.base // PAGE, (p.base + p.size - 1) // PAGE + 1):
            self._pages.setdefault(page, []).append(p)

    def peripheral_pages(self) -> list[int]:
        """Base addresses of all 4 KiB pages that hold a peripheral, rising."""
        return sorted(page * PAGE for page in self._pages)

    def peripheral_at(self, address: int) -> Peripheral | None:
        """The peripheral whose extent holds `address`."""
        for p in self._pages.get(address // PAGE, ()):
            if p.base <= address < p.base + p.size:
                return p
        return None

    def memory_at(self, address: int) -> Memory | None:
        """The memory that holds `address`."""
        for memory in self.memories:
            if 0 <= address - memory.base < memory.size:
                return memory
        return None

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes as a debugger or a DMA sees them. Raises ValueError outside memory."""
        memory = self._whole(address, size)
        start = address - memory.base
        return memory.data[start : start + size].tobytes()

    def write_memory(self, address: int, data: bytes) -> None:
        """Change memory from outside the core, flash included; translated code is forgotten.

        Raises ValueError outside memory.
        """
        memory = self._whole(address, len(data))
        start = address - memory.base
        memory.data[start : start + len(data)] = np.frombuffer(data, np.uint8)
        for watcher in self._watchers:
            watcher(address, len(data))

    def watch_writes(self, watcher: Callable[[int, int], None]) -> None:
        """Have `watcher(address, size)` called after every `write_memory`."""
        self._watchers.append(watcher)

    def read_register(self, address: int, size: int, *, pc: int | None) -> int:
        """Read a peripheral. `pc` is None for the debugger. Raises UnmodelledAccess."""
        p = self.peripheral_at(address)
        if p is None:
            raise UnmodelledAccess(address, pc=pc, write=None, size=size, part=self.svd)
        try:
            return p.read(address - p.base, size) & ((1 << 8 * size) - 1)
        except NotModelled as error:
            raise UnmodelledAccess(
                address, pc=pc, write=None, size=size, part=self.svd, detail=str(error)
            ) from None

    def write_register(self, address: int, value: int, size: int, *, pc: int | None) -> None:
        """Write a peripheral. `pc` is None for the debugger. Raises UnmodelledAccess."""
        p = self.peripheral_at(address)
        if p is None:
            raise UnmodelledAccess(address, pc=pc, write=value, size=size, part=self.svd)
        try:
            p.write(address - p.base, value, size)
        except NotModelled as error:
            raise UnmodelledAccess(
                address, pc=pc, write=value, size=size, part=self.svd, detail=str(error)
            ) from None

    # -- the debugger's accesses -------------------------------------------------------------------------

    def debug_read(self, address: int, size: int) -> int:
        """One access of the debugger.

        Raises:
            BusFault: Nothing is there.
            UnmodelledAccess: A register that the model lacks.
        """
        if self.memory_at(address) is not None:
            return int.from_bytes(self.read_memory(address, size), "little")
        self._require_known(address)
        return self.read_register(address, size, pc=None)

    def debug_write(self, address: int, value: int, size: int) -> None:
        """One access of the debugger; flash takes it only as its controller allows.

        Raises:
            BusFault: Nothing is there, or it can't be written.
            UnmodelledAccess: A register that the model lacks.
        """
        memory = self.memory_at(address)
        if memory is None:
            self._require_known(address)
            self.write_register(address, value, size, pc=None)
        elif not memory.takes(address, size):
            raise BusFault(f"0x{address:08x} can't be written now: the flash controller doesn't allow it")
        elif memory.writable:
            self.write_memory(address, value.to_bytes(size, "little"))
        else:
            memory.store(address, value, size)

    def holds_peripherals(self, address: int) -> bool:
        """True where an absent peripheral is a gap in the model rather than a hole in the map."""
        return 0x4000_0000 <= address < 0x6000_0000 or address >= PRIVATE_BUS

    def _require_known(self, address: int) -> None:
        if self.peripheral_at(address) is None and not self.holds_peripherals(address):
            raise BusFault(f"nothing is at 0x{address:08x}")

    def _whole(self, address: int, size: int) -> Memory:
        memory = self.memory_at(address)
        if memory is None or address + size > memory.end:
            raise ValueError(f"no memory at 0x{address:08x} to 0x{address + size:08x}")
        return memory
