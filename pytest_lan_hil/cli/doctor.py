"""`lan-hil doctor`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pytest_lan_hil.cli.output import print_json, print_table
from pytest_lan_hil.cli.project import BenchNames, find_project
from pytest_lan_hil.config import Bench, Board, load_board, wire_first
from pytest_lan_hil.model.errors import BlockedError
from pytest_lan_hil.run.doctor import Diagnosis, Level, diagnose
from pytest_lan_hil.run.survey import Attached, survey

_MARKS = {Level.OK: "ok", Level.NOTE: "note", Level.MISSING: "MISSING"}


def doctor(bench_names: BenchNames, board_name: str | None, *, as_json: bool) -> int:
    """Print what is attached and what the benches lack; returns 3 if something is missing, else 0.

    Of several benches the one that serves the board is looked at, without a board all of them.

    Raises:
        InputError: no such bench or board, or they don't go together.
    """
    project = find_project()
    benches = project.benches(bench_names)
    board = load_board(board_name, project.search()) if board_name is not None else None
    if board is not None and benches:
        benches = [wire_first(benches, board)[0]]
    diagnosis = diagnose(survey(), benches, board)
    if as_json:
        print_json({**dataclasses.asdict(diagnosis), "ok": diagnosis.ok})
    else:
        _print(diagnosis, benches, board)
    return 0 if diagnosis.ok else BlockedError.exit_code


def _print(diagnosis: Diagnosis, benches: Sequence[Bench], board: Board | None) -> None:
    print(", ".join(f"{name} {version}" for name, version in diagnosis.versions.items()))
    print()
    _print_attached(diagnosis.attached)
    print()
    for bench in benches:
        print(f"bench {bench.name} ({bench.path})" + (f" for board {board.name}" if board else ""))
    for finding in diagnosis.findings:
        print(f"  {_MARKS[finding.level]:<8}{finding.subject}: {finding.text}")
        if finding.fix:
            print(f"  {'':<8}  fix: {finding.fix}")
    missing = sum(finding.level is Level.MISSING for finding in diagnosis.findings)
    print(f"{missing} missing" if missing else "nothing is missing")


def _print_attached(attached: Attached) -> None:
    rows = [("probe", probe.uri, probe.label) for probe in attached.probes]
    for port in attached.ports:
        about = ", ".join(
            filter(None, (port.description, port.usb, port.serial_number and f"serial {port.serial_number}"))
        )
        rows.append(("serial port", port.name, f"{port.device}: {about}" if port.by_id else about))
    rows += [("Joulescope", f"joulescope:{serial}", "") for serial in attached.joulescopes or ()]
    if rows:
        print_table(("attached", "name in a bench file", "what it is"), rows)
    else:
        print("nothing is attached")
