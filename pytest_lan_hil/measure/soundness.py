"""What a capture must be before any number may come from it, and which of its windows may be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.energy import touches_gap
from pytest_lan_hil.measure.nesting import nested
from pytest_lan_hil.measure.windows import Windows, find_windows, high_spans, watched_s
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import MeasurementInvalid

# More dropped samples than this say that the bench can't keep up; nothing it delivers is representative.
MAX_LOST_SHARE = 0.01
# Gaps hit long windows more often than short ones: beyond this share the windows left over are a selection.
MAX_UNUSABLE_SHARE = 0.1
# Two windows and the pause between them take a whole number of periods and one window, to this share of a
# window; with fewer windows than this the period isn't known well enough to say so.
_SAME_LENGTH = 0.1
_FEWEST_FOR_A_PERIOD = 5


def require_sound(capture: Capture) -> None:
    """Refuse a record that no number may come from.

    Raises:
        MeasurementInvalid: Empty, damaged, cut short, or too many samples dropped.
    """
    if not (np.isfinite(capture.sample_rate_hz) and capture.sample_rate_hz > 0):
        raise MeasurementInvalid(
            f"the capture has {capture.sample_rate_hz} samples per second",
            fix="record again; a file with this rate is damaged",
        )
    if not capture.count:
        raise MeasurementInvalid(
            "the capture is empty: the analyzer delivered no samples",
            fix="check the analyzer's USB connection, then run `lan-hil doctor`",
        )
    factors = {len(capture.current_a), len(capture.voltage_v)}
    if len(factors) > 1 or not factors <= {0, capture.count}:
        raise MeasurementInvalid(
            f"the capture has {len(capture.current_a)} samples of current and {len(capture.voltage_v)}"
            " of voltage" + ("" if capture.power_w is None else f" beside {capture.count} of power"),
            fix="record again; the record is damaged",
        )
    if not capture.complete:
        raise MeasurementInvalid(
            f"{capture.instrument} stopped after {capture.duration_s:.3f} s, before it was told to",
            fix="check the analyzer's cable, then run `lan-hil doctor`",
        )
    if capture.lost_share > MAX_LOST_SHARE:
        raise lost_too_much(capture, f"{capture.lost_share:.2%} of the samples (limit {MAX_LOST_SHARE:.0%})")


def lost_too_much(capture: Capture, what: str) -> MeasurementInvalid:
    """The error for a record with too many dropped samples; `what` starts the sentence."""
    return MeasurementInvalid(
        f"{what} were lost: {str(capture.instrument).strip()} dropped samples in {len(capture.gaps)} places",
        fix="plug the analyzer into a USB port of its own, and keep the host less busy while it records",
    )


@dataclass(frozen=True, slots=True)
class Usability:
    """Which windows of a capture may be used, and what keeps the others from it.

    Attributes:
        dropped: shape (n,), bool: samples were dropped inside the window.
        unseen: shape (n,), bool: edges may be missing inside it.
        outside: shape (n,), bool: it lies partly outside the capture.
        refusal: Why no number may come from any of them; None if nothing is against it.
        notes: What a reader of a number from the others must know.
    """

    dropped: NDArray[np.bool_]
    unseen: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    refusal: MeasurementInvalid | None
    notes: tuple[str, ...]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """shape (n,), bool."""
        return ~(self.dropped | self.unseen | self.outside)


def usability(capture: Capture, windows: Windows, marker: str) -> Usability:
    """Look at each window for itself, and whether those that are left over may stand for all.

    Args:
        capture: The record.
        windows: At least one.
        marker: What messages call them: the marker line's name.
    """
    dropped = touches_gap(capture.gaps, capture.sample_rate_hz, windows.start_s, windows.stop_s)
    unseen = _touches_lost(windows)
    outside = (windows.start_s * capture.sample_rate_hz < -1e-6) | (
        windows.stop_s * capture.sample_rate_hz > capture.count + 1e-6
    )
    refusal = None
    if dropped.mean() > MAX_UNUSABLE_SHARE:
        refusal = lost_too_much(capture, f"samples in {dropped.sum()} of {len(windows)} {marker} windows")
    elif unseen.mean() > MAX_UNUSABLE_SHARE:
        refusal = MeasurementInvalid(
            f"{unseen.sum()} of {len(windows)} {marker} windows touch a time in which edges may be missing"
            f" ({len(windows.lost)} such times, first from {windows.lost[0][0]:.6f} s)",
            fix="make the edge source's buffer larger, or keep the host less busy while it records",
        )
    elif (dropped | unseen | outside).all():
        refusal = MeasurementInvalid(
            f"none of the {len(windows)} {marker} windows lies wholly inside the capture's"
            f" {capture.duration_s:.3f} s of {'current and voltage' if capture.power_w is None else 'power'}",
            fix="record longer",
        )
    notes = windows.notes
    if dropped.any():
        notes += (f"{dropped.sum()} of {len(windows)} windows overlap dropped samples and are not used",)
    if unseen.any():
        notes += (
            f"{unseen.sum()} of {len(windows)} windows touch a time in which edges may be missing and are not"
            " used",
        )
    cut = int(windows.open_at_start) + int(windows.open_at_end) + int((outside & ~dropped & ~unseen).sum())
    if cut:
        notes += (f"{cut} window{'s' if cut > 1 else ''} cut by the start or end of the record, not used",)
    return Usability(dropped, unseen, outside, refusal, notes)


def usable_windows(
    capture: Capture, windows: Windows, marker: str
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Which windows may be used, and what the reader must know about the others.

    Returns:
        shape (n,), bool, at least one true; and notes.

    Raises:
        MeasurementInvalid: Too many windows overlap dropped samples, or none is left.
    """
    found = usability(capture, windows, marker)
    if found.refusal is not None:
        raise found.refusal
    return found.usable, found.notes


