"""A Cortex-M4F in virtual time: runs code, sleeps, takes exceptions, stops for a debugger.

Architecture: ARM DDI 0403E (ARMv7-M). The engine runs instructions, the compiled block hook charges their
cycles, and this module decides what happens between two runs. Peripherals see the exact cycle of each access;
interrupts and events that fall due while a block runs are taken at its end.

What is not modelled: bit-banding, trapping of unaligned accesses and divisions by zero (asking for it is an
error that says so), faults of unaligned LDM and LDRD, imprecise bus faults other than of stores to flash and
of unprivileged code on the private peripheral bus, SysTick and DWT.CYCCNT while the core sleeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Protocol

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import debugunit as d
from pytest_lan_hil.virtual.silicon import engine as e
from pytest_lan_hil.virtual.silicon import nvic as n
from pytest_lan_hil.virtual.silicon import scs as s
from pytest_lan_hil.virtual.silicon.blocks import BlockTable, FlashTiming
from pytest_lan_hil.virtual.silicon.bus import Bus, BusFault
from pytest_lan_hil.virtual.silicon.debugunit import DebugControl, Dwt, Fpb, Itm, RomTable
from pytest_lan_hil.virtual.silicon.engine import Ending, Engine, Refused
from pytest_lan_hil.virtual.silicon.exceptions import FPCA, NPRIV, SPSEL, ExceptionUnit
from pytest_lan_hil.virtual.silicon.mpu import Mpu, default_execute_never
from pytest_lan_hil.virtual.silicon.nvic import Nvic
from pytest_lan_hil.virtual.silicon.protection import Protection
from pytest_lan_hil.virtual.silicon.scs import SystemControlSpace
from pytest_lan_hil.virtual.silicon.systick import SysTick
from pytest_lan_hil.virtual.silicon.timeline import Timeline

_PRIVATE_BUS = 0xE000_0000
_AT_ONCE = -1
_EXC_RETURN, _SVC, _BKPT, _PREFETCH_ABORT = 8, 2, 7, 3  # numbers of Unicorn's interrupt hook
# DCRSR register numbers (C1.6.3)
_XPSR, _MSP, _PSP, _SPECIAL, _FPSCR, _S0 = 16, 17, 18, 20, 33, 64


class Stop(Enum):
    """Why `Core.run_until` came back."""

    DEADLINE = "the time is reached"
    HALTED = "the debugger holds the core"
    LOCKUP = "a fault at a priority that nothing may pre-empt"
    STOPPED = "somebody called stop()"


class Listener(Protocol):
    """The chip around the core."""

    def on_sleep(self) -> None:
        """WFI or WFE: the CPU stops."""
        ...

    def on_wake(self) -> None:
        """The CPU runs again."""
        ...

    def on_reset_request(self, kind: str) -> None:
        """AIRCR.SYSRESETREQ ("soft")."""
        ...


class Core:
    """One core.

    Args:
        bus: Memories and peripherals; complete. The private peripheral bus is added here.
        timeline: The chip's time.
        ticks_per_cycle: Timeline ticks of one core cycle.
        irq_count: External interrupts.
        priority_bits: Implemented bits of interrupt priorities.
        flash_timing: Wait states and cache.
        listener: Told of sleep, wake-up and reset requests.
    """

    def __init__(
        self,
        bus: Bus,
        timeline: Timeline,
        *,
        ticks_per_cycle: int,
        irq_count: int,
        priority_bits: int,
        flash_timing: FlashTiming,
        listener: Listener,
    ) -> None:
        self._bus, self._timeline, self._listener = bus, timeline, listener
        self._ticks_per_cycle = ticks_per_cycle
        self._blocks = BlockTable(flash_timing)
        self._state = self._blocks.state
        self._offset = 0  # tick of cycle 0
        self._access_cycle: int | None = None  # cycle of the access that a callback serves
        self._running = False
        self._stopping = False
        self._stalled_until = 0
        self._sleep: str | None = None  # "wfi" or "wfe"
        self._imprecise = False
        self._stores: list[tuple[int, bytes]] = []  # what stores to flash must leave behind
        self._nvic = Nvic(irq_count, priority_bits)
        self._mpu = Mpu()
        self._systick = SysTick(self.cycles, lambda: self._nvic.pend(n.SYSTICK))
        self.debug = DebugControl(self, self._attention)
        self._fpb = Fpb(self._debug_points_changed)
        self._dwt = Dwt(self.cycles, self._sampled_pc, self._debug_points_changed)
        self._careful_points: object = None
        self._scs = SystemControlSpace(
            self._nvic,
            self._mpu,
            self._systick,
            self.debug,
            changed=self._attention,
            reset_request=lambda: listener.on_reset_request("soft"),
            core_reset=self._request_core_reset,
        )
        self._core_reset_asked = False
        for block in (self._scs, self._fpb, self._dwt, RomTable(), Itm()):
            bus.add_peripheral(block)
        self._engine = Engine(
            bus, self._blocks, read=self._read_register, write=self._write_register, store=self._store
        )
        self._protection = Protection(bus, self._engine, self._blocks, self._mpu)
        self._exceptions = ExceptionUnit(
            bus,
            self._engine,
            self._nvic,
            self._mpu,
            self._scs,
            self.debug,
            self._protection,
            sleep_on_exit=lambda: self._fall_asleep("wfi"),
        )
        bus.watch_writes(self._memory_changed)
        timeline.notify_sooner(self._event_scheduled)
        self._points_changed = False

    # -- time --------------------------------------------------------------------------------------------

    def cycles(self) -> int:
        """Core cycles so far; sleep and halts not counted."""
        if self._access_cycle is not None:
            return self._access_cycle
        return int(self._state[h.CYCLES])

    def _source(self) -> int:
        return self._offset + self.cycles() * self._ticks_per_cycle

    def _cycle_at(self, tick: int) -> int:
        """First cycle at or after a tick."""
        return -((self._offset - tick) // self._ticks_per_cycle)

    def _event_scheduled(self, at: int) -> None:
        if self._running:
            cycle = self._cycle_at(at)
            if cycle < self._state[h.DEADLINE]:
                self._state[h.DEADLINE] = cycle

    def _attention(self) -> None:
        """Look at everything anew before the next block."""
        if self._running:
            self._state[h.DEADLINE] = _AT_ONCE

    def stop(self) -> None:
        """Come back from `run_until` as soon as possible."""
        self._stopping = True
        self._attention()

    def stall(self, ticks: int) -> None:
        """The core waits for this long before it goes on."""
        if self._running:
            cycles = -(-ticks // self._ticks_per_cycle)
            self._state[h.CYCLES] += cycles
            self._state[h.BLOCK_BASE] += cycles
            if self._access_cycle is not None:
                self._access_cycle += cycles
        else:
            self._stalled_until = max(self._stalled_until, self._timeline.now + ticks)

    # -- what the chip drives and sees -------------------------------------------------------------------

    def set_irq(self, number: int, level: bool) -> None:  # noqa: FBT001 - a signal's value
        """Drive an external interrupt line."""
        self._nvic.set_line(number, level=level)
        if level:
            self._attention()

    def set_cache(self, *, enabled: bool) -> None:
        """Switch the instruction cache."""
        if enabled:
            self._blocks.cache_on()
        else:
            self._blocks.cache_off()

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return self._engine.get(e.PC) & ~1

    @property
    def sleeping(self) -> bool:
        """In WFI or WFE."""
        return self._sleep is not None

    @property
    def halted(self) -> bool:
        """The debugger holds the core."""
        return self.debug.halted

    @property
    def locked_up(self) -> bool:
        """A fault met a priority that nothing may pre-empt."""
        return self._exceptions.locked_up

    @property
    def debug_enabled(self) -> bool:
        """Halting debug is on (DHCSR.C_DEBUGEN)."""
        return self.debug.enabled

    @property
    def cache_counts(self) -> tuple[int, int]:
        """(hits, misses) of the instruction cache since the core was made."""
        return int(self._state[h.ICACHE_HITS]), int(self._state[h.ICACHE_MISSES])

    def current_exception(self) -> int:
        """IPSR."""
        return self._exceptions.current

    def power_up(self) -> None:
        """Power-on: debug logic forgets as well."""
        self.debug.power_up()
        self._fpb.power_up()
        self._dwt.power_up()
        self._points_changed = True

    def reset(self) -> None:
        """A system reset; debug logic keeps its state."""
        self._nvic.reset()
        self._mpu.reset()
        self._systick.reset()
        self._scs.reset()
        self._sleep = None
        self._stalled_until = 0
        self._imprecise = False
        self._core_reset_asked = False
        self._stores.clear()
        self._engine.close_store()
        self._state[h.EVENT] = 0
        self._state[h.FP_BUSY] = 0
        self._state[h.LAST_LINE] = -1
        self._exceptions.reset()
        self.debug.halted = False
        self.debug.was_reset = True
        if self.debug.catches(d.VC_CORERESET):
            self.debug.halt(d.VCATCH)
        elif self.debug.control & d.C_HALT:
            self.debug.halt(d.HALTED)

    def _request_core_reset(self) -> None:
        self._core_reset_asked = True
        self._attention()

    # -- running -----------------------------------------------------------------------------------------

    def run_until(self, deadline: int) -> Stop:
        """Let virtual time pass to tick `deadline`; a running core overshoots by part of a block.

        Raises:
            UnmodelledAccess: The code touched something that the model lacks.
        """
        timeline = self._timeline
        self._stopping = False
        while True:
            timeline.run_due()
            if self._stopping:
                return Stop.STOPPED
            if self._core_reset_asked:
                self.reset()
            if self.debug.halted:
                self._sleep = None
                return Stop.HALTED
            if self.locked_up:
                return Stop.LOCKUP
            if timeline.now >= deadline:
                return Stop.DEADLINE
            if self._stalled_until > timeline.now:
                self._wait(min(self._stalled_until, deadline))
            elif self._sleep is not None and not self._wakes():
                self._wait(deadline)
            elif self._sleep is not None:
                self._wake()
            elif not self._take_exception():
                self._run(deadline)

    def _wait(self, limit: int) -> None:
        due = self._timeline.next_at()
        self._timeline.advance_to(limit if due is None else min(due, limit))

    def _take_exception(self) -> bool:
        if self._imprecise:
            self._imprecise = False
            self._exceptions.fault(n.BUS_FAULT, s.IMPRECISERR)
            return True
        self._exceptions.read_masks()
        exception = self._nvic.next_exception(self._exceptions.hidden())
        if exception is None:
            return False
        self._exceptions.take(exception)
        return True

    def _run(self, deadline: int) -> None:
        if self._exceptions.invalid_state:
            self._exceptions.fault(n.USAGE_FAULT, s.INVSTATE)
            return
        self._prepare(deadline)
        self._running = True
        self._timeline.follow(self._source)
        try:
            ending, refused = self._engine.run(self.pc)
        finally:
            self._running = False
            self._timeline.follow(None)
            self._access_cycle = None
        self.debug.retired = True
        self._leave_stores()
        self._settle(ending, refused)
        self._systick.update()
        if self.debug.stepping and self._state[h.STEPS] == 0 and not self.debug.halted:
            self._sleep = None
            self.debug.halt(d.HALTED)

    def _prepare(self, deadline: int) -> None:
        state, timeline = self._state, self._timeline
        now, cycle = timeline.now, int(state[h.CYCLES])
        self._offset = now - cycle * self._ticks_per_cycle
        due = timeline.next_at()
        limit = self._cycle_at(deadline if due is None else min(due, deadline))
        to_zero = self._systick.cycles_to_zero()
        if to_zero is not None:
            limit = min(limit, cycle + to_zero)
        state[h.DEADLINE] = max(limit, cycle + 1)
        exceptions = self._exceptions
        waiting = self._nvic.best(exceptions.hidden()) is not None
        state[h.PENDING] = int(waiting or self._mpu.by_privilege)
        privileged = exceptions.privileged
        lazy = bool(self._scs.fpccr & s.LSPACT)
        state[h.FP_TRAP] = int(lazy or not self._scs.fp_allowed(privileged=privileged))
        self._protection.apply(active=exceptions.mpu_active(), privileged=privileged)
        self._apply_points()

    def _settle(self, ending: Ending, refused: Refused | None) -> None:
        """What the end of a run means."""
        if ending is Ending.HOOK:
            self._settle_hook(int(self._state[h.REASON]))
        elif ending is Ending.MEMORY:
            assert refused is not None
            self._account(self.pc)
            self._settle_memory(refused)
        elif ending is Ending.INVALID:
            self._settle_invalid()
        elif self._ended_with() == "wfi":
            self._fall_asleep("wfi")

    def _settle_hook(self, reason: int) -> None:
        state = self._state
        if reason == h.STOP_NEW_BLOCK:
            self._add_block(int(state[h.STOP_ADDRESS]), int(state[h.STOP_SIZE]))
        elif reason == h.STOP_FP:
            if not self._scs.fp_allowed(privileged=self._exceptions.privileged):
                self._exceptions.fault(n.USAGE_FAULT, s.NOCP)
            else:
                self._exceptions.stack_fp_lazily()
        elif reason == h.STOP_FETCH:
            self._exceptions.fault(n.MEM_MANAGE, s.IACCVIOL)
        elif reason == h.STOP_INTERRUPT:
            self._settle_interrupt(int(state[h.INTERRUPT]))
        elif reason == h.STOP_BREAK:
            self._account(self.pc)
            self._exceptions.breakpoint()
        elif reason == h.STOP_STEP:
            self._account(self.pc)
            if state[h.ACCESS_HIT]:
                state[h.ACCESS_HIT] = 0
                self._dwt.matched()
                self.debug.halt(d.DWTTRAP)

    def _settle_interrupt(self, number: int) -> None:
        if number == _EXC_RETURN:
            self._exceptions.leave(self.pc | 1)
        elif number == _SVC:
            self._exceptions.supervisor_call()
        elif number == _BKPT:
            self._exceptions.breakpoint()
        elif number == _PREFETCH_ABORT:
            self._exceptions.fault(n.MEM_MANAGE, s.IACCVIOL)
        else:
            self._exceptions.fault(n.USAGE_FAULT, s.UNDEFINSTR)

    def _settle_invalid(self) -> None:
        tail = self._ended_with()
        if tail == "wfe":
            if self._state[h.EVENT]:
                self._state[h.EVENT] = 0
            else:
                self._fall_asleep("wfe")
            return
        if tail == "yield":
            return
        self._account(self.pc)
        thumb = self._engine.get(e.XPSR) >> 24 & 1
        self._exceptions.fault(n.USAGE_FAULT, s.UNDEFINSTR if thumb else s.INVSTATE)

    def _ended_with(self) -> str:
        """Mnemonic of the instruction that closed the current block, if the core stands right behind it."""
        timing = self._blocks.timing()
        if timing is None or timing.tail is None or self.pc != timing.address + timing.size:
            return ""
        return timing.tail.name

    def _settle_memory(self, refused: Refused) -> None:
        exceptions, address = self._exceptions, refused.address
        privileged, mpu = exceptions.privileged, exceptions.mpu_active()
        memory = self._bus.memory_at(address)
        if refused.kind == e.EXECUTE:
            if default_execute_never(address) or (memory is not None and mpu):
                exceptions.fault(n.MEM_MANAGE, s.IACCVIOL)
            else:
                exceptions.fault(n.BUS_FAULT, s.IBUSERR)
            return
        if mpu:
            first, size = self._extent(refused)
            denied = self._protection.denied(first, size, refused.kind, privileged=privileged)
            if denied is not None:
                exceptions.fault(n.MEM_MANAGE, s.DACCVIOL, address=denied)
                return
        if memory is None:
            self._settle_nowhere(refused)
        elif refused.kind == e.WRITE and not memory.writable:
            if memory.may_write is not None and memory.may_write(address, refused.size):
                self._engine.open_store()
                self._protection.refresh()
            else:
                exceptions.fault(n.BUS_FAULT, s.PRECISERR, address=address)
        else:
            self._step_through(refused)

    def _settle_nowhere(self, refused: Refused) -> None:
        """Nothing is mapped there: a peripheral that the model lacks, or a bus fault."""
        address, pc = refused.address, self.pc
        if 0x4000_0000 <= address < 0x6000_0000 or address >= _PRIVATE_BUS:
            if refused.kind == e.WRITE:
                self._bus.write_register(address, refused.value, refused.size, pc=pc)
            else:
                self._bus.read_register(address, refused.size, pc=pc)
        self._exceptions.fault(n.BUS_FAULT, s.PRECISERR, address=address)

    def _extent(self, refused: Refused) -> tuple[int, int]:
        """All bytes that the instruction at PC touches, as (address, size)."""
        timing = self._engine_timing
        if timing is not None:
            for op in timing.memory_ops:
                if op.pc == self.pc:
                    first = op.operand.address(self._engine.core_registers(), op.pc)
                    if first <= refused.address < first + op.size:
                        return first, op.size
        return refused.address, refused.size

    def _step_through(self, refused: Refused) -> None:
        """The MPU allows an access that its page's rights refuse: run that instruction with the page open."""
        first, size = self._extent(refused)
        for at in (first, first + size - 1):
            memory = self._bus.memory_at(at)
            if memory is not None:
                self._protection.open_page(memory)
        state, pc = self._state, self.pc
        for _ in range(2):  # the block that starts at this instruction may be new
            state[h.DEADLINE] = int(state[h.CYCLES]) + 1
            ending, again = self._engine.run(pc, limit=1)
            if ending is Ending.HOOK and state[h.REASON] == h.STOP_NEW_BLOCK:
                self._add_block(int(state[h.STOP_ADDRESS]), int(state[h.STOP_SIZE]))
                continue
            break
        if ending is Ending.MEMORY:
            assert again is not None
            self._exceptions.fault(n.BUS_FAULT, s.PRECISERR, address=again.address)
            return
        self._account(self.pc)

    # -- cycles of a block that was not finished ---------------------------------------------------------

    def _account(self, pc: int) -> None:
        """The block was left before `pc`: charge only what ran."""
        state, timing = self._state, self._blocks.timing()
        self._engine_timing = timing
        if timing is not None and not state[h.SETTLED]:
            before = timing.before.get(pc)
            if before is not None:
                state[h.CYCLES] = state[h.BLOCK_BASE] + before
        self._exceptions.jumped()

    _engine_timing = None  # the block that the last fault happened in

    def _add_block(self, address: int, size: int) -> None:
        try:
            code = self._bus.read_memory(address, size)
        except ValueError:
            self._exceptions.fault(n.BUS_FAULT, s.IBUSERR)
            return
        flags = self._protection.fetch_flags(address, size) if self._mpu.enabled else 0
        self._blocks.add(code, address, registers=self._engine.core_registers, fetch_flags=flags)

    # -- sleep -------------------------------------------------------------------------------------------

    def _fall_asleep(self, kind: str) -> None:
        self._sleep = kind
        if not self._wakes():
            self._listener.on_sleep()
        else:
            self._sleep = None

    def _wakes(self) -> bool:
        hidden = self._exceptions.hidden()
        self._exceptions.read_masks()
        if self._sleep == "wfi":
            return self._nvic.wakes(hidden)
        if self._state[h.EVENT] or (self._scs.scr & s.SEVONPEND and self._nvic.pending & ~hidden):
            self._state[h.EVENT] = 0
            return True
        return self._nvic.next_exception(hidden) is not None

    def _wake(self) -> None:
        self._sleep = None
        self._listener.on_wake()

    # -- accesses of the running code --------------------------------------------------------------------

    def _enter_access(self, address: int) -> int:
        """Set the time to that of the access; returns the instruction's address."""
        pc = self._engine.get(e.PC) & ~1
        timing = self._blocks.timing()
        before = timing.before.get(pc, 0) if timing is not None else 0
        self._access_cycle = int(self._state[h.BLOCK_BASE]) + before
        due = self._timeline.next_at()
        if due is not None and due <= self._source():
            self._timeline.run_due()
        if address >= _PRIVATE_BUS and not self._exceptions.privileged:
            raise BusFault
        return pc

    def _read_register(self, address: int, size: int) -> int:
        try:
            pc = self._enter_access(address)
            return self._bus.read_register(address, size, pc=pc)
        except BusFault:
            self._imprecise = True
            self._attention()
            return 0
        finally:
            self._access_cycle = None

    def _write_register(self, address: int, size: int, value: int) -> None:
        try:
            pc = self._enter_access(address)
            self._bus.write_register(address, value, size, pc=pc)
        except BusFault:
            self._imprecise = True
            self._attention()
        finally:
            self._access_cycle = None

    def _store(self, address: int, size: int, value: int) -> None:
        """A store to flash, about to happen: take it as the flash controller does."""
        memory = self._bus.memory_at(address)
        assert memory is not None
        try:
            self._enter_access(address)
            old = self._bus.read_memory(address, size)
            if memory.may_write is None or memory.on_write is None or not memory.may_write(address, size):
                self._imprecise = True
                self._stores.append((address, old))
                self._attention()
                return
            memory.on_write(address, value, size)
            kept = self._bus.read_memory(address, size)
            if kept != value.to_bytes(size, "little"):
                self._stores.append((address, kept))
                self._attention()
        finally:
            self._access_cycle = None

    def _leave_stores(self) -> None:
        """Put right what the engine stored as it stood."""
        for address, content in self._stores:
            self._bus.write_memory(address, content)
        self._stores.clear()

    def _memory_changed(self, address: int, size: int) -> None:
        if self._blocks.forget(address, size):
            self._engine.forget_code(address, size)

    # -- debug -------------------------------------------------------------------------------------------

    def _sampled_pc(self) -> int | None:
        return None if self.debug.halted else self.pc

    def _debug_points_changed(self) -> None:
        self._points_changed = True
        self._attention()

    def _apply_points(self) -> None:
        """Look at every instruction while breakpoints, watchpoints or a single step ask for it."""
        state, stepping = self._state, self.debug.stepping
        state[h.STEPS] = 1 if stepping else -1
        state[h.ACCESS_HIT] = 0
        wanted = stepping or bool(self._fpb.breakpoints() or self._dwt.breakpoints())
        watched = self._dwt.watchpoints() if self.debug.enabled else []
        if not (self._points_changed or wanted != self._engine.careful):
            return
        self._points_changed = False
        points = [*self._fpb.breakpoints(), *self._dwt.breakpoints()][: h.MAX_BREAKS]
        state[h.BREAKS] = len(points)
        state[h.BREAK_LIST : h.BREAK_LIST + len(points)] = points
        careful = watched if wanted or watched else None
        if (careful, bool(watched)) != (self._careful_points, bool(watched)):
            self._careful_points = careful
            self._engine.set_careful(careful)

    def debug_read(self, address: int, size: int) -> int:
        """One access of the debugger.

        Raises:
            BusFault: Nothing is there.
            UnmodelledAccess: A register that the model lacks.
        """
        memory = self._bus.memory_at(address)
        if memory is not None:
            return int.from_bytes(self._bus.read_memory(address, size), "little")
        if self._bus.peripheral_at(address) is None:
            self._require_known(address)
        return self._bus.read_register(address, size, pc=None)

    def debug_write(self, address: int, value: int, size: int) -> None:
        """One access of the debugger; flash takes it only as its controller allows.

        Raises:
            BusFault: Nothing is there, or it can't be written.
            UnmodelledAccess: A register that the model lacks.
        """
        memory = self._bus.memory_at(address)
        if memory is None:
            if self._bus.peripheral_at(address) is None:
                self._require_known(address)
            self._bus.write_register(address, value, size, pc=None)
        elif memory.writable:
            self._bus.write_memory(address, value.to_bytes(size, "little"))
        elif memory.on_write is not None and memory.may_write is not None and memory.may_write(address, size):
            memory.on_write(address, value, size)
        else:
            raise BusFault(f"0x{address:08x} can't be written now: the flash controller doesn't allow it")

    @staticmethod
    def _require_known(address: int) -> None:
        if not (0x4000_0000 <= address < 0x6000_0000 or address >= _PRIVATE_BUS):
            raise BusFault(f"nothing is at 0x{address:08x}")

    def read_register(self, number: int) -> int:
        """A register by its DCRSR number (C1.6.3)."""
        engine = self._engine
        if number < 16:
            value = engine.get(e.CORE_REGISTERS[number])
            return value & ~1 if number == 15 else value
        if number == _XPSR:
            return engine.get(e.XPSR)
        if number in (_MSP, _PSP):
            with self._privilege():
                return engine.get(e.MSP if number == _MSP else e.PSP)
        if number == _SPECIAL:
            self._exceptions.read_masks()
            control = engine.get(e.CONTROL) & 7
            nvic = self._nvic
            return control << 24 | nvic.faultmask << 16 | nvic.basepri << 8 | nvic.primask
        if number == _FPSCR:
            return engine.get(e.FPSCR)
        if _S0 <= number < _S0 + 32:
            return engine.get(e.SINGLES[number - _S0])
        return 0

    def write_register(self, number: int, value: int) -> None:
        """Change a register by its DCRSR number."""
        engine = self._engine
        if number == 15:
            engine.set(e.PC, value | 1)
            self._exceptions.invalid_state = False
            self._exceptions.jumped()
        elif number < 15:
            engine.set(e.CORE_REGISTERS[number], value)
        elif number == _XPSR:
            engine.set(e.XPSR, value)
            self._exceptions.invalid_state = not value >> 24 & 1
        elif number in (_MSP, _PSP):
            with self._privilege():
                engine.set(e.MSP if number == _MSP else e.PSP, value)
        elif number == _SPECIAL:
            self._write_special(value)
        elif number == _FPSCR:
            engine.set(e.FPSCR, value)
        elif _S0 <= number < _S0 + 32:
            engine.set(e.SINGLES[number - _S0], value)

    def _write_special(self, value: int) -> None:
        engine = self._engine
        with self._privilege():
            engine.set(e.CONTROL, engine.get(e.CONTROL) & ~NPRIV)
        engine.set(e.PRIMASK, value & 1)
        engine.set(e.BASEPRI, value >> 8 & 0xFF)
        engine.set(e.FAULTMASK, value >> 16 & 1)
        engine.set(e.CONTROL, value >> 24 & (NPRIV | SPSEL | FPCA))

    @contextmanager
    def _privilege(self) -> Iterator[None]:
        """The engine hides banked stack pointers from unprivileged code: become a handler for a moment."""
        engine = self._engine
        xpsr = engine.get(e.XPSR)
        if self._exceptions.privileged:
            yield
            return
        engine.set(e.XPSR, xpsr | n.HARD_FAULT)
        try:
            yield
        finally:
            engine.set(e.XPSR, xpsr)
