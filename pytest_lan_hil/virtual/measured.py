"""What a virtual instrument needs of the board that it measures; `board.VirtualBoard` is one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.virtual.traces import PinTrace, PowerTrace


class MeasuredBoard(Protocol):
    """A board whose supply current and pins can be followed on virtual time."""

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """Held while virtual time passes."""
        ...

    @property
    def clock(self) -> Clock:
        """Virtual seconds."""
        ...

    @property
    def now(self) -> int:
        """The current tick."""
        ...

    @property
    def tick_hz(self) -> int:
        """Ticks per virtual second."""
        ...

    @property
    def power(self) -> PowerTrace:
        """Supply current."""
        ...

    @property
    def pins(self) -> PinTrace:
        """Pin levels."""
        ...

    @property
    def identity_notes(self) -> tuple[str, ...]:
        """What a reader must know of its figures."""
        ...

    def attach(self, listener: Any) -> None:
        """Have somebody follow virtual time."""
        ...

    def detach(self, listener: Any) -> None:
        """No longer."""
        ...
