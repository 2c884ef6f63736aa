"""Which tests run on which board, and what their markers ask for.

Like `plugin`, this is imported in every pytest session: nothing heavy at the top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lan_hil import fixtures
from pytest_lan_hil.fixtures import SESSION
from pytest_lan_hil.model.quantities import QUANTITIES

if TYPE_CHECKING:
    from pytest_lan_hil.run.ab_steps import Step
    from pytest_lan_hil.run.asked import Asked
    from pytest_lan_hil.run.session import RunSession

NO_REGRESSION = "no_regression"
#: Of the parameter that is the step of a session with `--hil-ab`.
STEP = "hil_step"
_BUDGETS = tuple(row.marker for row in QUANTITIES.values())
MARKERS = (
    *(
        f"{row.marker}({row.unit_key}{', percentile=95' if row.statistic == 'p95' else ''}): fail unless"
        f" {row.title} ({row.unit}) keeps this limit, or the board's target"
        for row in QUANTITIES.values()
    ),
    f"{NO_REGRESSION}(*quantities, margin=None): fail if one of these, or of those with a budget, is worse"
    " than the baseline by more than this share, or than the board's margin",
    "firmware(image): flash this image (a name of the board's [images] or a file) instead of the default",
    "boards(*names): run only on these boards",
    "needs(*capabilities): skip on a bench that lacks one of them (power, power.waveform, edges, ...)",
)
_ON_DUT = (*_BUDGETS, NO_REGRESSION)
CHECKED = (*_ON_DUT, "firmware", "boards", "needs")


def check_markers(metafunc: pytest.Metafunc, marks: list[pytest.Mark]) -> None:
    """Check a test's markers as written, against the boards that it will run on.

    Raises:
        CollectError: One can't be used; with the test's file and line.
    """
    from pytest_lan_hil.model.errors import InputError

    try:
        _check(metafunc, marks)
    except InputError as error:
        where = f"{metafunc.definition.path}:{metafunc.function.__code__.co_firstlineno}"
        raise pytest.Collector.CollectError(f"{where}: {error}") from None


def _check(metafunc: pytest.Metafunc, marks: list[pytest.Mark]) -> None:
    from pytest_lan_hil.model.errors import InputError
    from pytest_lan_hil.run.budgets import check_marker

    session = metafunc.config.stash.get(SESSION, None)
    name = metafunc.definition.name
    wanted = wanted_boards(marks)
    boards = list(session.boards.values()) if session else []
    boards = [board for board in boards if not wanted or board.name in wanted]
    for mark in marks:
        check_marker(mark.name, mark.args, mark.kwargs, boards)
        if mark.name in _ON_DUT and "dut" not in metafunc.fixturenames:
            raise InputError(
                f"@pytest.mark.{mark.name} on {name}, which doesn't use the `dut` fixture",
                fix=f"write `def {name}(dut):` and call dut.infer(...) or dut.run_for(seconds)",
            )
        if mark.name == NO_REGRESSION and not mark.args and not any(m.name in _BUDGETS for m in marks):
            raise InputError(
                f"@pytest.mark.{NO_REGRESSION} on {name} names no quantity, and the test has no budget",
                fix=f'write @pytest.mark.{NO_REGRESSION}("latency")',
            )
        if mark.name == "needs" and "bench" not in metafunc.fixturenames:
            raise InputError(
                f"@pytest.mark.needs on {name}, which uses no bench", fix=f"write `def {name}(dut):`"
            )


def uses_board(item: pytest.Item) -> bool:
    """True if the test needs our `board`: not if it, or its project, means something else by that name."""
    info: Any = getattr(item, "_fixtureinfo", None)
    found = info.name2fixturedefs.get("board", ()) if info is not None else ()
    return any(fixture.func.__module__ == fixtures.__name__ for fixture in found[-1:])


def wanted_boards(marks: Iterable[pytest.Mark]) -> list[str]:
    """The boards that a test is for; none named means all."""
    return [name for mark in marks if mark.name == "boards" for name in mark.args]


def is_for_its_board(item: pytest.Item) -> bool:
    """False for a test that is for other boards than the one that it was collected for."""
    wanted = wanted_boards(item.iter_markers("boards"))
    return not wanted or board_name(item) in wanted


def board_name(item: pytest.Item) -> str:
    """The board that a test runs on; "" for a test that runs on none."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params["board"]) if callspec is not None and uses_board(item) else ""


def asked(item: pytest.Item, session: RunSession) -> Asked:
    """What a test asks for on its board; of several budgets on one quantity the closest marker's wins.

    Raises:
        CapabilityMissing: The board can never know one of the quantities.
    """
    from pytest_lan_hil.run.asked import Asked
    from pytest_lan_hil.run.budgets import parse_budget
    from pytest_lan_hil.run.no_regression import margins_asked, parse_no_regression
    from pytest_lan_hil.run.sources import require_known

    board = session.boards[board_name(item)]
    budgets = []
    for name in _BUDGETS:
        mark = item.get_closest_marker(name)
        if mark is not None:
            request = parse_budget(name, mark.args, mark.kwargs)
            require_known(request.quantity, board)
            budgets.append(request.for_board(board.name, board.targets))
    judged = [budget.quantity for budget in budgets]
    margins = margins_asked(
        [parse_no_regression(mark.args, mark.kwargs) for mark in item.iter_markers(NO_REGRESSION)],
        judged,
        board.margins,
        also=() if session.options.compare is None else judged,
    )
    for quantity in margins:
        require_known(quantity, board)
    firmware = item.get_closest_marker("firmware")
    wanted = Asked(
        budgets=tuple(budgets),
        image_name=str(firmware.args[0]) if firmware else None,
        needs=tuple(need for mark in item.iter_markers("needs") for need in mark.args),
        margins=margins,
    )
    step = step_of(item)
    return wanted if session.sides is None or step is None else session.sides.asked(wanted, step)


def step_of(item: pytest.Item) -> Step | None:
    """The step that a test runs in; None in a session of one image, and for a test that has no place in the
    steps.
    """
    callspec = getattr(item, "callspec", None)
    return callspec.params.get(STEP) if callspec is not None else None


def planned(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The tests that will run on a board, as far as that is known before they do; one for another board is
    marked to be skipped.
    """
    for item in items:
        if uses_board(item) and not item.get_closest_marker("skip"):
            yield item


def families(items: Iterable[pytest.Item], session: RunSession) -> dict[str, int]:
    """Board to the number of comparisons that its tests ask for."""
    from pytest_lan_hil.model.errors import CapabilityMissing

    found = dict.fromkeys(session.boards, 0)
    for item in planned(items):
        try:
            found[board_name(item)] += len(asked(item, session).margins)
        except CapabilityMissing:
            continue  # it will skip
    return found
