"""Windows to energies: the integral of power over exact intervals of the capture.

Sample j stands for [j, j + 1) / rate; an interval that cuts a sample takes its share of it. The record is
read once, piece by piece: no temporary grows with it, so its arrays may be mapped files longer than memory.
All intervals that lie in a piece are summed together: none costs a turn of a Python loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_lan_hil.model.capture import Capture, Gap

_Reals: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

# Single precision within a row of samples, double precision between rows. Worst relative error of a sum over
# 2^20 samples against double precision throughout, for constant loads (60 of them: all roundings go the same
# way) and for noise (2 % of current, 0.03 % of voltage), and speed as a share of that of one numpy.dot over
# both whole arrays (numpy 2.4, AVX-512, one core):
#
#     summed by                        constant   noise     speed
#     numpy.dot, pieces of 64 Ki       1.3e-05    4.8e-08   0.90
#     rows of 128                      4.6e-07    9.5e-10   0.73
#     rows of 64                       2.4e-07    8.0e-10   0.72
#     rows of 32                       1.7e-07    6.0e-10   0.68
#     rows of 16                       5.5e-08    2.0e-10   0.51
#     double precision throughout      -          -         0.15 to 0.30
#
# So rows of 32; and pieces with equal samples are told from others and summed in ways that don't drift (see
# `_Product.fill`): constant loads are then right to 4.5e-13, square waves to 1.4e-9. Records of few levels
# from a coarse converter lie between: 1.3e-8. A window of 100 or 5,000 noisy samples: 1.6e-8 at worst.
_ROW = 32
# Samples in one go: long enough to hide the cost of the calls (a quarter of the time with 1 << 17), short
# enough that scratch memory stays below 9 MB.
_PIECE = 1 << 19
# Shorter intervals are summed by sample: to fetch the ends that fill no row costs more (even at 800 samples).
_SHORT = 1024
# Intervals whose ends are summed in one go.
_ENDS = 1024
# Samples. Division and multiplication by the rate round; no edge is known to a millionth of a sample.
_SAME_PLACE = 1e-6


def energies(capture: Capture, start_s: ArrayLike, stop_s: ArrayLike) -> NDArray[np.float64]:
    """Energy of each interval.

    Args:
        capture: The record, of current and voltage or of power alone. Samples inside gaps are NaN, and so is
            every interval that a part of one lies in (see `touches_gap` for those that end beside one).
        start_s: shape (n,), seconds of the capture's clock, in any order; intervals may overlap.
        stop_s: shape (n,), likewise, none before its start.

    Returns:
        shape (n,), float64, joules. NaN for an interval that is not wholly inside the capture.
    """
    rate, total = capture.sample_rate_hz, capture.count
    starts, stops = _places(start_s, rate), _places(stop_s, rate)
    inside = (starts >= -_SAME_PLACE) & (stops <= total + _SAME_PLACE) & (stops >= starts)
    joules = np.full(starts.shape, np.nan)
    if inside.any():
        begin, end = np.clip(starts[inside], 0, total), np.clip(stops[inside], 0, total)
        with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are the caller's to report
            joules[inside] = _integrals(_power_of(capture), begin, end) / rate
    return joules


def touches_gap(
    gaps: tuple[Gap, ...], sample_rate_hz: float, start_s: ArrayLike, stop_s: ArrayLike
) -> NDArray[np.bool_]:
    """Which intervals overlap a gap or end at its edge.

    An edge that coincides with the border of a gap may have happened anywhere inside it, so touching counts.

    Args:
        gaps: Rising and disjoint, in samples.
        sample_rate_hz: Of the samples that gaps count.
        start_s: shape (n,), seconds.
        stop_s: shape (n,), seconds.

    Returns:
        shape (n,), bool.
    """
    starts = np.floor(np.asarray(start_s, np.float64) * sample_rate_hz + _SAME_PLACE)
    stops = np.ceil(np.asarray(stop_s, np.float64) * sample_rate_hz - _SAME_PLACE)
    if not gaps:
        return np.zeros(starts.shape, bool)
    gap_start = np.array([gap.start for gap in gaps], np.float64)
    gap_stop = np.array([gap.stop for gap in gaps], np.float64)
    candidate = np.searchsorted(gap_stop, starts, side="left")
    known = candidate < len(gaps)
    touched: NDArray[np.bool_] = known & (gap_start[np.minimum(candidate, len(gaps) - 1)] <= stops)
    return touched


class _Power(Protocol):
    """Power by sample, watts, from whatever the record holds."""

    def at(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """The samples at `index`."""

    def fill(self, sums: NDArray[np.float64], start: int, row: int) -> None:
        """Put sums over rows of `row` samples into `sums`, the first row from sample `start`."""


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Power recorded as such, or current at one voltage: in double precision throughout.

    Sums over files that hold power are compared to ten digits with what others made of them.
    """

    samples: _Reals
    factor: float

    def at(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.samples[index].astype(np.float64) * self.factor

    def fill(self, sums: NDArray[np.float64], start: int, row: int) -> None:
        piece = self.samples[start : start + len(sums) * row].astype(np.float64, copy=False)
        np.multiply(_row_sums(piece, row), self.factor, out=sums)


@dataclass(frozen=True, slots=True)
class _Product:
    """Current times voltage, in single precision within a row where roundings can be trusted to cancel."""

    current: _Reals
    voltage: _Reals

    def at(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.current[index].astype(np.float64) * self.voltage[index]

    def fill(self, sums: NDArray[np.float64], start: int, row: int) -> None:
        piece = slice(start, start + len(sums) * row)
        current, voltage = self.current[piece], self.voltage[piece]
        if not _repeats(current, voltage):
            sums[:] = _row_products(current, voltage, row)
        elif (voltage == voltage[0]).all():
            # A row of equal values is summed exactly: its partial sums are the value times powers of two.
            np.multiply(_row_sums(current, row), float(voltage[0]), out=sums, dtype=np.float64)
        else:
            sums[:] = _row_products(current.astype(np.float64), voltage.astype(np.float64), row)


def _places(times_s: ArrayLike, rate_hz: float) -> NDArray[np.float64]:
    """Times in samples; whole where nothing but the rounding of k / rate * rate kept them from it."""
    places = np.asarray(times_s, np.float64) * rate_hz
    whole = np.rint(places)
    return np.where(np.abs(places - whole) <= 2 * np.spacing(np.abs(whole)), whole, places)


def _power_of(capture: Capture) -> _Power:
    if capture.power_w is not None:
        return _Scaled(capture.power_w, 1.0)
    if capture.voltage_v.strides == (0,):  # one value for all, by numpy.broadcast_to
        return _Scaled(capture.current_a, float(capture.voltage_v[0]))
    return _Product(capture.current_a, capture.voltage_v)


def _repeats(current: _Reals, voltage: _Reals) -> bool:
    """Whether samples are likely to equal others, by a look at eight or so of them.

    An odd distance between them hits no period that is a power of two.
    """
    apart = slice(None, None, len(current) // 8 | 1)
    seen = list(zip(current[apart].tolist(), voltage[apart].tolist(), strict=True))
    return len(set(seen)) < len(seen)


def _row_sums(samples: _Reals, row: int) -> _Reals:
    if row == 1:
        return samples
    sums: _Reals = np.einsum("ij->i", samples.reshape(-1, row))
    return sums


def _row_products(current: _Reals, voltage: _Reals, row: int) -> _Reals:
    if row == 1:
        return current * voltage
    sums: _Reals = np.einsum("ij,ij->i", current.reshape(-1, row), voltage.reshape(-1, row))
    return sums


def _integrals(power: _Power, start: NDArray[np.float64], stop: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of power from each `start` to its `stop`, in samples, partial samples by their share."""
    first, last = np.ceil(start).astype(np.int64), np.floor(stop).astype(np.int64)
    # An interval within one sample has no whole one: `first` is after `last`, and it is all share.
    within = first > last
    before, after = np.where(within, stop - start, first - start), np.where(within, 0.0, stop - last)
    sums = _shares(power, first - 1, before) + _shares(power, last, after)
    short = last - first < _SHORT
    for row, chosen in ((1, short & (first < last)), (_ROW, ~short)):
        some = np.flatnonzero(chosen)
        some = some[np.argsort(first[some], kind="stable")]
        sums[some] += _whole_samples(power, first[some], last[some], row)
    return sums


def _shares(power: _Power, index: NDArray[np.int64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """`share` of one sample each; a sample with no share is not looked at (it may be NaN, or not exist)."""
    sums = np.zeros(len(share))
    cut = np.flatnonzero(share > 0)
    sums[cut] = share[cut] * power.at(index[cut])
    return sums


def _whole_samples(
    power: _Power, first: NDArray[np.int64], last: NDArray[np.int64], row: int
) -> NDArray[np.float64]:
    """Sums over samples `first` to `last`, by row where a row is whole; `first` rises."""
    row_first, row_last = -(-first // row), last // row
    sums = _whole_rows(power, row_first, row_last, row)
    if row == 1:
        return sums
    for k in range(0, len(sums), _ENDS):
        some = slice(k, k + _ENDS)
        sums[some] += _runs(power, first[some], row_first[some] * row)
        sums[some] += _runs(power, row_last[some] * row, last[some])
    return sums


def _runs(power: _Power, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over runs of samples shorter than a row."""
    lengths = last - first
    owner = np.repeat(np.arange(len(first), dtype=np.int64), lengths)
    index = np.arange(len(owner), dtype=np.int64) + (last - np.cumsum(lengths))[owner]
    return np.asarray(np.bincount(owner, weights=power.at(index), minlength=len(first)), np.float64)


def _whole_rows(
    power: _Power, first: NDArray[np.int64], last: NDArray[np.int64], row: int
) -> NDArray[np.float64]:
    """Sums over rows `first` to `last` of each interval, piece by piece of the record; `first` rises."""
    sums = np.zeros(len(first))
    reach = np.maximum.accumulate(last)  # rises too, also where intervals overlap
    most = _PIECE // row
    values = np.zeros(most + 1)  # one more, since reduceat takes no index beyond
    done = 0
    while (low := int(reach.searchsorted(done, side="right"))) < len(first):
        begin = max(done, int(first[low]))
        high = int(first.searchsorted(begin + most))
        done = min(begin + most, int(reach[high - 1]))
        power.fill(values[: done - begin], begin * row, row)
        sums[low:high] += _between(
            values[: done - begin + 1], first[low:high] - begin, last[low:high] - begin
        )
    return sums


def _between(
    values: NDArray[np.float64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sums of values `first` to `last` as far as there are such, the last value left out.

    Not by differences of a running sum: one NaN would spoil all that follow.
    """
    borders = np.empty(2 * len(first), np.int64)
    begin = np.maximum(first, 0, out=borders[0::2])
    end = np.minimum(np.maximum(last, 0), len(values) - 1, out=borders[1::2])
    sums: NDArray[np.float64] = np.add.reduceat(values, borders)[0::2]
    return np.where(begin < end, sums, 0.0)