def _touches_lost(windows: Windows) -> NDArray[np.bool_]:
    touched = np.zeros(len(windows), bool)
    for start, stop in windows.lost:
        touched |= (windows.start_s <= stop) & (windows.stop_s >= start)
    return touched


def check_markers(capture: Capture, *, inner: str = "inference", outer: str = "phase") -> tuple[str, ...]:
    """Refuse marker lines that contradict each other, and name what else is wrong with them.

    A line that the capture lacks or that never moves is not an error here: who needs its windows says so.

    Args:
        capture: The record.
        inner: The line that is high for one piece of work.
        outer: The line that is high while several of these are measured.

    Returns:
        What a reader of any number from these lines must know: bounce, edges that may be missing, windows
        of the inner line that an edge of the outer line falls into.

    Raises:
        MeasurementInvalid: A line bounces too much, or the two lines are swapped.
    """
    found = {
        name: find_windows(line, name=f"marker line {name!r}")
        for name, line in sorted(capture.markers.items())
        if watched_s(line) > 0
    }
    notes: tuple[str, ...] = ()
    for name, windows in found.items():
        notes += windows.notes + _lost_edges(name, windows) + _merged(name, windows)
    if inner not in found or outer not in found:
        return notes
    _refuse_swapped(capture, found, inner, outer)
    straddles = nested(found[inner], found[outer]).straddles
    if straddles.any():
        first = found[inner].start_s[np.argmax(straddles)]
        notes += (
            f"{straddles.sum()} of {len(straddles)} {inner!r} windows lie across an edge of {outer!r} (first"
            f" at {first:.6f} s): {outer!r} should be high for the whole of each",
        )
    return notes


def _lost_edges(name: str, windows: Windows) -> tuple[str, ...]:
    if not windows.lost:
        return ()
    start, stop = windows.lost[0]
    return (
        f"marker line {name!r}: edges may be missing in {len(windows.lost)}"
        f" place{'s' if len(windows.lost) > 1 else ''} (first from {start:.6f} to {stop:.6f} s)",
    )


