"""Whether pyOCD can flash a chip: it has some built in, others come in CMSIS packs that are installed once.

See https://pyocd.io/docs/target_support.html.
"""

from __future__ import annotations

from pytest_lan_hil.config import Board
from pytest_lan_hil.model.errors import ProbeError


def is_builtin(target: str) -> bool:
    """True if pyOCD brings this target along."""
    from pyocd.target.builtin import BUILTIN_TARGETS

    return target.lower() in BUILTIN_TARGETS


def is_known(target: str) -> bool:
    """True if pyOCD can use this target now: built in, or in a pack that is installed."""
    if is_builtin(target):
        return True
    from pyocd.target.pack.pack_target import ManagedPacks

    return any(
        device.part_number.lower() == target.lower() for device in ManagedPacks.get_installed_targets()
    )


def install_command(board: Board) -> str:
    """The command that gets the pack with this board's chip."""
    return f"pyocd pack install {board.pack or board.target}"


def require_target(board: Board) -> None:
    """Make sure that pyOCD can use the board's chip, before anything is attached.

    Raises:
        ProbeError: It can't; says what to install.
    """
    if not is_known(board.target):
        raise ProbeError(
            f"board {board.name}: pyOCD does not know its target {board.target}, neither built in nor from"
            " an installed pack",
            fix=f"{install_command(board)}   (`pyocd list --targets` shows what is known)",
        )
