"""Capture to measurements: one function per quantity, and the ways to join or make measurements by hand.

Each raises MeasurementInvalid where the record can't support a number; none ever returns a number that a
dropped sample, a missing edge or a broken value went into.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_lan_hil.measure import uncertainty
from pytest_lan_hil.measure.blocks import blocks_of, cells_of, independent_blocks
from pytest_lan_hil.measure.energy import energies, touches_gap
from pytest_lan_hil.measure.soundness import lost_too_much, require_finite, require_sound, usable_windows
from pytest_lan_hil.measure.statistics import describe, estimate, is_autocorrelated
from pytest_lan_hil.measure.windows import find_windows, windows_of
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Conditions, Contribution, Measurement
from pytest_lan_hil.model.quantities import QUANTITIES

INFERENCE = "inference"
# Blocks of a record whose power wanders at every scale: too few to be tested for resembling each other, which
# they do, and which the offset covers.
_WANDERING_BLOCKS = 7
_PERIODS = "whole periods of the marker line"
_PARTS = "equal parts of the record"
_NOT_NAMED = (
    "the error has no bound: the record does not say which instrument made it; name it, for instance"
    " replay:FILE?instrument=js110"
)
_POWER_ALONE = (
    "the error has no bound: the record holds power alone, and an offset of the current is a power only with"
    " the voltage; give it, for instance replay:FILE?supply_v=3.0"
)


def latency(capture: Capture, marker: str = INFERENCE) -> Measurement:
    """Time from rise to fall of the marker line, one value per window, in ms.

    Raises:
        MeasurementInvalid: No complete window, too much of the record lost, or a damaged record.
    """
    require_sound(capture)
    windows = windows_of(capture, marker)
    usable, notes = usable_windows(capture, windows, marker)
    durations = windows.duration_s[usable]
    parts = uncertainty.latency_contributions(
        capture.accuracy, windows.resolution_s, float(durations.max()),
        jitter_s=windows.jitter_s, timebase=windows.timebase,
    )  # fmt: skip
    if windows.timebase is None:  # else the instrument's error has no part in it
        parts += uncertainty.unbounded(capture.accuracy, "ms")
    return _measurement(
        "latency", (durations * 1e3).tolist(), parts, capture, notes,
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
        capture, start_s, stop_s, float(joules.mean()), windows.resolution_s,
        jitter_s=windows.jitter_s, tie_s=windows.tie_s, timebase=windows.timebase,
    )  # fmt: skip
    parts += uncertainty.unbounded(capture.accuracy, "uJ")
    return _measurement(
        "energy", (joules * 1e6).tolist(), parts, capture,
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
    parts = uncertainty.power_contributions(capture, begin, end, watts)
    parts += uncertainty.unbounded(capture.accuracy, "mW")
    notes = _supply_note(capture)
    blocks = independent_blocks(joules, durations, periodic=cells.periodic)
    wandering = blocks_of(joules, durations, _WANDERING_BLOCKS) * 1e3
    if blocks is not None:
        values = (blocks * 1e3).tolist()
        kind = _PERIODS if cells.periodic else _PARTS
        notes += (f"mean of {len(values)} blocks of {total_s / len(values):.3g} s, {kind}",)
        if is_autocorrelated(values):
            notes += (
                "the power varies slowly: neighbouring blocks resemble each other, which widens the interval;"
                " a longer record narrows it",
            )
    elif len(wandering) == _WANDERING_BLOCKS and describe(
        wandering.tolist()
    ).std * 1.96 <= uncertainty.offset_of(parts):
        # Noise that is as strong over a year as over a second (1/f) has no mean that a longer record finds;
        # the instrument's data sheet bounds it by its offset, and that is counted.
        values = wandering.tolist()
        notes += (
            f"mean of {len(values)} blocks of {total_s / len(values):.3g} s; the power wanders at every"
            " scale, by less than the instrument's own offset limit, which covers it; a longer record does"
            " not help",
        )
    else:
        values = [watts * 1e3]
        notes += (
            f"the power varies too slowly for an interval from {total_s:.3g} s of record: neighbouring parts"
            f" resemble each other; measure for at least {4 * total_s:.3g} s",
        )
    return _measurement("power", values, parts, capture, notes, duration_s=total_s)


def memory(
    static_bytes: int,
    stack_bytes: int,
    heap_bytes: int = 0,
    *,
    simulated: bool = False,
    instrument: str = "linker and stack paint",
    notes: tuple[str, ...] = (),
) -> Measurement:
    """Static RAM of the image plus what stack and heap ever took, in KB (1 KB = 1024 bytes): an exact figure.

    Args:
        static_bytes, stack_bytes, heap_bytes: The parts.
        simulated: True if a virtual bench told them.
        instrument: What told them.
        notes: What to say about the parts; by default their sizes.

    Raises:
        InputError: A negative number of bytes.
    """
    parts = (static_bytes, stack_bytes, heap_bytes)
    if min(parts) < 0:
        raise InputError(
            f"memory of {static_bytes} static, {stack_bytes} stack and {heap_bytes} heap bytes",
            fix="give numbers from 0",
        )
    said = f"{static_bytes} bytes static, {stack_bytes} bytes of stack used at most"
    return from_values(
        "memory", [sum(parts) / 1024], simulated=simulated, instrument=instrument,
        notes=notes or (f"{said}, {heap_bytes} bytes of heap" if heap_bytes else said,),
    )  # fmt: skip


def from_values(
    quantity: str,
    values: Sequence[float],
    *,
    unit: str | None = None,
    statistic: str | None = None,
    instrument_error: float = 0.0,
    contributions: tuple[Contribution, ...] = (),
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
        instrument_error: 95 % half-width of what measured ...
        contributions: ... or what it consists of, in display unit; then it is their root sum of squares.
        instrument: What measured.
        simulated: True if a virtual bench made the values.
        notes: For the reader.

    Raises:
        InputError: Unknown statistic, wrong or missing unit, contributions in another unit or beside an
            instrument error.
        MeasurementInvalid: No values, or one that is not finite.
    """
    row = QUANTITIES.get(quantity)
    if row is None and unit is None:
        raise InputError(f"quantity {quantity!r} has no unit", fix='give unit=, for instance unit="%"')
    if row is not None and unit not in (None, row.unit):
        raise InputError(f"{quantity} in {unit}", fix=f"convert the values to {row.unit}")
    chosen_unit = row.unit if row else str(unit)
    if contributions and instrument_error:
        raise InputError(
            f"{quantity} with an instrument error and also contributions to it", fix="give one or the other"
        )
    for part in contributions:
        if part.unit != chosen_unit:
            raise InputError(
                f"{quantity} is in {chosen_unit}, its contribution {part.name!r} in {part.unit}",
                fix=f"convert the contribution to {chosen_unit}",
            )
    if instrument_error:
        contributions = (
            Contribution("instrument error", instrument_error, chosen_unit, "given by the test"),
        )
    chosen = statistic or (row.statistic if row else "mean")
    return Measurement(
        quantity=quantity,
        unit=chosen_unit,
        n=len(values),
        values=tuple(float(value) for value in values),
        spread=describe(values),
        estimate=estimate(values, chosen, uncertainty.combined(contributions)),
        lost_share=0.0,
        instrument=instrument,
        simulated=simulated,
        notes=notes,
        contributions=contributions,
    )


