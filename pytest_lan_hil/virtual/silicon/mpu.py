"""The memory protection unit: who may do what where. Pure.

Follows the ARMv7-M Architecture Reference Manual (ARM DDI 0403E), B3.5 (protected memory system architecture)
and, for the default memory map, B3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

REGIONS = 8
_ENABLE, _HARD_FAULT_NMI, _DEFAULT_MAP = 1, 2, 4
_SMALLEST_WITH_SUBREGIONS = 256

# AP field to (privileged, unprivileged) data rights: 0 none, 1 read, 3 read and write (table B3-16).
_RIGHTS = {0: (0, 0), 1: (3, 0), 2: (3, 1), 3: (3, 3), 5: (1, 0), 6: (1, 1), 7: (1, 1)}
READ, WRITE = 1, 2


@dataclass(frozen=True, slots=True)
class Region:
    """One enabled region, its disabled subregions included.

    Attributes:
        base, size: Byte address and extent.
        disabled: Bit mask of disabled subregions.
        access: AP field, 0 to 7.
        execute_never: XN.
    """

    base: int
    size: int
    disabled: int
    access: int
    execute_never: bool

    def holds(self, address: int) -> bool:
        """True if the address is in the region and not in a disabled subregion."""
        if not self.base <= address < self.base + self.size:
            return False
        if self.size < _SMALLEST_WITH_SUBREGIONS:
            return True
        return not self.disabled >> ((address - self.base) * 8 // self.size) & 1


class Mpu:
    """Registers and rules.

    Attributes:
        control, number: MPU_CTRL and MPU_RNR.
        changes: Counts writes that may change who may do what.
    """

    def __init__(self) -> None:
        self.changes = 0
        self.reset()

    def reset(self) -> None:
        """Off; regions disabled."""
        self.control = 0
        self.number = 0
        self._base = [0] * REGIONS
        self._attributes = [0] * REGIONS
        self._regions: list[Region] = []
        self.changes += 1

    # -- registers ---------------------------------------------------------------------------------------

    def write_control(self, value: int) -> None:
        """MPU_CTRL."""
        self.control = value & 7
        self._changed()

    def read_base(self) -> int:
        """MPU_RBAR of the selected region."""
        return self._base[self.number] | self.number

    def write_base(self, value: int) -> None:
        """MPU_RBAR; with VALID set it selects the region as well."""
        if value & 0x10:
            self.number = value & 0xF & (REGIONS - 1)
        self._base[self.number] = value & ~0x1F
        self._changed()

    def read_attributes(self) -> int:
        """MPU_RASR of the selected region."""
        return self._attributes[self.number]

    def write_attributes(self, value: int) -> None:
        """MPU_RASR."""
        self._attributes[self.number] = value & 0x173F_FF3F
        self._changed()

    def _changed(self) -> None:
        self.changes += 1
        self._regions = []
        for base, attributes in zip(self._base, self._attributes, strict=True):
            size_field = attributes >> 1 & 0x1F
            if attributes & 1 and size_field >= 4:
                size = 2 << size_field
                self._regions.append(
                    Region(
                        base & ~(size - 1),
                        size,
                        attributes >> 8 & 0xFF,
                        attributes >> 24 & 7,
                        bool(attributes >> 28 & 1),
                    )
                )

    # -- rules -------------------------------------------------------------------------------------------

    @property
    def enabled(self) -> bool:
        """MPU_CTRL.ENABLE."""
        return bool(self.control & _ENABLE)

    def applies(self, execution_priority: int) -> bool:
        """False while off, and in HardFault, NMI and with FAULTMASK unless HFNMIENA is set."""
        return self.enabled and (execution_priority >= 0 or bool(self.control & _HARD_FAULT_NMI))

    def rights(self, address: int, *, privileged: bool) -> tuple[int, bool]:
        """(data rights, may execute) at an address while the MPU applies. Data rights: READ | WRITE."""
        if address >= 0xE000_0000:
            return (READ | WRITE, False)  # the private peripheral bus is outside the MPU's reach
        for region in reversed(self._regions):  # the highest number wins
            if region.holds(address):
                data = _RIGHTS.get(region.access, (0, 0))[0 if privileged else 1]
                return data, bool(data & READ) and not region.execute_never
        if privileged and self.control & _DEFAULT_MAP:
            return (READ | WRITE, not default_execute_never(address))
        return (0, False)

    def boundaries(self) -> list[int]:
        """Addresses at which rights may change, rising: between two of them they are the same."""
        edges = set()
        for region in self._regions:
            parts = 8 if region.size >= _SMALLEST_WITH_SUBREGIONS else 1
            edges |= {region.base + region.size * k // parts for k in range(parts + 1)}
        return sorted(edges)

    @property
    def by_privilege(self) -> bool:
        """True if privileged and unprivileged code have different rights somewhere."""
        if not self.enabled:
            return False
        if self.control & _DEFAULT_MAP:
            return True
        return any(
            _RIGHTS.get(r.access, (0, 0))[0] != _RIGHTS.get(r.access, (0, 0))[1] for r in self._regions
        )


def default_execute_never(address: int) -> bool:
    """XN of the default memory map: peripherals, devices and the system region (table B3-1)."""
    return 0x4000_0000 <= address < 0x6000_0000 or address >= 0xA000_0000
