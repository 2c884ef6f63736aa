"""The core's registers as the debugger names them (DCRSR numbers, ARM DDI 0403E, C1.6.3)."""

from __future__ import annotations

from pytest_lan_hil.virtual.silicon import engine as e
from pytest_lan_hil.virtual.silicon.engine import Engine
from pytest_lan_hil.virtual.silicon.exceptions import ExceptionUnit
from pytest_lan_hil.virtual.silicon.frames import FPCA, NPRIV, SPSEL
from pytest_lan_hil.virtual.silicon.nvic import Nvic

_PC, _XPSR, _MSP, _PSP, _SPECIAL, _FPSCR, _S0 = 15, 16, 17, 18, 20, 33, 64


class RegisterFile:
    """Reads and writes registers of a core that stands still."""

    def __init__(self, engine: Engine, exceptions: ExceptionUnit, nvic: Nvic) -> None:
        self._engine, self._exceptions, self._nvic = engine, exceptions, nvic

    def read(self, number: int) -> int:
        """A register; one that doesn't exist reads as zero."""
        engine = self._engine
        if number < _PC:
            return engine.get(e.CORE_REGISTERS[number])
        if number == _PC:
            return engine.get(e.PC) & ~1
        if number == _XPSR:
            return engine.get(e.XPSR)
        if number in (_MSP, _PSP):
            with self._exceptions.privilege():
                return engine.get(e.MSP if number == _MSP else e.PSP)
        if number == _SPECIAL:
            self._exceptions.read_masks()
            nvic, control = self._nvic, engine.get(e.CONTROL) & (NPRIV | SPSEL | FPCA)
            return control << 24 | nvic.faultmask << 16 | nvic.basepri << 8 | nvic.primask
        if number == _FPSCR:
            return engine.get(e.FPSCR)
        return engine.get(e.SINGLES[number - _S0]) if _S0 <= number < _S0 + 32 else 0

    def write(self, number: int, value: int) -> None:
        """Change a register."""
        engine, exceptions = self._engine, self._exceptions
        if number < _PC:
            engine.set(e.CORE_REGISTERS[number], value)
        elif number == _PC:
            engine.set(e.PC, value | 1)
            exceptions.invalid_state = False
            exceptions.jumped()
        elif number == _XPSR:
            engine.set(e.XPSR, value)
            exceptions.invalid_state = not value >> 24 & 1
        elif number in (_MSP, _PSP):
            with self._exceptions.privilege():
                engine.set(e.MSP if number == _MSP else e.PSP, value)
        elif number == _SPECIAL:
            self._write_special(value)
        elif number == _FPSCR:
            engine.set(e.FPSCR, value)
        elif _S0 <= number < _S0 + 32:
            engine.set(e.SINGLES[number - _S0], value)

    def _write_special(self, value: int) -> None:
        engine = self._engine
        with self._exceptions.privilege():
            engine.set(e.CONTROL, engine.get(e.CONTROL) & ~NPRIV)
        engine.set(e.PRIMASK, value & 1)
        engine.set(e.BASEPRI, value >> 8 & 0xFF)
        engine.set(e.FAULTMASK, value >> 16 & 1)
        engine.set(e.CONTROL, value >> 24 & (NPRIV | SPSEL | FPCA))
