"""How much RAM the firmware really takes: static RAM, stack and heap, read from the DUT through the probe.

Stack and heap are measured by paint: start-up fills them with a pattern, and what is not the pattern any more
was used. A heap that grows by `_sbrk` tells by its break instead, which an allocator may have drawn back.
What can't be told is an error, never a guess: a number that leaves the heap out would pass a budget that the
firmware breaks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pytest_lan_hil.config import Board
from pytest_lan_hil.dut.elf import SRAM_START, SRAM_STOP
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.model.errors import CapabilityMissing, DutError, ImageError, MeasurementInvalid

PAINT = 0xA5A5_A5A5
"""The word that start-up paints stack and heap with."""

GUARD_SYMBOL = "__stack_guard"
KB = 1024

# Variables that hold the break, and symbols of the address that it started from: STM32Cube's sysmem.c; the
# _sbrk of newlib's libnosys and of countless syscalls.c (its variable is local, hence the number); picolibc.
_BREAKS = (
    (re.compile(r"__sbrk_heap_end(\.\d+)?"), ("_end", "end", "__end__")),
    (re.compile(r"heap_end(\.\d+)?"), ("_end", "end", "__end__", "__HeapBase")),
    (re.compile(r"brk"), ("__heap_start",)),
)
_BOUNDS = (("__heap_start", "__heap_end"), ("__HeapBase", "__HeapLimit"))
_ALLOCATORS = ("malloc", "_malloc_r", "sbrk", "_sbrk", "_sbrk_r")
_HOW_TO_PAINT = (
    f"fill it with the word 0x{PAINT:08X} in the reset handler, before the stack pointer is set"
    " (firmware/cortex_m4/startup.c shows how)"
)

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class StackUse:
    """Main stack: bytes ever used, bytes reserved for it, bytes of guard below it (static RAM)."""

    used: int
    reserved: int
    guard: int = 0


@dataclass(frozen=True, slots=True)
class HeapUse:
    """Heap: bytes used, and how that was found out ("the image has none")."""

    used: int
    how: str


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """RAM that a firmware takes, in bytes."""

    static: int
    stack: StackUse
    heap: HeapUse

    @property
    def total(self) -> int:
        """Static RAM plus what stack and heap ever used."""
        return self.static + self.stack.used + self.heap.used

    @property
    def notes(self) -> tuple[str, ...]:
        """The parts, for the reader of the sum."""
        guard = f" ({self.stack.guard} of them stack guard)" if self.stack.guard else ""
        return (
            f"{self.static} bytes static{guard}",
            f"{self.stack.used} of {self.stack.reserved} bytes of stack used at most",
            f"{self.heap.used} bytes of heap: {self.heap.how}",
        )


def memory_use(image: FirmwareImage, read: Read) -> MemoryUse:
    """Static RAM of the image, and stack and heap of the DUT that it runs on.

    Args:
        image: What runs.
        read: `read(address, size)` of the DUT's memory.

    Raises:
        ImageError: The image does not say where its stack is, or has no sections.
        DutError: The stack is full, or ran into its guard.
        MeasurementInvalid: The stack is not painted, or the heap can't be told.
    """
    return MemoryUse(image.static_ram_bytes, stack_use(image, read), heap_use(image, read))


def stack_use(image: FirmwareImage, read: Read) -> StackUse:
    """The main stack's high-water mark; arguments and errors as for `memory_use`."""
    if image.stack is None:
        raise ImageError(
            "measuring the stack: the image does not say where it is",
            fix="use an ELF whose linker script defines __stack_bottom and __stack_top (or __StackLimit and"
            " __StackTop, or _estack and _Min_Stack_Size)",
        )
    bottom, top = image.stack
    if not SRAM_START <= bottom < top <= SRAM_STOP:
        raise ImageError(
            f"measuring the stack: the image says it is 0x{bottom:08x} to 0x{top:08x}, which is no RAM",
            fix="correct the stack's symbols in the linker script",
        )
    guard_start = image.symbols.get(GUARD_SYMBOL, bottom)
    guard = bottom - guard_start if 0 < bottom - guard_start <= top - bottom else 0
    below = read(bottom - guard, guard)
    _check_guard(below, bottom - guard)
    memory = read(bottom, top - bottom)
    untouched = _painted_from_bottom(memory)
    if not untouched:
        raise _nothing_left(below + memory, bottom, top)
    return StackUse(len(memory) - untouched, len(memory), guard)


