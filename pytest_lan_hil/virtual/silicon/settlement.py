"""What the end of a run means: a new block, an exception, a fault, a breakpoint, sleep.

Also the accesses that the engine refused although the MPU allows them, because its pages are coarser than
the MPU's regions: their instructions are stepped through with the page open.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import debugunit as d
from pytest_lan_hil.virtual.silicon import engine as e
from pytest_lan_hil.virtual.silicon import nvic as n
from pytest_lan_hil.virtual.silicon import scs as s
from pytest_lan_hil.virtual.silicon.blocks import BlockTable
from pytest_lan_hil.virtual.silicon.bus import Bus
from pytest_lan_hil.virtual.silicon.coresight import Dwt
from pytest_lan_hil.virtual.silicon.cycles import BlockTiming
from pytest_lan_hil.virtual.silicon.debugunit import DebugControl
from pytest_lan_hil.virtual.silicon.engine import Ending, Engine, Refused
from pytest_lan_hil.virtual.silicon.exceptions import ExceptionUnit
from pytest_lan_hil.virtual.silicon.mpu import Mpu, default_execute_never
from pytest_lan_hil.virtual.silicon.protection import Protection
from pytest_lan_hil.virtual.silicon.scs import SystemControlSpace

_EXC_RETURN, _SVC, _BKPT, _PREFETCH_ABORT = 8, 2, 7, 3  # numbers of Unicorn's interrupt hook


class Settlement:
    """Acts on the end of each run.

    Args:
        bus, engine, blocks, exceptions, protection, mpu, scs, debug, dwt: Parts of the core.
        fall_asleep: Called with "wfi" or "wfe".
    """

    def __init__(
        self,
        bus: Bus,
        engine: Engine,
        blocks: BlockTable,
        exceptions: ExceptionUnit,
        protection: Protection,
        mpu: Mpu,
        scs: SystemControlSpace,
        debug: DebugControl,
        dwt: Dwt,
        *,
        fall_asleep: Callable[[str], None],
    ) -> None:
        self._bus, self._engine, self._blocks, self._state = bus, engine, blocks, engine.state
        self._exceptions, self._protection, self._mpu = exceptions, protection, mpu
        self._scs, self._debug, self._dwt = scs, debug, dwt
        self._fall_asleep = fall_asleep

    @property
    def _pc(self) -> int:
        return self._engine.get(e.PC) & ~1

    def settle(self, ending: Ending, refused: Refused | None) -> None:
        """Act on what `Engine.run` returned."""
        if ending is Ending.HOOK:
            self._hook(int(self._state[h.REASON]))
        elif ending is Ending.MEMORY:
            assert refused is not None
            self._memory(refused, self._account())
        elif ending is Ending.INVALID:
            self._invalid()
        elif self._ended_with() == "wfi":
            self._fall_asleep("wfi")

    def _hook(self, reason: int) -> None:
        state, exceptions = self._state, self._exceptions
        if reason == h.STOP_NEW_BLOCK:
            self._add_block()
        elif reason == h.STOP_FP:
            if self._scs.fp_allowed(privileged=exceptions.privileged):
                exceptions.stack_fp_lazily()
            else:
                exceptions.fault(n.USAGE_FAULT, s.NOCP)
        elif reason == h.STOP_FETCH:
            exceptions.fault(n.MEM_MANAGE, s.IACCVIOL)
        elif reason == h.STOP_INTERRUPT:
            self._interrupt(int(state[h.INTERRUPT]))
        elif reason == h.STOP_BREAK:
            self._account()
            exceptions.breakpoint()
        elif reason == h.STOP_STEP:
            self._account()
            if state[h.ACCESS_HIT]:
                state[h.ACCESS_HIT] = 0
                self._dwt.matched()
                self._debug.halt(d.DWTTRAP)

    def _interrupt(self, number: int) -> None:
        exceptions = self._exceptions
        if number == _EXC_RETURN:
            exceptions.leave(self._pc | 1)
        elif number == _SVC:
            exceptions.supervisor_call()
        elif number == _BKPT:
            exceptions.breakpoint()
        elif number == _PREFETCH_ABORT:
            exceptions.fault(n.MEM_MANAGE, s.IACCVIOL)
        else:
            exceptions.fault(n.USAGE_FAULT, s.UNDEFINSTR)

    def _invalid(self) -> None:
        tail = self._ended_with()
        if tail == "wfe":
            if self._state[h.EVENT]:
                self._state[h.EVENT] = 0
            else:
                self._fall_asleep("wfe")
        elif tail != "yield":
            self._account()
            thumb = self._engine.get(e.XPSR) >> 24 & 1
            self._exceptions.fault(n.USAGE_FAULT, s.UNDEFINSTR if thumb else s.INVSTATE)

    def _ended_with(self) -> str:
        """Mnemonic of the instruction that closed the current block, if the core stands right behind it."""
        timing = self._blocks.timing()
        if timing is None or timing.tail is None or self._pc != timing.address + timing.size:
            return ""
        return timing.tail.name

    # -- blocks ------------------------------------------------------------------------------------------

    def _add_block(self) -> None:
        address, size = int(self._state[h.STOP_ADDRESS]), int(self._state[h.STOP_SIZE])
        try:
            code = self._bus.read_memory(address, size)
        except ValueError:
            self._exceptions.fault(n.BUS_FAULT, s.IBUSERR)
            return
        flags = self._protection.fetch_flags(address, size) if self._mpu.enabled else 0
        self._blocks.add(code, address, registers=self._engine.core_registers, fetch_flags=flags)

    def _account(self) -> BlockTiming | None:
        """A block was left before its end: charge only what ran. Returns the block."""
        state, timing = self._state, self._blocks.timing()
        if timing is not None and not state[h.SETTLED]:
            before = timing.before.get(self._pc)
            if before is not None:
                state[h.CYCLES] = state[h.BLOCK_BASE] + before
        self._exceptions.jumped()
        return timing

    # -- memory ------------------------------------------------------------------------------------------

    def _memory(self, refused: Refused, block: BlockTiming | None) -> None:
        exceptions, address = self._exceptions, refused.address
        memory, mpu = self._bus.memory_at(address), exceptions.mpu_active()
        if refused.kind == e.EXECUTE:
            if default_execute_never(address) or (memory is not None and mpu):
                exceptions.fault(n.MEM_MANAGE, s.IACCVIOL)
            else:
                exceptions.fault(n.BUS_FAULT, s.IBUSERR)
            return
        first, size = self._extent(refused, block)
        if mpu:
            denied = self._protection.denied(first, size, refused.kind, privileged=exceptions.privileged)
            if denied is not None:
                exceptions.fault(n.MEM_MANAGE, s.DACCVIOL, address=denied)
                return
        if memory is None:
            self._nowhere(refused)
        elif refused.kind == e.READ or memory.writable:
            self._step_through(first, size)
        elif memory.takes(address, refused.size):
            self._engine.open_store()
            self._protection.refresh()
        else:
            exceptions.fault(n.BUS_FAULT, s.PRECISERR, address=address)

    def _nowhere(self, refused: Refused) -> None:
        """Nothing is mapped there: a peripheral that the model lacks, or a bus fault."""
        address = refused.address
        if self._bus.holds_peripherals(address):
            if refused.kind == e.WRITE:
                self._bus.write_register(address, refused.value, refused.size, pc=self._pc)
            else:
                self._bus.read_register(address, refused.size, pc=self._pc)
        self._exceptions.fault(n.BUS_FAULT, s.PRECISERR, address=address)

    def _extent(self, refused: Refused, block: BlockTiming | None) -> tuple[int, int]:
        """All bytes that the refused instruction touches, as (address, size)."""
        pc = self._pc
        for op in block.memory_ops if block is not None else ():
            if op.pc == pc:
                first = op.operand.address(self._engine.core_registers(), pc)
                if first <= refused.address < first + op.size:
                    return first, op.size
        return refused.address, refused.size

    def _step_through(self, first: int, size: int) -> None:
        """The MPU allows an access that its page's rights refuse: run that instruction with the page open."""
        for at in (first, first + size - 1):
            memory = self._bus.memory_at(at)
            if memory is not None:
                self._protection.open_page(memory)
        state, pc = self._state, self._pc
        while True:
            state[h.DEADLINE] = int(state[h.CYCLES]) + 1
            ending, again = self._engine.run(pc, limit=1)
            if not (ending is Ending.HOOK and state[h.REASON] == h.STOP_NEW_BLOCK):
                break
            self._add_block()  # the block that starts at this instruction is new
        self._account()
        if ending is Ending.MEMORY:
            assert again is not None
            self._exceptions.fault(n.BUS_FAULT, s.PRECISERR, address=again.address)
