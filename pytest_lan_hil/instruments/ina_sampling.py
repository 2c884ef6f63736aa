"""Paced sampling of a chip that converts on its own clock, and the record on a uniform grid.

The chip's oscillator is off by up to a tenth (SBOS448G, 7.5: 532 us typical, 586 us at most), so nobody knows
when the next conversion ends: it is looked for from shortly before it is due, in steps of an eighth of the
period, and stamped when it is seen.

A look in vain before shows that exactly one has ended since. A host that comes late finds one at its first
look, and more may have ended, of which the chip keeps the last. The record is then a sample of fewer
conversions, which says the same of a load that doesn't keep step with the host; so it is told, and it is no
gap. Where the host itself loses its pace there is one.
"""

from __future__ import annotations

import math
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
# A conversion that is seen later than this many periods after the one before leaves a gap: of those that were
# due, two in a row or more are missing.
_LATE = 2.5
# The chip's period is within this share of the typical one. (The shortest has no limit in the data sheet.)
_SPREAD = 0.1
# So many steps that are one period each give the period; so many of any kind, the host's pace.
_ENOUGH = 16


@dataclass(frozen=True, slots=True)
class Conversions:
    """What was sampled: shape (n,) each, float64.

    Attributes:
        times_s: When each conversion was seen to have ended, seconds from the start, rising.
        vain_s: When it was last looked for in vain before; NaN if it was there at the first look.
        shunt_v, bus_v: Volts.
        energy_j, charge_c: Since the conversion before; NaN where the chip doesn't count.
    """

    times_s: NDArray[np.float64]
    vain_s: NDArray[np.float64]
    shunt_v: NDArray[np.float64]
    bus_v: NDArray[np.float64]
    energy_j: NDArray[np.float64]
    charge_c: NDArray[np.float64]

    @property
    def are_counted(self) -> bool:
        """True if the chip counted energy and charge."""
        return not np.isnan(self.energy_j).any()


@dataclass(frozen=True, slots=True)
class Cells:
    """The record on a uniform grid.

    Attributes:
        current_a, voltage_v: shape (n,): amperes through the shunt, and volts; NaN in gaps.
        gaps: Where nothing was sampled.
        rectified: Share by which the energy that the chip counted exceeds the one given here, because it
            counts magnitudes; 0 if that is the one given.
    """

    current_a: NDArray[np.float64]
    voltage_v: NDArray[np.float64]
    gaps: tuple[Gap, ...] = ()
    rectified: float = 0.0


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
        self._columns = tuple(array("d") for _ in range(6))
        self._vain_s = math.nan
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
        return Conversions(*(np.array(column, np.float64) for column in self._columns))

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
            self._vain_s = seen_s
            return _STEP * period_s
        row = (seen_s, self._vain_s, found.shunt_v, found.bus_v, found.energy_j, found.charge_c)
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self._vain_s = math.nan
        return _DUE * period_s


def measured_period(times_s: NDArray[np.float64], nominal_s: float) -> float:
    """Mean time between conversions that were fetched at the host's usual pace.

    It is the chip's period where the host keeps up with it.

    Args:
        times_s: shape (n,), rising.
        nominal_s: Period after the data sheet, which is taken for the pace of few.
    """
    steps = np.diff(times_s, prepend=0.0)
    usual_s = float(np.median(steps)) if len(steps) >= _ENOUGH else nominal_s
    steps = steps[(steps > 0.5 * usual_s) & (steps < 1.5 * usual_s)]
    return float(steps.mean()) if len(steps) else nominal_s


def missed_share(found: Conversions, nominal_s: float) -> float:
    """Share of the conversions that ended and were not fetched before the next one ended, 0 to 1.

    Args:
        found: What was fetched.
        nominal_s: Period after the data sheet. It stands for the chip's own if the host was never early
            enough to see that; the share may then be off by as much as the period.
    """
    times = found.times_s
    if not len(times):
        return 0.0
    steps = np.diff(times, prepend=0.0)
    shortest_s = (1 - _SPREAD) * nominal_s
    # Exactly one has ended since a look in vain that is less than a period ago, or in less than a period. In
    # the first case it is also known when.
    seen_end = times - found.vain_s < shortest_s
    one = seen_end | (steps < shortest_s)
    if one.all():
        return 0.0
    # Stamps that are late by an unknown time, until an end is seen again, say nothing of the period.
    order = np.arange(len(times))
    last_seen, last_late = (np.maximum.accumulate(np.where(at, order, -1)) for at in (seen_end, ~one))
    timed = one[1:] & (last_seen >= last_late)[:-1] & (last_seen >= 0)[:-1]
    period_s = float(steps[1:][timed].mean()) if timed.sum() >= _ENOUGH else nominal_s
    if abs(period_s / nominal_s - 1) > _SPREAD * 1.1:
        period_s = nominal_s
    most = int((steps[~one] / shortest_s).sum())
    missed = min(max(int(times[-1] / period_s - len(times)), 0), most)
    return missed / (missed + len(times))


def covering(times_s: NDArray[np.float64], period_s: float, count: int) -> NDArray[np.int64]:
    """Which conversion covers the middle of each cell of a grid.

    A conversion covers the time since the one before, but a single period if that is too long ago.

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
    steps = np.diff(times_s, prepend=0.0)
    reach = np.where(steps <= _LATE * period_s, steps, period_s)
    uncovered = beyond | (times_s[index] - middle >= reach[index])
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


def counted(found: Conversions, period_s: float, count: int) -> Cells:
    """Each cell has the energy that was counted in it, and the bus voltage at its start.

    The counters miss nothing: a late look makes the record coarser there, and no gap.

    Two figures bound the energy from above. The counter adds magnitudes, so it is too high by twice what
    noise took below zero. Charge times voltage is too high by what the voltage gives way under load between
    two looks. The smaller of the two is the closer one, and is given.

    Args:
        found: At least one conversion, counted, bus voltages above 0.
        period_s: Of the grid.
        count: Cells.
    """
    at = np.searchsorted(found.times_s, np.arange(count) * period_s)
    voltage = found.bus_v[np.minimum(at, len(found.bus_v) - 1)]
    by_charge = found.charge_c * found.bus_v
    energy_j, charged_j = float(found.energy_j.sum()), float(by_charge.sum())
    closer = by_charge if charged_j < energy_j else found.energy_j
    power = cell_energies(found.times_s, closer, period_s, count) / period_s
    rectified = max(energy_j - charged_j, 0.0)
    return Cells(power / voltage, voltage, rectified=rectified / energy_j if rectified else 0.0)


def _gaps_of(index: NDArray[np.int64]) -> tuple[Gap, ...]:
    """Runs of cells that no conversion covers (`index` -1)."""
    edges = np.flatnonzero(np.diff(index < 0, prepend=False, append=False))
    return tuple(Gap(int(a), int(b)) for a, b in zip(edges[0::2], edges[1::2], strict=True))
