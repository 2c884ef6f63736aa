"""Cycles of a block of Thumb code on a Cortex-M4F without memory stalls.

Sources: "P", "N", loads, stores, multiply, divide: Cortex-M4 TRM (ARM 100166) section 3.3, as tabulated in TI
SWCU192 table 3-25; floating point: GCC's scheduler description cortex-m4-fpu.md (result latency and unit
occupancy). Marked "unconfirmed" below: what those sources leave open.

A block's cost is a sum of costs of single instructions and of adjacent pairs, so that cutting straight-line
code into blocks in another way gives the same number of cycles. The pair at a block's head is settled by
the block hook, which knows what ran before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_lan_hil.virtual.silicon.decode import Instruction, MemoryOperand, decode_block, it_length

# P, the pipeline refill, is 1 to 3 depending on alignment and width of the target and on whether the address
# is known early (TRM 3.3.1). Direct branches 1: Nordic's nrfx counts 2 cycles for a taken BHI on an nRF52
# (soc/nrfx_coredep_defs.h). PC loaded from memory 3: TRM 3.3.3, "LDR PC ... at least five cycles", TBB "at
# least six". Unconfirmed: 2 through a register; plus 1 when the target is a 32-bit instruction that isn't
# word aligned.
REFILL_DIRECT = 1
REFILL_INDIRECT = 2
REFILL_LOADED = 3
DIVIDE = 7  # SDIV/UDIV take 2 to 12 depending on operands; the middle, since operands aren't looked at
FP_DIVIDE_BUSY = 13  # VDIV, VSQRT: issue 1, unit busy 13 more; integer instructions go on meanwhile

_LOADS = {"ldr", "ldrb", "ldrh", "ldrsb", "ldrsh", "ldrt", "ldrbt", "ldrht", "ldrsbt", "ldrsht"} | {
    "ldrex", "ldrexb", "ldrexh", "strex", "strexb", "strexh",
}  # fmt: skip
_STORES = {"str", "strb", "strh", "strt", "strbt", "strht"}
_MAC = {"vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms"}
_FP_LATE = {"vadd", "vsub", "vmul", "vnmul", "vcvt", "vcvtr", "vcvtb", "vcvtt"}
_DIRECT = {"b", "bl", "cbz", "cbnz"}
_INDIRECT = {"bx", "blx"}
_TABLE = {"tbb", "tbh"}
_FIXED = {
    "mrs": 2, "msr": 2, "cpsie": 2, "cpsid": 1, "isb": 1 + REFILL_INDIRECT, "dsb": 2, "dmb": 2, "tbb": 3,
    "tbh": 3, "ldrd": 3, "strd": 3, "sdiv": DIVIDE, "udiv": DIVIDE, "vldr": 2, "vstr": 1,
}  # fmt: skip  # barriers and special register moves: unconfirmed

FLAG_FP = 1
FLAG_UNMASK = 2
FLAG_SLEEP = 4
FLAG_EVENT = 32
FLAG_PRIVILEGE = 64


@dataclass(frozen=True, slots=True)
class MemoryOp:
    """A load or store inside a block: `before` is the number of the block's cycles that precede it."""

    pc: int
    before: int
    write: bool
    size: int
    operand: MemoryOperand


@dataclass(slots=True)
class BlockTiming:
    """Cycles and edges of one block; the field meanings at head and tail are the pair rules' inputs.

    Attributes:
        cost: Cycles of all instructions and inner pairs; a closing branch counts as not taken.
        taken: Added when the next block isn't the one that follows in memory.
        before: Instruction address to the number of the block's cycles that precede it.
        in_it: Address of an instruction in an IT block to that of its IT.
        flash_reads: Accesses to flash that its loads make.
        flash_reads_before: Instruction address to those that precede it; empty if there are none.
        flash_bytes: Bytes that they read.
    """

    address: int
    size: int
    cost: int = 0
    taken: int = 0
    flags: int = 0
    head: Instruction | None = None
    tail: Instruction | None = None
    fp_offset: int = -1
    fp_busy: int = 0
    before: dict[int, int] = field(default_factory=dict)
    in_it: dict[int, int] = field(default_factory=dict)
    memory_ops: list[MemoryOp] = field(default_factory=list)
    flash_reads: int = 0
    flash_reads_before: dict[int, int] = field(default_factory=dict)
    flash_bytes: int = 0
    first_fp: Instruction | None = None

    @property
    def head_misaligned(self) -> int:
        """1 if the first instruction is 32 bits wide and not word aligned."""
        return int(self.head is not None and self.head.size == 4 and self.address & 2 != 0)


