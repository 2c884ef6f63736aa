"""Virtual seconds per wall second of the virtual chips, capture included."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.own_state import own_state
from benchmarks.table import Row
from pytest_lan_hil.config import SearchPath, load_bench, load_board, wire
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.recording import record

BUSY_INFERENCES = 2000
LISTEN_S = 20
ROUNDS = 3
# Board, and how much faster than silicon it has to be while it listens. After Stop mode an STM32 starts its
# PLL anew, 31 times a second: nobody has asked for more there than for a busy chip.
BOARDS = {"nrf52840": 20.0, "stm32f4": 2.0}


def run() -> list[Row]:
    return [row for name, bar in BOARDS.items() for row in _speed(name, bar)]


def _speed(name: str, listening_bar: float) -> list[Row]:
    root = Path(__file__).resolve().parent.parent
    search = SearchPath.default(root, ())
    board, bench = load_board(name, search), load_bench("virtual", search)
    with own_state():
        board_run = BoardRun(board, bench, wire(bench, board), wait_s=60)
        try:
            board_run.prepare(None)
            opened = board_run.open()
            dut = opened.dut
            dut.infer(10)  # compile and decode before the clock starts
            dut.command("lnn pace 0")
            busy, busy_s = _best(opened, lambda: dut.infer(BUSY_INFERENCES))
            dut.command("lnn pace 32")
            listening, listening_s = _best(opened, lambda: dut.run_for(LISTEN_S))
        finally:
            board_run.close(interrupted=False)
    against = f"wall time, capture included, best of {ROUNDS} of"
    return [
        Row(f"virtual {name}, busy all the time", busy, "x", f"{against} {busy_s:.1f} virtual s", 2.0),
        Row(
            f"virtual {name}, listening",
            listening,
            "x",
            f"{against} {listening_s:.1f} virtual s",
            listening_bar,
        ),
    ]


def _best(opened: OpenBench, work: Callable[[], object]) -> tuple[float, float]:
    """Virtual seconds per wall second of the best round, and the virtual seconds of a round."""
    ratios = []
    duration_s = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with record(opened) as recording:
            work()
        wall_s = time.perf_counter() - start
        duration_s = recording.capture.duration_s
        ratios.append(duration_s / wall_s)
    return max(ratios), duration_s
