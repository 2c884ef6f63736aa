"""Which range or shunt would settle what the present ones can't resolve: arithmetic and one sentence."""

from __future__ import annotations

import math

from pytest_lan_hil.instruments.ina_limits import Limits, Shunt, ShuntRange

#: Shunts that one can buy and solder, ohms.
SHUNTS_OHM = tuple(digit * 10.0**decade for decade in (-2, -1, 0, 1, 2) for digit in (1, 2, 5))
# What a shunt may take from the board's supply at the largest current; more changes what is measured.
MOST_BURDEN_V = 0.1

# Another shunt is advised if it brings the error down to this share of the present one.
_WORTH_IT = 0.7


def power_error_w(limits: Limits, shunt: Shunt, chosen: ShuntRange, *, power_w: float, bus_v: float) -> float:
    """95 % half-width of a mean power with this shunt in this range, at the reference temperature.

    Args:
        limits: Of the chip.
        shunt: Shunt to judge.
        chosen: Range of the shunt voltage.
        power_w: Mean power.
        bus_v: Bus voltage.
    """
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
    settles = None
    for ohm in SHUNTS_OHM:
        chosen = range_for(limits, ohm * largest_a)
        if chosen is None or ohm * largest_a > MOST_BURDEN_V:
            break
        settles = Shunt(ohm, tolerance)
        if power_error_w(limits, settles, chosen, power_w=power_w, bus_v=bus_v) <= wanted_w:
            break
    return settles


def advice(
    limits: Limits, shunt: Shunt, chosen: ShuntRange, *, power_w: float, bus_v: float, largest_a: float
) -> str | None:
    """A sentence for whoever needs a finer answer than this record gives, or None if nothing gives one.

    It names the range that this shunt allows, and the shunt that is sure to a hundredth of the power or the
    closest to it, if they make a difference.

    Args:
        limits: Of the chip.
        shunt: In use.
        chosen: Range in use.
        power_w: Mean power of the record.
        bus_v: Mean bus voltage.
        largest_a: Largest current that may have flowed; what the offset may hide of it is added here.
    """
    largest_a = largest_a + chosen.offset_v / shunt.ohm
    better = shunt_that_settles(
        limits, wanted_w=abs(power_w) / 100, power_w=power_w, bus_v=bus_v, largest_a=largest_a,
        tolerance=shunt.tolerance,
    )  # fmt: skip
    now_w = best_w = power_error_w(limits, shunt, chosen, power_w=power_w, bus_v=bus_v)
    ways = []
    for one in (shunt, better):
        tighter = range_for(limits, one.ohm * largest_a) if one is not None else None
        if one is None or tighter is None or one.ohm < shunt.ohm:
            continue
        then_w = power_error_w(limits, one, tighter, power_w=power_w, bus_v=bus_v)
        if then_w > _WORTH_IT * best_w:
            continue
        best_w = then_w
        setting = f"range_mv={tighter.full_scale_v * 1e3:g}"
        if one is shunt:
            ways.append(f"{setting} would make that ± {_si(then_w, 'W')}")
        else:
            ways.append(
                f"a shunt of {one.ohm:g} ohm would make that ± {_si(then_w, 'W')} with {setting}, and take"
                f" {one.ohm * largest_a:.2g} V from the board at the largest current"
            )
    if not ways:
        return None
    step_a = limits.shunt_step_v / shunt.ohm
    return (
        f"one step of this {limits.model} with {shunt.ohm:g} ohm is {_si(step_a, 'A')},"
        f" {_si(step_a * bus_v, 'W')} at {bus_v:.2g} V, and in its range of ± {chosen} its mean power is sure"
        f" to ± {_si(now_w, 'W')} at best; {'; '.join(ways)}"
    )


def _si(value: float, unit: str) -> str:
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.2g} {unit}"
