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
        current_gain_per_k, voltage_gain_per_k: What gains change by per kelvin away from `reference_c`.
        current_offset_a_per_k: Likewise the current's offset.
        reference_c: Temperature that the limits above hold at, degrees Celsius.
        temperature_span_k: Largest distance from it that the bench is taken to have.
        current_ranges: For an instrument that ranges automatically: its ranges, rising by limit. Each sample
            has the error of the first range that holds it; then `current_gain` and `current_offset_a`
            apply to no sample but those beyond the last range. Empty for one fixed range.
        known: False where nobody said which instrument it is: the limits above are then none, and a quantity
            that is judged has an error without bound.
    """

    current_gain: float
    current_offset_a: float
    voltage_gain: float
    voltage_offset_v: float
    timebase: float
    source: str
    current_ranges: tuple[CurrentRange, ...] = ()
    current_gain_per_k: float = 0.0
    voltage_gain_per_k: float = 0.0
    current_offset_a_per_k: float = 0.0
    reference_c: float = 23.0
    temperature_span_k: float = 5.0
    known: bool = True


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
class EdgeLine:
    """A marker line known by the time stamps of its edges, as a GPIO line of the host gives them.

    Attributes:
        times_s: shape (n,), float64, rising: when the level changed, seconds on the capture's clock. Edges
            alternate, so the level after edge k follows from `high_at_start`.
        high_at_start: Level before the first edge.
        duration_s: Until when the line was watched.
        resolution_s: Grid of the time stamps: an edge lies within this before its stamp.
        jitter_s: 95 % half-width of what one stamp may be off beyond that (interrupt latency), seconds.
        tie_s: 95 % half-width of how well its clock is tied to the capture's, the same for every edge.
        lost: Spans (start, stop) in seconds in which edges may be missing.
        timebase: Relative error of times between its edges, 95 % half-width; None: they follow the capture's
            sample clock, and have its error.
        wired: False for edges that no wire carried, because a program stamped them itself: they can't bounce.
    """

    times_s: NDArray[np.float64]
    high_at_start: bool
    duration_s: float
    resolution_s: float
    jitter_s: float = 0.0
    tie_s: float = 0.0
    lost: tuple[tuple[float, float], ...] = ()
    timebase: float | None = None
    wired: bool = True


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """What an edge source recorded, on its own clock.

    Attributes:
        lines: Marker line name to its edges; time 0 of all is `start_s`.
        start_s: When the record began, seconds on the clock that the source reports.
        instrument: Who recorded.
        timebase: Relative error limit of its clock.
        complete: False if the source stopped before it was told to.
    """

    lines: Mapping[str, EdgeLine]
    start_s: float
    instrument: InstrumentIdentity
    timebase: float
    complete: bool = True


@dataclass(frozen=True, slots=True)
class TimeMap:
    """The sample clock against UTC: sample time t (seconds) happened at `utc_s + t * rate`.

    Attributes:
        utc_s: UTC of the capture's time 0, seconds since 1970.
        rate: UTC seconds per second of the sample clock; 1.00001 is a sample clock 10 ppm slow.
        error_s: 95 % half-width of `utc_s`.
    """

    utc_s: float
    rate: float
    error_s: float


@dataclass(frozen=True, slots=True)
class RangeRuns:
    """The current range that each sample was taken in, as runs of equal range.

    Attributes:
        starts: shape (runs,), int64, rising from 0: first sample of each run.
        indices: shape (runs,), int64: index into `Accuracy.current_ranges`, its length for "beyond the last".
    """

    starts: NDArray[np.int64]
    indices: NDArray[np.int64]


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
        current_a: shape (n,), float32, amperes; NaN inside gaps. Empty for a record of power alone.
        voltage_v: shape (n,), float32, volts; NaN inside gaps. Empty for a record of power alone; a view
            without memory of its own (`numpy.broadcast_to`) where one assumed voltage holds for all.
        power_w: shape (n,), watts, where the record holds power, alone or beside its factors: it is what is
            integrated, and they tell what the instrument's offsets do to it. Else None.
        markers: Marker line name ("inference") to its record.
        gaps: Rising, disjoint.
        instrument: Who measured.
        accuracy: Its error limits.
        supply: "measured" or "assumed" voltage, or "none" where edges alone were recorded.
        complete: False if the instrument stopped before it was told to.
        ranges: Which current range each sample was taken in, where the instrument tells.
        time_map: The sample clock against UTC, where the instrument tells.
        start_s: The capture's time 0 on the clock that the instrument reports, where it is known ...
        start_error_s: ... to this 95 % half-width.
        notes: Sentences that a reader of any number from this record must know.
    """

    sample_rate_hz: float
    current_a: NDArray[np.float32]
    voltage_v: NDArray[np.float32]
    instrument: InstrumentIdentity
    accuracy: Accuracy
    markers: Mapping[str, MarkerLine | EdgeLine] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    supply: str = "measured"
    complete: bool = True
    power_w: NDArray[np.float32] | NDArray[np.float64] | None = None
    ranges: RangeRuns | None = None
    time_map: TimeMap | None = None
    start_s: float | None = None
    start_error_s: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of samples n."""
        return len(self.current_a if self.power_w is None else self.power_w)

    @property
    def duration_s(self) -> float:
        """Length in seconds of the sample clock."""
        return self.count / self.sample_rate_hz

    @property
    def lost_share(self) -> float:
        """Share of current samples inside gaps, 0 to 1."""
        lost = sum(gap.stop - gap.start for gap in self.gaps)
        return lost / self.count if self.count else 0.0
