"""What a DUT was given to do, as it went: the time that its counters are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# `m-lap-us` counts microseconds modulo 2^32.
_LAP_TURN = 1 << 32


@dataclass(frozen=True, slots=True)
class Work:
    """One `infer` or one listening.

    Attributes:
        inferences: How many were asked for and done; 0 for listening, where the DUT decides.
        seconds: How long it took: as told (listening), or by the DUT's own time stamps; None if it has none.
        back_to_back: True if each inference followed the last at once, as far as that was asked for.
    """

    inferences: int
    seconds: float | None
    back_to_back: bool = False


def seconds_of(lap_us: Sequence[int]) -> float | None:
    """Seconds from the first time stamp to the last; None where fewer than two were made."""
    return (lap_us[-1] - lap_us[0]) % _LAP_TURN / 1e6 if len(lap_us) > 1 else None
