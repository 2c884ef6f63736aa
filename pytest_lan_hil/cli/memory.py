"""`lan-hil memory`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pytest_lan_hil.cli.devices import letting_go, require_length, set_up
from pytest_lan_hil.cli.output import activity, note, passing, print_json, print_table
from pytest_lan_hil.cli.project import BenchNames, find_project
from pytest_lan_hil.config import Board, load_board
from pytest_lan_hil.dut.footprint import before_and_after, compare, footprint
from pytest_lan_hil.dut.image import FirmwareImage, check_fits, load_image
from pytest_lan_hil.model.errors import CapabilityMissing, DutError, InputError
from pytest_lan_hil.model.measurement import VerdictKind
from pytest_lan_hil.run.board_run import BoardRun
from pytest_lan_hil.run.build import build_images
from pytest_lan_hil.run.memory import read_memory
from pytest_lan_hil.run.memory_report import (
    MemoryReport,
    object_rows,
    part_rows,
    section_rows,
    to_json,
    unchanged,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: names as for every command.

    `against` is an older ELF, map, or folder of them; `seconds` is how long the firmware works first.
    """

    board: str | None
    bench: BenchNames
    image: str | None
    against: Path | None
    seconds: float


def memory_of_image(request: Request, *, as_json: bool) -> int:
    """Tell what the image says, without a board; returns 0.

    Raises:
        InputError: The image or the older build can't be read.
    """
    board = load_board(request.board, find_project().search()) if request.board is not None else None
    if board is None and request.image is None:
        raise InputError(
            "which image? neither --board nor --image says",
            fix="lan-hil memory --static --image build/app.elf",
        )
    if board is not None:
        _require_sections(board)
    path = board.image(request.image) if board is not None else Path(str(request.image))
    _tell(_with_table(_load(board, path), board, request.against), as_json=as_json)
    return 0


def memory_of_board(request: Request, *, wait_s: float, as_json: bool) -> int:
    """Let the firmware work, then read stack and heap; returns 1 if the board's target is broken.

    Raises:
        InputError: The image or the older build can't be read.
        BlockedError, DutError: See `Dut.memory_use`.
    """
    if request.board is None:
        raise InputError(
            "which board? without one only the image can be looked at",
            fix="add --board NAME, or --static and --image FILE",
        )
    require_length(request.seconds, example=2)
    board, bench, wiring = set_up(request.board, request.bench)
    _require_sections(board)
    build_images(board, wait_s=wait_s)  # before the image is read: what is told must be what will run
    image = _load(board, board.image(request.image))
    report = _with_table(image, board, request.against)
    with letting_go(BoardRun(board, bench, wiring, wait_s=wait_s)) as run:
        with activity(f"preparing {board.name} on bench {bench.name}"):
            run.prepare(request.image)
        opened = run.open()
        with passing(f"working for {request.seconds:g} s", opened.clock, request.seconds):
            opened.dut.run_for(request.seconds)
        use, measured = read_memory(opened)
        report = replace(report, use=use, measured=measured, bench=bench.name, simulated=opened.simulated)
    _tell(report, as_json=as_json)
    over = report.verdict is not None and report.verdict.kind is VerdictKind.OVER
    return DutError.exit_code if over else 0


def _require_sections(board: Board) -> None:
    if board.is_native:
        raise CapabilityMissing(
            f"board {board.name} is a program of this host, which has no sections of flash and RAM to show",
            fix="a test with @pytest.mark.memory_budget measures its memory",
        )


def _load(board: Board | None, path: Path) -> FirmwareImage:
    image = load_image(path)
    if board is not None:
        check_fits(image, board)
    return image


def _with_table(image: FirmwareImage, board: Board | None, against: Path | None) -> MemoryReport:
    if against is None:
        return MemoryReport(image, footprint(image), board)
    before, after = before_and_after(against, image)
    return MemoryReport(image, after, board, growth=compare(before, after), before=before.source)


def _tell(report: MemoryReport, *, as_json: bool) -> None:
    if as_json:
        print_json(to_json(report))
        return
    where = ""
    if report.use is not None and report.board is not None:
        label = " (simulated)" if report.simulated else ""
        where = f"board {report.board.name} on bench {report.bench}{label}, "
    print(f"{where}image {report.image.path}\n")
    print_table(("section", "address", "bytes", "in"), section_rows(report))
    print()
    print_table(("part", "bytes", ""), part_rows(report))
    verdict = report.verdict
    if verdict is not None:
        print(f"{verdict.kind.value}: {verdict.reason}")
    print()
    if report.growth is None:
        print_table(("object", "flash", "RAM"), object_rows(report))
        note(f"by {report.table.source}; bytes, room reserved for stack and heap left out")
        return
    headings = ("object", "flash", "RAM", "flash added", "RAM added", "")
    print_table(headings, object_rows(report))
    same = unchanged(report)
    note(f"by {report.table.source}, against {report.before}; {same} objects are as large as before")