def heap_use(image: FirmwareImage, read: Read) -> HeapUse:
    """What the heap took; arguments and errors as for `memory_use`."""
    found = _break_of(image)
    if found is not None:
        return _by_break(*found, read)
    bounds = next(
        (
            (start, stop)
            for start, stop in ((image.symbols.get(a), image.symbols.get(b)) for a, b in _BOUNDS)
            if start is not None and stop is not None and SRAM_START <= start < stop <= SRAM_STOP
        ),
        None,
    )
    allocators = [name for name in _ALLOCATORS if name in image.symbols]
    if bounds is not None:
        start, stop = bounds
        memory = read(start, stop - start)
        if PAINT.to_bytes(4, "little") in memory:
            used = len(memory) - _painted_from_bottom(_words_reversed(memory))
            return HeapUse(used, f"high-water mark of the {len(memory)} bytes that are painted for it")
    if not allocators:
        reserved = sum(section.size for section in image.sections if _is_heap(section.name))
        unused = f"; the {reserved} bytes reserved for it lie idle" if reserved else ""
        return HeapUse(0, f"the image has none (no malloc, no sbrk in it){unused}")
    raise MeasurementInvalid(
        f"measuring the heap: {image.path.name} has {allocators[0]}(), but neither a break that is known"
        " (__sbrk_heap_end, heap_end, picolibc's brk) nor paint in a heap from __heap_start to __heap_end",
        fix="name the variable of your _sbrk() __sbrk_heap_end (and its start _end), or define __heap_start"
        f" and __heap_end and fill what lies between with 0x{PAINT:08X} at start-up",
    )


def flash_kb(image: FirmwareImage) -> float:
    """Flash that the image fills, KB of 1024 bytes."""
    return image.flash_bytes / KB


def memory_available_kb(image: FirmwareImage, board: Board, stack_bytes: int, heap_bytes: int) -> float:
    """RAM of the board that neither the image nor its stack and heap ever used, KB of 1024 bytes.

    Raises:
        CapabilityMissing: The board file does not say how much RAM there is.
        ImageError: The image has no sections.
    """
    if board.ram is None:
        raise CapabilityMissing(
            f"memory left on board {board.name}: its file does not say how much RAM it has",
            fix=f"add to {board.path}:  [ram]  start = 0x2000_0000  size_kib = ...",
        )
    return (board.ram.size - image.static_ram_bytes - stack_bytes - heap_bytes) / KB


def _check_guard(guard: bytes, start: int) -> None:
    """A guard that was painted and is not whole was run into; one that was never painted can't tell."""
    untouched = _painted_from_bottom(guard)
    if 0 < untouched < len(guard):
        raise DutError(
            f"measuring the stack: it overflowed into its guard, at least down to 0x{start + untouched:08x}:"
            f" {len(guard) - untouched} of the {len(guard)} bytes below it are overwritten",
            fix="make the stack larger in the linker script, or find what recurses or has large locals",
        )


def _nothing_left(memory: bytes, bottom: int, top: int) -> DutError | MeasurementInvalid:
    """Why no paint is left at the bottom: the stack is full, or nobody painted it (nor the guard below)."""
    words = Counter(memory[at : at + 4] for at in range(0, len(memory) - 3, 4))
    extent = f"0x{bottom:08x} to 0x{top - 1:08x}"
    if PAINT.to_bytes(4, "little") in words:
        return DutError(
            f"measuring the stack: it is full to its last word ({top - bottom} bytes, {extent}), and may have"
            " run over",
            fix="make the stack larger in the linker script, or find what recurses or has large locals",
        )
    usual, count = words.most_common(1)[0]
    held = f"; {count} of its {len(memory) // 4} words are 0x{int.from_bytes(usual, 'little'):08x}"
    return MeasurementInvalid(
        f"measuring the stack: not one word of it ({extent}) is 0x{PAINT:08X}{held}: the firmware does not"
        " paint it, or has filled all of it",
        fix=_HOW_TO_PAINT,
    )


def _break_of(image: FirmwareImage) -> tuple[str, int, str, int] | None:
    """Name and address of the variable that holds the break, symbol and address that it started from."""
    for pattern, starts in _BREAKS:
        for address, _, name in image.variables:
            start = next((symbol for symbol in starts if symbol in image.symbols), None)
            if pattern.fullmatch(name) and SRAM_START <= address < SRAM_STOP and start is not None:
                return name, address, start, image.symbols[start]
    return None


def _by_break(name: str, address: int, start_name: str, start: int, read: Read) -> HeapUse:
    value = int.from_bytes(read(address, 4), "little")
    if value == 0:
        return HeapUse(0, f"nothing was ever taken ({name} is 0)")
    if not start <= value < SRAM_STOP:
        raise MeasurementInvalid(
            f"measuring the heap: its break {name} is 0x{value:08x}, but the heap starts at"
            f" {start_name} = 0x{start:08x}",
            fix="see whether something overwrites it, or whether the image is the one that runs",
        )
    return HeapUse(value - start, f"from {start_name} to the break, {name}, as it is now")


def _is_heap(name: str) -> bool:
    return "heap" in name


def _painted_from_bottom(memory: bytes) -> int:
    """Bytes at the bottom that still hold the pattern, whole words."""
    word = PAINT.to_bytes(4, "little")
    count = 0
    while memory[count : count + 4] == word:
        count += 4
    return count


def _words_reversed(memory: bytes) -> bytes:
    whole = len(memory) // 4 * 4
    return b"".join(memory[at : at + 4] for at in range(whole - 4, -1, -4))
