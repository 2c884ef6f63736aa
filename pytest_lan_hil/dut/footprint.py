"""Flash and static RAM by object file: from the linker map beside an ELF, else from the ELF's symbols.

The map knows every byte. Symbols know functions and variables only; whose they are is told by the debug
information, or by the FILE symbol in front of local ones. Which of the two was used stands in `source`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pytest_lan_hil.dut.elf import SRAM_START, SRAM_STOP, Section
from pytest_lan_hil.dut.growth import Footprint, Growth, ObjectSize, compare
from pytest_lan_hil.dut.image import FirmwareImage, load_image
from pytest_lan_hil.dut.linker_map import SCRIPT, LinkerMap, parse_map
from pytest_lan_hil.dut.symbol_sizes import Sizes, sizes_by_symbols
from pytest_lan_hil.model.errors import ImageError, InputError

__all__ = [
    "Footprint",
    "Growth",
    "ObjectSize",
    "before_and_after",
    "compare",
    "footprint",
    "footprint_by_symbols",
]

# Output sections that start-up zeroes or leaves alone; for a map without its ELF, which would say NOBITS.
_NO_CONTENTS = (".bss", ".sbss", ".noinit", ".stack", ".heap", "._user_heap_stack", ".guard")


def footprint(image: FirmwareImage) -> Footprint:
    """Of an image that was read.

    Raises:
        ImageError: It is Intel HEX, which has neither symbols nor a map.
    """
    _require_sections(image)
    path = image.path.with_suffix(".map")
    why = f"no {path.name} beside it"
    if path.is_file():
        try:
            linked = _read_map(path)
        except InputError as error:
            why = f"{path.name} is {error.problem}"
        else:
            if _belongs(linked, image.sections):
                return _whole(image, _by_map(linked, image.sections), f"linker map {path.name}")
            why = f"{path.name} is of another build"
    return footprint_by_symbols(image, why)


def footprint_by_symbols(image: FirmwareImage, why: str) -> Footprint:
    """Of an image that was read, without a map; `why` says why, in a few words.

    Raises:
        ImageError: It is Intel HEX.
    """
    _require_sections(image)
    return _whole(image, sizes_by_symbols(image), f"symbols of {image.path.name} ({why})")


def before_and_after(older: Path, image: FirmwareImage) -> tuple[Footprint, Footprint]:
    """Of an older build and of this one, told in the same way where that is possible.

    Args:
        older: Its `.elf`, its `.map`, or a folder that holds them: under `image`'s name, or as the only one.
        image: What to compare with it; says which sections have contents where only a map is left.

    Raises:
        InputError: There is no older build, or it can't be read.
    """
    if not older.exists():
        raise InputError(
            f"comparing with an older build: there is no {older}",
            fix="name its ELF, its map, or the folder that holds them",
        )
    file = _in_folder(older, image) if older.is_dir() else older
    if file.suffix == ".map" and file.with_suffix(".elf").is_file():
        file = file.with_suffix(".elf")
    after = footprint(image)
    if file.suffix == ".map":
        before = _tabulate(_by_map(_read_map(file), image.sections), f"linker map {file.name}")
        return before, after
    old = load_image(file)
    before = footprint(old)
    if before.by_map == after.by_map:
        return before, after
    why = "only one of the two has a map"
    return footprint_by_symbols(old, why), footprint_by_symbols(image, why)


def _require_sections(image: FirmwareImage) -> None:
    if not image.sections:
        raise ImageError(
            f"{image.path} has no sections, so nobody knows which object takes what",
            fix="name the ELF that the HEX was made from",
        )


def _in_folder(folder: Path, like: FirmwareImage) -> Path:
    same = [folder / like.path.name, folder / like.path.with_suffix(".map").name]
    candidates = [path for path in same if path.is_file()]
    if not candidates:
        candidates = sorted(folder.glob("*.elf")) or sorted(folder.glob("*.map"))
        if len(candidates) != 1:
            listed = ", ".join(path.name for path in candidates) or "none"
            raise InputError(
                f"looking for an older build in {folder}: {like.path.name} is not there; it has: {listed}",
                fix="name the file: --against OLD.elf or --against OLD.map",
            )
    return candidates[0]


def _read_map(path: Path) -> LinkerMap:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise InputError(
            f"can't read linker map {path}: {error.strerror or error}", fix="name the map of an older build"
        ) from error
    try:
        return parse_map(text)
    except InputError as error:
        raise InputError(error.problem, fix=f"{path}: {error.fix}") from error


def _belongs(linked: LinkerMap, sections: Iterable[Section]) -> bool:
    mapped = {(section.name, section.address, section.size) for section in linked.sections}
    return all((section.name, section.address, section.size) in mapped for section in sections)


# Sizes, one (name, flash, ram) after the other ------------------------------------------------------------


def _tabulate(sizes: Iterable[tuple[str, int, int]], source: str) -> Footprint:
    flash: Counter[str] = Counter()
    ram: Counter[str] = Counter()
    for name, in_flash, in_ram in sizes:
        flash[name] += in_flash
        ram[name] += in_ram
    rows = [ObjectSize(name, flash[name], ram[name]) for name in flash if flash[name] or ram[name]]
    return Footprint(tuple(sorted(rows, key=lambda row: (-row.total, row.name))), source)


def _whole(image: FirmwareImage, sizes: Iterable[tuple[str, int, int]], source: str) -> Footprint:
    """As `_tabulate`; the padding between sections, which is flashed as well, is counted too."""
    known = list(sizes)
    padding = image.flash_bytes - sum(flash for _, flash, _ in known)
    return _tabulate([*known, (SCRIPT, max(padding, 0), 0)], source)


def _by_map(linked: LinkerMap, sections: Iterable[Section]) -> Sizes:
    known = {section.name: section for section in sections}
    kinds = {}
    for output in linked.sections:
        in_ram = SRAM_START <= output.address < SRAM_STOP
        same = known.get(output.name)
        loaded = same.loaded if same is not None else not output.name.startswith(_NO_CONTENTS)
        reserved = same is not None and same.reserved
        kinds[output.name] = (not in_ram or loaded, in_ram and not reserved)
    for part in linked.contributions:
        in_flash, in_ram = kinds[part.section]
        yield part.object, part.size * in_flash, part.size * in_ram
