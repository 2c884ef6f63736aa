"""From a PPK2's 32-bit sample words to amperes, exactly as `ppk2_api` converts them, but in numpy.

    bits 0-13 converter code   14-16 range   18-23 counter of samples   24-31 lines D0 to D7

`PPK2_API.get_samples` converts one word at a time in Python, which takes a fifth of a fast core at 100 kS/s
and all of a small one. Its arithmetic and its spike filter are repeated here with the package's own
constants; tests hold both against each other sample by sample. Nothing here knows the port.

The filter: the three samples from a change of range on are replaced by a running mean of the current, which
comes from mostly before the change. It takes off the spikes that switching makes, and it delays: right after
a step up it reads too little, after a step down too much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FAMILIES = ("R", "GS", "GI", "O", "S", "I", "UG")
TOP_RANGE = 4
FULL_SCALE = 0x3FFF
_CODE_AND_RANGE = 0x1FFFF
# After that many samples the weight of what came before is lost in float64's rounding: 0.94^700 < 2^-62.
_REACH = 700
# Places whose running mean is computed at once: 2,048 * 700 float64 are 11 MB.
_AT_ONCE = 2048


def current_table(
    modifiers: Mapping[str, Mapping[str, float]], adc_mult: float, supply_mv: float
) -> NDArray[np.float64]:
    """Amperes for every converter code in every range: shape (2^17,), indexed by a word's low 17 bits.

    Args:
        modifiers: `PPK2_API.modifiers`: the device's calibration, family to range ("0") to constant.
        adc_mult: `PPK2_API.adc_mult`, volts per step of a code times four.
        supply_mv: Voltage that the calibration's S terms are multiplied by.
    """
    code = np.arange(FULL_SCALE + 1) * 4.0
    rows = []
    for number in (0, 1, 2, 3, 4, 4, 4, 4):  # the package takes what is beyond the last range for the last
        r, gs, gi, o, s, i, ug = (float(modifiers[family][str(number)]) for family in FAMILIES)
        x = (code - o) * (adc_mult / r)
        rows.append(ug * (x * (gs * x + gi) + (s * (supply_mv / 1000) + i)))
    return np.concatenate(rows)


def ranges_of(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The current range, 0 to 4, of each word."""
    ranges = np.minimum((words >> np.uint32(14)) & np.uint32(7), TOP_RANGE)
    return np.asarray(ranges, np.uint8)


def counters_of(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The counter of samples, 0 to 63, of each word."""
    return np.asarray((words >> np.uint32(18)) & np.uint32(63), np.uint8)


def lines_of(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The levels of D0 (bit 0) to D7 of each word."""
    return np.asarray(words >> np.uint32(24), np.uint8)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A stretch of words, converted.

    Attributes:
        raw_a: shape (n,), float64: as converted.
        current_a: shape (n,), float64: with the spikes filtered.
        ranges: shape (n,), uint8.
        switching: shape (m,), int64, rising: samples that the filter replaced.
        clipped: shape (k,), int64, rising: samples at the converter's limit, which says "at least".
    """

    raw_a: NDArray[np.float64]
    current_a: NDArray[np.float64]
    ranges: NDArray[np.uint8]
    switching: NDArray[np.int64]
    clipped: NDArray[np.int64]


class Decoder:
    """Converts one capture's words, stretch by stretch.

    Args:
        table: Of `current_table`.
        alpha: `PPK2_API.spike_filter_alpha`, weight of a new sample in the running mean.
        alpha_top: `PPK2_API.spike_filter_alpha5`, likewise in the top range.
        samples: `PPK2_API.spike_filter_samples`, how many the filter replaces after a switch.
    """

    def __init__(self, table: NDArray[np.float64], *, alpha: float, alpha_top: float, samples: int) -> None:
        self._table = table
        self._samples = samples
        # Oldest first, as the samples stand in a window.
        age = np.arange(_REACH - 1, -1, -1)
        self._weights = alpha * (1 - alpha) ** age
        self._weights_top = alpha_top * (1 - alpha_top) ** age
        self._history: NDArray[np.float64] | None = None
        self._range = -1
        self._last_switch = -samples - 1

    def decode(self, words: NDArray[np.uint32]) -> Decoded:
        """Convert the words that follow those of the last call."""
        ranges = ranges_of(words)
        raw = self._table[words & np.uint32(_CODE_AND_RANGE)]
        clipped = np.flatnonzero((words & np.uint32(FULL_SCALE)) == FULL_SCALE)
        if not len(words):
            return Decoded(raw, raw, ranges, clipped, clipped)
        if self._history is None:
            # The mean starts at the first sample, as if everything before had been like it.
            self._history = np.full(_REACH, raw[0])
            self._range = int(ranges[0])
        current, switching = self._filter(raw, ranges, self._history)
        return Decoded(raw, current, ranges, switching, clipped)

    def _filter(
        self, raw: NDArray[np.float64], ranges: NDArray[np.uint8], history: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        changes = np.flatnonzero(np.diff(ranges, prepend=np.uint8(self._range)))
        switches = np.concatenate(([self._last_switch], changes))
        places = np.unique((switches[:, None] + np.arange(self._samples)).ravel())
        places = places[(places >= 0) & (places < len(raw))]
        age = places - switches[np.searchsorted(switches, places, side="right") - 1]
        in_top = ranges[places] == TOP_RANGE
        # The first two samples in the top range are spikes so large that the mean must not see them.
        unseen = places[in_top & (age < 2)]
        seen = np.delete(raw, unseen) if len(unseen) else raw
        series = np.concatenate((history, seen))
        # The window that ends with the sample itself, or with the last one that was seen before it.
        windows = np.lib.stride_tricks.sliding_window_view(series, _REACH)
        ends = places + 1 - np.searchsorted(unseen, places, side="right")
        out = raw.copy()
        for at in range(0, len(places), _AT_ONCE):
            part = slice(at, at + _AT_ONCE)
            held = windows[ends[part]]
            out[places[part]] = np.where(in_top[part], held @ self._weights_top, held @ self._weights)
        self._history = series[-_REACH:].copy()
        self._range = int(ranges[-1])
        self._last_switch = int(switches[-1]) - len(raw)
        return out, places
