"""A Joulescope's sample clock against UTC and against the clock of the harness.

The driver's messages carry `utc` (of their first sample) and, in newer versions, the map that it comes from.
Time stamps are "time64": 2^-30 s since 2018-01-01 (pyjoulescope_driver, time64.py; JLS has the same).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.model.capture import TimeMap

UTC_EPOCH_S, UTC_HZ = 1_514_764_800, 1 << 30
#: How well a host knows when a Joulescope took a sample: its clock against UTC, and USB (unconfirmed).
HOST_ERROR_S = 1e-3
# Over less than this the rate of the sample clock can't be told from the jitter of the time stamps.
_LONG_S = 10.0


# The sample clock and the host's drift apart: how late messages are is judged by the first of them.
_EARLY_S = 2.0


class ClockLog:
    """What the messages of one signal say about time.

    Args:
        started_at: When the stream was asked for, on the harness's clock; nothing was sampled before.
    """

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._first: Mapping[str, Any] | None = None
        self._last: Mapping[str, Any] | None = None
        self._zero_s = float("inf")

    def note(self, message: Mapping[str, Any], arrived_s: float) -> None:
        """Look at one message, which arrived at `arrived_s` on the harness's clock."""
        stamps = {key: value for key, value in message.items() if key != "data"}
        if self._first is None:
            self._first = stamps
        self._last = stamps
        rate = message["sample_rate"]
        if message["sample_id"] - self._first["sample_id"] <= _EARLY_S * rate:
            end = message["sample_id"] + len(message["data"]) * message["decimate_factor"]
            self._zero_s = min(self._zero_s, arrived_s - end / rate)

    def start(self, at: int) -> tuple[float, float]:
        """When count `at` was sampled, on the harness's clock, and its 95 % half-width, seconds.

        It lies between the moment that the stream was asked for and the moment that the host had the sample.
        """
        if self._first is None:
            return self._started_at, 0.0
        rate = self._first["sample_rate"]
        earliest = self._started_at + (at - self._first["sample_id"]) / rate
        latest = max(earliest, self._zero_s + at / rate)
        return (earliest + latest) / 2, (latest - earliest) / 2

    def time_map(self, at: int) -> TimeMap | None:
        """The map of a record that begins at count `at`; None if the driver tells none."""
        if self._first is None or self._last is None or "utc" not in self._first:
            return None
        rate = self._first["sample_rate"]
        known = self._last.get("time_map")
        if not known or not known["counter_rate"] > 0:
            pairs = [(one["sample_id"], one["utc"]) for one in (self._first, self._last)]
            return line_through(np.array(pairs, np.int64), at, rate)

        def ticks(count: int) -> float:
            return float((count - known["offset_counter"]) / known["counter_rate"] * UTC_HZ)

        moved = known["offset_time"] - self._first["utc"] + ticks(self._first["sample_id"])
        return TimeMap(
            UTC_EPOCH_S + (known["offset_time"] + ticks(at)) / UTC_HZ,
            rate / known["counter_rate"],
            HOST_ERROR_S + abs(moved) / UTC_HZ,
        )


def line_through(pairs: NDArray[np.int64], first: int, rate_hz: float) -> TimeMap:
    """The time map of a record that begins with sample `first`.

    Args:
        pairs: shape (n, 2): sample number, JLS time stamp.
        first: Number of the sample at the record's time 0.
        rate_hz: Nominal rate.
    """
    base = int(pairs[0, 1])
    at_s = (pairs[:, 0] - first) / rate_hz
    utc_s = (pairs[:, 1] - base) / UTC_HZ
    rate = 1.0
    if at_s[-1] - at_s[0] >= _LONG_S:
        centred = at_s - at_s.mean()
        rate = float(np.dot(centred, utc_s) / np.dot(centred, centred))
    zero_s = float(np.mean(utc_s - rate * at_s))
    scatter_s = float(np.max(np.abs(utc_s - rate * at_s - zero_s)))
    # Whole seconds first: a float of seconds since 1970 keeps 240 ns, and less is lost this way.
    return TimeMap(UTC_EPOCH_S + (base / UTC_HZ + zero_s), rate, HOST_ERROR_S + scatter_s)
