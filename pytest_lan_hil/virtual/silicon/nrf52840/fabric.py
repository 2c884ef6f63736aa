"""What the nRF52840's peripherals share: time, interrupt lines, the event and task fabric, EasyDMA, clock
requests.

Follows the nRF52840 Product Specification, chapter "Peripheral interface": every task and event is a
register address; the PPI connects event addresses to task addresses. The fabric knows no single peripheral.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_lan_hil.model.errors import DutFault
from pytest_lan_hil.virtual.silicon import fabric
from pytest_lan_hil.virtual.silicon.fabric import Memory
from pytest_lan_hil.virtual.silicon.timeline import Timeline

TICK_HZ = 512_000_000
TICKS_PER_CYCLE = 8  # 64 MHz CPU
TICKS_PER_16MHZ = 32
TICKS_PER_LFCLK = 15_625  # 32768 Hz
TICKS_PER_US = 512


class DmaError(DutFault):
    """An EasyDMA pointer that is not in Data RAM: a bus fault or corrupted RAM on silicon.

    Product specification, chapter "EasyDMA".
    """


RAM_START, RAM_END = 0x2000_0000, 0x2004_0000


class Fabric(fabric.Fabric):
    """Shared by all peripherals of one chip.

    Args:
        timeline: The chip's time, `TICK_HZ` ticks per second.
        memory: For EasyDMA.
    """

    def __init__(self, timeline: Timeline, memory: Memory) -> None:
        super().__init__(timeline, memory)
        self.tasks: dict[int, Callable[[], None]] = {}
        self.on_event: Callable[[int], None] | None = None
        self.on_hfclk: Callable[[], None] | None = None
        self._hfclk_users: set[str] = set()

    def next_16mhz_edge(self) -> int:
        """Tick of the next PCLK16M edge at or after now."""
        since = self.now - self.epoch
        return self.epoch + -(-since // TICKS_PER_16MHZ) * TICKS_PER_16MHZ

    def signal(self, event_address: int) -> None:
        """An event was generated: hand it to the PPI."""
        if self.on_event is not None:
            self.on_event(event_address)

    def trigger(self, task_address: int) -> None:
        """Trigger the task at this address; an address that is no task does nothing, as on silicon."""
        task = self.tasks.get(task_address)
        if task is not None:
            task()

    def request_hfclk(self, user: str, *, wanted: bool) -> None:
        """A peripheral needs (or no longer needs) the 64 MHz clock while the CPU sleeps."""
        before = bool(self._hfclk_users)
        if wanted:
            self._hfclk_users.add(user)
        else:
            self._hfclk_users.discard(user)
        if before != bool(self._hfclk_users) and self.on_hfclk is not None:
            self.on_hfclk()

    @property
    def hfclk_requested(self) -> bool:
        """True while a peripheral keeps the 64 MHz clock running."""
        return bool(self._hfclk_users)

    def dma_read(self, address: int, size: int, *, who: str) -> bytes:
        """EasyDMA fetch from RAM.

        Raises:
            DmaError: The range is not in Data RAM.
        """
        self._check_dma(address, size, who)
        return bytes(self.memory.read_memory(address, size))

    def dma_write(self, address: int, data: bytes, *, who: str) -> None:
        """EasyDMA store to RAM.

        Raises:
            DmaError: The range is not in Data RAM.
        """
        self._check_dma(address, len(data), who)
        self.memory.write_memory(address, data)

    @staticmethod
    def _check_dma(address: int, size: int, who: str) -> None:
        if not (address >= RAM_START and address + size <= RAM_END):
            raise DmaError(
                f"{who}: EasyDMA pointer 0x{address:08X} + {size} is not in Data RAM "
                f"(0x{RAM_START:08X} to 0x{RAM_END - 1:08X}); silicon faults or corrupts RAM here"
            )
