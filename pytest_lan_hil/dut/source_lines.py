"""From an address to file and line, by the line tables of an ELF file (DWARF 5 standard, section 6.2)."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from elftools.common.exceptions import DWARFError
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.elffile import ELFFile

from pytest_lan_hil.dut.elf import DAMAGED

#: What pyelftools raises for debug information that is damaged, or of a kind that it does not know.
UNREADABLE = (OSError, IndexError, AttributeError, DWARFError, *DAMAGED)


def source_line(path: Path, sha256: str, address: int) -> str:
    """ "file:line" of the instruction at `address`, "" if that can't be told.

    Args:
        path: The ELF file.
        sha256: What the file was when it was read; another file's lines would mislead.
        address: Of the instruction.
    """
    info = _debug_info(path, sha256)
    if info is None:
        return ""
    try:
        return next(_lines(info, address), "")
    except UNREADABLE:  # the image was sound; its debug information is not, and was only to explain something
        return ""


@lru_cache(maxsize=2)
def _debug_info(path: Path, sha256: str) -> DWARFInfo | None:
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256 or not content.startswith(b"\x7fELF"):
            return None
        elf = ELFFile(io.BytesIO(content))
        return elf.get_dwarf_info() if elf.has_dwarf_info(strict=True) else None
    except UNREADABLE:
        return None


def _lines(info: DWARFInfo, address: int) -> Iterator[str]:
    for unit in info.iter_CUs():
        program = info.line_program_for_CU(unit)
        if program is None:
            continue
        before: Any = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and before.address <= address < state.address and before.line:
                yield f"{_file(program.header, before.file, _folder(unit))}:{before.line}"
            before = None if state.end_sequence else state


def _folder(unit: Any) -> str:
    attribute = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    return attribute.value.decode("utf-8", "replace") if attribute is not None else ""


def _file(header: Any, number: int, compiled_in: str) -> str:
    """Name of a file of the line table, as it was given to the compiler.

    Until version 4 both tables count from 1 and folder 0 is the one that was compiled in; from version 5 on
    they count from 0 and folder 0 is a row of its own.
    """
    modern = header["version"] >= 5
    entry = header["file_entry"][number if modern else number - 1]
    folders = header["include_directory"]
    index = entry.dir_index if modern else entry.dir_index - 1
    folder = folders[index] if 0 <= index < len(folders) else b""
    name = PurePosixPath(folder.decode("utf-8", "replace")) / entry.name.decode("utf-8", "replace")
    if compiled_in and name.is_relative_to(compiled_in):
        name = name.relative_to(compiled_in)
    return str(name)
