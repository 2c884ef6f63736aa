"""Writes small ARM ELF executables for the tests of the image reader."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

ALLOC, WRITE, EXEC = 0x2, 0x1, 0x4
PROGBITS, SYMTAB, STRTAB, NOBITS = 1, 2, 3, 8
FUNC, OBJECT, NOTYPE = 2, 1, 0


@dataclass
class Section:
    name: str
    address: int
    data: bytes = b""
    size: int | None = None
    load_address: int | None = None  # None: where it runs; -1: not loaded
    kind: int = PROGBITS
    flags: int = ALLOC


@dataclass
class Elf:
    sections: list[Section] = field(default_factory=list)
    symbols: list[tuple[str, int, int, int]] = field(default_factory=list)  # name, value, size, type
    machine: int = 40
    kind: int = 2

    def build(self) -> bytes:
        names, strings = bytearray(b"\0"), bytearray(b"\0")
        symtab = bytearray(16)
        for name, value, size, kind in self.symbols:
            symtab += struct.pack("<IIIBBH", len(strings), value, size, 1 << 4 | kind, 0, 1)
            strings += name.encode() + b"\0"
        everything = [
            *self.sections,
            Section(".symtab", 0, bytes(symtab), kind=SYMTAB, flags=0, load_address=-1),
            Section(".strtab", 0, bytes(strings), kind=STRTAB, flags=0, load_address=-1),
        ]
        loaded = [s for s in everything if s.flags & ALLOC and s.load_address != -1]
        offset = 52 + 32 * len(loaded)
        body, headers, programs = bytearray(), [bytes(40)], []
        strtab_index = len(everything)
        for section in everything:
            size = len(section.data) if section.size is None else section.size
            link = strtab_index if section.kind == SYMTAB else 0
            entry = 16 if section.kind == SYMTAB else 0
            place = offset + len(body)
            headers.append(
                struct.pack(
                    "<10I",
                    len(names), section.kind, section.flags, section.address, place, size, link, 1, 4, entry,
                )
            )  # fmt: skip
            names += section.name.encode() + b"\0"
            if section in loaded:
                load = section.address if section.load_address is None else section.load_address
                in_file = 0 if section.kind == NOBITS else size
                programs.append(struct.pack("<8I", 1, place, section.address, load, in_file, size, 7, 4))
            if section.kind != NOBITS:
                body += section.data
        name_offset = len(names)
        names += b".shstrtab\0"
        headers.append(
            struct.pack("<10I", name_offset, STRTAB, 0, 0, offset + len(body), len(names), 0, 0, 1, 0)
        )
        body += names
        header = struct.pack(
            "<4s5B7xHHIIIIIHHHHHH",
            b"\x7fELF", 1, 1, 1, 0, 0, self.kind, self.machine, 1, 0, 52, offset + len(body), 0x05000400,
            52, 32, len(programs), 40, len(headers), len(headers) - 1,
        )  # fmt: skip
        return header + b"".join(programs) + bytes(body) + b"".join(headers)


def firmware(code: bytes = bytes(range(64)), build_id: bytes = b"") -> Elf:
    """A plausible firmware: vectors and code, .data loaded behind them, .bss, .noinit and a stack."""
    text = code + build_id
    return Elf(
        sections=[
            Section(".text", 0x0, text, flags=ALLOC | EXEC),
            Section(".data", 0x2000_0000, b"\x11" * 8, load_address=len(text), flags=ALLOC | WRITE),
            Section(".bss", 0x2000_0008, size=40, kind=NOBITS, flags=ALLOC | WRITE),
            Section(".noinit", 0x2000_0030, size=16, kind=NOBITS, flags=ALLOC | WRITE),
            Section(".stack", 0x2003_F000, size=0x1000, kind=NOBITS, flags=ALLOC | WRITE),
            Section(".debug_info", 0, b"debug", flags=0, load_address=-1),
        ],
        symbols=[
            ("$t", 0x10, 0, NOTYPE),
            ("main", 0x11, 16, FUNC),
            ("HardFault_Handler", 0x21, 2, FUNC),
            ("__stack_bottom", 0x2003_F000, 0, NOTYPE),
            ("__stack_top", 0x2004_0000, 0, NOTYPE),
            ("lan_build_id", len(code), 96, OBJECT),
        ],
    )
