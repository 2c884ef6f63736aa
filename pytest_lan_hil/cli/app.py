"""The commands of `lan-hil`, as typer knows them: options and help only."""

from __future__ import annotations

from typing import Annotated

import typer

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

Board = Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="Board to use.")]
AnyBoard = Annotated[
    str | None, typer.Option("--board", metavar="NAME|FILE", help="Board that the bench is for.")
]
Bench = Annotated[
    str | None,
    typer.Option(
        "--bench",
        metavar="NAME|FILE",
        help="Bench to use (else LAN_HIL_BENCH, ini hil_bench, else the one real probe attached).",
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
    wait: Wait = 60.0,
    json: Json = False,
) -> None:
    """Let the firmware run and measure power, and latency and energy per inference."""
    from pytest_lan_hil.cli.devices import measure

    measure(board, bench, image, seconds=seconds, wait_s=wait, as_json=json)


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
