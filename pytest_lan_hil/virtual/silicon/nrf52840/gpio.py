"""GPIO ports P0 and P1: outputs, inputs, pulls, sense and latch.

Follows the nRF52840 Product Specification, chapter "GPIO"; a pin may be owned by a GPIOTE task channel. P0
and P1 lie in one 4 KiB page of addresses, hence one bus peripheral for both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block
from pytest_lan_hil.virtual.silicon.pinbank import LevelListener, PinBank
from pytest_lan_hil.virtual.silicon.registerblock import WORD

GPIO_BASE = 0x5000_0000
_P1_SHIFT = 0x300
_OUT, _OUTSET, _OUTCLR, _IN, _DIR, _DIRSET, _DIRCLR = 0x504, 0x508, 0x50C, 0x510, 0x514, 0x518, 0x51C
_LATCH, _DETECTMODE, _PIN_CNF = 0x520, 0x524, 0x700
_PIN_CNF_RESET = 0x2  # input buffer disconnected
_CNF_MASK = 0x0003_070F
PIN_COUNT = {0: 32, 1: 16}


class Port(Block):
    """One GPIO port.

    Args:
        fabric: Shared by the peripherals.
        number: 0 or 1.
        on_level: Called with the chip-wide pin number and level whenever a pin changes.
        on_detect: Called when the port's DETECT signal may have changed.
    """

    def __init__(
        self, fabric: Fabric, number: int, *, on_level: LevelListener, on_detect: Callable[[], None]
    ) -> None:
        # Offsets are those of P0's registers; the pair below maps P1's addresses onto them.
        super().__init__(fabric, f"P{number}", GPIO_BASE + number * _P1_SHIFT, irq=None)
        self.number = number
        self.pins = PIN_COUNT[number]
        self._all = (1 << self.pins) - 1
        self._on_detect = on_detect
        self._out = 0
        self._dir = 0
        self._latch = 0
        self._bank = PinBank(number * 32, on_level=on_level, output=self._output, pulled_up=self._pulled_up)
        self.declare("OUT", _OUT, on_read=lambda: self._out, on_write=self._write_out)
        self.declare("OUTSET", _OUTSET, on_read=lambda: self._out, on_write=self._set_out)
        self.declare("OUTCLR", _OUTCLR, on_read=lambda: self._out, on_write=self._clear_out)
        self.declare_read_only("IN", _IN, self._read_in)
        self.declare("DIR", _DIR, on_read=lambda: self._dir, on_write=self._write_dir)
        self.declare("DIRSET", _DIRSET, on_read=lambda: self._dir, on_write=self._set_dir)
        self.declare("DIRCLR", _DIRCLR, on_read=lambda: self._dir, on_write=self._clear_dir)
        self.declare("LATCH", _LATCH, on_read=lambda: self._latch, on_write=self._write_latch)
        self.declare("DETECTMODE", _DETECTMODE, mask=1, on_write=self._write_detectmode)
        for pin in range(self.pins):
            self.declare(
                f"PIN_CNF[{pin}]",
                _PIN_CNF + 4 * pin,
                reset=_PIN_CNF_RESET,
                mask=_CNF_MASK,
                on_read=partial(self._read_cnf, pin),
                on_write=partial(self._write_cnf, pin),
            )

    # -- registers ---------------------------------------------------------------------------------------

    def _write_out(self, value: int) -> None:
        changed = (self._out ^ value) & self._all
        self._out = value & self._all
        if changed:
            self._settle(changed)

    def _set_out(self, value: int) -> None:
        self._write_out(self._out | value)

    def _clear_out(self, value: int) -> None:
        self._write_out(self._out & ~value)

    def _write_dir(self, value: int) -> None:
        changed = (self._dir ^ value) & self._all
        self._dir = value & self._all
        if changed:
            self._settle(changed)

    def _set_dir(self, value: int) -> None:
        self._write_dir(self._dir | value)

    def _clear_dir(self, value: int) -> None:
        self._write_dir(self._dir & ~value)

    def _read_cnf(self, pin: int) -> int:
        return (self.values[_PIN_CNF + 4 * pin] & ~1) | ((self._dir >> pin) & 1)

    def _write_cnf(self, pin: int, value: int) -> None:
        self.values[_PIN_CNF + 4 * pin] = value
        bit = 1 << pin
        self._dir = (self._dir | bit) if value & 1 else (self._dir & ~bit)
        self._settle(bit)
        self._sense()

    def _read_in(self) -> int:
        value = 0
        for pin in range(self.pins):
            if self.levels >> pin & 1 and not self.values[_PIN_CNF + 4 * pin] & 2:
                value |= 1 << pin
        return value

    # -- levels ------------------------------------------------------------------------------------------

    @property
    def levels(self) -> int:
        """One bit for each pin."""
        return self._bank.levels

    def _output(self, pin: int) -> bool | None:
        return bool(self._out >> pin & 1) if self._dir >> pin & 1 else None

    def _pulled_up(self, pin: int) -> bool:
        return (self.values[_PIN_CNF + 4 * pin] >> 2) & 3 == 3

    def _settle(self, mask: int) -> None:
        if self._bank.settle(mask):
            self._sense()

    def drive_external(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """Something outside drives the pin (None: lets it float)."""
        if self._bank.drive_external(pin, level):
            self._sense()

    def override(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """A peripheral (GPIOTE task channel, UARTE) owns the pin's output (None: gives it back)."""
        if self._bank.override(pin, level):
            self._sense()

    # -- sense and latch ---------------------------------------------------------------------------------

    def sensed(self) -> int:
        """Pins whose level meets their SENSE condition."""
        hit = 0
        for pin in range(self.pins):
            sense = self.values[_PIN_CNF + 4 * pin] >> 16 & 3
            if sense and (sense == 2) == bool(self.levels >> pin & 1):
                hit |= 1 << pin
        return hit

    def _sense(self) -> None:
        self._latch |= self.sensed()
        self._on_detect()

    @property
    def detect(self) -> bool:
        """The port's DETECT signal (LDETECT mode: the latch)."""
        return bool(self._latch if self.values[_DETECTMODE] else self.sensed())

    def _write_latch(self, value: int) -> None:
        self._latch &= ~value & WORD
        self._latch |= self.sensed()  # cleared bits are set again while the condition holds
        self._on_detect()

    def _write_detectmode(self, value: int) -> None:
        self.values[_DETECTMODE] = value
        self._on_detect()

    def on_reset(self) -> None:
        """All pins are inputs with the buffer disconnected."""
        self._out = self._dir = self._latch = 0
        self._bank.release_overrides()
        self._settle(self._all)


