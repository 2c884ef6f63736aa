"""Our energy of a window against what another program reported of it.

MLPerf Tiny's runner sums whole samples, from the first one at or after each edge. Its time stamps are rounded
to one sample, so each end of its sum lies 0 or 1 sample after the stamp: four alignments. Its energy by its
power is the number of samples that it summed, which tells them apart but for start and end both shifted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.files.results import ReportedWindow
from pytest_lan_hil.measure.analysis import WindowEnergy
from pytest_lan_hil.measure.energy import energies
from pytest_lan_hil.model.capture import Capture

# A report gives times to 0.01 s.
_REPORTED_S = 0.01


@dataclass(frozen=True, slots=True)
class Comparison:
    """One reported window and ours.

    Attributes:
        reported: The report.
        ours: Our window between the same two time stamps; None if there is none that can be used.
        shift: Samples after the rounded time stamps at which the report's sum starts and ends; None if
            unknown.
        summed_uj: The sum over exactly these samples.
    """

    reported: ReportedWindow
    ours: WindowEnergy | None
    shift: tuple[int, int] | None = None
    summed_uj: float | None = None

    @property
    def deviation(self) -> float | None:
        """Our energy against the reported one, relative; None where either is missing or 0."""
        return None if self.ours is None else _relative(self.ours.energy_uj, self.reported)

    @property
    def summed_deviation(self) -> float | None:
        """The sum over the report's own samples against the reported energy, relative; None likewise."""
        return None if self.summed_uj is None else _relative(self.summed_uj, self.reported)

    @property
    def inside(self) -> bool:
        """Whether the reported energy lies inside our stated uncertainty."""
        if self.ours is None:
            return False
        return abs(self.ours.energy_uj - self.reported.energy_uj) <= self.ours.energy_uncertainty_uj


def compare(
    capture: Capture,
    stamps_s: NDArray[np.float64],
    ours: Sequence[WindowEnergy],
    reported: Sequence[ReportedWindow],
) -> list[Comparison]:
    """Each reported window and ours between the same time stamps.

    Args:
        capture: The record.
        stamps_s: shape (n,), the time stamps that `ours` was measured between.
        ours: Our windows; those that can't be used are left out.
        reported: The report.
    """
    by_index = {window.index: window for window in ours}
    found = []
    for one in reported:
        at = _place(one, stamps_s)
        if at is None:
            found.append(Comparison(one, None))
            continue
        shift, summed_uj = _alignment(capture, one, float(stamps_s[at]), float(stamps_s[at + 1]))
        found.append(Comparison(one, by_index.get(at + 1), shift, summed_uj))
    return found


def _relative(energy_uj: float, reported: ReportedWindow) -> float | None:
    return energy_uj / reported.energy_uj - 1 if reported.energy_uj else None


def _place(reported: ReportedWindow, stamps_s: NDArray[np.float64]) -> int | None:
    """Which time stamp the reported window starts at: by its number if the times agree, else by its times."""
    starts = np.abs(stamps_s[:-1] - reported.start_s) <= _REPORTED_S
    lengths = np.abs(np.diff(stamps_s) - reported.duration_s) <= _REPORTED_S
    fits = np.flatnonzero(starts & lengths)
    if reported.number - 1 in fits:
        return reported.number - 1
    return int(fits[0]) if len(fits) == 1 else None


def _alignment(
    capture: Capture, reported: ReportedWindow, start_s: float, stop_s: float
) -> tuple[tuple[int, int] | None, float | None]:
    """The whole samples that the report summed, and our sum over them, uJ."""
    if not reported.power_uw > 0:
        return None, None
    rate = capture.sample_rate_hz
    first, last = round(start_s * rate), round(stop_s * rate)
    count = round(reported.energy_uj / reported.power_uw * rate)
    shifts = [(a, b) for a in (0, 1) for b in (0, 1) if last + b - first - a == count]
    shifts = [(a, b) for a, b in shifts if last + b <= capture.count]
    if not shifts:
        return None, None
    starts = np.array([first + a for a, _ in shifts])
    stops = np.array([last + b for _, b in shifts])
    sums = energies(capture, starts / rate, stops / rate) * 1e6
    best = int(np.argmin(np.abs(sums - reported.energy_uj)))
    return shifts[best], float(sums[best])
