"""Figures as people read them: rounded to what their uncertainty supports. Pure."""

from __future__ import annotations

import math

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


def title_of(quantity: str) -> str:
    """The quantity's name for people; a user's own name as it is."""
    row = QUANTITIES.get(quantity)
    return row.title if row else quantity
