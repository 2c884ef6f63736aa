"""Why one iteration of the kernel image's integer parts takes the cycles that it does.

The firmware counts (DWT_CYCCNT, an undisturbed run); then one more report runs block by block, and what was
executed between the two reads of the counter is priced anew, instruction by instruction, with the table of
`virtual.silicon.cycles`. Of the compiled hook only the number of cache misses is taken. The tables of
docs/explanation/cycles-and-currents.md are what `python -m benchmarks.kernel_cycles` prints. Needs
arm-none-eabi-gcc and make.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.dut.image import FirmwareImage, load_image
from pytest_lan_hil.virtual.ahb_ap import Memories
from pytest_lan_hil.virtual.board import VirtualBoard
from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon import cycles
from pytest_lan_hil.virtual.silicon.core import Core
from pytest_lan_hil.virtual.silicon.cycles import BlockTiming
from pytest_lan_hil.virtual.silicon.decode import Instruction, decode_block

ROOT = Path(__file__).resolve().parent.parent
CHIPS = ("nrf52840", "stm32f412")
PARTS = ("list", "matrix", "state", "crc")
ROUNDS = 3  # as in firmware/kernels/main.c; the fastest counts
BOOT_S = 4.0  # a virtual crystal needs two seconds to start
_REPORT_BLOCKS = 2_000_000
_LINE = re.compile(r"m-kernels-\[(.+)\]")
_LINE_LOG2 = 4  # a read through the data cache pays its share of a line of 16 bytes
_NEAR = 64  # bytes behind the call: the second read of the counter is there

# Rows of an explanation in their order, with what one costs.
DATA, MULTIPLY, DIVIDE, LOAD, STORE, SEVERAL = (
    "data processing", "multiply", "divide", "load", "store", "load or store of several words",
)  # fmt: skip
BRANCH, TABLE, IT = "branch (as if not taken)", "table branch (as if not taken)", "IT"
OVERLAP, ADDRESS, FOLDED = "load behind a load", "address computed just before", "IT folded"
DIRECT, INDIRECT, LOADED = "branch taken", "the same through a register", "the same, target loaded"
MISALIGNED = "misaligned 32-bit target"
MISS, READ = "instruction cache miss", "constant read from flash"
ROWS = {
    DATA: "1", MULTIPLY: "1", DIVIDE: "7", LOAD: "2", STORE: "1", SEVERAL: "1 + words", BRANCH: "1",
    TABLE: "3", IT: "1", OVERLAP: "-1", ADDRESS: "+1", FOLDED: "-1", DIRECT: "+1", INDIRECT: "+2",
    LOADED: "+3", MISALIGNED: "+1", MISS: "wait states", READ: "wait states",
}  # fmt: skip
_REFILLS = {cycles.REFILL_DIRECT: DIRECT, cycles.REFILL_INDIRECT: INDIRECT, cycles.REFILL_LOADED: LOADED}
# What no source confirms, and what follows for a part of these rows if it is otherwise.
_DOUBTS: dict[str, Callable[[dict[str, Charge]], int]] = {
    "a direct branch's refill takes 2 (Cortex-M4 TRM: 1 to 3)": lambda rows: rows[DIRECT].count,
    "a misaligned target costs nothing": lambda rows: -rows[MISALIGNED].cycles,
    "a constant is read without waiting": lambda rows: -rows[READ].cycles,
}
_MULTIPLIES = ("mul", "mla", "mls", "smul", "smla", "smml", "umul", "umla", "umaal", "smua", "smus")
_BRANCHES = ("b", "bl", "bx", "blx", "cbz", "cbnz")


@dataclass(frozen=True, slots=True)
class Kernels:
    """The kernel image on a virtual chip, its first report printed.

    Attributes:
        figures: What it said: cycles of each part, `macs`, `sum`.
    """

    chip: str
    image: FirmwareImage
    board: VirtualBoard
    figures: dict[str, int]


@dataclass(frozen=True, slots=True)
class Charge:
    """One row: how often, and the cycles of all together."""

    count: int
    cycles: int


@dataclass(frozen=True, slots=True)
class Loop:
    """The block that costs the most.

    Attributes:
        runs: How often it was executed.
        lines: Its instructions, and what else costs, with their cycles; the branch taken.
    """

    runs: int
    lines: tuple[tuple[str, int], ...]

    @property
    def cycles(self) -> int:
        """Of one execution that branches back."""
        return sum(cost for _, cost in self.lines)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One part: the cycles that the firmware counted, and the sum that explains them."""

    measured: int
    charges: dict[str, Charge]
    loop: Loop

    @property
    def explained(self) -> int:
        """Sum of all rows, in cycles."""
        return sum(charge.cycles for charge in self.charges.values())


