"""What recording a virtual second costs: current and voltage at 1 MS/s and two marker lines at 2 MS/s.

The load is scripted on a board whose flash is blank, so that nearly all of the difference between the two
arms is sampling and putting the record together.
"""

from __future__ import annotations

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.own_state import own_state
from benchmarks.table import Row
from pytest_lan_hil.instruments import open_analyzer
from pytest_lan_hil.model.capture import MarkerLine
from pytest_lan_hil.virtual.board import VirtualBoard, acquire, release

DURATION_S = 20
ROUNDS = 5
CHANGES_PER_S = 200
ANALYZER = "joulescope+virtual:nrf52840?gpi0=P0.13&gpi1=P0.14"
MARKERS = {"inference": "gpi0", "phase": "gpi1"}


class _Load:
    """A listener of the board that changes current and pins at a steady pace."""

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board
        self._step = board.tick_hz // CHANGES_PER_S
        self._next = board.now + self._step
        self._high = False

    def next_tick(self) -> int:
        return self._next

    def advanced(self, now: int) -> None:
        if now < self._next:
            return
        self._high = not self._high
        self._board.power.step(now, 3.1e-3 if self._high else 3.2e-6)
        for pin in ("P0.13", "P0.14"):
            self._board.pins.edge(now, pin, self._high)
        self._next += self._step


def run() -> list[Row]:
    # In a process of its own, so that the peak of memory is that of the captures.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        cost_s, peak = pool.submit(_measure).result()
    return [
        Row(
            "capture, wall time per virtual second",
            1e3 * cost_s,
            "ms",
            f"the same {DURATION_S} s without a capture, {CHANGES_PER_S} changes a second, best of {ROUNDS}",
            25.0,
            at_least=False,
        ),
        Row(
            "capture, peak of memory",
            peak,
            "x",
            f"the size of the record of {DURATION_S} s",
            1.5,
            at_least=False,
        ),
    ]


def _measure() -> tuple[float, float]:
    """Seconds per virtual second, and peak memory in sizes of the record."""
    with own_state():
        board = acquire("nrf52840")
        analyzer = open_analyzer(ANALYZER, markers=MARKERS)
        try:
            board.attach(_Load(board))
            bare, recorded = [], []
            peak = 0.0
            for _ in range(ROUNDS):
                bare.append(_seconds(board))
                before = _resident()
                start = time.perf_counter()
                analyzer.start()
                board.clock.sleep(DURATION_S)
                capture = analyzer.stop()
                recorded.append(time.perf_counter() - start)
                lines = sum(
                    line.bits.nbytes for line in capture.markers.values() if isinstance(line, MarkerLine)
                )
                size = capture.current_a.nbytes + capture.voltage_v.nbytes + lines
                # The high-water mark of the first round, when nothing has been there before.
                peak = peak or (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / size
                del capture
        finally:
            analyzer.close()
            release(board)
    return (min(recorded) - min(bare)) / DURATION_S, peak


def _seconds(board: VirtualBoard) -> float:
    start = time.perf_counter()
    board.clock.sleep(DURATION_S)
    return time.perf_counter() - start


def _resident() -> int:
    """Bytes of memory that this process holds now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
