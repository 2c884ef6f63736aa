"""A Cortex-M4F in virtual time: runs code, sleeps, takes exceptions, stops for a debugger.

Architecture: ARM DDI 0403E (ARMv7-M). The engine runs instructions, the compiled block hook charges their
cycles, and this module decides what happens between two runs. Peripherals see the exact cycle of each access;
interrupts and events that fall due while a block runs are taken at its end.

What is not modelled: bit-banding, trapping of unaligned accesses and divisions by zero (asking for it is an
error that says so), faults of unaligned LDM and LDRD, stops inside an IT block (the debugger's step takes it
whole, a breakpoint in it stops before it, a switched off floating-point unit faults at its IT), imprecise bus
faults other than of stores to flash and of unprivileged code on the private peripheral bus, SysTick and
DWT.CYCCNT while the core sleeps.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import debugunit as d
from pytest_lan_hil.virtual.silicon import engine as e
from pytest_lan_hil.virtual.silicon import nvic as n
from pytest_lan_hil.virtual.silicon import scs as s
from pytest_lan_hil.virtual.silicon.accesses import Accesses
from pytest_lan_hil.virtual.silicon.blocks import BlockTable, FlashTiming
from pytest_lan_hil.virtual.silicon.bus import Bus
from pytest_lan_hil.virtual.silicon.coreclock import CoreClock
from pytest_lan_hil.virtual.silicon.coresight import Dwt, Fpb, Itm, RomTable
from pytest_lan_hil.virtual.silicon.cyclecount import CycleCount
from pytest_lan_hil.virtual.silicon.debugunit import DebugControl
from pytest_lan_hil.virtual.silicon.engine import CoreRegisters, Ending, Engine
from pytest_lan_hil.virtual.silicon.exceptions import ExceptionUnit
from pytest_lan_hil.virtual.silicon.mpu import Mpu
from pytest_lan_hil.virtual.silicon.nvic import Nvic
from pytest_lan_hil.virtual.silicon.protection import Protection
from pytest_lan_hil.virtual.silicon.registers import RegisterFile
from pytest_lan_hil.virtual.silicon.scs import SystemControlSpace
from pytest_lan_hil.virtual.silicon.settlement import Settlement
from pytest_lan_hil.virtual.silicon.sleep import Sleep, Sleeper
from pytest_lan_hil.virtual.silicon.systick import SysTick
from pytest_lan_hil.virtual.silicon.timeline import Timeline


class Stop(Enum):
    """Why `Core.run_until` came back."""

    DEADLINE = "the time is reached"
    HALTED = "the debugger holds the core"
    LOCKUP = "a fault at a priority that nothing may pre-empt"
    STOPPED = "somebody called stop()"


class Listener(Sleeper, Protocol):
    """The chip around the core."""

    def on_reset_request(self, kind: str) -> None:
        """AIRCR.SYSRESETREQ ("soft")."""
        ...


class Core:
    """One core.

    Args:
        bus: Memories and peripherals; complete. The private peripheral bus is added here.
        timeline: The chip's time.
        ticks_per_cycle: Timeline ticks of one core cycle, to begin with.
        irq_count: External interrupts.
        priority_bits: Implemented bits of interrupt priorities.
        flash_timing: Wait states and cache.
        listener: Told of sleep, wake-up and reset requests.

    Attributes:
        clock: Its cycles; the chip changes their rate.
        blocks: Costs of its code; the chip changes wait states, prefetch and caches.
        debug: Halting debug.
        counting: Which code its cycles go to.
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
        self._timeline = timeline
        self.blocks = BlockTable(flash_timing)
        self._state = self.blocks.state
        self.clock = CoreClock(timeline, ticks_per_cycle, self._state)
        self._stopping = False
        self._core_reset_asked = False
        self._watched: list[tuple[int, int, int]] = []
        self._nvic = Nvic(irq_count, priority_bits)
        self._mpu = Mpu()
        self._systick = SysTick(self.clock.cycles, lambda: self._nvic.pend(n.SYSTICK))
        self.debug = DebugControl(self, self._attention)
        self._fpb = Fpb(self._attention)
        self._dwt = Dwt(self.clock.cycles, self._sampled_pc, self._attention)
        self._scs = SystemControlSpace(
            self._nvic,
            self._mpu,
            self._systick,
            self.debug,
            changed=self._attention,
            reset_request=lambda: listener.on_reset_request("soft"),
            core_reset=self._request_core_reset,
        )
        for block in (self._scs, self._fpb, self._dwt, RomTable(), Itm()):
            bus.add_peripheral(block)
        self._accesses = Accesses(
            bus,
            timeline,
            self.blocks,
            self.clock,
            registers=CoreRegisters(lambda number: self._engine.get(number)),
            pc=lambda: self.pc,
            privileged=lambda: self._exceptions.privileged,
        )
        accesses = self._accesses
        self._engine = Engine(
            bus, self.blocks, read=accesses.read, write=accesses.write, store=accesses.store
        )
        self.counting = CycleCount(self._engine, self.blocks)
        self._protection = Protection(bus, self._engine, self.blocks, self._mpu)
        self._exceptions = ExceptionUnit(
            bus,
            self._engine,
            self._nvic,
            self._mpu,
            self._scs,
            self.debug,
            self._protection,
            sleep_on_exit=lambda: self._sleep.fall_asleep("wfi"),
        )
        self._sleep = Sleep(self._nvic, self._exceptions, self._state, listener)
        self._settlement = Settlement(
            bus,
            self._engine,
            self.blocks,
            self._exceptions,
            self._protection,
            self._mpu,
            self._scs,
            self.debug,
            self._dwt,
            fall_asleep=self._sleep.fall_asleep,
        )
        self._registers = RegisterFile(self._engine, self._exceptions, self._nvic)
        self.debug_read, self.debug_write = bus.debug_read, bus.debug_write
        bus.watch_writes(self._memory_changed)

    # -- what the chip drives and sees -------------------------------------------------------------------

    def _attention(self) -> None:
        """Look at everything anew before the next block."""
        if self.debug.halted:
            self._exceptions.locked_up = False  # a halt ends lockup (B1.5.15)
            if self._sleep.asleep:
                self._sleep.wake()
        self.clock.attention()

    def stop(self) -> None:
        """Come back from `run_until` as soon as possible."""
        self._stopping = True
        self.clock.attention()

    def stall(self, ticks: int) -> None:
        """The core waits for this long before it goes on."""
        self.clock.stall(ticks)

    def set_irq(self, number: int, level: bool) -> None:  # noqa: FBT001 - a signal's value
        """Drive an external interrupt line."""
        self._nvic.set_line(number, level=level)
        if level:
            self.clock.attention()

    def set_cache(self, *, enabled: bool) -> None:
        """Switch the instruction cache."""
        if enabled:
            self.blocks.cache_on()
        else:
            self.blocks.cache_off()

    def signal_event(self) -> None:
        """An event from outside, as SEV of another core: ends WFE."""
        self._state[h.EVENT] = 1
        self.clock.attention()

    @property
    def accessing(self) -> bool:
        """True while a peripheral serves the running core (and not the debugger)."""
        return self.clock.access_cycle is not None

    @property
    def sleep_deep(self) -> bool:
        """SCR.SLEEPDEEP."""
        return bool(self._scs.scr & s.SLEEPDEEP)

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return self._engine.get(e.PC) & ~1

    @property
    def sleeping(self) -> bool:
        """In WFI or WFE."""
        return self._sleep.asleep

    @property
    def waiting(self) -> bool:
        """Asleep with nothing pending: only what happens outside of the core can wake it."""
        return self._sleep.waiting

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

    def read_register(self, number: int) -> int:
        """A register by its DCRSR number."""
        return self._registers.read(number)

    def write_register(self, number: int, value: int) -> None:
        """Change a register by its DCRSR number."""
        self._registers.write(number, value)

    def _sampled_pc(self) -> int | None:
        return None if self.debug.halted else self.pc

    def _memory_changed(self, address: int, size: int) -> None:
        if self.blocks.forget(address, size):
            self._engine.forget_code(address, size)

    # -- reset -------------------------------------------------------------------------------------------

    def power_up(self) -> None:
        """Power-on: debug logic forgets as well."""
        self.debug.power_up()
        self._fpb.power_up()
        self._dwt.power_up()

    def reset(self) -> None:
        """A system reset; debug logic keeps its state."""
        for part in (self._nvic, self._mpu, self._systick, self._scs, self._accesses):
            part.reset()
        self._sleep.reset()
        self.clock.stalled_until = 0
        self._core_reset_asked = False
        self._engine.close_store()
        self._protection.refresh()
        self._state[h.EVENT] = 0
        self._state[h.FP_BUSY] = 0
        self._state[h.LAST_LINE] = -1
        self._exceptions.reset()
        self.debug.after_reset()

    def _request_core_reset(self) -> None:
        self._core_reset_asked = True
        self.clock.attention()

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
                return Stop.HALTED
            if self.locked_up:
                return Stop.LOCKUP
            if timeline.now >= deadline:
                return Stop.DEADLINE
            if self.clock.stalled_until > timeline.now:
                self._wait(min(self.clock.stalled_until, deadline))
            elif self._sleep.asleep:
                if self._sleep.ends():
                    self._sleep.wake()
                else:
                    self._wait(deadline)
            elif not self._take_exception():
                self._run(deadline)

    def _wait(self, limit: int) -> None:
        due = self._timeline.next_at()
        self._timeline.advance_to(limit if due is None else min(due, limit))

    def _take_exception(self) -> bool:
        exceptions = self._exceptions
        if self._accesses.imprecise_fault:
            self._accesses.imprecise_fault = False
            with self.clock.running():
                exceptions.fault(n.BUS_FAULT, s.IMPRECISERR)
        else:
            exceptions.read_masks()
            exception = self._nvic.next_exception(exceptions.hidden())
            if exception is None:
                return False
            with self.clock.running():
                exceptions.take(exception)
        self._end_step()  # entering a handler is a step (C1.5.2)
        return True

    def _end_step(self) -> None:
        if self.debug.stepping and not self.debug.halted:
            self.debug.halt(d.HALTED)

    def _run(self, deadline: int) -> None:
        """Run code until something ends that, at the latest at `deadline` or the next event."""
        if self._exceptions.invalid_state:
            with self.clock.running():
                self._exceptions.fault(n.USAGE_FAULT, s.INVSTATE)
            return
        self.clock.set_deadline(deadline, at_most=self._systick.cycles_to_zero())
        self._prepare()
        stepping = self.debug.stepping
        before = self._exceptions.entries + int(self._state[h.BLOCKS_RUN])
        with self.clock.running():
            if stepping:
                self._state[h.DEADLINE] = int(self._state[h.CYCLES]) + 1
            ending, refused = (self._engine.run_one if stepping else self._engine.run)(self.pc)
            self.debug.retired = True
            self._accesses.leave_stores()
            self._settlement.settle(ending, refused)
            if stepping and ending is Ending.QUIET:
                self._settlement.account()
            self._systick.update()
        if self._exceptions.entries + int(self._state[h.BLOCKS_RUN]) != before:
            self._end_step()

    def _prepare(self) -> None:
        """What the hook must know for the next run."""
        state, exceptions = self._state, self._exceptions
        waiting = self._nvic.best(exceptions.hidden()) is not None
        state[h.PENDING] = waiting * h.FLAG_UNMASK | self._mpu.by_privilege * h.FLAG_PRIVILEGE
        privileged = exceptions.privileged
        lazy = bool(self._scs.fpccr & s.LSPACT)
        state[h.FP_TRAP] = int(lazy or not self._scs.fp_allowed(privileged=privileged))
        self._protection.apply(active=exceptions.mpu_active(), privileged=privileged)
        self._apply_points()

    def _apply_points(self) -> None:
        """Breakpoints are the block hook's; watchpoints make the engine look at every instruction."""
        state = self._state
        breaks = self._fpb.breakpoints()
        watched: list[tuple[int, int, int]] = []
        if self.debug.enabled:
            breaks += self._dwt.breakpoints()
            watched = self._dwt.watchpoints()
        if self.debug.stepping:
            breaks = [at for at in breaks if at == self.pc]
        state[h.BREAKS] = len(breaks)
        state[h.BREAK_LIST : h.BREAK_LIST + len(breaks)] = breaks
        self._settlement.breakpoints = breaks
        if watched != self._watched:
            self._watched = watched
            self._engine.set_careful(watched or None)
