"""Commands that evaluate: recorded captures, MLPerf Tiny, labelled recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import AnyBoard, Bench, Board, Image, Json, Wait


def _analyze(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help=".jls, .npz, Joulescope or Power Profiler CSV, trace1-energy.bin."
        ),
    ] = None,
    *,
    timestamps: Annotated[
        Path | None,
        typer.Option(
            "--timestamps", metavar="FILE.json", help="Window k spans stamps k-1 to k of this list."
        ),
    ] = None,
    marker: Annotated[
        str | None,
        typer.Option("--marker", metavar="LINE[=INPUT]", help="Windows are where this line is high: gpi0."),
    ] = None,
    instrument: Annotated[
        str | None,
        typer.Option("--instrument", metavar="NAME", help="Whose error limits hold: js110, js220, ppk2."),
    ] = None,
    supply_v: Annotated[
        float | None, typer.Option("--supply-v", metavar="V", help="For a file that holds no voltage.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results", metavar="FILE.txt", help="Compare with what MLPerf Tiny's runner reported."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.html|.png", help="Draw power and windows.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="What the uncertainty is made of.")] = False,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="DIR", help="All traces below DIR against their results.txt."),
    ] = None,
    json: Json = False,
) -> None:
    """Energy of each window of a recorded capture, with its uncertainty.

    Ends with 1 if a reported energy lies outside our uncertainty or a trace could not be checked, with 3 if
    too many windows can't be used.
    """
    from pytest_lan_hil.cli.analyze import Request, analyze

    request = Request(file, timestamps, marker, instrument, supply_v, results, plot, check)
    raise typer.Exit(analyze(request, as_json=json, explain=explain))


def _mlperf(
    mode: Annotated[str, typer.Argument(metavar="performance|energy|accuracy")],
    *,
    board: AnyBoard = None,
    bench: Bench = None,
    image: Image = None,
    console: Annotated[
        str | None,
        typer.Option("--console", metavar="URI", help="A console alone: /dev/ttyACM0, 'exec:./program'."),
    ] = None,
    baud: Annotated[
        int | None,
        typer.Option("--baud", metavar="N", min=1, help="Of --console (else 115200; 9600 for energy)."),
    ] = None,
    analyzer: Annotated[
        str | None, typer.Option("--analyzer", metavar="URI", help="Power analyzer beside --console.")
    ] = None,
    marker: Annotated[
        list[str] | None,
        typer.Option("--marker", metavar="LINE=INPUT", help="Wire of --analyzer: timestamp=gpi0."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="DIR", help="Folder of y_labels.csv and the inputs.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="kws|ad|ic|vww", help="Model wanted (else what the DUT reports)."),
    ] = None,
    windows: Annotated[int, typer.Option("--windows", metavar="N", min=1, help="The rules ask for 5.")] = 5,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="Length of a window; the rules ask for 10.")
    ] = 10.0,
    inferences: Annotated[
        int | None, typer.Option("--inferences", metavar="N", min=1, help="In a window (else found out).")
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Folder of the results.")] = None,
    wait: Wait = 60.0,
    json: Json = False,
) -> None:
    """Play an official MLPerf Tiny procedure on a board of a bench or on a console, and write its results.

    Ends with 0 if the rules are met, with 1 if one is not or the DUT failed.
    """
    from pytest_lan_hil.cli.mlperf import make_plan, mlperf

    plan = make_plan(
        mode, windows=windows, seconds=seconds, inferences=inferences, dataset=dataset, model=model
    )
    code = mlperf(
        plan,
        board=board,
        bench=bench,
        image=image,
        console=console,
        baud=baud,
        analyzer=analyzer,
        markers=marker or [],
        out=out,
        wait_s=wait,
        as_json=json,
    )
    raise typer.Exit(code)


def _accuracy(
    *,
    board: Board,
    dataset: Annotated[
        Path, typer.Option("--dataset", metavar="DIR", help="Folder of LABEL_SPEAKER_NUMBER.wav files.")
    ],
    bench: Bench = None,
    image: Image = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Play only N recordings.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of results (else `accuracy` in .hil)."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget what an interrupted run has brought.")
    ] = False,
    wait: Wait = 60.0,
    json: Json = False,
) -> None:
    """Play labelled recordings to a board: how many of them does its network name rightly?

    An interrupted run goes on where it stopped. Ends with 0 if the accuracy keeps the board's target, with 1
    if it does not, with 3 if there were too few recordings to tell or frames were lost.
    """
    from pytest_lan_hil.cli.accuracy import Request, accuracy

    request = Request(board, bench, image, dataset, limit, out, restart)
    raise typer.Exit(accuracy(request, wait_s=wait, as_json=json))


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    app.command("analyze")(_analyze)
    app.command("mlperf")(_mlperf)
    app.command("accuracy")(_accuracy)