def _merged(name: str, windows: Windows) -> tuple[str, ...]:
    """Windows as long as several and the pauses between them; on sampled lines no lost edge is reported."""
    if len(windows) < _FEWEST_FOR_A_PERIOD:
        return ()
    length_s = float(np.median(windows.duration_s))
    period_s = float(np.median(np.diff(windows.start_s)))
    excess_s = windows.duration_s - length_s
    more = np.round(excess_s / period_s)
    merged = (more >= 1) & (np.abs(excess_s - more * period_s) < _SAME_LENGTH * length_s)
    if not merged.any():
        return ()
    k = int(np.argmax(merged))
    return (
        f"marker line {name!r}: {merged.sum()} of {len(windows)} windows (first at"
        f" {windows.start_s[k]:.6f} s) last as long as {int(more[k]) + 1} and the pause between: a fall and a"
        " rise may be missing",
    )


def _refuse_swapped(capture: Capture, found: Mapping[str, Windows], inner: str, outer: str) -> None:
    def held_by(held: str, holder: str) -> NDArray[np.int64]:
        """Levels that the record cuts hold windows as well as whole ones."""
        starts, stops = high_spans(capture.markers[holder])
        return nested(found[held], replace(found[holder], start_s=starts, stop_s=stops)).outer

    if not found[inner].edges:
        return  # stuck, which says nothing of the other line
    holders = held_by(outer, inner)
    wrong = int((holders >= 0).sum())
    if wrong * 2 <= len(holders) or (held_by(inner, outer) >= 0).any():
        return
    levels = len(np.unique(holders[holders >= 0]))
    median_ms = float(np.median(found[outer].duration_s)) * 1e3
    raise MeasurementInvalid(
        f"marker lines {inner!r} and {outer!r} look swapped: {wrong} of {len(holders)} {outer!r} windows"
        f" (median {median_ms:.6g} ms, first at {found[outer].start_s[0]:.6f} s) lie inside {levels} high"
        f" level{'s' if levels > 1 else ''} of {inner!r}, and no {inner!r} window lies inside one of"
        f" {outer!r}",
        fix=f"swap the two wires, or the inputs of {inner} and {outer} under [markers] in the bench file; if"
        f" the firmware marks parts of an inference, call that line something else than {outer}",
    )


def require_finite(
    capture: Capture, joules: NDArray[np.float64], start_s: NDArray[np.float64], stop_s: NDArray[np.float64]
) -> None:
    """Refuse energies that a NaN or an infinite sample went into.

    Args:
        capture: The record.
        joules: shape (n,), energies of intervals that touch no gap.
        start_s: shape (n,), seconds.
        stop_s: shape (n,), seconds.

    Raises:
        MeasurementInvalid: Names the first such sample.
    """
    bad = np.flatnonzero(~np.isfinite(joules))
    if not bad.size:
        return
    first = int(start_s[bad[0]] * capture.sample_rate_hz)
    last = int(np.ceil(stop_s[bad[0]] * capture.sample_rate_hz))
    if capture.power_w is None:
        finite = np.isfinite(capture.current_a[first:last]) & np.isfinite(capture.voltage_v[first:last])
    else:
        finite = np.isfinite(capture.power_w[first:last])
    where = np.flatnonzero(~finite)
    at = first + (int(where[0]) if where.size else 0)
    if capture.power_w is None:
        value = f"{capture.current_a[at]} A and {capture.voltage_v[at]} V"
    else:
        value = f"{capture.power_w[at]} W"
    raise MeasurementInvalid(
        f"sample {at} (at {at / capture.sample_rate_hz:.6f} s) is {value}, and lies in no gap",
        fix="the record is damaged, or the analyzer was overloaded: check its range and record again",
    )
