"""Commands that tell what there is: boards, schemas, what is attached."""

from __future__ import annotations

from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import AnyBoard, Bench, Json


def _boards(context: typer.Context, *, json: Json = False) -> None:
    if context.invoked_subcommand is None:
        from pytest_lan_hil.cli.boards import list_all

        raise typer.Exit(list_all(as_json=json))


def _show(name: Annotated[str, typer.Argument(metavar="NAME|FILE")], *, json: Json = False) -> None:
    """Print one board as it was understood, or all that is wrong with its file."""
    from pytest_lan_hil.cli.boards import show

    show(name, as_json=json)


def _schema(kind: Annotated[str, typer.Argument(metavar="board|bench|record")]) -> None:
    """Print the JSON schema of board files, bench files or run records."""
    from pytest_lan_hil.cli.boards import schema

    schema(kind)


def _doctor(*, bench: Bench = None, board: AnyBoard = None, json: Json = False) -> None:
    """What is attached, what the bench names, what is missing, and what to do about it.

    Ends with 0 if everything that the bench names is there, else with 3.
    """
    from pytest_lan_hil.cli.doctor import doctor

    raise typer.Exit(doctor(bench, board, as_json=json))


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    boards = typer.Typer(help="Boards that `pytest --board NAME` knows.", invoke_without_command=True)
    boards.callback()(_boards)
    boards.command("show")(_show)
    app.command("schema")(_schema)
    app.command("doctor")(_doctor)
    app.add_typer(boards, name="boards")
