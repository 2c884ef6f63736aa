"""Exception entry and return, faults and lockup. What lies on the stack is `frames.py`'s.

Follows the ARMv7-M Architecture Reference Manual (ARM DDI 0403E), B1.5; cycles of entry and return are the
Cortex-M4 TRM's (ARM 100166, 3.9.1: 12 to enter, 6 to tail-chain; leaving takes 10, unconfirmed). Not
modelled: late arrival, and pre-empting a stacking that is under way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import debugunit as d
from pytest_lan_hil.virtual.silicon import engine as e
from pytest_lan_hil.virtual.silicon import nvic as n
from pytest_lan_hil.virtual.silicon import scs as s
from pytest_lan_hil.virtual.silicon.bus import Bus
from pytest_lan_hil.virtual.silicon.debugunit import DebugControl
from pytest_lan_hil.virtual.silicon.engine import Engine
from pytest_lan_hil.virtual.silicon.frames import EXCEPTION, FPCA, NO_FP, NPRIV, THREAD, Denies, Frames, T
from pytest_lan_hil.virtual.silicon.mpu import Mpu
from pytest_lan_hil.virtual.silicon.nvic import Nvic
from pytest_lan_hil.virtual.silicon.protection import Protection
from pytest_lan_hil.virtual.silicon.scs import SystemControlSpace

ENTRY, TAIL_CHAIN, RETURN, FP_STACKING = 12, 6, 10, 17
_LOWEST_EXC_RETURN = 0xFFFF_FFE0

_CATCH = {
    s.IACCVIOL: d.VC_MMERR, s.DACCVIOL: d.VC_MMERR, s.NOCP: d.VC_NOCPERR, s.UNDEFINSTR: d.VC_STATERR,
    s.INVSTATE: d.VC_STATERR, s.INVPC: d.VC_STATERR, s.IBUSERR: d.VC_BUSERR, s.PRECISERR: d.VC_BUSERR,
    s.IMPRECISERR: d.VC_BUSERR,
}  # fmt: skip


class ExceptionUnit:
    """Moves the core between thread and handlers.

    Attributes:
        locked_up: A fault met a priority that nothing may pre-empt.
        invalid_state: The next instruction faults, because EPSR.T is clear.
        entries: How many handlers were entered since the core was made.
    """

    def __init__(
        self,
        bus: Bus,
        engine: Engine,
        nvic: Nvic,
        mpu: Mpu,
        scs: SystemControlSpace,
        debug: DebugControl,
        protection: Protection,
        *,
        sleep_on_exit: Callable[[], None],
    ) -> None:
        self._bus, self._engine, self._nvic, self._mpu = bus, engine, nvic, mpu
        self._scs, self._debug, self._protection = scs, debug, protection
        self._frames = Frames(bus, engine, scs)
        self._sleep_on_exit = sleep_on_exit
        self.locked_up = False
        self.invalid_state = False
        self.entries = 0

    # -- state that software sees ------------------------------------------------------------------------

    @property
    def current(self) -> int:
        """IPSR: number of the active exception, 0 in thread mode."""
        return self._engine.get(e.XPSR) & EXCEPTION

    @property
    def privileged(self) -> bool:
        """The present privilege."""
        return self.current != 0 or not self._engine.get(e.CONTROL) & NPRIV

    def read_masks(self) -> None:
        """Take PRIMASK, FAULTMASK and BASEPRI over from the engine."""
        with self.privilege():
            self._nvic.primask = self._engine.get(e.PRIMASK) & 1
            self._nvic.faultmask = self._engine.get(e.FAULTMASK) & 1
            self._nvic.basepri = self._engine.get(e.BASEPRI) & 0xFF

    @contextmanager
    def privilege(self) -> Iterator[None]:
        """The engine hides special registers from unprivileged code: become a handler for a moment."""
        engine = self._engine
        if self.privileged:
            yield
            return
        xpsr = engine.get(e.XPSR)
        engine.set(e.XPSR, xpsr | n.HARD_FAULT)
        try:
            yield
        finally:
            engine.set(e.XPSR, xpsr)

    def take_event(self) -> bool:
        """The event register (WFE), cleared by looking at it."""
        state, nvic = self._engine.state, self._nvic
        happened = bool(state[h.EVENT]) or nvic.event
        state[h.EVENT], nvic.event = 0, False
        return happened

    def mpu_active(self) -> bool:
        """The MPU's rules apply at the present priority."""
        return self._mpu.enabled and self._mpu.applies(self._nvic.execution_priority())

    def _charge(self, cycles: int) -> None:
        self._engine.state[h.CYCLES] += cycles

    def jumped(self) -> None:
        """The next block isn't reached by a branch of the last one."""
        state = self._engine.state
        state[h.BLOCK] = -1
        state[h.SETTLED] = 0

    # -- reset -------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Registers after reset: main stack pointer and program counter from the vector table."""
        engine = self._engine
        self.locked_up = self.invalid_state = False
        engine.set(e.XPSR, T | n.HARD_FAULT)  # privileged, so that everything can be written
        for register in (e.PRIMASK, e.FAULTMASK, e.BASEPRI, e.CONTROL):
            engine.set(register, 0)
        engine.set(e.XPSR, T)
        engine.set(e.CONTROL, 0)
        for number in range(13):
            engine.set(e.CORE_REGISTERS[number], 0)
        engine.set(e.FPSCR, 0)
        engine.set(e.LR, 0xFFFF_FFFF)
        engine.set(e.PSP, 0)
        stack, start = struct.unpack("<2I", self._bus.read_memory(0, 8))
        engine.set(e.SP, stack & ~3)
        self._jump(start)

    def _jump(self, vector: int) -> None:
        self.invalid_state = not vector & 1
        self._engine.set(e.PC, vector | 1)
        self.jumped()

    # -- entry -------------------------------------------------------------------------------------------

    def take(self, exception: int) -> None:
        """Pre-empt what runs now."""
        self._enter(exception, self._engine.get(e.PC))

    def _enter(self, exception: int, return_address: int) -> None:
        lazy_or_none = bool(self._scs.fpccr & s.LSPEN)
        exc_return, refusal = self._frames.push(return_address, self._denies(privileged=self.privileged))
        if not exc_return & NO_FP and not lazy_or_none:
            self._charge(FP_STACKING)
        if refusal is not None:
            exception = self._failed_stacking(refusal, exception)
        self._start_handler(exception, exc_return)
        self._charge(ENTRY)

    def _start_handler(self, exception: int, exc_return: int) -> None:
        engine = self._engine
        self.entries += 1
        self._nvic.activate(exception)
        flags = engine.get(e.XPSR) & 0xF80F_0000
        engine.set(e.XPSR, flags | T | exception)
        engine.set(e.CONTROL, engine.get(e.CONTROL) & ~FPCA)
        engine.set(e.LR, exc_return)
        engine.state[h.EVENT] = 1
        vector = self._load_word(self._scs.vtor + 4 * exception)
        if vector is None:
            self._scs.hfsr |= s.VECTTBL
            self._escalate()
            return
        self._jump(vector)

    def _failed_stacking(self, refusal: str, exception: int) -> int:
        """Returns the exception to enter, which a fault in stacking may change."""
        bit, derived = (s.MSTKERR, n.MEM_MANAGE) if refusal == "mpu" else (s.STKERR, n.BUS_FAULT)
        self._scs.cfsr |= bit
        if not self._scs.fault_enables >> derived & 1:
            derived = n.HARD_FAULT
        if derived == exception or exception in (n.HARD_FAULT, n.NMI):
            return exception
        if derived == n.HARD_FAULT:
            self._scs.hfsr |= s.FORCED
        self._nvic.pend(derived)
        if self._nvic.group_priority(derived) < self._nvic.group_priority(exception):
            self._nvic.pend(exception)
            return derived
        return exception

    def stack_fp_lazily(self) -> None:
        """A handler is about to use floating point: save what belongs to the code it interrupted."""
        refusal = self._frames.save_fp(self._denies(privileged=self.privileged))
        self._charge(FP_STACKING)
        if refusal == "mpu":
            self.fault(n.MEM_MANAGE, s.MLSPERR)
        elif refusal is not None:
            self.fault(n.BUS_FAULT, s.LSPERR)

    # -- return ------------------------------------------------------------------------------------------

    def leave(self, exc_return: int) -> None:
        """A handler loaded EXC_RETURN into the program counter."""
        engine, nvic = self._engine, self._nvic
        current = self.current
        if not current:  # in thread mode the value is an address that nothing may be executed from
            self.fault(n.MEM_MANAGE, s.IACCVIOL)
            return
        others = nvic.active & ~(1 << current)
        to_thread = bool(exc_return & THREAD)
        sound = exc_return & 0xF in (0x1, 0x9, 0xD) and exc_return >= _LOWEST_EXC_RETURN
        if to_thread:
            sound = sound and (not others or bool(self._scs.ccr & s.NONBASETHRDENA))
        else:
            sound = sound and bool(others)
        sound = sound and bool(nvic.active >> current & 1)
        self.read_masks()
        nvic.deactivate(current)
        if current != n.NMI:
            engine.set(e.FAULTMASK, 0)
            nvic.faultmask = 0
        if not sound:
            self._failed_return(n.USAGE_FAULT, s.INVPC, exc_return)
            return
        following = nvic.next_exception(self.hidden())
        if following is not None:
            self._start_handler(following, exc_return)
            self._charge(TAIL_CHAIN)
            return
        self._unstack(exc_return, to_thread=to_thread)

    def _unstack(self, exc_return: int, *, to_thread: bool) -> None:
        engine = self._engine
        privileged = not (to_thread and engine.get(e.CONTROL) & NPRIV)
        popped = self._frames.load(exc_return, self._denies(privileged=privileged))
        if isinstance(popped, str):
            mpu = popped == "mpu"
            self._failed_return(
                n.MEM_MANAGE if mpu else n.BUS_FAULT, s.MUNSTKERR if mpu else s.UNSTKERR, exc_return
            )
            return
        address, xpsr = popped.words[6:]
        if bool(xpsr & EXCEPTION) == to_thread:
            self._failed_return(n.USAGE_FAULT, s.INVPC, exc_return)
            return
        self._frames.restore(exc_return, popped)
        engine.state[h.EVENT] = 1
        self._jump(address & ~1 | (1 if xpsr & T else 0))
        self._charge(RETURN + (FP_STACKING if popped.fp else 0))
        if to_thread and self._scs.scr & s.SLEEPONEXIT:
            self._sleep_on_exit()

    def _failed_return(self, exception: int, bits: int, exc_return: int) -> None:
        """A fault while a handler is left: chained to, the frame stays where it is (B1.5.8)."""
        self._scs.cfsr |= bits
        if not self._takes(exception):
            self._scs.hfsr |= s.FORCED
            exception = n.HARD_FAULT
            if self._nvic.execution_priority() <= -1:
                self.locked_up = True
                return
        self._start_handler(exception, exc_return)
        self._charge(TAIL_CHAIN)
        self._catch(d.VC_HARDERR if exception == n.HARD_FAULT else d.VC_INTERR)

    # -- faults ------------------------------------------------------------------------------------------

    def hidden(self) -> int:
        """Exceptions that the debugger holds back (C_MASKINTS): PendSV, SysTick, external interrupts."""
        return -1 << n.PENDSV if self._debug.masks_interrupts else 0

    def fault(self, exception: int, bits: int, *, address: int | None = None) -> None:
        """A synchronous fault of the instruction at PC.

        Args:
            exception: MEM_MANAGE, BUS_FAULT, USAGE_FAULT or HARD_FAULT.
            bits: For CFSR (HFSR for HARD_FAULT).
            address: For MMFAR or BFAR.
        """
        scs = self._scs
        self.read_masks()
        if exception == n.HARD_FAULT:
            scs.hfsr |= bits
        else:
            scs.cfsr |= bits
        if address is not None:
            if exception == n.MEM_MANAGE:
                scs.mmfar, scs.cfsr = address, scs.cfsr | s.MMARVALID
            else:
                scs.bfar, scs.cfsr = address, scs.cfsr | s.BFARVALID
        self.invalid_state = False
        if self._takes(exception):
            self._enter(exception, self._engine.get(e.PC))
            self._catch(_CATCH.get(bits, d.VC_INTERR))
            return
        if exception != n.HARD_FAULT:
            scs.hfsr |= s.FORCED
        self._escalate()

    def _takes(self, fault: int) -> bool:
        """The fault has a handler of its own that may run now."""
        enabled = bool(self._scs.fault_enables >> fault & 1)
        return enabled and self._nvic.group_priority(fault) < self._nvic.execution_priority()

    def supervisor_call(self) -> None:
        """SVC: taken at once, or a HardFault where its priority doesn't allow that."""
        self.read_masks()
        if self._nvic.group_priority(n.SVCALL) < self._nvic.execution_priority():
            self._enter(n.SVCALL, self._engine.get(e.PC))
        else:
            self._scs.hfsr |= s.FORCED
            self._escalate()

    def breakpoint(self) -> None:
        """BKPT, or a match of the breakpoint unit: halt, debug monitor or HardFault (C1.4.1)."""
        debug, nvic = self._debug, self._nvic
        self.read_masks()
        if debug.enabled:
            debug.halt(d.BKPT)
        elif debug.demcr & d.MON_EN and nvic.group_priority(n.DEBUG_MONITOR) < nvic.execution_priority():
            debug.dfsr |= d.BKPT
            self._enter(n.DEBUG_MONITOR, self._engine.get(e.PC))
        else:
            self._scs.hfsr |= s.DEBUGEVT
            self._escalate()

    def _escalate(self) -> None:
        if self._nvic.execution_priority() <= -1:
            self.locked_up = True
            return
        self._enter(n.HARD_FAULT, self._engine.get(e.PC))
        self._catch(d.VC_HARDERR)

    def _catch(self, vector_catch: int) -> None:
        if self._debug.catches(vector_catch):
            self._debug.halt(d.VCATCH)

    # -- memory as the core's own accesses see it --------------------------------------------------------

    def _denies(self, *, privileged: bool) -> Denies:
        """The MPU's say in stacking."""

        def denies(address: int, size: int, kind: int) -> bool:
            if not self.mpu_active():
                return False
            return self._protection.denied(address, size, kind, privileged=privileged) is not None

        return denies

    def _load_word(self, address: int) -> int | None:
        """A vector; the MPU has no say in vector reads (B3.5.1)."""
        try:
            return int.from_bytes(self._bus.read_memory(address, 4), "little")
        except ValueError:
            return None
