"""A Joulescope's messages straight into a JLS file: hours, in constant memory.

Nothing is held but the file's buffers (pyjls, 32 MiB) and less than a byte of each digital signal. Samples
that are dropped are missing in the file, and noted, because digital signals can't say so themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments import jls_format
from pytest_lan_hil.instruments.jls_write import JlsFile, pack_codes
from pytest_lan_hil.instruments.joulescope_recording import CURRENT, RANGE, VOLTAGE, Recording
from pytest_lan_hil.instruments.joulescope_time import UTC_HZ
from pytest_lan_hil.instruments.stream import PackedBits, SignalLog
from pytest_lan_hil.instruments.streaming import StreamReport
from pytest_lan_hil.model.clock import Clock
from pytest_lan_hil.model.errors import InstrumentError

_CHECK_EVERY_BYTES = 16 << 20
_FILL_PIECE = 1 << 20
_MINUTE = 60 * UTC_HZ


class JlsRecording(Recording):
    """A recording that is a file. See `Joulescope.stream_to`.

    Args:
        path: Overwritten if it exists.
        header: Before the samples; its markers name the signals of `lines`.
        lines: Topic to signal in the file ("s/gpi/0" to "gpi[0]").
        clock: The harness's.

    Raises:
        InputError: The file can't be made.
        InstrumentError: The disk is full already.
    """

    def __init__(self, path: Path, header: jls_format.Header, lines: Mapping[str, str], clock: Clock) -> None:
        self._path = path
        jls_format.require_room(path, 0)
        self._file = JlsFile(path, header)
        self._unchecked = _CHECK_EVERY_BYTES
        self._problem = ""
        self.report: StreamReport | None = None
        self._analog = [
            _AnalogStream("current", self._file, jls_format.CURRENT),
            _AnalogStream("voltage", self._file, jls_format.VOLTAGE),
        ]
        self._streams: dict[str, _Stream] = dict(zip((CURRENT, VOLTAGE), self._analog, strict=True))
        self._streams |= {topic: _LineStream(name, self._file, name) for topic, name in lines.items()}
        if header.range_indices:
            self._streams[RANGE] = _RangeStream("current range", self._file, jls_format.RANGE)
        super().__init__(self._streams, clock)

    @property
    def problem(self) -> str:
        """Why nothing more is recorded, "" while all is well."""
        if self.unplugged:
            return "the instrument was unplugged while recording"
        if self.failure is not None:
            return getattr(self.failure, "problem", None) or str(self.failure)
        return self._problem

    def add(self, signal: str, message: Mapping[str, Any]) -> None:
        """Take one message in while there is room for it."""
        self._unchecked += getattr(message["data"], "nbytes", 0)
        if self._unchecked >= _CHECK_EVERY_BYTES and self.failure is None:
            self._unchecked = 0
            try:
                jls_format.require_room(self._path, 0)
            except InstrumentError as error:
                self.failure = error
        super().add(signal, message)

    def close(self, *, problem: str = "") -> None:
        """Write what is held back and close the file.

        Args:
            problem: Why the recording is incomplete, if the file itself does not know.

        Raises:
            InstrumentError: The disk would not take the end of the file.
        """
        self.end()
        self._problem = self.problem or problem
        try:
            for stream in self._streams.values():
                stream.finish()
        except RuntimeError as error:
            self._problem = self._problem or str(error)
        finally:
            self._file.close(complete=not self._problem, problem=self._problem)
        counts = sum(stream.samples for stream in self._analog)
        self.report = StreamReport(
            path=self._path,
            duration_s=self.recorded_s(),
            lost_share=sum(stream.missing for stream in self._analog) / counts if counts else 0.0,
            size_bytes=self._path.stat().st_size,
            complete=not self._problem,
            problem=self._problem,
        )


class _Stream(SignalLog):
    """One signal on its way into the file.

    Args:
        name: For messages to the user.
        file: Where it goes.
        signal: Its name there.

    Attributes:
        missing: Samples that no message covered.
    """

    data_type = "f32"

    def __init__(self, name: str, file: JlsFile, signal: str) -> None:
        super().__init__(name)
        self.missing = 0
        self._file = file
        self._signal = signal
        self._next_utc = 0
        self._pair: tuple[int, int] | None = None

    @property
    def samples(self) -> int:
        """Samples so far, missing ones included."""
        return self._count

    def add(self, message: Mapping[str, Any]) -> None:
        """Take one message in, and what it says about UTC once a minute."""
        super().add(message)
        if "utc" not in message or not self._count:
            return
        self._pair = int(message["sample_id"]) // self.decimation, int(message["utc"])
        if self._pair[1] >= self._next_utc:
            self._tie()
            self._next_utc = int(message["utc"]) + _MINUTE

    def finish(self) -> None:
        """Write what is held back."""
        self._tie()

    def _tie(self) -> None:
        if self._pair is not None:
            self._file.utc(self._signal, *self._pair)
            self._pair = None

    def _lose(self, start: int, stop: int) -> None:
        self.missing += (stop - start) // self.decimation
        self._file.lost(self._signal, start // self.decimation, -(-stop // self.decimation))

    def _write(self, at: int, data: NDArray[Any]) -> None:
        """Write samples, of which the first is number `at`."""
        self._file.add(self._signal, self.start // self.decimation + at, data)

    def _begin(self) -> None:
        if not self._count:
            self._file.define(self._signal, self.data_type, self.clock_hz // self.decimation)


class _AnalogStream(_Stream):
    """Current or voltage."""

    def _fill(self, until: int) -> None:
        """The format keeps what is missing of these as missing."""

    def _append(self, data: NDArray[Any]) -> None:
        self._begin()
        if np.isnan(data.sum()):  # a JS110's driver marks samples that never arrived
            self.missing += int(np.isnan(data).sum())
        self._write(self._count, data)
        self._count += len(data)


class _LineStream(_Stream):
    """Packed bits; where samples were lost the level stays. Whole bytes go on, one after the other.

    pyjls 0.17 gets digital samples wrong where it has to shift them, so it is never made to.
    """

    data_type = "u1"

    _padding = 7

    def __init__(self, name: str, file: JlsFile, signal: str) -> None:
        super().__init__(name, file, signal)
        self._bits = PackedBits()
        self._written = 0

    def finish(self) -> None:
        self._pass_on(self._count + 7)
        super().finish()

    def _fill(self, until: int) -> None:
        self._bits.hold(self._count, until - self._count)

    def _append(self, data: NDArray[Any]) -> None:
        self._begin()
        self._bits.put(self._count, data)
        self._count += 8 * len(data)
        # The last byte may hold fewer than eight samples: the next message's id tells.
        self._pass_on(self._count - 7)

    def _pass_on(self, before: int) -> None:
        data = self._bits.release(before)
        self._write(self._written, data)
        self._written += 8 * len(data)


class _RangeStream(_Stream):
    """Codes, two to a byte in the file: an odd one waits. Where samples were lost the range stays."""

    data_type = "u4"

    def __init__(self, name: str, file: JlsFile, signal: str) -> None:
        super().__init__(name, file, signal)
        self._held = np.empty(0, np.uint8)
        self._last = 0
        self._written = 0

    def finish(self) -> None:
        self._write(self._written, pack_codes(self._held))
        super().finish()

    def _fill(self, until: int) -> None:
        while self._count < until:
            self._append(np.full(min(until - self._count, _FILL_PIECE), self._last, np.uint8))

    def _append(self, data: NDArray[Any]) -> None:
        self._begin()
        codes = np.concatenate((self._held, data.astype(np.uint8, copy=False)))
        whole = len(codes) // 2 * 2
        self._write(self._written, pack_codes(codes[:whole]))
        self._written += whole
        self._held, self._last = codes[whole:], int(codes[-1])
        self._count += len(data)
