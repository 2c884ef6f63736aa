"""What the ledger costs a run, what asking it costs, and what kills cost it.

Recording is paired with one fsync of as much data on the same disk; start-up with `python -c "import numpy"`,
in processor time, because what else the machine does changes wall time by more than the bar.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import typer

from benchmarks.table import Row
from pytest_lan_hil.measure.statistics import describe, estimate
from pytest_lan_hil.model.measurement import Budget, Measurement, Outcome, Verdict, VerdictKind
from pytest_lan_hil.model.record import DeviceIdentity, FirmwareIdentity, RunRecord, TestRecord
from pytest_lan_hil.publish.files import run_directory
from pytest_lan_hil.publish.ledger import LEDGER_NAME, Ledger, RunFilter
from pytest_lan_hil.publish.ledger_making import announce
from pytest_lan_hil.publish.ledger_schema import open_file
from pytest_lan_hil.publish.record import write_record

RECORDED = 60
STARTS = 15
FEW, MANY = 1_000, 100_000
ASKED = 15
KILLS = 200
SEED = 20261129
QUANTITIES = (("latency", "ms"), ("energy", "uJ"), ("power", "mW"), ("memory", "KB"), ("accuracy", "%"))
# As large as what a run adds to the log: fourteen pages.
FSYNC_BYTES = 14 * 4096


def record(number: int) -> RunRecord:
    """A run with five tests of one judged quantity each."""
    chance = random.Random(number)
    firmware = FirmwareIdentity("lan.elf", f"{number // 10:064x}", proved=True)
    tests = []
    for quantity, unit in QUANTITIES:
        values = [chance.gauss(10.0, 0.1) for _ in range(20)]
        found = estimate(values, "mean", 0.01)
        measured = Measurement(
            quantity,
            unit,
            len(values),
            tuple(values),
            describe(values),
            found,
            0.0,
            "JS220 1",
            simulated=True,
        )
        verdict = Verdict(VerdictKind.WITHIN, Budget(quantity, 20, "mean", "marker"), unit, found, 20, "")
        tests.append(
            TestRecord(
                f"tests/hil/test_all.py::test_{quantity}[bench]",
                Outcome.PASSED,
                measurements={quantity: measured},
                verdicts=(verdict,),
                firmware=firmware,
            )
        )
    return RunRecord(
        run_id=f"20260101T000000-bench-{number:08d}",
        started_at="2026-01-01T00:00:00Z",
        finished_at="2026-01-01T00:00:30Z",
        board="bench",
        bench="virtual",
        simulated=True,
        job="lan_hil",
        outcome=Outcome.PASSED,
        git_commit=f"{number:040x}",
        git_branch="main",
        devices=(DeviceIdentity("analyzer", "joulescope:1", "JS220", simulated=True),),
        tests=tuple(tests),
    )


def _recording(folder: Path) -> Row:
    """A run more in the ledger, from opening it to closing it, against one fsync: in pairs, in turns."""
    (folder / "runs").mkdir()
    with Ledger.open(folder) as ledger:
        ledger.add(record(0))
    extra, syncs = [], []
    with (folder / "paired").open("wb", buffering=0) as stream:

        def synced_s() -> float:
            stream.write(bytes(FSYNC_BYTES))
            start = time.perf_counter()
            os.fsync(stream.fileno())
            return time.perf_counter() - start

        for number in range(1, RECORDED + 1):
            run = record(number)
            before = synced_s() if number % 2 else 0.0
            start = time.perf_counter()
            announce(folder, run.run_id)
            with Ledger.open(folder) as ledger:
                ledger.add(run)
            took = time.perf_counter() - start
            sync = before or synced_s()
            syncs.append(1e3 * sync)
            extra.append(1e3 * (took - sync))
    spread = statistics.quantiles(extra, n=4)
    return Row(
        "run recorded in the ledger, beyond one fsync",
        statistics.median(extra),
        "ms",
        f"median of {RECORDED} pairs with an fsync ({statistics.median(syncs):.1f} ms);"
        f" middle half {spread[0]:.1f} to {spread[2]:.1f} ms",
        20.0,
        at_least=False,
    )


def _processor_s(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _start_up(folder: Path) -> Row:
    script = "import sys; from pytest_lan_hil.cli import main; main(sys.argv[1:])"
    history = [sys.executable, "-c", script, "history", "--hil-output", str(folder)]
    numpy = [sys.executable, "-c", "import numpy"]
    for command in (history, numpy):
        _processor_s(command)
    pairs = []
    for index in range(STARTS):
        if index % 2:
            told, imported = _processor_s(history), _processor_s(numpy)
        else:
            imported, told = _processor_s(numpy), _processor_s(history)
        pairs.append((told, imported))
    ratio = statistics.median(told / imported for told, imported in pairs)
    each = [1e3 * statistics.median(times) for times in zip(*pairs, strict=True)]
    return Row(
        "`lan-hil history`, whole command",
        ratio,
        "x",
        f'python -c "import numpy" ({each[0]:.0f} against {each[1]:.0f} ms of processor time,'
        f" median of {STARTS} pairs, {RECORDED + 1} runs, typer {typer.__version__})",
        2.0,
        at_least=False,
    )


# The first run of the folder again and again: what `Ledger.add` would write, without a flush for each.
_MORE_RUNS = """
INSERT INTO runs (run_id, started_at, finished_at, board, bench, simulated, outcome, kind, replayed, job,
    git_commit, git_branch, git_dirty, firmware_sha256, instruments)
