"""Flash and static RAM by source file, from the symbols of an ELF file.

Symbols know functions and variables only. Whose they are is told by the debug information, or by the FILE
symbol in front of local ones (System V ABI, "Symbol Table"); what no symbol covers is counted as padding.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pytest_lan_hil.dut.elf import Section
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.linker_map import SCRIPT
from pytest_lan_hil.dut.source_lines import UNREADABLE

UNKNOWN = "(source unknown)"

Sizes = Iterator[tuple[str, int, int]]
"""Name of a file, bytes of flash, bytes of RAM; a file may come several times."""

_DW_OP_ADDR = 0x03


def sizes_by_symbols(image: FirmwareImage) -> Sizes:
    """Every byte of the image's sections, room for stack and heap left out."""
    names = _names_by_address(image)
    rest = {section.name: section.size for section in image.sections if not section.reserved}
    covered: dict[str, int] = dict.fromkeys(rest, 0)
    for start, size, _ in sorted({*image.functions, *image.variables}):
        section = _section_of(image, start)
        if section is None or section.reserved:
            continue
        begin = max(start, covered[section.name])  # aliases of one function count once
        taken = max(0, min(start + size, section.address + section.size) - begin)
        covered[section.name] = max(covered[section.name], start + size)
        rest[section.name] -= taken
        yield names.get(start, UNKNOWN), *_split(section, taken)
    for section in image.sections:
        if rest.get(section.name):
            yield SCRIPT, *_split(section, rest[section.name])


def _split(section: Section, size: int) -> tuple[int, int]:
    return (size if section.loaded or not section.in_ram else 0), (size if section.in_ram else 0)


def _section_of(image: FirmwareImage, address: int) -> Section | None:
    return next((s for s in image.sections if s.address <= address < s.address + s.size), None)


def _names_by_address(image: FirmwareImage) -> dict[int, str]:
    """Address of a function or variable to the source file that it comes from."""
    elf = ELFFile(io.BytesIO(image.path.read_bytes()))
    local: dict[int, str] = {}
    told: dict[int, str] = {}
    try:
        for table in elf.iter_sections():
            if isinstance(table, SymbolTableSection):
                local |= _by_file_symbols(table)
        if elf.has_dwarf_info(strict=True):
            for unit in elf.get_dwarf_info().iter_CUs():
                told |= _by_debug_information(unit)
    except UNREADABLE:  # what was found until here is right
        pass
    # FILE symbols have no folders; the debug information knows them, unless two files have one name.
    folders: dict[str, set[str]] = {}
    for name in told.values():
        folders.setdefault(name.rpartition("/")[2], set()).add(name)
    whole = {name: paths.pop() for name, paths in folders.items() if len(paths) == 1}
    return {at: whole.get(name, name) for at, name in local.items()} | told


def _by_file_symbols(table: Any) -> dict[int, str]:
    names, file = {}, ""
    for symbol in table.iter_symbols():
        kind, binding = symbol["st_info"]["type"], symbol["st_info"]["bind"]
        if kind == "STT_FILE":
            file = symbol.name
        elif kind in ("STT_FUNC", "STT_OBJECT") and binding == "STB_LOCAL" and file:
            names[symbol["st_value"] & ~(kind == "STT_FUNC")] = file
    return names


def _by_debug_information(unit: Any) -> dict[int, str]:
    source = unit.get_top_DIE().attributes.get("DW_AT_name")
    if source is None:
        return {}
    file = source.value.decode("utf-8", "replace")
    names = {}
    for entry in unit.iter_DIEs():
        if entry.tag == "DW_TAG_subprogram" and "DW_AT_low_pc" in entry.attributes:
            names[entry.attributes["DW_AT_low_pc"].value & ~1] = file
        elif entry.tag == "DW_TAG_variable" and "DW_AT_location" in entry.attributes:
            place = entry.attributes["DW_AT_location"].value
            if isinstance(place, list) and len(place) == 5 and place[0] == _DW_OP_ADDR:
                names[int.from_bytes(bytes(place[1:]), "little")] = file
    return names
