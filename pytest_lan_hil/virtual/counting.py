"""What a virtual probe offers beyond a real one: exact cycles of the core, by the code that took them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lan_hil.virtual.board import VirtualBoard


@dataclass
class CycleCounts:
    """Filled when the block ends.

    Attributes:
        cycles: What the core's cycle counter went on by.
        blocks: Address of a block of code to the cycles that it took; they add up to `cycles`.
        running_s: Virtual seconds that these cycles took; the rest of the time the core slept or was halted.
    """

    cycles: int = 0
    blocks: Mapping[int, int] = field(default_factory=dict)
    running_s: float = 0.0


@contextmanager
def count_cycles(board: VirtualBoard) -> Iterator[CycleCounts]:
    """Count while the block runs; time may pass meanwhile by whatever makes it pass."""
    core = board.chip.core
    counts = CycleCounts()
    with board.lock:
        core.counting.start()
        cycles, ticks = core.clock.cycles(), core.clock.running_ticks()
    try:
        yield counts
    finally:
        with board.lock:
            counts.blocks = core.counting.stop()
            counts.cycles = core.clock.cycles() - cycles
            counts.running_s = (core.clock.running_ticks() - ticks) / board.tick_hz
