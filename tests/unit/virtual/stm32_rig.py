"""A virtual STM32F412: the tests write its registers as a debugger does, its core runs a little code."""

from __future__ import annotations

import struct

from pytest_lan_hil.virtual.board import VirtualBoard

FLASH, RAM = 0x0800_0000, 0x2000_0000
RCC, PWR, FLASHC, EXTI, DBGMCU = 0x4002_3800, 0x4000_7000, 0x4002_3C00, 0x4001_3C00, 0xE004_2000
CR, PLLCFGR, CFGR, AHB1ENR, APB1ENR, APB2ENR = (RCC + at for at in (0, 4, 8, 0x30, 0x40, 0x44))
BDCR, CSR = RCC + 0x70, RCC + 0x74
ACR, KEYR, SR, FCR, OPTCR = (FLASHC + at for at in (0, 4, 0xC, 0x10, 0x14))
ISER, ISPR, SCR, DEMCR, CYCCNT = 0xE000_E100, 0xE000_E200, 0xE000_ED10, 0xE000_EDFC, 0xE000_1004
STAY, WFI, BACK, CPSID = 0xE7FE, 0xBF30, 0xE7FD, 0xB672  # b .; wfi; b to the instruction before; cpsid i
PWREN, RTCAPB = 1 << 28, 1 << 10


class Chip:
    """A board that runs this code from reset, past its reset time."""

    def __init__(self, *code: int) -> None:
        self.board = VirtualBoard("stm32f412")
        self.chip = self.board.chip
        self.bus = self.chip.bus
        self.bus.write_memory(FLASH, struct.pack("<2I", RAM + 0x1000, FLASH + 0x101))
        self.bus.write_memory(FLASH + 0x100, struct.pack(f"<{len(code or (STAY,))}H", *(code or (STAY,))))
        self.chip.reset("power_on")
        self.us(1600)

    def us(self, microseconds: float) -> None:
        self.board.clock.sleep(microseconds * 1e-6)

    def read(self, address: int, size: int = 4) -> int:
        return self.chip.core.debug_read(address, size)

    def write(self, address: int, value: int, size: int = 4) -> None:
        self.chip.core.debug_write(address, value, size)

    def set(self, address: int, bits: int) -> None:
        self.write(address, self.read(address) | bits)

    def memory(self, address: int, size: int) -> bytes:
        return self.bus.read_memory(address, size)

    def notes(self, word: str) -> list[str]:
        """Notes that hold this word."""
        return [note for note in self.chip.notes if word in note]

    def pend(self, irq: int) -> bool:
        """An interrupt is pending."""
        return bool(self.read(ISPR + 4 * (irq // 32)) >> irq % 32 & 1)

    def currents(self, microseconds: float) -> list[tuple[float, float]]:
        """(us, amperes) of each step of the supply current while this time passes."""
        recorder = self.board.power.record(self.board.now)
        start = self.board.now
        self.us(microseconds)
        steps = recorder.take(self.board.now)
        self.board.power.stop(recorder)
        scale = self.board.tick_hz / 1e6
        times = [(int(tick) - start) / scale for tick in steps.ticks]
        return [(0.0, steps.initial), *zip(times, steps.values.tolist(), strict=True)]

    # -- set-ups -----------------------------------------------------------------------------------------

    def pll(self, mhz: int, *, wait_states: int, vos: int = 3) -> None:
        """Run from the PLL on HSI, with ART; `vos` as in PWR_CR (3 is scale 1)."""
        self.set(APB1ENR, PWREN)
        self.write(PWR, vos << 14)
        self.write(ACR, wait_states | 0x700)
        self.write(PLLCFGR, 8 | mhz << 6 | 2 << 24 | 2 << 28)
        self.write(CR, 0x81 | 1 << 24)
        self.us(200)
        self.write(CFGR, 2 | 4 << 10)

    def cycles(self, microseconds: float) -> int:
        """Core cycles in this time."""
        self.set(DEMCR, 1 << 24)
        self.set(0xE000_1000, 1)
        before = self.read(CYCCNT)
        self.us(microseconds)
        return self.read(CYCCNT) - before & 0xFFFF_FFFF

    def rtc_on_lse(self) -> None:
        """The RTC counts LSE, 32,768 sub-seconds to the second, unlocked."""
        self.set(APB1ENR, PWREN)
        self.set(PWR, 1 << 8)
        self.write(BDCR, 1)
        self.us(2_001_000)
        self.write(BDCR, 0x8101)
        for key in (0xCA, 0x53):
            self.write(0x4000_2824, key)
        self.write(0x4000_280C, 0x80)
        self.us(100)
        self.write(0x4000_2810, 32767)
        self.write(0x4000_280C, 0)

    def wake_in(self, periods: int) -> None:
        """The wake-up timer, in two periods a step, with its interrupt enabled (mask it in the code)."""
        self.write(0x4000_2814, periods // 2 - 1)
        self.set(EXTI, 1 << 22)
        self.set(EXTI + 8, 1 << 22)
        self.write(ISER, 1 << 3)
        self.write(0x4000_2808, 3 | 1 << 10 | 1 << 14 | 1 << 5)
