"""Paced sampling of a chip that converts on its own clock, and the record on a uniform grid.

The chip's oscillator is off by up to a tenth (SBOS448G, 7.5: 532 us typical, 586 us at most), so nobody knows
when the next conversion ends: it is looked for from shortly before it is due, in steps of an eighth of the
period, and stamped when it is seen.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.ina_bus import BusError
from pytest_lan_hil.instruments.ina_chip import Chip
from pytest_lan_hil.instruments.pace import Repeat, Repetition
from pytest_lan_hil.model.capture import Gap
from pytest_lan_hil.model.clock import Clock

_DUE = 0.85
_STEP = 1 / 8
# Transfers may fail (noise, another master); if none succeeds for this long, the device is gone.
_GONE_AFTER_S = 0.1
# A conversion that is seen later than this many periods after the one before leaves a gap.
_LATE = 1.5


@dataclass(frozen=True, slots=True)
class Conversions:
    """What was sampled: shape (n,) each, float64.

    Attributes:
        times_s: When each conversion was seen to have ended, seconds from the start, rising.
        shunt_v, bus_v: Volts.
        energy_j: Since the conversion before; None where the chip doesn't accumulate.
    """

    times_s: NDArray[np.float64]
    shunt_v: NDArray[np.float64]
    bus_v: NDArray[np.float64]
    energy_j: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Cells:
    """The record on a uniform grid: amperes through the shunt and volts, shape (n,) each; and gaps (NaN)."""

    current_a: NDArray[np.float64]
    voltage_v: NDArray[np.float64]
    gaps: tuple[Gap, ...]


class Sampler:
    """One capture while it is made.

    Args:
        chip: Configured.
        clock: That time stamps are read from.
        repeat: How to come back to the chip, see `pace`.

    Attributes:
        started_at: Time 0 on the clock.
        start_error_s: How well it and the time stamps are known.
        failure: What made the record unusable, or None.
        lost: True once the chip no longer answers.
    """

    def __init__(self, chip: Chip, clock: Clock, repeat: Repeat) -> None:
        self._chip = chip
        self._clock = clock
        self._columns = tuple(array("d") for _ in range(4))
        self._failing_since: float | None = None
        self.failure: Exception | None = None
        self.lost = False
        before = clock.monotonic()
        chip.begin()
        self.started_at = clock.monotonic()
        self.start_error_s = self.started_at - before + _STEP * chip.period_s
        self._repetition: Repetition = repeat(self._look)

    @property
    def reached_s(self) -> float:
        """Time stamp of the last conversion."""
        times = self._columns[0]
        return times[-1] if times else 0.0

    @property
    def is_over(self) -> bool:
        """True if nothing more will come."""
        return self.lost or self.failure is not None

    def end(self) -> Conversions:
        """Stop sampling and hand out what there is."""
        self.stop()
        times, shunt, bus, energy = (np.array(column, np.float64) for column in self._columns)
        return Conversions(times, shunt, bus, None if np.isnan(energy).any() else energy)

    def stop(self) -> None:
        """Stop sampling."""
        self._repetition.stop()

    def _look(self) -> float:
        """Look for a conversion; returns after how many seconds to look again."""
        period_s = self._chip.period_s
        if self.is_over:
            return period_s
        try:
            seen_s = self._clock.monotonic() - self.started_at
            found = self._chip.poll()
        except BusError:
            if self._failing_since is None:
                self._failing_since = seen_s
            self.lost = seen_s - self._failing_since >= _GONE_AFTER_S
            return _STEP * period_s
        except Exception as error:
            # Told by whoever ends the capture: nobody listens on a sampling thread.
            self.failure = error
            return period_s
        self._failing_since = None
        if found is None:
            return _STEP * period_s
        energy_j = float("nan") if found.energy_j is None else found.energy_j
        for column, value in zip(self._columns, (seen_s, found.shunt_v, found.bus_v, energy_j), strict=True):
            column.append(value)
        return _DUE * period_s


def measured_period(times_s: NDArray[np.float64], nominal_s: float) -> float:
    """Mean time between conversions that follow each other, or the nominal one where none do.

    Args:
        times_s: shape (n,), rising.
        nominal_s: Period after the data sheet.
    """
    steps = np.diff(times_s, prepend=0.0)
    steps = steps[(steps > nominal_s / 2) & (steps < _LATE * nominal_s)]
    return float(steps.mean()) if len(steps) else nominal_s


def covering(times_s: NDArray[np.float64], period_s: float, count: int) -> NDArray[np.int64]:
    """Which conversion covers the middle of each cell of a grid.

    A conversion covers the time since the one before, but no more than one and a half periods.

    Args:
        times_s: shape (n,), n > 0, rising: when conversions ended.
        period_s: Of the grid.
        count: Cells.

    Returns:
        shape (count,), int64: index of the conversion, -1 where none covers the cell.
    """
    middle = (np.arange(count) + 0.5) * period_s
    index = np.searchsorted(times_s, middle, side="left")
    beyond = index == len(times_s)
    index = np.minimum(index, len(times_s) - 1)
    uncovered = beyond | (times_s[index] - middle >= _LATE * period_s)
    return np.where(uncovered, -1, index).astype(np.int64)


def cell_energies(
    times_s: NDArray[np.float64], energy_j: NDArray[np.float64], period_s: float, count: int
) -> NDArray[np.float64]:
    """Energy in each cell of a grid from a counter that was read now and then.

    Between two readings the power is taken as constant: the sum over all cells is what the counter counted.

    Args:
        times_s: shape (n,), rising: when the counter was read.
        energy_j: shape (n,): what it counted since the reading before (the first: since 0).
        period_s: Of the grid.
        count: Cells, none beyond the last reading.

    Returns:
        shape (count,), joules.
    """
    total = np.concatenate(([0.0], np.cumsum(energy_j)))
    edges = np.arange(count + 1) * period_s
    return np.diff(np.interp(edges, np.concatenate(([0.0], times_s)), total))


def sampled(found: Conversions, shunt_ohm: float, period_s: float, count: int) -> Cells:
    """Each cell of the grid is the conversion that covers it; where none does, there is a gap.

    Args:
        found: At least one conversion.
        shunt_ohm: Ohms.
        period_s: Of the grid.
        count: Cells.
    """
    index = covering(found.times_s, period_s, count)
    covered = index >= 0
    return Cells(
        np.where(covered, found.shunt_v[index] / shunt_ohm, np.nan),
        np.where(covered, found.bus_v[index], np.nan),
        _gaps_of(index),
    )


def counted(found: Conversions, energy_j: NDArray[np.float64], period_s: float, count: int) -> Cells:
    """Each cell has the energy that was counted in it, and the bus voltage at its start.

    The counter misses nothing: a late look makes the record coarser there, and no gap.

    Args:
        found: At least one conversion, bus voltages above 0.
        energy_j: Its `energy_j`.
        period_s: Of the grid.
        count: Cells.
    """
    at = np.searchsorted(found.times_s, np.arange(count) * period_s)
    voltage = found.bus_v[np.minimum(at, len(found.bus_v) - 1)]
    power = cell_energies(found.times_s, energy_j, period_s, count) / period_s
    return Cells(power / voltage, voltage, ())


def _gaps_of(index: NDArray[np.int64]) -> tuple[Gap, ...]:
    """Runs of cells that no conversion covers (`index` -1)."""
    edges = np.flatnonzero(np.diff(index < 0, prepend=False, append=False))
    return tuple(Gap(int(a), int(b)) for a, b in zip(edges[0::2], edges[1::2], strict=True))
