"""A capture: a continuous record on one sample clock. The only part of `model` that needs numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class InstrumentIdentity:
    """Which instrument measured.

    Attributes:
        model: "Joulescope JS220".
        serial: As printed on it.
        version: Firmware or driver version, may be empty.
        simulated: True if no real device stands behind it.
        notes: What a reader must know, for instance figures of the simulation that are not confirmed.
    """

    model: str
    serial: str
    version: str = ""
    simulated: bool = False
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.model} {self.serial}" + (" (simulated)" if self.simulated else "")


@dataclass(frozen=True, slots=True)
class CurrentRange:
    """Error limits of one current range, 95 % half-widths.

    Attributes:
        limit_a: The range is used for currents up to this magnitude.
        gain: Relative (0.001 is 0.1 %).
        offset_a: Absolute.
    """

    limit_a: float
    gain: float
    offset_a: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Systematic error limits of an instrument, taken as 95 % half-widths.

    Attributes:
        current_gain, voltage_gain: Relative (0.001 is 0.1 %).
        current_offset_a, voltage_offset_v: Absolute.
        timebase: Relative error of the sample clock (2e-5 is 20 ppm).
        source: Data sheet and table.
        current_ranges: For an instrument that ranges automatically: its ranges, rising by limit. Each sample
            has the error of the first range that holds it; then `current_gain` and `current_offset_a`
            apply to no sample but those beyond the last range. Empty for one fixed range.
    """

    current_gain: float
    current_offset_a: float
    voltage_gain: float
    voltage_offset_v: float
    timebase: float
    source: str
    current_ranges: tuple[CurrentRange, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkerLine:
    """The record of one marker line.

    Attributes:
        bits: shape (ceil(n / 8),), uint8; sample k is bit k % 8 (least significant first) of byte k // 8.
        count: Number of samples n.
        sample_rate_hz: Its own rate on the capture's clock; sample 0 is at the capture's time 0.
    """

    bits: NDArray[np.uint8]
    count: int
    sample_rate_hz: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples start (inclusive) to stop (exclusive) of current and voltage that were dropped."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Capture:
    """Current, voltage, marker lines and gaps on one sample clock.

    Attributes:
        sample_rate_hz: Of current and voltage.
        current_a: shape (n,), float32, amperes; NaN inside gaps.
        voltage_v: shape (n,), float32, volts; NaN inside gaps.
        markers: Marker line name ("inference") to its record.
        gaps: Rising, disjoint.
        instrument: Who measured.
        accuracy: Its error limits.
        supply: "measured" or "assumed" voltage.
        complete: False if the instrument stopped before it was told to.
    """

    sample_rate_hz: float
    current_a: NDArray[np.float32]
    voltage_v: NDArray[np.float32]
    instrument: InstrumentIdentity
    accuracy: Accuracy
    markers: Mapping[str, MarkerLine] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    supply: str = "measured"
    complete: bool = True

    @property
    def duration_s(self) -> float:
        """Length in seconds of the sample clock."""
        return len(self.current_a) / self.sample_rate_hz

    @property
    def lost_share(self) -> float:
        """Share of current samples inside gaps, 0 to 1."""
        lost = sum(gap.stop - gap.start for gap in self.gaps)
        return lost / len(self.current_a) if len(self.current_a) else 0.0
