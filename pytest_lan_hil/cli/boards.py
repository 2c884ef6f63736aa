"""`lan-hil boards`, `lan-hil boards show`, `lan-hil schema`."""

from __future__ import annotations

from typing import Any

from pytest_lan_hil.cli.output import note, print_json, print_table
from pytest_lan_hil.cli.project import find_project
from pytest_lan_hil.config import Board, bench_schema, board_schema, list_boards, load_board, read_board
from pytest_lan_hil.dut.targets import install_command, is_known
from pytest_lan_hil.model.errors import ConfigError, InputError
from pytest_lan_hil.model.quantities import QUANTITIES


def list_all(*, as_json: bool) -> int:
    """Print every board; returns 2 if a file among them is wrong, which is told on stderr."""
    found = list_boards(find_project().search())
    boards, problems = [], []
    for entry in found:
        try:
            boards.append((entry, read_board(entry.path)))
        except ConfigError as error:
            problems.append(error)
    if as_json:
        print_json([{**_facts(board), "origin": entry.origin} for entry, board in boards])
    elif boards:
        print_table(
            ("board", "ready", "target", "virtual", "images", "targets", "from", "title"),
            [_row(board, entry.origin) for entry, board in boards],
        )
    else:
        note("no boards found; docs/how-to/add-a-board.md shows how to add one")
    for problem in problems:
        note(f"lan-hil: {problem}")
    return InputError.exit_code if problems else 0


def show(name: str, *, as_json: bool) -> None:
    """Print one board."""
    board = load_board(name, find_project().search())
    if as_json:
        print_json(_facts(board))
        return
    facts = {
        "board": board.name,
        "title": board.title or "none",
        "file": str(board.path),
        "target": board.target,
        "virtual": board.virtual or "none",
        "supply": "none" if board.supply_v is None else f"{board.supply_v:g} V",
        "console": f"{board.baudrate} baud, 8N1",
        "ready": f"no: {_lacking(board)}" if _lacking(board) else "yes",
    }
    for image, path in board.images.items():
        mark = ", default" if image == board.default_image else ""
        facts[f"image {image}"] = f"{path} ({'present' if path.is_file() else 'missing'}{mark})"
    facts |= {f"marker {marker}": pin for marker, pin in board.marker_pins.items()}
    facts |= {f"target {name}": _limit(name, limit) for name, limit in board.targets.items()}
    for memory in ("flash", "ram"):
        extent = getattr(board, memory)
        if extent is not None:
            facts[memory] = f"{extent.start:#010x} to {extent.end - 1:#010x} ({extent.size_kib} KiB)"
    width = max(map(len, facts))
    for key, value in facts.items():
        print(f"{key:<{width}}  {value}")


def schema(kind: str) -> None:
    """Print a JSON schema.

    Raises:
        InputError: there is no such schema.
    """
    if kind == "board":
        print_json(board_schema())
    elif kind == "bench":
        print_json(bench_schema())
    elif kind == "record":
        from pytest_lan_hil.publish.record import json_schema

        print_json(json_schema())
    else:
        raise InputError(f'there is no schema of "{kind}"', fix="choose one of: board, bench, record")


def _row(board: Board, origin: str) -> tuple[str, ...]:
    virtual = board.virtual or "no"
    lacking = _lacking(board)
    ready = f"no: {lacking}" if lacking else "yes"
    return (board.name, ready, board.target, virtual, _images(board), _targets(board), origin, board.title)


def _lacking(board: Board) -> str:
    """What keeps this board from being flashed now, "" if nothing does."""
    if not board.is_native and not is_known(board.target):
        return install_command(board)
    if not board.default_image:
        return "names no image"
    if board.build or board.images[board.default_image].is_file():
        return ""
    return f"build image {board.default_image}"


def _facts(board: Board) -> dict[str, Any]:
    return {
        "name": board.name,
        "title": board.title,
        "target": board.target,
        "pack": board.pack or None,
        "lacks": _lacking(board) or None,
        "virtual": board.virtual,
        "supply_v": board.supply_v,
        "baudrate": board.baudrate,
        "default_image": board.default_image or None,
        "images": {
            name: {"path": str(path), "present": path.is_file()} for name, path in board.images.items()
        },
        "marker_pins": dict(board.marker_pins),
        "targets": {QUANTITIES[name].target_key: limit for name, limit in board.targets.items()},
        "file": str(board.path),
    }


def _images(board: Board) -> str:
    return (
        ", ".join(f"{name}{'' if path.is_file() else ' (missing)'}" for name, path in board.images.items())
        or "none"
    )


def _targets(board: Board) -> str:
    return ", ".join(f"{name} {_limit(name, limit)}" for name, limit in board.targets.items()) or "none"


def _limit(quantity: str, limit: float) -> str:
    return f"{limit:g} {QUANTITIES[quantity].unit}"
