"""One TOML file to one frozen description, or one ConfigError that holds all that is wrong with it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from pytest_lan_hil.config.bench import Bench
from pytest_lan_hil.config.board import Board
from pytest_lan_hil.config.keylines import key_lines
from pytest_lan_hil.config.problems import explain
from pytest_lan_hil.model.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

Description = TypeVar("Description", Board, Bench)

_SHORTEST = {
    Board: 'a board needs at least  target = "nrf52840"  and  supply_v = 3.0',
    Bench: 'a bench needs at least one device, as in  probe = "auto"',
}
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")


def read_board(path: Path) -> Board:
    """Read a board file.

    Raises:
        ConfigError: the file can't be read, is not TOML, or says something a board can't be.
    """
    return _read(path, Board)


def read_bench(path: Path) -> Bench:
    """Read a bench file; raises ConfigError as `read_board` does."""
    return _read(path, Bench)


def _read(path: Path, model: type[Description]) -> Description:
    path = path.absolute()
    text = _text(path, model)
    values = _parse(text, path)
    lines = key_lines(text)
    if not values:
        raise ConfigError(
            f"the file says nothing: no {model.__name__.lower()} in it", path=path, fix=_SHORTEST[model]
        )
    try:
        description = model.model_validate(
            {"name": path.stem} | values, context={"folder": path.parent, "stem": path.stem}
        )
    except ValidationError as invalid:
        raise explain(invalid, model, path, lines) from None
    description._path = path
    return description


def _text(path: Path, model: type[Description]) -> str:
    kind = model.__name__.lower()
    try:
        raw = path.read_bytes()
    except IsADirectoryError:
        raise ConfigError(
            f"is a folder, a {kind} file is wanted",
            path=path,
            fix=f"name one of its .toml files, or add the folder to hil_{kind}s",
        ) from None
    except FileNotFoundError:
        raise ConfigError(
            f"there is no such {kind} file", path=path, fix=f"`lan-hil {kind}s` lists the known ones"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"can't be read: {error.strerror}", path=path, fix="check the file's permissions"
        ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            path=path,
            line=raw.count(b"\n", 0, error.start) + 1,
            fix="save the file as UTF-8",
        ) from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = _AT_LINE.search(message)
        line = int(at[1]) if at else text.rstrip().count("\n") + 1
        problem = _AT_LINE.sub(f" at column {at[2]}", message) if at else message
        raise ConfigError(
            f"is not valid TOML: {problem[:1].lower()}{problem[1:]}",
            path=path,
            line=line,
            fix='a line is  key = "text"  or  key = 3.0  or  [table]',
        ) from None
    return values
