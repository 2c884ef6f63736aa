"""The network's dense layer against a plain triple loop, the cycles of the integer parts against the timing
table (kernel_cycles.py), and the energy of an inference, on virtual chips.

The kernels are an image of their own (firmware/kernels/), compiled here: this benchmark needs
arm-none-eabi-gcc and make. The energy is that of the board's default image.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.kernel_cycles import Kernels, boot, explain
from benchmarks.own_state import own_state
from benchmarks.table import Row
from pytest_lan_hil.config import SearchPath, load_bench, load_board, wire
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.recording import record

ROOT = Path(__file__).resolve().parent.parent
BOARDS = ("nrf52840", "stm32f4")
HOP_S = 0.032
INFERENCES = 30
RATIO_BAR = 1.5
UNEXPLAINED_BAR = 1.0


def run() -> list[Row]:
    """Build, run, and compare."""
    rows = []
    with own_state():
        for name in BOARDS:
            chip = load_board(name, SearchPath.default(ROOT, ())).virtual
            assert chip is not None
            booted = boot(chip)
            rows += [_dense(booted), _explained(booted), _energy(name)]
    return rows


def kernels(chip: str) -> dict[str, int]:
    """What the kernel image says on a virtual chip: cycles of each part, number of multiply-accumulates.

    Raises:
        RuntimeError: The image was not built, or it printed no result.
    """
    return boot(chip).figures


def _dense(booted: Kernels) -> Row:
    figures = booted.figures
    ours, plain = (figures[kind] / figures["macs"] for kind in ("ours", "plain"))
    against = f"{ours:.2f} cycles per MAC against {plain:.2f} of a plain triple loop, same compiler and flags"
    return Row(f"{booted.chip}, dense layer", plain / ours, "x", against, RATIO_BAR)


def _explained(booted: Kernels) -> Row:
    parts = explain(booted)
    worst = max(abs(part.explained / part.measured - 1) for part in parts.values())
    against = "cycles counted: " + ", ".join(f"{name} {part.measured:,}" for name, part in parts.items())
    name = f"{booted.chip}, cycles left unexplained"
    return Row(name, worst * 100, "%", against, UNEXPLAINED_BAR, at_least=False)


def _energy(name: str) -> Row:
    search = SearchPath.default(ROOT, ())
    board, bench = load_board(name, search), load_bench("virtual", search)
    board_run = BoardRun(board, bench, wire(bench, board), wait_s=60)
    try:
        board_run.prepare(None)
        opened = board_run.open()
        with record(opened) as recording:
            opened.dut.infer(INFERENCES)
        energy = recording.energy
    finally:
        board_run.close(interrupted=False)
    power_mw = board.targets["power"]
    bar_uj = power_mw * HOP_S * 1e3
    against = f"mean of {INFERENCES}; all that {power_mw:g} mW leave for a hop of {HOP_S * 1e3:g} ms"
    return Row(
        f"{name}, energy per inference", energy.estimate.value, energy.unit, against, bar_uj, at_least=False
    )
