"""`lan-hil accuracy`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from pytest_lan_hil.cli.devices import letting_go, set_up
from pytest_lan_hil.cli.output import activity, note, print_json, progress
from pytest_lan_hil.cli.project import BenchNames, find_project
from pytest_lan_hil.dut.dut import Dut
from pytest_lan_hil.dut.hearing import labels as labels_of
from pytest_lan_hil.model.errors import BlockedError, DutError
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.model.record import FirmwareIdentity
from pytest_lan_hil.publish.files import write_atomically
from pytest_lan_hil.publish.terminal import for_encoding
from pytest_lan_hil.run.accuracy.dataset import Dataset, load_dataset
from pytest_lan_hil.run.accuracy.evaluation import Evaluation
from pytest_lan_hil.run.accuracy.journal import Journal, Key, forget
from pytest_lan_hil.run.accuracy.play import play
from pytest_lan_hil.run.accuracy.report import Report, to_json, to_lines
from pytest_lan_hil.run.bench import OpenBench
from pytest_lan_hil.run.board_run import BoardRun

_EXIT = {
    VerdictKind.WITHIN: 0,
    VerdictKind.OVER: DutError.exit_code,
    VerdictKind.INCONCLUSIVE: BlockedError.exit_code,
}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes:
        board, bench, image: Names, as for every command.
        dataset: Folder of the recordings.
        limit: Play only so many, or None for all.
        out: Folder of journal and report, or None for the project's output folder.
        restart: Forget what an earlier, interrupted run has brought.
    """

    board: str
    bench: BenchNames
    image: str | None
    dataset: Path
    limit: int | None
    out: Path | None
    restart: bool


@dataclass(frozen=True, slots=True)
class _Opened:
    bench: OpenBench
    dut: Dut
    firmware: FirmwareIdentity | None
    labels: tuple[str, ...]


def accuracy(request: Request, *, wait_s: float, as_json: bool) -> int:
    """Play a dataset to the DUT; returns 1 if it is right too seldom, 3 if that can't be told.

    Raises:
        InputError: A recording, the image or a folder can't be used.
        BlockedError, DutError: The bench or the DUT failed, or frames were lost.
    """
    dataset = load_dataset(request.dataset).first(request.limit)
    folder = request.out or find_project().output(None) / "accuracy"
    board, bench, wiring = set_up(request.board, request.bench)
    with letting_go(BoardRun(board, bench, wiring, wait_s=wait_s)) as run:
        opened = _open(run, request.image)
        dataset.require_labels(opened.labels)
        image = opened.firmware.sha256 if opened.firmware else ""
        key = Key(board.name, bench.name, image, dataset.sha256)
        path = folder / f"{key.name}.jsonl"
        if request.restart:
            forget(path)
        evaluation, resumed = _play(opened, dataset, path, key)
    target = board.targets.get("accuracy")
    report = Report(board.name, bench.name, opened.firmware, evaluation, target, resumed)
    tree = to_json(report)
    text = json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False)
    written = write_atomically(folder / f"{key.name}.json", f"{text}\n")
    if as_json:
        print_json({**tree, "file": str(written)})
    else:
        lines = [*to_lines(report), "", f"written to {written}"]
        print("\n".join(for_encoding(lines, sys.stdout.encoding)))
    return _EXIT[report.verdict.kind] if report.verdict else 0


def _open(run: BoardRun, image: str | None) -> _Opened:
    with activity(f"preparing {run.board.name} on bench {run.bench.name}"):
        bench = run.open()
        bench.require(("console",))
        firmware = run.prepare(image)
        _, dut = bench.flashable()
        return _Opened(bench, dut, firmware, labels_of(dut))


def _play(opened: _Opened, dataset: Dataset, path: Path, key: Key) -> tuple[Evaluation, int]:
    """The whole dataset, and how many of its replies were there already."""
    wanted = [one.path.name for one in dataset.recordings]
    dut, labels = opened.dut, opened.labels
    with Journal(path, key) as journal:
        if all(name in journal.replies for name in wanted):
            journal.drop(set(wanted))
        resumed = sum(name in journal.replies for name in wanted)
        if resumed:
            note(f"going on after {resumed} of {len(wanted)} recordings ({path}); --restart starts anew")
        left = len(wanted) - resumed
        with progress(f"playing {left} recordings to {key.board}") as advance:
            for count, reply in enumerate(play(dut, dataset, labels, skip=set(journal.replies)), start=1):
                journal.append(reply)
                advance(count / left)
        replies = tuple(journal.replies[name] for name in wanted)
    source = "firmware on the DUT"
    return Evaluation(dataset, labels, replies, source, opened.bench.simulated), resumed
