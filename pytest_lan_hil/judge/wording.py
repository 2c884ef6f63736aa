"""Comparisons in words: figures to the digits that their uncertainty supports."""

from __future__ import annotations

import math

from pytest_lan_hil.model.comparison import Arm, Subject
from pytest_lan_hil.model.quantities import Margin, unit_text

_DIGITS = 6


def figure(value: float, error: float) -> str:
    """The value to two digits of its standard error, six digits where it is exact."""
    if error > 0 and math.isfinite(error):
        places = 1 - math.floor(math.log10(error))
        if places < 15:
            return f"{value:.{max(0, places)}f}"
    return f"{value:.{_DIGITS}g}"


def change_text(change: float, low: float, high: float, base: Arm, unit: str) -> str:
    """ "+4.2 % (+3.9 to +4.5 %)", a change and its interval; in the unit where the baseline is 0."""
    scale, suffix = (100 / abs(base.value), " %") if base.value else (1.0, unit_text(unit))
    half = (high - low) / 2 * scale
    ends = [_signed(end * scale, half) for end in (change, low, high)]
    if not math.isfinite(half):
        return f"{ends[0]}{suffix} (not bounded)"
    return f"{ends[0]}{suffix}" + (f" ({ends[1]} to {ends[2]}{suffix})" if half else "")


def _signed(value: float, half: float) -> str:
    if not math.isfinite(half) or half <= 0:
        text = f"{value:+.3g}"
    else:
        text = f"{value:+.{min(15, max(0, 1 - math.floor(math.log10(half))))}f}"
    return text if float(text) else f"+{text[1:]}"  # never "-0.0"


def margin_text(margin: Margin, base: float, unit: str) -> str:
    """ "the margin of 10 %", or of "0.01 ms" where the absolute margin is the larger."""
    if margin.relative > 0 and margin.relative * abs(base) >= margin.absolute * (1 - 1e-9):
        return f"the margin of {100 * margin.relative:g} %"
    return f"the margin of {margin.absolute:g}{unit_text(unit)}"


def heading(subject: Subject, statistic: str, unit: str, base: Arm, head: Arm, change: str) -> str:
    """ "latency p95 2.1135 -> 2.4301 ms, +15.0 % (+14.2 to +15.8 %)"."""
    both = f"{figure(base.value, base.standard_error)} -> {figure(head.value, head.standard_error)}"
    return f"{subject.quantity} {statistic} {both}{unit_text(unit)}, {change}"
