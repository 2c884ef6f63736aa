"""From a Joulescope's data messages to arrays on one sample clock.

A message is a dict with `sample_id` (counted at `sample_rate`, whatever the signal), `decimate_factor` and
`data`: float32 samples, or packed bits for a digital input. A jump of `sample_id` means that samples were
dropped; they become a gap, never zero. Nothing here knows the device or the driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.capture import Gap, MarkerLine
from pytest_lan_hil.model.errors import InstrumentError

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples of one signal; `start` and `stop` in counts of the sample clock."""

    start: int
    stop: int
    data: NDArray[Any]


class SignalLog:
    """Everything one signal delivered during a capture, kept as it came (one array per message)."""

    def __init__(self, name: str, *, bits_per_item: int) -> None:
        self.name = name
        self.chunks: list[Chunk] = []
        self.clock_hz = 0
        self.decimation = 0
        self._bits_per_item = bits_per_item

    @property
    def stop(self) -> int:
        """Where the signal has got to, in counts of the sample clock."""
        return self.chunks[-1].stop if self.chunks else 0

    def add(self, message: Mapping[str, Any]) -> None:
        """Keep one message.

        Raises:
            InstrumentError: The signal changed its sample rate, or its sample ids run backwards.
        """
        data = np.asarray(message["data"])
        rate, decimation = int(message["sample_rate"]), int(message["decimate_factor"])
        if not self.chunks:
            self.clock_hz, self.decimation = rate, decimation
        elif (rate, decimation) != (self.clock_hz, self.decimation):
            raise InstrumentError(
                f"{self.name} changed its sample clock from {self.clock_hz} Hz / {self.decimation} to"
                f" {rate} Hz / {decimation} while recording",
                fix="close other programs that use the Joulescope, then record again",
            )
        if not len(data):
            return
        start = int(message["sample_id"])
        stop = start + len(data) * self._bits_per_item * decimation
        if self.chunks:
            last = self.chunks[-1]
            if start < last.start:
                raise InstrumentError(
                    f"the sample ids of {self.name} went back from {last.start} to {start}",
                    fix="the Joulescope restarted while recording: check its USB cable and power",
                )
            if start < last.stop:
                # The last byte of packed bits may hold fewer than eight samples: the next id tells.
                self.chunks[-1] = Chunk(last.start, start, last.data)
        self.chunks.append(Chunk(start, stop, data))

    def lost(self, start: int, stop: int) -> list[Span]:
        """Spans between `start` and `stop` that no message covers."""
        spans = []
        at = start
        for chunk in self.chunks:
            if chunk.start > at:
                spans.append((at, min(chunk.start, stop)))
            at = max(at, chunk.stop)
            if at >= stop:
                break
        if at < stop:
            spans.append((at, stop))
        return [(a, b) for a, b in spans if b > a]


def common_span(logs: Sequence[SignalLog]) -> Span:
    """From the first sample that every signal has to the last, on whole samples of the slowest signal."""
    if not all(log.chunks for log in logs):
        return 0, 0
    step = max(log.decimation for log in logs)
    start = -(-max(log.chunks[0].start for log in logs) // step) * step
    stop = min(log.stop for log in logs) // step * step
    return start, max(start, stop)


def samples_between(log: SignalLog, start: int, stop: int) -> NDArray[np.float32]:
    """The samples of an analog signal, NaN where none came. One copy, made here."""
    step = log.decimation
    out = np.empty((stop - start) // step, np.float32)
    at = 0
    for chunk in log.chunks:
        first = (chunk.start - start) // step
        skip = max(0, -first)
        first = max(first, at)
        last = min((chunk.stop - start) // step, len(out))
        if last <= first:
            continue
        out[at:first] = np.nan
        out[first:last] = chunk.data[skip : skip + last - first]
        at = last
    out[at:] = np.nan
    return out


def line_between(log: SignalLog, start: int, stop: int) -> MarkerLine:
    """The record of a digital input; where none came, it keeps the level it had before."""
    step = log.decimation
    count = (stop - start) // step
    # One spare byte takes the carry of a chunk that does not start on a byte.
    bits = np.zeros((count + 7) // 8 + 1, np.uint8)
    at, level = 0, 0
    for chunk in log.chunks:
        first, last = (chunk.start - start) // step, min((chunk.stop - start) // step, count)
        if last <= max(first, at):
            continue
        data = chunk.data
        if first < 0:
            data = np.packbits(np.unpackbits(data, bitorder="little")[-first:], bitorder="little")
            first = 0
        if level and first > at:
            _place(bits, at, np.full((first - at + 7) // 8, 0xFF, np.uint8), first - at)
        _place(bits, first, data, last - first)
        at = last
        level = int(bits[(last - 1) // 8] >> ((last - 1) % 8)) & 1
    if level and count > at:
        _place(bits, at, np.full((count - at + 7) // 8, 0xFF, np.uint8), count - at)
    return MarkerLine(bits[:-1], count, log.clock_hz / step)


def _place(bits: NDArray[np.uint8], at: int, data: NDArray[np.uint8], count: int) -> None:
    """OR `count` packed bits into `bits`, which is zero from bit `at` on."""
    used = (count + 7) // 8
    source = data[:used]
    if count % 8:
        source = source.copy()
        source[-1] &= (1 << (count % 8)) - 1
    byte, shift = divmod(at, 8)
    bits[byte : byte + used] |= source << shift
    if shift:
        bits[byte + 1 : byte + 1 + used] |= source >> (8 - shift)


def gaps_of(spans: Sequence[Span], start: int, step: int, total: int) -> tuple[Gap, ...]:
    """Spans of the sample clock as gaps in samples of the current: united, rising, disjoint."""
    gaps: list[Gap] = []
    for first, last in sorted(spans):
        low, high = max(0, (first - start) // step), min(total, -(-(last - start) // step))
        if high <= low:
            continue
        if gaps and low <= gaps[-1].stop:
            gaps[-1] = Gap(gaps[-1].start, max(high, gaps[-1].stop))
        else:
            gaps.append(Gap(low, high))
    return tuple(gaps)


def nan_spans(samples: NDArray[np.float32]) -> list[Span]:
    """Runs of NaN, which is how the JS110's driver marks samples that never arrived."""
    if not len(samples) or not np.isnan(samples.min()):
        return []
    edges = np.flatnonzero(np.diff(np.concatenate(([False], np.isnan(samples), [False]))))
    return [(int(a), int(b)) for a, b in zip(edges[0::2], edges[1::2], strict=True)]
