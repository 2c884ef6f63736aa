"""Verdicts on runs of the virtual bench: equal firmware must pass, and a planted step must fail.

`python -m benchmarks.bench_planted --runs 10` is a short one. A baseline is saved from nine runs of the
shipped firmware. Then the same firmware, one that draws more current asleep, and one that is slower are
measured, each many times, and every time with another noise seed of the analyzer. Each run is a pytest
session with a record of its own, and is judged alone by `lan-hil baseline check`; beside it, on the same
values, "the mean is more than 10 % worse" and a plain t-test. Sessions share a process, for starting one
takes as long as measuring.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.planted_project import BENCH, FIRMWARES, SAME, Firmware, board_file, make_bench, make_project
from benchmarks.table import Row, lines
from benchmarks.verdict_trials import Trial, naive_says_worse, share, t_test_says_worse
from pytest_lan_hil.publish.record import read_record

RUNS = 100
BASELINE_RUNS = 9

Values = dict[str, NDArray[np.float64]]
"""Of one run: judged quantity to the values that it was measured from."""


@dataclass(frozen=True, slots=True)
class Found:
    """What three rules said of the runs of one firmware.

    Attributes:
        firmware: Whose.
        runs: How many.
        changes: Quantity to the mean change of its values against the baseline's, in percent.
        passed, failed, inconclusive: Percent of the runs, by the exit code of `lan-hil baseline check`.
        naive, t_test: Percent of the runs in which these rules call any quantity worse.
    """

    firmware: Firmware
    runs: int
    changes: dict[str, float]
    passed: float
    failed: float
    inconclusive: float
    naive: float
    t_test: float

    @property
    def change_text(self) -> str:
        """ "latency +15.1 %, power +12.1 %": what changed by 0.1 % at least."""
        told = [f"{name} {change:+.1f} %" for name, change in self.changes.items() if abs(change) >= 0.1]
        return ", ".join(told) or "none"


@dataclass(frozen=True, slots=True)
class Planted:
    """What was found of each firmware, and the wall time that it took."""

    found: tuple[Found, ...]
    took_s: float


def run(runs: int = RUNS) -> list[Row]:
    planted = measured(runs)
    rows = []
    for one in planted.found:
        word, value = ("passed", one.passed) if one.firmware is SAME else ("failed", one.failed)
        beside = f"of {one.runs} runs, inconclusive: {one.inconclusive:.1f}; {_rules(one)}"
        rows.append(Row(f"{word}, planted: {one.firmware.title}", value, "%", beside, 100))
    took = f"; {BASELINE_RUNS + runs * len(FIRMWARES)} runs in {planted.took_s / 60:.1f} min of wall time"
    return [*rows[:-1], replace(rows[-1], against=rows[-1].against + took)]


def _rules(one: Found) -> str:
    return f"worse by mean > 10 %: {one.naive:.1f}, by t-test: {one.t_test:.1f} (change: {one.change_text})"


@lru_cache(maxsize=1)
def measured(runs: int) -> Planted:
    """Measure and judge so many runs of each firmware."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        folder = Path(name)
        make_project(folder)
        workers, context = os.cpu_count() or 1, multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _begin, (folder,)) as pool:
            seeds = iter(range(1, 1 + BASELINE_RUNS + runs * len(FIRMWARES)))
            base = _measure(pool, folder, SAME, [next(seeds) for _ in range(BASELINE_RUNS)])
            pool.submit(_baseline, folder, (0,), "save").result()
            pooled = _pooled(base)
            found = []
            for firmware in FIRMWARES:
                heads = _measure(pool, folder, firmware, [next(seeds) for _ in range(runs)])
                codes = list(pool.map(partial(_baseline, folder, (0, 1, 3), "check"), heads))
                found.append(_found(firmware, codes, pooled, list(heads.values())))
    return Planted(tuple(found), time.monotonic() - start)


