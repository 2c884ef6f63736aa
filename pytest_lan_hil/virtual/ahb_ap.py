"""The AHB-AP: the access port through which a debugger reaches the memory map of a Cortex-M4.

Follows the Arm Debug Interface Architecture Specification v5.2 (ARM IHI 0031, chapter C2 "MEM-AP") and the
Cortex-M4 TRM (ARM 100166, "AHB-AP programmers model"). Debug port and chip stay outside.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Protocol

from pytest_lan_hil.virtual.silicon.bus import BusFault, Memory
from pytest_lan_hil.virtual.wire import TransferFault

IDR_VALUE = 0x2477_0011
BASE_VALUE = 0xE00F_F003  # ROM table at 0xE00FF000, entry present, ADIv5 format

CSW, TAR, DRW, BD0, BD3 = 0x00, 0x04, 0x0C, 0x10, 0x1C
CFG, BASE, IDR = 0xF4, 0xF8, 0xFC

_DEVICE_ENABLED = 1 << 6
# MasterType, HPROT[3:0], AddrInc, Size (Cortex-M4 TRM, AHB-AP CSW bit assignments)
_CSW_WRITABLE = 0x2F00_0037
_CSW_RESET = 0x0300_0002 | _DEVICE_ENABLED
_SIZE_WORD = 2
_INCREMENT_SINGLE, _INCREMENT_PACKED = 1, 2
# The address increments within 4 KiB: pyOCD's table of access ports, which cites the Cortex-M4 TRM.
_WRAP = 0x1000


class Core(Protocol):
    """The core's debug side."""

    def debug_read(self, address: int, size: int) -> int:
        """One aligned access of 1, 2 or 4 bytes. Raises BusFault."""
        ...

    def debug_write(self, address: int, value: int, size: int) -> None:
        """One aligned access of 1, 2 or 4 bytes. Raises BusFault."""
        ...


class Memories(Protocol):
    """Flash and RAM, for whole blocks."""

    def memory_at(self, address: int) -> Memory | None:
        """The memory that holds `address`."""
        ...

    def read_memory(self, address: int, size: int) -> bytes:
        """`size` bytes from `address`."""
        ...

    def write_memory(self, address: int, data: bytes) -> None:
        """Change memory from outside the core."""
        ...


class Chip(Protocol):
    """What the access port needs from the chip behind it."""

    @property
    def core(self) -> Core:
        """The CPU."""
        ...

    @property
    def bus(self) -> Memories:
        """The memories."""
        ...

    @property
    def protected(self) -> bool:
        """True while access port protection keeps this port shut."""
        ...


class AhbAp:
    """A MEM-AP on the AHB of `chip`.

    An access that the bus or the protection refuses raises TransferFault; one to a register that the virtual
    chip lacks raises UnmodelledAccess.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._csw = _CSW_RESET
        self._tar = 0

    def read(self, offset: int) -> int:
        """A register as the debugger reads it; unused ones read 0."""
        if offset == CSW:
            return self._csw & ~_DEVICE_ENABLED if self._chip.protected else self._csw
        if offset == TAR:
            return self._tar
        if offset == DRW:
            return self._transfer(None)
        if BD0 <= offset <= BD3:
            return self._access(self._tar & ~0xF | offset & 0xC, None, 4)
        return {IDR: IDR_VALUE, BASE: BASE_VALUE}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A register as the debugger writes it."""
        if offset == CSW:
            kept = value & _CSW_WRITABLE
            if kept & 0x7 > _SIZE_WORD:  # only 8, 16 and 32 bit exist
                kept = kept & ~0x7 | _SIZE_WORD
            self._csw = kept | _DEVICE_ENABLED
        elif offset == TAR:
            self._tar = value
        elif offset == DRW:
            self._transfer(value)
        elif BD0 <= offset <= BD3:
            self._access(self._tar & ~0xF | offset & 0xC, value, 4)

    def read_words(self, count: int) -> list[int]:
        """DRW read `count` times over."""
        memory = self._plain_block(count)
        if memory is None:
            return [self._transfer(None) for _ in range(count)]
        data = self._chip.bus.read_memory(self._tar, 4 * count)
        self._step(4 * count)
        return list(struct.unpack(f"<{count}I", data))

    def write_words(self, values: Sequence[int]) -> None:
        """DRW written with each of `values` in turn."""
        memory = self._plain_block(len(values))
        if memory is None or not memory.writable:  # a store to flash is the flash controller's business
            for value in values:
                self._transfer(value)
            return
        self._chip.bus.write_memory(self._tar, struct.pack(f"<{len(values)}I", *values))
        self._step(4 * len(values))

    def _plain_block(self, count: int) -> Memory | None:
        """The memory in which the next `count` transfers are consecutive words, or None."""
        self._require_open()
        memory = self._chip.bus.memory_at(self._tar)
        end = self._tar + 4 * count
        words = self._csw & 0x37 == _INCREMENT_SINGLE << 4 | _SIZE_WORD and self._tar % 4 == 0
        return memory if memory and words and end <= min(memory.end, (self._tar | _WRAP - 1) + 1) else None

    def _transfer(self, value: int | None) -> int:
        """One access through DRW: data on the byte lanes of the address, then TAR steps as CSW says."""
        size = 1 << (self._csw & 0x7)
        increment = self._csw >> 4 & 0x3
        result = 0
        for _ in range(4 // size if increment == _INCREMENT_PACKED else 1):
            lane = 8 * (self._tar & 3 & ~(size - 1))
            part = None if value is None else value >> lane & ((1 << 8 * size) - 1)
            result |= self._access(self._tar, part, size) << lane
            if increment:
                self._step(size)
        return result

    def _step(self, size: int) -> None:
        self._tar = self._tar & ~(_WRAP - 1) | (self._tar + size) & (_WRAP - 1)

    def _require_open(self) -> None:
        if self._chip.protected:
            raise TransferFault("the chip is protected: APPROTECT keeps the AHB-AP shut")

    def _access(self, address: int, value: int | None, size: int) -> int:
        self._require_open()
        try:
            if value is None:
                return self._chip.core.debug_read(address & ~(size - 1), size)
            self._chip.core.debug_write(address & ~(size - 1), value, size)
        except BusFault as error:
            raise TransferFault(str(error)) from error
        return 0
