"""Windows to energies: the integral of current times voltage over exact intervals of the capture.

Sample j stands for [j, j + 1) / rate; an interval that cuts a sample takes its share of it. Products are
formed in single precision, as they were sampled, in rows of 64, and the rows are added in double
precision: no temporary grows with the capture, and the result differs from double precision throughout
by less than 1e-6 of itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_lan_hil.model.capture import Capture, Gap

# A row of equal values drifts by one rounding per addition in a lane; 64 keeps that below 3e-7 (measured over
# constant loads), and longer rows are no faster.
_ROW = 64
# Rows per call: 64 Ki samples of both signals stay in the cache of the smallest host in mind.
_ROWS = 1024
# Samples. Division and multiplication by the rate round; no edge is known to a millionth of a sample.
_SAME_PLACE = 1e-6


def energies(capture: Capture, start_s: ArrayLike, stop_s: ArrayLike) -> NDArray[np.float64]:
    """Energy of each interval.

    Args:
        capture: The record; gaps inside an interval give NaN (see `touches_gap`).
        start_s: shape (n,), seconds of the capture's clock.
        stop_s: shape (n,), likewise, none before its start.

    Returns:
        shape (n,), float64, joules. NaN for an interval that is not wholly inside the capture.
    """
    rate = capture.sample_rate_hz
    starts = np.asarray(start_s, np.float64) * rate
    stops = np.asarray(stop_s, np.float64) * rate
    total = len(capture.current_a)
    inside = (starts >= -_SAME_PLACE) & (stops <= total + _SAME_PLACE) & (stops >= starts)
    joules = np.full(starts.shape, np.nan)
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are the caller's to report
        for k in np.flatnonzero(inside):
            joules[k] = _integral(
                capture.current_a, capture.voltage_v, max(starts[k], 0.0), min(stops[k], float(total))
            )
    return joules / rate


def _integral(current: NDArray[np.float32], voltage: NDArray[np.float32], start: float, stop: float) -> float:
    """Sum of current times voltage from `start` to `stop`, in samples, with partial samples at both ends."""
    first, last = math.floor(start), math.floor(stop)
    if first == last:
        return (stop - start) * _product(current, voltage, first) if stop > start else 0.0
    head = (first + 1 - start) * _product(current, voltage, first)
    tail = (stop - last) * _product(current, voltage, last) if stop > last else 0.0
    return head + math.fsum(_pieces(current, voltage, first + 1, last)) + tail


def _product(current: NDArray[np.float32], voltage: NDArray[np.float32], index: int) -> float:
    return float(current[index]) * float(voltage[index])


def _pieces(
    current: NDArray[np.float32], voltage: NDArray[np.float32], start: int, stop: int
) -> Iterator[float]:
    """Partial sums over samples `start` to `stop`, each exact to single precision over one row."""
    step = _ROW * _ROWS
    for at in range(start, stop, step):
        end = min(at + step, stop)
        rows = (end - at) // _ROW
        middle = at + rows * _ROW
        if rows:
            sums = np.einsum(
                "ij,ij->i",
                current[at:middle].reshape(rows, _ROW),
                voltage[at:middle].reshape(rows, _ROW),
            )
            yield float(sums.sum(dtype=np.float64))
        if end > middle:
            yield float(np.dot(current[middle:end], voltage[middle:end]))


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
