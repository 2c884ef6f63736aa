"""Flashing 64 KiB through pyOCD's own algorithm on the emulated core, against the flash's data sheet.

The nRF52840's flash needs 85 ms to erase a page of 4 KiB and 41 us to write a word (nRF52840 product
specification, NVMC electrical specification, t_ERASEPAGE and t_WRITE): whatever the probe's link speed,
no real board can be faster than that.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from pathlib import Path

from intelhex import IntelHex

from benchmarks.table import Row
from pytest_lan_hil.dut.image import load_image
from pytest_lan_hil.dut.probe import Probe

SIZE = 64 * 1024
ERASE_PAGE_S = 85e-3
WRITE_WORD_S = 41e-6
ROUNDS = 5


def run() -> list[Row]:
    real_s = SIZE // 4096 * ERASE_PAGE_S + SIZE // 4 * WRITE_WORD_S
    with tempfile.TemporaryDirectory() as state:
        os.environ["LAN_HIL_VIRTUAL_STATE"] = state
        times = []
        with Probe.open("virtual:nrf52840", target="nrf52840") as probe:
            for index in range(ROUNDS):
                path = Path(state) / f"random{index}.hex"
                image = IntelHex()
                image.puts(0, random.Random(index).randbytes(SIZE))
                image.write_hex_file(str(path))
                loaded = load_image(path)
                start = time.perf_counter()
                report = probe.flash(loaded)
                times.append(time.perf_counter() - start)
                assert report.written
    best = min(times)
    return [
        Row(
            "flashing 64 KiB, virtual against data sheet",
            best / real_s,
            "x",
            f"{best:.2f} s (best of {ROUNDS}), {real_s:.2f} s (16 pages at 85 ms, 16384 words at 41 us)",
            0.25,
            at_least=False,
        )
    ]
