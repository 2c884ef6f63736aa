"""Edges that can't be the firmware's: bounce on an edge is merged and named, what stays unclear is refused.

A push-pull pin doesn't bounce, but the wire behind it rings, a slow edge through an opto-isolator or a level
shifter crosses the threshold more than once, and a neighbouring wire couples in. All of that is over within
a few microseconds; no work that is worth a marker line is so short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.errors import MeasurementInvalid

# 128 cycles of a core at 64 MHz, four samples of a GPI at 2 MS/s: longer than ringing on a bench's wires
# (tens of nanoseconds) and than an opto-isolator's slow edge (a microsecond), shorter than any inference.
SHORTEST_PULSE_S = 2e-6
# On a line sampled more slowly than that a bounce is as wide as one sample, whatever its real width.
_SAMPLE_WIDTHS = 1.5
# A burst longer than so many shortest pulses doesn't settle: the line oscillates, or nothing drives it.
_LONGEST_BURST = 10
# More bouncing edges than this, beyond a first few, say that the wiring is at fault; then other edges of the
# same line have been missed or made up, unnoticed.
_MOST_BOUNCING = 0.1
_FEW = 2


@dataclass(frozen=True, slots=True)
class Settled:
    """The edges of a line without bounce.

    Attributes:
        times_s: shape (n,), float64, rising, seconds; the first edge of each burst.
        bounce_s: Longest time from the first to the last edge of a burst, 0 without any.
        notes: What was seen and how it was treated.
    """

    times_s: NDArray[np.float64]
    bounce_s: float
    notes: tuple[str, ...]


def settle(
    times_s: NDArray[np.float64], *, high_at_start: bool, shortest_s: float, resolution_s: float, name: str
) -> Settled:
    """Merge bursts of edges that are closer together than any work can be.

    An odd number of edges within a burst is one edge that bounced: the line changed its level for good when
    the burst began. An even number is a pulse that is too short: a high one is no work, it is left out; a low
    one between two high levels may as well be the pause between two windows, so nothing can be said.

    Args:
        times_s: shape (n,), rising, seconds.
        high_at_start: Level before the first edge.
        shortest_s: Two edges closer together than this are not both the firmware's.
        resolution_s: Sample period of the line, or grid of its time stamps.
        name: What messages call the line.

    Raises:
        MeasurementInvalid: Too many edges bounce, a burst doesn't end, or the line is low for too short a
            time between two windows; says how many and where.
    """
    together_s = max(shortest_s, _SAMPLE_WIDTHS * resolution_s)
    # A millionth: times are quotients of integers, so that two equal distances may differ by a rounding.
    close = np.diff(times_s) < together_s * (1 - 1e-6)
    if not close.any():
        return Settled(times_s, 0.0, ())
    border = np.diff(np.concatenate(([False], close, [False])).astype(np.int8))
    first, last = np.flatnonzero(border == 1), np.flatnonzero(border == -1)
    length_s = times_s[last] - times_s[first]
    odd = (last - first) % 2 == 0
    # A single sample of a slow line that stands alone may be a short window: only its neighbourhood to an
    # edge tells a bounce from that.
    pulse = ~odd & (length_s < shortest_s * (1 - 1e-6))
    high_before = (first % 2 == 1) != high_at_start
    _refuse(times_s[first], length_s, pulse & high_before, together_s, name)
    keep = np.ones(len(times_s), bool)
    for begin, end in zip(first[odd], last[odd], strict=True):
        keep[begin + 1 : end + 1] = False
    for begin, end in zip(first[pulse], last[pulse], strict=True):
        keep[begin : end + 1] = False
    settled = times_s[keep]
    faults = int(odd.sum() + pulse.sum())
    if faults > max(_FEW, _MOST_BOUNCING * len(settled)):
        raise MeasurementInvalid(
            f"{name}: {faults} bursts of edges less than {together_s * 1e6:.3g} us apart beside"
            f" {len(settled)} clean edges (first at {times_s[first[0]]:.6f} s): the line bounces too often,"
            " or its pulses are too short to be told from bounce",
            fix="shorten the wire, tie the grounds together close to it, and check the input's voltage"
            " reference; the firmware must keep a marker line high, and low, for longer than that",
        )
    notes: tuple[str, ...] = ()
    bounce_s = float(length_s[odd].max()) if odd.any() else 0.0
    if odd.any():
        notes += (
            f"{name}: {odd.sum()} of {len(settled)} edges bounced, for up to {bounce_s * 1e6:.3g} us (first"
            f" at {times_s[first[odd][0]]:.6f} s): the first edge of each burst counts, and the resolution is"
            " wider by that time",
        )
    if pulse.any():
        notes += (
            f"{name}: {pulse.sum()} pulse{'s' if pulse.sum() > 1 else ''} shorter than"
            f" {shortest_s * 1e6:.3g} us, left out (first at {times_s[first[pulse][0]]:.6f} s)",
        )
    return Settled(settled, bounce_s, notes)


def _refuse(
    first_s: NDArray[np.float64],
    length_s: NDArray[np.float64],
    dips: NDArray[np.bool_],
    together_s: float,
    name: str,
) -> None:
    endless = length_s > _LONGEST_BURST * together_s
    if endless.any():
        k = int(np.argmax(endless))
        raise MeasurementInvalid(
            f"{name}: edges less than {together_s * 1e6:.3g} us apart for {length_s[k] * 1e6:.4g} us from"
            f" {first_s[k]:.6f} s on: the line oscillates or floats",
            fix="check that the pin drives the line (output, not an input with a pull), the wire and the"
            " common ground; sample faster if the firmware really toggles that fast",
        )
    if dips.any():
        k = int(np.argmax(dips))
        raise MeasurementInvalid(
            f"{name}: in {dips.sum()} place{'s' if dips.sum() > 1 else ''} the line is low for less than"
            f" {together_s * 1e6:.3g} us between"
            f" two high levels (first at {first_s[k]:.6f} s): a disturbance inside a window can't be told"
            " from the pause between two windows",
            fix="let the firmware keep the line low for longer between two windows; if it does, check the"
            " wire and the common ground",
        )
