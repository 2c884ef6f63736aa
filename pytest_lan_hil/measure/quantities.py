"""Capture to measurements: one function per quantity, and the ways to join or make measurements by hand.

Each raises MeasurementInvalid where the record can't support a number; none ever returns a number that a
dropped sample, a missing edge or a broken value went into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_lan_hil.measure import uncertainty
from pytest_lan_hil.measure.blocks import cells_of, fewest_blocks, independent_blocks
from pytest_lan_hil.measure.energy import energies, touches_gap
from pytest_lan_hil.measure.soundness import lost_too_much, require_finite, require_sound, usable_windows
from pytest_lan_hil.measure.statistics import describe, estimate, is_autocorrelated
from pytest_lan_hil.measure.windows import find_windows, windows_of
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Conditions, Measurement
from pytest_lan_hil.model.quantities import QUANTITIES

INFERENCE = "inference"


def latency(capture: Capture, marker: str = INFERENCE) -> Measurement:
    """Time from rise to fall of the marker line, one value per window, in ms.

    Raises:
        MeasurementInvalid: No complete window, too much of the record lost, or a damaged record.
    """
    require_sound(capture)
    windows = windows_of(capture, marker)
    usable, notes = usable_windows(capture, windows, marker)
    durations = windows.duration_s[usable]
    parts = uncertainty.latency_contributions(capture.accuracy, windows.resolution_s, float(durations.max()))
    return _measurement(
        "latency", (durations * 1e3).tolist(), uncertainty.combined(parts), capture, notes,
        duration_s=float(windows.stop_s[usable][-1] - windows.start_s[usable][0]),
    )  # fmt: skip


def energy(capture: Capture, marker: str = INFERENCE) -> Measurement:
    """Energy between rise and fall of the marker line, one value per window, in uJ.

    Raises:
        MeasurementInvalid: See `latency`; or a sample in a window is not a finite number.
    """
    require_sound(capture)
    windows = windows_of(capture, marker)
    usable, notes = usable_windows(capture, windows, marker)
    start_s, stop_s = windows.start_s[usable], windows.stop_s[usable]
    joules = energies(capture, start_s, stop_s)
    require_finite(capture, joules, start_s, stop_s)
    parts = uncertainty.energy_contributions(
        capture, start_s, stop_s, float(joules.mean()), windows.resolution_s
    )
    return _measurement(
        "energy", (joules * 1e6).tolist(), uncertainty.combined(parts), capture,
        notes + _supply_note(capture), duration_s=float(stop_s[-1] - start_s[0]),
    )  # fmt: skip


def mean_power(
    capture: Capture,
    *,
    spans: Sequence[tuple[float, float]] | None = None,
    start_s: float | None = None,
    stop_s: float | None = None,
    period_marker: str = INFERENCE,
) -> Measurement:
    """Mean power over spans of the capture, in mW; its values are blocks that are independent of each other.

    See `measure.blocks` for how blocks are chosen. Where no choice makes them independent, the measurement
    has the one value and an infinite interval, and a note says how long a record would settle it.

    Args:
        capture: The record.
        spans: Start and stop of each part that counts, seconds; usually the phase marker's windows.
        start_s: Instead of spans: from here (default: the start of the capture) ...
        stop_s: ... to here (default: its end).
        period_marker: Marker line whose rising edges show the period of the load; need not exist.

    Raises:
        MeasurementInvalid: A span ends after the capture, too much is lost, or a sample is not finite.
        InputError: No span, or one without length.
    """
    require_sound(capture)
    chosen = _spans(capture, spans, start_s, stop_s)
    line = capture.markers.get(period_marker)
    rises = find_windows(line).start_s if line is not None else np.empty(0)
    cells = cells_of(chosen, rises, capture.sample_rate_hz)
    kept = ~touches_gap(capture.gaps, capture.sample_rate_hz, cells.start_s, cells.stop_s)
    if not kept.any():
        raise lost_too_much(capture, f"all {len(kept)} blocks of the measured part")
    begin, end = cells.start_s[kept], cells.stop_s[kept]
    joules = energies(capture, begin, end)
    require_finite(capture, joules, begin, end)
    durations = end - begin
    total_s = float(durations.sum())
    watts = float(joules.sum()) / total_s
    notes = _supply_note(capture)
    blocks = independent_blocks(joules, durations, fewest=fewest_blocks(cells))
    if blocks is None:
        values = [watts * 1e3]
        notes += (
            f"the power varies too slowly for an interval from {total_s:.3g} s of record: neighbouring parts"
            f" resemble each other; measure for at least {4 * total_s:.3g} s",
        )
    else:
        values = (blocks * 1e3).tolist()
        kind = "whole periods of the marker line" if cells.periodic else "equal parts of the record"
        notes += (f"mean of {len(values)} blocks of {total_s / len(values):.3g} s, {kind}",)
        if is_autocorrelated(values):
            notes += (
                "the power varies slowly: neighbouring blocks resemble each other, which widens the interval;"
                " a longer record narrows it",
            )
    parts = uncertainty.power_contributions(capture, begin, end, watts)
    return _measurement("power", values, uncertainty.combined(parts), capture, notes, duration_s=total_s)


def memory(
    static_bytes: int,
    stack_bytes: int,
    *,
    simulated: bool = False,
    instrument: str = "linker and stack paint",
) -> Measurement:
    """Static RAM of the image plus the stack's high-water mark, in KB (1 KB = 1024 bytes): an exact figure.

    Raises:
        InputError: A negative number of bytes.
    """
    if static_bytes < 0 or stack_bytes < 0:
        raise InputError(
            f"memory of {static_bytes} static and {stack_bytes} stack bytes", fix="give numbers from 0"
        )
    return from_values(
        "memory", [(static_bytes + stack_bytes) / 1024], simulated=simulated, instrument=instrument,
        notes=(f"{static_bytes} bytes static, {stack_bytes} bytes of stack used at most",),
    )  # fmt: skip


def from_values(
    quantity: str,
    values: Sequence[float],
    *,
    unit: str | None = None,
    statistic: str | None = None,
    instrument_error: float = 0.0,
    instrument: str = "test",
    simulated: bool = False,
    notes: tuple[str, ...] = (),
) -> Measurement:
    """A measurement from values that the caller measured, in order of time.

    Args:
        quantity: Name in the quantity table, or a name of the caller's own.
        values: In display unit.
        unit: Required for a name of the caller's own; must agree with the table otherwise.
        statistic: "mean", "max" or "pNN"; by default the table's, else "mean".
        instrument_error: 95 % half-width of what measured.
        instrument: What measured.
        simulated: True if a virtual bench made the values.
        notes: For the reader.

    Raises:
        InputError: Unknown statistic, wrong or missing unit.
        MeasurementInvalid: No values, or one that is not finite.
    """
    row = QUANTITIES.get(quantity)
    if row is None and unit is None:
        raise InputError(f"quantity {quantity!r} has no unit", fix='give unit=, for instance unit="%"')
    if row is not None and unit not in (None, row.unit):
        raise InputError(f"{quantity} in {unit}", fix=f"convert the values to {row.unit}")
    chosen_unit = row.unit if row else str(unit)
    chosen = statistic or (row.statistic if row else "mean")
    return Measurement(
        quantity=quantity,
        unit=chosen_unit,
        n=len(values),
        values=tuple(float(value) for value in values),
        spread=describe(values),
        estimate=estimate(values, chosen, instrument_error),
        lost_share=0.0,
        instrument=instrument,
        simulated=simulated,
        notes=notes,
    )


def pool(measurements: Sequence[Measurement]) -> Measurement:
    """Join measurements of one quantity as if made in one go, in the given order.

    The instrument's error is the largest of theirs; conditions that differ are reported as "mixed".

    Raises:
        InputError: None given, or they differ in quantity, unit or statistic.
    """
    if not measurements:
        raise InputError("pooling no measurements", fix="measure at least once")
    first = measurements[0]
    if len(measurements) == 1:
        return first
    kinds = {(one.quantity, one.unit, one.estimate.statistic) for one in measurements}
    if len(kinds) > 1:
        raise InputError(f"pooling different things: {sorted(kinds)}", fix="pool one quantity at a time")
    values = tuple(value for one in measurements for value in one.values)
    weights = [one.duration_s or 1.0 for one in measurements]
    lost = sum(one.lost_share * weight for one, weight in zip(measurements, weights, strict=True))
    error = max(one.estimate.instrument_error for one in measurements)
    return replace(
        first,
        n=len(values),
        values=values,
        spread=describe(values),
        estimate=estimate(values, first.estimate.statistic, error),
        lost_share=lost / sum(weights),
        instrument=", ".join(dict.fromkeys(one.instrument for one in measurements)),
        simulated=any(one.simulated for one in measurements),
        conditions=_common_conditions([one.conditions for one in measurements]),
        notes=tuple(dict.fromkeys(note for one in measurements for note in one.notes)),
        duration_s=sum(one.duration_s for one in measurements),
    )


def _common_conditions(conditions: Sequence[Conditions]) -> Conditions:
    def common(values: set[str]) -> str:
        return values.pop() if len(values) == 1 else "mixed"

    return Conditions(
        probe=common({one.probe for one in conditions}),
        console=common({one.console for one in conditions}),
        supply=common({one.supply for one in conditions}),
    )


def _measurement(
    quantity: str,
    values: list[float],
    instrument_error: float,
    capture: Capture,
    notes: tuple[str, ...],
    *,
    duration_s: float,
) -> Measurement:
    made = from_values(
        quantity, values, instrument_error=instrument_error, simulated=capture.instrument.simulated,
        instrument=f"{capture.instrument.model} {capture.instrument.serial}".strip(), notes=notes,
    )  # fmt: skip
    return replace(
        made,
        lost_share=capture.lost_share,
        duration_s=duration_s,
        conditions=Conditions(supply=capture.supply),
    )


def _supply_note(capture: Capture) -> tuple[str, ...]:
    return () if capture.supply == "measured" else (f"supply voltage {capture.supply}, not measured",)


def _spans(
    capture: Capture,
    spans: Sequence[tuple[float, float]] | None,
    start_s: float | None,
    stop_s: float | None,
) -> list[tuple[float, float]]:
    if spans is None:
        spans = [(0.0 if start_s is None else start_s, capture.duration_s if stop_s is None else stop_s)]
    elif start_s is not None or stop_s is not None:
        raise InputError("mean_power got spans and also start_s or stop_s", fix="give one or the other")
    one_sample = 1 / capture.sample_rate_hz  # marker lines may be sampled, and end, later
    chosen = []
    for start, stop in spans:
        if not (0 <= start < stop):
            raise InputError(f"a span from {start} s to {stop} s has no length", fix="give start < stop")
        if stop > capture.duration_s + one_sample:
            raise MeasurementInvalid(
                f"the measured part ends at {stop:.6f} s, the capture already at {capture.duration_s:.6f} s",
                fix="record longer, or measure a part inside the capture",
            )
        chosen.append((float(start), min(float(stop), capture.duration_s)))
    if not chosen:
        raise InputError("mean_power got no spans", fix="give at least one, or none at all for everything")
    return chosen
