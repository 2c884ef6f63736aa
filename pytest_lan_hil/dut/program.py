"""Images that are programs of this host: read instead of loaded into flash, and started instead of flashed.

The program is known again by the hash of its file, and by the build identity that it carries, which is found
by its first bytes (firmware/common/build_id.h). ELF alone is taken, that is Linux.
"""

from __future__ import annotations

import hashlib
import platform
import struct
from pathlib import Path

from pytest_lan_hil.config import Board
from pytest_lan_hil.dut.elf import read_program
from pytest_lan_hil.dut.image import BUILD_ID_MAGIC, FirmwareImage, check_fits, load_image, parse_build_id
from pytest_lan_hil.model.errors import ImageError

_ELF = b"\x7fELF"
# Magic, layout version, size.
_BUILD_ID_HEAD = struct.pack("<4sHH", BUILD_ID_MAGIC, 1, 96)
# `platform.machine()` to e_machine (System V ABI).
_MACHINES = {
    "x86_64": "EM_X86_64",
    "AMD64": "EM_X86_64",
    "aarch64": "EM_AARCH64",
    "arm64": "EM_AARCH64",
    "armv7l": "EM_ARM",
    "i686": "EM_386",
    "riscv64": "EM_RISCV",
    "ppc64le": "EM_PPC64",
    "s390x": "EM_S390",
}


def load_image_for(board: Board, path: Path) -> FirmwareImage:
    """Read an image of the kind that this board takes, and prove that it can be for it.

    Raises:
        ImageError: It is missing, damaged, or for another chip or machine.
    """
    if board.is_native:
        return load_program(path)
    image = load_image(path)
    check_fits(image, board)
    return image


def load_program(path: Path) -> FirmwareImage:
    """Read a program of this host: without segments for a flash, its `flash_sha256` that of the file.

    Raises:
        ImageError: It is missing, damaged, no ELF file, or for another machine.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"can't read program {path}: {error.strerror or error}",
            fix="build it, or correct the image path of the board",
        ) from error
    if not content.startswith(_ELF):
        found = "an empty file" if not content else f"a file that starts with {content[:8]!r}"
        raise ImageError(
            f"{path} is no program that this host can be tested with: it is {found}",
            fix="name the linked ELF file; programs of other systems than Linux are not taken",
        )
    program = read_program(path, content)
    machine = platform.machine()
    if program.machine != _MACHINES.get(machine, program.machine):
        raise ImageError(
            f"{path} is a program for another machine: it is for {program.machine}, this host is {machine}",
            fix="build it on this host",
        )
    digest = hashlib.sha256(content).hexdigest()
    return FirmwareImage(
        path=path,
        sha256=digest,
        segments=(),
        flash_sha256=digest,
        ram_bytes=None,
        stack=None,
        symbols=program.symbols,
        functions=program.functions,
        build_id=_build_id(content),
    )


def _build_id(content: bytes) -> str:
    """The identity that the program carries, "" if it carries none, or what looks like several."""
    at = content.find(_BUILD_ID_HEAD)
    if at < 0 or content.find(_BUILD_ID_HEAD, at + 1) >= 0:
        return ""
    return parse_build_id(content[at:])
