"""One Thumb instruction, decoded to what the cycle model, the bus and the debugger need to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs
from capstone import arm_const as a

_CS = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
_CS.detail = True

_CORE = {getattr(a, f"ARM_REG_R{n}"): n for n in range(13)} | {
    a.ARM_REG_SP: 13,
    a.ARM_REG_LR: 14,
    a.ARM_REG_PC: 15,
}
_SINGLE = {getattr(a, f"ARM_REG_S{n}"): n for n in range(32)}
_DOUBLE = {getattr(a, f"ARM_REG_D{n}"): n for n in range(16)}


class Registers(Protocol):
    """r0 to r15 by their numbers: a list, or something that looks them up."""

    def __getitem__(self, number: int, /) -> int:
        """The value of one."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryOperand:
    """`[base, index << shift, #disp]`; `index` is -1 for none, `post` means that only base counts."""

    base: int
    index: int
    shift: int
    disp: int
    post: bool = False

    def address(self, registers: Registers, pc: int) -> int:
        """Effective address, given r0 to r15 as they were before the instruction."""
        base = (pc + 4) & ~3 if self.base == 15 else registers[self.base]
        if self.post:
            return base & 0xFFFFFFFF
        index = registers[self.index] << self.shift if self.index >= 0 else 0
        return (base + index + self.disp) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Instruction:
    """What is known of an instruction without running it.

    Attributes:
        pc, size: Address and length (2 or 4).
        name: Mnemonic without condition and width suffix ("ldr", "vfma.f32").
        conditional: True if it has a condition (inside an IT block, or Bcc).
        reads, writes: Bit masks of core registers r0 to r15.
        fp_reads, fp_writes: Bit masks of s0 to s31.
        address_registers: Mask of core registers that make up its memory address.
        memory: The operand of a load or store of one address.
        count: Registers moved by LDM/STM/PUSH/POP/VLDM/VSTM.
        is_fp: True if it needs the floating-point unit.
    """

    pc: int
    size: int
    name: str
    text: str
    conditional: bool = False
    reads: int = 0
    writes: int = 0
    fp_reads: int = 0
    fp_writes: int = 0
    address_registers: int = 0
    memory: MemoryOperand | None = None
    count: int = 0
    is_fp: bool = False


_MULTIPLE = {
    "ldm": 1, "ldmdb": 1, "stm": 1, "stmdb": 1, "push": 0, "pop": 0,
    "vldmia": 1, "vldmdb": 1, "vstmia": 1, "vstmdb": 1, "vpush": 0, "vpop": 0,
}  # fmt: skip
_UNKNOWN_TEXT = "<undefined>"


def decode_block(code: bytes, address: int) -> list[Instruction]:
    """Decode straight-line code. Halfwords that aren't an instruction become a 2-byte "undefined"."""
    found: list[Instruction] = []
    offset = 0
    conditions = 0
    while offset + 2 <= len(code):
        word = bytes(code[offset : offset + 4])
        instruction = decode_one(word, address + offset)
        if conditions > 0:
            conditions -= 1
            instruction = replace(instruction, conditional=True)
        if instruction.name == "it":
            conditions = it_length(word[0])
        found.append(instruction)
        offset += instruction.size
    return found


def it_length(low_byte: int) -> int:
    """Number of instructions that an IT covers, from the lower byte of its encoding."""
    mask = low_byte & 0xF
    return 4 - ((mask & -mask).bit_length() - 1)


def is_32_bit(first_halfword: int) -> bool:
    """True if the halfword starts a 32-bit instruction (ARMv7-M ARM A5.1)."""
    return first_halfword >> 11 in (0b11101, 0b11110, 0b11111)


@lru_cache(maxsize=65536)
def decode_one(code: bytes, pc: int) -> Instruction:
    """Decode the instruction at the start of `code` (2 or 4 bytes)."""
    wide = is_32_bit(int.from_bytes(code[:2], "little"))
    size = 4 if wide else 2
    raw = next(iter(_CS.disasm(code[:size], pc)), None) if len(code) >= size else None
    if raw is None or raw.size != size:
        fp = wide and code[1] & 0xEE == 0xEE and code[3] & 0x0E == 0x0A
        return Instruction(pc, size, "undefined", _UNKNOWN_TEXT, is_fp=fp)
    return _convert(raw, size)


def _convert(raw: Any, size: int) -> Instruction:
    name = raw.mnemonic.split(".")[0]
    conditional = raw.cc not in (a.ARM_CC_AL, a.ARM_CC_INVALID)
    suffix = _CONDITIONS.get(raw.cc, "")
    if conditional and suffix and name.endswith(suffix):
        name = name[: -len(suffix)]
    if name.startswith("it") and raw.id == a.ARM_INS_IT:
        name, conditional = "it", False
    is_fp = raw.mnemonic.startswith("v")
    reads_ids, writes_ids = raw.regs_access()
    reads, fp_reads = _masks(reads_ids)
    writes, fp_writes = _masks(writes_ids)
    memory: MemoryOperand | None = None
    address_registers = 0
    operands = raw.operands
    for n, operand in enumerate(operands):
        if operand.type == a.ARM_OP_MEM:
            index = _CORE.get(operand.mem.index, -1)
            post = n + 1 < len(operands)
            shift = operand.shift.value if index >= 0 else 0
            disp = operand.mem.disp * (-1 if operand.subtracted and operand.mem.disp > 0 else 1)
            memory = MemoryOperand(_CORE.get(operand.mem.base, 15), index, shift, disp, post=post)
            address_registers = 1 << memory.base | (1 << index if index >= 0 else 0)
    count = 0
    if name in _MULTIPLE:
        skip = _MULTIPLE[name]
        listed = operands[skip:]
        words = sum(2 if o.reg in _DOUBLE else 1 for o in listed)
        count = words
        base = _CORE.get(operands[0].reg, 13) if skip else 13
        down = name in ("push", "stmdb", "ldmdb", "vpush", "vstmdb", "vldmdb")
        memory = MemoryOperand(base, -1, 0, -4 * words if down else 0)
        address_registers = 1 << base
    return Instruction(
        raw.address, size, name, f"{raw.mnemonic} {raw.op_str}".strip(), conditional, reads, writes,
        fp_reads, fp_writes, address_registers, memory, count, is_fp,
    )  # fmt: skip


_CONDITIONS = {
    a.ARM_CC_EQ: "eq", a.ARM_CC_NE: "ne", a.ARM_CC_HS: "hs", a.ARM_CC_LO: "lo", a.ARM_CC_MI: "mi",
    a.ARM_CC_PL: "pl", a.ARM_CC_VS: "vs", a.ARM_CC_VC: "vc", a.ARM_CC_HI: "hi", a.ARM_CC_LS: "ls",
    a.ARM_CC_GE: "ge", a.ARM_CC_LT: "lt", a.ARM_CC_GT: "gt", a.ARM_CC_LE: "le",
}  # fmt: skip


def _masks(ids: list[int]) -> tuple[int, int]:
    core = fp = 0
    for register in ids:
        if register in _CORE:
            core |= 1 << _CORE[register]
        elif register in _SINGLE:
            fp |= 1 << _SINGLE[register]
        elif register in _DOUBLE:
            fp |= 3 << 2 * _DOUBLE[register]
    return core, fp
