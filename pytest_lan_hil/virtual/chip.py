"""What a virtual board needs of its chip; every folder under `silicon/` has a class that is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from pytest_lan_hil.virtual import debug_port
from pytest_lan_hil.virtual.debug_port import AccessPort
from pytest_lan_hil.virtual.names import Silicon
from pytest_lan_hil.virtual.silicon.timeline import Timeline
from pytest_lan_hil.virtual.silicon.uart import Uart

if TYPE_CHECKING:
    from pytest_lan_hil.virtual.silicon.core import Core


class Chip(debug_port.Chip, Protocol):
    """One chip. It starts with `reset("power_on")`."""

    on_nonvolatile_settled: Callable[[], object]
    """Called when flash has changed, and the debugger left or the chip was reset."""

    @property
    def nonvolatile_size(self) -> int:
        """Bytes that `nonvolatile` returns."""
        ...

    @property
    def core(self) -> Core:
        """Its core."""
        ...

    @property
    def timeline(self) -> Timeline:
        """Its time."""
        ...

    @property
    def uarts(self) -> Mapping[str, Uart]:
        """Its UARTs, by the names in `names.SILICON`."""
        ...

    @property
    def access_ports(self) -> Mapping[int, AccessPort]:
        """Access ports of the debug port other than the AHB-AP, by number."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: what is unconfirmed, what the firmware did that silicon takes amiss."""
        ...

    def run_until(self, deadline: int) -> None:
        """Let virtual time pass to `deadline` (a running core may overshoot by an instruction)."""
        ...

    def quiet_until(self) -> int | None:
        """Tick before which nothing happens unless something from outside does; None if nothing ever will."""
        ...

    def reset(self, kind: str) -> None:
        """Reset it: "power_on", "pin", or a kind of its own."""
        ...

    def hold_pin_reset(self, *, asserted: bool) -> None:
        """The reset line is low: the chip stands still. A pin reset follows when it is let go."""
        ...

    def set_supply(self, supply_v: float) -> None:
        """The supply voltage; below the lowest that it works at, it is held in power-on reset."""
        ...

    def drive_pin(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 - a signal
        """Something outside drives the pin (None: lets it float)."""
        ...

    def nonvolatile(self) -> bytes:
        """What it keeps without supply."""
        ...

    def load_nonvolatile(self, content: bytes) -> None:
        """What `nonvolatile` returned; takes effect with the next reset."""
        ...


def make_chip(
    silicon: Silicon,
    *,
    serial: str,
    on_current: Callable[[int, float], None],
    on_level: Callable[[int, bool], None],
) -> Chip:
    """A chip of this kind.

    Args:
        silicon: The kind.
        serial: Makes its unique number.
        on_current: Called with (tick, amperes) at every step of the supply current.
        on_level: Called with (pin number, level) at every pin edge.
    """
    module, _, name = silicon.chip.partition(":")
    made = getattr(import_module(f"pytest_lan_hil.virtual.silicon.{module}"), name)
    return cast(Chip, made(serial=serial, on_current=on_current, on_level=on_level))
