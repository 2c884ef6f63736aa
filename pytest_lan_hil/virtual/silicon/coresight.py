"""The debug components beside the core: breakpoint unit (FPB), watchpoints and cycle counter (DWT), ITM, ROM
table.

Follows the ARMv7-M Architecture Reference Manual (ARM DDI 0403E), C1.8 (DWT), C1.11 (FPB), and the Cortex-M4
TRM (ARM 100166), table 8-1 (ROM table). Not modelled: ITM stimulus and trace, ETM, the DWT's profiling
counters and its data value match.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pytest_lan_hil.virtual.silicon.bus import Peripheral
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

# Part numbers of the CoreSight components (Cortex-M4 TRM, table 8-1) and revisions as pyOCD expects them.
_PARTS = {"SCS": 0x00C, "DWT": 0x002, "FPB": 0x003, "ITM": 0x001, "ROM": 0x4C4}
_CLASS = {"ROM": 0x1}
_GENERIC_IP = 0xE


def component_ids(part: str) -> dict[int, int]:
    """PIDR and CIDR of an Arm component, by offset (CoreSight architecture, ARM IHI 0029, B2.2)."""
    number = _PARTS[part]
    pidr = [number & 0xFF, 0xB0 | number >> 8, 0x0B, 0x00]
    words = {0xFD0: 0x04, 0xFD4: 0, 0xFD8: 0, 0xFDC: 0}
    words |= {0xFE0 + 4 * k: value for k, value in enumerate(pidr)}
    cidr = [0x0D, _CLASS.get(part, _GENERIC_IP) << 4, 0x05, 0xB1]
    return words | {0xFF0 + 4 * k: value for k, value in enumerate(cidr)}


class Fpb(Peripheral):
    """Flash patch and breakpoint unit: six instruction comparators (the two literal ones never match)."""

    name = "FPB"
    base = 0xE000_2000
    size = 0x1000
    _CODE, _LITERAL = 6, 2

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._ids = component_ids("FPB")
        self.power_up()

    def power_up(self) -> None:
        """Disabled."""
        self._control = 0
        self._comparators = [0] * (self._CODE + self._LITERAL)

    def reset(self) -> None:
        """A system reset leaves breakpoints alone."""

    def breakpoints(self) -> list[int]:
        """Addresses at which the core stops."""
        if not self._control & 1:
            return []
        found = []
        for comparator in self._comparators[: self._CODE]:
            if comparator & 1:
                base, replace = comparator & 0x1FFF_FFFC, comparator >> 30
                found += [base] if replace & 1 else []
                found += [base + 2] if replace & 2 else []
        return found

    def read(self, offset: int, size: int) -> int:
        """FP_CTRL, FP_REMAP (no remapping), FP_COMPn."""
        del size
        if offset == 0:
            return self._control | self._CODE << 4 | self._LITERAL << 8
        if offset == 4:
            return 0
        if 8 <= offset < 8 + 4 * len(self._comparators):
            return self._comparators[(offset - 8) // 4]
        return _identification(self._ids, offset, self.name)

    def write(self, offset: int, value: int, size: int) -> None:
        """FP_CTRL with its key, FP_COMPn. Remapping a comparator is not modelled."""
        del size
        if offset == 0:
            if value & 2:
                self._control = value & 1
        elif offset == 4:
            return
        elif 8 <= offset < 8 + 4 * len(self._comparators):
            if value & 1 and value >> 30 == 0 and offset < 8 + 4 * self._CODE:
                raise NotModelled("FPB remapping is not modelled: set REPLACE for a breakpoint")
            self._comparators[(offset - 8) // 4] = value & 0xDFFF_FFFD
        else:
            _identification(self._ids, offset, self.name)
        self._changed()


class Dwt(Peripheral):
    """Data watchpoint and trace: the cycle counter, PC sampling, four comparators.

    Args:
        cycles: The core's cycle count.
        pc: Address of the current instruction, None while the core is halted.
        changed: Called when watchpoints changed.
    """

    name = "DWT"
    base = 0xE000_1000
    size = 0x1000
    _COMPARATORS = 4
    _WRITABLE = 1  # CYCCNTENA; the profiling counters and trace packets are not modelled
    # FUNCTION to what it watches: 4 PC match, 5 read, 6 write, 7 both (table C1-14).
    _DATA: ClassVar[dict[int, int]] = {5: 1, 6: 2, 7: 3}

    def __init__(
        self, cycles: Callable[[], int], pc: Callable[[], int | None], changed: Callable[[], None]
    ) -> None:
        self._cycles, self._pc, self._changed = cycles, pc, changed
        self._ids = component_ids("DWT")
        self.power_up()

    def power_up(self) -> None:
        """Disabled."""
        self._control = 0
        self._base = self._cycles()
        self._held = 0
        self._comparators = [[0, 0, 0] for _ in range(self._COMPARATORS)]
        self._matched = [False] * self._COMPARATORS

    def reset(self) -> None:
        """A system reset leaves the DWT alone."""

    # -- cycle counter -----------------------------------------------------------------------------------

    def _count(self) -> int:
        running = self._control & 1
        return (self._held + (self._cycles() - self._base if running else 0)) & 0xFFFF_FFFF

    def _set_count(self, value: int) -> None:
        self._held, self._base = value, self._cycles()

    # -- watchpoints -------------------------------------------------------------------------------------

    def breakpoints(self) -> list[int]:
        """Addresses of PC match comparators."""
        return [comp & ~1 for comp, _, function in self._comparators if function & 0xF == 4]

    def watchpoints(self) -> list[tuple[int, int, int]]:
        """(first, last, 1 for reads | 2 for writes) of data comparators."""
        found = []
        for comp, mask, function in self._comparators:
            kinds = self._DATA.get(function & 0xF)
            if kinds is not None:
                first = comp & ~((1 << mask) - 1)
                found.append((first, first + (1 << mask) - 1, kinds))
        return found

    def matched(self) -> None:
        """A data watchpoint was hit; which of several is not told apart."""
        for k, (_, _, function) in enumerate(self._comparators):
            self._matched[k] = function & 0xF in self._DATA

    # -- registers ---------------------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """CTRL, CYCCNT, PCSR, comparators; the profiling counters stand at zero, as they do when disabled."""
        del size
        if offset == 0x00:
            return self._COMPARATORS << 28 | self._control
        if offset == 0x04:
            return self._count()
        if 0x08 <= offset <= 0x18:
            return 0
        if offset == 0x1C:
            pc = self._pc()
            return 0xFFFF_FFFF if pc is None else pc
        if 0x20 <= offset < 0x20 + 16 * self._COMPARATORS:
            index, part = (offset - 0x20) // 16, (offset - 0x20) % 16 // 4
            if part == 3:
                return 0
            value = self._comparators[index][part]
            if part == 2:
                value |= self._matched[index] << 24
                self._matched[index] = False
            return value
        return _identification(self._ids, offset, self.name)

    def write(self, offset: int, value: int, size: int) -> None:
        """CTRL (CYCCNTENA), CYCCNT, comparators."""
        del size
        if offset == 0x00:
            count = self._count()
            if value & 0x007F_1000:
                raise NotModelled("DWT profiling counters and trace are not modelled, only CYCCNTENA")
            self._control = value & self._WRITABLE
            self._set_count(count)
        elif offset == 0x04:
            self._set_count(value)
        elif 0x08 <= offset <= 0x1C:
            return
        elif 0x20 <= offset < 0x20 + 16 * self._COMPARATORS:
            index, part = (offset - 0x20) // 16, (offset - 0x20) % 16 // 4
            if part == 2 and value & 0xF not in (0, 4, 5, 6, 7):
                raise NotModelled(f"DWT comparator function {value & 0xF} is not modelled")
            if part < 3:
                self._comparators[index][part] = value & (0x1F if part == 1 else 0xFFFF_FFFF)
            self._changed()
        else:
            _identification(self._ids, offset, self.name)


class RomTable(Peripheral):
    """The core's ROM table: entries for SCS, DWT, FPB and ITM present, TPIU and ETM absent."""

    name = "ROM table"
    base = 0xE00F_F000
    size = 0x1000
    _ENTRIES = (0xFFF0_F003, 0xFFF0_2003, 0xFFF0_3003, 0xFFF0_1003, 0xFFF4_1002, 0xFFF4_2002, 0)

    def __init__(self) -> None:
        self._words = {4 * k: entry for k, entry in enumerate(self._ENTRIES)}
        self._words |= component_ids("ROM") | {0xFCC: 1}  # MEMTYPE: system memory is here

    def read(self, offset: int, size: int) -> int:
        """Entries, then zeros up to the identification."""
        del size
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int, size: int) -> None:
        """Read-only."""


class Itm(Peripheral):
    """The instrumentation trace macrocell: it can be found, and is off."""

    name = "ITM"
    base = 0xE000_0000
    size = 0x1000

    def __init__(self) -> None:
        self._ids = component_ids("ITM")

    def read(self, offset: int, size: int) -> int:
        """Stimulus ports are busy (0) and everything is disabled."""
        del size
        if offset < 0xFB8:
            return 0
        return _identification(self._ids, offset, self.name)

    def write(self, offset: int, value: int, size: int) -> None:
        """Writes to a disabled ITM have no effect; enabling it is not modelled."""
        del size
        if offset == 0xE80 and value & 1:
            raise NotModelled("the ITM and its trace are not modelled")


def _identification(ids: dict[int, int], offset: int, name: str) -> int:
    if offset in ids:
        return ids[offset]
    if offset >= 0xF00:
        return 0  # CoreSight management registers that this component doesn't have read as zero
    raise NotModelled(f"the {name} has no register at offset 0x{offset:03x} in this model")
