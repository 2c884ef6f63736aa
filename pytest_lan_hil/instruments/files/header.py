"""The header of a CSV of samples: which column is what, and in which unit."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.model.errors import InputError

# A header stands within the first lines; whatever has none by then is no table of ours.
_MOST_HEADER_LINES = 50
_ROWS_FOR_DIGITS = 100
_COLUMN = re.compile(r"\s*(?P<name>.*?)\s*(?:[(\[](?P<unit>[^)\]]*)[)\]])?\s*")
#: Unit to what a figure in it is multiplied by, for every unit that a column of samples has.
UNITS = {
    **{"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    **{"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9},
    **{"V": 1.0, "mV": 1e-3, "uV": 1e-6},
    **{"W": 1.0, "mW": 1e-3, "uW": 1e-6, "nW": 1e-9},
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column's head: "Current(uA)" is name "current", unit "uA"; `unit` is "" where none is given."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Header:
    """What stands above the numbers.

    Attributes:
        columns: In order.
        lines: How many lines to skip.
        digits: Most digits after the point in the first column of the first rows: what times are rounded to.
    """

    columns: tuple[Column, ...]
    lines: int
    digits: int

    def place(self, name: str) -> int | None:
        """Index of the column with this name; None if there is none."""
        found = [k for k, column in enumerate(self.columns) if column.name == name]
        return found[0] if found else None

    def factor(self, at: int, base: str) -> float:
        """What figures of column `at` are multiplied by to be in `base` ("A"); 1 for a column without unit.

        Raises:
            InputError: The unit is none of `base`'s.
        """
        unit = self.columns[at].unit.replace("µ", "u").replace("μ", "u")
        if not unit:
            return 1.0
        if unit not in UNITS or unit[-1] != base:
            raise InputError(
                f"column {self.columns[at].name!r} is in {unit!r}, which is no unit of its kind",
                fix=f"write one of {', '.join(one for one in UNITS if one[-1] == base)}",
            )
        return UNITS[unit]

    def __str__(self) -> str:
        return ", ".join(f"{one.name} ({one.unit})" if one.unit else one.name for one in self.columns)


def read_header(path: Path) -> Header:
    """Find the header: the last line before the numbers.

    Raises:
        InputError: The file is empty, has no header, no numbers, or is not text.
    """
    first_line, before = "", ""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(itertools.islice(stream, _MOST_HEADER_LINES)):
                first = line.split(",")[0].strip()
                if not _is_number(first):
                    before = line if line.strip() else before
                    first_line = first_line or before
                    continue
                if not before:
                    raise InputError(
                        f"{path} starts with numbers: nothing says what its columns are",
                        fix="write them as its first line, for a Joulescope export with three columns:"
                        " #time (s),current (A),voltage (V)",
                    )
                names = before.strip().lstrip("#").split(",")
                rows = [line, *itertools.islice(stream, _ROWS_FOR_DIGITS)]
                digits = max(len(row.split(",")[0].strip().partition(".")[2]) for row in rows)
                return Header(tuple(map(_column, names)), number, digits)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text: {error}", fix="give a CSV file") from error
    if not first_line:
        raise InputError(f"{path} is empty", fix="export or record it again")
    raise InputError(
        f"{path} holds no numbers below its first line: {first_line.strip()[:200]}",
        fix="export or record it again, with commas between the columns",
    )


def _column(text: str) -> Column:
    match = _COLUMN.fullmatch(text)
    return Column(match["name"].lower(), match["unit"] or "") if match else Column(text.strip().lower(), "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
