"""The System Control Space as registers: NVIC, system control block, SysTick, MPU, FPU and debug control.

Follows the ARMv7-M Architecture Reference Manual (ARM DDI 0403E), B3.2 to B3.5 and C1.6; values of the
identification registers are the Cortex-M4 TRM's (ARM 100166, table 4-1). State that other parts own (NVIC,
MPU, SysTick, debug) stays with them; here is the rest of the system control block.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon import nvic as n
from pytest_lan_hil.virtual.silicon.bus import Peripheral
from pytest_lan_hil.virtual.silicon.coresight import component_ids
from pytest_lan_hil.virtual.silicon.debugunit import DebugControl
from pytest_lan_hil.virtual.silicon.mpu import Mpu
from pytest_lan_hil.virtual.silicon.nvic import Nvic
from pytest_lan_hil.virtual.silicon.systick import SysTick
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

SCS_BASE = 0xE000_E000

# CFSR bits (B3.2.15)
IACCVIOL, DACCVIOL, MUNSTKERR, MSTKERR, MLSPERR, MMARVALID = 1 << 0, 1 << 1, 1 << 3, 1 << 4, 1 << 5, 1 << 7
IBUSERR, PRECISERR, IMPRECISERR, UNSTKERR = 1 << 8, 1 << 9, 1 << 10, 1 << 11
STKERR, LSPERR, BFARVALID = 1 << 12, 1 << 13, 1 << 15
UNDEFINSTR, INVSTATE, INVPC, NOCP = 1 << 16, 1 << 17, 1 << 18, 1 << 19
VECTTBL, FORCED, DEBUGEVT = 1 << 1, 1 << 30, 1 << 31  # HFSR

NONBASETHRDENA, STKALIGN = 1 << 0, 1 << 9  # CCR
_CCR_TRAPS = 1 << 3 | 1 << 4  # UNALIGN_TRP, DIV_0_TRP
SLEEPONEXIT, SEVONPEND = 1 << 1, 1 << 4  # SCR
SLEEPDEEP = 1 << 2  # of SCR
LSPACT, LSPEN, ASPEN = 1 << 0, 1 << 30, 1 << 31  # FPCCR
_CP_FULL, _CP_PRIVILEGED = 0xF << 20, 0x5 << 20

_CONSTANTS = {
    0xD00: 0x410F_C241,  # CPUID: Cortex-M4 r0p1
    0xD40: 0x0000_0030, 0xD44: 0x0000_0200, 0xD48: 0x0010_0000, 0xD4C: 0x0000_0000,
    0xD50: 0x0010_0030, 0xD54: 0x0000_0000, 0xD58: 0x0100_0000, 0xD5C: 0x0000_0000,
    0xD60: 0x0110_1110, 0xD64: 0x0211_2000, 0xD68: 0x2123_2231, 0xD6C: 0x0111_1131, 0xD70: 0x0131_0132,
    0xD74: 0x0000_0000, 0xD78: 0x0000_0000, 0xD7C: 0x0000_0000,  # reserved, and no caches
    0xD90: 0x0000_0800,  # MPU_TYPE: eight regions
    0xF40: 0x1011_0021, 0xF44: 0x1100_0011, 0xF48: 0x0000_0040,  # MVFR0 to 2
    0x01C: 0x0000_0000,  # SYST_CALIB: no reference, no calibration
}  # fmt: skip
_FAULT_ENABLES = {16: n.MEM_MANAGE, 17: n.BUS_FAULT, 18: n.USAGE_FAULT}
_SHCSR_ACTIVE = {0: n.MEM_MANAGE, 1: n.BUS_FAULT, 3: n.USAGE_FAULT, 7: n.SVCALL, 8: n.DEBUG_MONITOR,
                 10: n.PENDSV, 11: n.SYSTICK}  # fmt: skip
_SHCSR_PENDED = {12: n.USAGE_FAULT, 13: n.MEM_MANAGE, 14: n.BUS_FAULT, 15: n.SVCALL}
_BYTEWISE = ((0x400, 0x4F0), (0xD18, 0xD2C))  # NVIC_IPR, SHPR and CFSR take narrow writes


class SystemControlSpace(Peripheral):
    """The registers.

    Args:
        nvic, mpu, systick, debug: Owners of their state.
        changed: Called when something was written that may let an exception in.
        reset_request: Called for AIRCR.SYSRESETREQ.
        core_reset: Called for AIRCR.VECTRESET.
    """

    name = "SCS"
    base = SCS_BASE
    size = 0x1000

    def __init__(
        self,
        nvic: Nvic,
        mpu: Mpu,
        systick: SysTick,
        debug: DebugControl,
        *,
        changed: Callable[[], None],
        reset_request: Callable[[], None],
        core_reset: Callable[[], None],
    ) -> None:
        self.nvic, self.mpu, self.systick, self.debug = nvic, mpu, systick, debug
        self._changed = changed
        self._reset_request = reset_request
        self._core_reset = core_reset
        ids = component_ids("SCS")
        readers: dict[int, Callable[[], int]] = {at: self._constant(v) for at, v in _CONSTANTS.items()}
        readers |= {at: self._constant(v) for at, v in ids.items()}
        readers[0x004] = self._constant((nvic.irq_count - 1) // 32)
        self._readers = readers
        self._writers: dict[int, Callable[[int], None]] = {}
        self.reset()
        self._declare()

    @staticmethod
    def _constant(value: int) -> Callable[[], int]:
        return lambda: value

    def reset(self) -> None:
        """Values after a core reset."""
        self.vtor = 0
        self.scr = 0
        self.ccr = STKALIGN
        self.cfsr = self.hfsr = self.mmfar = self.bfar = self.afsr = 0
        self.fault_enables = 0
        self.cpacr = 0
        self.fpccr = ASPEN | LSPEN
        self.fpcar = 0
        self.actlr = 0

    def _declare(self) -> None:
        systick, mpu, debug = self.systick, self.mpu, self.debug
        self._register(0x008, lambda: self.actlr, lambda v: setattr(self, "actlr", v))
        self._register(0x010, systick.read_control, systick.write_control)
        self._register(0x014, lambda: systick.reload, systick.write_reload)
        self._register(0x018, systick.read_value, lambda _v: systick.clear_value())
        self._register(0xD04, self._read_icsr, self._write_icsr)
        self._register(0xD08, lambda: self.vtor, lambda v: setattr(self, "vtor", v & 0xFFFF_FF80))
        self._register(0xD0C, self._read_aircr, self._write_aircr)
        self._register(0xD10, lambda: self.scr, self._write_scr)
        self._register(0xD14, lambda: self.ccr, self._write_ccr)
        self._register(0xD24, self._read_shcsr, self._write_shcsr)
        self._register(0xD28, lambda: self.cfsr, lambda v: setattr(self, "cfsr", self.cfsr & ~v))
        self._register(0xD2C, lambda: self.hfsr, lambda v: setattr(self, "hfsr", self.hfsr & ~v))
        self._register(0xD30, debug.read_dfsr, debug.clear_dfsr)
        self._register(0xD34, lambda: self.mmfar, lambda v: setattr(self, "mmfar", v))
        self._register(0xD38, lambda: self.bfar, lambda v: setattr(self, "bfar", v))
        self._register(0xD3C, lambda: self.afsr, lambda v: setattr(self, "afsr", self.afsr & ~v))
        self._register(0xD88, lambda: self.cpacr, lambda v: setattr(self, "cpacr", v & _CP_FULL))
        self._register(0xD94, lambda: mpu.control, mpu.write_control)
        self._register(0xD98, lambda: mpu.number, lambda v: setattr(mpu, "number", v & 7))
        for alias in range(4):
            self._register(0xD9C + 8 * alias, mpu.read_base, mpu.write_base)
            self._register(0xDA0 + 8 * alias, mpu.read_attributes, mpu.write_attributes)
        self._register(0xDF0, debug.read_dhcsr, debug.write_dhcsr)
        self._register(0xDF4, lambda: 0, debug.write_dcrsr)
        self._register(0xDF8, lambda: debug.dcrdr, lambda v: setattr(debug, "dcrdr", v))
        self._register(0xDFC, lambda: debug.demcr, debug.write_demcr)
        self._register(0xF00, lambda: 0, lambda v: self._write_nvic_bits(0x200, 1 << (v & 0x1FF)))
        self._register(0xF34, lambda: self.fpccr, lambda v: setattr(self, "fpccr", v & 0xC000_017B))
        self._register(0xF38, lambda: self.fpcar, lambda v: setattr(self, "fpcar", v & ~7))
        self._register(0xF3C, lambda: 0, self._write_fpdscr)

    def _register(self, offset: int, read: Callable[[], int], write: Callable[[int], None]) -> None:
        self._readers[offset] = read
        self._writers[offset] = write

    # -- bus ---------------------------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """A register, or a part of one."""
        value = self._read_word(offset & ~3)
        return value >> 8 * (offset & 3) & ((1 << 8 * size) - 1)

    def write(self, offset: int, value: int, size: int) -> None:
        """A register; narrow writes only where the architecture has byte registers."""
        word = offset & ~3
        if size < 4:
            if not any(first <= offset < last for first, last in _BYTEWISE):
                raise NotModelled("narrow writes to this register are not modelled")
            shift = 8 * (offset & 3)
            # CFSR is write-one-to-clear: bytes that are not written must not clear anything.
            kept = 0 if word == 0xD28 else self._read_word(word) & ~(((1 << 8 * size) - 1) << shift)
            value = kept | value << shift
        self._write_word(word, value)
        self._changed()

    def _read_word(self, offset: int) -> int:
        reader = self._readers.get(offset)
        if reader is not None:
            return reader()
        if 0x100 <= offset < 0x400:
            return self._read_nvic_bits(offset)
        if 0x400 <= offset < 0x4F0:
            return self._priorities(n.FIRST_IRQ + offset - 0x400)
        if 0xD18 <= offset < 0xD24:
            return self._priorities(4 + offset - 0xD18)
        raise NotModelled(f"the System Control Space has no register at offset 0x{offset:03x} in this model")

    def _write_word(self, offset: int, value: int) -> None:
        writer = self._writers.get(offset)
        if writer is not None:
            writer(value)
        elif 0x100 <= offset < 0x300:
            self._write_nvic_bits(offset, value)
        elif 0x400 <= offset < 0x4F0:
            self._set_priorities(n.FIRST_IRQ + offset - 0x400, value)
        elif 0xD18 <= offset < 0xD24:
            self._set_priorities(4 + offset - 0xD18, value)
        elif offset not in self._readers:  # writes to read-only registers have no effect
            raise NotModelled(
                f"the System Control Space has no register at offset 0x{offset:03x} in this model"
            )

    # -- NVIC --------------------------------------------------------------------------------------------

    def _read_nvic_bits(self, offset: int) -> int:
        which = offset >> 7  # 2: ISER, 3: ICER, 4: ISPR, 5: ICPR, 6: IABR
        mask = {2: self.nvic.enabled, 3: self.nvic.enabled, 4: self.nvic.pending, 5: self.nvic.pending}.get(
            which, self.nvic.active
        )
        return mask >> (n.FIRST_IRQ + 8 * (offset & 0x7C)) & 0xFFFF_FFFF

    def _write_nvic_bits(self, offset: int, value: int) -> None:
        nvic = self.nvic
        first = n.FIRST_IRQ + 8 * (offset & 0x7C)
        exists = (1 << (n.FIRST_IRQ + nvic.irq_count)) - 1
        mask = value << first & exists
        which = offset >> 7
        if which == 2:
            nvic.enabled |= mask
        elif which == 3:
            nvic.enabled &= ~mask
        else:
            for exception in n.bits(mask):
                (nvic.pend if which == 4 else nvic.unpend)(exception)

    def _priorities(self, first: int) -> int:
        known = self.nvic.priority[first : first + 4]
        return sum(value << 8 * k for k, value in enumerate(known))

    def _set_priorities(self, first: int, value: int) -> None:
        for k in range(4):
            self.nvic.set_priority(first + k, value >> 8 * k & 0xFF)

    # -- system control block ----------------------------------------------------------------------------

    def _read_icsr(self) -> int:
        nvic = self.nvic
        active = n.bits(nvic.active)
        current = self.debug.current_exception()
        best = nvic.best()
        value = current | (best or 0) << 12
        value |= (1 << 11) if len(active) <= 1 else 0
        value |= (1 << 22) if nvic.pending & nvic.enabled else 0
        for bit, exception in ((26, n.SYSTICK), (28, n.PENDSV), (31, n.NMI)):
            value |= (nvic.pending >> exception & 1) << bit
        return value

    def _write_icsr(self, value: int) -> None:
        for bit, exception in ((26, n.SYSTICK), (28, n.PENDSV), (31, n.NMI)):
            if value >> bit & 1:
                self.nvic.pend(exception)
        for bit, exception in ((25, n.SYSTICK), (27, n.PENDSV)):
            if value >> bit & 1:
                self.nvic.unpend(exception)

    def _read_aircr(self) -> int:
        return 0xFA05_0000 | self.nvic.prigroup << 8

    def _write_aircr(self, value: int) -> None:
        if value >> 16 != 0x05FA:
            return
        self.nvic.prigroup = value >> 8 & 7
        if value & 4:
            self._reset_request()
        elif value & 1:
            self._core_reset()

    def _write_scr(self, value: int) -> None:
        self.scr = value & 0x16
        self.nvic.sev_on_pend = bool(value & SEVONPEND)

    def _write_ccr(self, value: int) -> None:
        if value & _CCR_TRAPS:
            raise NotModelled("trapping unaligned accesses and divisions by zero is not modelled")
        self.ccr = value & 0x303

    def _read_shcsr(self) -> int:
        nvic = self.nvic
        value = sum((nvic.active >> e & 1) << bit for bit, e in _SHCSR_ACTIVE.items())
        value |= sum((nvic.pending >> e & 1) << bit for bit, e in _SHCSR_PENDED.items())
        return value | sum((self.fault_enables >> e & 1) << bit for bit, e in _FAULT_ENABLES.items())

    def _write_shcsr(self, value: int) -> None:
        nvic = self.nvic
        self.fault_enables = sum((value >> bit & 1) << e for bit, e in _FAULT_ENABLES.items())
        for bit, exception in _SHCSR_PENDED.items():
            if value >> bit & 1:
                nvic.pend(exception)
            else:
                nvic.unpend(exception)
        for bit, exception in _SHCSR_ACTIVE.items():
            keep = nvic.active & ~(1 << exception)
            nvic.active = keep | (value >> bit & 1) << exception

    # -- floating point ----------------------------------------------------------------------------------

    def fp_allowed(self, *, privileged: bool) -> bool:
        """CPACR lets floating-point instructions run."""
        field = self.cpacr & _CP_FULL
        return field == _CP_FULL or (field == _CP_PRIVILEGED and privileged)

    def _write_fpdscr(self, value: int) -> None:
        if value & 0x07C0_0000:
            raise NotModelled("default floating-point status other than zero (FPDSCR) is not modelled")
