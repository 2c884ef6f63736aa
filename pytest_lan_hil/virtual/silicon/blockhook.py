"""The compiled block hook: charges each block's cycles before it runs and stops the core where it must.

Unicorn calls it at the start of every translated block, with the state buffer as user data. Everything it
needs lives in that one int64 buffer: scalars, a hash table from block address to record, the records, and
the instruction cache. Python fills records (`core.py`); the hook only reads them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm
from numba import carray, cfunc, njit, types

# Scalars
CYCLES = 0  # cycles up to the end of the current block, as charged
DEADLINE = 1  # stop before a block that starts at this cycle or later
BLOCK_BASE = 2  # cycles at the first instruction of the current block
BLOCK = 3  # record of the current block, -1 after a jump that no branch made
REASON = 4  # why the hook stopped, see STOP_*
SETTLED = 5  # 1: the edge into the next block has been charged already, the stop there was handled
STOP_ADDRESS = 6  # of the block it stopped at
STOP_SIZE = 7
# Flags of instructions after which to look again: FLAG_UNMASK while an exception is pending but masked,
# FLAG_PRIVILEGE while memory rights differ by privilege.
PENDING = 8
FP_TRAP = 9  # 1: stop before a block that uses floating point (lazy stacking, CPACR)
FETCH_BIT = 10  # flag that a block needs to be fetched at the present privilege, 0 while the MPU is off
FP_BUSY = 11  # cycles for which VDIV or VSQRT still holds the unit
ICACHE_HITS = 12
ICACHE_MISSES = 13
FLASH_BASE = 14
FLASH_END = 15
FLASH_SHIFT = 16  # log2 of the line (cache on) or of the flash interface's width (cache off)
FLASH_MODE = 17  # 0: no wait states, 1: cache off, 2: cache on
FLASH_WAIT = 18  # cycles of the first fetch after a jump, or of a cache miss
FLASH_NEXT = 19  # cycles of each sequential fetch (cache off)
CACHE_WAYS = 20
CACHE_SETS = 21
CACHE_CLOCK = 22
LAST_LINE = 23  # line that the previous block ended in
BLOCKS_RUN = 24
FLASH_DATA = 25  # cycles that a read of data from flash waits
DATA_CACHE = 26  # 1: data reads pay only their share of a line
BREAKS = 27  # number of breakpoint addresses in BREAK_LIST
ACCESS_HIT = 28  # careful mode: 1 after the access hook found something
INTERRUPT = 29  # exception number of Unicorn's interrupt hook
EVENT = 30  # the event register (WFE, SEV)
PREFETCH = 31  # 1: the line behind the one that runs is fetched meanwhile
BREAK_LIST = 32
MAX_BREAKS = 16  # six FPB comparators of two halfwords each, four of the DWT
DATA_OWED = BREAK_LIST + MAX_BREAKS  # bytes times wait states that make no whole cycle yet
SCALARS = DATA_OWED + 1

# Hash table: (address << 24) + record + 1, open addressing
HASH = SCALARS
HASH_BITS = 16
HASH_SIZE = 1 << HASH_BITS

# Records
RECORDS = HASH + HASH_SIZE
MAX_BLOCKS = 24_576
R_ADDRESS, R_SIZE, R_COST, R_TAKEN, R_FLAGS, R_MISALIGNED = 0, 1, 2, 3, 4, 5
R_HEAD_GAIN, R_HEAD_ADDRESS, R_HEAD_FP, R_HEAD_IT = 6, 7, 8, 9
R_TAIL_LOAD, R_TAIL_LOAD_WRITES, R_TAIL_DATA, R_TAIL_FP, R_TAIL_NARROW = 10, 11, 12, 13, 14
R_FP_OFFSET, R_FP_BUSY = 15, 16
R_FLASH_READS, R_FLASH_BYTES = 17, 18
RECORD = 19

# Instruction cache: tag and time of use per slot (set-associative, least recently used goes)
CACHE = RECORDS + MAX_BLOCKS * RECORD
MAX_SLOTS = 1024
# Where a line was found last, by its lowest bits: spares looking through the ways.
CACHE_HINTS = CACHE + 2 * MAX_SLOTS
HINTS = 1024
# A bit for each page of 1 KiB from which code was ever fetched
CODE_PAGES = CACHE_HINTS + HINTS
# Books of the cycles (`cyclecount`), kept by the counting hook alone: until which cycle they are written,
# which record pays for the cycles since, and the cycles of each record; the last is for code without one.
COUNT_MARK = CODE_PAGES + (1 << 32 - 10 - 6)
COUNT_BLOCK = COUNT_MARK + 1
COUNTS = COUNT_BLOCK + 1
WORDS = COUNTS + MAX_BLOCKS + 1
# An index that is masked with it is seen not to be negative: compiled code need not look whether it counts
# from the end.
_INSIDE = (1 << 40) - 1

FLAG_FP = 1
FLAG_UNMASK = 2
FLAG_SLEEP = 4
FLAG_FETCH_PRIVILEGED = 8
FLAG_FETCH_UNPRIVILEGED = 16
FLAG_EVENT = 32
FLAG_PRIVILEGE = 64

STOP_NONE = 0
STOP_NEW_BLOCK = 1
STOP_DEADLINE = 2
STOP_UNMASKED = 3
STOP_FP = 4
STOP_FETCH = 5
STOP_INTERRUPT = 6
STOP_BREAK = 7
STOP_ACCESS = 8

_FETCH = 18  # UC_MEM_FETCH
_READ_WRITE, _EXECUTE = 3, 4  # UC_PROT_*

_emu_stop = types.ExternalFunction("uc_emu_stop", types.int32(types.voidptr))


@njit  # type: ignore[untyped-decorator]
def _find(s: Any, address: int) -> int:
    slot = ((address >> 1) * 40503) & (HASH_SIZE - 1)
    while True:
        entry = s[HASH + slot]
        if entry == 0:
            return -1
        if entry >> 24 == address:
            return int((entry & 0xFFFFFF) - 1)
        slot = (slot + 1) & (HASH_SIZE - 1)


@njit  # type: ignore[untyped-decorator]
def _flash_cycles(s: Any, address: int, size: int, sequential: int, cost: int) -> int:
    shift = s[FLASH_SHIFT]
    line = (address - s[FLASH_BASE]) >> shift
    last = (address + size - 1 - s[FLASH_BASE]) >> shift
    if sequential and line == s[LAST_LINE]:
        line += 1
    s[LAST_LINE] = last
    cycles = 0
    if s[FLASH_MODE] == 1:
        ahead = _ahead(s, size, cost)
        while line <= last:
            cycles += max(s[FLASH_NEXT] - ahead, 0) if sequential else s[FLASH_WAIT]
            sequential = 1
            line += 1
        return cycles
    clock = s[CACHE_CLOCK]
    s[CACHE_CLOCK] = clock + max(last - line + 1, 0)
    s[ICACHE_HITS] += max(last - line + 1, 0)
    while line <= last:
        clock += 1
        at = s[CACHE_HINTS + (line & (HINTS - 1))] & _INSIDE
        if s[at] == line + 1:
            s[at + 1] = clock
        elif not _held(s, line, clock):
            wait = s[FLASH_WAIT]
            cycles += max(wait - _ahead(s, size, cost), 0) if sequential else wait
        sequential = 1
        line += 1
    return cycles


@njit  # type: ignore[untyped-decorator]
def _ahead(s: Any, size: int, cost: int) -> int:
    """Cycles of a sequential fetch that prefetch covers: the next line is read while this one runs."""
    return max((cost << s[FLASH_SHIFT]) // size - 1, 0) if s[PREFETCH] else 0


@njit  # type: ignore[untyped-decorator]
def _held(s: Any, line: int, clock: int) -> bool:
    """Look through all ways; a line that is not held takes the place of the least recently used."""
    ways = s[CACHE_WAYS]
    first = CACHE + 2 * (line % s[CACHE_SETS]) * ways
    found = oldest = first
    held = False
    for way in range(ways):
        at = first + 2 * way
        if s[at] == line + 1:
            found, held = at, True
            break
        if s[at + 1] < s[oldest + 1]:
            oldest = at
    if not held:
        found = oldest
        s[found] = line + 1
        s[ICACHE_HITS] -= 1
        s[ICACHE_MISSES] += 1
    s[found + 1] = clock
    s[CACHE_HINTS + (line & (HINTS - 1))] = found
    return held


@njit  # type: ignore[untyped-decorator]
def _data_cycles(s: Any, r: int) -> int:
    """What the block's loads from flash wait."""
    if not s[DATA_CACHE]:
        return int(s[r + R_FLASH_READS] * s[FLASH_DATA])
    owed = s[DATA_OWED] + s[r + R_FLASH_BYTES] * s[FLASH_DATA]
    s[DATA_OWED] = owed & 15  # lines of 16 bytes
    return int(owed >> 4)


