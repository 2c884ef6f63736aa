"""Flash and static RAM by object file, then and now: what grew. Values and arithmetic only.

Nothing but the standard library is imported, so that `lan-hil compare` starts at once; `footprint` reads
images.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectSize:
    """What one object (or source) file takes, bytes."""

    name: str
    flash: int
    ram: int

    @property
    def total(self) -> int:
        """Flash and RAM together: what sorting goes by."""
        return self.flash + self.ram


@dataclass(frozen=True, slots=True)
class Footprint:
    """Flash and static RAM by object file, largest first; `source` says what told it."""

    objects: tuple[ObjectSize, ...]
    source: str

    @property
    def flash(self) -> int:
        """Bytes of flash, all objects."""
        return sum(item.flash for item in self.objects)

    @property
    def ram(self) -> int:
        """Bytes of static RAM, all objects."""
        return sum(item.ram for item in self.objects)

    @property
    def by_map(self) -> bool:
        """True if a linker map told it."""
        return self.source.startswith("linker map")


@dataclass(frozen=True, slots=True)
class Growth:
    """One object then and now; None where it was not there."""

    name: str
    before: ObjectSize | None
    after: ObjectSize | None

    @property
    def flash(self) -> int:
        """Bytes of flash that were added."""
        return (self.after.flash if self.after else 0) - (self.before.flash if self.before else 0)

    @property
    def ram(self) -> int:
        """Bytes of RAM that were added."""
        return (self.after.ram if self.after else 0) - (self.before.ram if self.before else 0)

    @property
    def state(self) -> str:
        """ "new", "gone", "grew", "shrank", "moved" (between flash and RAM) or "same"."""
        if self.before is None or self.after is None:
            return "new" if self.before is None else "gone"
        if not self.flash and not self.ram:
            return "same"
        total = self.flash + self.ram
        return "moved" if not total else "grew" if total > 0 else "shrank"


def compare(before: Footprint, after: Footprint) -> tuple[Growth, ...]:
    """Every object of the two, what grew most first; names match without the extension of their file."""
    old, new = _by_stem(before.objects), _by_stem(after.objects)
    aliases = _aliases(old, new)
    rows = [Growth(item.name, old.pop(aliases.get(key, key), None), item) for key, item in new.items()]
    rows += [Growth(item.name, item, None) for item in old.values()]
    return tuple(sorted(rows, key=lambda row: (-(row.flash + row.ram), row.name)))


def _aliases(old: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    """New name to old, where one is the end of the other: a build in another folder, or one folder more."""
    missing = [name for name in new if name not in set(old)]
    left = [name for name in old if name not in set(new)]
    found = {}
    for name in missing:
        ends = [other for other in left if _is_end(name, other) or _is_end(other, name)]
        if len(ends) == 1:
            found[name] = ends[0]
            left.remove(ends[0])
    return found


def _by_stem(objects: Iterable[ObjectSize]) -> dict[str, ObjectSize]:
    """Objects by name without extension; those whose names differ in nothing else (io.c, io.S) are one."""
    found: dict[str, ObjectSize] = {}
    for item in objects:
        stem = _stem(item.name)
        twin = found.get(stem)
        found[stem] = ObjectSize(stem, twin.flash + item.flash, twin.ram + item.ram) if twin else item
    return found


def _is_end(end: str, name: str) -> bool:
    return f"/{name}".endswith(f"/{end}")


def _stem(name: str) -> str:
    base, dot, extension = name.rpartition(".")
    return base if dot and extension in ("o", "obj", "c", "cc", "cpp", "S", "s") else name
