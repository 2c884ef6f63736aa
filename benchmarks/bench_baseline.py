"""`lan-hil baseline check` on a long history: 100,000 runs in the ledger against 1,000, in pairs.

Both ledgers hold the same newest runs, so that the same is compared. Processor time of the whole command is
compared, because what else the machine does changes wall time by more than the bar.
"""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from pytest_lan_hil.publish.ledger_rows import MEASUREMENT_COLUMNS, RUN_COLUMNS
from pytest_lan_hil.publish.ledger_schema import LEDGER_NAME, make_file

SHORT, LONG = 1_000, 100_000
PAIRS = 7
# Three set-ups take turns.
_RUNS_OF_A_FIRMWARE = 10
_PLACES = (("nrf52840", "desk"), ("stm32f4", "desk"), ("nrf52840", "lab"))
_LAN_HIL = "from pytest_lan_hil.cli import main; main()"
_TESTS = ("latency", "energy", "power", "memory", "accuracy", "flash")


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        projects = [_project(Path(name) / str(count), count) for count in (SHORT, LONG)]
        _command(projects[0], "save")
        saved = projects[0] / "baselines" / "nrf52840.desk.json"
        (projects[1] / "baselines").mkdir()
        (projects[1] / "baselines" / saved.name).write_bytes(saved.read_bytes())
        for project in projects:
            _command(project, "check")  # files and bytecode into the caches
        times: list[list[float]] = [[], []]
        for index in range(PAIRS):
            order = (0, 1) if index % 2 else (1, 0)  # a machine that slows down favours none
            for which in order:
                times[which].append(_command(projects[which], "check"))
    short, long = map(statistics.median, times)
    return [
        Row(
            f"baseline check, {LONG:,} runs to {SHORT:,}",
            long / short,
            "x",
            f"median of {PAIRS} pairs ({1e3 * short:.0f} ms, {1e3 * long:.0f} ms of processor time each)",
            1.5,
            at_least=False,
        )
    ]


def _command(project: Path, word: str) -> float:
    """Processor time of one command, seconds.

    Raises:
        CalledProcessError: It did not end with 0.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", _LAN_HIL, "baseline", word, "--board", "nrf52840"],
        cwd=project,
        check=True,
        stdout=subprocess.DEVNULL,
        # bytecode must be cached, or compiling is what is measured
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _project(folder: Path, count: int) -> Path:
    output = folder / ".hil"
    output.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    ledger = make_file(output / LEDGER_NAME)
    try:
        _fill(ledger, count)
    finally:
        ledger.close()
    return folder


def _fill(ledger: sqlite3.Connection, count: int) -> None:
    run_marks = ", ".join("?" * (len(RUN_COLUMNS) + 2))
    marks = ", ".join("?" * (len(MEASUREMENT_COLUMNS) + 2))
    ledger.execute("BEGIN")
    # The newest runs get the same numbers from the end, hence the same figures, in both ledgers.
    for age in range(count - 1, -1, -1):
        number = count - age
        ledger.execute(
            f"INSERT INTO runs (number, {', '.join(RUN_COLUMNS)}, replayed) VALUES ({run_marks})",
            (number, *_run(age).values(), 0),
        )
        ledger.executemany(
            f"INSERT INTO measurements (run, place, {', '.join(MEASUREMENT_COLUMNS)}) VALUES ({marks})",
            [(number, place, *row.values()) for place, row in enumerate(_measurements(age))],
        )
    ledger.execute("COMMIT")


def _run(age: int) -> dict[str, Any]:
    board, bench = _PLACES[age % len(_PLACES)]
    image = f"{age // _RUNS_OF_A_FIRMWARE:064x}"
    row = {
        "run_id": f"{10**8 - age}-{board}",
        "started_at": "2026-11-01T06:00:00.000Z",
        "finished_at": "2026-11-01T06:01:00.000Z",
        "board": board,
        "bench": bench,
        "simulated": False,
        "outcome": "passed",
        "kind": "run",
        "job": "lan_hil",
        "git_commit": image[-40:],
        "git_branch": "main",
        "git_dirty": False,
        "firmware_sha256": image,
        "instruments": '["Joulescope JS220 002557"]',
    }
    return {name: row[name] for name in RUN_COLUMNS}


def _measurements(age: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(age)
    for quantity in _TESTS:
        value = draw.gauss(10.0, 0.01)
        row = {
            "quantity": quantity,
            "test": f"tests/hil/test_targets.py::test_{quantity}",
            "repeat": 0,
            "unit": "ms",
            "statistic": "mean",
            "instrument": "Joulescope JS220 002557",
            "value": value,
            "standard_error": 0.01,
            "degrees": 99.0,
            "n": 100,
            "std": 0.1,
            "low": value - 0.02,
            "high": value + 0.02,
            "judged": True,
            "firmware_sha256": f"{age // _RUNS_OF_A_FIRMWARE:064x}",
            **dict.fromkeys(("mean", "minimum", "p50", "p95", "p99", "maximum"), value),
        }
        yield {name: row[name] for name in MEASUREMENT_COLUMNS}
