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
from pytest_lan_hil.virtual.silicon.frames import T
from pytest_lan_hil.virtual.silicon.mpu import Mpu, default_execute_never
from pytest_lan_hil.virtual.silicon.protection import Protection
from pytest_lan_hil.virtual.silicon.scs import SystemControlSpace

_EXC_RETURN, _SVC, _BKPT, _PREFETCH_ABORT = 8, 2, 7, 3  # numbers of Unicorn's interrupt hook


class Settlement:
    """Acts on the end of each run.

    Args:
        bus, engine, blocks, exceptions, protection, mpu, scs, debug, dwt: Parts of the core.
        fall_asleep: Called with "wfi" or "wfe".

    Attributes:
        breakpoints: Addresses before which the core stops.
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
        self.breakpoints: list[int] = []

    @property
    def _pc(self) -> int:
        return self._engine.get(e.PC) & ~1

    def settle(self, ending: Ending, refused: Refused | None) -> None:
        """Act on what `Engine.run` returned."""
        if ending is Ending.HOOK:
            self._hook(int(self._state[h.REASON]))
        elif ending is Ending.MEMORY:
            assert refused is not None
            self._memory(refused, self.account())
        elif ending is Ending.INVALID:
            self._invalid()
        elif self._ended_with() == "wfi":
            self._fall_asleep("wfi")
        elif self._pc == e.NOWHERE:
            self._exceptions.fault(n.MEM_MANAGE, s.IACCVIOL)
        if self._state[h.ACCESS_HIT]:
            self._state[h.ACCESS_HIT] = 0
            self._dwt.matched()
            self._debug.halt(d.DWTTRAP)

    def _hook(self, reason: int) -> None:
        state, exceptions = self._state, self._exceptions
        if reason != h.STOP_INTERRUPT and not self._engine.get(e.XPSR) & T:
            exceptions.fault(n.USAGE_FAULT, s.INVSTATE)  # a jump to an even address
        elif reason == h.STOP_NEW_BLOCK:
            self._add_block()
        elif reason == h.STOP_FP:
            if self._scs.fp_allowed(privileged=exceptions.privileged):
                exceptions.stack_fp_lazily()
            else:
                self._refuse_fp()
        elif reason == h.STOP_FETCH:
            self._refuse_fetch()
        elif reason == h.STOP_INTERRUPT:
            self._interrupt(int(state[h.INTERRUPT]))
        elif reason == h.STOP_BREAK:
            timing = self._blocks.at(int(state[h.STOP_ADDRESS]))
            point = min(pc for pc in self.breakpoints if timing.address <= pc < timing.address + timing.size)
            if self._run_to(timing, point):
                exceptions.breakpoint()
        elif reason == h.STOP_ACCESS:
            self.account()

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
            if not self._exceptions.take_event():
                self._fall_asleep("wfe")
        elif tail != "yield":
            self.account()
            thumb = self._engine.get(e.XPSR) & T
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

    def account(self) -> BlockTiming | None:
        """A block was left before its end: charge only what ran. Returns the block."""
        state, timing = self._state, self._blocks.timing()
        if timing is not None and not state[h.SETTLED]:
            before = self._blocks.cycles_before(timing, self._pc)
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
        if memory is None and mpu and self._bus.peripheral_at(address) is not None:
            self._step_through(first, size)
        elif memory is None:
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
            self._protection.open_page(at)
        state = self._state
        hit, state[h.ACCESS_HIT] = int(state[h.ACCESS_HIT]), 0  # by its first try
        ending, again = self._run_one()
        state[h.ACCESS_HIT] |= hit
        self.account()
        if ending is Ending.MEMORY:
            assert again is not None
            self._exceptions.fault(n.BUS_FAULT, s.PRECISERR, address=again.address)
        else:
            self.settle(ending, again)

    def _run_one(self) -> tuple[Ending, Refused | None]:
        """Run one instruction. Its block is charged whole."""
        state, pc, blocks_run = self._state, self._pc, self._state[h.BLOCKS_RUN]
        state[h.BREAKS] = 0  # the block's breakpoints have been seen to
        while True:
            state[h.DEADLINE] = int(state[h.CYCLES]) + 1
            ending, refused = self._engine.run_one(pc)
            new = ending is Ending.HOOK and state[h.REASON] == h.STOP_NEW_BLOCK
            if not new or state[h.BLOCKS_RUN] != blocks_run:  # a new block behind a jump isn't this one
                return ending, refused
            self._add_block()

    def _refuse_fp(self) -> None:
        """Floating point is switched off."""
        timing = self._blocks.at(int(self._state[h.STOP_ADDRESS]))
        assert timing.first_fp is not None
        self._state[h.FP_TRAP] = 0
        if self._run_to(timing, timing.first_fp.pc):
            self._exceptions.fault(n.USAGE_FAULT, s.NOCP)

    def _refuse_fetch(self) -> None:
        """Part of the block, or all of it, may not be executed."""
        timing = self._blocks.at(int(self._state[h.STOP_ADDRESS]))
        bad = self._protection.unfetchable(
            timing.address, timing.size, privileged=self._exceptions.privileged
        )
        self._state[h.FETCH_BIT] = 0
        if self._run_to(timing, max((pc for pc in timing.before if pc <= bad), default=timing.address)):
            self._exceptions.fault(n.MEM_MANAGE, s.IACCVIOL)

    def _run_to(self, timing: BlockTiming, target: int) -> bool:
        """The hook refused a block for one of its instructions: run those before it.

        An IT block is not cut: the core comes to its IT.

        Returns False if the core didn't come so far, for a fault or because the debugger steps.
        """
        state, cycles = self._state, int(self._state[h.CYCLES])
        target = timing.in_it.get(target, target)
        while self._pc != target:
            ending, refused = self._run_one()
            if ending is not Ending.QUIET or self._debug.stepping:
                self.account()
                if ending is not Ending.QUIET:
                    self.settle(ending, refused)
                return False
        state[h.CYCLES] = cycles + (self._blocks.cycles_before(timing, target) or 0)
        self._exceptions.jumped()
        return True
