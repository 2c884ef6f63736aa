"""The memory that captures are recorded in: blocks that are used again once nobody looks at their capture.

Only what has been written takes memory, because the system hands out pages when they are first touched. That
costs more time than everything else about a capture (measured: a third of it with huge pages, three quarters
in a virtual machine that gives freed pages back to its host), so an analyzer pays it once, not each time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# 256 MiB of float32, 67 s at 1 MS/s.
BLOCK_SAMPLES = 1 << 26
# Current and voltage: more would only wait for captures that are held at the same time.
_KEPT = 2


class _Loan:
    """What the views of a lent block are based on; it dies with the last of them and gives the block back."""

    def __init__(self, block: NDArray[np.float32], free: list[NDArray[np.float32]]) -> None:
        self.__array_interface__ = block.__array_interface__
        self._block = block
        self._free = free

    def __del__(self) -> None:
        if len(self._free) < _KEPT:
            self._free.append(self._block)


class Blocks:
    """Where an analyzer's logs get their memory; what is free is let go of together with this."""

    def __init__(self, samples: int = BLOCK_SAMPLES) -> None:
        self.samples = samples
        self._free: list[NDArray[np.float32]] = []

    def lend(self) -> NDArray[np.float32]:
        """A block of `samples` float32 of any content, until no view of it exists any more."""
        block = self._free.pop() if self._free else np.empty(self.samples, np.float32)
        return np.asarray(_Loan(block, self._free))
