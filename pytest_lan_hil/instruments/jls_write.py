"""Writing JLS v2 files by pyjls: piece by piece while an instrument streams, or a whole capture at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.jls_format import (
    CURRENT,
    LINES,
    NOTE_CHUNK,
    OUR_CHUNK,
    POWER,
    RANGE,
    SIMULATED,
    UNITS,
    VOLTAGE,
    Header,
    check_file,
    require_room,
)
from pytest_lan_hil.instruments.joulescope_models import RANGE_INDICES
from pytest_lan_hil.instruments.joulescope_time import UTC_EPOCH_S, UTC_HZ
from pytest_lan_hil.model.capture import Capture, EdgeLine, MarkerLine, RangeRuns
from pytest_lan_hil.model.errors import InputError, InstrumentError

_PIECE = 1 << 20
_MAKERS = {"Joulescope": "Jetperch"}


class JlsFile:
    """A JLS file that is being written. `close` must be called, whatever happens in between.

    Args:
        path: Overwritten if it exists.
        header: What to write before the samples.

    Raises:
        InputError: The file can't be made, or pyjls is not installed.
    """

    def __init__(self, path: Path, header: Header) -> None:
        pyjls = load_pyjls(f"writing {path}")
        self.path = path
        self._ids: dict[str, int] = {}
        try:
            path.open("wb").close()  # pyjls does not say why it could not
            self._file = pyjls.Writer(str(path))
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"writing {path}: {getattr(error, 'strerror', None) or error}",
                fix="name a file in a folder that exists and can be written",
            ) from error
        instrument = header.instrument
        maker, _, model = instrument.model.partition(" ")
        self._file.user_data(NOTE_CHUNK, _note(header))
        self._file.user_data(OUR_CHUNK, header.as_json())
        self._file.source_def(
            source_id=1,
            name=f"{model or maker}-{instrument.serial}" + (SIMULATED if instrument.simulated else ""),
            vendor=_MAKERS.get(maker, maker),
            model=model or maker,
            version=instrument.version,
            serial_number=instrument.serial,
        )

    def define(self, name: str, data_type: str, rate_hz: int) -> None:
        """Begin a signal: "f32", "f64", "u4" (two to a byte) or "u1" (eight to a byte)."""
        pyjls = load_pyjls(f"writing {self.path}")
        self._ids[name] = len(self._ids) + 1
        self._file.signal_def(
            signal_id=self._ids[name],
            source_id=1,
            signal_type=pyjls.SignalType.FSR,
            data_type=getattr(pyjls.DataType, data_type.upper()),
            sample_rate=rate_hz,
            name=name,
            units=UNITS.get(name, ""),
        )

    def add(self, name: str, sample_id: int, data: NDArray[Any]) -> None:
        """Append samples; what lies between them and those before is marked as missing.

        Raises:
            RuntimeError: They could not be written.
        """
        if len(data):
            # pyjls does not write, but asks for memory that may be written to.
            self._file.fsr(self._ids[name], sample_id, np.require(data, requirements=("C", "W")))

    def utc(self, name: str, sample_id: int, ticks: int) -> None:
        """Tie a sample to a JLS time stamp."""
        self._file.utc(self._ids[name], sample_id, ticks)

    def lost(self, name: str, start: int, stop: int) -> None:
        """Note which samples of a signal are missing: of digital ones the samples themselves don't tell."""
        self._file.user_data(OUR_CHUNK, {"lost": [name, start, stop]})

    def close(self, *, complete: bool, problem: str = "") -> None:
        """Write what is left, with the recording's outcome.

        Raises:
            InstrumentError: The disk would not take it.
        """
        try:
            self._file.user_data(OUR_CHUNK, {"end": {"complete": complete, "problem": problem}})
            if problem:
                self._file.user_data(NOTE_CHUNK, f"Incomplete: {problem}")
        except RuntimeError as error:
            raise self._unfinished(error) from error
        finally:
            self._file.close()
        try:
            check_file(self.path)  # pyjls 0.17 tells nobody that the disk was full
        except InputError as error:
            raise self._unfinished(error) from error

    def _unfinished(self, error: Exception) -> InstrumentError:
        return InstrumentError(
            f"closing {self.path}: the disk did not take all of it ({getattr(error, 'problem', error)})",
            fix="make room on the disk, then record again",
        )