@dataclass(frozen=True, slots=True)
class _Window:
    """What ran from the block that reads the counter first to the one that reads it again."""

    blocks: list[BlockTiming]
    misses: int


def boot(chip: str) -> Kernels:
    """Build the kernel image, run it on a fresh virtual chip, and read its report.

    Raises:
        RuntimeError: The image was not built, or it printed no result.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["make", "-s", "-C", str(ROOT / "firmware"), f"BOARD={chip}", f"OUT={folder}", "kernels"]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{built.stdout}{built.stderr}")
        image = load_image(Path(folder) / "kernels.elf")
    board = VirtualBoard(chip)
    for segment in image.segments:
        board.chip.bus.write_memory(segment.address, segment.data)
    board.chip.reset("power_on")
    board.clock.sleep(BOOT_S)
    said = board.uart0.host_read().decode("latin-1")
    found = _LINE.search(said)
    if found is None:
        raise RuntimeError(f"the kernel image of {chip} printed no result in {BOOT_S} s: {said!r}")
    parts = (part.split("=") for part in found[1].split(","))
    figures = {key: int(value, 16 if key == "sum" else 10) for key, value in parts}
    return Kernels(chip, image, board, figures)


def explain(kernels: Kernels) -> dict[str, Explanation]:
    """Explain each integer part's cycles; lets the image report once more.

    Raises:
        RuntimeError: It did not report again, or its flash cache is off.
    """
    core = _core(kernels.board)
    if core.blocks.state[h.FLASH_MODE] == 1:
        raise RuntimeError(f"the kernel image of {kernels.chip} runs with its instruction cache off")
    pricer = _Pricer(kernels.board.chip.bus, core)
    found: dict[str, list[dict[str, Charge]]] = {part: [] for part in PARTS}
    loop: dict[str, Loop] = {}
    for part, window in _windows(kernels):
        found[part].append(pricer.price(window))
        loop[part] = pricer.costliest(window)
    return {
        part: Explanation(
            kernels.figures[part],
            min(rounds, key=lambda charges: sum(charge.cycles for charge in charges.values())),
            loop[part],
        )
        for part, rounds in found.items()
    }


def _core(board: VirtualBoard) -> Core:
    core = board.chip.core
    assert isinstance(core, Core)
    return core


def _windows(kernels: Kernels) -> Iterator[tuple[str, _Window]]:
    """Each round of each part. `advance(1)` stops before the next block, and disturbs no count."""
    board, core = kernels.board, _core(kernels.board)
    state, timeline = core.blocks.state, board.chip.timeline
    entries = {kernels.image.symbols[f"mix_{part}"] & ~1: part for part in PARTS}
    recent: deque[BlockTiming] = deque(maxlen=3)  # up to the one with the call
    part, back, misses, left = "", 0, 0, ROUNDS * len(PARTS)
    blocks: list[BlockTiming] = []
    board.uart0.host_write(b"!")
    for _ in range(_REPORT_BLOCKS):
        ran, missed = int(state[h.BLOCKS_RUN]), int(state[h.ICACHE_MISSES])
        due = timeline.next_at() if core.waiting else None
        board.advance(1 if due is None else max(due - timeline.now, 1))
        timing = core.blocks.timing()
        if timing is None or state[h.BLOCKS_RUN] == ran:
            continue
        if not part and timing.address in entries:
            part, misses = entries[timing.address], missed
            back = recent[-1].address + recent[-1].size
            blocks = list(recent)[max(n for n, block in enumerate(recent) if block.memory_ops) :]
        if part:
            blocks.append(timing)
            if 0 <= timing.address - back < _NEAR and timing.memory_ops:
                yield part, _Window(blocks, int(state[h.ICACHE_MISSES]) - misses)
                part, left = "", left - 1
                if not left:
                    return
        recent.append(timing)
    raise RuntimeError(f"the kernel image of {kernels.chip} did not report again when it was asked")


class _Pricer:
    """Prices what ran by the table, an instruction at a time."""

    def __init__(self, memories: Memories, core: Core) -> None:
        self._memories, self._state = memories, core.blocks.state
        self._decoded: dict[int, list[Instruction]] = {}

    def _instructions(self, block: BlockTiming) -> list[Instruction]:
        if block.address not in self._decoded:
            code = bytes(self._memories.read_memory(block.address, block.size))
            self._decoded[block.address] = decode_block(code, block.address)
        return self._decoded[block.address]

    def price(self, window: _Window) -> dict[str, Charge]:
        """Rows of all that ran between the two reads of the counter."""
        counts: Counter[str] = Counter()
        total: defaultdict[str, int] = defaultdict(int)
        flash_bytes = 0
        for row, cost in self._table_rows(window.blocks):
            counts[row] += 1
            total[row] += cost
        for block in window.blocks[1:-1]:
            counts[READ] += block.flash_reads
            flash_bytes += block.flash_bytes
        wait = int(self._state[h.FLASH_DATA])
        shared = self._state[h.DATA_CACHE]
        total[READ] = flash_bytes * wait >> _LINE_LOG2 if shared else counts[READ] * wait
        counts[MISS], total[MISS] = window.misses, window.misses * int(self._state[h.FLASH_WAIT])
        return {row: Charge(counts[row], total[row]) for row in ROWS if counts[row]}

    def _table_rows(self, blocks: list[BlockTiming]) -> Iterator[tuple[str, int]]:
        """Row and cycles of each instruction and each pair of neighbours, from read to read of the counter.

        The counter is read by the last load of the first block and by the first one of the last block.
        """
        first, last = blocks[0].memory_ops[-1].pc, blocks[-1].memory_ops[0].pc
        previous: Instruction | None = None
        for n, block in enumerate(blocks):
            for instruction in self._instructions(block):
                if n == 0 and instruction.pc < first:
                    previous = instruction
                    continue
                ends = n == len(blocks) - 1 and instruction.pc == last
                if previous is not None and not (ends and instruction.pc != block.address):
                    yield from _between(previous, instruction)
                if ends:
                    return
                yield _row(instruction), cycles.cost(instruction)
                previous = instruction

    def costliest(self, window: _Window) -> Loop:
        """The block whose executions cost the most together."""
        runs = Counter(block.address for block in window.blocks)
        by_address = {block.address: block for block in window.blocks}
        block = max(by_address.values(), key=lambda block: runs[block.address] * block.cost)
        starts = list(block.before.values())
        ends = [*starts[1:], block.cost + block.taken]
        instructions = map(_text, self._instructions(block))
        lines = [(text, end - start) for text, start, end in zip(instructions, starts, ends, strict=True)]
        if block.head_misaligned:
            lines.append((MISALIGNED, 1))
        if block.flash_reads and not self._state[h.DATA_CACHE]:
            lines.append((READ, block.flash_reads * int(self._state[h.FLASH_DATA])))
        return Loop(runs[block.address], tuple(lines))


def _between(first: Instruction, second: Instruction) -> Iterator[tuple[str, int]]:
    """Rows of what `second` gains or loses by running right after `first`."""
    if first.pc + first.size != second.pc:
        refill = cycles.refill(first)
        yield _REFILLS[refill], refill
        if second.size == 4 and second.pc & 2:
            yield MISALIGNED, 1
        return
    change = cycles.pair(first, second)
    if second.name == "it" and change:
        yield FOLDED, change
    else:
        if cycles.address_source(first) & cycles.address_use(second):
            yield ADDRESS, 1
            change -= 1
        if change:
            yield OVERLAP, change


def _text(instruction: Instruction) -> str:
    text, _, target = instruction.text.rpartition(" ")
    shown = text if instruction.name in _BRANCHES and target.startswith("#") else instruction.text
    return f"`{shown}`"


def _row(instruction: Instruction) -> str:
    name = instruction.name
    if instruction.is_fp:
        raise RuntimeError(f"{instruction.text} at {instruction.pc:#x}: the parts should be integer only")
    if instruction.count or name in ("ldrd", "strd"):
        return SEVERAL
    if instruction.memory is not None and name not in ("tbb", "tbh"):
        return LOAD if name.startswith("ld") else STORE
    if name.startswith(_MULTIPLIES):
        return MULTIPLY
    rows = {"tbb": TABLE, "tbh": TABLE, "it": IT, "sdiv": DIVIDE, "udiv": DIVIDE} | dict.fromkeys(
        _BRANCHES, BRANCH
    )
    return rows.get(name, DATA)


# -- tables ----------------------------------------------------------------------------------------------


def table(explanations: dict[str, Explanation]) -> list[str]:
    """The explanations of one chip as lines of Markdown."""
    shown = [row for row in ROWS if any(row in e.charges for e in explanations.values())]
    lines = [
        _line("", "cycles each", *explanations),
        _line(*["---"] * (2 + len(explanations))),
    ]
    lines += [_line(row, ROWS[row], *(_cell(e, row) for e in explanations.values())) for row in shown]
    lines.append(_line("**sum**", "", *(f"**{e.explained:,}**" for e in explanations.values())))
    lines.append(_line("counted by the firmware", "", *(f"{e.measured:,}" for e in explanations.values())))
    return lines


def loops(explanations: dict[str, Explanation]) -> list[str]:
    """The costliest loop of each part as lines of Markdown."""
    lines = [_line("part", "its costliest block, an iteration", "cycles", "times", "together")]
    lines.append(_line(*["---"] * 5))
    for part, explanation in explanations.items():
        loop = explanation.loop
        code = ", ".join(f"{text} {cost}" for text, cost in loop.lines)
        together = f"{loop.cycles * loop.runs:,}"
        lines.append(_line(part, code, str(loop.cycles), f"{loop.runs:,}", together))
    return lines


def doubts(explanations: dict[str, Explanation]) -> list[str]:
    """How far each part's cycles would be off, as lines of Markdown."""
    lines = [_line("if", *explanations), _line(*["---"] * (1 + len(explanations)))]
    for doubt, change in _DOUBTS.items():
        shares = [change(e.charges) / e.measured for e in explanations.values()]
        lines.append(_line(doubt, *(f"{share:+.1%}".replace("-0.0%", "0%") for share in shares)))
    return lines


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(explanation: Explanation, row: str) -> str:
    charge = explanation.charges.get(row)
    if charge is None:
        return ""
    alone = charge.count == abs(charge.cycles)
    return f"{charge.cycles:,}" if alone else f"{charge.count:,} ({charge.cycles:,})"


def main() -> None:
    """Print the tables of every chip."""
    for chip in CHIPS:
        explanations = explain(boot(chip))
        tables = (table(explanations), loops(explanations), doubts(explanations))
        print(f"\n### `{chip}`", *("\n".join(lines) for lines in tables), sep="\n\n")


if __name__ == "__main__":
    main()