@njit  # type: ignore[untyped-decorator]
def _edge(s: Any, before: int, after: int) -> int:
    """Cycles that straight-line neighbours gain or lose: the compiled form of `cycles.pair`."""
    change = 0
    if (
        s[after + R_HEAD_GAIN]
        and s[before + R_TAIL_LOAD]
        and not s[before + R_TAIL_LOAD_WRITES] & s[after + R_HEAD_ADDRESS]
    ):
        change -= 1
    if s[before + R_TAIL_DATA] & s[after + R_HEAD_ADDRESS]:
        change += 1
    if s[before + R_TAIL_FP] & s[after + R_HEAD_FP]:
        change += 1
    if s[after + R_HEAD_IT] and s[before + R_TAIL_NARROW]:
        change -= 1
    return change


@njit  # type: ignore[untyped-decorator]
def enter_block(s: Any, address: int, size: int) -> int:
    """Charge the block at `address`, or return why the core must stop before it (STOP_*)."""
    block = _find(s, address)
    r = (RECORDS + block * RECORD) & _INSIDE
    if block < 0 or s[r + R_SIZE] != size:
        return STOP_NEW_BLOCK
    cycles = s[CYCLES]
    p = -1
    sequential = 0
    if s[BLOCK] >= 0:
        p = (RECORDS + s[BLOCK] * RECORD) & _INSIDE
        sequential = int(s[p + R_ADDRESS] + s[p + R_SIZE] == address)
    settled = s[SETTLED]
    if not settled:
        if p >= 0 and not sequential:
            cycles += s[p + R_TAKEN] + s[r + R_MISALIGNED]
        if p >= 0 and s[p + R_FLAGS] & s[PENDING]:
            s[CYCLES] = cycles
            s[SETTLED] = 1
            return STOP_UNMASKED
    if cycles >= s[DEADLINE]:
        s[CYCLES] = cycles
        s[SETTLED] = 1
        return STOP_DEADLINE
    for n in range(s[BREAKS]):
        if address <= s[BREAK_LIST + n] < address + size:
            s[CYCLES] = cycles
            s[SETTLED] = 1
            return STOP_BREAK
    flags = s[r + R_FLAGS]
    if s[FETCH_BIT] and not flags & s[FETCH_BIT]:
        s[CYCLES] = cycles
        s[SETTLED] = 1
        return STOP_FETCH
    if s[FP_TRAP] and flags & FLAG_FP:
        s[CYCLES] = cycles
        s[SETTLED] = 1
        return STOP_FP
    cost = s[r + R_COST]
    if s[r + R_FLASH_READS] and s[FLASH_DATA]:
        cost += _data_cycles(s, r)
    edge = _edge(s, p, r) if sequential else 0
    extra = edge
    busy = s[FP_BUSY]
    offset = s[r + R_FP_OFFSET]
    if offset >= 0:
        # The edge changes the first instruction's cycles: they pass before another one, not before itself.
        extra += max(0, busy - (offset + edge if offset else 0))
        s[FP_BUSY] = s[r + R_FP_BUSY]
    elif busy > 0:
        s[FP_BUSY] = max(0, busy - cost - edge)
    if s[FLASH_MODE] and s[FLASH_BASE] <= address < s[FLASH_END]:
        extra += _flash_cycles(s, address, size, sequential, cost)
    s[BLOCK_BASE] = cycles + extra
    s[CYCLES] = cycles + extra + cost
    s[BLOCK] = block
    s[SETTLED] = 0
    if flags & FLAG_EVENT:
        s[EVENT] = 1
    s[BLOCKS_RUN] += 1
    return STOP_NONE


