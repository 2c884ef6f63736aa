"""The MPU's rules made effective in the engine: rights of memory pages, and a look at single accesses.

The engine refuses by pages of 1 KiB (4 KiB of peripherals). A page on which rights differ grants only what
all of it grants; an access that it refuses is looked at here byte by byte, and stepped through if the MPU
allows it.
"""

from __future__ import annotations

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon.blocks import BlockTable
from pytest_lan_hil.virtual.silicon.bus import PAGE, PRIVATE_BUS, Bus, Memory
from pytest_lan_hil.virtual.silicon.engine import EXECUTE, PROTECTION_PAGE, READ, WRITE, Engine
from pytest_lan_hil.virtual.silicon.mpu import READ as MPU_READ
from pytest_lan_hil.virtual.silicon.mpu import WRITE as MPU_WRITE
from pytest_lan_hil.virtual.silicon.mpu import Mpu


class Protection:
    """Applies one MPU to one engine."""

    def __init__(self, bus: Bus, engine: Engine, blocks: BlockTable, mpu: Mpu) -> None:
        self._bus, self._engine, self._blocks, self._mpu = bus, engine, blocks, mpu
        self._effective: tuple[int, bool, bool] | None = None
        self._changes = mpu.changes
        self._registers = {page: READ | WRITE for page in bus.peripheral_pages() if page < PRIVATE_BUS}

    def apply(self, *, active: bool, privileged: bool) -> None:
        """Make the rights of the present privilege effective; `active` as `Mpu.applies` says."""
        mpu, state = self._mpu, self._engine.state
        if mpu.changes != self._changes:
            self._changes = mpu.changes
            self._blocks.clear()  # their records say who may fetch them
        fetch = h.FLAG_FETCH_PRIVILEGED if privileged else h.FLAG_FETCH_UNPRIVILEGED
        state[h.FETCH_BIT] = fetch if active else 0
        effective = (mpu.changes if active else -1, active, privileged or not active)
        if effective == self._effective:
            return
        self._effective = effective
        for memory in self._bus.memories:
            if active:
                self._engine.grant(memory, self._page_rights(memory, privileged=privileged))
            else:
                self._engine.grant_all(memory)
        for page in self._registers:
            self._grant_registers(
                page, self._register_rights(page, privileged=privileged) if active else READ | WRITE
            )

    def _register_rights(self, page: int, *, privileged: bool) -> int:
        allowed = [k for k in (READ, WRITE) if self.denied(page, PAGE, k, privileged=privileged) is None]
        return int(sum(allowed))

    def _grant_registers(self, page: int, rights: int) -> None:
        if self._registers[page] != rights:
            self._registers[page] = rights
            self._engine.grant_registers(page, rights)

    def refresh(self) -> None:
        """Grant anew at the next `apply` (a memory was opened or closed meanwhile)."""
        self._effective = None

    def _page_rights(self, memory: Memory, *, privileged: bool) -> list[int]:
        pages = memory.size // PROTECTION_PAGE
        rights = [EXECUTE | READ | WRITE] * pages
        edges = [at for at in self._mpu.boundaries() if memory.base < at < memory.end]
        for first, last in zip([memory.base, *edges], [*edges, memory.end], strict=True):
            data, _ = self._mpu.rights(first, privileged=privileged)
            granted = EXECUTE | (READ if data & MPU_READ else 0) | (WRITE if data & MPU_WRITE else 0)
            start = (first - memory.base) // PROTECTION_PAGE
            stop = -(-(last - memory.base) // PROTECTION_PAGE)
            for page in range(start, stop):
                rights[page] &= granted
        return rights

    def fetch_flags(self, address: int, size: int) -> int:
        """Which privileges may fetch the whole block (FLAG_FETCH_*)."""
        inside = [at for at in self._mpu.boundaries() if address < at < address + size]
        points = [address, *inside]
        flags = 0
        for privileged, flag in ((True, h.FLAG_FETCH_PRIVILEGED), (False, h.FLAG_FETCH_UNPRIVILEGED)):
            if all(self._mpu.rights(at, privileged=privileged)[1] for at in points):
                flags |= flag
        return flags

    def unfetchable(self, address: int, size: int, *, privileged: bool) -> int:
        """First byte of a block that may not be fetched; its end if all may."""
        edges = [at for at in self._mpu.boundaries() if address < at < address + size]
        bad = (at for at in (address, *edges) if not self._mpu.rights(at, privileged=privileged)[1])
        return next(bad, address + size)

    def denied(self, address: int, size: int, kind: int, *, privileged: bool) -> int | None:
        """First byte of the range that may not be read or written (READ, WRITE), or None."""
        needed = MPU_WRITE if kind == WRITE else MPU_READ
        inside = [at for at in self._mpu.boundaries() if address < at < address + size]
        for at in (address, *inside):
            if not self._mpu.rights(at, privileged=privileged)[0] & needed:
                return at
        return None

    def open_page(self, address: int) -> None:
        """Let the next instruction reach what is at an address; `apply` takes the right away again."""
        memory = self._bus.memory_at(address)
        if memory is not None:
            self._engine.grant_all(memory)
        elif address // PAGE * PAGE in self._registers:
            self._grant_registers(address // PAGE * PAGE, READ | WRITE)
        self._effective = None
