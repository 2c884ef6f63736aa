"""The energy trace of MLPerf Tiny's runner: `trace1-energy.bin`.

Byte 0xF1, the sample rate in Hz, then the energy of each sample in uJ; all numbers are little-endian float32
(read off the traces in mlcommons/tiny_results_v1.0 and _v1.1, which hold energy at 1 kHz). The marker line is
not in it: the time stamps of its edges are a JSON file beside it (see `stamps`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_lan_hil.instruments.files.limits import recorder, require_rate
from pytest_lan_hil.model.capture import Capture
from pytest_lan_hil.model.errors import InputError

MAGIC = 0xF1
_HEADER = 5
_FIX = "the file is damaged or cut short: fetch it again, or record again"


def read_mlperf(path: Path, *, instrument: str | None) -> Capture:
    """Read an energy trace as a capture of power alone.

    Raises:
        InputError: Not such a trace, or damaged.
    """
    rate_hz, energy_uj = _decode(path, path.read_bytes())
    who = recorder(instrument, otherwise="MLPerf Tiny energy runner's instrument")
    nothing = np.empty(0, np.float32)
    return Capture(
        rate_hz,
        nothing,
        nothing,
        who.identity,
        who.accuracy,
        supply="none",
        power_w=energy_uj.astype(np.float64) * (rate_hz * 1e-6),
        notes=who.notes,
    )


def _decode(path: Path, data: bytes) -> tuple[float, NDArray[np.float32]]:
    if data[:1] != bytes([MAGIC]):
        found = f"0x{data[0]:02X}" if data else "nothing"
        raise InputError(
            f"{path}: not an MLPerf Tiny energy trace: its first byte is {found}, expected 0x{MAGIC:02X}",
            fix="give the runner's trace1-energy.bin",
        )
    if len(data) <= _HEADER or (len(data) - _HEADER) % 4:
        raise InputError(
            f"{path}: {len(data)} bytes are not a whole energy trace: expected 5, and 4 for each sample",
            fix=_FIX,
        )
    rate_hz = require_rate(float(np.frombuffer(data, "<f4", 1, offset=1)[0]), f"{path}: its sample rate")
    energy_uj = np.frombuffer(data, "<f4", offset=_HEADER)
    bad = np.flatnonzero(~np.isfinite(energy_uj))
    if bad.size:
        raise InputError(
            f"{path}: sample {bad[0]} (at {bad[0] / rate_hz:.3f} s) is {energy_uj[bad[0]]} uJ,"
            f" the first of {bad.size} that are not finite",
            fix=_FIX,
        )
    return rate_hz, energy_uj
