"""SysTick: a 24-bit counter that counts the core's cycles down (ARM DDI 0403E, B3.3).

It stands still while the core sleeps or is halted, as on parts that gate the processor clock in sleep.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

_ENABLE, _TICKINT, _CLKSOURCE, _COUNTFLAG = 1, 2, 4, 1 << 16
_MASK = 0xFF_FFFF


class SysTick:
    """The counter.

    Args:
        cycles: The core's cycle count now.
        pend: Makes the SysTick exception pending.
    """

    def __init__(self, cycles: Callable[[], int], pend: Callable[[], None]) -> None:
        self._cycles = cycles
        self._pend = pend
        self.reset()

    def reset(self) -> None:
        """Off. (The reload and current values are unknown after reset; zero here.)"""
        self.control = 0
        self.reload = 0
        self._value = 0
        self._since = 0
        self._flag = False

    @property
    def _running(self) -> bool:
        return bool(self.control & _ENABLE) and (self.reload > 0 or self._value > 0)

    def update(self) -> None:
        """Count up to now, pending the exception for a zero that was passed."""
        now = self._cycles()
        elapsed, self._since = now - self._since, now
        if not self._running or elapsed <= 0:
            return
        if self._value == 0:
            self._value = self.reload + 1  # the cycle that reloads
        if elapsed < self._value:
            self._value -= elapsed
            return
        beyond = elapsed - self._value
        self._value = self.reload + 1 - beyond % (self.reload + 1) if self.reload else 0
        if self._value == self.reload + 1:
            self._value = 0
        self._flag = True
        if self.control & _TICKINT:
            self._pend()

    def cycles_to_zero(self) -> int | None:
        """Cycles until the exception is due, or None if it never is."""
        if not (self._running and self.control & _TICKINT):
            return None
        return self._value if self._value else self.reload + 1

    def read_control(self) -> int:
        """SYST_CSR; reading clears COUNTFLAG."""
        self.update()
        value = self.control | (_COUNTFLAG if self._flag else 0)
        self._flag = False
        return value

    def write_control(self, value: int) -> None:
        """SYST_CSR.

        Raises:
            NotModelled: The external reference clock is asked for.
        """
        self.update()
        if value & _ENABLE and not value & _CLKSOURCE:
            raise NotModelled("SysTick on the external reference clock is not modelled; set CLKSOURCE")
        self.control = value & (_ENABLE | _TICKINT | _CLKSOURCE)

    def write_reload(self, value: int) -> None:
        """SYST_RVR."""
        self.update()
        self.reload = value & _MASK

    def read_value(self) -> int:
        """SYST_CVR."""
        self.update()
        return self._value

    def clear_value(self) -> None:
        """Any write to SYST_CVR clears it and COUNTFLAG, without an exception."""
        self.update()
        self._value = 0
        self._flag = False
