"""A small chip around a core: flash, RAM, one peripheral that records, a listener that records."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_lan_hil.virtual.silicon.blocks import FlashTiming
from pytest_lan_hil.virtual.silicon.bus import Bus, Peripheral
from pytest_lan_hil.virtual.silicon.core import Core, Stop
from pytest_lan_hil.virtual.silicon.timeline import Timeline
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

TICKS_PER_CYCLE = 4
FLASH_SIZE = 0x2_0000
RAM, RAM_SIZE = 0x2000_0000, 0x1_0000
STACK = RAM + 0x1000
MAIN = 0x400
DEVICE = 0x4000_1000
IRQS = 8

DHCSR, DCRSR, DCRDR, DEMCR, DFSR = 0xE000_EDF0, 0xE000_EDF4, 0xE000_EDF8, 0xE000_EDFC, 0xE000_ED30
ICSR, SCR, CCR, SHCSR, CFSR, HFSR = (
    0xE000_ED04, 0xE000_ED10, 0xE000_ED14, 0xE000_ED24, 0xE000_ED28, 0xE000_ED2C,
)  # fmt: skip
MMFAR, BFAR, CPACR, AIRCR = 0xE000_ED34, 0xE000_ED38, 0xE000_ED88, 0xE000_ED0C
MPU_CTRL, MPU_RNR, MPU_RBAR, MPU_RASR = 0xE000_ED94, 0xE000_ED98, 0xE000_ED9C, 0xE000_EDA0
FPCCR, FPCAR = 0xE000_EF34, 0xE000_EF38
ISER, ISPR, ICPR = 0xE000_E100, 0xE000_E200, 0xE000_E280
SYST_CSR, SYST_RVR, SYST_CVR = 0xE000_E010, 0xE000_E014, 0xE000_E018
DWT_CTRL, CYCCNT, PCSR = 0xE000_1000, 0xE000_1004, 0xE000_101C
FP_CTRL, FP_COMP0 = 0xE000_2000, 0xE000_2008
SP, LR, PC, XPSR, MSP, PSP, SPECIAL, FPSCR, S0 = 13, 14, 15, 16, 17, 18, 20, 33, 64

NO_WAITS = FlashTiming(base=0, size=FLASH_SIZE, wait_states=0, width_log2=3, line_log2=4, ways=2, sets=4)


def program(asm: str, code: str) -> bytes:
    """A piece of code: its text (for readers, and checked where an assembler is) and its machine code."""
    del asm
    return bytes.fromhex(code)


@dataclass
class Recorder:
    """The chip's ear: (tick, "sleep" | "wake" | "reset soft")."""

    timeline: Timeline
    calls: list[tuple[int, str]] = field(default_factory=list)

    def on_sleep(self) -> None:
        self.calls.append((self.timeline.now, "sleep"))

    def on_wake(self) -> None:
        self.calls.append((self.timeline.now, "wake"))

    def on_reset_request(self, kind: str) -> None:
        self.calls.append((self.timeline.now, f"reset {kind}"))

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.calls]


