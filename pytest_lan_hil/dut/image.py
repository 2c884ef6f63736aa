"""Firmware images: what is flashed, how much memory it takes, and by which hash it is known again.

Reads ELF (see `elf`) and Intel HEX (through intelhex).
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

from intelhex import IntelHex, IntelHexError

from pytest_lan_hil.dut.elf import Section, read_elf
from pytest_lan_hil.dut.source_lines import source_line
from pytest_lan_hil.model.errors import ImageError

if TYPE_CHECKING:
    from pytest_lan_hil.config import Board, MemoryRange

BUILD_ID_SYMBOL = "lan_build_id"
BUILD_ID_MAGIC = b"BID1"

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
        sections: Allocated sections by address; empty for HEX.
        variables: Rising (address, size, name) of the variables.
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
    sections: tuple[Section, ...] = ()
    variables: tuple[tuple[int, int, str], ...] = field(default=(), repr=False)

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
        """Name of the function that holds `address`, "" if none does.

        A compiler's clone of a function ("f.isra.0", "f.part.1", "f.cold") is told as the function itself.
        """
        index = bisect_right(self.functions, address & ~1, key=lambda entry: entry[0]) - 1
        if index < 0:
            return ""
        start, size, name = self.functions[index]
        return name.partition(".")[0] if (address & ~1) < start + max(size, 2) else ""

    def line_at(self, address: int) -> str:
        """ "file:line" of the source that the instruction at `address` was made from; "" if that is unknown.

        Reads the debug information of the file each time: ask only for what will be shown. Unknown where the
        file was built without -g, is no ELF, or is not the file any more that this image was read from.
        """
        return source_line(self.path, self.sha256, address & ~1)


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
    elf = read_elf(path, content)
    segments = _merge(path, (Segment(address, data) for address, data in elf.loads))
    return FirmwareImage(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        segments=segments,
        flash_sha256=flash_sha256(segments),
        ram_bytes=elf.static_ram,
        stack=elf.stack,
        symbols=elf.symbols,
        functions=elf.functions,
        build_id=_build_id(segments, elf.symbols),
        sections=elf.sections,
        variables=elf.variables,
    )


def _build_id(segments: tuple[Segment, ...], symbols: Mapping[str, int]) -> str:
    address = symbols.get(BUILD_ID_SYMBOL)
    if address is None:
        return ""
    for segment in segments:
        if segment.address <= address < segment.stop:
            return parse_build_id(segment.data[address - segment.address :])
    return ""
