"""What the running code reads and writes outside of plain memory: peripherals, and stores to flash.

Called back in the middle of a block. Each access happens at its exact cycle, after everything that was due
before it; what falls due while it keeps the core waiting happens before the core goes on. An error that only
software running without privilege can cause is delivered late, as an imprecise bus fault.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.virtual.silicon import blockhook as h
from pytest_lan_hil.virtual.silicon.blocks import BlockTable
from pytest_lan_hil.virtual.silicon.bus import PRIVATE_BUS, Bus
from pytest_lan_hil.virtual.silicon.coreclock import CoreClock
from pytest_lan_hil.virtual.silicon.cycles import MemoryOp
from pytest_lan_hil.virtual.silicon.decode import Registers
from pytest_lan_hil.virtual.silicon.timeline import Timeline


class Accesses:
    """Serves the engine's callbacks.

    Args:
        bus, timeline, blocks, clock: Of the core.
        registers: r0 to r15 as they are now.
        pc: Address of the instruction that stores to flash; for other accesses no more than their block's.
        privileged: The core's privilege.

    Attributes:
        imprecise_fault: An access failed after its instruction was done.
    """

    def __init__(
        self,
        bus: Bus,
        timeline: Timeline,
        blocks: BlockTable,
        clock: CoreClock,
        *,
        registers: Registers,
        pc: Callable[[], int],
        privileged: Callable[[], bool],
    ) -> None:
        self._bus, self._timeline, self._blocks, self._clock = bus, timeline, blocks, clock
        self._registers, self._pc, self._privileged = registers, pc, privileged
        self._stores: list[tuple[int, bytes]] = []  # what stores to flash must leave behind
        self._block_run = -1  # the run of a block that the last access was in
        self._next_op = 0  # its memory instructions that are yet to come
        self._rest: tuple[int, int, int] = (0, 0, 0)  # (next address, end, pc) of an unfinished LDM or LDRD
        self.imprecise_fault = False

    def reset(self) -> None:
        """Nothing is pending."""
        self._stores.clear()
        self.imprecise_fault = False

    # -- when --------------------------------------------------------------------------------------------

    def _begin(self, pc: int) -> int:
        """Set the time to that of the access of the instruction at `pc`. Returns its cycle."""
        clock, timing = self._clock, self._blocks.timing()
        before = (self._blocks.cycles_before(timing, pc) or 0) if timing is not None else 0
        cycle = clock.access_cycle = int(self._blocks.state[h.BLOCK_BASE]) + before
        self._catch_up()
        return cycle

    def _end(self, began: int) -> None:
        """The access is done."""
        if self._clock.access_cycle != began:
            self._catch_up()
        self._clock.access_cycle = None

    def _catch_up(self) -> None:
        due = self._timeline.next_at()
        if due is not None and due <= self._clock.tick():
            self._timeline.run_due()
            self._clock.events_ran()

    # -- which instruction -------------------------------------------------------------------------------

    def _locate(self, address: int, size: int, *, write: bool) -> int:
        """Address of the instruction that makes this access.

        The engine knows its PC in a callback only as the block's first instruction (an exact one would cost
        the fast path of every load and store), so the instruction is found by the address that it forms: the
        first one in the block, after that of the access before, that forms this address. An earlier one that
        read memory, or was skipped in an IT block, is taken for it if its base register now holds the same.
        """
        state = self._blocks.state
        block_run = int(state[h.BLOCKS_RUN])
        if block_run != self._block_run:
            self._block_run, self._next_op, self._rest = block_run, 0, (0, 0, 0)
        expected, end, pc = self._rest
        if expected == address and expected < end:
            self._rest = (address + size, end, pc)
            return pc
        timing = self._blocks.timing()
        ops = timing.memory_ops if timing is not None else []
        for index in range(self._next_op, len(ops)):
            op = ops[index]
            if op.write is write and self._covers(op, address):
                self._next_op = index + 1
                self._rest = (address + size, address + op.size, op.pc)
                return op.pc
        return self._pc()

    def _covers(self, op: MemoryOp, address: int) -> bool:
        return op.operand.address(self._registers, op.pc) == address

    # -- the accesses ------------------------------------------------------------------------------------

    def _refused(self, address: int) -> bool:
        if address < PRIVATE_BUS or self._privileged():
            return False
        self._fail_late()
        return True

    def _fail_late(self) -> None:
        self.imprecise_fault = True
        self._clock.attention()

    def read(self, address: int, size: int) -> int:
        """A load from a peripheral page."""
        pc = self._locate(address, size, write=False)
        began = self._begin(pc)
        value = 0 if self._refused(address) else self._bus.read_register(address, size, pc=pc)
        self._end(began)
        return value

    def write(self, address: int, size: int, value: int) -> None:
        """A store to a peripheral page."""
        pc = self._locate(address, size, write=True)
        began = self._begin(pc)
        if not self._refused(address):
            self._bus.write_register(address, value, size, pc=pc)
        self._end(began)

    def store(self, address: int, size: int, value: int) -> None:
        """A store to flash, about to happen: take it as the flash controller does."""
        memory = self._bus.memory_at(address)
        assert memory is not None
        if memory.writable:  # it lies between two that are not
            return
        began = self._begin(self._pc())
        if memory.takes(address, size):
            memory.store(address, value, size)
        else:
            self._fail_late()
        kept = memory.data[address - memory.base :][:size].tobytes()
        if kept != value.to_bytes(size, "little"):
            self._stores.append((address, kept))
            self._clock.attention()
        self._end(began)

    def leave_stores(self) -> None:
        """Put right what the engine stored as it stood."""
        for address, content in self._stores:
            self._bus.write_memory(address, content)
        self._stores.clear()
