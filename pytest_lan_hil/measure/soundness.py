"""What a capture must be before any number may come from it, and which of its windows may be used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.energy import touches_gap
from pytest_lan_hil.measure.windows import Windows
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import MeasurementInvalid

# More dropped samples than this say that the bench can't keep up; nothing it delivers is representative.
MAX_LOST_SHARE = 0.01
# Gaps hit long windows more often than short ones: beyond this share the windows left over are a selection.
MAX_UNUSABLE_SHARE = 0.1


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
    if not len(capture.current_a):
        raise MeasurementInvalid(
            "the capture is empty: the analyzer delivered no samples",
            fix="check the analyzer's USB connection, then run `lan-hil doctor`",
        )
    if len(capture.current_a) != len(capture.voltage_v):
        raise MeasurementInvalid(
            f"the capture has {len(capture.current_a)} samples of current and {len(capture.voltage_v)}"
            " of voltage",
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
        f"{what} were lost: {capture.instrument} dropped samples in {len(capture.gaps)} places",
        fix="plug the analyzer into a USB port of its own, and keep the host less busy while it records",
    )


def usable_windows(
    capture: Capture, windows: Windows, marker: str
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Which windows may be used, and what the reader must know about the others.

    Returns:
        shape (n,), bool, at least one true; and notes.

    Raises:
        MeasurementInvalid: Too many windows overlap dropped samples, or none is left.
    """
    lost = touches_gap(capture.gaps, capture.sample_rate_hz, windows.start_s, windows.stop_s)
    beyond = windows.stop_s * capture.sample_rate_hz > len(capture.current_a) + 1e-6
    if lost.mean() > MAX_UNUSABLE_SHARE:
        raise lost_too_much(capture, f"samples in {lost.sum()} of {len(windows)} {marker} windows")
    usable = ~(lost | beyond)
    if not usable.any():
        raise MeasurementInvalid(
            f"none of the {len(windows)} {marker} windows lies wholly inside the capture's"
            f" {capture.duration_s:.3f} s of current and voltage",
            fix="record longer",
        )
    notes: tuple[str, ...] = ()
    if lost.any():
        notes += (f"{lost.sum()} of {len(windows)} windows overlap dropped samples and are not used",)
    cut = int(windows.open_at_start) + int(windows.open_at_end) + int((beyond & ~lost).sum())
    if cut:
        notes += (f"{cut} window{'s' if cut > 1 else ''} cut by the start or end of the record, not used",)
    return usable, notes


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
    current, voltage = capture.current_a[first:last], capture.voltage_v[first:last]
    where = np.flatnonzero(~(np.isfinite(current) & np.isfinite(voltage)))
    at = first + (int(where[0]) if where.size else 0)
    raise MeasurementInvalid(
        f"sample {at} (at {at / capture.sample_rate_hz:.6f} s) is {capture.current_a[at]} A and"
        f" {capture.voltage_v[at]} V, and lies in no gap",
        fix="the record is damaged, or the analyzer was overloaded: check its range and record again",
    )
