"""Many tests at once: p-values corrected so that a whole family is wrong no more often than one test."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected by S. Holm (Scand. J. Statist. 6 (1979), 65-70), in the given order.

    Comparing them with alpha keeps the chance of even one false finding at alpha, whatever depends on what.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected = [1.0] * len(p_values)
    worst = 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - place) * p_values[index]))
        corrected[index] = worst
    return corrected


def bonferroni(p_values: Sequence[float], tests: int) -> list[float]:
    """p-values corrected for a family of `tests`, of which only these are at hand."""
    return [min(1.0, tests * p) for p in p_values]
