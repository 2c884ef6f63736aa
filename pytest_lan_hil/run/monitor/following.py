"""From the readings of one device to what is told of it: what is recent, and what started anew. Pure.

Means and shares are told over a sliding window: the last minute for power, energy and confidence, the last
hour for what needs many events (accuracy, false positives, drift). Until a window is full, and whenever the
device has started anew, they are told since the device started.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator

from pytest_lan_hil.dut.metrics_values import DeviceMetrics
from pytest_lan_hil.publish.device_metrics import Told

RECENT_S = 60.0
LATELY_S = 3600.0

# Readings that are kept of a window: its length is right to one part in so many.
_PIECES = 6
# A device's clock may go this much otherwise than ours before it is said to have jumped: its crystal, our
# schedule, and the time that an answer takes.
_CLOCK_SHARE = 0.05
_CLOCK_S = 2.0
_U32 = 1 << 32
# A counter of 32 bits that falls from its last quarter into its first has wrapped, not started anew.
_QUARTER = _U32 // 4


class Following:
    """What is remembered of one device from reading to reading.

    Args:
        keeps_time: Its clock goes with ours (a simulated device has a time of its own).

    Attributes:
        resets: How often its counters started anew.
        clock_jumps: How often its clock went otherwise than ours.
    """

    def __init__(self, *, keeps_time: bool) -> None:
        self.resets = 0
        self.clock_jumps = 0
        self._keeps_time = keeps_time
        self._windows = (_Window(RECENT_S), _Window(LATELY_S))
        self._last: tuple[float, DeviceMetrics] | None = None
        self._energy_j: float | None = None

    def take(self, at_s: float, metrics: DeviceMetrics) -> Told:
        """The next reading, taken at `at_s` of our own monotonic clock."""
        before, self._last = self._last, (at_s, metrics)
        if metrics.power is not None and self._energy_j is None:
            self._energy_j = 0.0
        if before is not None:
            self._compare(at_s - before[0], before[1], metrics)
        recent, lately = (window.take(at_s, metrics) for window in self._windows)
        return Told(metrics, recent, lately, self._energy_j)

    def _compare(self, passed_s: float, before: DeviceMetrics, now: DeviceMetrics) -> None:
        if _clock_went_back(before, now) or went_back(before, now):
            self.resets += 1
            self._forget()
            self._add_energy(now, passed_s)
            return
        change = now.since(before)
        if change is not None and change.uptime_s is not None and self._keeps_time:
            off_s = abs(change.uptime_s - passed_s)
            if off_s > _CLOCK_S + _CLOCK_SHARE * passed_s:
                self.clock_jumps += 1
                self._forget()
                return
        if change is not None:
            self._add_energy(change, passed_s)

    def _add_energy(self, change: DeviceMetrics, passed_s: float) -> None:
        """Mean power of the change times its length, which can't be longer than we have waited for it."""
        mean_mw = change.power.mean_mw if change.power else None
        if mean_mw is None or self._energy_j is None or change.uptime_s is None:
            return
        longest_s = passed_s * (1 + _CLOCK_SHARE) + _CLOCK_S if self._keeps_time else change.uptime_s
        self._energy_j += mean_mw * 1e-3 * min(change.uptime_s, longest_s)

    def _forget(self) -> None:
        self._windows = (_Window(RECENT_S), _Window(LATELY_S))


class _Window:
    """Readings of the last so many seconds, and the newest one before them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: deque[tuple[float, DeviceMetrics]] = deque()

    def take(self, at_s: float, metrics: DeviceMetrics) -> DeviceMetrics:
        """The change over the window; the reading itself, which counts from the start, until it is full."""
        if not self._kept or at_s - self._kept[-1][0] >= self._seconds / _PIECES:
            self._kept.append((at_s, _slim(metrics)))
        while len(self._kept) > 1 and self._kept[1][0] <= at_s - self._seconds:
            self._kept.popleft()
        start_s, start = self._kept[0]
        change = metrics.since(start) if start_s <= at_s - self._seconds else None
        return metrics if change is None else change


def _slim(metrics: DeviceMetrics) -> DeviceMetrics:
    """Without what no window tells, for there are many devices."""
    return dataclasses.replace(metrics, latency=None)


def _clock_went_back(before: DeviceMetrics, now: DeviceMetrics) -> bool:
    return (
        before.uptime_ticks is not None
        and now.uptime_ticks is not None
        and now.uptime_ticks < before.uptime_ticks
    )


def went_back(before: DeviceMetrics, now: DeviceMetrics) -> bool:
    """True if a counter is lower than it was, and has not wrapped."""
    return any(
        after < first and not (first >= _U32 - _QUARTER and after < _QUARTER)
        for first, after in zip(_counts(before), _counts(now), strict=False)
        if first is not None and after is not None
    )


def _counts(metrics: DeviceMetrics) -> Iterator[int | None]:
    """Every counter of 32 bits, in a fixed order; None for each that is absent."""
    yield from (metrics.frames, metrics.dropped, metrics.errors)
    for counted in (metrics.power, metrics.energy, metrics.accuracy, metrics.false_positives):
        yield None if counted is None else counted.n
    for histogram, buckets in (
        (metrics.latency, 16), (metrics.confidence, 10), (metrics.features, 10),
    ):  # fmt: skip
        yield from [None] * buckets if histogram is None else histogram.counts
