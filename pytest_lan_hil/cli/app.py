"""The commands of `lan-hil`, as typer knows them: options and help only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import AnyBoard, Bench, Board, Image, Json, Wait

app = typer.Typer(
    name="lan-hil",
    help="Hardware-in-the-loop tests for embedded ML: what is attached, flash, measure, publish.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
boards_app = typer.Typer(help="Boards that `pytest --board NAME` knows.", invoke_without_command=True)
virtual_app = typer.Typer(help="State that virtual boards keep between commands.", no_args_is_help=True)
app.add_typer(boards_app, name="boards")
app.add_typer(virtual_app, name="virtual")


def _version(asked: bool) -> None:  # noqa: FBT001 - typer hands over the option's value
    if asked:
        from pytest_lan_hil import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _main(
    *,
    debug: Annotated[
        bool, typer.Option("--debug", "--hil-debug", help="Show tracebacks (also LAN_HIL_DEBUG=1).")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    del debug, version  # the one is read by `failures.run`, the other has been answered by `_version`


@boards_app.callback()
def _boards(context: typer.Context, *, json: Json = False) -> None:
    if context.invoked_subcommand is None:
        from pytest_lan_hil.cli.boards import list_all

        raise typer.Exit(list_all(as_json=json))


@boards_app.command("show")
def _show(name: Annotated[str, typer.Argument(metavar="NAME|FILE")], *, json: Json = False) -> None:
    """Print one board as it was understood, or all that is wrong with its file."""
    from pytest_lan_hil.cli.boards import show

    show(name, as_json=json)


@app.command("schema")
def _schema(kind: Annotated[str, typer.Argument(metavar="board|bench|record")]) -> None:
    """Print the JSON schema of board files, bench files or run records."""
    from pytest_lan_hil.cli.boards import schema

    schema(kind)


@app.command("doctor")
def _doctor(*, bench: Bench = None, board: AnyBoard = None, json: Json = False) -> None:
    """What is attached, what the bench names, what is missing, and what to do about it.

    Ends with 0 if everything that the bench names is there, else with 3.
    """
    from pytest_lan_hil.cli.doctor import doctor

    raise typer.Exit(doctor(bench, board, as_json=json))


@app.command("flash")
def _flash(*, board: Board, bench: Bench = None, image: Image = None, wait: Wait = 60.0) -> None:
    """Flash a board, prove what is on it, and let it run."""
    from pytest_lan_hil.cli.devices import flash

    flash(board, bench, image, wait_s=wait)


@app.command("measure")
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


@app.command("memory")
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


@app.command("record")
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


@app.command("analyze")
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


@app.command("selftest")
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


@app.command("mlperf")
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


@app.command("accuracy")
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


@app.command("push")
def _push(
    *,
    output: Annotated[
        str | None, typer.Option("--hil-output", metavar="DIR", help="Folder of run records (else .hil).")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--pushgateway", metavar="URL", help="As http://HOST:9091.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0.1, help="Limit of each push.")
    ] = 3.0,
) -> None:
    """Send the runs that no Pushgateway has taken yet."""
    from pytest_lan_hil.cli.publishing import push

    raise typer.Exit(push(output, url, timeout_s=timeout))


@virtual_app.command("list")
def _virtual_list(*, json: Json = False) -> None:
    """Virtual boards, and the state (flash, UICR) they keep."""
    from pytest_lan_hil.cli.virtual_state import list_all

    list_all(as_json=json)


@virtual_app.command("reset")
def _virtual_reset(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One board; all without it.")] = None,
) -> None:
    """Forget a virtual board's state: the next use finds it as from the factory."""
    from pytest_lan_hil.cli.virtual_state import reset

    reset(name)
