"""Flashing 64 KiB through pyOCD's own algorithm on the emulated core, against the flash's data sheet.

The nRF52840's flash needs 85 ms to erase a page of 4 KiB and 41 us to write a word (nRF52840 product
specification, NVMC electrical specification, t_ERASEPAGE and t_WRITE): whatever the probe's link speed,
no real board can be faster than that.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

from intelhex import IntelHex

from benchmarks.own_state import own_state
from benchmarks.table import Row
from pytest_lan_hil.dut.image import load_image
from pytest_lan_hil.dut.probe import Probe

SIZE = 64 * 1024
PAGE = 4096
ERASE_PAGE_S = 85e-3
WRITE_WORD_S = 41e-6
ROUNDS = 5


def run() -> list[Row]:
    real_s = SIZE // PAGE * ERASE_PAGE_S + SIZE // 4 * WRITE_WORD_S
    times = []
    with own_state() as folder, Probe.open("virtual:nrf52840", target="nrf52840") as probe:
        for index in range(ROUNDS):
            # Another content each time, so that no page is skipped as already right.
            image = IntelHex()
            image.puts(0, random.Random(index).randbytes(SIZE))
            path = Path(folder) / f"random{index}.hex"
            image.write_hex_file(str(path))
            loaded = load_image(path)
            start = time.perf_counter()
            report = probe.flash(loaded)
            times.append(time.perf_counter() - start)
            if not report.written:
                raise RuntimeError(f"round {index}: the probe says that nothing was written: {report}")
    best = min(times)
    return [
        Row(
            "flashing 64 KiB, virtual against data sheet",
            best / real_s,
            "x",
            f"{best:.2f} s (best of {ROUNDS}) against {real_s:.2f} s"
            f" ({SIZE // PAGE} pages at 85 ms and {SIZE // 4} words at 41 us: nRF52840 PS, NVMC)",
            0.25,
            at_least=False,
        )
    ]
