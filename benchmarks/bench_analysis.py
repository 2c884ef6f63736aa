"""What it costs to get from a capture to the energies of its windows: 60 M samples, a minute at 1 MS/s.

The bound is one pass of numpy.dot over current and voltage; "plain numpy" is what one writes without giving
it a thought: the product, its running sum, the marker line unpacked, its differences. All arms of a round run
one after the other, and each counts with its best round, so that a busy machine hits them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row
from pytest_lan_hil.measure.energy import energies
from pytest_lan_hil.measure.windows import windows_of
from pytest_lan_hil.model.capture import Accuracy, Capture, InstrumentIdentity, MarkerLine

SAMPLES = 60_000_000
RATE_HZ = 1e6
ROUNDS = 5
MARKER = "inference"
CONSTANT = "windows over a constant load"
# Name, samples high, samples from rise to rise, bars against numpy.dot and plain numpy. An edge every 150
# samples leaves few bytes of the marker line and few rows of samples whole, hence the lower bars of the last.
CASES = (
    ("windows over half of it", 10_000, 20_000, 0.5, 10.0),
    ("windows over all of it", 1_000_000, 1_000_010, 0.5, 10.0),
    (CONSTANT, 1_000_000, 1_000_010, 0.5, 10.0),
    ("4,000 windows of 5 ms", 5_000, 15_000, 0.5, 10.0),
    ("200,000 windows of 100 us", 100, 300, 0.1, 5.0),
)


def run() -> list[Row]:
    # In a process of its own, which gives the 2 GB that plain numpy takes back to the machine.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure).result()


def _measure() -> list[Row]:
    rng = np.random.default_rng(0)
    current = rng.standard_exponential(SAMPLES, np.float32) * np.float32(5e-3)
    voltage = np.float32(3.0) + rng.standard_normal(SAMPLES, np.float32) * np.float32(0.01)
    captures = {name: _capture(current, voltage, high, period) for name, high, period, _, _ in CASES}
    captures[CONSTANT] = replace(
        captures[CONSTANT],
        current_a=np.full(SAMPLES, 5.123e-3, np.float32),
        voltage_v=np.full(SAMPLES, 3.3, np.float32),
    )
    bound: dict[str, list[float]] = {name: [] for name in captures}
    kernel: dict[str, list[float]] = {name: [] for name in captures}
    plain: dict[str, list[float]] = {name: [] for name in captures}
    for _ in range(ROUNDS):
        for name, capture in captures.items():
            bound[name].append(_seconds(partial(np.dot, capture.current_a, capture.voltage_v)))
            kernel[name].append(_seconds(partial(_energies, capture)))
        for name, capture in captures.items():
            plain[name].append(_seconds(partial(_plainly, capture)))
    rows = []
    for name, _, _, of_dot, of_plain in CASES:
        np.testing.assert_allclose(_energies(captures[name]), _plainly(captures[name]), rtol=1e-5)
        best = min(kernel[name])
        rows.append(
            Row(
                f"analysis, {name}",
                min(bound[name]) / best,
                "x",
                f"speed of numpy.dot, {_rate(best)}",
                of_dot,
            )
        )
        rows.append(Row(f"analysis, {name}", min(plain[name]) / best, "x", "speed of plain numpy", of_plain))
    return rows


def _capture(current: NDArray[np.float32], voltage: NDArray[np.float32], high: int, period: int) -> Capture:
    level = (np.arange(SAMPLES, dtype=np.int32) + period // 2) % period >= period - high
    line = MarkerLine(np.packbits(level, bitorder="little"), SAMPLES, RATE_HZ)
    return Capture(
        RATE_HZ,
        current,
        voltage,
        InstrumentIdentity("benchmark", "0", simulated=True),
        Accuracy(0.0, 0.0, 0.0, 0.0, 0.0, "made up"),
        {MARKER: line},
    )


def _energies(capture: Capture) -> NDArray[np.float64]:
    windows = windows_of(capture, MARKER)
    return energies(capture, windows.start_s, windows.stop_s)


def _plainly(capture: Capture) -> NDArray[np.float64]:
    line = capture.markers[MARKER]
    assert isinstance(line, MarkerLine)
    running = np.cumsum(capture.current_a * capture.voltage_v, dtype=np.float64)
    level = np.unpackbits(line.bits, count=line.count, bitorder="little")
    edges = np.flatnonzero(np.diff(level))
    edges = edges[int(level[0]) :]
    edges = edges[: len(edges) // 2 * 2]
    joules: NDArray[np.float64] = (running[edges[1::2]] - running[edges[0::2]]) / capture.sample_rate_hz
    return joules


def _seconds(arm: Callable[[], object]) -> float:
    start = time.perf_counter()
    arm()
    return time.perf_counter() - start


def _rate(seconds: float) -> str:
    return f"{SAMPLES / seconds / 1e6:,.0f} MS/s, best of {ROUNDS}"
