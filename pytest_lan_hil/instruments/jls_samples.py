"""Samples of one signal of a JLS file, read piece by piece into arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.assembly import merged_runs
from pytest_lan_hil.instruments.jls_memory import array_of
from pytest_lan_hil.model.capture import RangeRuns
from pytest_lan_hil.model.errors import InputError

# What stays in the cache between reading and looking at it; larger pieces are read more slowly (measured).
_PIECE = 1 << 18
_PACKED_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal of an open file.

    Attributes:
        number: Its id for the reader.
        name: "current", "gpi[0]".
        offset: Sample id of its first sample, on the clock that all signals share.
        count: Number of samples.
        rate_hz: Samples a second, exact.
        data_type: "f32", "u1", …
    """

    number: int
    name: str
    offset: int
    count: int
    rate_hz: Fraction
    data_type: str


def read_analog(
    reader: Any, signal: Signal, first: int, count: int, in_memory: int
) -> tuple[NDArray[Any], list[tuple[int, int]]]:
    """`count` samples from number `first` on, and where they are NaN.

    Raises:
        InputError: One is infinite.
        RuntimeError: The file is damaged.
    """
    out = array_of(count, np.float32 if signal.data_type == "f32" else np.float64, in_memory=in_memory)
    spans: list[tuple[int, int]] = []
    for at, length in _pieces(count, _PIECE):
        samples = reader.fsr(signal.number, first + at, length)
        out[at : at + length] = samples
        # The fastest pass that meets what is not finite; only then it is worth while to look where.
        if not np.isfinite(np.dot(samples, samples)):
            _join(spans, _nan_spans(signal, samples, at))
    return out, spans


def read_bits(reader: Any, signal: Signal, first: int, count: int, in_memory: int) -> NDArray[np.uint8]:
    """`count` samples of a digital line, packed."""
    bits = array_of((count + 7) // 8, np.uint8, in_memory=in_memory)
    for at, length in _pieces(count, _PACKED_PIECE):
        part = _whole_bytes(reader, signal, first + at, length, 8)
        bits[at // 8 : at // 8 + len(part)] = part
    return bits


def _whole_bytes(reader: Any, signal: Signal, first: int, count: int, per_byte: int) -> NDArray[np.uint8]:
    """Packed samples, `per_byte` in each, the first in the lowest bits.

    pyjls 0.17 gets the last ones wrong where it has to shift, so that is done here on whole bytes.
    """
    begin = first // per_byte * per_byte
    end = min(signal.count, -(-(first + count) // per_byte) * per_byte)
    part: NDArray[np.uint8] = reader.fsr(signal.number, begin, end - begin)
    shift = np.uint8((first - begin) * 8 // per_byte)
    if shift:
        shifted = part >> shift
        shifted[:-1] |= part[1:] << np.uint8(8 - shift)
        part = shifted
    return part[: -(-count // per_byte)]


def read_ranges(
    reader: Any, signal: Signal, first: int, count: int, indices: NDArray[np.int64], ratio: Fraction
) -> RangeRuns:
    """The runs of equal range.

    Args:
        reader, signal, first, count: Samples of the range signal.
        indices: Value to index.
        ratio: Samples of the current for each of them.
    """
    starts, values = [], []
    for at, length in _pieces(count, _PACKED_PIECE):
        begun, codes = _runs(_whole_bytes(reader, signal, first + at, length, 2))
        within = begun < length
        starts.append(begun[within] + at)
        values.append(codes[within])
    at_sample = -(-np.concatenate(starts) * ratio.numerator // ratio.denominator)
    return merged_runs(at_sample, indices[np.concatenate(values)])


def _runs(packed: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Where codes, two to a byte, may change, and to what; only bytes that differ are taken apart."""
    begun = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(packed[1:] != packed[:-1]) + 1))
    low, high = packed[begun] & 0x0F, packed[begun] >> 4
    times = np.where(low == high, 1, np.diff(begun, append=len(packed)))
    bytes_at = np.arange(times.sum()) + np.repeat(begun - (np.cumsum(times) - times), times)
    codes = np.stack((np.repeat(low, times), np.repeat(high, times)), axis=1).ravel()
    return np.stack((2 * bytes_at, 2 * bytes_at + 1), axis=1).ravel(), codes


def hold_level(bits: NDArray[np.uint8], start: int, stop: int) -> None:
    """Have a packed line keep the level it had before sample `start`, up to `stop`, in place."""
    if stop <= start:
        return
    high = start > 0 and bool(bits[(start - 1) // 8] >> ((start - 1) % 8) & 1)
    fill = 0xFF if high else 0
    low, end = start // 8, (stop - 1) // 8
    keep_low = (1 << (start % 8)) - 1
    keep_end = 0xFF & ~((1 << ((stop - 1) % 8 + 1)) - 1)
    if low == end:
        keep = keep_low | keep_end
        bits[low] = (int(bits[low]) & keep) | (fill & ~keep & 0xFF)
        return
    bits[low] = (int(bits[low]) & keep_low) | (fill & ~keep_low & 0xFF)
    bits[low + 1 : end] = fill
    bits[end] = (int(bits[end]) & keep_end) | (fill & ~keep_end & 0xFF)


def _pieces(count: int, size: int) -> Iterator[tuple[int, int]]:
    for at in range(0, count, size):
        yield at, min(size, count - at)


def _nan_spans(signal: Signal, samples: NDArray[Any], at: int) -> list[tuple[int, int]]:
    infinite = np.flatnonzero(np.isinf(samples))
    if len(infinite):
        where = at + int(infinite[0])
        raise InputError(
            f"sample {where} of {signal.name}, at {where / float(signal.rate_hz):.6f} s, is infinite",
            fix="the file was not written by a Joulescope: mend what wrote it, or read another part",
        )
    edges = np.flatnonzero(np.diff(np.isnan(samples), prepend=False, append=False)) + at
    return [(int(a), int(b)) for a, b in zip(edges[0::2], edges[1::2], strict=True)]


def _join(spans: list[tuple[int, int]], more: list[tuple[int, int]]) -> None:
    """Append, uniting what touches."""
    if spans and more and more[0][0] == spans[-1][1]:
        spans[-1] = (spans[-1][0], more[0][1])
        more = more[1:]
    spans += more
