"""`--hil-dry-run`: what would be flashed and measured, found out without touching a device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_lan_hil.dut.image import check_fits, load_image
from pytest_lan_hil.model.errors import HilError
from pytest_lan_hil.model.measurement import Budget
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.run.board_run import BoardRun


def plan_lines(run: BoardRun, tests: Iterable[tuple[str, Sequence[Budget], str | None]]) -> list[str]:
    """Lines for the terminal.

    Args:
        run: The board on its bench; not opened.
        tests: Node id, budgets and image name of each test that would run.
    """
    lines = [
        f"board {run.board.name} ({run.board.title}) on bench {run.bench.name}",
        f"  probe     {run.wiring.probe}",
        f"  console   {run.wiring.console or 'none'}",
        f"  analyzer  {run.wiring.analyzer or 'none'}",
    ]
    for nodeid, budgets, image_name in tests:
        lines.append(f"  test      {nodeid}")
        try:
            path = run.board.image(image_name)
            image = load_image(path)
            check_fits(image, run.board)
            lines.append(f"    flash   {path} ({image.flash_bytes} bytes, sha256 {image.sha256[:12]})")
        except HilError as error:
            lines.append(f"    flash   refused: {error}")
        lines.extend(
            f"    judge   {budget.quantity} {budget.statistic} {_side(budget)} {budget.limit:g}"
            f" {QUANTITIES[budget.quantity].unit} ({budget.source})"
            for budget in budgets
        )
    return lines


def _side(budget: Budget) -> str:
    return "<=" if QUANTITIES[budget.quantity].direction.value == "lower" else ">="
