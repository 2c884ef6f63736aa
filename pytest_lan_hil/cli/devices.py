"""`lan-hil flash` and `lan-hil measure`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_lan_hil.cli.output import activity, bounded, note, passing, print_json, print_table, progress
from pytest_lan_hil.cli.project import BenchNames, find_project
from pytest_lan_hil.config import Bench, Board, Wiring, load_board
from pytest_lan_hil.dut.program import load_image_for
from pytest_lan_hil.model.errors import HilError, InputError, MeasurementInvalid
from pytest_lan_hil.model.measurement import Measurement
from pytest_lan_hil.model.quantities import QUANTITIES
from pytest_lan_hil.publish.explain import explain
from pytest_lan_hil.publish.numbers import estimate_text
from pytest_lan_hil.run.bench import open_bench
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.build import build_images
from pytest_lan_hil.run.recording import CAPTURED, Recording, record


def flash(board_name: str, bench_names: BenchNames, image_name: str | None, *, wait_s: float) -> None:
    """Flash an image, prove it, reset the board and leave it running without a debugger."""
    board, bench, wiring = set_up(board_name, bench_names)
    build_images(board, wait_s=wait_s)
    image = load_image_for(board, board.image(image_name))
    with open_bench(board, bench, wiring, wait_s=wait_s) as opened:
        probe, _ = opened.flashable()
        size = f" ({image.flash_bytes} bytes)" if image.segments else ""
        title = f"flashing {image.path.name}{size} on {board.name}"
        with progress(title) as advance:
            report = probe.flash(image, progress=advance)
        done = f"written in {report.duration_s:.2f} s" if report.written else "was there already"
        print(f"{board.name}: {image.path.name} {done}, read back: sha256 {report.flash_sha256}")
        if opened.probe is None:
            print("no debug probe: the program was started, and ends with this command")
        else:
            print(f"probe {probe.description}, {probe.detach_state()}")
        if opened.simulated:
            print("simulated: no real board was flashed")


def measure(
    board_name: str,
    bench_names: BenchNames,
    image_name: str | None,
    *,
    seconds: float,
    wait_s: float,
    as_json: bool,
    explained: bool,
) -> None:
    """Measure while the firmware runs by itself.

    `as_json` prints everything, contributions to the uncertainty included; else `explained` adds their table.

    Raises:
        InputError: not a length of time.
        MeasurementInvalid: nothing could be measured.
    """
    require_length(seconds, example=10)
    board, bench, wiring = set_up(board_name, bench_names)
    with letting_go(BoardRun(board, bench, wiring, wait_s=wait_s)) as run:
        with activity(f"preparing {board.name} on bench {bench.name}"):
            firmware = run.prepare(image_name)
        opened = run.open()
        with (
            passing(f"measuring {seconds:g} s", opened.clock, opened.bench.settle_s + seconds),
            record(opened) as recording,
        ):
            opened.dut.run_for(seconds)
    found, missing = _measurements(recording)
    if as_json:
        print_json(
            {
                "board": board.name,
                "bench": bench.name,
                "simulated": opened.simulated,
                "seconds": seconds,
                "firmware": dataclasses.asdict(firmware) if firmware else None,
                "devices": [dataclasses.asdict(device) for device in opened.devices],
                "measurements": {name: _plain(measurement) for name, measurement in found.items()},
                "not_measured": missing,
            }
        )
    else:
        _print(board, bench, found, missing, simulated=opened.simulated)
        if explained:
            for measurement in found.values():
                print("\n".join(["", *explain(measurement)]))
    if not found:
        raise MeasurementInvalid(f"nothing could be measured on {board.name}", fix="see the reasons above")


def require_length(seconds: float, *, example: int) -> None:
    """Refuse what is not a length of time.

    Raises:
        InputError: Not a number above 0.
    """
    if not 0 < seconds < math.inf:
        raise InputError(
            f"--seconds {seconds:g} is not a length of time", fix=f"give more than 0: --seconds {example}"
        )


@contextmanager
def letting_go(run: BoardRun) -> Iterator[BoardRun]:
    """Around the use of a board: it is let go in every case, and after Ctrl-C left freshly reset."""
    interrupted = True
    try:
        yield run
        interrupted = False
    except HilError:
        interrupted = False
        raise
    finally:
        problem = run.close(interrupted=interrupted)
        if problem:
            note(f"lan-hil: {problem}")


def set_up(board_name: str, bench_names: BenchNames) -> tuple[Board, Bench, Wiring]:
    """The board of this name in the project that the command line stands in, joined with the first of the
    benches that serves it."""
    project = find_project()
    board = load_board(board_name, project.search())
    return board, *project.wired(bench_names, board)


def _measurements(recording: Recording) -> tuple[dict[str, Measurement], dict[str, str]]:
    found, missing = {}, {}
    for quantity in CAPTURED:
        try:
            found[quantity] = recording.measurement(quantity)
        except HilError as error:
            missing[quantity] = str(error)
    return found, missing


def _print(
    board: Board, bench: Bench, found: dict[str, Measurement], missing: dict[str, str], *, simulated: bool
) -> None:
    label = " (simulated)" if simulated else ""
    print(f"board {board.name} on bench {bench.name}{label}")
    if found:
        print_table(
            ("quantity", "measured", "statistic", "n", "instrument"),
            [
                (QUANTITIES[name].title, estimate_text(item.estimate, item.unit), item.estimate.statistic,
                 str(item.n), item.instrument)
                for name, item in found.items()
            ],
        )  # fmt: skip
    for name, reason in missing.items():
        note(f"{QUANTITIES[name].title}: not measured: {reason}")


def _plain(measurement: Measurement) -> dict[str, Any]:
    """As JSON holds it: an unbounded limit is null."""
    tree = dataclasses.asdict(measurement)
    for part in (tree["estimate"], *tree["contributions"]):
        part.update((key, bounded(value)) for key, value in part.items() if isinstance(value, float))
    return tree
