"""`lan-hil mlperf`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pytest_lan_hil.cli.devices import letting_go, require_length, set_up
from pytest_lan_hil.cli.output import activity, note, print_json
from pytest_lan_hil.cli.project import BenchNames, find_project
from pytest_lan_hil.model.errors import DutError, InputError
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.mlperf.files import results_folder
from pytest_lan_hil.run.mlperf.outcome import Outcome, to_json
from pytest_lan_hil.run.mlperf.reading import PHASE, TIMESTAMP
from pytest_lan_hil.run.mlperf.rules import ENERGY_BAUD, PERFORMANCE_BAUD, Standing, model_name
from pytest_lan_hil.run.mlperf.session import (
    ACCURACY,
    ENERGY,
    MODES,
    Opened,
    Plan,
    open_board,
    open_console,
    play,
)
from pytest_lan_hil.run.project import new_run_id


def mlperf(
    plan: Plan,
    *,
    board: str | None,
    bench: BenchNames,
    image: str | None,
    console: str | None,
    baud: int | None,
    analyzer: str | None,
    markers: list[str],
    out: str | None,
    wait_s: float,
    as_json: bool,
) -> int:
    """Play one of the procedures; returns 1 if a rule is not met.

    Raises:
        InputError: Options that don't fit together, a dataset that can't be read, or a folder that can't be
            written.
        BlockedError, DutError: The bench or the DUT failed.
    """
    wires = _markers(markers)
    _check(plan, board, console, analyzer, wires)
    name = board or "console"
    folder = Path(out) if out else find_project().output(None) / "mlperf" / new_run_id(f"{name}-{plan.mode}")
    if console is None:
        assert board is not None
        opening = _board(board, bench, image, plan.mode, wait_s)
    else:
        opening = open_console(
            console,
            baudrate=baud or (ENERGY_BAUD if plan.mode == ENERGY else PERFORMANCE_BAUD),
            analyzer=analyzer,
            markers=wires,
            wait_s=wait_s,
        )
    with results_folder(folder), opening as opened:
        outcome = play(opened, plan, folder, note)
    if as_json:
        print_json({**to_json(outcome, opened.system), "folder": str(folder)})
    else:
        _print(outcome, opened, folder)
    return 0 if outcome.valid else DutError.exit_code


@contextmanager
def _board(
    board_name: str, bench_names: BenchNames, image: str | None, mode: str, wait_s: float
) -> Iterator[Opened]:
    """The board, flashed and proved; let go in every case."""
    board, bench, wiring = set_up(board_name, bench_names)
    with letting_go(BoardRun(board, bench, wiring, wait_s=wait_s)) as run:
        with activity(f"preparing {board.name} on bench {bench.name}"):
            opened = open_board(run, image, mode)
        yield opened


def make_plan(
    mode: str,
    *,
    windows: int,
    seconds: float,
    inferences: int | None,
    dataset: str | None,
    model: str | None,
) -> Plan:
    """The options of the command, checked one by one.

    Raises:
        InputError: One of them can't be meant.
    """
    if mode not in MODES:
        raise InputError(f"lan-hil mlperf {mode}: no such procedure", fix=f"choose one of {', '.join(MODES)}")
    require_length(seconds, example=10)
    folder = None if dataset is None else Path(dataset)
    if folder is not None and not folder.is_dir():
        raise InputError(
            f"--dataset {folder}: there is no such folder", fix="give the folder of y_labels.csv"
        )
    return Plan(mode, windows, seconds, inferences, folder, None if model is None else model_name(model))


def _check(
    plan: Plan, board: str | None, console: str | None, analyzer: str | None, wires: Mapping[str, str]
) -> None:
    if (board is None) == (console is None):
        raise InputError(
            "lan-hil mlperf needs one of --board and --console",
            fix="name a board of a bench (--board nrf52840), or a console alone (--console /dev/ttyACM0,"
            " --console 'exec:./program')",
        )
    if analyzer is not None and console is None:
        raise InputError(
            "--analyzer goes with --console; a board's analyzer is the bench's",
            fix="put it into the bench file",
        )
    if plan.mode == ENERGY and console is not None and analyzer is None:
        raise InputError(
            "measuring energy on a console alone: nothing measures power",
            fix="add --analyzer joulescope:SERIAL --marker timestamp=gpi0, or use --board and a bench",
        )
    if plan.mode == ENERGY and console is not None and not {TIMESTAMP, PHASE} & wires.keys():
        raise InputError(
            f"measuring energy on a console alone: no --marker names {TIMESTAMP!r} or {PHASE!r}, the line"
            " that shows from when to when",
            fix=f"add --marker {TIMESTAMP}=gpi0 (firmware of this project: --marker {PHASE}=gpi1)",
        )
    if plan.mode == ACCURACY and plan.dataset is None:
        raise InputError(
            "accuracy needs inputs and their labels", fix="give the folder of y_labels.csv: --dataset DIR"
        )


def _markers(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        line, equals, wire = pair.partition("=")
        if not (line and equals and wire):
            raise InputError(f"--marker {pair} does not wire a line", fix="write --marker timestamp=gpi0")
        found[line] = wire
    return found


def _print(outcome: Outcome, opened: Opened, folder: Path) -> None:
    results, system = outcome.results, opened.system
    where = f"board {system.board} on bench {system.bench}" if system.board else opened.console.uri
    print(f"MLPerf Tiny {outcome.mode}: {where}{' (simulated)' if system.simulated else ''}")
    print(f"DUT {outcome.dut.name}, model {outcome.dut.model}")
    if results.median_throughput is not None:
        print(f"median throughput   {results.median_throughput:.3f} inf./sec.")
    if results.median_energy_uj is not None:
        print(f"median energy cost  {results.median_energy_uj:.3f} uJ/inf.")
    rules = {str(check) for check in outcome.checks}
    for line in results.remarks:
        if line not in rules:
            print(line)
    for check in outcome.checks:
        mark = {Standing.MET: "  ", Standing.NOT_MET: "! ", Standing.OPEN: "? "}[check.standing]
        print(f"{mark}{check}")
    print(f"written to {folder}")
