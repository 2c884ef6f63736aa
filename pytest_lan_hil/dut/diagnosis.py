"""What a core is doing, read from its registers (ARMv7-M Architecture Reference Manual, ARM DDI 0403E, B3.2
and C1.6)."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_lan_hil.dut.attached import DHCSR, S_HALT, S_LOCKUP, S_SLEEP, Target
from pytest_lan_hil.dut.image import FirmwareImage

CFSR, HFSR, MMFAR, BFAR = 0xE000_ED28, 0xE000_ED2C, 0xE000_ED34, 0xE000_ED38
_MMARVALID, _BFARVALID = 1 << 7, 1 << 15

_FAULT_HANDLERS = {2: "nmi", 3: "hardfault", 4: "memmanage", 5: "busfault", 6: "usagefault"}
_CFSR_BITS = {
    0: "IACCVIOL", 1: "DACCVIOL", 3: "MUNSTKERR", 4: "MSTKERR", 5: "MLSPERR",
    8: "IBUSERR", 9: "PRECISERR", 10: "IMPRECISERR", 11: "UNSTKERR", 12: "STKERR", 13: "LSPERR",
    16: "UNDEFINSTR", 17: "INVSTATE", 18: "INVPC", 19: "NOCP", 24: "UNALIGNED", 25: "DIVBYZERO",
}  # fmt: skip
_HFSR_BITS = {1: "VECTTBL", 30: "FORCED", 31: "DEBUGEVT"}


@dataclass(frozen=True, slots=True)
class CoreDiagnosis:
    """What the core does.

    Attributes:
        state: "running", "sleeping", "halted", "lockup", or the fault handler that it is in: "hardfault",
            "memmanage", "busfault", "usagefault", "nmi".
        pc: Where it is now.
        function: Name of the function at `pc`, "" if unknown.
        fault_pc, fault_function: Where the fault was raised, if the stacked frame can still be found.
        cfsr, hfsr: Fault status registers.
        fault_address: The address whose access faulted, if the core recorded it.
        line, fault_line: "file:line" of `pc` and `fault_pc`, "" if unknown.
    """

    state: str
    pc: int
    function: str
    fault_pc: int | None
    fault_function: str
    cfsr: int
    hfsr: int
    fault_address: int | None
    line: str = ""
    fault_line: str = ""

    @property
    def faulted(self) -> bool:
        """True in lockup or in a fault handler."""
        return self.state == "lockup" or self.state in set(_FAULT_HANDLERS.values()) - {"nmi"}

    def __str__(self) -> str:
        text = f"core is {self.state} at {_place(self.pc, self.function, self.line)}"
        if self.fault_pc is not None:
            text += f", raised at {_place(self.fault_pc, self.fault_function, self.fault_line)}"
        if self.faulted:
            bits = [name for bit, name in _CFSR_BITS.items() if self.cfsr >> bit & 1]
            bits += [name for bit, name in _HFSR_BITS.items() if self.hfsr >> bit & 1]
            text += (
                f" (CFSR 0x{self.cfsr:08x}, HFSR 0x{self.hfsr:08x}: {', '.join(bits) or 'no cause recorded'})"
            )
            if self.fault_address is not None:
                text += f", accessing 0x{self.fault_address:08x}"
        return text


def examine(target: Target, image: FirmwareImage | None) -> CoreDiagnosis:
    """Look at the core in an open session; it is stopped shortly and left as it was found."""
    status = target.read32(DHCSR)
    if not status & S_HALT:
        target.halt()
    registers = target.registers()
    cfsr, hfsr = target.read32(CFSR), target.read32(HFSR)
    fault_address = None
    if cfsr & _BFARVALID:
        fault_address = target.read32(BFAR)
    elif cfsr & _MMARVALID:
        fault_address = target.read32(MMFAR)
    fault_pc = _stacked_pc(target, registers) if registers["xpsr"] & 0x1FF in _FAULT_HANDLERS else None
    if not status & S_HALT:
        target.resume()

    def name(address: int | None) -> str:
        return image.function_at(address) if image is not None and address is not None else ""

    def line(address: int | None) -> str:
        return image.line_at(address) if image is not None and address is not None else ""

    return CoreDiagnosis(
        state=_state(status, registers["xpsr"]),
        pc=registers["pc"],
        function=name(registers["pc"]),
        fault_pc=fault_pc,
        fault_function=name(fault_pc),
        cfsr=cfsr,
        hfsr=hfsr,
        fault_address=fault_address,
        line=line(registers["pc"]),
        fault_line=line(fault_pc),
    )


def _state(status: int, xpsr: int) -> str:
    if status & S_LOCKUP:
        return "lockup"
    handler = _FAULT_HANDLERS.get(xpsr & 0x1FF)
    if handler is not None:
        return handler
    if status & S_HALT:
        return "halted"
    return "sleeping" if status & S_SLEEP else "running"


def _stacked_pc(target: Target, registers: dict[str, int]) -> int | None:
    """PC of the exception frame, if LR still holds EXC_RETURN, that is, if the handler has called nothing
    yet."""
    if registers["lr"] & 0xFFFF_FF00 != 0xFFFF_FF00:
        return None
    frame = registers["psp"] if registers["lr"] & 0x4 else registers["msp"]
    if frame % 4 or not 0x2000_0000 <= frame < 0x4000_0000:
        return None
    return int.from_bytes(target.read_memory(frame + 24, 4), "little")


def _place(address: int, function: str, line: str) -> str:
    return f"0x{address:08x}" + (f" in {function}()" if function else "") + (f" ({line})" if line else "")
