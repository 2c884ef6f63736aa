"""Which code the cycles of a core went to, exactly: a second block hook that also keeps books, on demand.

Each cycle counts for the block that took it: its instructions, their waits for flash and peripherals, the
jump at its end, and the entry into a handler that interrupts it. While nothing is counted the usual hook
runs, and this costs nothing. The counting itself is `blockhook.counted_block`.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon.blocks import BlockTable
from pytest_lan_hil.virtual.silicon.engine import Engine


class CycleCount:
    """The books of one core. It must stand still while they are opened and closed.

    Args:
        engine: Runs its code.
        blocks: Records of its blocks.
    """

    def __init__(self, engine: Engine, blocks: BlockTable) -> None:
        self._engine, self._blocks, self._state = engine, blocks, blocks.state
        self._found: Counter[int] | None = None

    def start(self) -> None:
        """Open the books.

        Raises:
            RuntimeError: They are open.
        """
        if self._found is not None:
            raise RuntimeError("the cycles of this core are being counted already")
        self._found = Counter()
        state = self._state
        state[h.COUNTS : h.COUNTS + h.MAX_BLOCKS + 1] = 0
        state[h.COUNT_MARK] = state[h.CYCLES]
        state[h.COUNT_BLOCK] = state[h.BLOCK] if state[h.BLOCK] >= 0 else h.MAX_BLOCKS
        self._blocks.before_clear = self._collect
        self._engine.hook_counting()

    def stop(self) -> dict[int, int]:
        """Close the books.

        Returns:
            Address of a block to its cycles. They add up to what the core's counter went on by since `start`;
            those of code without a known block (what ran before the first one began) are under address -1.
        """
        self._engine.hook_plainly()
        self._blocks.before_clear = None
        self._collect()
        found, self._found = self._found, None
        return dict(found or {})

    def _collect(self) -> None:
        state = self._state
        state[h.COUNTS + state[h.COUNT_BLOCK]] += state[h.CYCLES] - state[h.COUNT_MARK]
        state[h.COUNT_MARK] = state[h.CYCLES]
        counts = state[h.COUNTS : h.COUNTS + h.MAX_BLOCKS + 1]
        found = self._found if self._found is not None else Counter()
        for index in np.flatnonzero(counts).tolist():
            known = index < h.MAX_BLOCKS
            address = int(state[h.RECORDS + index * h.RECORD + h.R_ADDRESS]) if known else -1
            found[address] += int(counts[index])
        counts[:] = 0
        state[h.COUNT_BLOCK] = h.MAX_BLOCKS  # the records may be gone after this
