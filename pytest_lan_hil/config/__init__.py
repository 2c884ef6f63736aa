"""Boards and benches: typed descriptions, read from TOML, with errors that name file, line, key and fix.

    search = SearchPath.default(rootdir)
    board = load_board("nrf52840", search)
    bench = load_bench("virtual", search)
    wiring = wire(bench, board)             # wiring.probe == "virtual:nrf52840"

Nothing here opens a device; whether one is attached is found out by `dut`, `instruments` and the doctor.
"""

from pytest_lan_hil.config.bench import Bench
from pytest_lan_hil.config.board import Board, MemoryRange
from pytest_lan_hil.config.loading import read_bench, read_board
from pytest_lan_hil.config.schema import bench_schema, board_schema
from pytest_lan_hil.config.search import (
    REPLAY,
    Found,
    Place,
    SearchPath,
    list_benches,
    list_boards,
    load_bench,
    load_board,
    shipped_root,
)
from pytest_lan_hil.config.wiring import Wiring, wire, wire_first

__all__ = [
    "REPLAY",
    "Bench",
    "Board",
    "Found",
    "MemoryRange",
    "Place",
    "SearchPath",
    "Wiring",
    "bench_schema",
    "board_schema",
    "list_benches",
    "list_boards",
    "load_bench",
    "load_board",
    "read_bench",
    "read_board",
    "shipped_root",
    "wire",
    "wire_first",
]