class Device(Peripheral):
    """Sixteen words of storage; records each access as (tick, "read" | "write", offset, value)."""

    name = "DEVICE"
    base = DEVICE
    size = 0x1000

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.words = [0] * 16
        self.seen: list[tuple[int, str, int, int]] = []
        self.on_write: dict[int, Callable[[int], None]] = {}

    def read(self, offset: int, size: int) -> int:
        if offset >= 64:
            raise NotModelled("only sixteen words")
        value = self.words[offset // 4]
        self.seen.append((self._timeline.now, "read", offset, value))
        return value

    def write(self, offset: int, value: int, size: int) -> None:
        if offset >= 64:
            raise NotModelled("only sixteen words")
        self.words[offset // 4] = value
        self.seen.append((self._timeline.now, "write", offset, value))
        if offset in self.on_write:
            self.on_write[offset](value)


class CoreRig:
    """A core with its surroundings. Code goes to flash at MAIN, handlers behind it."""

    def __init__(self, flash_timing: FlashTiming = NO_WAITS) -> None:
        self.timeline = Timeline(64_000_000 * TICKS_PER_CYCLE)
        self.bus = Bus("nrf52840")
        self.flash_open = False
        self.stored: list[tuple[int, int, int]] = []
        self.bus.add_memory(
            "FLASH",
            0,
            FLASH_SIZE,
            writable=False,
            may_write=lambda _address, _size: self.flash_open,
            on_write=lambda address, value, size: self.stored.append((address, value, size)),
        )
        self.bus.add_memory("RAM", RAM, RAM_SIZE, writable=True)
        self.device = Device(self.timeline)
        self.bus.add_peripheral(self.device)
        self.listener = Recorder(self.timeline)
        self.core = Core(
            self.bus,
            self.timeline,
            ticks_per_cycle=TICKS_PER_CYCLE,
            irq_count=IRQS,
            priority_bits=3,
            flash_timing=flash_timing,
            listener=self.listener,
        )

    # -- set-up ------------------------------------------------------------------------------------------

    def boot(self, code: bytes, handlers: dict[int, bytes] | None = None, *, at: int = MAIN) -> CoreRig:
        """Put code at `at`, handlers behind MAIN, their vectors at 0, and reset."""
        vectors = [STACK, at | 1] + [0] * (14 + IRQS)
        for number, handler in (handlers or {}).items():
            where = handler_address(number)
            self.bus.write_memory(where, handler)
            vectors[number] = where | 1
        self.bus.write_memory(0, struct.pack(f"<{len(vectors)}I", *vectors))
        self.bus.write_memory(at, code)
        self.core.reset()
        return self

    def enable(self, *irqs: int) -> None:
        self.poke(ISER, sum(1 << irq for irq in irqs))

    def priority(self, exception: int, value: int) -> None:
        """Set a priority byte (SHPR or NVIC_IPR)."""
        at = 0xE000_ED18 + exception - 4 if exception < 16 else 0xE000_E400 + exception - 16
        self.core.debug_write(at, value, 1)

    def pend(self, irq: int) -> None:
        self.poke(ISPR, 1 << irq)

    # -- running -----------------------------------------------------------------------------------------

    def run(self, cycles: int = 1000) -> Stop:
        return self.core.run_until(self.timeline.now + cycles * TICKS_PER_CYCLE)

    def run_to_halt(self, cycles: int = 10_000) -> None:
        assert self.run(cycles) is Stop.HALTED

    # -- looking -----------------------------------------------------------------------------------------

    def reg(self, number: int) -> int:
        return self.core.read_register(number)

    def regs(self, *numbers: int) -> list[int]:
        return [self.core.read_register(number) for number in numbers]

    def word(self, address: int) -> int:
        return self.core.debug_read(address, 4)

    def words(self, address: int, count: int) -> list[int]:
        return list(struct.unpack(f"<{count}I", self.bus.read_memory(address, 4 * count)))

    def poke(self, address: int, *values: int) -> None:
        for k, value in enumerate(values):
            self.core.debug_write(address + 4 * k, value, 4)

    @property
    def accesses(self) -> list[tuple[str, int, int]]:
        """What reached the device, without times."""
        return [(kind, offset, value) for _, kind, offset, value in self.device.seen]

    # -- debugging ---------------------------------------------------------------------------------------

    def debug(self, bits: int) -> None:
        """Write DHCSR with its key; C_DEBUGEN is added."""
        self.core.debug_write(DHCSR, 0xA05F_0001 | bits, 4)

    def halt(self) -> None:
        self.debug(2)

    def resume(self) -> Stop:
        self.debug(0)
        return self.run()

    def step(self, bits: int = 0) -> None:
        self.debug(4 | bits)
        self.run_to_halt()

    def transfer(self, number: int, value: int | None = None) -> int:
        """Read or write a core register as a probe does."""
        if value is None:
            self.poke(DCRSR, number)
            return self.word(DCRDR)
        self.poke(DCRDR, value)
        self.poke(DCRSR, 1 << 16 | number)
        return value


def handler_address(number: int) -> int:
    """Where `CoreRig.boot` puts the handler of an exception."""
    return 0x1000 + 0x100 * number
