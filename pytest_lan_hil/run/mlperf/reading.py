"""From the record of one measured window to its length and energy. Pure.

An official energy DUT pulls a GPIO low for at least 1 us at each time stamp, so the window lies between two
falling edges of a line that the bench calls `timestamp` (EnergyRunner README). Firmware of this project holds
`phase` high from the first to the end of the last inference instead (docs/reference/dut-console.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.quantities import energy, latency
from pytest_lan_hil.measure.soundness import require_sound, usable_windows
from pytest_lan_hil.measure.windows import Windows, edge_times, find_windows, starts_high, windows_of
from pytest_lan_hil.model.capture import Capture, EdgeLine, MarkerLine
from pytest_lan_hil.model.errors import MeasurementInvalid
from pytest_lan_hil.model.measurement import Contribution
from pytest_lan_hil.run.mlperf.rules import TIMESTAMP_HOLD_S

TIMESTAMP = "timestamp"
PHASE = "phase"
INFERENCE = "inference"


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """What the analyzer says about one window.

    Attributes:
        start_s: When it began, on the capture's clock.
        duration_s, duration_error_s: Its length, and the 95 % half-width of the instrument's error.
        energy_uj, energy_error_uj: Its energy, likewise.
        contributions: What `energy_error_uj` consists of.
        lost_share: Share of the capture's samples that were dropped.
        marker: The line that it was read from.
        notes: What a reader must know.
    """

    start_s: float
    duration_s: float
    duration_error_s: float
    energy_uj: float
    energy_error_uj: float
    contributions: tuple[Contribution, ...]
    lost_share: float
    marker: str
    notes: tuple[str, ...]


def read_window(capture: Capture, inferences: int) -> EnergyReading:
    """Measure the one window of a capture that was made around one `infer`.

    Args:
        capture: With a marker line `timestamp` or `phase`.
        inferences: How many the DUT was told to measure.

    Raises:
        MeasurementInvalid: The record is damaged, cut short or has gaps in the window; neither line is
            recorded, it does not show one window, or the `inference` line shows another number of inferences.
    """
    require_sound(capture)
    with _blaming_what_was_lost(capture):
        capture, marker, windows = _shown(capture)
    usable_windows(capture, windows, marker)
    with _blaming_what_was_lost(capture):
        _require_count(capture, inferences)
    length, joules = latency(capture, marker), energy(capture, marker)
    return EnergyReading(
        start_s=float(windows.start_s[0]),
        duration_s=length.values[0] * 1e-3,
        duration_error_s=length.estimate.instrument_error * 1e-3,
        energy_uj=joules.values[0],
        energy_error_uj=joules.estimate.instrument_error,
        contributions=joules.contributions,
        lost_share=capture.lost_share,
        marker=marker,
        notes=tuple(dict.fromkeys((*capture.notes, *joules.notes))),
    )


@contextmanager
def _blaming_what_was_lost(capture: Capture) -> Iterator[None]:
    """Lines that show something else than one `infer` say nothing of the DUT where edges may be missing."""
    try:
        yield
    except MeasurementInvalid as error:
        holes = [gap.start / capture.sample_rate_hz for gap in capture.gaps]
        lines = [line for line in capture.markers.values() if isinstance(line, EdgeLine)]
        holes += [start for line in lines for start, _ in line.lost]
        if not holes:
            raise
        raise MeasurementInvalid(
            f"{error.problem}; but the record has {len(holes)} hole{'s' if len(holes) > 1 else ''} (first at"
            f" {min(holes):.6f} s) in which edges may be missing, so that this is not the DUT's fault",
            fix="plug the analyzer into a USB port of its own, and keep the host less busy while it records",
        ) from error


def _shown(capture: Capture) -> tuple[Capture, str, Windows]:
    """The capture with a line that is high in the window; that line's name, and the one window."""
    if TIMESTAMP in capture.markers:
        marker = TIMESTAMP
        capture = replace(capture, markers={**capture.markers, marker: _between_stamps(capture)})
    elif PHASE in capture.markers:
        marker = PHASE
    else:
        raise MeasurementInvalid(
            f"the record has no marker line that shows the window: it has {_names(capture)}, not"
            f" {TIMESTAMP!r} (an official energy DUT's time stamp pin) nor {PHASE!r}",
            fix=f'wire the pin to the analyzer and name its input: [markers] {TIMESTAMP} = "gpi0"',
        )
    windows = windows_of(capture, marker)
    if len(windows) != 1:
        raise MeasurementInvalid(
            f"marker line {marker!r} shows {len(windows)} windows during one `infer`, expected one",
            fix="check that nothing else drives that line while inferences run",
        )
    return capture, marker, windows


def falling_edges(line: MarkerLine | EdgeLine) -> NDArray[np.float64]:
    """When a line fell, noise of each fall left out; shape (n,), seconds on the capture's clock."""
    edges = edge_times(line)
    falls = edges[0 if starts_high(line) else 1 :: 2]
    kept: list[float] = []
    for fall in falls.tolist():
        if not kept or fall - kept[-1] > TIMESTAMP_HOLD_S:
            kept.append(fall)
    return np.asarray(kept)


def _between_stamps(capture: Capture) -> EdgeLine:
    """A line that is high from the first time stamp to the second."""
    line = capture.markers[TIMESTAMP]
    falls = falling_edges(line)
    if len(falls) != 2:
        raise MeasurementInvalid(
            f"marker line {TIMESTAMP!r} fell {len(falls)} times during one `infer`, expected a time stamp"
            " before and one after the inferences",
            fix="build the firmware with EE_CFG_ENERGY_MODE=1, hold the pin low for at least 1 us and longer"
            " than a sample of the analyzer, and check the wire",
        )
    if isinstance(line, EdgeLine):
        return replace(line, times_s=falls, high_at_start=False)
    return EdgeLine(
        falls,
        high_at_start=False,
        duration_s=line.count / line.sample_rate_hz,
        resolution_s=1 / line.sample_rate_hz,
    )


def _require_count(capture: Capture, inferences: int) -> None:
    line = capture.markers.get(INFERENCE)
    if line is None:
        return
    seen = len(find_windows(line))
    if seen != inferences:
        raise MeasurementInvalid(
            f"marker line {INFERENCE!r} shows {seen} inferences, the DUT was told to run {inferences}",
            fix="check the wire of that line; if it is sound, the firmware does not do what it says",
        )


def _names(capture: Capture) -> str:
    return ", ".join(sorted(capture.markers)) or "none"
