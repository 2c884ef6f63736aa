"""Captures made by hand, so that the right answer is known before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pytest_lan_hil.model.capture import Accuracy, Capture, Gap, InstrumentIdentity, MarkerLine

EXACT = Accuracy(0.0, 0.0, 0.0, 0.0, 0.0, "made up")


def line(levels: Iterable[int], rate_hz: float = 1e6) -> MarkerLine:
    samples = np.asarray(list(levels), np.uint8)
    return MarkerLine(np.packbits(samples, bitorder="little"), len(samples), rate_hz)


def line_of_windows(windows: Iterable[tuple[int, int]], count: int, rate_hz: float = 1e6) -> MarkerLine:
    samples = np.zeros(count, np.uint8)
    for start, stop in windows:
        samples[start:stop] = 1
    return MarkerLine(np.packbits(samples, bitorder="little"), count, rate_hz)


def capture_of(
    current: object,
    voltage: object = None,
    *,
    rate_hz: float = 1e6,
    markers: dict[str, MarkerLine] | None = None,
    gaps: Iterable[tuple[int, int]] = (),
    accuracy: Accuracy = EXACT,
    supply: str = "measured",
    complete: bool = True,
    simulated: bool = False,
) -> Capture:
    current_a = np.array(current, np.float32)
    voltage_v = np.full(len(current_a), 3.0, np.float32) if voltage is None else np.array(voltage, np.float32)
    for start, stop in gaps:
        current_a[start:stop] = np.nan
        voltage_v[start:stop] = np.nan
    return Capture(
        sample_rate_hz=rate_hz,
        current_a=current_a,
        voltage_v=voltage_v,
        instrument=InstrumentIdentity("Test analyzer", "7", simulated=simulated),
        accuracy=accuracy,
        markers=markers or {},
        gaps=tuple(Gap(start, stop) for start, stop in gaps),
        supply=supply,
        complete=complete,
    )
