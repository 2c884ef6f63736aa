"""The registers of interrupted code, on its stack: basic and extended frames, lazy floating-point state.

Follows the ARMv7-M Architecture Reference Manual (ARM DDI 0403E), B1.5.6 (PushStack) to B1.5.8 (PopStack).
When to save and restore is `exceptions.py`'s.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from pytest_lan_hil.virtual.silicon import engine as e
from pytest_lan_hil.virtual.silicon import scs as s
from pytest_lan_hil.virtual.silicon.bus import Bus
from pytest_lan_hil.virtual.silicon.engine import Engine
from pytest_lan_hil.virtual.silicon.scs import SystemControlSpace

NPRIV, SPSEL, FPCA = 1, 2, 4  # CONTROL
T, EXCEPTION = 1 << 24, 0x1FF  # xPSR
THREAD, USES_PSP, NO_FP = 0x8, 0x4, 0x10  # EXC_RETURN
_ALIGNED = 1 << 9
_BASIC, _EXTENDED = 0x20, 0x68
_SAVED = (0, 1, 2, 3, 12, 14)

Denies = Callable[[int, int, int], bool]
"""True if the MPU forbids an access: (address, size, READ or WRITE)."""


@dataclass(frozen=True, slots=True)
class Popped:
    """A frame as it lay on the stack, not yet taken over.

    Attributes:
        words: r0 to r3, r12, lr, return address, xPSR.
        fp: s0 to s15 and FPSCR; empty if they are in the registers still or were never saved.
    """

    words: tuple[int, ...]
    fp: tuple[int, ...]


class Frames:
    """Pushes and pops frames.

    A refused access is reported as "mpu" or "bus".
    """

    def __init__(self, bus: Bus, engine: Engine, scs: SystemControlSpace) -> None:
        self._bus, self._engine, self._scs = bus, engine, scs

    # -- entry -------------------------------------------------------------------------------------------

    def push(self, return_address: int, denies: Denies) -> tuple[int, str | None]:
        """Save what runs now and move the stack pointer; returns (EXC_RETURN, refusal or None)."""
        engine, scs = self._engine, self._scs
        xpsr, control = engine.get(e.XPSR), engine.get(e.CONTROL)
        with_fp = bool(control & FPCA) and bool(scs.fpccr & s.ASPEN)
        forced = with_fp or bool(scs.ccr & s.STKALIGN)
        registers = engine.core_registers()
        sp = registers[13]
        padded = forced and bool(sp & 4)
        frame = (sp - (_EXTENDED if with_fp else _BASIC) - (4 if padded else 0)) & 0xFFFF_FFFF
        words = [*(registers[n] for n in _SAVED), return_address & ~1]
        words.append(xpsr & ~_ALIGNED | (_ALIGNED if padded else 0))
        data = struct.pack("<8I", *words)
        if with_fp and scs.fpccr & s.LSPEN:
            scs.fpccr |= s.LSPACT
            scs.fpcar = frame + _BASIC
        elif with_fp:
            data += self._fp_context()
        refusal = self._store(frame, data, denies)
        engine.set(e.SP, frame)
        exc_return = 0xFFFF_FFE1 | (0 if with_fp else NO_FP)
        if not xpsr & EXCEPTION:
            exc_return |= THREAD | (USES_PSP if control & SPSEL else 0)
        return exc_return, refusal

    def save_fp(self, denies: Denies) -> str | None:
        """Store the floating-point state at FPCAR: a handler is about to use the registers."""
        scs = self._scs
        scs.fpccr &= ~s.LSPACT
        refusal = self._store(scs.fpcar, self._fp_context(), denies)
        self._engine.set(e.FPSCR, 0)
        return refusal

    def _fp_context(self) -> bytes:
        engine = self._engine
        return struct.pack("<17I", *(engine.get(r) for r in e.SINGLES[:16]), engine.get(e.FPSCR))

    # -- return ------------------------------------------------------------------------------------------

    def load(self, exc_return: int, denies: Denies) -> Popped | str:
        """Read the frame that EXC_RETURN speaks of, or say who refused; changes nothing."""
        from_registers = bool(exc_return & NO_FP) or bool(self._scs.fpccr & s.LSPACT)
        size = _BASIC if from_registers else _BASIC + 68
        frame = self._engine.get(_stack_pointer(exc_return))
        if denies(frame, size, e.READ):
            return "mpu"
        try:
            raw = self._bus.read_memory(frame, size)
        except ValueError:
            return "bus"
        words = struct.unpack(f"<{size // 4}I", raw)
        return Popped(words[:8], words[8:])

    def restore(self, exc_return: int, popped: Popped) -> None:
        """Give the registers back, all but the program counter."""
        engine, scs = self._engine, self._scs
        stack, with_fp = _stack_pointer(exc_return), not exc_return & NO_FP
        if with_fp:
            scs.fpccr &= ~s.LSPACT  # if it is set, nobody used the registers meanwhile
        if popped.fp:
            for register, value in zip(e.SINGLES[:16], popped.fp[:16], strict=True):
                engine.set(register, value)
            engine.set(e.FPSCR, popped.fp[16])
        after = engine.get(stack) + (_EXTENDED if with_fp else _BASIC)
        if popped.words[7] & _ALIGNED:
            after |= 4
        control = engine.get(e.CONTROL) & ~(FPCA | SPSEL)
        control |= (FPCA if with_fp else 0) | (SPSEL if stack == e.PSP else 0)
        engine.set(e.CONTROL, 0)
        engine.set(stack, after)
        for number, value in zip(_SAVED, popped.words[:6], strict=True):
            engine.set(e.CORE_REGISTERS[number], value)
        engine.set(e.XPSR, popped.words[7] & ~_ALIGNED | T)
        engine.set(e.CONTROL, control)

    def _store(self, address: int, data: bytes, denies: Denies) -> str | None:
        if denies(address, len(data), e.WRITE):
            return "mpu"
        memory = self._bus.memory_at(address)
        if memory is None or not memory.writable or address + len(data) > memory.end:
            return "bus"
        self._bus.write_memory(address, data)
        return None


def _stack_pointer(exc_return: int) -> int:
    return int(e.PSP if exc_return & THREAD and exc_return & USES_PSP else e.MSP)
