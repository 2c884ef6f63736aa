"""From a Joulescope's data messages to arrays on one sample clock.

A message is a dict with `sample_id` (counted at `sample_rate`, whatever the signal), `decimate_factor` and
`data`: float32 samples, or packed bits for a digital input. A jump of `sample_id` means that samples were
dropped; they become a gap, never zero. Nothing here knows the device or the driver.

A minute of current, voltage and two marker lines is half a gigabyte, so a signal is never held twice: it
grows in one block, of which the capture is a view; only what is longer is put together from several.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.memory import Blocks
from pytest_lan_hil.model.capture import MarkerLine
from pytest_lan_hil.model.errors import InstrumentError

Span = tuple[int, int]

_PIECE = 1 << 16
# What is missing for longer than this is not dropped samples, and would only fill the memory.
_LONGEST_GAP_S = 60


class SignalLog(ABC):
    """Everything one signal delivered during a capture.

    Args:
        name: What it is called in messages to the user.

    Attributes:
        clock_hz: Rate of the sample clock; 0 until the first message.
        decimation: Counts of the sample clock per sample.
        start, stop: From the first sample to the end of the last, in counts of the sample clock.
        lost: Spans between them that no message covers, in counts of the sample clock.
    """

    #: Samples at the end of a message that may be none: the rest of the last byte of packed bits.
    _padding = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock_hz = 0
        self.decimation = 1
        self.start = 0
        self.lost: list[Span] = []
        self._count = 0
        self._last_id = 0

    @property
    def stop(self) -> int:
        """Where the signal has got to, in counts of the sample clock."""
        return self.start + self._count * self.decimation

    @property
    def has_samples(self) -> bool:
        """True once something has arrived."""
        return self._count > 0

    def add(self, message: Mapping[str, Any]) -> None:
        """Take one message in.

        Raises:
            InstrumentError: The signal changed its sample rate, or its sample ids run backwards.
        """
        rate, decimation = int(message["sample_rate"]), int(message["decimate_factor"])
        if not self.clock_hz:
            self.clock_hz, self.decimation = rate, decimation
        elif (rate, decimation) != (self.clock_hz, self.decimation):
            raise InstrumentError(
                f"{self.name} changed its sample clock from {self.clock_hz} Hz / {self.decimation} to"
                f" {rate} Hz / {decimation} while recording",
                fix="close other programs that use the Joulescope, then record again",
            )
        data = message["data"]
        if not len(data):
            return
        first_id = int(message["sample_id"])
        if not self._count:
            self.start = first_id
        elif first_id < self._last_id:
            raise InstrumentError(
                f"the sample ids of {self.name} went back from {self._last_id} to {first_id}",
                fix="the Joulescope restarted while recording: check its USB cable and power",
            )
        self._last_id = first_id
        at = self.index(first_id)
        if first_id - self.stop > _LONGEST_GAP_S * rate:
            raise InstrumentError(
                f"the sample ids of {self.name} jumped from {self.stop} to {first_id}:"
                f" {(first_id - self.stop) / rate:.0f} s are missing",
                fix="check the Joulescope's USB cable and power, and that this computer did not sleep",
            )
        if at < self._count - self._padding:
            raise InstrumentError(
                f"samples of {self.name} came twice: from {first_id} on, though it had got to {self.stop}",
                fix="the Joulescope or its driver is at fault: update both, then record again",
            )
        if at > self._count:
            self._lose(self.stop, first_id)
            self._fill(at)
        # Before `_count` where the last byte of packed bits held fewer than eight samples: the next id tells.
        self._count = at
        self._append(np.asarray(data))

    def index(self, at: int) -> int:
        """The number of the sample that is taken at count `at` of the sample clock."""
        return (at - self.start) // self.decimation

    def _lose(self, start: int, stop: int) -> None:
        """Note that no message covers this span of the sample clock."""
        self.lost.append((start, stop))

    @abstractmethod
    def _fill(self, until: int) -> None:
        """Put what stands for lost samples up to sample `until`."""

    @abstractmethod
    def _append(self, data: NDArray[Any]) -> None:
        """Put the message's samples behind sample `_count`, and count them."""


