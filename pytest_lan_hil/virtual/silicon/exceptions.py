"""Exception entry and return, faults and lockup, lazy stacking of the floating-point context.

Follows the ARMv7-M Architecture Reference Manual (ARM DDI 0403E), B1.5; cycles of entry and return are the
Cortex-M4 TRM's (ARM 100166, 3.9.1: 12 to enter, 6 to tail-chain; leaving takes 10, unconfirmed). Not
modelled: late arrival, and pre-empting a stacking that is under way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import debugunit as d
from pytest_lan_hil.virtual.silicon import engine as e
from pytest_lan_hil.virtual.silicon import nvic as n
from pytest_lan_hil.virtual.silicon import scs as s
from pytest_lan_hil.virtual.silicon.bus import Bus
from pytest_lan_hil.virtual.silicon.debugunit import DebugControl
from pytest_lan_hil.virtual.silicon.engine import Engine
from pytest_lan_hil.virtual.silicon.mpu import Mpu
from pytest_lan_hil.virtual.silicon.nvic import Nvic
from pytest_lan_hil.virtual.silicon.protection import Protection
from pytest_lan_hil.virtual.silicon.scs import SystemControlSpace

ENTRY, TAIL_CHAIN, RETURN, FP_STACKING = 12, 6, 10, 17
NPRIV, SPSEL, FPCA = 1, 2, 4
_T, _ALIGNED, _EXCEPTION = 1 << 24, 1 << 9, 0x1FF
_ITSTATE = 0x0600_FC00
_BASIC, _EXTENDED = 0x20, 0x68
_THREAD, _USES_PSP, _NO_FP = 0x8, 0x4, 0x10
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
        self._sleep_on_exit = sleep_on_exit
        self.locked_up = False
        self.invalid_state = False

    # -- state that software sees ------------------------------------------------------------------------

    @property
    def current(self) -> int:
        """IPSR: number of the active exception, 0 in thread mode."""
        return self._engine.get(e.XPSR) & _EXCEPTION

    @property
    def privileged(self) -> bool:
        """The present privilege."""
        return self.current != 0 or not self._engine.get(e.CONTROL) & NPRIV

    def read_masks(self) -> None:
        """Take PRIMASK, FAULTMASK and BASEPRI over from the engine, which hides them without privilege."""
        if self.privileged:
            self._nvic.primask = self._engine.get(e.PRIMASK) & 1
            self._nvic.faultmask = self._engine.get(e.FAULTMASK) & 1
            self._nvic.basepri = self._engine.get(e.BASEPRI) & 0xFF

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
        engine.set(e.XPSR, _T | n.HARD_FAULT)  # privileged, so that everything can be written
        for register in (e.PRIMASK, e.FAULTMASK, e.BASEPRI, e.CONTROL):
            engine.set(register, 0)
        engine.set(e.XPSR, _T)
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
        engine, scs = self._engine, self._scs
        xpsr, control = engine.get(e.XPSR), engine.get(e.CONTROL)
        thread = not xpsr & _EXCEPTION
        with_fp = bool(control & FPCA) and bool(scs.fpccr & s.ASPEN)
        sp = engine.get(e.SP)
        forced = with_fp or bool(scs.ccr & s.STKALIGN)
        frame = sp - (_EXTENDED if with_fp else _BASIC)
        if forced:
            frame &= ~7 if sp & 4 else ~3
        padded = forced and bool(sp & 4)
        registers = engine.core_registers()
        words = [*registers[:4], registers[12], registers[14], return_address & ~1]
        words.append(xpsr & ~_ALIGNED | (_ALIGNED if padded else 0))
        exception = self._stack(frame, words, exception)
        if with_fp:
            self._stack_fp(frame + _BASIC)
        value = 0xFFFF_FFE1 | (0 if with_fp else _NO_FP)
        if thread:
            value |= _THREAD | (_USES_PSP if control & SPSEL else 0)
        engine.set(e.SP, frame)
        self._start_handler(exception, value)
        self._charge(ENTRY)

    def _start_handler(self, exception: int, exc_return: int) -> None:
        engine = self._engine
        self._nvic.activate(exception)
        flags = engine.get(e.XPSR) & 0xF80F_0000
        engine.set(e.XPSR, flags | _T | exception)
        engine.set(e.CONTROL, engine.get(e.CONTROL) & ~FPCA)
        engine.set(e.LR, exc_return)
        engine.state[h.EVENT] = 1
        vector = self._load_word(self._scs.vtor + 4 * exception)
        if vector is None:
            self._scs.hfsr |= s.VECTTBL
            self._escalate()
            return
        self._jump(vector)

    def _stack(self, frame: int, words: list[int], exception: int) -> int:
        """Store the basic frame; returns the exception to enter, which a fault in stacking may change."""
        problem = self._store(frame, struct.pack("<8I", *(word & 0xFFFF_FFFF for word in words)))
        if problem is None:
            return exception
        bit, derived = (s.MSTKERR, n.MEM_MANAGE) if problem == "mpu" else (s.STKERR, n.BUS_FAULT)
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

    def _stack_fp(self, address: int) -> None:
        scs = self._scs
        if scs.fpccr & s.LSPEN:
            scs.fpccr |= s.LSPACT
            scs.fpcar = address
            return
        if self._store(address, self._fp_context()) is not None:
            scs.cfsr |= s.MLSPERR
        self._charge(FP_STACKING)

    def _fp_context(self) -> bytes:
        engine = self._engine
        return struct.pack("<17I", *(engine.get(r) for r in e.SINGLES[:16]), engine.get(e.FPSCR))

    def stack_fp_lazily(self) -> None:
        """A handler is about to use floating point: save what belongs to the code it interrupted."""
        scs = self._scs
        scs.fpccr &= ~s.LSPACT
        problem = self._store(scs.fpcar, self._fp_context())
        self._engine.set(e.FPSCR, 0)
        self._charge(FP_STACKING)
        if problem is not None:
            mpu = problem == "mpu"
            self.fault(n.MEM_MANAGE if mpu else n.BUS_FAULT, s.MLSPERR if mpu else s.LSPERR)

    # -- return ------------------------------------------------------------------------------------------

    def leave(self, exc_return: int) -> None:
        """A handler loaded EXC_RETURN into the program counter."""
        engine, nvic = self._engine, self._nvic
        current = self.current
        if not current:  # in thread mode the value is an address that nothing may be executed from
            self.fault(n.MEM_MANAGE, s.IACCVIOL)
            return
        others = nvic.active & ~(1 << current)
        to_thread = bool(exc_return & _THREAD)
        sound = exc_return & 0xF in (0x1, 0x9, 0xD) and exc_return >= _LOWEST_EXC_RETURN
        if to_thread:
            sound = sound and (not others or bool(self._scs.ccr & s.NONBASETHRDENA))
        else:
            sound = sound and bool(others)
        if not (sound and nvic.active >> current & 1):
            engine.set(e.LR, exc_return)
            self.fault(n.USAGE_FAULT, s.INVPC)
            return
        self.read_masks()
        nvic.deactivate(current)
        if current != n.NMI:
            engine.set(e.FAULTMASK, 0)
            nvic.faultmask = 0
        following = nvic.next_exception(self.hidden())
        if following is not None:
            self._start_handler(following, exc_return)
            self._charge(TAIL_CHAIN)
            return
        self._unstack(exc_return, to_thread=to_thread)
        if to_thread and self._scs.scr & s.SLEEPONEXIT:
            self._sleep_on_exit()

    def _unstack(self, exc_return: int, *, to_thread: bool) -> None:
        engine = self._engine
        psp = to_thread and bool(exc_return & _USES_PSP)
        with_fp = not exc_return & _NO_FP
        frame = engine.get(e.PSP if psp else e.MSP)
        raw = self._load(frame, 32)
        if raw is None:
            mpu = self._mpu_denies(frame, 32, e.READ)
            self.fault(n.MEM_MANAGE if mpu else n.BUS_FAULT, s.MUNSTKERR if mpu else s.UNSTKERR)
            return
        words = struct.unpack("<8I", raw)
        after = frame + (_EXTENDED if with_fp else _BASIC)
        if with_fp:
            self._restore_fp(frame + _BASIC)
        if words[7] & _ALIGNED:
            after |= 4
        control = engine.get(e.CONTROL) & ~(FPCA | SPSEL)
        control |= (FPCA if with_fp else 0) | (SPSEL if psp else 0)
        engine.set(e.CONTROL, 0)
        engine.set(e.PSP if psp else e.MSP, after)
        for number, value in zip((0, 1, 2, 3, 12, 14), (*words[:4], words[4], words[5]), strict=True):
            engine.set(e.CORE_REGISTERS[number], value)
        exception = words[7] & _EXCEPTION
        if bool(exception) == to_thread:
            self.fault(n.USAGE_FAULT, s.INVPC)
            return
        engine.set(e.XPSR, words[7] & ~_ALIGNED | _T)
        engine.set(e.CONTROL, control)
        engine.state[h.EVENT] = 1
        self._jump(words[6] & ~1 | (1 if words[7] & _T else 0))
        self._charge(RETURN)

    def _restore_fp(self, address: int) -> None:
        scs, engine = self._scs, self._engine
        if scs.fpccr & s.LSPACT:
            scs.fpccr &= ~s.LSPACT  # nobody used the registers meanwhile
            return
        raw = self._load(address, 68)
        if raw is None:
            scs.cfsr |= s.MUNSTKERR
            return
        *singles, fpscr = struct.unpack("<17I", raw)
        for register, value in zip(e.SINGLES[:16], singles, strict=True):
            engine.set(register, value)
        engine.set(e.FPSCR, fpscr)
        self._charge(FP_STACKING)

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
        scs, nvic = self._scs, self._nvic
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
        enabled = bool(scs.fault_enables >> exception & 1)
        if enabled and nvic.group_priority(exception) < nvic.execution_priority():
            self._enter(exception, self._engine.get(e.PC))
            self._catch(_CATCH.get(bits, d.VC_INTERR))
            return
        if exception != n.HARD_FAULT:
            scs.hfsr |= s.FORCED
        self._escalate()

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

    def _mpu_denies(self, address: int, size: int, kind: int) -> bool:
        if not self.mpu_active():
            return False
        denied = self._protection.denied(address, size, kind, privileged=self.privileged)
        return denied is not None

    def _store(self, address: int, data: bytes) -> str | None:
        """Write to RAM; "mpu" or "bus" if that is refused."""
        if self._mpu_denies(address, len(data), e.WRITE):
            return "mpu"
        memory = self._bus.memory_at(address)
        if memory is None or not memory.writable or address + len(data) > memory.end:
            return "bus"
        self._bus.write_memory(address, data)
        return None

    def _load(self, address: int, size: int) -> bytes | None:
        if self._mpu_denies(address, size, e.READ):
            return None
        try:
            return self._bus.read_memory(address, size)
        except ValueError:
            return None

    def _load_word(self, address: int) -> int | None:
        """A vector; the MPU has no say in vector reads (B3.5.1)."""
        try:
            return int.from_bytes(self._bus.read_memory(address, 4), "little")
        except ValueError:
            return None
