"""From the logs of a capture's signals to the capture: one common span, and gaps that are NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.joulescope_time import ClockLog
from pytest_lan_hil.instruments.stream import AnalogLog, LineLog, RangeLog, SignalLog, Span
from pytest_lan_hil.model.capture import Accuracy, Capture, Gap, InstrumentIdentity, RangeRuns
from pytest_lan_hil.model.errors import InstrumentError


def assemble(
    current: AnalogLog,
    voltage: AnalogLog,
    lines: Mapping[str, LineLog],
    *,
    ranges: RangeLog | None,
    range_indices: Sequence[int],
    clock: ClockLog,
    limit_s: float,
    instrument: InstrumentIdentity,
    accuracy: Accuracy,
    complete: bool,
) -> Capture:
    """The capture that the logs hold; they let go of it.

    Args:
        current, voltage: Signals.
        lines: Marker line name to its log.
        ranges: The current range, if the instrument was asked for it; it need not have answered.
        range_indices: Code of a range to its index in `Accuracy.current_ranges`.
        clock: What the messages said about time.
        limit_s: What is longer than this came after the end of the capture and is left out.
        instrument, accuracy, complete: See `Capture`.

    Raises:
        InstrumentError: The signals do not share a sample clock.
    """
    every = [current, voltage, *lines.values()]
    if ranges is not None and ranges.has_samples:
        every.append(ranges)
    clocks = {log.clock_hz for log in every if log.has_samples}
    if len(clocks) > 1 or current.decimation != voltage.decimation:
        found = ", ".join(f"{log.name} {log.clock_hz} Hz / {log.decimation}" for log in every)
        raise InstrumentError(
            f"the signals of {instrument} have different sample clocks: {found}",
            fix="update the joulescope packages and the instrument's firmware",
        )
    start, stop = common_span(every)
    if stop == start:
        nothing = np.empty(0, np.float32)
        return Capture(1.0, nothing, nothing, instrument, accuracy, complete=complete)
    step = current.decimation
    limit = int(limit_s * current.clock_hz / step + 1e-6) * step
    span = start, min(stop, start + limit)
    current_a, voltage_v = current.take(span), voltage.take(span)
    lost = [gone for log in every for gone in log.lost]
    for samples in (current_a, voltage_v):
        lost += [(start + a * step, start + b * step) for a, b in nan_spans(samples)]
    gaps = gaps_of(lost, start, step, len(current_a))
    for gap in gaps:
        current_a[gap.start : gap.stop] = np.nan
        voltage_v[gap.start : gap.stop] = np.nan
    start_s, start_error_s = clock.start(start)
    return Capture(
        sample_rate_hz=current.clock_hz / step,
        current_a=current_a,
        voltage_v=voltage_v,
        instrument=instrument,
        accuracy=accuracy,
        markers={name: log.take(span) for name, log in lines.items()},
        gaps=gaps,
        complete=complete,
        ranges=_ranges(ranges, start, step, len(current_a), range_indices) if ranges in every else None,
        time_map=clock.time_map(start),
        start_s=start_s,
        start_error_s=start_error_s,
    )


def common_span(logs: Sequence[SignalLog]) -> Span:
    """From the first sample that every signal has to the last, on whole samples of the slowest signal."""
    if not all(log.has_samples for log in logs):
        return 0, 0
    step = max(log.decimation for log in logs)
    start = -(-max(log.start for log in logs) // step) * step
    stop = min(log.stop for log in logs) // step * step
    return start, max(start, stop)


def gaps_of(spans: Sequence[Span], start: int, step: int, total: int) -> tuple[Gap, ...]:
    """Spans of the sample clock as gaps in samples of the current: united, rising, disjoint.

    Args:
        spans: In counts of the sample clock, in any order; what lies outside the record is left out.
        start: Count of the record's first sample.
        step: Counts per sample.
        total: Samples of the record.
    """
    gaps: list[Gap] = []
    for first, last in sorted(spans):
        low, high = max(0, (first - start) // step), min(total, -(-(last - start) // step))
        if high <= low:
            continue
        if gaps and low <= gaps[-1].stop:
            gaps[-1] = Gap(gaps[-1].start, max(high, gaps[-1].stop))
        else:
            gaps.append(Gap(low, high))
    return tuple(gaps)


def merged_runs(starts: NDArray[np.int64], indices: NDArray[np.int64]) -> RangeRuns:
    """Runs that rise: of several at one sample the last one counts, and equal neighbours are one."""
    latest = np.append(starts[1:] != starts[:-1], True)
    starts, indices = starts[latest], indices[latest]
    changed = np.append(True, indices[1:] != indices[:-1])
    return RangeRuns(starts[changed], indices[changed])


def _ranges(
    log: RangeLog | None, start: int, step: int, count: int, range_indices: Sequence[int]
) -> RangeRuns | None:
    """A sample has the range of its first count."""
    if log is None:
        return None
    begun, codes = log.take()
    at = np.maximum(-(-(begun - start) // step), 0)
    within = at < count
    indices = np.array(range_indices, np.int64)[np.minimum(codes[within], len(range_indices) - 1)]
    return merged_runs(at[within], indices)


def nan_spans(samples: NDArray[np.float32]) -> list[Span]:
    """Runs of NaN, which is how the JS110's driver marks samples that never arrived."""
    if not len(samples) or not np.isnan(samples.min()):
        return []
    edges = np.flatnonzero(np.diff(np.isnan(samples), prepend=False, append=False))
    return [(int(a), int(b)) for a, b in zip(edges[0::2], edges[1::2], strict=True)]
