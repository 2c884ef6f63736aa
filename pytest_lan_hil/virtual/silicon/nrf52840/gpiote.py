"""GPIOTE: tasks that drive pins, events that pins make.

Follows the nRF52840 Product Specification, chapter "GPIOTE": eight channels in event or task mode, and the
PORT event made by the ports' DETECT signal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.gpio import Gpio
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block, Event

_CHANNELS = 8
_CONFIG = 0x510
_MASK = 0x0013_3F03
_MODE_EVENT, _MODE_TASK = 1, 3
_LOW_TO_HIGH, _HIGH_TO_LOW, _TOGGLE = 1, 2, 3


class Gpiote(Block):
    """The GPIO tasks and events block.

    Args:
        fabric: Shared by the peripherals.
        gpio: The ports.
        on_event_channels: Called with the number of channels in event mode (they draw current).
    """

    def __init__(
        self, fabric: Fabric, gpio: Gpio, *, on_event_channels: Callable[[int], None] | None = None
    ) -> None:
        super().__init__(fabric, "GPIOTE", 0x4000_6000, irq=6)
        self._gpio = gpio
        self._on_event_channels = on_event_channels
        self._detect = False
        self._output: dict[int, bool] = {}
        self.inputs: list[Event] = []
        for n in range(_CHANNELS):
            self.declare_task(f"TASKS_OUT[{n}]", 0x000 + 4 * n, partial(self._out, n))
            self.declare_task(f"TASKS_SET[{n}]", 0x030 + 4 * n, partial(self._drive, n, level=True))
            self.declare_task(f"TASKS_CLR[{n}]", 0x060 + 4 * n, partial(self._drive, n, level=False))
            self.inputs.append(self.declare_event(f"EVENTS_IN[{n}]", 0x100 + 4 * n))
            self.declare(f"CONFIG[{n}]", _CONFIG + 4 * n, mask=_MASK, on_write=partial(self._write_config, n))
        self.port = self.declare_event("EVENTS_PORT", 0x17C)
        gpio.level_listeners.append(self._level_changed)
        gpio.detect_listeners.append(self._detect_changed)

    def _config(self, n: int) -> tuple[int, int, int]:
        """(mode, pin, polarity) of channel n."""
        value = self.values[_CONFIG + 4 * n]
        return value & 3, (value >> 8) & 0x3F, (value >> 16) & 3

    def _write_config(self, n: int, value: int) -> None:
        mode, pin, _ = self._config(n)
        if mode == _MODE_TASK and not (value & 3 == _MODE_TASK and (value >> 8) & 0x3F == pin):
            self._output.pop(n, None)
            self._gpio.override(pin, None)
        self.values[_CONFIG + 4 * n] = value
        new_mode, new_pin, _ = self._config(n)
        if new_mode == _MODE_TASK:
            self._output[n] = bool(value >> 20 & 1)  # OUTINIT
            self._gpio.override(new_pin, self._output[n])
        self._report()

    def _out(self, n: int) -> None:
        _, _, polarity = self._config(n)
        if polarity == _TOGGLE:
            self._drive(n, level=not self._output.get(n, False))
        elif polarity:
            self._drive(n, level=polarity == _LOW_TO_HIGH)

    def _drive(self, n: int, *, level: bool) -> None:
        mode, pin, _ = self._config(n)
        if mode == _MODE_TASK:
            self._output[n] = level
            self._gpio.override(pin, level)

    def _level_changed(self, pin: int, level: bool) -> None:  # noqa: FBT001 - LevelListener
        for n in range(_CHANNELS):
            mode, channel_pin, polarity = self._config(n)
            wanted = polarity == _TOGGLE or (polarity == _LOW_TO_HIGH) == level
            if mode == _MODE_EVENT and channel_pin == pin and polarity and wanted:
                self.inputs[n].fire()

    def _detect_changed(self) -> None:
        detect = self._gpio.detect
        if detect and not self._detect:
            self._detect = detect
            self.port.fire()
        self._detect = detect

    def _report(self) -> None:
        if self._on_event_channels is not None:
            count = sum(self._config(n)[0] == _MODE_EVENT for n in range(_CHANNELS))
            self._on_event_channels(count)

    def on_reset(self) -> None:
        """No channel configured."""
        self._output.clear()
        self._detect = False
        self._report()
