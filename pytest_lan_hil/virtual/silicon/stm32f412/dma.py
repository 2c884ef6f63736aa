"""DMA1 and DMA2, between a peripheral's data register and memory, byte by byte. RM0402, chapter "DMA".

Direct mode only. Transfers between memories, FIFO mode, double buffers and wider items are not modelled, nor
are requests of peripherals that are not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from pytest_lan_hil.virtual.silicon.fabric import Fabric
from pytest_lan_hil.virtual.silicon.stm32f412.block import Block
from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

ANY_NUMBER = 1 << 30
_EN, _DMEIE, _TEIE, _HTIE, _TCIE, _CIRC, _MINC = 1, 2, 4, 8, 16, 1 << 8, 1 << 10
_DME, _TE, _HT, _TC = 1 << 2, 1 << 3, 1 << 4, 1 << 5
_FLAG_SHIFT = (0, 6, 16, 22)
# PFCTRL, PINC, PSIZE, MSIZE, PINCOS, DBM, CT, bursts
_UNMODELLED = 1 << 5 | 1 << 9 | 0xF << 11 | 1 << 15 | 3 << 18 | 0xF << 21
_IRQS = {1: (11, 12, 13, 14, 15, 16, 17, 47), 2: (56, 57, 58, 59, 60, 68, 69, 70)}


class Requester(Protocol):
    """A peripheral that has requests."""

    def dma_ready(self) -> None:
        """A stream that serves it was switched on."""
        ...


class Stream:
    """One stream: CR, NDTR, PAR, M0AR, FCR at 0x10 + 0x18 * its number."""

    def __init__(self, dma: Dma, number: int) -> None:
        self._dma = dma
        self._number = number
        self.flags = 0
        self.at = 0x10 + 0x18 * number
        self._left = 0
        self._length = 0
        dma.declare(f"S{number}CR", self.at, mask=0x0FEF_FFFF, on_write=self._write_control)
        dma.declare(
            f"S{number}NDTR", self.at + 4, mask=0xFFFF, on_read=lambda: self._left, on_write=self._write_count
        )
        for name, offset in (("PAR", 8), ("M0AR", 12), ("M1AR", 16)):
            dma.declare(f"S{number}{name}", self.at + offset)
        dma.declare(f"S{number}FCR", self.at + 20, reset=0x21, mask=0xBF)

    @property
    def control(self) -> int:
        """SxCR."""
        return self._dma.values[self.at]

    @property
    def on(self) -> bool:
        """EN."""
        return bool(self.control & _EN)

    def serves(self, channel: int, register: int) -> bool:
        """It is on and set to this request and data register."""
        return self.on and self.control >> 25 & 7 == channel and self._dma.values[self.at + 8] == register

    def _write_count(self, value: int) -> None:
        if not self.on:
            self._left = value

    def _write_control(self, value: int) -> None:
        was_on = self.on
        if value & _EN and not was_on:
            if value & _UNMODELLED or value >> 6 & 3 > 1 or self._dma.values[self.at + 20] & 4:
                raise NotModelled(
                    f"{self._dma.name} stream {self._number} with CR = 0x{value:08x}: only direct transfers "
                    f"of bytes between "
                    "a peripheral and memory are modelled"
                )
            self._length = self._left
            self._dma.values[self.at] = value if self._left else value & ~_EN
            self._dma.started(self._number, value >> 25 & 7)
        else:
            self._dma.values[self.at] = value
            if was_on and not value & _EN:  # cut short by software: that ends the transfer, too
                self.flags |= _TC
        self._dma.update_irqs()

    # -- transfers ---------------------------------------------------------------------------------------

    def unnoticed(self) -> int:
        """Bytes that it can move before a half or an end of the transfer that has consequences."""
        control, half = self.control, self._length // 2
        stops = []
        if control & _TCIE or not control & _CIRC:
            stops.append(self._left - 1)
        if control & _HTIE and half:
            to_half = self._left - (self._length - half)
            stops.append(to_half - 1 if to_half > 0 else self._left + half - 1)
        return max(min(stops, default=ANY_NUMBER), 0)

    def put(self, data: bytes) -> None:
        """Bytes from the peripheral to memory; those behind the end of the transfer are dropped."""
        while data and self.on:
            part = data[: self._left]
            try:
                self._dma.memory_write(self._address(len(part)), part)
            except ValueError:
                self._fail()
                return
            data = data[len(part) :]
            self._advance(len(part))

    def get(self) -> int:
        """The next byte from memory."""
        try:
            byte = self._dma.memory_read(self._address(1))
        except ValueError:
            self._fail()
            return 0
        self._advance(1)
        return byte

    def _address(self, size: int) -> int:
        first = self._dma.values[self.at + 12]
        if not self.control & _MINC and size > 1:
            raise NotModelled(f"{self._dma.name} stream {self._number} without MINC is not modelled")
        return first + self._length - self._left if self.control & _MINC else first

    def _advance(self, count: int) -> None:
        boundary = self._length - self._length // 2
        if self._left > boundary >= self._left - count or (self._left == boundary == self._length):
            self.flags |= _HT
        self._left -= count
        if self._left == 0:
            self.flags |= _TC
            if self.control & _CIRC:
                self._left = self._length
            else:
                self._dma.values[self.at] &= ~_EN
        self._dma.update_irqs()

    def _fail(self) -> None:
        """The memory address is nowhere: TEIF, and the stream switches itself off."""
        self.flags |= _TE
        self._dma.values[self.at] &= ~_EN
        self._dma.note(
            f"{self._dma.name} stream {self._number}: 0x{self._dma.values[self.at + 12]:08x} is no memory "
            f"(TEIF)"
        )
        self._dma.update_irqs()

    @property
    def raises(self) -> bool:
        """Its interrupt line is high."""
        control, flags = self.control, self.flags
        return bool(
            (control & _TCIE and flags & _TC)
            or (control & _HTIE and flags & _HT)
            or (control & _TEIE and flags & _TE)
            or (control & _DMEIE and flags & _DME)
        )

    def reset(self) -> None:
        """Off, nothing counted."""
        self.flags = self._left = self._length = 0


class Dma(Block):
    """One controller.

    Args:
        fabric, note: As for every block.
        number: 1 or 2.
    """

    def __init__(self, fabric: Fabric, number: int, *, note: Callable[[str], None]) -> None:
        super().__init__(fabric, f"DMA{number}", 0x4002_6000 + 0x400 * (number - 1), note=note)
        self._irqs = _IRQS[number]
        self._requesters: dict[tuple[int, int], Requester] = {}
        self._levels = 0
        self.streams = [Stream(self, n) for n in range(8)]
        for half, name in enumerate("LH"):
            self.declare_read_only(f"{name}ISR", 4 * half, partial(self._read_flags, half))
            at = 8 + 4 * half
            self.declare(f"{name}IFCR", at, on_read=lambda: 0, on_write=partial(self._clear, half))

    def connect(self, stream: int, channel: int, requester: Requester) -> None:
        """A request line of a peripheral."""
        self._requesters[stream, channel] = requester

    def started(self, stream: int, channel: int) -> None:
        """A stream was switched on."""
        requester = self._requesters.get((stream, channel))
        if requester is None:
            raise NotModelled(
                f"{self.name} stream {stream} channel {channel}: its peripheral is not modelled"
            )
        requester.dma_ready()

    def memory_read(self, address: int) -> int:
        """A byte of memory. Raises ValueError where there is none."""
        return self.fabric.memory.read_memory(address, 1)[0]

    def memory_write(self, address: int, data: bytes) -> None:
        """Store bytes. Raises ValueError outside RAM."""
        if not 0x2000_0000 <= address < 0x4000_0000:
            raise ValueError(hex(address))
        self.fabric.memory.write_memory(address, data)

    def _read_flags(self, half: int) -> int:
        return sum(self.streams[4 * half + n].flags << shift for n, shift in enumerate(_FLAG_SHIFT))

    def _clear(self, half: int, value: int) -> None:
        for n, shift in enumerate(_FLAG_SHIFT):
            self.streams[4 * half + n].flags &= ~(value >> shift)
        self.update_irqs()

    def update_irqs(self) -> None:
        """Work the interrupt lines out anew."""
        levels = sum(1 << n for n, stream in enumerate(self.streams) if stream.raises)
        changed, self._levels = levels ^ self._levels, levels
        while changed:
            n = (changed & -changed).bit_length() - 1
            changed &= changed - 1
            self.fabric.drive_irq(self._irqs[n], self.name, level=bool(levels >> n & 1))

    def on_reset(self) -> None:
        """Every stream is off."""
        for stream in self.streams:
            stream.reset()
        self.update_irqs()
