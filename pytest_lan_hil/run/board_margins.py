"""The margins of a board, without reading its description where that says nothing about them.

Reading a description needs pydantic, which takes longer to load than the rest of `lan-hil compare`; most
boards keep the margins of the quantity table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_lan_hil.model.errors import ConfigError, InputError
from pytest_lan_hil.model.quantities import QUANTITIES, Margin

# What a package that brings boards has in its entry points; importlib.metadata would tell it too slowly.
_BOARD_PACKAGES = b"[pytest_lan_hil.boards]"


def board_margins(board: str, rootdir: Path, folders: Sequence[str | Path]) -> Mapping[str, Margin]:
    """Every quantity of the table to its margin on a board; the table's own for an unknown board.

    Args:
        board: Name.
        rootdir: Of the project.
        folders: Further folders of board files that it configures.

    Raises:
        ConfigError: The board's file is wrong.
    """
    if _says_nothing(board, rootdir, folders):
        return _table()
    from pytest_lan_hil.config import SearchPath, load_board

    try:
        search = SearchPath.default(rootdir, folders)
        return load_board(board, search).margins
    except InputError as error:
        if isinstance(error, ConfigError):
            raise
        return _table()


def _table() -> dict[str, Margin]:
    return {row.name: row.margin for row in QUANTITIES.values()}


def _says_nothing(board: str, rootdir: Path, folders: Sequence[str | Path]) -> bool:
    """True if the board's file was found and has no table of margins."""
    for folder in (rootdir / "boards", *(rootdir / folder for folder in folders)):
        path = Path(folder) / f"{board}.toml"
        if path.is_file():
            return b"margins" not in path.read_bytes()
    package = Path(__file__).resolve().parent.parent
    for shipped in (package / "shipped" / "boards", package.parent / "boards"):
        path = shipped / f"{board}.toml"
        if path.is_file():
            return b"margins" not in path.read_bytes() and not _packages_bring_boards()
    return False


def _packages_bring_boards() -> bool:
    return any(
        _BOARD_PACKAGES in file.read_bytes()
        for folder in sys.path
        for file in Path(folder).glob("*.dist-info/entry_points.txt")
    )
