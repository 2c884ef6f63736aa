"""Which shunt would settle what the present one can't resolve: arithmetic and one sentence."""

from __future__ import annotations

import math

from pytest_lan_hil.instruments.ina_limits import Limits, Shunt, ShuntRange

#: Shunts that one can buy and solder, ohms.
SHUNTS_OHM = tuple(digit * 10.0**decade for decade in (-2, -1, 0, 1, 2) for digit in (1, 2, 5))
# What a shunt may take from the board's supply at the largest current; more changes what is measured.
MOST_BURDEN_V = 0.1

# Another shunt is advised if it brings the error down to this share of the present one.
_WORTH_IT = 0.7


def power_error_w(limits: Limits, shunt: Shunt, *, power_w: float, bus_v: float, burden_v: float) -> float:
    """95 % half-width of a mean power with this shunt, in the smallest range that holds the burden.

    Args:
        limits: Of the chip.
        shunt: Shunt to judge.
        power_w: Mean power.
        bus_v: Bus voltage.
        burden_v: Shunt voltage at the largest current.
    """
    chosen = range_for(limits, burden_v) or limits.ranges[-1]
    offset_a = math.hypot(chosen.offset_v, limits.shunt_step_v / 2) / shunt.ohm
    drawn_a = limits.input_tolerance * limits.drawn_a(bus_v)
    gain = math.hypot(limits.gain, shunt.tolerance, limits.bus_gain)
    return math.hypot(gain * power_w, math.hypot(offset_a, drawn_a) * bus_v)


def range_for(limits: Limits, shunt_v: float) -> ShuntRange | None:
    """The smallest range that holds a shunt voltage with a tenth to spare, or None."""
    return next((one for one in limits.ranges if shunt_v <= 0.9 * one.full_scale_v), None)


def shunt_that_settles(
    limits: Limits, *, wanted_w: float, power_w: float, bus_v: float, largest_a: float, tolerance: float
) -> Shunt | None:
    """The smallest shunt whose mean power is sure to `wanted_w`; if none is, the largest that may be used.

    Args:
        limits: Of the chip.
        wanted_w: 95 % half-width that would settle the question.
        power_w: Mean power that was measured.
        bus_v: Bus voltage.
        largest_a: Largest current to be expected.
        tolerance: Of the shunts that are chosen from.

    Returns:
        None if even the smallest takes more than `MOST_BURDEN_V` from the supply.
    """
    usable = [
        Shunt(ohm, tolerance)
        for ohm in SHUNTS_OHM
        if ohm * largest_a <= MOST_BURDEN_V and range_for(limits, ohm * largest_a) is not None
    ]
    for shunt in usable:
        error = power_error_w(limits, shunt, power_w=power_w, bus_v=bus_v, burden_v=shunt.ohm * largest_a)
        if error <= wanted_w:
            return shunt
    return usable[-1] if usable else None


def advice(
    limits: Limits, shunt: Shunt, chosen: ShuntRange, *, power_w: float, bus_v: float, largest_a: float
) -> str | None:
    """A sentence for whoever needs a finer answer than this record gives, or None if the shunt is right.

    The shunt it names is sure to a hundredth of the power, or the closest to it.

    Args:
        limits: Of the chip.
        shunt: In use.
        chosen: Range in use.
        power_w: Mean power of the record.
        bus_v: Mean bus voltage.
        largest_a: Largest current seen; what the offset may hide of it is added here.
    """
    largest_a = largest_a + chosen.offset_v / shunt.ohm
    better = shunt_that_settles(
        limits, wanted_w=abs(power_w) / 100, power_w=power_w, bus_v=bus_v, largest_a=largest_a,
        tolerance=shunt.tolerance,
    )  # fmt: skip
    if better is None or better.ohm <= shunt.ohm:
        return None
    burden_v = better.ohm * largest_a
    now_w, then_w = (
        power_error_w(limits, one, power_w=power_w, bus_v=bus_v, burden_v=one.ohm * largest_a)
        for one in (shunt, better)
    )
    if then_w > _WORTH_IT * now_w:
        return None
    step_a = limits.shunt_step_v / shunt.ohm
    return (
        f"one step of this {limits.model} with {shunt.ohm:g} ohm is {_si(step_a, 'A')},"
        f" {_si(step_a * bus_v, 'W')} at {bus_v:.2g} V, and its mean power is sure to ± {_si(now_w, 'W')} at"
        f" best; a shunt of {better.ohm:g} ohm would make that ± {_si(then_w, 'W')} and take"
        f" {burden_v:.2g} V at the largest current seen"
    )


def _si(value: float, unit: str) -> str:
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.2g} {unit}"
