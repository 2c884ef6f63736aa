"""What a device counts about itself: the values of the C metrics library (docs/reference/c-metrics.md). Pure.

Counters and histograms are kept as the device counts them, 32 bits wide and wrapping; `DeviceMetrics.since`
makes of two readings what happened between them. A group that the device does not know is None, never zero.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

_U32 = 1 << 32
_U64 = 1 << 64


@dataclass(frozen=True, slots=True)
class Latency:
    """Times of single inferences.

    Attributes:
        cycle_hz: Cycles per second of the counter that they were taken with.
        edges: Upper ends of the buckets, inclusive, cycles; above the last one lies one more bucket.
        counts: Inferences per bucket.
        total: Cycles of all of them.
        last, highest: Cycles of the last inference, and of the longest since the device started.
    """

    cycle_hz: int
    edges: tuple[int, ...]
    counts: tuple[int, ...]
    total: int
    last: int
    highest: int

    @property
    def n(self) -> int:
        """How many there were."""
        return sum(self.counts)

    @property
    def edges_ms(self) -> tuple[float, ...]:
        """`edges` in ms."""
        return tuple(self._ms(edge) for edge in self.edges)

    @property
    def mean_ms(self) -> float | None:
        """Mean, None if there were none."""
        return self._ms(self.total) / self.n if self.n else None

    @property
    def last_ms(self) -> float:
        """The last one."""
        return self._ms(self.last)

    @property
    def highest_ms(self) -> float:
        """The longest since the device started."""
        return self._ms(self.highest)

    def bound_ms(self, share: float) -> float | None:
        """A time that at least `share` of the inferences did not exceed, None if there were none.

        It is an edge of the histogram, or the longest of all.
        """
        if not self.n:
            return None
        seen = 0
        for edge, count in zip(self.edges_ms, self.counts, strict=False):
            seen += count
            if seen >= share * self.n:
                return min(edge, self.highest_ms)
        return self.highest_ms

    def _ms(self, cycles: int) -> float:
        return 1000 * cycles / self.cycle_hz


@dataclass(frozen=True, slots=True)
class Confidence:
    """Probabilities that the network gave its own answers.

    Attributes:
        counts: Answers per tenth, upper ends inclusive.
        total: Sum, thousandths.
        last: Thousandths.
    """

    counts: tuple[int, ...]
    total: int
    last: int

    @property
    def n(self) -> int:
        """How many answers there were."""
        return sum(self.counts)

    @property
    def mean_percent(self) -> float | None:
        """Mean, None if there were none."""
        return self.total / 10 / self.n if self.n else None

    @property
    def last_percent(self) -> float:
        """The last one."""
        return self.last / 10


@dataclass(frozen=True, slots=True)
class Power:
    """What the device's own sensor says of its power, uW: sum over n records, the last, the highest."""

    n: int
    total: int
    last: int
    highest: int

    @property
    def mean_mw(self) -> float | None:
        """Mean of the records, None if there were none."""
        return self.total / 1000 / self.n if self.n else None

    @property
    def last_mw(self) -> float:
        """The last record."""
        return self.last / 1000


