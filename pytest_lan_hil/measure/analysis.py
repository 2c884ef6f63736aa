"""The energy of each single window, with its uncertainty: what `lan-hil analyze` prints.

`measure.quantities` makes one measurement of all windows; here each stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.measure.energy import energies
from pytest_lan_hil.measure.soundness import require_finite, require_sound, usable_windows
from pytest_lan_hil.measure.uncertainty import combined, unbounded, window_contributions
from pytest_lan_hil.measure.windows import Windows
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import MeasurementInvalid
from pytest_lan_hil.model.measurement import Contribution


@dataclass(frozen=True, slots=True)
class WindowEnergy:
    """One window's energy.

    Attributes:
        index: Counted from 1, windows that can't be used included.
        start_s: When the window starts, seconds of the capture's clock.
        duration_s: Its length.
        energy_uj: Energy between its edges.
        energy_uncertainty_uj: Half-width at 95 %.
        mean_power_uw: Energy by length.
        contributions: What makes up the uncertainty, in uJ.
    """

    index: int
    start_s: float
    duration_s: float
    energy_uj: float
    energy_uncertainty_uj: float
    mean_power_uw: float
    contributions: tuple[Contribution, ...]


def window_energies(capture: Capture, windows: Windows, *, name: str = "marked") -> tuple[WindowEnergy, ...]:
    """Energy of every window that can be used (`soundness.usable_windows` says why others can't).

    The others are left out; their numbers are missing from `index`.

    Args:
        capture: The record.
        windows: Their edges, and what is known of the edges' time stamps.
        name: What messages call the windows: the marker line's name.

    Raises:
        MeasurementInvalid: The record is damaged or incomplete, too much of it is lost, no window can be
            used, or a sample in one is not a finite number.
    """
    require_sound(capture)
    if not len(windows):
        raise MeasurementInvalid(
            f"there are no {name} windows", fix="check the marker line, or give at least two time stamps"
        )
    usable, _ = usable_windows(capture, windows, name)
    return energies_of(capture, windows, usable)


def energies_of(capture: Capture, windows: Windows, usable: NDArray[np.bool_]) -> tuple[WindowEnergy, ...]:
    """Energy of those windows that the caller found to be usable, each for itself.

    Where nobody knows the instrument's error, the uncertainty is what the time stamps of the edges add. Edges
    that add nothing (the ends of the record) leave it without bound: 0 would say that all is exact.

    Args:
        capture: A sound record.
        windows: Their edges, and what is known of the edges' time stamps.
        usable: shape (n,), bool; see `soundness.usability`.

    Raises:
        MeasurementInvalid: A sample in one of them is not a finite number.
    """
    kept = np.flatnonzero(usable)
    start_s, stop_s = windows.start_s[kept], windows.stop_s[kept]
    joules = energies(capture, start_s, stop_s)
    require_finite(capture, joules, start_s, stop_s)
    budgets = window_contributions(
        capture, start_s, stop_s, joules, windows.resolution_s,
        jitter_s=windows.jitter_s, tie_s=windows.tie_s, timebase=windows.timebase,
    )  # fmt: skip
    if max(windows.resolution_s, windows.jitter_s, windows.tie_s) <= 0:
        budgets = [(*budget, *unbounded(capture.accuracy, "uJ")) for budget in budgets]
    return tuple(
        WindowEnergy(
            index=number + 1,
            start_s=start,
            duration_s=duration,
            energy_uj=energy * 1e6,
            energy_uncertainty_uj=combined(budget),
            mean_power_uw=energy / duration * 1e6 if duration > 0 else 0.0,
            contributions=budget,
        )
        for number, start, duration, energy, budget in zip(
            kept.tolist(),
            start_s.tolist(),
            (stop_s - start_s).tolist(),
            joules.tolist(),
            budgets,
            strict=True,
        )
    )
