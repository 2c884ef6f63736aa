"""The map file of GNU ld: which object file put how many bytes into which output section.

The format has no specification; this follows what ld's map printing writes (binutils documentation, "ld,
Command-line Options, -Map"). A line that starts in the first column is an output section, one that is
indented by one space an input section; a name that is too long for its column stands alone, its figures on
the next line. Input sections that were garbage-collected are listed before all that and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from pytest_lan_hil.model.errors import InputError

#: What no object file brought: room and padding that the linker script makes.
SCRIPT = "(linker script and padding)"
TEMPORARY = "(objects without a name)"

_BEGIN = "Linker script and memory map"
_NEEDED = "Memory Configuration"
_HEX = r"0x[0-9a-fA-F]+"
_FIGURES = re.compile(rf"\s+(?P<address>{_HEX})\s+(?P<size>{_HEX})(?P<rest>.*)$")
_OUTPUT = re.compile(r"^(?P<name>[^\s*(][^\s]*)(?P<tail>.*)$")
_INPUT = re.compile(r"^ (?P<name>\*fill\*|[^\s*(][^\s]*)(?P<tail>.*)$")
_LOAD = re.compile(rf"\s*load address (?P<address>{_HEX})")
_NOT_SECTIONS = frozenset({"LOAD", "START", "END", "OUTPUT", "TARGET", "GROUP", "INPUT"})
_DATA = frozenset({"BYTE", "SHORT", "LONG", "QUAD", "SQUAD", "FILL"})
# Debug sections and the like; and .tbss, whose room is each thread's.
_NEVER_ALLOCATED = re.compile(
    r"\.(tbss|debug|zdebug|stab|comment|ARM\.attributes|symtab|strtab|shstrtab|note\.GNU|gnu\.lto|gnu\.build)"
)
# gcc's names for what it compiles and links in one call, and for the parts of link-time optimisation.
_LTO = re.compile(r"(?P<part>ltrans\d+)\.ltrans\.o$")
_CC_TEMPORARY = re.compile(r"^cc[A-Za-z0-9]{6}\.o$")
_ARCHIVED = re.compile(r"^(?P<archive>.*)\((?P<member>[^()]+)\)$")


@dataclass(frozen=True, slots=True)
class Contribution:
    """Bytes that one object file has in an output section."""

    section: str
    object: str
    size: int


@dataclass(frozen=True, slots=True)
class OutputSection:
    """An output section as the map has it; `load_address` is None where it is the address."""

    name: str
    address: int
    size: int
    load_address: int | None


@dataclass(frozen=True, slots=True)
class LinkerMap:
    """What a map file says: output sections, and who is in them."""

    sections: tuple[OutputSection, ...]
    contributions: tuple[Contribution, ...]


def parse_map(text: str) -> LinkerMap:
    """Read a map file of GNU ld. Debug sections and what was discarded are left out.

    Raises:
        InputError: It is none, or it ends before the memory map.
    """
    if _BEGIN not in text or _NEEDED not in text:
        raise InputError(
            "not a map file of GNU ld: it has no memory map", fix="link with -Wl,-Map=FILE.map and GNU ld"
        )
    sections: list[OutputSection] = []
    raw: list[tuple[str, str, int]] = []
    for entry in _entries(text.partition(_BEGIN)[2].splitlines()):
        if isinstance(entry, OutputSection):
            sections.append(entry)
        elif sections and entry[1]:
            raw.append((sections[-1].name, *entry))
    kept = [section for section in sections if section.size and not _NEVER_ALLOCATED.match(section.name)]
    names = {section.name for section in kept}
    inside = [(section, file, size) for section, file, size in raw if section in names]
    shown = object_names({file for _, file, _ in inside})
    contributions = [Contribution(section, shown[file], size) for section, file, size in inside]
    for section in kept:
        rest = section.size - sum(size for name, _, size in inside if name == section.name)
        if rest:
            contributions.append(Contribution(section.name, SCRIPT, rest))
    return LinkerMap(tuple(kept), tuple(contributions))


def object_names(files: set[str]) -> dict[str, str]:
    """What to call each object: the shortest name that a build in another folder would give it as well.

    Members of an archive keep the archive's file name, the compiler's own start files theirs; of all others
    the folder that they have in common is left out. Temporary names of the compiler become one name.
    """
    own = sorted(file for file in files if _is_own(file))
    parents = [_path(file).parts[:-1] for file in own]
    common = 0
    if parents:
        while all(len(parts) > common and parts[common] == parents[0][common] for parts in parents):
            common += 1
    return {file: _shown(file, common) for file in files}


def _entries(lines: list[str]) -> Iterator[OutputSection | tuple[str, int]]:
    """Output sections, and (file, size) of the input sections in each; lines that wrap are joined."""
    index = 0
    while index < len(lines):
        line = lines[index].rstrip()
        index += 1
        output, inner = _OUTPUT.match(line), _INPUT.match(line)
        found = output or inner
        if found is None:
            continue
        name, tail = found["name"], found["tail"]
        figures = _FIGURES.match(tail)
        if figures is None and not tail.strip() and index < len(lines):
            figures = _FIGURES.match(lines[index].rstrip())
            index += figures is not None
        if figures is None or (output and (name in _NOT_SECTIONS or name.endswith(":"))):
            continue
        size = int(figures["size"], 16)
        if output:
            load = _LOAD.match(figures["rest"])
            at = int(load["address"], 16) if load else None
            yield OutputSection(name, int(figures["address"], 16), size, at)
        elif name != "*fill*" and name not in _DATA:
            yield figures["rest"].strip(), size


def _is_own(file: str) -> bool:
    path = _path(file)
    return (
        not _ARCHIVED.match(file)
        and not _LTO.search(path.name)
        and not _CC_TEMPORARY.match(path.name)
        and "gcc" not in path.parts
        and not path.name.startswith("crt")
    )


def _shown(file: str, common: int) -> str:
    archived = _ARCHIVED.match(file)
    if archived:
        return f"{_path(archived['archive']).name}({archived['member']})"
    path = _path(file)
    part = _LTO.search(path.name)
    if part:
        return f"(link-time optimisation, {part['part']})"
    if _CC_TEMPORARY.match(path.name):
        return TEMPORARY
    return "/".join(path.parts[common:]) if _is_own(file) else path.name


def _path(file: str) -> PurePosixPath | PureWindowsPath:
    return PureWindowsPath(file) if "\\" in file else PurePosixPath(file)