@dataclass(frozen=True, slots=True)
class Energy:
    """What the device's own sensor says of the energy of its inferences, nJ: sum over n records, the last."""

    n: int
    total: int
    last: int

    @property
    def mean_uj(self) -> float | None:
        """Mean of the records, None if there were none."""
        return self.total / 1000 / self.n if self.n else None

    @property
    def last_uj(self) -> float:
        """The last record."""
        return self.last / 1000


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `n`."""

    count: int
    n: int

    @property
    def percent(self) -> float | None:
        """The share, None if n is 0."""
        return 100 * self.count / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class FeatureHistogram:
    """One feature of every frame that ran, beside the training's.

    Attributes:
        edges: Upper ends of the buckets, exclusive, in the firmware's unit; the last bucket has none.
        training: Share of the training per bucket, sums to 1.
        counts: Frames per bucket.
    """

    edges: tuple[int, ...]
    training: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many frames there were."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class DeviceMetrics:
    """One reading, or (`since`) the difference of two.

    Attributes:
        sequence: Grows by two with each change.
        uptime_ticks, tick_hz: Time since the device started, and the rate of that clock; None if unknown.
        latency, confidence, power, energy: See there.
        memory_used, memory_available, flash_used, flash_size: Bytes.
        temperature_degc: Of the chip.
        battery_h, battery_v: Hours that the battery will last, and its voltage.
        cpu_percent: Share of the time that the core was awake, up to the last read-out over the console.
        accuracy: Right ones of the results whose answer was known to the device.
        false_positives: Words reported in windows that were known to hold none.
        frames, dropped, errors: Audio frames taken, audio frames lost, errors.
        features: For the drift score.
        refused: Values that the library did not take because they can't be.
    """

    sequence: int
    tick_hz: int
    uptime_ticks: int | None
    latency: Latency | None
    confidence: Confidence | None
    power: Power | None
    energy: Energy | None
    memory_used: int | None
    memory_available: int | None
    flash_used: int | None
    flash_size: int | None
    temperature_degc: float | None
    battery_h: int | None
    battery_v: float | None
    cpu_percent: float | None
    accuracy: Share | None
    false_positives: Share | None
    frames: int | None
    dropped: int | None
    errors: int | None
    features: FeatureHistogram | None
    refused: int

    @property
    def uptime_s(self) -> float | None:
        """Seconds since the device started; of a difference, the seconds between the readings."""
        return None if self.uptime_ticks is None else self.uptime_ticks / self.tick_hz

    @property
    def frame_rate_hz(self) -> float | None:
        """Audio frames per second over `uptime_s`."""
        return self._rate(self.frames)

    @property
    def throughput_hz(self) -> float | None:
        """Inferences per second over `uptime_s`."""
        return self._rate(self.latency.n if self.latency else None)

    @property
    def dropped_percent(self) -> float | None:
        """Share of the audio frames that were lost."""
        if self.frames is None or self.dropped is None:
            return None
        return Share(self.dropped, self.frames + self.dropped).percent

    def since(self, before: DeviceMetrics) -> DeviceMetrics | None:
        """What happened after the reading `before`: counters are differences, the rest is as it is now.

        None if the device has started anew in between (its clock went back), or if it has no clock. A device
        that started anew and has run longer since is not found out: compare `uptime_s` with your own clock.
        """
        if self.uptime_ticks is None or before.uptime_ticks is None:
            return None
        if self.uptime_ticks < before.uptime_ticks:
            return None
        return dataclasses.replace(
            self,
            uptime_ticks=self.uptime_ticks - before.uptime_ticks,
            latency=_group(self.latency, before.latency),
            confidence=_group(self.confidence, before.confidence),
            power=_group(self.power, before.power),
            energy=_group(self.energy, before.energy),
            accuracy=_group(self.accuracy, before.accuracy),
            false_positives=_group(self.false_positives, before.false_positives),
            frames=_count(self.frames, before.frames),
            dropped=_count(self.dropped, before.dropped),
            errors=_count(self.errors, before.errors),
            features=_group(self.features, before.features),
            refused=(self.refused - before.refused) % _U32,
        )

    def _rate(self, count: int | None) -> float | None:
        return count / self.uptime_s if count is not None and self.uptime_s else None


_Group = TypeVar("_Group", Latency, Confidence, Power, Energy, Share, FeatureHistogram)
# What grows, by the name that it has in every group, and how wide the device counts it.
_GROWING = {"counts": _U32, "count": _U32, "n": _U32, "total": _U64}


def _group(now: _Group | None, before: _Group | None) -> _Group | None:
    """The difference of what grows; a group that was absent before had counted nothing."""
    if now is None or before is None:
        return now
    changes = {
        field.name: _difference(getattr(now, field.name), getattr(before, field.name), _GROWING[field.name])
        for field in dataclasses.fields(now)
        if field.name in _GROWING
    }
    return dataclasses.replace(now, **changes)


def _count(now: int | None, before: int | None) -> int | None:
    return now if now is None or before is None else (now - before) % _U32


def _difference(now: Any, before: Any, turn: int) -> Any:
    if isinstance(now, tuple):
        return tuple((a - b) % turn for a, b in zip(now, before, strict=True))
    return (now - before) % turn
