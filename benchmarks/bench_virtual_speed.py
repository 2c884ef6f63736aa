"""Virtual seconds per wall second of the virtual nRF52840, capture included."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row
from pytest_lan_hil.config import SearchPath, load_bench, load_board, wire
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.recording import record

BUSY_INFERENCES = 2000
LISTEN_S = 40


def run() -> list[Row]:
    root = Path(__file__).resolve().parent.parent
    search = SearchPath.default(root, ())
    board, bench = load_board("nrf52840", search), load_bench("virtual", search)
    with tempfile.TemporaryDirectory() as state:
        os.environ["LAN_HIL_VIRTUAL_STATE"] = state
        board_run = BoardRun(board, bench, wire(bench, board), wait_s=60)
        try:
            board_run.prepare(None)
            bench_open = board_run.open()
            dut = bench_open.dut
            dut.infer(10)  # compile and decode before the clock starts
            dut.command("lnn pace 0")
            busy, busy_capture = _ratio(bench_open, lambda: dut.infer(BUSY_INFERENCES))
            dut.command("lnn pace 32")
            listen, listen_capture = _ratio(bench_open, lambda: dut.run_for(LISTEN_S))
        finally:
            board_run.close(interrupted=False)
    return [
        Row(
            "virtual nRF52840, busy all the time", busy, "x", f"wall time, {busy_capture:.1f} virtual s", 2.0
        ),
        Row("virtual nRF52840, listening", listen, "x", f"wall time, {listen_capture:.1f} virtual s", 20.0),
    ]


def _ratio(bench_open, work) -> tuple[float, float]:
    wall = time.perf_counter()
    with record(bench_open) as recording:
        work()
    wall = time.perf_counter() - wall
    return recording.capture.duration_s / wall, recording.capture.duration_s
