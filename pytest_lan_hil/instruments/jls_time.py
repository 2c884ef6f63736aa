"""UTC in JLS files: pairs of sample and time stamp."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.jls_samples import Signal
from pytest_lan_hil.instruments.joulescope_time import UTC_HZ, line_through
from pytest_lan_hil.model.capture import TimeMap


def map_of(reader: Any, signal: Signal, first: int) -> TimeMap | None:
    """UTC of the record that begins with sample `first` of a signal; None where the file tells none."""
    pairs = _pairs(reader, signal)
    return line_through(pairs, first, float(signal.rate_hz)) if pairs is not None else None


def origin_of(reader: Any, signal: Signal) -> float | None:
    """UTC of sample id 0 after the signal's first pair, seconds since 2018; None without UTC."""
    pairs = _pairs(reader, signal)
    if pairs is None:
        return None
    at, ticks = (int(value) for value in pairs[0])
    return ticks / UTC_HZ - float((signal.offset + at) / signal.rate_hz)


def _pairs(reader: Any, signal: Signal) -> NDArray[np.int64] | None:
    found: list[NDArray[np.int64]] = []

    def keep(entries: Any) -> bool:
        found.append(np.array(entries, np.int64))
        return False

    reader.utc(signal.number, 0, keep)
    if not found:
        return None
    pairs = np.concatenate(found)
    return pairs[np.argsort(pairs[:, 0], kind="stable")] if len(pairs) else None
