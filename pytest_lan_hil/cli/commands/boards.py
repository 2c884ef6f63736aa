"""Commands that work with a board on a bench: flash, measure, memory, record, selftest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import AnyBoard, Bench, Board, Image, Json, Wait


def _flash(*, board: Board, bench: Bench = None, image: Image = None, wait: Wait = 60.0) -> None:
    """Flash a board, prove what is on it, and let it run."""
    from pytest_lan_hil.cli.devices import flash

    flash(board, bench, image, wait_s=wait)


def _measure(
    *,
    board: Board,
    bench: Bench = None,
    image: Image = None,
    seconds: Annotated[
        float, typer.Option(metavar="S", help="How long to measure, on the board's clock.")
    ] = 10.0,
    explain: Annotated[bool, typer.Option("--explain", help="What the uncertainty is made of.")] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="Follow the firmware's own metrics too, second by second."),
    ] = False,
    wait: Wait = 60.0,
    json: Json = False,
) -> None:
    """Let the firmware run and measure power, and latency and energy per inference."""
    if live:
        from pytest_lan_hil.cli.live import follow

        follow(board, bench, image, seconds=seconds, wait_s=wait, as_json=json)
    else:
        from pytest_lan_hil.cli.devices import measure

        measure(board, bench, image, seconds=seconds, wait_s=wait, as_json=json, explained=explain)


def _memory(
    *,
    board: AnyBoard = None,
    bench: Bench = None,
    image: Image = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="OLD", help="An older build: its .elf, its .map, or their folder."),
    ] = None,
    static: Annotated[bool, typer.Option("--static", help="Look at the image alone.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="How long the firmware works first.")
    ] = 2.0,
    wait: Wait = 60.0,
    json: Json = False,
) -> None:
    """Flash, static RAM, stack and heap of a firmware; which object file takes what, and what grew.

    Ends with 1 if the board's target on memory is broken.
    """
    from pytest_lan_hil.cli.memory import Request, memory_of_board, memory_of_image

    request = Request(board, bench, image, against, seconds)
    if static:
        raise typer.Exit(memory_of_image(request, as_json=json))
    raise typer.Exit(memory_of_board(request, wait_s=wait, as_json=json))


def _record(
    *,
    out: Annotated[str, typer.Option("--out", metavar="FILE.jls", help="The file to record into.")],
    seconds: Annotated[float, typer.Option(metavar="S", help="How long to record, on the analyzer's clock.")],
    bench: Bench = None,
    board: AnyBoard = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    wait: Wait = 60.0,
    json: Json = False,
) -> None:
    """Record current, voltage and marker lines into a JLS file, for hours; touches nothing but the analyzer.

    Ends with 3 if the recording broke off; what was recorded until then is kept.
    """
    from pytest_lan_hil.cli.record import Target, record

    target = Target(out, replace=force)
    record(target, bench, board, seconds=seconds, wait_s=wait, as_json=json)


def _selftest(
    *,
    board: Board,
    bench: Bench = None,
    idle: Annotated[
        float | None,
        typer.Option("--idle", metavar="S", min=1, help="Load disconnected: record S seconds of nothing."),
    ] = None,
    loop: Annotated[
        str | None,
        typer.Option("--loop", metavar="MARKER:TWIN", help="Two inputs are wired to one pin: compare them."),
    ] = None,
    count: Annotated[int, typer.Option("--count", metavar="N", min=10, help="Pulses to compare.")] = 100,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Keep the result here, not beside the bench.")
    ] = None,
    wait: Wait = 60.0,
    json: Json = False,
) -> None:
    """Let the bench measure itself: offset and noise of an idle load, jitter of an edge.

    A budget below what it finds is undecidable on this bench, and no test passes on it.
    """
    from pytest_lan_hil.cli.selftest import selftest

    selftest(board, bench, idle_s=idle, loop=loop, count=count, out=out, wait_s=wait, as_json=json)


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    app.command("flash")(_flash)
    app.command("measure")(_measure)
    app.command("memory")(_memory)
    app.command("record")(_record)
    app.command("selftest")(_selftest)
