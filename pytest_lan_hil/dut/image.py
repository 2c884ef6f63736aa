"""Firmware images: what is flashed, how much memory it takes, and by which hash it is known again.

Reads ELF (through pyelftools) and Intel HEX (through intelhex). Only 32-bit little-endian ARM executables are
taken: every supported DUT is a Cortex-M. Addresses follow the ARMv7-M memory map (ARM DDI 0403E, table B3-1):
code below 0x20000000, SRAM from 0x20000000 to 0x3FFFFFFF.
"""

from __future__ import annotations

import hashlib
import io
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from intelhex import IntelHex, IntelHexError

from pytest_lan_hil.model.errors import ImageError

if TYPE_CHECKING:
    from pytest_lan_hil.config import Board, MemoryRange

SRAM_START = 0x2000_0000
SRAM_STOP = 0x4000_0000

STACK_BOTTOM_SYMBOL = "__stack_bottom"
STACK_TOP_SYMBOL = "__stack_top"
BUILD_ID_SYMBOL = "lan_build_id"
BUILD_ID_MAGIC = b"BID1"

# Sections that only reserve room for stack or heap; names as linker scripts of newlib, CMSIS and STM32Cube
# use them.
_RESERVATIONS = (".stack", ".heap", "._user_heap_stack", ".stack_dummy", ".co_stack", ".ram_heap")
_SHF_ALLOC = 0x2
_BUILD_ID = struct.Struct("<4sHH20s32s32s")


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that belong at `address` (load address) in flash."""

    address: int
    data: bytes

    @property
    def stop(self) -> int:
        """First address behind it."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """A firmware image, ready to be flashed and compared.

    Attributes:
        path: The file.
        sha256: Of the file.
        segments: Loadable flash contents by load address, rising, adjacent ones merged.
        flash_sha256: Over address, length (both 32 bit little-endian) and data of every segment.
        ram_bytes: Static RAM, or None where the file can't say (Intel HEX); see `static_ram_bytes`.
        stack: (lowest address, first address behind) of the main stack, or None.
        symbols: Name to address (Thumb bit cleared for functions); empty for HEX.
        functions: Rising (address, size, name) of the functions.
        build_id: "git=...,image=...,version=..." as the console prints it, or "" if the image carries none.
    """

    path: Path
    sha256: str
    segments: tuple[Segment, ...]
    flash_sha256: str
    ram_bytes: int | None
    stack: tuple[int, int] | None
    symbols: Mapping[str, int]
    functions: tuple[tuple[int, int, str], ...] = field(repr=False)
    build_id: str

    @property
    def flash_bytes(self) -> int:
        """Bytes of flash that the image fills."""
        return sum(len(segment.data) for segment in self.segments)

    @property
    def static_ram_bytes(self) -> int:
        """Bytes of allocated RAM sections (.data, .bss, .noinit), stack and heap reservations left out.

        Raises:
            ImageError: The file has no sections (Intel HEX): a figure would be a guess.
        """
        if self.ram_bytes is None:
            raise ImageError(
                f"{self.path} has no sections, so its static RAM is unknown",
                fix="name the ELF that the HEX was made from",
            )
        return self.ram_bytes

    def function_at(self, address: int) -> str:
        """Name of the function that holds `address`, "" if none does."""
        index = bisect_right(self.functions, address & ~1, key=lambda entry: entry[0]) - 1
        if index < 0:
            return ""
        start, size, name = self.functions[index]
        return name if (address & ~1) < start + max(size, 2) else ""


def load_image(path: Path) -> FirmwareImage:
    """Read an ELF or Intel HEX file.

    Raises:
        ImageError: It is missing, truncated, neither ELF nor Intel HEX, not for ARM, or has nothing for
        flash.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"can't read firmware image {path}: {error.strerror or error}",
            fix="build it, or correct the image path of the board",
        ) from error
    if content.startswith(b"\x7fELF"):
        return _load_elf(path, content)
    if content.lstrip()[:1] == b":":
        return _load_hex(path, content)
    found = "an empty file" if not content else f"a file that starts with {content[:8]!r}"
    raise ImageError(
        f"{path} is neither ELF nor Intel HEX: it is {found}", fix="name the linker's .elf or a .hex file"
    )


