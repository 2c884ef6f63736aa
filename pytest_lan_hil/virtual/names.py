"""Which virtual boards there are, told without making one: listing must be cheap and must hold nothing.

A kind of silicon is one row of `SILICON` and one folder under `silicon/`; its chip is imported when the first
board of that kind is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_lan_hil.model.errors import InputError
from pytest_lan_hil.virtual.pins import PinNames
from pytest_lan_hil.virtual.state import list_states


@dataclass(frozen=True, slots=True)
class Silicon:
    """A kind of virtual chip, as far as it must be known without it.

    Attributes:
        vendor, title: Its maker, and what people call it.
        target: Its pyOCD target.
        chip: "module:class" of a `chip.Chip`, below `pytest_lan_hil.virtual.silicon`.
        pins: How its pins are called.
        supply_v: Lowest and highest supply voltage at which it works.
        supply_source: Where that is written.
        uarts: The board's serial lines, by the names that URLs use, to the UARTs that they are wired to;
            "uart0" is the console's.
    """

    vendor: str
    title: str
    target: str
    chip: str
    pins: PinNames
    supply_v: tuple[float, float]
    supply_source: str
    uarts: Mapping[str, str]


SILICON = {
    "nrf52840": Silicon(
        vendor="Nordic Semiconductor",
        title="nRF52840",
        target="nrf52840",
        chip="nrf52840.chip:Nrf52840",
        pins=PinNames({"0": 32, "1": 16}, 32, "P{port}.{pin:02d}", "."),
        supply_v=(1.7, 3.6),
        supply_source="PS, recommended conditions",
        uarts={"uart0": "UARTE0", "uart1": "UARTE1"},
    ),
    "stm32f412": Silicon(
        vendor="STMicroelectronics",
        title="STM32F412",
        target="stm32f412xg",
        chip="stm32f412.chip:Stm32f412",
        pins=PinNames(dict.fromkeys("ABCDEFG", 16) | {"H": 2}, 16, "P{port}{pin}", ""),
        supply_v=(1.7, 3.6),
        supply_source="DS11139, general operating conditions",
        # The ST-LINK's virtual COM port of a NUCLEO-F412ZG is on USART3 (UM1974).
        uarts={"uart0": "USART3", "uart1": "USART2"},
    ),
}
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
