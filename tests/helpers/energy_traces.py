"""MLPerf Tiny energy traces made by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def write_trace(
    folder: Path, energy_uj: object, *, rate_hz: float = 1000.0, stamps: Sequence[object] | None = None
) -> Path:
    """Write `trace1-energy.bin`, and its time stamps beside it where they are given."""
    path = folder / "trace1-energy.bin"
    path.write_bytes(b"\xf1" + struct.pack("<f", rate_hz) + np.asarray(energy_uj, "<f4").tobytes())
    if stamps is not None:
        (folder / "trace1-timestamps.json").write_text(json.dumps(list(stamps)))
    return path


def report_of(windows: Sequence[tuple[int, float, float, float]]) -> str:
    """Lines of a results.txt for windows (number, start s, duration s, energy uJ)."""
    lines = []
    for number, start_s, duration_s, energy_uj in windows:
        lines += [
            f"00100.215 ulp-ml: Energy data for window {number} at time {start_s:.2f}"
            f" for {duration_s:.2f} sec.:",
            f"00100.216 ulp-ml:   Energy       :   {energy_uj:.3f} uJ",
            f"00100.216 ulp-ml:   Power        :   {energy_uj / duration_s:.3f} uW",
            f"00100.216 ulp-ml:   Energy/Inf.  :      {energy_uj / 100:.3f} uJ/inf.",
        ]
    return "\n".join(lines) + "\n"
