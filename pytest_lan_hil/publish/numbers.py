"""Figures as people read them: rounded to what their uncertainty supports. Pure."""

from __future__ import annotations

import math

from pytest_lan_hil.model.comparison import Arm, Comparison
from pytest_lan_hil.model.measurement import Budget, Estimate
from pytest_lan_hil.model.quantities import QUANTITIES, Direction, unit_text

# Two digits of uncertainty: the usual rule of the GUM (JCGM 100:2008, 7.2.6).
_UNCERTAINTY_DIGITS = 2
_EXACT_DIGITS = 6


def rounded(value: float, uncertainty: float) -> str:
    """`value` with as many decimals as two digits of `uncertainty` support; six digits where it is exact."""
    if not math.isfinite(uncertainty) or uncertainty <= 0 or not math.isfinite(value):
        return f"{value:.{_EXACT_DIGITS}g}"
    return f"{value:.{_decimals(uncertainty)}f}"


def _decimals(uncertainty: float) -> int:
    exponent = math.floor(math.log10(uncertainty))
    if round(uncertainty * 10.0 ** (_UNCERTAINTY_DIGITS - 1 - exponent)) >= 10**_UNCERTAINTY_DIGITS:
        exponent += 1  # 0.0996 rounds to 0.10
    return min(max(0, _UNCERTAINTY_DIGITS - 1 - exponent), 15)


def estimate_text(estimate: Estimate, unit: str) -> str:
    """ "12.345 ± 0.012 ms"; an interval that is open at one or both ends is said in words."""
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    if math.isinf(below) and math.isinf(above):
        return f"{estimate.value:.4g}{unit_text(unit)} (no bound)"
    if math.isinf(above):
        return f"{rounded(estimate.value, below)}{unit_text(unit)} (at least {rounded(estimate.low, below)})"
    if math.isinf(below):
        return f"{rounded(estimate.value, above)}{unit_text(unit)} (at most {rounded(estimate.high, above)})"
    if estimate.statistic == "share":  # its sides differ, and "100 ± 6 %" can't be
        half = (estimate.high - estimate.low) / 2
        sides = f"{rounded(estimate.low, half)} to {rounded(estimate.high, half)}"
        return f"{rounded(estimate.value, half)}{unit_text(unit)} ({sides})"
    uncertainty = estimate.uncertainty
    if uncertainty == 0:
        return f"{rounded(estimate.value, 0)}{unit_text(unit)}"
    return f"{rounded(estimate.value, uncertainty)} ± {rounded(uncertainty, uncertainty)}{unit_text(unit)}"


def interval_text(estimate: Estimate, unit: str) -> str:
    """ "12.333 to 12.357 ms": the interval that the verdict is made from, with its instrument's error."""
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    if math.isinf(below) and math.isinf(above):
        return "not bounded"
    if math.isinf(above):
        return f"at least {rounded(estimate.low, below)}{unit_text(unit)}"
    if math.isinf(below):
        return f"at most {rounded(estimate.high, above)}{unit_text(unit)}"
    if estimate.high == estimate.low:
        return "exact"
    half = (estimate.high - estimate.low) / 2
    return f"{rounded(estimate.low, half)} to {rounded(estimate.high, half)}{unit_text(unit)}"


def budget_text(budget: Budget, unit: str) -> str:
    """ "≤ 20 ms", with the side that the quantity's direction demands."""
    quantity = QUANTITIES.get(budget.quantity)
    higher = quantity is not None and quantity.direction is Direction.HIGHER
    return f"{'≥' if higher else '≤'} {budget.limit:g}{unit_text(unit)}"


def arm_text(arm: Arm | None, unit: str) -> str:
    """ "9.871 ms (5 runs)": one side of a comparison, rounded to what its standard error supports."""
    if arm is None:
        return "none"
    runs = f"{arm.samples} run{'' if arm.samples == 1 else 's'}"
    return f"{rounded(arm.value, arm.standard_error)}{unit_text(unit)} ({runs})"


def change_text(comparison: Comparison) -> str:
    """ "+1.2 % (-0.3 to +2.7)": the change with its 95 % interval, as a share of the base; in the unit where
    the base is 0, and "" where there is no base or no head.
    """
    found = comparison
    if found.base is None or found.head is None:
        return ""
    scale, unit = _scale(found)
    change, low, high = found.change * scale, found.change_low * scale, found.change_high * scale
    half = (high - low) / 2
    if half == 0:
        return f"{change + 0.0:+.3g}{unit}"
    if not math.isfinite(half):
        return f"{change + 0.0:+.3g}{unit} (not bounded)"
    return f"{_signed(change, half)}{unit} ({_signed(low, half)} to {_signed(high, half)})"


def margin_text(comparison: Comparison) -> str:
    """ "10 %": how much worse is still within, as `change_text` shows the change; "" without a base."""
    if comparison.base is None:
        return ""
    scale, unit = _scale(comparison)
    return f"{comparison.margin * scale:.3g}{unit}"


def _scale(comparison: Comparison) -> tuple[float, str]:
    """What a difference is multiplied by, and its unit then: percent of the base where there is one."""
    base = comparison.base
    if base is None or base.value == 0:
        return 1.0, unit_text(comparison.unit)
    return 100 / abs(base.value), " %"


def _signed(value: float, uncertainty: float) -> str:
    text = rounded(value, uncertainty)
    return text if text.startswith("-") and float(text) else f"+{text.removeprefix('-')}"


def title_of(quantity: str) -> str:
    """The quantity's name for people; a user's own name as it is."""
    row = QUANTITIES.get(quantity)
    return row.title if row else quantity
