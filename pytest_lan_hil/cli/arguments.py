"""Options that several commands of `lan-hil` have: one name, one help text."""

from __future__ import annotations

from typing import Annotated

import typer

Board = Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="Board to use.")]
AnyBoard = Annotated[
    str | None, typer.Option("--board", metavar="NAME|FILE", help="Board that the bench is for.")
]
Bench = Annotated[
    list[str] | None,
    typer.Option(
        "--bench",
        metavar="NAME|FILE",
        help="Bench to use (else LAN_HIL_BENCH, ini hil_bench, else the one real probe attached); of several"
        " the first that serves the board.",
    ),
]
Image = Annotated[
    str | None,
    typer.Option("--image", metavar="NAME|FILE", help="Image to flash instead of the board's default."),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait", metavar="S", min=0, help="How long to wait for a bench that another process holds."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
