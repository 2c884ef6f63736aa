"""How a chip's pins are called and numbered. Instruments read pin names before there is a chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PinNames:
    """The pins of a chip, in ports.

    Attributes:
        ports: Name of each port ("0", "A") to its number of pins.
        stride: Chip-wide pin numbers from one port to the next.
        template: Of a name, with `port` and `pin`: "P{port}.{pin:02d}".
        separator: Between port and pin.
    """

    ports: Mapping[str, int]
    stride: int
    template: str
    separator: str

    def name(self, number: int) -> str:
        """ "P0.13" for 13."""
        port = list(self.ports)[number // self.stride]
        return self.template.format(port=port, pin=number % self.stride)

    def number(self, name: str) -> int:
        """13 for "P0.13".

        Raises:
            ValueError: Not the name of a pin of this chip.
        """
        text = name.upper().removeprefix("P")
        for index, (port, count) in enumerate(self.ports.items()):
            pin = text.removeprefix(port + self.separator)
            if pin != text and pin.isdecimal() and int(pin) < count:
                return index * self.stride + int(pin)
        raise ValueError(f"{name!r} is no pin; pins are {', '.join(self._ranges())}")

    def canonical(self, name: str) -> str:
        """The name as the chip's maker writes it.

        Raises:
            ValueError: Not the name of a pin of this chip.
        """
        return self.name(self.number(name))

    def _ranges(self) -> list[str]:
        return [
            f"{self.template.format(port=port, pin=0)} to {self.template.format(port=port, pin=count - 1)}"
            for port, count in self.ports.items()
        ]
