"""Which virtual boards there are, told without making one: listing must be cheap and must hold nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.virtual.state import list_states


@dataclass(frozen=True, slots=True)
class Silicon:
    """A kind of virtual chip: its vendor, what people call it, and its pyOCD target."""

    vendor: str
    title: str
    target: str


SILICON = {"nrf52840": Silicon("Nordic Semiconductor", "nRF52840", "nrf52840")}
_NAME = re.compile(r"(?P<silicon>[a-z0-9]+)(-[a-z0-9._]+)?")


def silicon_of(name: str) -> Silicon:
    """The chip of the board `name`: "nrf52840", or "nrf52840-<anything>" for a further one.

    Raises:
        InputError: No virtual board can have this name.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["silicon"] not in SILICON:
        raise InputError(
            f"there is no virtual board {name!r}",
            fix=f"virtual boards are: {', '.join(SILICON)} (or NAME-SUFFIX, in lower case)",
        )
    return SILICON[match["silicon"]]


def is_board(name: str) -> bool:
    """True if a virtual board can have this name."""
    match = _NAME.fullmatch(name)
    return match is not None and match["silicon"] in SILICON


def known_boards() -> list[str]:
    """One board of every kind, then the further ones that have been used here."""
    used = [state.name for state in list_states() if is_board(state.name)]
    return [*SILICON, *(name for name in used if name not in SILICON)]
