"""PPI: events trigger tasks without the CPU.

Follows the nRF52840 Product Specification, chapter "PPI": 20 programmable and 12 pre-programmed channels, a
fork for each, six channel groups. A task follows its event in the same 16 MHz clock cycle; the model runs
it at the event's own tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from pytest_lan_hil.virtual.silicon.nrf52840.fabric import Fabric
from pytest_lan_hil.virtual.silicon.nrf52840.registers import Block, Event

_PROGRAMMABLE, _CHANNELS, _GROUPS = 20, 32, 6
_CHEN, _CHENSET, _CHENCLR, _CH, _CHG, _FORK = 0x500, 0x504, 0x508, 0x510, 0x800, 0x910

# Table "Pre-programmed channels": event and task addresses.
_TIMER0_C0, _TIMER0_C1, _RTC0_C0 = 0x4000_8140, 0x4000_8144, 0x4000_B140
_FIXED: dict[int, tuple[int, int]] = {
    20: (_TIMER0_C0, 0x4000_1000),  # RADIO.TXEN
    21: (_TIMER0_C0, 0x4000_1004),  # RADIO.RXEN
    22: (_TIMER0_C1, 0x4000_1010),  # RADIO.DISABLE
    23: (0x4000_1128, 0x4000_F000),  # RADIO.BCMATCH, AAR.START
    24: (0x4000_1100, 0x4000_F000),  # RADIO.READY, CCM.KSGEN
    25: (0x4000_1104, 0x4000_F004),  # RADIO.ADDRESS, CCM.CRYPT
    26: (0x4000_1104, 0x4000_8044),  # RADIO.ADDRESS, TIMER0.CAPTURE[1]
    27: (0x4000_110C, 0x4000_8048),  # RADIO.END, TIMER0.CAPTURE[2]
    28: (_RTC0_C0, 0x4000_1000),
    29: (_RTC0_C0, 0x4000_1004),
    30: (_RTC0_C0, 0x4000_800C),  # TIMER0.CLEAR
    31: (_RTC0_C0, 0x4000_8000),  # TIMER0.START
}


class Ppi(Block):
    """The programmable peripheral interconnect.

    Args:
        fabric: Shared by the peripherals.
        blocks: All blocks whose events can be routed.
    """

    def __init__(self, fabric: Fabric, blocks: Iterable[Block]) -> None:
        super().__init__(fabric, "PPI", 0x4001_F000, irq=None)
        self._enabled = 0
        self._routes: dict[int, list[int]] = {}
        self._events: dict[int, Event] = {
            event.address: event for block in blocks for event in block.events.values()
        }
        fabric.on_event = self._on_event
        for n in range(_GROUPS):
            self.declare_task(f"TASKS_CHG[{n}].EN", 8 * n, partial(self._group, n, self._set))
            self.declare_task(f"TASKS_CHG[{n}].DIS", 8 * n + 4, partial(self._group, n, self._clear))
            self.declare(f"CHG[{n}]", _CHG + 4 * n)
        self.declare("CHEN", _CHEN, on_read=lambda: self._enabled, on_write=self._write)
        self.declare("CHENSET", _CHENSET, on_read=lambda: self._enabled, on_write=self._set)
        self.declare("CHENCLR", _CHENCLR, on_read=lambda: self._enabled, on_write=self._clear)
        for n in range(_PROGRAMMABLE):
            self.declare(f"CH[{n}].EEP", _CH + 8 * n, on_write=partial(self._write_endpoint, _CH + 8 * n))
            self.declare(
                f"CH[{n}].TEP", _CH + 8 * n + 4, on_write=partial(self._write_endpoint, _CH + 8 * n + 4)
            )
        for n in range(_CHANNELS):
            self.declare(
                f"FORK[{n}].TEP", _FORK + 4 * n, on_write=partial(self._write_endpoint, _FORK + 4 * n)
            )

    def _write(self, value: int) -> None:
        self._enabled = value
        self._rebuild()

    def _set(self, value: int) -> None:
        self._write(self._enabled | value)

    def _clear(self, value: int) -> None:
        self._write(self._enabled & ~value)

    def _group(self, n: int, change: Callable[[int], None]) -> None:
        change(self.values[_CHG + 4 * n])

    def _write_endpoint(self, offset: int, value: int) -> None:
        self.values[offset] = value
        self._rebuild()

    def _endpoints(self, n: int) -> tuple[int, list[int]]:
        if n < _PROGRAMMABLE:
            event, task = self.values[_CH + 8 * n], self.values[_CH + 8 * n + 4]
        else:
            event, task = _FIXED[n]
        return event, [address for address in (task, self.values[_FORK + 4 * n]) if address]

    def _rebuild(self) -> None:
        """Recompute who listens to which event, and tell blocks whose events gained or lost a listener."""
        routes: dict[int, list[int]] = {}
        for n in range(_CHANNELS):
            if self._enabled >> n & 1:
                event, tasks = self._endpoints(n)
                routes.setdefault(event, []).extend(tasks)
        changed = {}
        for address in set(routes) ^ set(self._routes):
            event_object = self._events.get(address)
            if event_object is not None:
                event_object.routed = address in routes
                changed[event_object.block.base] = event_object.block
        self._routes = routes
        for block in changed.values():
            block.watch_changed()

    def _on_event(self, address: int) -> None:
        for task in self._routes.get(address, ()):
            self.fabric.trigger(task)

    def on_reset(self) -> None:
        """All channels off."""
        self._enabled = 0
        self._rebuild()