class Gpio(Block):
    """Both ports at their place on the bus.

    Args:
        fabric: Shared by the peripherals.
        on_level: Called with pin number and level on every edge.
    """

    def __init__(self, fabric: Fabric, *, on_level: LevelListener) -> None:
        super().__init__(fabric, "P0", GPIO_BASE, irq=None)
        self.level_listeners: list[LevelListener] = [on_level]
        self.detect_listeners: list[Callable[[], None]] = []
        self.ports = tuple(
            Port(fabric, number, on_level=self._level_changed, on_detect=self._detect_changed)
            for number in PIN_COUNT
        )

    def _level_changed(self, pin: int, level: bool) -> None:  # noqa: FBT001 - LevelListener
        for listener in self.level_listeners:
            listener(pin, level)

    def _detect_changed(self) -> None:
        for listener in self.detect_listeners:
            listener()

    def _route(self, offset: int) -> tuple[Port, int]:
        if 0x800 <= offset < 0x500 + _P1_SHIFT + 0x300:
            return self.ports[1], offset - _P1_SHIFT
        return self.ports[0], offset

    def read(self, offset: int, size: int) -> int:
        """A register of P0 or P1."""
        port, own = self._route(offset)
        return port.read(own, size)

    def write(self, offset: int, value: int, size: int) -> None:
        """A register of P0 or P1."""
        port, own = self._route(offset)
        port.write(own, value, size)

    def reset(self) -> None:
        """Both ports."""
        for port in self.ports:
            port.reset()

    def level(self, pin: int) -> bool:
        """Level of a chip-wide pin number."""
        return bool(self.ports[pin >> 5].levels >> (pin & 31) & 1)

    @property
    def detect(self) -> bool:
        """DETECT of either port."""
        return any(port.detect for port in self.ports)

    def drive_external(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """Something outside drives the pin (None: lets it float)."""
        self.ports[pin >> 5].drive_external(pin & 31, level)

    def override(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """A peripheral owns the pin's output (None: gives it back)."""
        self.ports[pin >> 5].override(pin & 31, level)
