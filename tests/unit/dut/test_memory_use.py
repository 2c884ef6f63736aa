"""Stack and heap are read from the DUT's RAM; what can't be told is an error, never a number."""

from __future__ import annotations

from pathlib import Path

import dut_elf
import pytest
from tiny_firmware import HEAP, build

from pytest_lan_hil.config import Board, MemoryRange
from pytest_lan_hil.dut.image import FirmwareImage, load_image
from pytest_lan_hil.dut.memory import PAINT, flash_kb, heap_use, memory_available_kb, memory_use, stack_use
from pytest_lan_hil.model.errors import (
    CapabilityMissing,
    DutError,
    ImageError,
    InputError,
    MeasurementInvalid,
)

MAIN = "int main(void) { for (;;) { } }\n"
# The break of each C library: name of its variable, the symbol that it starts from, and where it is kept.
CUBE = """
extern char _end;
static char *__sbrk_heap_end;
void *_sbrk(int step) {
    if (!__sbrk_heap_end) __sbrk_heap_end = &_end;
    return __sbrk_heap_end += step;
}
int main(void) { return _sbrk(8) != 0; }
"""
CLASSIC = """
extern char end;
void *_sbrk(int step) {
    static char *heap_end;
    if (!heap_end) heap_end = &end;
    return heap_end += step;
}
int main(void) { return _sbrk(8) != 0; }
"""
PICO = """
extern char __heap_start[];
static char *brk = __heap_start;
void *sbrk(int step) { brk += step; return brk; }
int main(void) { return sbrk(8) != 0; }
"""
OWN = """
__attribute__((noinline, noclone)) void *malloc(unsigned size) { static char pool[64]; return pool + size; }
int main(void) { return malloc(3) != 0; }
"""


class Ram:
    """The DUT's RAM, all of it painted until something is poked."""

    def __init__(self, size: int = 0x8000, word: int = PAINT) -> None:
        self.start = 0x2000_0000
        self.bytes = bytearray(word.to_bytes(4, "little") * (size // 4))

    def poke(self, address: int, data: bytes) -> None:
        at = address - self.start
        self.bytes[at : at + len(data)] = data

    def read(self, address: int, size: int) -> bytes:
        at = address - self.start
        assert 0 <= at <= at + size <= len(self.bytes)
        return bytes(self.bytes[at : at + size])


def image_of(folder: Path, source: str = MAIN, *, heap: str = "", guard: int = 0) -> FirmwareImage:
    return load_image(build(folder, {"app.c": source}, heap=heap, guard=guard))


# Stack ---------------------------------------------------------------------------------------------------


def test_the_stack_counts_from_the_lowest_word_that_was_written(tmp_path: Path) -> None:
    image, ram = image_of(tmp_path), Ram()
    ram.poke(0x2000_0000 + 1024 - 200, b"\0" * 4)  # the hole above it stays painted, and counts
    use = stack_use(image, ram.read)
    assert (use.used, use.reserved, use.guard) == (200, 1024, 0)


def test_the_size_of_the_guard_is_told(tmp_path: Path) -> None:
    image, ram = image_of(tmp_path, guard=256), Ram()
    assert stack_use(image, ram.read).guard == 256


def test_a_guard_that_was_run_into_is_an_error_and_no_number(tmp_path: Path) -> None:
    image, ram = image_of(tmp_path, guard=256), Ram()
    ram.poke(0x2000_0000 + 240, b"\1" * 16)
    with pytest.raises(
        DutError, match=r"overflowed into its guard, at least down to 0x200000f0: 16 of the 256"
    ):
        stack_use(image, ram.read)


def test_a_guard_that_nobody_painted_is_not_taken_for_one_that_was_hit(tmp_path: Path) -> None:
    image, ram = image_of(tmp_path, guard=256), Ram()
    ram.poke(0x2000_0000, bytes(256))
    assert stack_use(image, ram.read).used == 0


@pytest.mark.parametrize("holes", [b"", PAINT.to_bytes(4, "little")])
def test_a_stack_that_is_full_to_its_last_word_is_an_error(tmp_path: Path, holes: bytes) -> None:
    """Known by what paint is left: in a hole of the stack, or in the guard below it."""
    image, ram = image_of(tmp_path, guard=0 if holes else 256), Ram()
    bottom = image.symbols["__stack_bottom"]
    ram.poke(bottom, b"\3" * 1024)
    if holes:
        ram.poke(bottom + 512, holes)
    with pytest.raises(DutError, match=r"full to its last word \(1024 bytes, 0x2000"):
        stack_use(image, ram.read)


def test_an_unpainted_stack_is_an_error_that_names_the_pattern(tmp_path: Path) -> None:
    found = r"0xA5A5A5A5.*256 of its 256 words are 0xaaaaaaaa"
    with pytest.raises(MeasurementInvalid, match=found) as caught:
        stack_use(image_of(tmp_path), Ram(word=0xAAAA_AAAA).read)
    assert "in the reset handler" in caught.value.fix


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ({"__StackLimit": 0x2000_1000, "__StackTop": 0x2000_2000}, (0x2000_1000, 0x2000_2000)),
        ({"_estack": 0x2000_8000, "_Min_Stack_Size": 0x400}, (0x2000_7C00, 0x2000_8000)),
        ({"_estack": 0x2000_8000}, None),
    ],
    ids=["cmsis", "cube", "no-size"],
)
def test_the_stack_is_found_by_the_symbols_of_other_linker_scripts(
    tmp_path: Path, symbols: dict[str, int], expected: tuple[int, int] | None
) -> None:
    elf = dut_elf.firmware()
    elf.symbols = [(name, value, 0, dut_elf.NOTYPE) for name, value in symbols.items()]
    (tmp_path / "a.elf").write_bytes(elf.build())
    image = load_image(tmp_path / "a.elf")
    assert image.stack == expected
    if expected is None:
        with pytest.raises(ImageError, match="does not say where it is"):
            stack_use(image, Ram().read)


