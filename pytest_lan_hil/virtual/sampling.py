"""From what the silicon did to what a JS220 reports: sampling, the instrument's errors, noise,
quantisation.

Each current sample is the mean over its sample period, so that energy is exact before the instrument's
errors. The instrument's errors are fixed per serial number and lie within the data sheet's limits; noise is
white.

Noise is taken from one precomputed table of normal deviates (2^20 of them), read at positions that follow
from the seed alone: the n-th sample of a capture always meets the same deviate, in every process, whatever
happened before. That makes 40 M samples/s possible and repeats after 1.05 s at 1 MS/s; the table's own mean
is removed, so that averaging over many repetitions shows no bias.

What this does not model: the front end's bandwidth (250 to 300 kHz), range switching transients and
hysteresis, drift with temperature, and the time constant of shunt and bypass capacitor.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.virtual.traces import Steps

_TABLE_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class CurrentRange:
    """One current range of the JS220.

    Attributes:
        code: Value of the `i/range` signal.
        name: As in topic `s/i/range/select`.
        full_scale_a: Largest current.
        gain_limit, offset_limit_a: Accuracy.
        noise_a: Standard deviation of one 1 MS/s sample.
        lsb_a: Quantisation step.
        shunt_ohm: Burden.
    """

    code: int
    name: str
    full_scale_a: float
    gain_limit: float
    offset_limit_a: float
    noise_a: float
    lsb_a: float
    shunt_ohm: float


# JS220 ranges: joulescope/v1/js220.py. Shunts: the JS110's, read in joulescope_driver and the vendor's
# forum. The 10 A range's limits: the maker in pyjoulescope_ui issue 182. Every other figure below is
# UNCONFIRMED: the user's guide's table could not be read; limits are those that the instrument
# (`instruments/joulescope_models.py`) assumes.
RANGES = (
    CurrentRange(6, "18 µA", 18e-6, 0.0015, 3e-9, 3e-9, 18e-6 / 32768, 1111.0),
    CurrentRange(5, "180 µA", 180e-6, 0.0015, 15e-9, 12e-9, 180e-6 / 32768, 111.0),
    CurrentRange(4, "1.8 mA", 1.8e-3, 0.001, 150e-9, 100e-9, 1.8e-3 / 32768, 11.11),
    CurrentRange(3, "18 mA", 18e-3, 0.001, 1.5e-6, 1.0e-6, 18e-3 / 32768, 1.11),
    CurrentRange(2, "180 mA", 180e-3, 0.001, 15e-6, 10e-6, 180e-3 / 32768, 0.111),
    CurrentRange(0, "10 A", 10.0, 0.0025, 1.5e-3, 0.3e-3, 10.0 / 32768, 0.01),
)
VOLTAGE_GAIN_LIMIT = 0.001  # unconfirmed
VOLTAGE_OFFSET_LIMIT_V = 1e-3  # unconfirmed
VOLTAGE_NOISE_V = 0.3e-3  # unconfirmed
VOLTAGE_LSB_V = 15.0 / 32768  # 15 V range, 16 bit; unconfirmed
SENSOR_NOTES = (
    "unconfirmed: accuracy, noise and resolution of the JS220 (its data sheet's table could not be read); "
    "the virtual one stays within the figures in virtual/sampling.py",
)


def _deviate(serial: str, what: str) -> float:
    """A fixed number in -1 to 1 for this serial number."""
    digest = hashlib.sha256(f"{serial}/{what}".encode()).digest()
    return int.from_bytes(digest[:4], "little") / 0x7FFF_FFFF - 1.0


@dataclass(frozen=True, slots=True)
class Runs:
    """A sampled signal as runs of equal samples: shape (n,) each, `count` adds up to their number."""

    value: NDArray[np.float64]
    count: NDArray[np.int64]


def sample_means(steps: Steps, period: int) -> Runs:
    """Mean of a piecewise constant signal over consecutive sample periods.

    Args:
        steps: The signal; its span must be a whole number of periods.
        period: Ticks per sample.

    Returns:
        The samples, run-length coded: a sample in which the signal changes is a run of its own.
    """
    total = (steps.stop - steps.start) // period
    if not len(steps.ticks):
        return Runs(np.array([steps.initial]), np.array([total], dtype=np.int64))
    relative = steps.ticks - steps.start
    index = relative // period
    weight = (period - relative % period) / period
    before = np.concatenate(([steps.initial], steps.values[:-1]))
    # A sample in which something changes starts from the level before its first change, and takes the rest
    # of the period's share of each change.
    first = np.flatnonzero(np.concatenate(([True], index[1:] != index[:-1])))
    last = np.concatenate((first[1:] - 1, [len(index) - 1]))
    mixed = before[first] + np.add.reduceat((steps.values - before) * weight, first)
    at = index[first]
    after = steps.values[last]
    gap_before = np.diff(np.concatenate(([-1], at))) - 1
    value = np.empty(2 * len(at) + 1)
    count = np.empty(2 * len(at) + 1, dtype=np.int64)
    value[0:-1:2] = np.concatenate(([steps.initial], after[:-1]))
    count[0:-1:2] = gap_before
    value[1::2] = mixed
    count[1::2] = 1
    value[-1] = after[-1]
    count[-1] = total - 1 - at[-1]
    keep = count > 0
    return Runs(value[keep], count[keep])


def packed_levels(steps: Steps, period: int) -> NDArray[np.uint8]:
    """A logic level at the start of every period, eight samples to a byte, the first in bit 0.

    The number of samples must be a multiple of eight.
    """
    total = (steps.stop - steps.start) // period
    if not len(steps.ticks):
        return np.full(total // 8, 0xFF if steps.initial else 0x00, dtype=np.uint8)
    # An edge at tick t is seen by the first sample at or after t.
    index = np.minimum(-(-(steps.ticks - steps.start) // period), total)
    bounds = np.concatenate(([0], index, [total]))
    levels = np.concatenate(([steps.initial], steps.values)).astype(np.uint8)
    return np.packbits(np.repeat(levels, np.diff(bounds)), bitorder="little")


class Noise:
    """The table of deviates and where each signal reads it.

    Args:
        seed: Any integer.
    """

    def __init__(self, seed: int) -> None:
        table = np.random.Generator(np.random.PCG64(seed)).standard_normal(_TABLE_SIZE, dtype=np.float32)
        table -= table.mean(dtype=np.float64)
        table /= table.std(dtype=np.float64)
        self._table = np.concatenate((table, table))
        self._offsets = {"i": 0, "v": 0x5_A5A5}

    def take(self, signal: str, position: int, count: int) -> NDArray[np.float32]:
        """`count` deviates for the samples from `position` on (a view; count up to 2^20)."""
        start = (self._offsets[signal] + position) % _TABLE_SIZE
        return self._table[start : start + count]


class Sensor:
    """One JS220's analog side.

    Args:
        serial: Its gain and offset errors follow from it.
        noise: Shared table.
    """

    def __init__(self, serial: str, noise: Noise) -> None:
        self._noise = noise
        # Errors up to 60 % of the limits, so that a reader of the data sheet is never surprised.
        self._gain = np.array([1 + 0.6 * r.gain_limit * _deviate(serial, f"i gain {r.code}") for r in RANGES])
        self._offset = np.array(
            [0.6 * r.offset_limit_a * _deviate(serial, f"i offset {r.code}") for r in RANGES]
        )
        self._v_gain = 1 + 0.6 * VOLTAGE_GAIN_LIMIT * _deviate(serial, "v gain")
        self._v_offset = 0.6 * VOLTAGE_OFFSET_LIMIT_V * _deviate(serial, "v offset")
        self._limits = np.array([r.full_scale_a for r in RANGES])
        self._sigma = np.array([r.noise_a for r in RANGES])
        self._lsb = np.array([r.lsb_a for r in RANGES])
        self._shunt = np.array([r.shunt_ohm for r in RANGES])
        self._codes = np.array([r.code for r in RANGES], dtype=np.uint8)
        self._fixed: int | None = None

    def fix_range(self, name: str | None) -> None:
        """Use the current range of that name from now on; None for the smallest that holds each sample."""
        self._fixed = None if name is None else [r.name for r in RANGES].index(name)

    def ranges(self, runs: Runs) -> NDArray[np.int64]:
        """Index into `RANGES` for each run: the smallest that holds it, or the fixed one (shape (n,))."""
        if self._fixed is not None:
            return np.full(len(runs.value), self._fixed, np.int64)
        index = np.searchsorted(self._limits, np.abs(runs.value), side="left")
        return np.minimum(index, len(RANGES) - 1).astype(np.int64)

    def current(
        self, runs: Runs, ranges: NDArray[np.int64], position: int, *, averaging: int = 1
    ) -> NDArray[np.float32]:
        """What the instrument reports, in amperes: shape (samples,), float32.

        Args:
            runs: The true samples.
            ranges: Of each run.
            position: Number of the first sample in this capture.
            averaging: Number of 1 MS/s samples that each sample is the mean of.
        """
        lsb = self._lsb[ranges]
        full_scale = self._limits[ranges]
        value = np.clip(runs.value, -full_scale, full_scale)
        level = (value * self._gain[ranges] + self._offset[ranges]) / lsb
        sigma = self._sigma[ranges] / lsb / np.sqrt(averaging)
        noise = self._noise.take("i", position, int(runs.count.sum()))
        return _digitise(level, sigma, lsb, runs.count, noise)

    def voltage(
        self,
        runs: Runs,
        ranges: NDArray[np.int64],
        supply_v: float,
        position: int,
        *,
        averaging: int = 1,
    ) -> NDArray[np.float32]:
        """What the instrument reports, in volts: supply less burden, shape (samples,), float32."""
        # JS220: voltage is measured at the load side, behind the shunt.
        actual = supply_v - runs.value * self._shunt[ranges]
        level = (actual * self._v_gain + self._v_offset) / VOLTAGE_LSB_V
        sigma = VOLTAGE_NOISE_V / VOLTAGE_LSB_V / math.sqrt(averaging)
        noise = self._noise.take("v", position, int(runs.count.sum()))
        return _digitise(level, sigma, VOLTAGE_LSB_V, runs.count, noise)

    def range_codes(self, runs: Runs, ranges: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The `i/range` signal: one code per sample, shape (samples,), uint8."""
        return np.repeat(self._codes[ranges], runs.count)


def _digitise(
    level: NDArray[np.float64],
    sigma: NDArray[np.float64] | float,
    lsb: NDArray[np.float64] | float,
    count: NDArray[np.int64],
    noise: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(level + sigma * noise) rounded, times lsb; `level` and `sigma` in steps of `lsb`, all of each run."""
    out = noise * _of_samples(sigma, count)
    out += _of_samples(level, count)
    np.rint(out, out=out)
    out *= _of_samples(lsb, count)
    return out


def _of_samples(of_run: NDArray[np.float64] | float, count: NDArray[np.int64]) -> NDArray[np.float32]:
    """A figure of each run, or one of all of them, as something to combine with an array of samples."""
    figures = np.asarray(of_run, np.float32)
    return np.repeat(figures, count) if figures.ndim else figures
