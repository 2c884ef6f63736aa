"""Which edge of one record is which edge of another, when both saw the same line on clocks of their own.

The offset between the clocks is unknown or known within bounds, their rates differ a little, and either may
have missed a few edges. Every placing that puts one of a few anchor edges onto an edge of the reference is
tried; the one within the bounds that explains most edges wins, if no other explains nearly as many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.bounce import SHORTEST_PULSE_S, settle
from pytest_lan_hil.measure.windows import edge_times, starts_high, watched_s
from pytest_lan_hil.model.capture import EdgeLine, MarkerLine
from pytest_lan_hil.model.clock import HOST_TIMEBASE
from pytest_lan_hil.model.errors import MeasurementInvalid

#: Largest relative difference of two clocks that is looked for: the host's and a crystal of 100 ppm.
MAX_RATE = HOST_TIMEBASE + 1e-4
#: The other clock's time 0 on the reference, lowest and highest, where nothing is known of it.
ANYWHERE = (-math.inf, math.inf)
# Time stamps of a host come as late as its interrupts do, which few drivers can put a figure to.
_LATE_S = 20e-6
_ANCHORS = 5
# A placing must explain this many edges more than the next best, or twice as many. Two are won by chance
# where a periodic line was cut differently by both records.
_LEAD = 3
# An edge that one record missed although it was watching speaks against a placing more than one that it could
# not have seen.
_MISSED = 2
# Both records are made around the same work, so that neither has seen many more edges before an edge than the
# other; this keeps the time for long records linear.
_MOST_SHIFTED = 200
# Of four edges that both should have seen at most one may be missing in one of the records.
_MOST_MISSING = 1 / 3
_ROUNDS = 8
_CELLS = 1 << 20


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of a line, and the time in which it was watched.

    Attributes:
        times_s: shape (n,), float64, rising, without bounce.
        watched_s: The line was watched from 0 until then ...
        lost: ... but for these spans.
        resolution_s, jitter_s: See `EdgeLine`.
    """

    times_s: NDArray[np.float64]
    watched_s: float
    lost: tuple[tuple[float, float], ...]
    resolution_s: float
    jitter_s: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """Edges that belong together: indices into the reference's and into the other's, shape (n,) each."""

    reference: NDArray[np.int64]
    other: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Placing:
    """`reference = at_s + rate * (other - origin_s)`, and what it explains."""

    origin_s: float
    at_s: float
    rate: float
    pairs: Pairs
    missing: int

    @property
    def score(self) -> int:
        return len(self.pairs.other) - _MISSED * self.missing

    def put(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.at_s + self.rate * (times_s - self.origin_s)

    @property
    def is_good(self) -> bool:
        return len(self.pairs.other) >= 2 and self.missing <= _MOST_MISSING * len(self.pairs.other)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the two clocks.

    Attributes:
        tolerance_s: How far apart two stamps of one edge may be, once the clocks are tied.
        rate: How much their rates differ at most.
        offset_s: The other's time 0 on the reference, lowest and highest.
    """

    tolerance_s: float
    rate: float
    offset_s: tuple[float, float]

    def allows(self, placing: _Placing) -> bool:
        offset_s = placing.at_s - placing.rate * placing.origin_s
        slack_s = self.tolerance_s + self.rate * placing.origin_s
        return self.offset_s[0] - slack_s <= offset_s <= self.offset_s[1] + slack_s


def edges_of(line: MarkerLine | EdgeLine) -> Edges:
    """The edges of a marker line, without bounce.

    Raises:
        MeasurementInvalid: See `measure.windows.find_windows`.
    """
    times = edge_times(line)
    resolution_s = line.resolution_s if isinstance(line, EdgeLine) else 1.0 / line.sample_rate_hz
    settled = settle(
        times,
        high_at_start=starts_high(line),
        shortest_s=SHORTEST_PULSE_S,
        resolution_s=resolution_s,
        name="the sync line",
    )
    return Edges(
        settled.times_s,
        watched_s(line),
        line.lost if isinstance(line, EdgeLine) else (),
        resolution_s + settled.bounce_s,
        line.jitter_s if isinstance(line, EdgeLine) else 0.0,
    )


def match(
    reference: Edges,
    other: Edges,
    *,
    rate: float = MAX_RATE,
    offset_s: tuple[float, float] = ANYWHERE,
) -> Pairs:
    """The edges that both records have.

    Args:
        reference: On the clock that is kept.
        other: On the other clock.
        rate: How much the rates of the clocks differ at most.
        offset_s: The other clock's time 0 on the reference, lowest and highest.

    Raises:
        MeasurementInvalid: Too few edges, no placing explains them, several do, or one that `offset_s`
            excludes does far better; says what was seen.
    """
    seen = (
        f"{len(reference.times_s)} edges in {reference.watched_s:.3f} s on the one clock,"
        f" {len(other.times_s)} in {other.watched_s:.3f} s on the other"
    )
    if min(len(reference.times_s), len(other.times_s)) < 2:
        raise MeasurementInvalid(
            f"{seen}: at least one whole pulse must be in both",
            fix="let both records start before the first pulse of the sync line; check its wire to both",
        )
    known = _Known(_tolerance(reference, other), rate, offset_s)
    best, second, excluded = _best_placings(reference, other, known)
    least = 0 if best is None else best.score + _LEAD
    if excluded is not None and excluded.is_good and excluded.score >= least:
        off_s = excluded.at_s - excluded.rate * excluded.origin_s
        raise MeasurementInvalid(
            f"{seen}: the patterns match if the other record began at {off_s:.6f} s of the one clock, but by"
            f" the times of both it began between {offset_s[0]:.6f} and {offset_s[1]:.6f} s",
            fix="check that both inputs are wired to the same line; if they are, one of the instruments"
            " states its time of start wrong: report it",
        )
    if best is None or not best.is_good:
        found = (0, 0) if best is None else (len(best.pairs.other), best.missing)
        raise MeasurementInvalid(
            f"{seen}: the two patterns don't match (at best {found[0]} edges agree and {found[1]} are missing"
            " in one of them)",
            fix="check that both inputs are wired to the same line, and that neither record lost edges",
        )
    if second is not None and second.score > max(best.score - _LEAD, best.score / 2):
        apart_s = abs(float(np.median(best.put(other.times_s) - second.put(other.times_s))))
        raise MeasurementInvalid(
            f"{seen}: the patterns match in two ways, {apart_s * 1e3:.6g} ms apart ({len(best.pairs.other)}"
            f" and {len(second.pairs.other)} edges agree)",
            fix="let both records start well before the first pulse of the sync line and end well after its"
            " last, or make its pulses irregular",
        )
    return best.pairs


def _best_placings(
    reference: Edges, other: Edges, known: _Known
) -> tuple[_Placing | None, _Placing | None, _Placing | None]:
    """The best placing, the best that is another than this, and the best of those that can't be."""
    best: _Placing | None = None
    second: _Placing | None = None
    excluded: _Placing | None = None
    for bound, i, j in _candidates(reference, other, known):
        if best is not None and bound <= best.score - _LEAD:
            break  # no placing after this one can come near
        placing = _refined(reference, other, i, j, known)
        if not known.allows(placing):
            if excluded is None or placing.score > excluded.score:
                excluded = placing
        elif best is None or placing.score > best.score:
            if best is not None and not _same(best, placing, other, known.tolerance_s):
                second = best
            best = placing
        elif not _same(best, placing, other, known.tolerance_s) and (
            second is None or placing.score > second.score
        ):
            second = placing
    return best, second, excluded


def _tolerance(reference: Edges, other: Edges) -> float:
    """How far apart two stamps of one edge may be, once the clocks are tied."""
    needed = reference.resolution_s + other.resolution_s + 2 * (reference.jitter_s + other.jitter_s)
    spacing = min(float(np.diff(reference.times_s).min()), float(np.diff(other.times_s).min()))
    # Interrupts have a long tail: one of many edges is later than jitter says, and is the same edge still.
    return max(needed, min(max(_LATE_S, 2 * needed), spacing / 8))


def _candidates(reference: Edges, other: Edges, known: _Known) -> list[tuple[int, int, int]]:
    """Placings (edge of the reference, anchor edge of the other), each with a bound of its score; best first.

    The bound lets the rates differ by all that they may, so that the score after fitting can't be higher.
    """
    count = len(other.times_s)
    anchors = np.unique(np.linspace(0, count - 1, min(count, _ANCHORS)).round().astype(np.int64))
    found = []
    for j in anchors.tolist():
        from_anchor = other.times_s - other.times_s[j]
        # Twice: the anchor's own stamp is off as well.
        allowed = 2 * known.tolerance_s + known.rate * np.abs(from_anchor)
        shifted = abs(len(reference.times_s) - count) + _MOST_SHIFTED
        places = np.arange(max(0, j - shifted), min(len(reference.times_s), j + shifted + 1))
        for some in np.array_split(places, len(places) * count // _CELLS + 1):
            at = reference.times_s[some, None] + from_anchor
            near = _nearest(reference.times_s, at)
            agree = np.abs(reference.times_s[near] - at) <= allowed
            must = (
                (at > allowed) & (at < reference.watched_s - allowed) & ~_within(at, reference.lost, allowed)
            )
            scores = agree.sum(axis=1) - _MISSED * (must & ~agree).sum(axis=1)
            found += [(score, i, j) for score, i in zip(scores.tolist(), some.tolist(), strict=True)]
    return sorted(found, key=lambda one: -one[0])


def _refined(reference: Edges, other: Edges, i: int, j: int, known: _Known) -> _Placing:
    """Fit the rate from the anchor outwards, as far as an edge can't be taken for its neighbour."""
    origin_s, at_s, rate = float(other.times_s[j]), float(reference.times_s[i]), 1.0
    tolerance_s = known.tolerance_s
    loose, doubt_s = known.rate, 2 * tolerance_s
    spacing = float(np.diff(reference.times_s).min())
    for _ in range(_ROUNDS):
        allowed = doubt_s + loose * np.abs(other.times_s - origin_s)
        sure = np.flatnonzero(allowed <= max(2 * tolerance_s, spacing / 3))
        guess = _Placing(origin_s, at_s, rate, Pairs(sure, sure), 0)
        pairs = _paired(reference, other, guess, sure, allowed[sure])
        if not len(pairs.other):
            break
        x, y = other.times_s[pairs.other], reference.times_s[pairs.reference]
        origin_s, at_s, span_s = float(x.mean()), float(y.mean()), float(np.ptp(x))
        doubt_s = tolerance_s
        if span_s > 0 and 2 * tolerance_s / span_s < known.rate:
            from_middle = x - origin_s
            slope = float(from_middle @ (y - x)) / float(from_middle @ from_middle)
            rate = 1.0 + float(np.clip(slope, -known.rate, known.rate))
            loose = 2 * tolerance_s / span_s
        if len(sure) == len(other.times_s):
            break
    everything = np.arange(len(other.times_s))
    guess = _Placing(origin_s, at_s, rate, Pairs(everything, everything), 0)
    allowed = tolerance_s + loose * np.abs(other.times_s - origin_s)
    pairs = _paired(reference, other, guess, everything, np.minimum(allowed, max(tolerance_s, spacing / 3)))
    missing = _unexplained(guess.put(other.times_s), pairs.other, reference, tolerance_s)
    back = origin_s + (reference.times_s - at_s) / rate
    missing += _unexplained(back, pairs.reference, other, tolerance_s)
    return _Placing(origin_s, at_s, rate, pairs, missing)


def _paired(
    reference: Edges, other: Edges, placing: _Placing, some: NDArray[np.int64], allowed: NDArray[np.float64]
) -> Pairs:
    """Those of the other's edges `some` that have an edge of the reference for themselves."""
    at = placing.put(other.times_s[some])
    near = _nearest(reference.times_s, at)
    mutual = _nearest(at, reference.times_s[near]) == np.arange(len(at))
    agree = mutual & (np.abs(reference.times_s[near] - at) <= allowed)
    return Pairs(near[agree], some[agree])


def _unexplained(at: NDArray[np.float64], paired: NDArray[np.int64], by: Edges, tolerance_s: float) -> int:
    """How many edges at `at` have no partner although the other record was watching then."""
    must = (at > tolerance_s) & (at < by.watched_s - tolerance_s) & ~_within(at, by.lost, tolerance_s)
    must[paired] = False
    return int(must.sum())


def _within(
    at: NDArray[np.float64], spans: tuple[tuple[float, float], ...], margin: float | NDArray[np.float64]
) -> NDArray[np.bool_]:
    inside = np.zeros(at.shape, bool)
    for start, stop in spans:
        inside |= (at >= start - margin) & (at <= stop + margin)
    return inside


def _nearest(sorted_s: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.int64]:
    after = np.clip(np.searchsorted(sorted_s, at), 1, max(len(sorted_s) - 1, 1))
    if len(sorted_s) < 2:
        return np.zeros(at.shape, np.int64)
    before = after - 1
    return np.where(at - sorted_s[before] <= sorted_s[after] - at, before, after)


def _same(one: _Placing, two: _Placing, other: Edges, tolerance_s: float) -> bool:
    apart = np.abs(one.put(other.times_s) - two.put(other.times_s))
    return bool(np.median(apart) <= 2 * tolerance_s)
