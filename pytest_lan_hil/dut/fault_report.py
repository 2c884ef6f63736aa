"""What a firmware's own fault report means: `e-[fault memmanage pc=0x... cfsr=0x... trace=0x...,0x...]`.

Its words are written by firmware/cortex_m4/fault.c (docs/reference/dut-console.md); the bits of CFSR are
those of the ARMv7-M Architecture Reference Manual (ARM DDI 0403E, B3.2.15).
"""

from __future__ import annotations

import re

from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.memory import GUARD_SYMBOL

_DACCVIOL, _MSTKERR, _STKERR, _MMARVALID = 1 << 1, 1 << 4, 1 << 12, 1 << 7
_BL_SIZE = 4  # a return address lies behind the call; half of it back is inside the call


def explain_fault(reported: str, image: FirmwareImage | None) -> str:
    """Where the fault was raised, and whether it was a stack overflow, as the end of a sentence; may be "".

    The program counter is known if the core could still stack its frame. After an overflow it could not: then
    the innermost return address that is left on the stack tells the function.
    """
    if image is None:
        return ""
    overflowed = ", the main stack overflowed into its guard" if _overflowed(reported, image) else ""
    pc = _word(reported, "pc")
    callers = [int(digits, 16) for digits in re.findall(r"0x([0-9a-f]{8})\b", _trace(reported))]
    if pc and image.function_at(pc):
        return f"{overflowed}, raised in {_spot(image, pc, pc)}"
    for caller in callers:
        if caller and image.function_at(caller):  # 0: no entry
            return f"{overflowed}, raised in or below {_spot(image, caller, caller - _BL_SIZE // 2)}"
    return overflowed


def _overflowed(reported: str, image: FirmwareImage) -> bool:
    cfsr = _word(reported, "cfsr")
    if cfsr & (_MSTKERR | _STKERR):
        return True
    guard = image.symbols.get(GUARD_SYMBOL)
    if guard is None or image.stack is None or not cfsr & _DACCVIOL or not cfsr & _MMARVALID:
        return False
    return guard <= _word(reported, "mmfar") < image.stack[0]


def _spot(image: FirmwareImage, address: int, instruction: int) -> str:
    line = image.line_at(instruction)
    return f"{image.function_at(address)}()" + (f" ({line})" if line else "")


def _word(reported: str, name: str) -> int:
    found = re.search(rf"\b{name}=0x([0-9a-f]{{8}})\b", reported)
    return int(found[1], 16) if found else 0


def _trace(reported: str) -> str:
    return reported.partition(" trace=")[2]