class AnalogLog(SignalLog):
    """Current or voltage: float32, NaN where samples were lost."""

    def __init__(self, name: str, memory: Blocks) -> None:
        super().__init__(name)
        self._memory = memory
        self._blocks: list[NDArray[np.float32]] = []

    def _fill(self, until: int) -> None:
        nothing = np.full(_PIECE, np.nan, np.float32)
        while self._count < until:
            self._append(nothing[: until - self._count])

    def _append(self, data: NDArray[Any]) -> None:
        while len(data):
            block, at = divmod(self._count, self._memory.samples)
            if block == len(self._blocks):
                self._blocks.append(self._memory.lend())
            part = data[: self._memory.samples - at]
            self._blocks[block][at : at + len(part)] = part
            self._count += len(part)
            data = data[len(part) :]

    def take(self, span: Span) -> NDArray[np.float32]:
        """The samples of a span that lies within `start` and `stop`; the log lets go of them."""
        first, last = self.index(span[0]), self.index(span[1])
        blocks, self._blocks = self._blocks, []
        if first == last:
            return np.empty(0, np.float32)
        size = self._memory.samples
        begin = first // size * size
        if last <= begin + size:
            return blocks[begin // size][first - begin : last - begin]
        out = np.empty(last - first, np.float32)
        blocks.reverse()
        for at in range(0, last, size):
            block = blocks.pop()
            low, high = max(first, at), min(last, at + size)
            if high > low:
                out[low - first : high - first] = block[low - at : high - at]
        return out


class PackedBits:
    """A row of packed bits, the first in bit 0, that grows at its end and is let go of from its beginning."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self._gone = 0  # bytes before them

    def put(self, at: int, data: NDArray[Any]) -> None:
        """Have bits `at` and later be those of `data`."""
        byte, shift = divmod(at - 8 * self._gone, 8)
        if shift:
            # One more byte takes the carry of a message that does not start on a byte.
            carried = np.zeros(len(data) + 1, np.uint8)
            carried[:-1] = data << shift
            carried[1:] |= data >> (8 - shift)
            carried[0] |= self.bytes[byte] & ((1 << shift) - 1)
            data = carried
        self.bytes[byte:] = data.tobytes()

    def hold(self, at: int, count: int) -> None:
        """Have at least `count` bits from `at` on be as the one before."""
        last = at - 1 - 8 * self._gone
        level = self.bytes[last // 8] >> (last % 8) & 1
        self.put(at, np.full((count + 7) // 8, 0xFF * level, np.uint8))

    def release(self, before: int) -> NDArray[np.uint8]:
        """Take the whole bytes of bits before number `before` away."""
        whole = max(0, before // 8 - self._gone)
        taken = np.frombuffer(self.bytes[:whole], np.uint8)  # of a copy
        del self.bytes[:whole]
        self._gone += whole
        return taken


class LineLog(SignalLog):
    """A digital input: packed bits; where samples were lost it keeps the level it had before."""

    _padding = 7

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._bits = PackedBits()

    def _fill(self, until: int) -> None:
        self._bits.hold(self._count, until - self._count)

    def _append(self, data: NDArray[Any]) -> None:
        self._bits.put(self._count, data)
        self._count += 8 * len(data)

    def take(self, span: Span) -> MarkerLine:
        """The line in a span that lies within `start` and `stop`; the log lets go of it."""
        first, last = self.index(span[0]), self.index(span[1])
        bits = np.frombuffer(self._bits.bytes, np.uint8)
        self._bits = PackedBits()
        byte, shift = divmod(first, 8)
        used = (last - first + 7) // 8
        shifted = bits[byte : byte + used]
        if shift:
            after = bits[byte + 1 : byte + 1 + used]
            shifted = shifted >> np.uint8(shift)
            shifted[: len(after)] |= after << np.uint8(8 - shift)
        return MarkerLine(shifted, last - first, self.clock_hz / self.decimation)


class RangeLog(SignalLog):
    """The current range, one code a sample: only where it changes is kept."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._starts: list[NDArray[np.int64]] = []
        self._codes: list[NDArray[np.uint8]] = []
        self._last = -1

    def _fill(self, until: int) -> None:
        """The range is taken to have stayed; the samples themselves are a gap."""

    def _append(self, data: NDArray[Any]) -> None:
        changes = np.flatnonzero(data[1:] != data[:-1]) + 1
        if data[0] != self._last:
            changes = np.concatenate((np.zeros(1, np.int64), changes))
        if len(changes):
            self._starts.append(changes + self._count)
            self._codes.append(data[changes].astype(np.uint8))
        self._last = int(data[-1])
        self._count += len(data)

    def take(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Where each run begins, in counts of the sample clock, and its code; the log lets go of them."""
        starts, self._starts = self._starts, []
        codes, self._codes = self._codes, []
        return np.concatenate(starts) * self.decimation + self.start, np.concatenate(codes)
