"""Fill the build identity of a linked image: the sources' git tree hash and the flash image's SHA-256.

    python tools/stamp.py image.elf --root firmware --parts Makefile,common,...

The tree hash is the one git computes for a tree holding exactly these files and folders, worked out here from
the files' contents: the same value with or without git, and for every commit that leaves the sources alone.
Check it by hand, in firmware/: `git ls-tree HEAD Makefile common cortex_m4 nrf52840 tools | git mktree`.

The image hash covers the flash image (all loadable bytes by load address, gaps as 0xFF), its own field zero.
Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import sys
from pathlib import Path
from typing import NamedTuple

MAGIC = 0x31444942
GIT_AT, GIT_SIZE = 8, 20
IMAGE_AT, IMAGE_SIZE = 28, 32
PT_LOAD = 1
SKIPPED = {"__pycache__"}


class Layout(NamedTuple):
    """Where an ELF file keeps its program headers (System V ABI, "ELF Header" and "Program Header").

    `header`: format and offset of e_phoff, e_phentsize, e_phnum. `segment`: format of one program header;
    `fields`: which of its fields are p_type, p_offset, p_paddr, p_filesz.
    """

    header: tuple[tuple[str, int], ...]
    segment: str
    fields: tuple[int, int, int, int]


LAYOUTS = {
    b"\x7fELF\x01\x01": Layout((("<I", 28), ("<H", 42), ("<H", 44)), "<5I", (0, 1, 3, 4)),
    b"\x7fELF\x02\x01": Layout((("<Q", 32), ("<H", 54), ("<H", 56)), "<2I4Q", (0, 2, 4, 5)),
}


def git_object(kind: str, body: bytes) -> bytes:
    """The SHA-1 name of a git object."""
    return hashlib.sha1(f"{kind} {len(body)}\0".encode() + body, usedforsecurity=False).digest()


def git_tree(entries: list[Path]) -> bytes:
    """Name of the tree that holds these files and folders (contents and names; files are mode 100644)."""
    rows = []
    for path in entries:
        if path.is_dir():
            children = [p for p in path.iterdir() if p.name not in SKIPPED and not p.name.startswith(".")]
            # git sorts a folder as if its name ended with a slash
            rows.append((path.name.encode() + b"/", b"40000", path.name.encode(), git_tree(children)))
        else:
            name = path.name.encode()
            rows.append((name, b"100644", name, git_object("blob", path.read_bytes())))
    body = b"".join(mode + b" " + name + b"\0" + digest for _, mode, name, digest in sorted(rows))
    return git_object("tree", body)


def load_segments(elf: bytes) -> list[tuple[int, int, int]]:
    """(load address, file offset, size) of the loadable bytes, by address."""
    layout = LAYOUTS.get(elf[:6])
    if layout is None:
        raise SystemExit("stamp: not a little-endian ELF file")
    start, size, count = (struct.unpack_from(form, elf, at)[0] for form, at in layout.header)
    found = []
    for i in range(count):
        fields = struct.unpack_from(layout.segment, elf, start + i * size)
        kind, offset, address, in_file = (fields[index] for index in layout.fields)
        if kind == PT_LOAD and in_file:
            found.append((address, offset, in_file))
    return sorted(found)


def find_identity(elf: bytes, segments: list[tuple[int, int, int]]) -> int:
    """File offset of the identity: the one place in the loadable bytes with its magic and head."""
    head = struct.pack("<IHH", MAGIC, 1, 96)
    hits = []
    for _, offset, size in segments:
        at = elf.find(head, offset, offset + size)
        while at >= 0:
            hits.append(at)
            at = elf.find(head, at + 1, offset + size)
    if len(hits) != 1:
        raise SystemExit(f"stamp: found {len(hits)} build identities in the image, expected 1")
    return hits[0]


def flash_image(elf: bytes, segments: list[tuple[int, int, int]]) -> bytes:
    """What flash holds from the lowest to the highest loaded address."""
    base = segments[0][0]
    image = bytearray(b"\xff" * (max(address + size for address, _, size in segments) - base))
    for address, offset, size in segments:
        image[address - base : address - base + size] = elf[offset : offset + size]
    return bytes(image)


def stamp(elf: bytes, tree: bytes) -> bytes:
    """The image with its identity filled in."""
    out = bytearray(elf)
    segments = load_segments(elf)
    at = find_identity(elf, segments)
    out[at + GIT_AT : at + GIT_AT + GIT_SIZE] = tree
    out[at + IMAGE_AT : at + IMAGE_AT + IMAGE_SIZE] = bytes(IMAGE_SIZE)
    digest = hashlib.sha256(flash_image(bytes(out), segments)).digest()
    out[at + IMAGE_AT : at + IMAGE_AT + IMAGE_SIZE] = digest
    return bytes(out)


def main() -> int:
    """Stamp one file in place."""
    parser = argparse.ArgumentParser(description="Fill the build identity of a linked image")
    parser.add_argument("elf", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="firmware folder")
    parser.add_argument("--parts", required=True, help="files and folders of the tree, comma separated")
    options = parser.parse_args()
    tree = git_tree([options.root / part for part in options.parts.split(",")])
    options.elf.write_bytes(stamp(options.elf.read_bytes(), tree))
    return 0


if __name__ == "__main__":
    sys.exit(main())