def pool(measurements: Sequence[Measurement]) -> Measurement:
    """Join measurements of one quantity as if made in one go, in the given order.

    Of each contribution to the instrument's error the largest counts; conditions that differ are reported as
    "mixed".

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
    parts = uncertainty.largest_of_each([one.contributions for one in measurements])
    # Records of older versions have no contributions.
    error = max(uncertainty.combined(parts), *(one.estimate.instrument_error for one in measurements))
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
        contributions=parts,
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
    contributions: tuple[Contribution, ...],
    capture: Capture,
    notes: tuple[str, ...],
    *,
    duration_s: float,
) -> Measurement:
    if not math.isfinite(uncertainty.combined(contributions)):
        notes += (_POWER_ALONE if capture.accuracy.known else _NOT_NAMED,)
    made = from_values(
        quantity, values, contributions=contributions, simulated=capture.instrument.simulated,
        instrument=f"{capture.instrument.model} {capture.instrument.serial}".strip(), notes=notes,
    )  # fmt: skip
    return replace(
        made,
        lost_share=capture.lost_share,
        duration_s=duration_s,
        conditions=Conditions(supply=capture.supply),
    )


def _supply_note(capture: Capture) -> tuple[str, ...]:
    return ("supply voltage assumed, not measured",) if capture.supply == "assumed" else ()


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
