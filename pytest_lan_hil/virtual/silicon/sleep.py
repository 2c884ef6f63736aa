"""WFI and WFE: how a Cortex-M4F falls asleep, and what wakes it (ARM DDI 0403E, B1.5.18 and B1.5.19).

What the chip switches off meanwhile is the chip's; when the clock goes on is the core's.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon.exceptions import ExceptionUnit
from pytest_lan_hil.virtual.silicon.nvic import Nvic


class Sleeper(Protocol):
    """The chip around the core."""

    def on_sleep(self) -> None:
        """WFI or WFE: the CPU stops."""
        ...

    def on_wake(self) -> None:
        """The CPU runs again."""
        ...


class Sleep:
    """Whether one core sleeps.

    Args:
        nvic, exceptions: What may wake it.
        state: The block table's buffer, which holds the event register.
        sleeper: Told of both.

    Attributes:
        asleep: In WFI or WFE.
    """

    def __init__(
        self,
        nvic: Nvic,
        exceptions: ExceptionUnit,
        state: NDArray[np.int64],
        sleeper: Sleeper,
    ) -> None:
        self._nvic, self._exceptions, self._state = nvic, exceptions, state
        self._sleeper = sleeper
        self.asleep = False
        self._kind = "wfi"  # or "wfe": what it sleeps in, or slept in last

    @property
    def waiting(self) -> bool:
        """Asleep with nothing pending: only what happens outside of the core can wake it."""
        if not self.asleep or (self._kind == "wfe" and (self._state[h.EVENT] or self._nvic.event)):
            return False
        return self._nvic.best(self._exceptions.hidden()) is None

    def fall_asleep(self, kind: str) -> None:
        """WFI ("wfi") or WFE ("wfe"): nothing happens if what would wake the core is there already."""
        self.asleep, self._kind = True, kind
        if self.ends():
            self.asleep = False
        else:
            self._sleeper.on_sleep()

    def ends(self) -> bool:
        """What wakes the core has come; WFE's event is taken."""
        hidden = self._exceptions.hidden()
        if self._kind == "wfi" and self._nvic.best(hidden) is None:
            return False
        self._exceptions.read_masks()
        if self._kind == "wfi":
            return self._nvic.wakes(hidden)
        if self._exceptions.take_event():
            return True
        return self._nvic.next_exception(hidden) is not None

    def wake(self) -> None:
        """The core runs again."""
        self.asleep = False
        self._sleeper.on_wake()

    def reset(self) -> None:
        """A core out of reset is awake; nobody is told."""
        self.asleep = False
