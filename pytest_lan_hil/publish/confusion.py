"""The confusion matrix of a test as rows, for the reports and the terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_lan_hil.model.record import Confusion


@dataclass(frozen=True, slots=True)
class Cell:
    """How many recordings got one label; `right` if it is their own."""

    count: int
    right: bool


@dataclass(frozen=True, slots=True)
class ConfusionRow:
    """What the `n` recordings of one label were taken for."""

    label: str
    cells: tuple[Cell, ...]
    n: int


def confusion_rows(confusion: Confusion | None) -> list[ConfusionRow]:
    """A row for each label that the dataset has."""
    if confusion is None:
        return []
    return [
        ConfusionRow(
            label, tuple(Cell(count, other == own) for other, count in enumerate(counts)), sum(counts)
        )
        for own, (label, counts) in enumerate(zip(confusion.labels, confusion.counts, strict=True))
        if any(counts)
    ]


def matrix_lines(confusion: Confusion) -> list[str]:
    """The matrix as text: a row for what was said, a column for what the DUT heard, a dot for none."""
    return aligned(
        [
            ("", *confusion.labels),
            *(
                (row.label, *(str(cell.count or ".") for cell in row.cells))
                for row in confusion_rows(confusion)
            ),
        ]
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns: the first to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
