"""A JSON file that people edit and git merges, read so that every error names its place.

Knows nothing of what stands in a baseline but its schema version.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.publish import strict_json

_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)
_SAVE = "lan-hil baseline save --board {board}"


def load(path: Path, version: int) -> Table:
    """The file's top table, if it has this schema version.

    Raises:
        InputError: It can't be read, is not JSON, holds the marks of a merge or a key twice, or has another
            version.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"reading baseline {path}: {getattr(error, 'strerror', None) or error}",
            fix="name a file that `lan-hil baseline save` wrote",
        ) from error
    mark = _CONFLICT.search(text)
    if mark:
        line = text.count("\n", 0, mark.start()) + 1
        raise InputError(
            f"{path}:{line}: git left the marks of a merge conflict in this baseline ({mark[1]})",
            fix=f"take one side whole: git checkout --ours {path} (or --theirs); or measure it anew: "
            + _SAVE.format(board=_board_of(path)),
        )
    try:
        tree = strict_json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"baseline {path} is not JSON: {error or 'it is nested too deeply'}",
            fix=f"git checkout {path}, or measure it anew: " + _SAVE.format(board=_board_of(path)),
        ) from None
    return _of_version(tree, path, version)


def _of_version(tree: object, path: Path, version: int) -> Table:
    if not isinstance(tree, dict) or not {"schema_version", "tests"} & tree.keys():
        raise InputError(
            f"{path} is JSON, but not a baseline: it has no schema_version and tests",
            fix="name a file that `lan-hil baseline save` wrote (docs/reference/baselines.md)",
        )
    found = tree.get("schema_version")
    if found == version and not isinstance(found, bool):
        return Table.of(tree, str(path))
    if isinstance(found, int) and found > version:
        raise InputError(
            f"baseline {path} has schema version {found}, this version of pytest-lan-hil reads {version}",
            fix="pip install --upgrade pytest-lan-hil",
        )
    board = tree.get("board")
    name = board if isinstance(board, str) and board else _board_of(path)
    told = "no schema version" if found is None else f"schema version {found!r}"
    raise InputError(
        f"baseline {path} has {told}; this version of pytest-lan-hil reads {version} and can't convert it",
        fix="measure it anew: " + _SAVE.format(board=name),
    )


def _board_of(path: Path) -> str:
    """What the file's name says of a board; bench names may have dots too, so this is for messages only."""
    return path.name.partition(".")[0] or "NAME"


class Table:
    """A JSON object and where it stands: each reader gives a value of its kind or says what is wrong."""

    __slots__ = ("_origin", "_place", "_values")

    def __init__(self, values: Mapping[str, Any], origin: str, place: str) -> None:
        self._values, self._origin, self._place = values, origin, place

    @classmethod
    def of(cls, values: Mapping[str, Any], origin: str) -> Table:
        """The top table of a file."""
        return cls(values, origin, "")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def wrong(self, key: str, found: str, wanted: str) -> InputError:
        """The error for the value of a key: what it is, and what it should be."""
        return InputError(
            f"{self._origin}: {self._within(key)} {found}; {wanted}",
            fix=f"git checkout {self._origin}, or measure it anew with `lan-hil baseline save`",
        )

    def only(self, *keys: str) -> None:
        """Refuse keys that nobody reads: a misspelt one would be lost when the file is written again."""
        for key in self._values:
            if key not in keys:
                raise self.wrong(key, "is unknown", f"known here: {', '.join(keys)}")

    def text(self, key: str) -> str:
        """Text that is not empty."""
        found = self.words(key)
        if not found:
            raise self.wrong(key, "is empty", "text is wanted")
        return found

    def words(self, key: str) -> str:
        """Text that may be empty."""
        found = self._get(key)
        if not isinstance(found, str):
            raise self.wrong(key, f"is {_shown(found)}", "text is wanted")
        return found

    def flag(self, key: str) -> bool:
        """True or false."""
        found = self._get(key)
        if not isinstance(found, bool):
            raise self.wrong(key, f"is {_shown(found)}", "true or false is wanted")
        return found

    def number(self, key: str) -> float:
        """A finite number."""
        found = self._get(key)
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise self.wrong(key, f"is {_shown(found)}", "a number is wanted")
        try:
            value = float(found)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self.wrong(key, "is beyond what a number can be", "a finite number is wanted")
        return value

    def not_negative(self, key: str) -> float:
        """A number from 0; null stands for infinity."""
        if self._get(key) is None:
            return math.inf
        value = self.number(key)
        if value < 0:
            raise self.wrong(key, f"is {value:g}", "it is 0 or more")
        return value

    def count(self, key: str) -> int:
        """A whole number from 1."""
        return self.count_from(key, 1)

    def count_from(self, key: str, least: int) -> int:
        """A whole number from `least`."""
        found = self._get(key)
        if isinstance(found, bool) or not isinstance(found, int) or found < least:
            raise self.wrong(key, f"is {_shown(found)}", f"a whole number from {least} is wanted")
        return found

    def table(self, key: str) -> Table:
        """An object."""
        return self._table(key, self._get(key), self._within(key))

    def tables(self) -> Iterator[tuple[str, Table]]:
        """All values, which are objects, by name."""
        for key, value in self._values.items():
            if not key:
                raise self.wrong(key, "has an empty name", "a name is wanted")
            yield key, self._table(key, value, self._within(key))

    def list_of_tables(self, key: str) -> list[Table]:
        """An array of objects."""
        found = self._get(key)
        if not isinstance(found, list):
            raise self.wrong(key, f"is {_shown(found)}", "a list is wanted")
        return [self._table(key, item, f"{self._within(key)}[{i}]") for i, item in enumerate(found)]

    def _table(self, key: str, value: object, place: str) -> Table:
        if not isinstance(value, dict):
            raise self.wrong(key, f"is {_shown(value)}", "an object is wanted")
        return Table(value, self._origin, place)

    def _get(self, key: str) -> Any:
        if key not in self._values:
            raise self.wrong(key, "is missing", "it is required")
        return self._values[key]

    def _within(self, key: str) -> str:
        # node ids hold dots and brackets of their own
        return f"{self._place} > {key}" if self._place else key


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
