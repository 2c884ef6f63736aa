"""From what the silicon did to the sample words of a PPK2: ranging, its errors, spikes, noise, quantisation.

Each sample is the mean of the current over its 10 us, so that energy is exact before the instrument's errors
(whether a real one averages or samples is not known). The device's errors and its calibration constants are
fixed per serial number; the errors lie within 60 % of the figures in `RANGES`, which are those that the
instrument (`instruments/ppk2_models.py`) assumes. The constants have the size of real ones (a device's reply
in public repositories), and the words are made by inverting the conversion that `ppk2_api` does with them.

UNCONFIRMED: the noise, how long the current must be low before the range goes down, and the shape of the
spikes. What this does not model: bandwidth, drift with temperature, burden voltage, and the limit of the
source's current.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.virtual.sampling import Noise, Runs

ADC_MULT = 1.8 / 163840
FULL_SCALE = 0x3FFF
NOISE_CODES = 2.0
# Samples for which the current must fit into a lower range before that is used.
_HOLD = 5
# What the first samples in a new range read too much (or too little, after a switch down), as a share of the
# range's limit.
_SPIKE = (0.4, 0.15, 0.05)
FRONT_END_NOTES = (
    "unconfirmed: noise, range switching and spikes of the PPK2 (no data sheet says them); the virtual one's"
    " are in virtual/ppk2_front_end.py",
)


@dataclass(frozen=True, slots=True)
class Range:
    """One current range: its limit, accuracy and resolution, and its typical calibration constants."""

    limit_a: float
    gain_limit: float
    offset_limit_a: float
    r: float
    gs: float
    gi: float
    o: float
    s: float
    i: float


RANGES = (
    Range(50e-6, 0.10, 0.2e-6, 1000.6, 0.0, 1.0, 110.0, 5e-8, -1e-7),
    Range(500e-6, 0.10, 0.5e-6, 101.5, 110.0, 0.97, 75.0, 6e-7, -1.4e-6),
    Range(5e-3, 0.10, 5e-6, 10.25, 18.0, 0.96, 65.0, 5e-6, 3.5e-5),
    Range(50e-3, 0.10, 50e-6, 0.963, 2.2, 0.955, 50.0, 6e-5, -3.7e-4),
    Range(1.0, 0.15, 1e-3, 0.056, 0.07, 0.96, 85.0, 2.9e-3, -9.4e-3),
)


def _deviate(serial: str, what: str) -> float:
    """A fixed number in -1 to 1 for this serial number."""
    digest = hashlib.sha256(f"{serial}/ppk2/{what}".encode()).digest()
    return int.from_bytes(digest[:4], "little") / 0x7FFF_FFFF - 1.0


class FrontEnd:
    """One PPK2's analog side.

    Args:
        serial: Its errors and its calibration constants follow from it.
        noise: Table of deviates.

    Attributes:
        constants: What its metadata says: name ("GS1") to value.
    """

    def __init__(self, serial: str, noise: Noise) -> None:
        self._noise = noise
        self.constants: dict[str, float] = {}
        for name in ("r", "gs", "gi", "o", "s", "i"):
            for number, one in enumerate(RANGES):
                spread = 1 + 0.02 * _deviate(serial, f"{name}{number}")
                self.constants[f"{name.upper()}{number}"] = round(getattr(one, name) * spread, 12)
        self.constants |= {f"UG{number}": 1.0 for number in range(len(RANGES))}
        self._gain = np.array(
            [1 + 0.6 * one.gain_limit * _deviate(serial, f"gain {n}") for n, one in enumerate(RANGES)]
        )
        self._offset = np.array(
            [0.6 * one.offset_limit_a * _deviate(serial, f"offset {n}") for n, one in enumerate(RANGES)]
        )
        self._limits = np.array([one.limit_a for one in RANGES])
        self.start()

    def start(self) -> None:
        """A capture begins: the range that is in use then follows from its first sample."""
        self._range = -1
        self._low_for = 0
        self._spikes: list[tuple[int, int]] = []

    def words(self, runs: Runs, supply_v: float, position: int) -> NDArray[np.uint32]:
        """Converter code and range of each sample: shape (samples,), the low 17 bits of the words.

        Args:
            runs: The true samples.
            supply_v: That the source is set to.
            position: Number of the first sample in this capture.
        """
        value, number, count = self._ranged(runs)
        total = int(count.sum())
        true = value * self._gain[number] + self._offset[number]
        level = np.repeat(self._codes(true, number, supply_v), count)
        for sample, sign in self._spikes:
            self._add_spike(level, sample - position, sign, np.repeat(number, count))
        self._spikes = [spike for spike in self._spikes if spike[0] + len(_SPIKE) > position + total]
        level += NOISE_CODES * self._noise.take("i", position, total)
        codes: NDArray[np.uint32] = np.clip(np.rint(level), 0, FULL_SCALE).astype(np.uint32)
        codes |= np.repeat(number.astype(np.uint32) << np.uint32(14), count)
        return codes

    def _add_spike(self, level: NDArray[np.float64], at: int, sign: int, ranges: NDArray[np.int64]) -> None:
        for age, share in enumerate(_SPIKE):
            sample = at + age
            if 0 <= sample < len(level):
                number = int(ranges[sample])
                slope = self.constants[f"R{number}"] / ADC_MULT / 4
                level[sample] += sign * share * self._limits[number] * slope

    def _ranged(self, runs: Runs) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """The runs, cut where the range changes: value, range and count of each part."""
        needed = np.minimum(np.searchsorted(self._limits, np.abs(runs.value)), len(RANGES) - 1)
        if self._range < 0:
            self._range = int(needed[0])
            self._at = 0
        parts: list[tuple[float, int, int]] = []
        for value, need, count in zip(runs.value.tolist(), needed.tolist(), runs.count.tolist(), strict=True):
            left = count
            if need > self._range:
                self._switch(need, +1)
            elif need < self._range:
                stay = min(left, _HOLD - self._low_for)
                parts.append((value, self._range, stay))
                self._at += stay
                self._low_for += stay
                left -= stay
                if self._low_for < _HOLD or not left:
                    continue
                self._switch(need, -1)
            else:
                self._low_for = 0
            parts.append((value, self._range, left))
            self._at += left
        value_of, number, count_of = zip(*parts, strict=True)
        return np.array(value_of), np.array(number, np.int64), np.array(count_of, np.int64)

    def _switch(self, number: int, sign: int) -> None:
        self._range = number
        self._low_for = 0
        self._spikes.append((self._at, sign))

    def _codes(
        self, amperes: NDArray[np.float64], number: NDArray[np.int64], supply_v: float
    ) -> NDArray[np.float64]:
        """The converter's (fractional) code that a current gives."""
        r, gs, gi, o, s, i = (
            np.array([self.constants[f"{name}{n}"] for n in range(len(RANGES))])[number]
            for name in ("R", "GS", "GI", "O", "S", "I")
        )
        y = amperes - s * supply_v - i
        # The root of gs x^2 + gi x = y that is y / gi for gs = 0.
        x = 2 * y / (gi + np.sqrt(gi * gi + 4 * gs * y))
        codes: NDArray[np.float64] = (x * r / ADC_MULT + o) / 4
        return codes


def metadata(front_end: FrontEnd, *, supply_mv: int, mode: int) -> bytes:
    """The answer to the command that asks for metadata."""
    lines = ["Calibrated: 0"]
    lines += [f"{name}: {value:.15f}" for name, value in front_end.constants.items()]
    lines += [f"VDD: {supply_mv}", "HW: 49625", f"mode: {mode}", "IA: 59", "END\n"]
    return "\n".join(lines).encode()
