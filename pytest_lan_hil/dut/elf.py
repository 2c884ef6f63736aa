"""Linked executables: sections, symbols and what is loaded where; read through pyelftools.

What is flashed must be 32-bit little-endian ARM: every DUT with a debug probe is a Cortex-M. Addresses follow
the ARMv7-M memory map (ARM DDI 0403E, table B3-1): code below 0x20000000, SRAM from 0x20000000 to 0x3FFFFFFF.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pytest_lan_hil.model.errors import ImageError

SRAM_START = 0x2000_0000
SRAM_STOP = 0x4000_0000

#: What pyelftools raises for a file whose headers or tables are damaged.
DAMAGED = (ELFError, ConstructError, struct.error, UnicodeDecodeError, KeyError, ValueError)

# Lowest address and first address behind the main stack: this project's linker script, CMSIS and nRF5 SDK.
_STACK_SYMBOLS = (("__stack_bottom", "__stack_top"), ("__StackLimit", "__StackTop"))
# STM32Cube gives its top, and the size that is kept free for it.
_CUBE_STACK = ("_estack", "_Min_Stack_Size")
# Sections that only reserve room for stack or heap; names as linker scripts of newlib, CMSIS and STM32Cube
# use them.
_RESERVATIONS = (".stack", ".heap", "._user_heap_stack", ".stack_dummy", ".co_stack", ".ram_heap")
_SHF_ALLOC, _SHF_TLS = 0x2, 0x400


@dataclass(frozen=True, slots=True)
class Section:
    """An allocated output section.

    Attributes:
        name, address, size: As linked; bytes.
        loaded: It has contents, which lie in flash (for RAM: until start-up copies them).
        reserved: It only keeps room for stack or heap.
    """

    name: str
    address: int
    size: int
    loaded: bool
    reserved: bool = False

    @property
    def in_ram(self) -> bool:
        """True if it is used in RAM."""
        return SRAM_START <= self.address < SRAM_STOP

    @property
    def kind(self) -> str:
        """Where it takes room: "flash", "flash + RAM", "RAM" or "reserved"."""
        if self.reserved:
            return "reserved"
        if not self.in_ram:
            return "flash"
        return "flash + RAM" if self.loaded else "RAM"


@dataclass(frozen=True, slots=True)
class ElfContents:
    """What an image takes from an ELF file; see `FirmwareImage`. `loads`: load address and bytes."""

    loads: tuple[tuple[int, bytes], ...]
    sections: tuple[Section, ...]
    symbols: Mapping[str, int]
    functions: tuple[tuple[int, int, str], ...]
    variables: tuple[tuple[int, int, str], ...]
    stack: tuple[int, int] | None
    static_ram: int


def read_elf(path: Path, content: bytes) -> ElfContents:
    """Read a linked executable.

    Raises:
        ImageError: Truncated, damaged, not linked, or not for ARM.
    """
    try:
        elf = ELFFile(io.BytesIO(content))
        _check_machine(path, elf)
        _check_complete(path, elf, len(content))
        loads = tuple(
            (item["p_paddr"], item.data())
            for item in elf.iter_segments("PT_LOAD")
            if item["p_filesz"] and not SRAM_START <= item["p_paddr"] < SRAM_STOP
        )
        symbols, functions, variables = _symbols(elf)
        sections = _sections(elf)
    except DAMAGED as error:
        raise ImageError(
            f"{path} is a damaged ELF file: {error or type(error).__name__}", fix="build the image again"
        ) from error
    stack = _stack(symbols)
    return ElfContents(loads, sections, symbols, functions, variables, stack, _static_ram(sections, stack))


@dataclass(frozen=True, slots=True)
class ProgramContents:
    """What is read from a program of the host; `machine` is ELF's name of its processor ("EM_X86_64")."""

    machine: str
    symbols: Mapping[str, int]
    functions: tuple[tuple[int, int, str], ...]


def read_program(path: Path, content: bytes) -> ProgramContents:
    """Read a linked executable of whatever processor.

    Raises:
        ImageError: Truncated, damaged, or not linked.
    """
    try:
        elf = ELFFile(io.BytesIO(content))
        if elf["e_type"] not in ("ET_EXEC", "ET_DYN"):  # ET_DYN: position independent
            raise ImageError(
                f"{path} is not a linked executable ({elf['e_type']})", fix="name what was linked"
            )
        _check_complete(path, elf, len(content))
        symbols, functions, _ = _symbols(elf)
        return ProgramContents(elf["e_machine"], symbols, functions)
    except DAMAGED as error:
        raise ImageError(
            f"{path} is a damaged ELF file: {error or type(error).__name__}", fix="build the image again"
        ) from error


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


_Sized = tuple[tuple[int, int, str], ...]


def _symbols(elf: ELFFile) -> tuple[dict[str, int], _Sized, _Sized]:
    """Every symbol's address; and rising (address, size, name) of functions, and of variables."""
    symbols: dict[str, int] = {}
    sized: dict[str, list[tuple[int, int, str]]] = {"STT_FUNC": [], "STT_OBJECT": []}
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        for symbol in section.iter_symbols():
            # Mapping symbols ($t, $d, ARM ELF ABI), sections and sources are no places in memory.
            kind = symbol["st_info"]["type"]
            if not symbol.name or symbol.name.startswith("$") or symbol["st_shndx"] == "SHN_UNDEF":
                continue
            if kind == "STT_FILE":
                continue
            address = symbol["st_value"] & ~1 if kind == "STT_FUNC" else symbol["st_value"]
            symbols[symbol.name] = address
            if kind in sized:
                sized[kind].append((address, symbol["st_size"], symbol.name))
    return symbols, tuple(sorted(sized["STT_FUNC"])), tuple(sorted(sized["STT_OBJECT"]))


def _sections(elf: ELFFile) -> tuple[Section, ...]:
    return tuple(
        Section(
            section.name,
            section["sh_addr"],
            section["sh_size"],
            loaded=section["sh_type"] != "SHT_NOBITS",
            reserved=section.name.startswith(_RESERVATIONS),
        )
        for section in elf.iter_sections()
        if section["sh_flags"] & _SHF_ALLOC and section["sh_size"] and not _is_template(section)
    )


def _is_template(section: Any) -> bool:
    """Zeroes of thread-local variables (.tbss) take no room: each thread's copy does (ELF-TLS, section 3)."""
    return bool(section["sh_flags"] & _SHF_TLS) and bool(section["sh_type"] == "SHT_NOBITS")


def _stack(symbols: Mapping[str, int]) -> tuple[int, int] | None:
    for bottom, top in _STACK_SYMBOLS:
        if bottom in symbols and top in symbols:
            return symbols[bottom], symbols[top]
    top, size = _CUBE_STACK
    if top in symbols and size in symbols:
        return symbols[top] - symbols[size], symbols[top]
    return None


def _static_ram(sections: tuple[Section, ...], stack: tuple[int, int] | None) -> int:
    """Bytes of RAM sections; room that is kept for stack or heap is left out."""
    total = 0
    for section in sections:
        if not section.in_ram or section.reserved:
            continue
        total += section.size
        if stack is not None:
            overlap = min(section.address + section.size, stack[1]) - max(section.address, stack[0])
            total -= max(0, overlap)
    return total
