"""The table of blocks that the compiled hook reads: from code bytes to records in one int64 buffer.

A block's record is made when the block is first met, by decoding it once; after that the hook charges it
without Python. Loads whose address lay in flash when their block was first met count as reads of flash from
then on. What they cost can change at run time: with the data cache on, a read is taken for one of a walk
through a table or of a literal that is shared, and pays its share of its line; with it off, all wait states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import cycles
from pytest_lan_hil.virtual.silicon.cycles import BlockTiming

_PAGE_SHIFT = 10


@dataclass(frozen=True, slots=True)
class FlashTiming:
    """How long the core waits for its flash.

    Attributes:
        base, size: Byte address and extent.
        wait_states: Cycles that a fetch from flash takes on top, cache off or missed.
        width_log2: log2 of the bytes that one flash access delivers (cache off).
        line_log2: log2 of the bytes of a cache line.
        ways, sets: Geometry of the instruction cache; ways * sets lines.
    """

    base: int
    size: int
    wait_states: int
    width_log2: int
    line_log2: int
    ways: int
    sets: int


@dataclass(frozen=True, slots=True)
class FlashSetting:
    """What can change while the core runs.

    Attributes:
        wait_states: As in `FlashTiming`.
        instruction_cache, data_cache, prefetch: Switched on.
    """

    wait_states: int
    instruction_cache: bool = False
    data_cache: bool = False
    prefetch: bool = False


class BlockTable:
    """Records of blocks, and the scalars that the hook and the core share.

    Args:
        flash: Timing of the flash.

    Attributes:
        state: shape (WORDS,), int64: the buffer, laid out as `blockhook` says.
        before_clear: Called before all records go.
    """

    def __init__(self, flash: FlashTiming) -> None:
        self.state = np.zeros(h.WORDS, np.int64)
        self._flash = flash
        self.before_clear: Callable[[], None] | None = None
        self._timings: list[BlockTiming] = []
        self._index: dict[int, int] = {}
        self._pages: dict[int, set[int]] = {}
        s = self.state
        s[h.BLOCK] = -1
        s[h.FLASH_BASE], s[h.FLASH_END] = flash.base, flash.base + flash.size
        s[h.CACHE_WAYS], s[h.CACHE_SETS] = flash.ways, flash.sets
        self.cache_off()

    # -- flash and cache ---------------------------------------------------------------------------------

    def cache_off(self) -> None:
        """Every fetch from flash waits; the cache forgets everything."""
        self.set_flash(FlashSetting(self._flash.wait_states))
        self.invalidate_cache()

    def cache_on(self) -> None:
        """Only misses wait."""
        self.set_flash(FlashSetting(self._flash.wait_states, instruction_cache=True))
        self.invalidate_cache()

    def set_flash(self, setting: FlashSetting) -> None:
        """Change wait states, prefetch and caches; lines that are held stay."""
        s, flash, wait = self.state, self._flash, setting.wait_states
        s[h.FLASH_MODE] = 0 if not wait else 2 if setting.instruction_cache else 1
        s[h.FLASH_SHIFT] = flash.line_log2 if setting.instruction_cache else flash.width_log2
        # A line is filled by as many accesses as it takes, the first of them with all its wait states.
        fills = 1 << (flash.line_log2 - flash.width_log2)
        s[h.FLASH_WAIT] = wait * fills if setting.instruction_cache else wait
        s[h.FLASH_NEXT] = wait
        s[h.FLASH_DATA] = wait
        s[h.DATA_CACHE], s[h.PREFETCH] = int(setting.data_cache), int(setting.prefetch)

    def invalidate_cache(self) -> None:
        """No line is held."""
        self.state[h.CACHE : h.CACHE_HINTS] = 0
        self.state[h.CACHE_HINTS : h.CODE_PAGES] = h.CACHE
        self.state[h.CACHE_CLOCK] = 0
        self.state[h.LAST_LINE] = -1

    # -- records -----------------------------------------------------------------------------------------

    def timing(self) -> BlockTiming | None:
        """The block that the core is in; None after a jump that no branch made."""
        block = int(self.state[h.BLOCK])
        return self._timings[block] if block >= 0 else None

    def at(self, address: int) -> BlockTiming:
        """The block at an address. Raises KeyError if it was never met."""
        return self._timings[self._index[address]]

    def add(
        self,
        code: bytes,
        address: int,
        *,
        registers: Callable[[], list[int]],
        fetch_flags: int,
    ) -> None:
        """Make the record of the block at `address`, or make it anew.

        Args:
            code: Its bytes.
            address: Of its first instruction.
            registers: r0 to r15 as they are before it runs, if they are needed.
            fetch_flags: Which privileges may fetch it (FLAG_FETCH_*).
        """
        timing = cycles.analyse(code, address)
        if timing.memory_ops:
            self._find_flash_reads(timing, registers())
        index = self._index.get(address)
        if index is None:
            if len(self._timings) >= h.MAX_BLOCKS:
                self.clear()
            index = len(self._timings)
            self._index[address] = index
            self._timings.append(timing)
            self._insert(address, index)
        else:
            self._timings[index] = timing
        for page in range(address >> _PAGE_SHIFT, ((address + len(code) - 1) >> _PAGE_SHIFT) + 1):
            self._pages.setdefault(page, set()).add(index)
        at = h.RECORDS + index * h.RECORD
        self.state[at : at + h.RECORD] = self._record(timing, fetch_flags)

    def _find_flash_reads(self, timing: BlockTiming, registers: list[int]) -> None:
        flash = self._flash
        reads: dict[int, int] = {}
        for op in timing.memory_ops:
            where = op.operand.address(registers, op.pc)
            if not op.write and flash.base <= where < flash.base + flash.size:
                reads[op.pc] = max(op.size >> flash.width_log2, 1)
                timing.flash_bytes += op.size
        if reads:
            for pc in timing.before:  # in order of execution
                timing.flash_reads_before[pc] = timing.flash_reads
                timing.flash_reads += reads.get(pc, 0)

    def cycles_before(self, timing: BlockTiming, pc: int) -> int | None:
        """Number of the block's cycles that precede its instruction at `pc`; None if there is none."""
        before = timing.before.get(pc)
        if before is None or not timing.flash_reads:
            return before
        reads = timing.flash_reads_before[pc]
        if not reads:
            return before
        if self.state[h.DATA_CACHE]:
            wait = int(self.state[h.FLASH_DATA]) * timing.flash_bytes * reads // timing.flash_reads
            return before + (wait >> self._flash.line_log2)
        return before + int(self.state[h.FLASH_DATA]) * reads

    @staticmethod
    def _record(timing: BlockTiming, fetch_flags: int) -> list[int]:
        head, tail = timing.head, timing.tail
        record = [0] * h.RECORD
        record[h.R_ADDRESS], record[h.R_SIZE] = timing.address, timing.size
        record[h.R_COST], record[h.R_TAKEN] = timing.cost, timing.taken
        record[h.R_FLAGS] = timing.flags | fetch_flags
        record[h.R_MISALIGNED] = timing.head_misaligned
        if head is not None:
            record[h.R_HEAD_GAIN] = cycles.pipeline_gain(head)
            record[h.R_HEAD_ADDRESS] = cycles.address_use(head)
            record[h.R_HEAD_FP] = cycles.early_use(head)
            record[h.R_HEAD_IT] = int(head.name == "it")
        if tail is not None:
            record[h.R_TAIL_LOAD] = int(cycles.is_load(tail))
            record[h.R_TAIL_LOAD_WRITES] = tail.writes
            record[h.R_TAIL_DATA] = cycles.address_source(tail)
            record[h.R_TAIL_FP] = cycles.late_result(tail)
            record[h.R_TAIL_NARROW] = int(tail.size == 2 and tail.name != "it")
        record[h.R_FLASH_READS] = timing.flash_reads
        record[h.R_FLASH_BYTES] = timing.flash_bytes
        record[h.R_FP_OFFSET], record[h.R_FP_BUSY] = timing.fp_offset, timing.fp_busy
        return record

    def _insert(self, address: int, index: int) -> None:
        s = self.state
        slot = ((address >> 1) * 40503) & (h.HASH_SIZE - 1)
        while s[h.HASH + slot]:
            slot = (slot + 1) & (h.HASH_SIZE - 1)
        s[h.HASH + slot] = (address << 24) + index + 1

    def forget(self, address: int, size: int) -> bool:
        """Memory changed: blocks there are decoded anew. Returns True if there were any."""
        found = False
        for page in range(address >> _PAGE_SHIFT, ((address + max(size, 1) - 1) >> _PAGE_SHIFT) + 1):
            for index in self._pages.pop(page, ()):
                self.state[h.RECORDS + index * h.RECORD + h.R_SIZE] = 0
                found = True
        return found

    def clear(self) -> None:
        """Forget every block."""
        if self.before_clear is not None:
            self.before_clear()
        self._timings.clear()
        self._index.clear()
        self._pages.clear()
        self.state[h.HASH : h.HASH + h.HASH_SIZE] = 0
        self.state[h.BLOCK] = -1
