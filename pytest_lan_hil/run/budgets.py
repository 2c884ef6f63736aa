"""Markers to budgets: what `@pytest.mark.power_budget(1.2)` asks for, checked before anything runs.

Knows the quantity table, not pytest: a marker arrives as its name, arguments and keyword arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from pytest_lan_hil.instruments import CAPABILITIES
from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.model.measurement import Budget
from pytest_lan_hil.model.quantities import QUANTITIES, Quantity
from pytest_lan_hil.run import no_regression

if TYPE_CHECKING:  # pydantic is not loaded only because a marker is checked
    from pytest_lan_hil.config import Board

BUDGET_MARKERS: dict[str, Quantity] = {row.marker: row for row in QUANTITIES.values()}


@dataclass(frozen=True, slots=True)
class BudgetRequest:
    """A budget marker as written: `limit` None means the board's own target."""

    quantity: str
    limit: float | None
    statistic: str

    def for_board(self, board: str, targets: Mapping[str, float]) -> Budget:
        """The budget on a given board.

        Raises:
            InputError: The marker gives no limit and the board has no target for the quantity.
        """
        if self.limit is not None:
            return Budget(self.quantity, self.limit, self.statistic, "marker")
        if self.quantity not in targets:
            row = QUANTITIES[self.quantity]
            raise InputError(
                f"@pytest.mark.{row.marker}() takes its limit from the board, but board {board} has no"
                f" target for {self.quantity}",
                fix=f"write {_form(row)} or add {row.target_key} to the board's [targets]",
            )
        return Budget(self.quantity, targets[self.quantity], self.statistic, f"board {board}")


def _form(row: Quantity) -> str:
    extra = ", percentile=95" if row.statistic.startswith("p") else ""
    return f"@pytest.mark.{row.marker}({row.unit_key}=LIMIT{extra})"


def parse_budget(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> BudgetRequest:
    """Read one budget marker.

    Args:
        name: Marker name, a key of `BUDGET_MARKERS`.
        args: At most one: the limit in the quantity's display unit.
        kwargs: The limit by its unit's name (`mw=1.2`), and `percentile` where the quantity has one.

    Raises:
        InputError: Anything else; shows the right form.
    """
    row = BUDGET_MARKERS[name]
    unit = row.unit_key
    written = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])

    def refuse(problem: str) -> InputError:
        return InputError(
            f"@pytest.mark.{name}({written}): {problem}", fix=f"write {_form(row)}, limit in {row.unit}"
        )

    rest = dict(kwargs)
    limit = args[0] if args else rest.pop(unit, None)
    if len(args) > 1 or (args and unit in rest):
        raise refuse("more than one limit")
    statistic = row.statistic
    if row.statistic.startswith("p"):
        percentile = rest.pop("percentile", None)
        if percentile is not None:
            if not _is_number(percentile) or not 0 < percentile < 100:
                raise refuse(f"percentile {percentile!r} is not a number between 0 and 100")
            statistic = f"p{percentile:g}"
    if rest:
        raise refuse(f"unknown argument {sorted(rest)[0]!r}")
    if limit is not None and not _is_limit(limit, row.unit):
        wanted = "a number from 0 to 100" if row.unit == "%" else "a positive number"
        raise refuse(f"the limit {limit!r} is not {wanted}")
    return BudgetRequest(row.name, None if limit is None else float(limit), statistic)


def _is_limit(value: Any, unit: str) -> bool:
    """A share may have to be 0 (dropped frames); no other quantity can be asked to be nothing."""
    if not _is_number(value):
        return False
    limit = float(value)
    return 0 <= limit <= 100 if unit == "%" else 0 < limit < float("inf")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_marker(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], boards: Sequence[Board]
) -> None:
    """Check any of our markers as written, against the boards that it will run on.

    Raises:
        InputError: It can't be used; shows the right form.
    """
    written = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])
    if name == "firmware":
        if len(args) != 1 or kwargs or not isinstance(args[0], (str, PathLike)):
            raise InputError(
                f"@pytest.mark.firmware({written}): takes one image name or path",
                fix='write @pytest.mark.firmware("lan") or @pytest.mark.firmware("build/app.elf")',
            )
        return
    if name == "boards":
        if not args or kwargs or not all(isinstance(arg, str) for arg in args):
            raise InputError(
                f"@pytest.mark.boards({written}): takes one or more board names",
                fix='write @pytest.mark.boards("nrf52840", "stm32f4")',
            )
        return
    if name == "needs":
        unknown = [arg for arg in args if arg not in CAPABILITIES]
        if not args or kwargs or unknown:
            found = f"{unknown[0]!r} is not a capability" if unknown else "takes one or more capabilities"
            raise InputError(
                f"@pytest.mark.needs({written}): {found}", fix=f"use of: {', '.join(CAPABILITIES)}"
            )
        return
    if name == no_regression.MARKER:
        no_regression.parse_no_regression(args, kwargs)
        return
    request = parse_budget(name, args, kwargs)
    for board in boards:
        if not _never_known(request.quantity, board):
            request.for_board(board.name, board.targets)


def _never_known(quantity: str, board: Board) -> str:
    """Why a board can't know a quantity, as `Source.lacks`: such a test skips, whatever its limit."""
    from pytest_lan_hil.run.sources import SOURCES  # not before a board is there

    return SOURCES[quantity].lacks(board)