def _block(uc: Any, address: int, size: int, data: Any) -> None:
    s = carray(data, (WORDS,), types.int64)
    reason = enter_block(s, types.int64(address), types.int64(size))
    if reason != STOP_NONE:
        s[REASON] = reason
        s[STOP_ADDRESS] = address
        s[STOP_SIZE] = size
        _emu_stop(uc)


@njit  # type: ignore[untyped-decorator]
def counted_block(s: Any, address: int, size: int) -> int:
    """As `enter_block`; the cycles up to where the block begins are put down to the one before."""
    before, settled, now = s[BLOCK], s[SETTLED], s[CYCLES]
    reason = int(enter_block(s, address, size))
    if reason != STOP_NONE:
        return reason
    if before >= 0 and not settled:
        p, r = RECORDS + before * RECORD, RECORDS + s[BLOCK] * RECORD
        if s[p + R_ADDRESS] + s[p + R_SIZE] != address:
            now += s[p + R_TAKEN] + s[r + R_MISALIGNED]
    s[COUNTS + s[COUNT_BLOCK]] += now - s[COUNT_MARK]
    s[COUNT_MARK] = now
    s[COUNT_BLOCK] = s[BLOCK]
    return STOP_NONE


def _counting_block(uc: Any, address: int, size: int, data: Any) -> None:
    s = carray(data, (WORDS,), types.int64)
    reason = counted_block(s, types.int64(address), types.int64(size))
    if reason != STOP_NONE:
        s[REASON] = reason
        s[STOP_ADDRESS] = address
        s[STOP_SIZE] = size
        _emu_stop(uc)