def _largest_size(capture: Capture) -> int:
    """Bytes of a file that holds the capture: current, voltage and power, a code of the range, and bits."""
    lines = sum(line.bits.nbytes for line in capture.markers.values() if isinstance(line, MarkerLine))
    # Indices and summaries add a few per cent.
    return int((capture.count * (3 * 4 + 0.5) + lines) * 1.1)


def write_jls(capture: Capture, path: Path | str) -> None:
    """Write a capture as a JLS v2 file, which the Joulescope UI opens and `read_jls` reads back.

    Power is written beside current and voltage, so that it is seen there. Marker lines of samples become
    gpi[0], gpi[1], … in their order.

    Args:
        capture: Of any instrument.
        path: Overwritten if it exists.

    Raises:
        InputError: The file can't be made, or the capture does not fit the format.
        InstrumentError: The disk is full.
    """
    path = Path(path)
    lines = {name: line for name, line in capture.markers.items() if isinstance(line, MarkerLine)}
    signals = [signal for signal, _ in LINES.values()]
    if len(lines) > len(signals):
        raise InputError(f"writing {path}: {len(lines)} marker lines, JLS files have {len(signals)}")
    if not capture.count:
        raise InputError(f"writing {path}: the capture holds no samples", fix="record for longer")
    if capture.sample_rate_hz < 1:
        raise InputError(
            f"writing {path}: JLS files have at least one sample a second, this capture has"
            f" {capture.sample_rate_hz:g}",
            fix="sample faster",
        )
    markers = dict(zip(lines, signals, strict=False))
    rates_hz = {RANGE: capture.sample_rate_hz, POWER: capture.sample_rate_hz}
    rates_hz |= {CURRENT: capture.sample_rate_hz, VOLTAGE: capture.sample_rate_hz}
    rates_hz |= {markers[name]: line.sample_rate_hz for name, line in lines.items()}
    codes = _codes(capture)
    require_room(path, _largest_size(capture))
    file = JlsFile(
        path,
        Header(
            instrument=capture.instrument,
            accuracy=capture.accuracy,
            supply=capture.supply,
            markers=markers,
            edges={name: line for name, line in capture.markers.items() if isinstance(line, EdgeLine)},
            rates_hz={name: rate for name, rate in rates_hz.items() if rate != round(rate)},
            range_indices=codes,
            notes=capture.notes,
        ),
    )
    whole = False
    try:
        _write_samples(file, capture)
        for name, line in lines.items():
            _write_line(file, markers[name], line)
        if capture.ranges is not None and codes:
            _write_ranges(file, capture, capture.ranges, codes)
        whole = True
    except RuntimeError as error:
        raise InstrumentError(f"writing {path}: {error}", fix="make room on the disk") from error
    finally:
        complete = whole and capture.complete
        file.close(complete=complete, problem="" if complete else "the record ended before it was told to")


def load_pyjls(purpose: str) -> Any:
    """The pyjls package.

    Raises:
        InputError: It is not installed.
    """
    try:
        import pyjls
    except ImportError as error:
        raise InputError(
            f"{purpose}: the pyjls package is not installed",
            fix='run `pip install "pytest-lan-hil[joulescope]"`',
        ) from error
    return pyjls