WITH RECURSIVE n (k) AS (SELECT 2 UNION ALL SELECT k + 1 FROM n WHERE k < ?)
SELECT printf('20260101T000000-bench-%08d', k), started_at, finished_at, board, bench, simulated, outcome,
    kind, replayed, job, printf('%040x', k), git_branch, git_dirty, printf('%064x', k / 10), instruments
FROM n JOIN runs ON number = 1
"""
_MORE_MEASUREMENTS = """
INSERT INTO measurements
SELECT r.number, m.place, m.quantity, m.test, m.repeat, m.unit, m.statistic, m.instrument, m.value,
    m.standard_error, m.degrees, m.n, m.mean, m.std, m.minimum, m.p50, m.p95, m.p99, m.maximum, m.low, m.high,
    m.judged, r.firmware_sha256
FROM runs r JOIN measurements m ON m.run = 1 WHERE r.number > 1
"""


def _filled(folder: Path, count: int) -> Path:
    """A ledger of `count` runs."""
    (folder / "runs").mkdir(parents=True)
    with Ledger.open(folder) as ledger:
        ledger.add(record(1))
    connection = open_file(folder / LEDGER_NAME)
    connection.execute("BEGIN")
    connection.execute(_MORE_RUNS, (count,))
    connection.execute(_MORE_MEASUREMENTS)
    connection.execute("COMMIT")
    connection.close()
    return folder


def _asked_s(folder: Path) -> float:
    """What a check asks: the newest runs and their measurements, a branch, the A/A history."""
    start = time.perf_counter()
    with Ledger.open(folder) as ledger:
        here = RunFilter(board="bench", bench="virtual", simulated=True)
        newest = ledger.runs(replace(here, newest=10))
        measured = ledger.measurements(replace(here, newest=10))
        named = ledger.resolve("main", here)
        groups = ledger.same_firmware("bench", "virtual", simulated=True)
    took = time.perf_counter() - start
    if not (len(newest) == 10 and len(measured) == 50 and named and len(groups) == len(QUANTITIES)):
        raise AssertionError("the ledger did not answer what it was filled with")
    return took


def _growth(folder: Path) -> Row:
    few, many = _filled(folder / "few", FEW), _filled(folder / "many", MANY)
    for ledger in (few, many):
        _asked_s(ledger)
    pairs = []
    for index in range(ASKED):
        order = (few, many) if index % 2 else (many, few)
        took = {ledger: _asked_s(ledger) for ledger in order}
        pairs.append((took[many], took[few]))
    each = [1e3 * statistics.median(times) for times in zip(*pairs, strict=True)]
    size_mb = (many / LEDGER_NAME).stat().st_size / 1e6
    return Row(
        f"what a check asks, {MANY:,} runs",
        statistics.median(large / small for large, small in pairs),
        "x",
        f"{FEW:,} runs ({each[0]:.1f} against {each[1]:.1f} ms, median of {ASKED} pairs; {size_mb:.0f} MB)",
        1.5,
        at_least=False,
    )


def _record_for_ever(folder: Path, first: int, told: int) -> None:
    for number in itertools.count(first):
        run = record(number)
        announce(folder, run.run_id)
        write_record(run, run_directory(folder, run.run_id))
        with Ledger.open(folder) as ledger:
            ledger.add(run)
        os.write(told, f"{run.run_id}\n".encode())


def _killed(folder: Path, first: int, after_s: float) -> list[str]:
    """Record runs in another process, kill it after a while, and return the runs that it had finished."""
    reading, writing = os.pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_record_for_ever, args=(folder, first, writing)
    )
    process.start()
    os.close(writing)
    time.sleep(after_s)
    process.kill()
    with os.fdopen(reading) as stream:
        finished = stream.read().splitlines()
    process.join()
    return finished


def _kills(folder: Path) -> list[Row]:
    """Each writer is killed at a random point of its first two runs."""
    one_run_s = _timed(lambda: _recorded_once(folder))
    chance = random.Random(SEED)
    finished: list[str] = []
    for kill in range(KILLS):
        finished += _killed(folder, 1000 * (kill + 1), chance.uniform(0, 2 * one_run_s))
    with Ledger.open(folder) as ledger:
        known = [run.run_id for run in ledger.runs()]
        measured = {one.run.run_id for one in ledger.measurements()}
        damaged = len([text for text in ledger.problems if "damaged" in text])
    on_disk = {path.parent.name for path in (folder / "runs").glob("*/record.json")}
    lost = len((set(finished) | on_disk) - (set(known) & measured))
    against = (
        f"{KILLS} writers killed (SIGKILL) at random; {len(finished)} finished runs, {len(on_disk)} records"
    )
    return [
        Row("finished runs lost to kills", lost, "", against, 0, at_least=False),
        Row("ledgers damaged by kills", damaged, "", against, 0, at_least=False),
        Row("runs recorded twice after kills", len(known) - len(set(known)), "", against, 0, at_least=False),
    ]


def _recorded_once(folder: Path) -> None:
    run = record(0)
    write_record(run, run_directory(folder, run.run_id))
    with Ledger.open(folder) as ledger:
        ledger.add(run)


def _timed(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("recorded", "killed"):
            (folder / part).mkdir()
        return [
            _recording(folder / "recorded"),
            _start_up(folder / "recorded"),
            _growth(folder),
            *_kills(folder / "killed"),
        ]