def test_a_stack_that_is_no_ram_is_refused(tmp_path: Path) -> None:
    elf = dut_elf.firmware()
    elf.symbols = [("__stack_bottom", 0x100, 0, 0), ("__stack_top", 0x200, 0, 0)]
    (tmp_path / "a.elf").write_bytes(elf.build())
    with pytest.raises(ImageError, match="which is no RAM"):
        stack_use(load_image(tmp_path / "a.elf"), Ram().read)


# Heap ----------------------------------------------------------------------------------------------------


def test_an_image_without_a_heap_has_none_and_says_so(tmp_path: Path) -> None:
    use = heap_use(image_of(tmp_path), Ram().read)
    assert (use.used, use.how) == (0, "the image has none (no malloc, no sbrk in it)")


def test_room_that_is_reserved_for_nobody_is_no_heap(tmp_path: Path) -> None:
    use = heap_use(image_of(tmp_path, heap=HEAP), Ram(word=0).read)
    assert use.used == 0
    assert "the 2048 bytes reserved for it lie idle" in use.how


@pytest.mark.parametrize(
    ("source", "variable", "start", "heap"),
    [
        (CUBE, "__sbrk_heap_end", "_end", ""),
        (CLASSIC, "heap_end.0", "_end", ""),
        (PICO, "brk", "__heap_start", HEAP),
    ],
    ids=["cube", "classic", "picolibc"],
)
def test_the_break_tells_what_sbrk_took(
    tmp_path: Path, source: str, variable: str, start: str, heap: str
) -> None:
    image, ram = image_of(tmp_path, source, heap=heap), Ram()
    ram.poke(image.symbols[variable], (image.symbols[start] + 344).to_bytes(4, "little"))
    use = heap_use(image, ram.read)
    assert use.used == 344
    assert use.how == f"from {start} to the break, {variable}, as it is now"


def test_a_break_that_is_zero_means_that_nothing_was_taken(tmp_path: Path) -> None:
    image, ram = image_of(tmp_path, CUBE), Ram(word=0)
    assert heap_use(image, ram.read).used == 0


def test_a_break_below_its_start_is_an_error(tmp_path: Path) -> None:
    image, ram = image_of(tmp_path, CUBE), Ram()
    ram.poke(image.symbols["__sbrk_heap_end"], (0x1FFF_FFF0).to_bytes(4, "little"))
    with pytest.raises(
        MeasurementInvalid, match=r"__sbrk_heap_end is 0x1ffffff0, but the heap starts at _end"
    ):
        heap_use(image, ram.read)


def test_a_linker_symbol_named_like_a_break_is_not_read_as_one(tmp_path: Path) -> None:
    elf = dut_elf.firmware()
    elf.symbols += [("heap_end", 0x2000_4000, 0, dut_elf.NOTYPE), ("_end", 0x2000_0040, 0, dut_elf.NOTYPE)]
    (tmp_path / "a.elf").write_bytes(elf.build())
    assert heap_use(load_image(tmp_path / "a.elf"), Ram().read).used == 0


def test_a_painted_heap_has_a_high_water_mark(tmp_path: Path) -> None:
    image, ram = image_of(tmp_path, OWN, heap=HEAP), Ram()
    ram.poke(image.symbols["__heap_start"] + 96, b"\0" * 4)
    use = heap_use(image, ram.read)
    assert use.used == 100
    assert "high-water mark of the 2048 bytes" in use.how


def test_a_painted_heap_that_was_never_touched_is_empty(tmp_path: Path) -> None:
    assert heap_use(image_of(tmp_path, OWN, heap=HEAP), Ram().read).used == 0


@pytest.mark.parametrize("heap", ["", HEAP], ids=["unbounded", "unpainted"])
def test_a_heap_that_can_not_be_told_is_an_error(tmp_path: Path, heap: str) -> None:
    with pytest.raises(MeasurementInvalid, match=r"has malloc\(\), but neither a break") as caught:
        heap_use(image_of(tmp_path, OWN, heap=heap), Ram(word=0).read)
    assert "0xA5A5A5A5" in caught.value.fix


# Sums ----------------------------------------------------------------------------------------------------


def test_the_sum_is_static_ram_stack_and_heap(tmp_path: Path) -> None:
    image, ram = image_of(tmp_path, "char big[100];\n" + CUBE.replace("!= 0", "!= big")), Ram()
    ram.poke(image.symbols["__sbrk_heap_end"], (image.symbols["_end"] + 48).to_bytes(4, "little"))
    ram.poke(0x2000_0000 + 1024 - 64, b"\0" * 64)
    use = memory_use(image, ram.read)
    assert (use.static, use.total) == (104, 104 + 64 + 48)
    assert use.notes == (
        "104 bytes static",
        "64 of 1024 bytes of stack used at most",
        "48 bytes of heap: from _end to the break, __sbrk_heap_end, as it is now",
    )
    assert flash_kb(image) == image.flash_bytes / 1024


def test_what_is_left_is_the_boards_ram_without_what_was_used(tmp_path: Path) -> None:
    image = image_of(tmp_path, "char big[1024];\nint main(void) { return big[0]; }\n")
    board = Board(name="b", target="t", supply_v=3.0, ram=MemoryRange(start=0x2000_0000, size_kib=32))
    assert memory_available_kb(image, board, 512, 1536) == 32 - 1 - 2
    with pytest.raises(CapabilityMissing, match="does not say how much RAM"):
        memory_available_kb(image, Board(name="b", target="t", supply_v=3.0), 0, 0)
    assert not issubclass(CapabilityMissing, InputError)
