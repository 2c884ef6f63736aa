"""EXTI and SYSCFG: edges of pins and of the RTC become interrupts and events (RM0402, same chapters)."""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block

PVD, RTC_ALARM, RTC_WAKEUP = 16, 17, 22
_IMR, _EMR, _RTSR, _FTSR, _SWIER, _PR = range(0x00, 0x18, 4)
_LINES = 0x7F_FFFF
_IRQS = (
    {line: 6 + line for line in range(5)} | dict.fromkeys(range(5, 10), 23) | dict.fromkeys(range(10, 16), 40)
)
_IRQS |= {PVD: 1, RTC_ALARM: 41, 18: 42, 21: 2, RTC_WAKEUP: 3}
_NUMBERS = sorted(set(_IRQS.values()))


class Syscfg(Block):
    """SYSCFG: which port's pin is on which line."""

    def __init__(self, fabric: Fabric, *, note: Callable[[str], None]) -> None:
        super().__init__(fabric, "SYSCFG", 0x4001_3800, note=note)
        for name, offset in (("MEMRMP", 0), ("PMC", 4), ("CFGR2", 0x1C), ("CMPCR", 0x20), ("CFGR", 0x2C)):
            self.declare(name, offset)
        for n in range(4):
            self.declare(f"EXTICR{n + 1}", 0x08 + 4 * n, mask=0xFFFF)

    def port_on(self, line: int) -> int:
        """Index of the port whose pin is on the line."""
        return self.values[0x08 + (line & ~3)] >> 4 * (line & 3) & 0xF


class Exti(Block):
    """The edge detectors.

    Args:
        fabric, note: As for every block.
        syscfg: Which pins are on the lines.
        signal_event: Ends WFE.
    """

    def __init__(
        self, fabric: Fabric, syscfg: Syscfg, *, note: Callable[[str], None], signal_event: Callable[[], None]
    ) -> None:
        super().__init__(fabric, "EXTI", 0x4001_3C00, note=note)
        self._syscfg = syscfg
        self._signal_event = signal_event
        self._pending = 0
        self.declare("IMR", _IMR, mask=_LINES, on_write=self._write_imr)
        for name, offset in (("EMR", _EMR), ("RTSR", _RTSR), ("FTSR", _FTSR)):
            self.declare(name, offset, mask=_LINES)
        self.declare("SWIER", _SWIER, mask=_LINES, on_write=self._write_swier)
        self.declare("PR", _PR, mask=_LINES, on_read=lambda: self._pending, on_write=self._write_pr)

    def edge(self, line: int, *, rising: bool) -> None:
        """A line has an edge."""
        bit = 1 << line
        if self.values[_RTSR if rising else _FTSR] & bit:
            self._trigger(bit)

    def pin_edge(self, pin: int, level: bool) -> None:  # noqa: FBT001 - a signal's value
        """A pin, by its chip-wide number, has an edge."""
        if self._syscfg.port_on(pin & 15) == pin >> 4:
            self.edge(pin & 15, rising=level)

    def _trigger(self, bit: int) -> None:
        if self.values[_EMR] & bit:
            self._signal_event()
        if self.values[_IMR] & bit:
            self._pending |= bit
            self._update_irqs()

    def _write_imr(self, value: int) -> None:
        self.values[_IMR] = value
        self._update_irqs()

    def _write_swier(self, value: int) -> None:
        rising = value & ~self.values[_SWIER]
        self.values[_SWIER] = value
        for line in range(23):
            if rising >> line & 1:
                self._trigger(1 << line)

    def _write_pr(self, value: int) -> None:
        self._pending &= ~value
        self.values[_SWIER] &= ~value
        self._update_irqs()

    def _update_irqs(self) -> None:
        active = self._pending & self.values[_IMR]
        raised = {_IRQS[line] for line in range(23) if active >> line & 1 and line in _IRQS}
        for number in _NUMBERS:
            self.fabric.drive_irq(number, self.name, level=number in raised)

    def on_reset(self) -> None:
        """Nothing is pending."""
        self._pending = 0
        self._update_irqs()