def check_fits(image: FirmwareImage, board: Board) -> None:
    """Prove that the image can be for this board; memory ranges that the board leaves out are not checked.

    Raises:
        ImageError: A segment lies outside the flash, or the stack outside the RAM.
    """
    if board.flash is not None:
        for segment in image.segments:
            if segment.address < board.flash.start or segment.stop > board.flash.end:
                raise _misfit(
                    image, board, f"{len(segment.data)} bytes", segment.address, "flash", board.flash
                )
    if board.ram is not None and image.stack is not None:
        bottom, top = image.stack
        if bottom < board.ram.start or top > board.ram.end:
            raise _misfit(image, board, f"a stack of {top - bottom} bytes", bottom, "RAM", board.ram)


def _misfit(
    image: FirmwareImage, board: Board, what: str, address: int, kind: str, memory: MemoryRange
) -> ImageError:
    return ImageError(
        f"{image.path} is not for board {board.name} ({board.target}): it has {what} at 0x{address:08x}, "
        f"but the {kind} of this board is 0x{memory.start:08x} to 0x{memory.end - 1:08x}",
        fix=f"use an image that was linked for {board.target}",
    )


def flash_sha256(segments: Iterable[Segment]) -> str:
    """The hash by which flash contents are compared; see `FirmwareImage`."""
    digest = hashlib.sha256()
    for segment in segments:
        digest.update(struct.pack("<II", segment.address, len(segment.data)))
        digest.update(segment.data)
    return digest.hexdigest()


def read_back(segments: Iterable[Segment], read: Callable[[int, int], bytes]) -> tuple[Segment, ...]:
    """The same address ranges as `segments`, filled by `read(address, size)`."""
    return tuple(Segment(segment.address, read(segment.address, len(segment.data))) for segment in segments)


def parse_build_id(data: bytes) -> str:
    """The structure at the build identity symbol as the console prints it, "" if it is none.

    Layout of firmware/common/build_id.h, little-endian: magic, u16 layout version, u16 size, git hash (20
    bytes), image hash (32 bytes), version text (32 bytes, zero-terminated).
    """
    if len(data) < _BUILD_ID.size:
        return ""
    magic, layout, _, git, image, text = _BUILD_ID.unpack_from(data)
    if magic != BUILD_ID_MAGIC or layout != 1:
        return ""
    version = text.split(b"\0", 1)[0].decode("ascii", "replace")
    return f"git={git.hex()},image={image.hex()},version={version}"


def _merge(path: Path, segments: Iterable[Segment]) -> tuple[Segment, ...]:
    merged: list[tuple[int, bytearray]] = []
    for segment in sorted(segments, key=lambda item: item.address):
        if merged and segment.address < merged[-1][0] + len(merged[-1][1]):
            raise ImageError(
                f"{path} has two segments that overlap at 0x{segment.address:08x}",
                fix="look at the load addresses in the linker script",
            )
        if merged and segment.address == merged[-1][0] + len(merged[-1][1]):
            merged[-1][1].extend(segment.data)
        else:
            merged.append((segment.address, bytearray(segment.data)))
    if not merged:
        raise ImageError(
            f"{path} has nothing to put into flash", fix="name the linked executable, not an object file"
        )
    return tuple(Segment(address, bytes(data)) for address, data in merged)


def _load_hex(path: Path, content: bytes) -> FirmwareImage:
    try:
        records = IntelHex(io.StringIO(content.decode("ascii")))
    except (IntelHexError, UnicodeDecodeError) as error:
        raise ImageError(
            f"{path} is not a sound Intel HEX file: {error}", fix="build the image again"
        ) from error
    if b":00000001FF" not in content.upper():
        raise ImageError(
            f"{path} is truncated: the end-of-file record is missing", fix="build the image again"
        )
    segments = _merge(
        path,
        (
            Segment(start, bytes(records.tobinarray(start=start, size=stop - start)))
            for start, stop in records.segments()
        ),
    )
    return FirmwareImage(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        segments=segments,
        flash_sha256=flash_sha256(segments),
        ram_bytes=None,
        stack=None,
        symbols={},
        functions=(),
        build_id="",
    )


