"""Unicorn, wrapped: memories mapped, hooks set, registers by name, and why it stopped.

The only module that knows Unicorn. It runs instructions and says what ended the run; what follows from that
(exceptions, sleep, debug) is `core.py`'s. Facts about Unicorn 2.1 that this module relies on, each seen in a
trial: PC is exact after a memory error, and the failing instruction has changed nothing; in a callback PC is
exact only where a memory hook covers the address (which slows every load and store down), elsewhere that of
the block, while the other registers are exact; WFI ends the run without an error,
WFE and YIELD end it as "invalid instruction", all with PC behind them; an exception return arrives as
interrupt 8 with PC = EXC_RETURN less its lowest bit; a stop asked for in a callback takes effect before the
next block, whose hook has already run, so callbacks never ask: they lower the deadline that the hook itself
compares with; a store takes 3 ns where its page is neither executable nor within reach of a hook for refused
accesses, and 50 ns elsewhere.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from unicorn import (
    UC_ARCH_ARM,
    UC_HOOK_BLOCK,
    UC_HOOK_CODE,
    UC_HOOK_INTR,
    UC_HOOK_MEM_INVALID,
    UC_HOOK_MEM_READ,
    UC_HOOK_MEM_WRITE,
    UC_HOOK_TLB_FILL,
    UC_MODE_MCLASS,
    UC_MODE_THUMB,
    UC_PROT_EXEC,
    UC_PROT_NONE,
    UC_PROT_READ,
    UC_PROT_WRITE,
    Uc,
    UcError,
)
from unicorn import arm_const as arm
from unicorn import unicorn_const as const
from unicorn.unicorn_py3.unicorn import (
    HOOK_MEM_ACCESS_CFUNC,
    HOOK_MEM_INVALID_CFUNC,
    MMIO_READ_CFUNC,
    MMIO_WRITE_CFUNC,
    uclib,
)

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import interrupts
from pytest_lan_hil.virtual.silicon.blocks import BlockTable
from pytest_lan_hil.virtual.silicon.bus import PAGE, Bus, Memory

PROTECTION_PAGE = 1024
"""Smallest unit in which access to memory can be refused without looking at every access."""

READ, WRITE, EXECUTE, NOTHING = UC_PROT_READ, UC_PROT_WRITE, UC_PROT_EXEC, UC_PROT_NONE
ADDRESSES = 1 << 32
NOWHERE = 0xA000_0000
"""Device memory, never executable: jumping there ends a run quietly."""

CORE_REGISTERS = [getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)] + [
    arm.UC_ARM_REG_SP,
    arm.UC_ARM_REG_LR,
    arm.UC_ARM_REG_PC,
]
SINGLES = [getattr(arm, f"UC_ARM_REG_S{n}") for n in range(32)]
PC, SP, LR = arm.UC_ARM_REG_PC, arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR
XPSR, MSP, PSP = arm.UC_ARM_REG_XPSR, arm.UC_ARM_REG_MSP, arm.UC_ARM_REG_PSP
CONTROL, PRIMASK = arm.UC_ARM_REG_CONTROL, arm.UC_ARM_REG_PRIMASK
BASEPRI, FAULTMASK = arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK
FPSCR = arm.UC_ARM_REG_FPSCR


class Ending(Enum):
    """What ended a run."""

    HOOK = "the block or instruction hook, see REASON"
    MEMORY = "a load, store or fetch that the memory map refuses"
    INVALID = "an instruction that is none"
    QUIET = "nothing was wrong: WFI"


@dataclass(frozen=True, slots=True)
class Refused:
    """A memory access that failed: what kind (READ, WRITE, EXECUTE), where, how wide, what was stored."""

    kind: int
    address: int
    size: int
    value: int


_KINDS = {
    const.UC_MEM_READ_UNMAPPED: READ, const.UC_MEM_READ_PROT: READ,
    const.UC_MEM_WRITE_UNMAPPED: WRITE, const.UC_MEM_WRITE_PROT: WRITE,
    const.UC_MEM_FETCH_UNMAPPED: EXECUTE, const.UC_MEM_FETCH_PROT: EXECUTE,
}  # fmt: skip

ReadRegister = Callable[[int, int], int]
WriteRegister = Callable[[int, int, int], None]


class CoreRegisters:
    """r0 to r15 as they are at each look, by number.

    Args:
        get: `Engine.get`.
    """

    def __init__(self, get: Callable[[int], int]) -> None:
        self._get = get

    def __getitem__(self, number: int) -> int:
        """The register's value."""
        return self._get(CORE_REGISTERS[number])


