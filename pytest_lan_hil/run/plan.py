"""`--hil-dry-run`: what would be flashed and measured, found out without touching a device."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from pytest_lan_hil.dut.program import load_image_for
from pytest_lan_hil.model.errors import HilError
from pytest_lan_hil.model.measurement import Budget
from pytest_lan_hil.model.quantities import QUANTITIES, Margin
from pytest_lan_hil.run.asked import Asked
from pytest_lan_hil.run.board_run import BoardRun


def plan_lines(
    run: BoardRun,
    tests: Iterable[tuple[str, Asked]],
    skipped: Iterable[tuple[str, str]] = (),
    *,
    compared_with: str = "",
) -> list[str]:
    """Lines for the terminal.

    Args:
        run: The board on its bench; not opened.
        tests: Node id of each test that would run, and what it asks for.
        skipped: Node id of each test that would not, and why.
        compared_with: What comparisons are made with.
    """
    lines = [
        f"board {run.board.name} ({run.board.title}) on bench {run.bench.name}",
        f"  probe     {run.wiring.probe or 'none'}",
        f"  console   {run.wiring.console or 'none'}",
        f"  analyzer  {run.wiring.analyzer or 'none'}",
    ]
    if run.wiring.edges is not None:
        lines.append(f"  edges     {run.wiring.edges}")
    if run.board.build:
        lines.append(f"  build     {shlex.join(run.board.build)}, before the first flash")
    for nodeid, asked in tests:
        lines.append(f"  test      {nodeid}")
        try:
            path = run.board.image(asked.image_name)
            image = load_image_for(run.board, path)
            size = path.stat().st_size if run.board.is_native else image.flash_bytes
            verb = "start" if run.board.is_native else "flash"
            lines.append(f"    {verb}   {path} ({size} bytes, sha256 {image.sha256[:12]})")
        except HilError as error:
            later = "; the build makes it" if run.board.build else ""
            lines.append(f"    flash   refused: {error}{later}")
        lines.extend(
            f"    judge   {budget.quantity} {budget.statistic} {_side(budget)} {budget.limit:g}"
            f" {QUANTITIES[budget.quantity].unit} ({budget.source})"
            for budget in asked.budgets
        )
        lines.extend(
            f"    compare {quantity} with {compared_with}, margin {_margin(quantity, margin)}"
            for quantity, margin in asked.margins.items()
        )
    lines.extend(f"  skip      {nodeid}: {reason}" for nodeid, reason in skipped)
    return lines


def _margin(quantity: str, margin: Margin) -> str:
    return f"{100 * margin.relative:g} %, at least {margin.absolute:g} {QUANTITIES[quantity].unit}"


def _side(budget: Budget) -> str:
    return "<=" if QUANTITIES[budget.quantity].direction.value == "lower" else ">="