def _found(firmware: Firmware, codes: list[int], base: Values, heads: list[Values]) -> Found:
    trials = [[Trial(base[quantity], values, (), ()) for quantity, values in head.items()] for head in heads]
    return Found(
        firmware=firmware,
        runs=len(codes),
        changes={
            quantity: 100 * float(np.mean([head[quantity].mean() for head in heads]) / values.mean() - 1)
            for quantity, values in base.items()
        },
        passed=share([code == 0 for code in codes]),
        failed=share([code == 1 for code in codes]),
        inconclusive=share([code == 3 for code in codes]),
        naive=share([any(naive_says_worse(one, 0.0) for one in trial) for trial in trials]),
        t_test=share([any(t_test_says_worse(one, 0.0) for one in trial) for trial in trials]),
    )


def _measure(
    pool: ProcessPoolExecutor, folder: Path, firmware: Firmware, seeds: list[int]
) -> dict[str, Values]:
    """Run id to what the run measured, of a run for each seed."""
    benches = [make_bench(folder, seed) for seed in seeds]
    return dict(pool.map(partial(_session, board_file(folder, firmware)), benches))


def _pooled(runs: dict[str, Values]) -> Values:
    first, *_ = runs.values()
    return {quantity: np.concatenate([values[quantity] for values in runs.values()]) for quantity in first}


# In a worker ----------------------------------------------------------------------------------------------


def _begin(folder: Path) -> None:
    """A virtual board of its own; the project is where it works."""
    state = folder / "state" / str(os.getpid())
    for name in [name for name in os.environ if name.startswith(("LAN_HIL_", "PYTEST_", "GITHUB_"))]:
        del os.environ[name]
    os.environ.update(LAN_HIL_STATE=str(state), LAN_HIL_VIRTUAL_STATE=str(state / "virtual"))
    os.chdir(folder)


def _session(board: Path, bench: Path) -> tuple[str, Values]:
    """One pytest session; returns its run's id and values.

    Raises:
        RuntimeError: A test did not pass; with what the session said.
    """
    import pytest

    said = io.StringIO()
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:randomly"]
    with contextlib.redirect_stdout(said):
        code = pytest.main([*options, "--board", str(board), "--bench", str(bench), "test_product.py"])
    if code:
        raise RuntimeError(f"{board} on {bench}: pytest ended with {code}\n{said.getvalue()}")
    (path,) = (
        line.removeprefix("record: ") for line in said.getvalue().splitlines() if line.startswith("record: ")
    )
    record = read_record(Path(path))
    return record.run_id, {
        verdict.budget.quantity: np.asarray(test.measurements[verdict.budget.quantity].values)
        for test in record.tests
        if test.measurements
        for verdict in test.verdicts
    }


def _baseline(folder: Path, endings: tuple[int, ...], *words: str) -> int:
    """Exit code of `lan-hil baseline`.

    Raises:
        RuntimeError: None of `endings`; the command has said why.
    """
    from pytest_lan_hil.cli.app import app
    from pytest_lan_hil.cli.failures import run as run_command

    board = str(board_file(folder, SAME))
    with contextlib.redirect_stdout(io.StringIO()):
        code = run_command(app, ["baseline", *words, "--board", board, "--bench", BENCH])
    if code not in endings:
        raise RuntimeError(f"lan-hil baseline {' '.join(words)}: exit code {code}")
    return code


def add_runs(parser: argparse.ArgumentParser) -> None:
    """The option `--runs`."""
    parser.add_argument(
        "--runs", type=_count, default=RUNS, metavar="N", help=f"so many of each planted firmware ({RUNS})"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs: expected 1 or more")
    return int(text)


def main() -> None:
    """Run it by itself."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_planted")
    add_runs(parser)
    rows = run(parser.parse_args().runs)
    print("\n".join(lines(rows)))
    sys.exit(0 if all(row.clears for row in rows) else 1)


if __name__ == "__main__":
    main()
