"""What `lan-hil memory` tells: sections, parts, verdict and table by object file, as rows and JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_lan_hil.config import Board
from pytest_lan_hil.dut.footprint import Footprint, Growth
from pytest_lan_hil.dut.image import FirmwareImage
from pytest_lan_hil.dut.memory import KB, MemoryUse, flash_kb, memory_available_kb
from pytest_lan_hil.judge.budgets import judge
from pytest_lan_hil.model.measurement import Budget, Measurement, Verdict
from pytest_lan_hil.model.quantities import QUANTITIES

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Memory of one image.

    Attributes:
        image: What was looked at.
        table: Flash and static RAM by object file.
        board: What it is for; None for an image alone.
        use, measured: Static RAM, stack and heap, and their sum; None where no DUT was asked.
        growth: Against an older build, what grew most first; None where none was named.
        before: What told the older build's sizes.
        bench, simulated: Where the DUT stands.
    """

    image: FirmwareImage
    table: Footprint
    board: Board | None = None
    use: MemoryUse | None = None
    measured: Measurement | None = None
    growth: tuple[Growth, ...] | None = None
    before: str = ""
    bench: str = ""
    simulated: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """Of the board's target on memory; None if it has none, or nothing was measured."""
        limit = self.board.targets.get("memory") if self.board else None
        if limit is None or self.board is None or self.measured is None:
            return None
        statistic = QUANTITIES["memory"].statistic
        return judge(self.measured, Budget("memory", limit, statistic, f"board {self.board.name}"))

    @property
    def available_kb(self) -> float | None:
        """RAM that is left, KB; None where the board does not say how much it has, or no DUT was asked."""
        if self.board is None or self.board.ram is None or self.use is None:
            return None
        return memory_available_kb(self.image, self.board, self.use.stack.used, self.use.heap.used)


def section_rows(report: MemoryReport) -> list[Row]:
    """Section, address, bytes, where."""
    return [
        (section.name, f"0x{section.address:08x}", str(section.size), section.kind)
        for section in report.image.sections
    ]


def part_rows(report: MemoryReport) -> list[Row]:
    """Part, bytes, what is to be said about it."""
    image, use, board = report.image, report.use, report.board
    whole = f"of {board.flash.size_kib} KB" if board is not None and board.flash is not None else ""
    rows: list[Row] = [("flash", str(image.flash_bytes), f"{flash_kb(image):.1f} KB {whole}".rstrip())]
    if use is None:
        rows.append(("static RAM", str(image.static_ram_bytes), "stack and heap are known on a board only"))
        return rows
    guard = f"{use.stack.guard} of them guard the stack" if use.stack.guard else ""
    rows += [
        ("static RAM", str(use.static), guard),
        ("stack", str(use.stack.used), f"high-water mark, of {use.stack.reserved} reserved"),
        ("heap", str(use.heap.used), use.heap.how),
        ("memory", str(use.total), f"{use.total / KB:.2f} KB: the sum, which a memory budget judges"),
    ]
    if report.available_kb is not None and board is not None and board.ram is not None:
        left = round(report.available_kb * KB)
        rows.append(("memory left", str(left), f"{report.available_kb:.1f} KB of {board.ram.size_kib} KB"))
    return rows


def object_rows(report: MemoryReport) -> list[Row]:
    """Object, flash, RAM, and against an older build the bytes added to each and what happened to it."""
    table = report.table
    if report.growth is None:
        rows: list[Row] = [(item.name, str(item.flash), str(item.ram)) for item in table.objects]
        return [*rows, ("total", str(table.flash), str(table.ram))]
    grown = [
        (
            row.name,
            str(row.after.flash if row.after else 0),
            str(row.after.ram if row.after else 0),
            f"{row.flash:+d}",
            f"{row.ram:+d}",
            row.state,
        )
        for row in report.growth
        if row.state != "same"
    ]
    flash, ram = sum(row.flash for row in report.growth), sum(row.ram for row in report.growth)
    return [*grown, ("total", str(table.flash), str(table.ram), f"{flash:+d}", f"{ram:+d}", "")]


def unchanged(report: MemoryReport) -> int:
    """How many objects are as large as before."""
    return sum(row.state == "same" for row in report.growth or ())


def to_json(report: MemoryReport) -> dict[str, Any]:
    """Everything, sizes in bytes."""
    verdict, use = report.verdict, report.use
    tree: dict[str, Any] = {
        "board": report.board.name if report.board else None,
        "bench": report.bench or None,
        "simulated": report.simulated,
        "image": str(report.image.path),
        "sha256": report.image.sha256,
        "flash_bytes": report.image.flash_bytes,
        "static_ram_bytes": report.image.static_ram_bytes,
        "sections": [
            {"name": s.name, "address": s.address, "size": s.size, "kind": s.kind}
            for s in report.image.sections
        ],
        "parts": None,
        "verdict": None,
        "objects": {"source": report.table.source, "rows": [asdict(item) for item in report.table.objects]},
        "growth": None,
    }
    if use is not None:
        tree["parts"] = {
            "static_bytes": use.static,
            "guard_bytes": use.stack.guard,
            "stack_bytes": use.stack.used,
            "stack_reserved_bytes": use.stack.reserved,
            "heap_bytes": use.heap.used,
            "heap": use.heap.how,
            "memory_bytes": use.total,
            "memory_available_kb": report.available_kb,
        }
    if verdict is not None:
        tree["verdict"] = {
            "kind": verdict.kind.value,
            "limit_kb": verdict.budget.limit,
            "source": verdict.budget.source,
            "reason": verdict.reason,
        }
    if report.growth is not None:
        tree["growth"] = {
            "source": report.before,
            "rows": [
                {"name": row.name, "state": row.state, "flash": row.flash, "ram": row.ram}
                for row in report.growth
            ],
        }
    return tree