class Engine:
    """A Cortex-M4F's instructions on the memories and peripherals of a bus.

    Args:
        bus: Its memories are mapped as they are, its peripheral pages through `read` and `write`; complete
            before this object is made.
        blocks: Records for the block hook.
        read, write: Called for each access to a peripheral page, with (address, size) and (address, size,
            value).
        store: Called before each store to a read-only memory that `open_store` has opened.
    """

    def __init__(
        self,
        bus: Bus,
        blocks: BlockTable,
        *,
        read: ReadRegister,
        write: WriteRegister,
        store: WriteRegister,
    ) -> None:
        self._bus = bus
        self.state = blocks.state
        interrupts.install()
        self._uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        self._uc.ctl_set_page_size(PROTECTION_PAGE)
        self._handle = self._uc._uch
        self._word = ctypes.c_uint32()
        self._word_reference = ctypes.byref(self._word)
        self._store = store
        self._store_hook: Any = None
        self._refused: Refused | None = None
        self._failure: BaseException | None = None
        on_store = HOOK_MEM_ACCESS_CFUNC(self._on_store)
        self._store_address = h.address_of(on_store)
        on_refused = HOOK_MEM_INVALID_CFUNC(self._on_refused)
        self._refused_address = h.address_of(on_refused)
        # The library keeps no more than their addresses.
        self._callbacks: list[Any] = [on_store, on_refused]
        for memory in bus.memories:
            self._uc.mem_map_ptr(memory.base, memory.size, _base_rights(memory), int(memory.data.ctypes.data))
        for page in bus.peripheral_pages():  # one by one: rights of a part would shift the others' offsets
            self._map_registers(page, read, write)
        self._native = h.compiled(h.address_of(uclib.uc_emu_stop))
        self._block = self._hook(UC_HOOK_BLOCK, self._native["block"].address)
        self._hook(UC_HOOK_INTR, self._native["interrupt"].address)
        self._uc.ctl_set_tlb_mode(const.UC_TLB_VIRTUAL)
        self._hook(UC_HOOK_TLB_FILL, self._native["page"].address)
        self._restricted: dict[int, list[Any]] = {}
        self._report_refusals()
        self._careful: Any = None
        self._watching: list[Any] = []

    def _map_registers(self, base: int, read: ReadRegister, write: WriteRegister) -> None:
        # The binding can't carry an error out of a callback that must answer: it is raised when the run has
        # ended. Until then the rest of the block reads zeros and writes nothing.
        def on_read(_uc: Any, offset: int, width: int, _data: Any) -> int:
            if self._failure is None:
                try:
                    return read(base + offset, width)
                except BaseException as error:
                    self._fail(error)
            return 0

        def on_write(_uc: Any, offset: int, width: int, value: int, _data: Any) -> None:
            if self._failure is None:
                try:
                    write(base + offset, width, value)
                except BaseException as error:
                    self._fail(error)

        # Straight to the library, as in `get`: the binding's wrapping costs more than the callbacks do.
        callbacks = (MMIO_READ_CFUNC(on_read), MMIO_WRITE_CFUNC(on_write))
        self._callbacks += callbacks
        reader, writer = (ctypes.cast(callback, ctypes.c_void_p) for callback in callbacks)
        status = uclib.uc_mmio_map(self._handle, base, PAGE, reader, None, writer, None)
        if status:
            raise UcError(status)

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._uc.emu_stop()

    def _hook(self, kind: int, address: int, first: int = 1, last: int = 0) -> Any:
        """Set a native hook for addresses from `first` to `last` (as given: all); its data is the state."""
        handle = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            self._uc._uch,
            ctypes.byref(handle),
            ctypes.c_int(kind),
            ctypes.c_void_p(address),
            ctypes.c_void_p(int(self.state.ctypes.data)),
            ctypes.c_uint64(first),
            ctypes.c_uint64(last),
        )
        if status:
            raise UcError(status)
        return handle

    def _report_refusals(self) -> None:
        """Have `_on_refused` told of refused accesses anywhere but in RAM.

        The engine looks at every store within reach of such a hook. In RAM, where nearly all stores go, only
        pages that restrict them have one (`grant`).
        """
        first = 0
        for memory in sorted((m for m in self._bus.memories if m.writable), key=lambda m: m.base):
            self._hook(UC_HOOK_MEM_INVALID, self._refused_address, first, memory.base - 1)
            first = memory.end
        self._hook(UC_HOOK_MEM_INVALID, self._refused_address, first, ADDRESSES - 1)

    def _on_refused(self, _uc: Any, access: int, address: int, size: int, value: int, _data: Any) -> bool:
        self._refused = Refused(_KINDS[access], address, size, value & ((1 << 8 * size) - 1))
        return False

    # -- running -----------------------------------------------------------------------------------------

    def run(self, pc: int) -> tuple[Ending, Refused | None]:
        """Run from `pc` until something ends it.

        Raises what a peripheral raised in the middle of it.
        """
        return self._start(pc, 0)

    def run_one(self, pc: int) -> tuple[Ending, Refused | None]:
        """Run the one instruction at `pc`."""
        self._uc.ctl_remove_cache(pc, pc + 2)  # a block translated already would run whole
        return self._start(pc, 1)

    def _start(self, pc: int, limit: int) -> tuple[Ending, Refused | None]:
        self.state[h.REASON] = h.STOP_NONE
        self._refused = self._failure = None
        try:
            with interrupts.deferred():
                self._uc.emu_start(pc | 1, NOWHERE, count=limit)
        except UcError as error:
            self._raise_failure()
            if error.errno == const.UC_ERR_INSN_INVALID or error.errno == const.UC_ERR_EXCEPTION:
                return Ending.INVALID, None
            refused = self._last_refused()
            if refused is None:
                raise
            return Ending.MEMORY, refused
        self._raise_failure()
        if self.state[h.REASON] != h.STOP_NONE:
            return Ending.HOOK, None
        return Ending.QUIET, None

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _last_refused(self) -> Refused | None:
        return self._refused

    # -- registers ---------------------------------------------------------------------------------------

    def get(self, register: int) -> int:
        """A register by its Unicorn number (constants of this module)."""
        # Straight to the library: the binding's way takes ten times as long, and this is the hot path.
        uclib.uc_reg_read(self._handle, register, self._word_reference)
        return self._word.value

    def set(self, register: int, value: int) -> None:
        """Change a register."""
        self._word.value = value & 0xFFFF_FFFF
        uclib.uc_reg_write(self._handle, register, self._word_reference)

    def core_registers(self) -> list[int]:
        """r0 to r15."""
        return [self.get(register) for register in CORE_REGISTERS]

    # -- memory rights -----------------------------------------------------------------------------------

    def grant(self, memory: Memory, rights: list[int]) -> None:
        """Set who may do what, one entry (READ | WRITE | EXECUTE) for each PROTECTION_PAGE of a memory.

        A right that the memory itself does not give is not granted.
        """
        base = _base_rights(memory) | (WRITE if self._opened(memory) else 0)
        for hook in self._restricted.pop(memory.base, ()):
            uclib.uc_hook_del(self._handle, hook)
        start = 0
        for page in range(1, len(rights) + 1):
            if page == len(rights) or rights[page] != rights[start]:
                first, size = memory.base + start * PROTECTION_PAGE, (page - start) * PROTECTION_PAGE
                granted = rights[start] & base
                self._uc.mem_protect(first, size, granted)
                if memory.writable and granted != base:
                    hook = self._hook(UC_HOOK_MEM_INVALID, self._refused_address, first, first + size - 1)
                    self._restricted.setdefault(memory.base, []).append(hook)
                start = page

    def grant_all(self, memory: Memory) -> None:
        """Give the memory its own rights."""
        self.grant(memory, [READ | WRITE | EXECUTE] * (memory.size // PROTECTION_PAGE))

    def grant_registers(self, page: int, rights: int) -> None:
        """Set who may do what (READ | WRITE) on one page of peripherals."""
        self._uc.mem_protect(page, PAGE, rights)

    def _opened(self, memory: Memory) -> bool:
        return self._store_hook is not None and memory.on_write is not None

    def open_store(self) -> None:
        """Let stores reach read-only memories; `store` is told of each before it happens."""
        if self._store_hook is None:
            lowest = min(memory.base for memory in self._bus.memories if memory.on_write is not None)
            highest = max(memory.end for memory in self._bus.memories if memory.on_write is not None)
            self._store_hook = self._hook(UC_HOOK_MEM_WRITE, self._store_address, lowest, highest - 1)
            self._uc.ctl_flush_tb()

    def close_store(self) -> None:
        """Stores to read-only memories fail again."""
        if self._store_hook is not None:
            uclib.uc_hook_del(self._handle, self._store_hook)
            self._store_hook = None
            self._uc.ctl_flush_tb()

    def _on_store(self, _uc: Any, _access: int, address: int, size: int, value: int, _data: Any) -> None:
        if self._failure is None:
            try:
                self._store(address, size, value & ((1 << 8 * size) - 1))
            except BaseException as error:
                self._fail(error)

    # -- code --------------------------------------------------------------------------------------------

    def forget_code(self, address: int, size: int) -> None:
        """Memory changed from outside: translated code there is dropped."""
        self._uc.ctl_remove_cache(address, address + size)

    def hook_counting(self) -> None:
        """Use the block hook that keeps books of the cycles."""
        self._hook_blocks(h.compiled_counting(h.address_of(uclib.uc_emu_stop)))

    def hook_plainly(self) -> None:
        """Use the usual block hook."""
        self._hook_blocks(self._native["block"])

    def _hook_blocks(self, native: Any) -> None:
        uclib.uc_hook_del(self._handle, self._block)
        self._block = self._hook(UC_HOOK_BLOCK, native.address)
        self._uc.ctl_flush_tb()

    # -- careful mode ------------------------------------------------------------------------------------

    def set_careful(self, watched: list[tuple[int, int, int]] | None) -> None:
        """Look at every instruction (breakpoints, single steps), or no longer (None).

        Args:
            watched: (first address, last address, READ | WRITE) of data accesses that set ACCESS_HIT.
        """
        for hook in self._watching:
            self._uc.hook_del(hook)
        self._watching.clear()
        if (watched is not None) != (self._careful is not None):
            if watched is not None:
                self._careful = self._hook(UC_HOOK_CODE, self._native["instruction"].address)
            else:
                uclib.uc_hook_del(self._uc._uch, self._careful)
                self._careful = None
        for first, last, kinds in watched or ():
            which = (UC_HOOK_MEM_READ if kinds & READ else 0) | (UC_HOOK_MEM_WRITE if kinds & WRITE else 0)
            self._watching.append(self._uc.hook_add(which, self._on_watched, begin=first, end=last))
        self._uc.ctl_flush_tb()

    @property
    def careful(self) -> bool:
        """True while every instruction is looked at."""
        return self._careful is not None

    def _on_watched(self, _uc: Any, *_access: Any) -> None:
        self.state[h.ACCESS_HIT] = 1


def _base_rights(memory: Memory) -> int:
    return int(READ | EXECUTE | (WRITE if memory.writable else 0))
