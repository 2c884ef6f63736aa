"""Commands that look for the commit that made it worse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import Bench

_Board = Annotated[
    str | None, typer.Option("--board", metavar="NAME|FILE", help="Board that the images run on.")
]
_Image = Annotated[
    Path | None,
    typer.Option(
        "--image", metavar="PATH", help="What the build makes, in this checkout (else the board's default)."
    ),
]
_Tests = Annotated[
    list[str] | None,
    typer.Option("--tests", metavar="PATH", help="Tests that compare (else the project's); several times."),
]
_Quantity = Annotated[
    list[str] | None,
    typer.Option("--quantity", metavar="NAME", help="Only this quantity counts: latency; several times."),
]
_Blocks = Annotated[
    int,
    typer.Option("--blocks", metavar="N", min=2, help="Blocks of base, head, head, base in each session."),
]
_Output = Annotated[
    str | None, typer.Option("--hil-output", metavar="DIR", help="Folder of run records (else .hil).")
]


def _bisect(
    good: Annotated[str, typer.Argument(metavar="GOOD", help="Commit that is not worse yet.")],
    bad: Annotated[str, typer.Argument(metavar="BAD", help="Commit that is worse.")],
    build: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- BUILD-COMMAND", help="Makes the image; run where you stand."),
    ] = None,
    *,
    board: _Board = None,
    bench: Bench = None,
    image: _Image = None,
    tests: _Tests = None,
    quantity: _Quantity = None,
    blocks: _Blocks = 2,
    output: _Output = None,
) -> None:
    """Which commit made it worse: builds commits in a working tree of its own, compares them on the board.

    First BAD is proved to be worse than GOOD. Commits that can't be built or decided are skipped. Ends with 0
    if the commit is found, with 2 if BAD is not worse, with 3 if it can't be told, or only to a few commits.
    """
    from pytest_lan_hil.cli.bisect import Request, bisect

    request = Request(
        board, tuple(bench or ()), image, tuple(tests or ()), tuple(quantity or ()), blocks, output,
        tuple(build or ()),
    )  # fmt: skip
    raise typer.Exit(bisect(good, bad, request))


def _bisect_step(
    build: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- BUILD-COMMAND", help="Makes the image (else it is there already)."),
    ] = None,
    *,
    good: Annotated[Path, typer.Option("--good", metavar="FILE", help="Image of a good commit: a copy.")],
    board: _Board = None,
    bench: Bench = None,
    image: _Image = None,
    tests: _Tests = None,
    quantity: _Quantity = None,
    blocks: _Blocks = 2,
    output: _Output = None,
) -> None:
    """One step of your own `git bisect run`: is what is checked out here worse than a good image?

    Ends with 0 if not, with 1 if it is, with 125 (skip) if it can't be built or told, and with 128 or more,
    which ends `git bisect run`, if the bench or the input is wrong.
    """
    from pytest_lan_hil.cli.bisect import Request, bisect_step

    request = Request(
        board, tuple(bench or ()), image, tuple(tests or ()), tuple(quantity or ()), blocks, output,
        tuple(build or ()),
    )  # fmt: skip
    raise typer.Exit(bisect_step(good, request))


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    app.command("bisect")(_bisect)
    app.command("bisect-step")(_bisect_step)