def _load_elf(path: Path, content: bytes) -> FirmwareImage:
    try:
        elf = ELFFile(io.BytesIO(content))
        _check_machine(path, elf)
        _check_complete(path, elf, len(content))
        segments = _merge(
            path,
            (
                Segment(item["p_paddr"], item.data())
                for item in elf.iter_segments("PT_LOAD")
                if item["p_filesz"] and not SRAM_START <= item["p_paddr"] < SRAM_STOP
            ),
        )
        symbols, functions = _symbols(elf)
        stack = None
        if STACK_BOTTOM_SYMBOL in symbols and STACK_TOP_SYMBOL in symbols:
            stack = (symbols[STACK_BOTTOM_SYMBOL], symbols[STACK_TOP_SYMBOL])
        ram_bytes = _static_ram(elf, stack)
    except (ELFError, ConstructError, struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
        raise ImageError(
            f"{path} is a damaged ELF file: {error or type(error).__name__}", fix="build the image again"
        ) from error
    return FirmwareImage(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        segments=segments,
        flash_sha256=flash_sha256(segments),
        ram_bytes=ram_bytes,
        stack=stack,
        symbols=symbols,
        functions=functions,
        build_id=_build_id(segments, symbols),
    )


def _check_machine(path: Path, elf: ELFFile) -> None:
    if elf["e_machine"] != "EM_ARM" or elf.elfclass != 32 or not elf.little_endian:
        raise ImageError(
            f"{path} is not for a Cortex-M: it is a {elf.elfclass}-bit ELF for {elf.get_machine_arch()}",
            fix="name the image that the ARM cross compiler built",
        )
    if elf["e_type"] != "ET_EXEC":
        raise ImageError(f"{path} is not a linked executable ({elf['e_type']})", fix="name the linked .elf")


def _check_complete(path: Path, elf: ELFFile, size: int) -> None:
    ends = [
        elf["e_phoff"] + elf["e_phnum"] * elf["e_phentsize"],
        elf["e_shoff"] + elf["e_shnum"] * elf["e_shentsize"],
    ]
    if max(ends) <= size:
        ends += [item["p_offset"] + item["p_filesz"] for item in elf.iter_segments()]
        ends += [
            item["sh_offset"] + item["sh_size"]
            for item in elf.iter_sections()
            if item["sh_type"] != "SHT_NOBITS"
        ]
    if max(ends) > size:
        raise ImageError(
            f"{path} is truncated: it has {size} bytes, its headers speak of {max(ends)}",
            fix="build the image again",
        )


def _symbols(elf: ELFFile) -> tuple[dict[str, int], tuple[tuple[int, int, str], ...]]:
    symbols: dict[str, int] = {}
    functions: list[tuple[int, int, str]] = []
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        for symbol in section.iter_symbols():
            # Mapping symbols ($t, $d, ARM ELF ABI) and section symbols name nothing.
            if not symbol.name or symbol.name.startswith("$") or symbol["st_shndx"] == "SHN_UNDEF":
                continue
            is_function = symbol["st_info"]["type"] == "STT_FUNC"
            address = symbol["st_value"] & ~1 if is_function else symbol["st_value"]
            symbols[symbol.name] = address
            if is_function:
                functions.append((address, symbol["st_size"], symbol.name))
    return symbols, tuple(sorted(functions))


def _static_ram(elf: ELFFile, stack: tuple[int, int] | None) -> int:
    total = 0
    for section in elf.iter_sections():
        start, size = section["sh_addr"], section["sh_size"]
        if not section["sh_flags"] & _SHF_ALLOC or not SRAM_START <= start < SRAM_STOP:
            continue
        if section.name.startswith(_RESERVATIONS):
            continue
        if stack is not None:
            size -= max(0, min(start + size, stack[1]) - max(start, stack[0]))
        total += size
    return total


def _build_id(segments: tuple[Segment, ...], symbols: Mapping[str, int]) -> str:
    address = symbols.get(BUILD_ID_SYMBOL)
    if address is None:
        return ""
    for segment in segments:
        if segment.address <= address < segment.stop:
            return parse_build_id(segment.data[address - segment.address :])
    return ""