def _instruction(uc: Any, address: int, size: int, data: Any) -> None:  # noqa: ARG001 - Unicorn's signature
    s = carray(data, (SCALARS,), types.int64)
    if s[REASON] == STOP_NONE and s[ACCESS_HIT] != 0:
        s[REASON] = STOP_ACCESS
        s[STOP_ADDRESS] = types.int64(address)
    if s[REASON] != STOP_NONE:
        _emu_stop(uc)


def _interrupt(uc: Any, number: int, data: Any) -> None:
    s = carray(data, (SCALARS,), types.int64)
    s[INTERRUPT] = number
    s[REASON] = STOP_INTERRUPT
    _emu_stop(uc)


def _page(uc: Any, address: int, access: int, entry: Any, data: Any) -> bool:  # noqa: ARG001
    """The engine meets a page that its own cache of pages (TLB) lacks: it lies where its address says.

    Only where a page can't be executed does the engine store at full speed; else it looks at every store,
    lest it changes translated code. So a page is executable from the first fetch on. Whether an access is
    allowed is not decided here, but by the memory's rights.
    """
    s = carray(data, (WORDS,), types.int64)
    found = carray(entry, (2,), types.int64)
    word, bit = CODE_PAGES + types.int64(address >> 16), 1 << types.int64(address >> 10 & 63)
    if access == _FETCH:
        s[word] |= bit
    found[0] = address
    found[1] = _READ_WRITE | (_EXECUTE if s[word] & bit else 0)
    return True


@lru_cache(maxsize=1)
def compiled(emu_stop: int) -> dict[str, Any]:
    """The hooks as native code, with `emu_stop` the address of uc_emu_stop. Cached on disk by numba.

    Returns numba cfunc objects; `.address` is what uc_hook_add takes.
    """
    llvm.add_symbol("uc_emu_stop", emu_stop)
    code = types.void(types.voidptr, types.uint64, types.uint32, types.voidptr)
    interrupt = types.void(types.voidptr, types.uint32, types.voidptr)
    page = types.boolean(types.voidptr, types.uint64, types.int32, types.voidptr, types.voidptr)
    wrap: Callable[..., Any] = cfunc
    return {
        "block": wrap(code, cache=True)(_block),
        "instruction": wrap(code, cache=True)(_instruction),
        "interrupt": wrap(interrupt, cache=True)(_interrupt),
        "page": wrap(page, cache=True)(_page),
    }


@lru_cache(maxsize=1)
def compiled_counting(emu_stop: int) -> Any:
    """The block hook that counts, as `compiled`; not before somebody counts."""
    llvm.add_symbol("uc_emu_stop", emu_stop)
    code = types.void(types.voidptr, types.uint64, types.uint32, types.voidptr)
    return cfunc(code, cache=True)(_counting_block)


def address_of(function: Any) -> int:
    """Address of a ctypes function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0
