"""One row of the benchmark table, and how it is printed."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, what it is measured against, and the bar that it should clear.

    `value` and `bar` are in `unit`; `at_least` says on which side of the bar the figure should be, and
    `at_most` is the other end of a band that it should lie in.
    """

    name: str
    value: float
    unit: str
    against: str
    bar: float
    at_least: bool = True
    at_most: float = math.inf

    @property
    def clears(self) -> bool:
        if self.value > self.at_most:
            return False
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def lines(rows: list[Row]) -> list[str]:
    """The table, a line a row; a missed bar says MISSED."""
    printed = []
    for row in rows:
        sign = ">=" if row.at_least else "<="
        mark = "ok" if row.clears else "MISSED"
        bar = f"{sign} {row.bar:g}" if math.isinf(row.at_most) else f"{row.bar:g} to {row.at_most:g}"
        figure = f"{row.value:10.2f} {row.unit:<6} bar {bar} {row.unit:<6} {mark:<7}"
        printed.append(f"{row.name:<44} {figure} {row.against}")
    return printed
