"""Supply currents as a table of sourced figures.

How far each figure is confirmed:

- `confirmed=True`: read, with its symbol, in the document itself or in two independent public texts that
  quote it (the evidence is named).
- `confirmed=False`: from memory of the document, from another part, or estimated; these are listed in the
  bench's identity, so that no report hides them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Figure:
    """One typical value.

    Attributes:
        value: In amperes; in amperes per hertz where its name ends in _per_hz.
        source: Document, chapter or table, symbol.
        confirmed: See the module's docstring.
        evidence: Where it was read, or why it is believed.
    """

    value: float
    source: str
    confirmed: bool
    evidence: str


def unconfirmed(value: float, source: str, why: str) -> Figure:
    """A figure that nobody could read in its document."""
    return Figure(value, source, confirmed=False, evidence=why)


@dataclass(frozen=True, slots=True)
class CurrentTable:
    """A table whose fields are figures."""

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """(name, figure) of every row."""
        for field in fields(self):
            yield field.name, getattr(self, field.name)

    def notes(self) -> tuple[str, ...]:
        """One sentence for each figure that is not confirmed."""
        return tuple(
            f"unconfirmed current {name}: {_amount(name, figure.value)} ({figure.source}; {figure.evidence})"
            for name, figure in self.figures()
            if not figure.confirmed
        )


def _amount(name: str, value: float) -> str:
    return f"{value * 1e12:g} uA/MHz" if name.endswith("_per_hz") else f"{value * 1e6:g} uA"
