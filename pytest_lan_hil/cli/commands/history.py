"""Commands on past runs: their trends, their rows, names for them."""

from __future__ import annotations

from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import Json

_Board = Annotated[str | None, typer.Option("--board", metavar="NAME", help="Only of this board.")]
_Bench = Annotated[str | None, typer.Option("--bench", metavar="NAME", help="Only of this bench.")]
_Branch = Annotated[str | None, typer.Option("--branch", metavar="NAME", help="Only of this git branch.")]
_Quantity = Annotated[
    str | None, typer.Option("--quantity", metavar="NAME", help="Only this quantity: latency.")
]
_Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="DATE|AGE|REF",
        help="From a date (2026-11-01), an age (36h, 30d, 4w), or a run id, tag or commit on.",
    ),
]
_Unjudged = Annotated[
    bool, typer.Option("--unjudged", help="Also what no budget and no baseline asks about.")
]
_Output = Annotated[
    str | None, typer.Option("--hil-output", metavar="DIR", help="Folder of run records (else .hil).")
]


def _history(
    *,
    board: _Board = None,
    bench: _Bench = None,
    quantity: _Quantity = None,
    branch: _Branch = None,
    since: _Since = None,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="Newest runs of each board and bench.")
    ] = 200,
    unjudged: _Unjudged = False,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="FILE.html|.svg|terminal", help="Draw: into a file, or a chart here."),
    ] = None,
    output: _Output = None,
    json: Json = False,
) -> None:
    """How each measurement went from run to run: its trend, where it stepped, and with which commit."""
    from pytest_lan_hil.cli.history import history
    from pytest_lan_hil.cli.ledger import Wanted

    wanted = Wanted(board, bench, branch, quantity, since, unjudged, output)
    history(wanted, last=last, plot=plot, as_json=json)


def _query(
    *,
    board: _Board = None,
    bench: _Bench = None,
    quantity: _Quantity = None,
    branch: _Branch = None,
    since: _Since = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="REF", help="Only of this run id, tag, commit, branch, or `latest`."),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="A row for each run, not for each measurement.")
    ] = False,
    unjudged: _Unjudged = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV with a heading (without --jsonl too).")
    ] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a JSON object a line.")] = False,
    output: _Output = None,
) -> None:
    """Rows of past runs for other programs: who measured what, when, of which commit, how certain."""
    from pytest_lan_hil.cli.ledger import Wanted
    from pytest_lan_hil.cli.query import Form, Rows, query

    if csv and jsonl:
        raise typer.BadParameter("--csv and --jsonl can't both be: choose one", param_hint="--jsonl")
    wanted = Wanted(board, bench, branch, quantity, since, unjudged, output)
    query(wanted, run, Rows.RUNS if runs else Rows.MEASUREMENTS, Form.JSONL if jsonl else Form.CSV)


def _tag(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, or what stands for one: `latest`.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The tag; a run that had it loses it.")],
    *,
    output: _Output = None,
) -> None:
    """Give a run a name that stands for it wherever a run is asked for."""
    from pytest_lan_hil.cli.query import tag

    tag(run, name, output)


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    app.command("history")(_history)
    app.command("query")(_query)
    app.command("tag")(_tag)
