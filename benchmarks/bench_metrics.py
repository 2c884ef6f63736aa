"""Cycles of the C metrics library on the virtual nRF52840's core, which runs from flash behind a cache."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.metrics_core import COMPILER, available, costs
from benchmarks.table import Row

BAR_CYCLES = 100
SNAPSHOT, CHECKSUM = "lnn_metrics_snapshot", "lnn_crc32"


def run() -> list[Row]:
    if not available():
        print(
            f"metrics: {COMPILER} is not installed (Debian: apt install gcc-arm-none-eabi)", file=sys.stderr
        )
        return []
    with tempfile.TemporaryDirectory() as folder:
        found = costs(Path(folder))
    rows = [
        Row(
            f"{name}()",
            most,
            "cycles",
            f"the most of 39 calls; {first} with nothing in the cache",
            BAR_CYCLES,
            at_least=False,
        )
        for name, (first, _, most) in sorted(found.items(), key=lambda item: -item[1][2])
        if name.startswith(("lnn_record_", "lnn_set_"))
    ]
    snapshot, checksum = found[SNAPSHOT][2], found[CHECKSUM][2]
    rows.append(
        Row(
            f"{SNAPSHOT}()",
            snapshot,
            "cycles",
            f"of these {checksum} for the CRC-32, interrupts on",
            10_000,
            at_least=False,
        )
    )
    return rows
