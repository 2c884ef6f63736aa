"""What a virtual INA's ADC sees: a shunt in a virtual board's supply, and the chip's own analog errors.

The board's current is averaged over each conversion, as a delta-sigma converter does. Gain, offset, input
current and the shunt's resistance differ from their typical values by up to 60 % of their limits, fixed by
the seed; noise is white and starts anew with every begin of conversions, so that two captures that do the
same meet the same noise.

What this does not model: a modulator that is overloaded within a conversion, the filter's settling,
temperature, common-mode and supply rejection, nonlinearity, the supply that the burden takes from the board,
and the time that a transfer takes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pytest_lan_hil.virtual.measured import MeasuredBoard
from pytest_lan_hil.virtual.traces import Recorder, Steps

_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Figures:
    """Limits of a kind of chip, which its virtual specimens stay within.

    Attributes:
        gain, bus_gain: Relative.
        bus_offset_v: Volts.
        input_a, input_ohm, input_tolerance: Current that its load-side pins draw through the shunt.
        oscillator: Relative.
        noise_v: Standard deviation of a shunt voltage that was converted for 1 ms.
        bus_noise_v: Likewise of a bus voltage.
    """

    gain: float
    bus_gain: float
    bus_offset_v: float
    input_a: float
    input_ohm: float
    input_tolerance: float
    oscillator: float
    noise_v: float
    bus_noise_v: float


def deviate(seed: int, what: str) -> float:
    """A fixed number in -0.6 to 0.6 for this seed: the share of a limit that a specimen is off by."""
    digest = hashlib.sha256(f"ina/{seed}/{what}".encode()).digest()
    return _SHARE * (int.from_bytes(digest[:4], "little") / 0x7FFF_FFFF - 1.0)


def mean_of(steps: Steps) -> float:
    """Mean of a piecewise constant signal over its span."""
    if not len(steps.ticks):
        return steps.initial
    edges = np.concatenate(([steps.start], steps.ticks, [steps.stop]))
    values = np.concatenate(([steps.initial], steps.values))
    return float(np.dot(np.diff(edges), values)) / (steps.stop - steps.start)


class Front:
    """The shunt and the inputs of one chip.

    Args:
        board: In whose supply the shunt lies.
        figures: Of the kind of chip.
        supply_v: In front of the shunt.
        shunt_ohm, shunt_tolerance: Nominal resistance, and its tolerance as a share of it.
        seed: Of this specimen.

    Attributes:
        speed: The chip's own time per true time.
    """

    def __init__(
        self,
        board: MeasuredBoard,
        figures: Figures,
        *,
        supply_v: float,
        shunt_ohm: float,
        shunt_tolerance: float,
        seed: int,
    ) -> None:
        self.board = board
        self._figures = figures
        self._supply_v = supply_v
        self._shunt_ohm = shunt_ohm * (1 + shunt_tolerance * deviate(seed, "shunt"))
        self._gain = 1 + figures.gain * deviate(seed, "gain")
        self._bus_gain = 1 + figures.bus_gain * deviate(seed, "bus gain")
        self._bus_offset_v = figures.bus_offset_v * deviate(seed, "bus offset")
        drawn_a = figures.input_a + supply_v / figures.input_ohm
        self._drawn_a = drawn_a * (1 + figures.input_tolerance * deviate(seed, "input"))
        self.speed = 1 + figures.oscillator * deviate(seed, "oscillator")
        self._seed = seed
        self._noise = np.random.Generator(np.random.PCG64(seed))
        self._recorder: Recorder | None = None

    def begin(self) -> None:
        """Conversions begin now."""
        self.end()
        self._noise = np.random.Generator(np.random.PCG64(self._seed))
        self._recorder = self.board.power.record(self.board.now)

    def end(self) -> None:
        """Nothing is converted any more."""
        if self._recorder is not None:
            self.board.power.stop(self._recorder)
            self._recorder = None

    def shunt_v(self, stop: int, offset_v: float) -> float:
        """Shunt voltage from the last conversion's end to tick `stop`, as the chip's ADC has it."""
        true_v, noise = self._convert(stop)
        return true_v * self._gain + offset_v + self._figures.noise_v * noise

    def bus_v(self, stop: int) -> float:
        """Bus voltage behind the shunt, likewise."""
        burden_v, noise = self._convert(stop)
        actual_v = self._supply_v - burden_v
        return actual_v * self._bus_gain + self._bus_offset_v + self._figures.bus_noise_v * noise

    def _convert(self, stop: int) -> tuple[float, float]:
        """Mean voltage on the shunt until `stop`, and a deviate for a conversion of this length."""
        assert self._recorder is not None
        duration_s = (stop - self._recorder.start) / self.board.tick_hz
        current_a = mean_of(self._recorder.take(stop)) + self._drawn_a
        return current_a * self._shunt_ohm, float(self._noise.standard_normal()) / math.sqrt(
            duration_s / 1e-3
        )


class Repetition:
    """Calls `act` as virtual time passes, and again after as many virtual seconds as it returned."""

    def __init__(self, board: MeasuredBoard, act: Callable[[], float]) -> None:
        self._board = board
        self._act = act
        self._due = board.now + 1
        board.attach(self)

    def next_tick(self) -> int:
        """The board stops here."""
        return self._due

    def advanced(self, now: int) -> None:
        """Virtual time has passed."""
        if now >= self._due:
            # If Ctrl-C breaks `act` off, the board must not be stopped in the past.
            self._due = now + 1
            self._due = now + max(round(self._act() * self._board.tick_hz), 1)

    def stop(self) -> None:
        """Not any more."""
        with self._board.lock:
            self._board.detach(self)