def pack_codes(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Range codes as JLS has them, the first of two in the lower half; an odd last one twice."""
    if len(codes) % 2:
        codes = np.append(codes, codes[-1:])
    packed: NDArray[np.uint8] = codes[0::2] | codes[1::2] << np.uint8(4)
    return packed


def _note(header: Header) -> str:
    lines = [f"Recorded by pytest-lan-hil with {header.instrument}."]
    lines += [f"Marker line {name} is {signal}." for name, signal in header.markers.items()]
    return "\n".join([*lines, *header.notes, *header.instrument.notes])


def _write_samples(file: JlsFile, capture: Capture) -> None:
    rate, power_w = round(capture.sample_rate_hz), capture.power_w
    if power_w is None:
        for name in (CURRENT, VOLTAGE, POWER):
            file.define(name, "f32", rate)
    else:
        file.define(POWER, "f64" if power_w.dtype == np.float64 else "f32", rate)
    for at in range(0, capture.count, _PIECE):
        part = slice(at, at + _PIECE)
        if power_w is not None:
            file.add(POWER, at, power_w[part])
            continue
        current_a, voltage_v = capture.current_a[part], capture.voltage_v[part]
        file.add(CURRENT, at, current_a)
        file.add(VOLTAGE, at, voltage_v)
        file.add(POWER, at, current_a * voltage_v)
    for gap in capture.gaps:
        for name in (CURRENT,) if power_w is None else (POWER,):
            file.lost(name, gap.start, gap.stop)
    if capture.time_map is not None:
        _tie(file, CURRENT if power_w is None else POWER, capture)


def _tie(file: JlsFile, name: str, capture: Capture) -> None:
    """The time map as pairs at both ends and every minute between them."""
    assert capture.time_map is not None
    minute = round(60 * capture.sample_rate_hz)
    for at in (*range(0, capture.count - 1, minute), capture.count - 1):
        passed_s = at / capture.sample_rate_hz * capture.time_map.rate
        # Apart, so that the fraction keeps its nanoseconds: a float of seconds since 1970 has 240 of them.
        whole_s = int(capture.time_map.utc_s)
        rest_s = capture.time_map.utc_s - whole_s + passed_s
        file.utc(name, at, (whole_s - UTC_EPOCH_S) * UTC_HZ + round(rest_s * UTC_HZ))


def _write_line(file: JlsFile, name: str, line: MarkerLine) -> None:
    file.define(name, "u1", round(line.sample_rate_hz))
    bits = line.bits[: (line.count + 7) // 8]
    if line.count % 8 and len(bits):
        # The format counts whole bytes here: the level goes on to the end of the last.
        used = line.count % 8
        high = bits[-1] >> (used - 1) & 1
        last = (int(bits[-1]) & ((1 << used) - 1)) | ((0xFF << used) & 0xFF if high else 0)
        bits = np.append(bits[:-1], np.uint8(last))
    for at in range(0, len(bits), _PIECE):
        file.add(name, 8 * at, bits[at : at + _PIECE])


def _codes(capture: Capture) -> tuple[int, ...]:
    """Range code to index: the driver's own where the instrument is a Joulescope, else the index itself."""
    if capture.ranges is None:
        return ()
    model = capture.instrument.model.rpartition(" ")[2].lower()
    if model in RANGE_INDICES:
        return RANGE_INDICES[model]
    return tuple(range(16)) if len(capture.accuracy.current_ranges) < 16 else ()


def _write_ranges(file: JlsFile, capture: Capture, ranges: RangeRuns, codes: tuple[int, ...]) -> None:
    file.define(RANGE, "u4", round(capture.sample_rate_hz))
    code_of = np.zeros(max(codes) + 1, np.uint8)
    for code in reversed(range(len(codes))):
        code_of[codes[code]] = code
    for at, runs, counts in _pieces(ranges, capture.count):
        file.add(RANGE, at, pack_codes(np.repeat(code_of[runs], counts)))


def _pieces(ranges: RangeRuns, total: int) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """First sample, indices and run lengths of each piece of the record."""
    for at in range(0, total, _PIECE):
        end = min(at + _PIECE, total)
        first = int(np.searchsorted(ranges.starts, at, side="right")) - 1
        last = int(np.searchsorted(ranges.starts, end, side="left"))
        bounds = np.append(ranges.starts[first:last], end)
        bounds[0] = at
        yield at, ranges.indices[first:last], np.diff(bounds)
