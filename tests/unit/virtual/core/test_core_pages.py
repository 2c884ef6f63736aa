"""The engine stores at full speed to RAM that nobody guards: code that is overwritten runs as written all the
same, and what the MPU refuses stays refused."""

from __future__ import annotations

import ctypes

import pytest
from core_rig import MAIN, MPU_CTRL, MPU_RASR, MPU_RBAR, RAM, CoreRig, program
from unicorn import unicorn_const as const
from unicorn.unicorn_py3.unicorn import uclib

from pytest_lan_hil.virtual.silicon.nvic import MEM_MANAGE

PAGE = RAM + 0x4000
RETURN_ONE = program("movs r0, #1; bx lr", "01207047")
SKIP_AND_COUNT = program(
    "adds r4, #1; ldr r0, [sp, #24]; adds r0, #2; str r0, [sp, #24]; bx lr", "01340698023006907047"
)


def forget_pages(rig: CoreRig) -> None:
    """What the engine does by itself now and then: its cache of pages is empty, translated code stays."""
    request = const.UC_CTL_TLB_FLUSH | const.UC_CTL_IO_WRITE << 30
    assert uclib.uc_ctl(rig.core._engine._handle, ctypes.c_int(ctypes.c_int32(request).value)) == 0


def test_code_in_ram_that_is_overwritten_runs_as_written() -> None:
    call = program("blx r4; mov r5, r0; b .", "a0470546fee7")
    # The first store meets a page of which the engine knows nothing, the second one is to code.
    change = program("str r3, [r3, #0x40]; strh r1, [r3]; blx r4; mov r6, r0; b .", "1b641980a0470646fee7")
    rig = CoreRig()
    rig.bus.write_memory(PAGE, RETURN_ONE)
    rig.bus.write_memory(MAIN + 0x100, change)
    rig.boot(call)
    for register, value in ((1, 0x2002), (3, PAGE), (4, PAGE | 1)):
        rig.core.write_register(register, value)
    rig.run()
    forget_pages(rig)
    rig.core.write_register(15, MAIN + 0x100)
    rig.run()
    assert rig.regs(5, 6) == [1, 2]


def test_a_page_that_is_written_and_then_run_is_watched_from_then_on() -> None:
    code = program(
        "ldr r4, =0x20004001; strh r2, [r4, #-1]; strh r3, [r4, #1]; blx r4; mov r5, r0; adds r2, #1; "
        "strh r2, [r4, #-1]; blx r4; mov r6, r0; adds r2, #1; strh r2, [r4, #-1]; blx r4; mov r7, r0; b .",
        "084c24f8012ca4f80130a0470546013224f8012ca0470646013224f8012ca0470746fee701400020",
    )
    rig = CoreRig().boot(code)
    rig.core.write_register(2, 0x2001)  # movs r0, #1
    rig.core.write_register(3, 0x4770)  # bx lr
    rig.run()
    assert rig.regs(5, 6, 7) == [1, 2, 3]


@pytest.mark.parametrize("access", ["written", "only read"])
def test_every_store_to_a_page_that_becomes_read_only_is_refused(access: str) -> None:
    first = program("str r0, [r1]; str r0, [r1, #4]", "08604860")
    code = program(
        "ldr r2, [r1]; ldr r3, =0xe000ed94; movs r6, #5; str r6, [r3]; dsb; isb; str r3, [r1]; "
        "str r3, [r1, #4]; str r3, [r1]; ldr r5, [r1]; ldr r6, [r1, #4]; b .",
        "0a68064b05261e60bff34f8fbff36f8f0b604b600b600d684e68fee794ed00e0",
    )
    rig = CoreRig().boot((first if access == "written" else b"") + code, {MEM_MANAGE: SKIP_AND_COUNT})
    rig.poke(0xE000_ED24, 1 << 16)  # MEMFAULTENA
    rig.poke(MPU_RBAR, PAGE | 0x10)
    rig.poke(MPU_RASR, 6 << 24 | 9 << 1 | 1)  # 1 KiB, read only
    rig.core.write_register(0, 7)
    rig.core.write_register(1, PAGE)
    rig.run()
    seven = 7 if access == "written" else 0
    assert rig.regs(4, 5, 6) == [3, seven, seven]
    assert rig.word(MPU_CTRL) == 5
