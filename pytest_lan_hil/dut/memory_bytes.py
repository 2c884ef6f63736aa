"""How much memory a DUT has used, and what is known of that figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryBytes:
    """What a DUT used at most.

    Attributes:
        total: Bytes.
        instrument: What told.
        error_bytes: 95 % half-width of its error; 0 for an exact figure ...
        error_source: ... and where that comes from.
        notes: Sentences that a reader of the number must know.
    """

    total: int
    instrument: str
    error_bytes: int = 0
    error_source: str = ""
    notes: tuple[str, ...] = ()