def analyse(code: bytes, address: int) -> BlockTiming:
    """Cost of the block of straight-line `code` at `address`."""
    timing = BlockTiming(address, len(code))
    previous: Instruction | None = None
    busy = covered = it = 0
    for instruction in decode_block(code, address):
        if covered:
            covered -= 1
            timing.in_it[instruction.pc] = it
        elif instruction.name == "it":
            covered, it = it_length(code[instruction.pc - address]), instruction.pc
        extra = pair(previous, instruction) if previous is not None else 0
        if instruction.is_fp:
            if timing.first_fp is None:
                timing.first_fp, timing.fp_offset = instruction, timing.cost
            timing.flags |= FLAG_FP
            extra += busy
            busy = 0
        if instruction.name == "sev":
            timing.flags |= FLAG_EVENT
        timing.before[instruction.pc] = timing.cost
        _note_memory(timing, instruction)
        own = cost(instruction) + extra
        timing.cost += own
        busy = max(0, busy - own)
        if instruction.name in ("vdiv", "vsqrt"):
            busy = FP_DIVIDE_BUSY
        if timing.head is None:
            timing.head = instruction
        previous = instruction
    timing.tail, timing.fp_busy = previous, busy
    if previous is not None:
        timing.taken = refill(previous)
        if previous.name == "msr" and "control" in previous.text:
            timing.flags |= FLAG_PRIVILEGE
        elif previous.name in ("cpsie", "msr"):
            timing.flags |= FLAG_UNMASK
        if previous.name in ("wfi", "wfe", "yield"):
            timing.flags |= FLAG_SLEEP
    return timing


def cost(i: Instruction) -> int:
    """Cycles of one instruction by itself, a branch not taken."""
    if i.count:
        return 1 + i.count
    if i.name in _LOADS:
        return 2
    if i.name in _STORES:
        # "STR Rx,[Ry,#imm] is always one cycle" (TRM 3.3.2); with a register offset 2.
        return 2 if i.memory is not None and i.memory.index >= 0 else 1
    if i.name in _MAC:
        return 3
    if i.name == "vmov" and i.reads | i.writes:
        return 2
    if i.name in ("vldr", "vstr") and (i.fp_reads | i.fp_writes).bit_count() > 1:
        return 3
    return _FIXED.get(i.name, 1)


def is_load(i: Instruction) -> bool:
    """True for a load or store-exclusive that overlaps with its neighbours (LDR and its kind)."""
    return i.name in _LOADS


def refill(i: Instruction) -> int:
    """Cycles that are added when `i` leaves straight-line code."""
    if i.name in _TABLE or (i.writes & 1 << 15 and i.memory is not None):
        return REFILL_LOADED
    if i.name in _INDIRECT or (i.writes & 1 << 15 and i.name not in _DIRECT):
        return REFILL_INDIRECT
    return REFILL_DIRECT


def pair(first: Instruction, second: Instruction) -> int:
    """Cycles that `second` gains or loses because `first` ran just before it."""
    change = 0
    if pipeline_gain(second) and is_load(first) and not first.writes & second.address_registers:
        change -= 1
    if address_source(first) & address_use(second):
        change += 1
    if late_result(first) & early_use(second):
        change += 1
    if second.name == "it" and first.size == 2 and first.name != "it":
        change -= 1  # folded onto the 16-bit instruction before it
    return change


def pipeline_gain(i: Instruction) -> int:
    """1 if a load right before takes a cycle off `i` (address and data phases overlap)."""
    if i.name in _LOADS:
        return int(not i.writes & 1 << 15)
    return int(i.name in _STORES and i.memory is not None and i.memory.index >= 0)


def address_source(i: Instruction) -> int:
    """Core registers that a data processing instruction wrote: there is no forwarding to an address."""
    if i.memory is not None or i.is_fp or i.name in ("mrs", "bl", "blx") or i.name in _FIXED:
        return 0
    return i.writes & 0x7FFF


def address_use(i: Instruction) -> int:
    """Core registers that `i` uses to form an address."""
    return i.address_registers & 0x7FFF


def late_result(i: Instruction) -> int:
    """Floating-point registers whose new value comes one cycle after `i` has issued."""
    return i.fp_writes if i.name in _FP_LATE or i.name in _MAC else 0


def early_use(i: Instruction) -> int:
    """Floating-point registers that `i` needs at issue; a multiply-accumulate takes its addend later."""
    return i.fp_reads & ~i.fp_writes if i.name in _MAC else i.fp_reads


_WIDTH = {"b": 1, "h": 2, "d": 8}


def _note_memory(timing: BlockTiming, i: Instruction) -> None:
    if i.memory is None or i.name == "pld":
        return
    write = i.name.startswith(("st", "vst", "push", "vpush"))
    if i.count:
        size = 4 * i.count
    elif i.is_fp:
        size = 8 if i.fp_reads | i.fp_writes and (i.fp_reads | i.fp_writes).bit_count() > 1 else 4
    else:
        letters = i.name[3:].replace("ex", "").replace("s", "").rstrip("t")
        size = _WIDTH.get(letters, 4)
    timing.memory_ops.append(MemoryOp(i.pc, timing.before[i.pc], write, size, i.memory))
