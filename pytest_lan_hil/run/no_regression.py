"""`@pytest.mark.no_regression("latency", margin=0.10)`: what of a test is compared, and how closely.

Checked before anything runs, also in a session without a board: knows the quantity table, not pytest, and
loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.quantities import QUANTITIES, Margin

MARKER = "no_regression"
_FORM = f'@pytest.mark.{MARKER}("latency", margin=0.10)'


@dataclass(frozen=True, slots=True)
class NoRegression:
    """One marker as written.

    Attributes:
        quantities: Names in the quantity table; none means all that the test has a budget on.
        margin: Share of the baseline, or None for the board's own margin.
    """

    quantities: tuple[str, ...]
    margin: float | None


def parse_no_regression(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> NoRegression:
    """Read one marker.

    Raises:
        InputError: It can't be used; shows the right form.
    """
    written = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])

    def refuse(problem: str, fix: str = f"write {_FORM}") -> InputError:
        return InputError(f"@pytest.mark.{MARKER}({written}): {problem}", fix=fix)

    for arg in args:
        if not isinstance(arg, str) or arg not in QUANTITIES:
            raise refuse(f"{arg!r} is not a quantity", f"use of: {', '.join(QUANTITIES)}")
    if len(set(args)) < len(args):
        raise refuse("a quantity is named twice")
    unknown = sorted(set(kwargs) - {"margin"})
    if unknown:
        raise refuse(f"unknown argument {unknown[0]!r}")
    margin = kwargs.get("margin")
    if margin is None:
        return NoRegression(args, None)
    if isinstance(margin, bool) or not isinstance(margin, (int, float)) or not 0 <= margin <= 1:
        raise refuse(
            f"the margin {margin!r} is not a share from 0 to 1",
            f"write {_FORM}: 0.10 is 10 % of the baseline",
        )
    return NoRegression(args, float(margin))


def margins_asked(
    markers: Iterable[NoRegression],
    judged: Iterable[str],
    board: Mapping[str, Margin],
    *,
    also: Iterable[str],
) -> dict[str, Margin]:
    """Quantity to margin for each comparison of one test.

    A marker's margin replaces the share of the board's; what nobody minds however small the baseline is
    (`Margin.absolute`) stays.

    Args:
        markers: Of the test, the closest first, which wins.
        judged: Quantities that the test has a budget on.
        board: Every quantity's margin on this board.
        also: Compared without a marker (`--hil-compare`).
    """
    budgets = tuple(judged)
    found: dict[str, Margin] = {}
    for marker in markers:
        for quantity in marker.quantities or budgets:
            own = board[quantity]
            margin = own if marker.margin is None else Margin(marker.margin, own.absolute)
            found.setdefault(quantity, margin)
    for quantity in also:
        found.setdefault(quantity, board[quantity])
    return found
