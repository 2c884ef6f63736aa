"""Commands on the state that virtual boards keep."""

from __future__ import annotations

from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import Json


def _virtual_list(*, json: Json = False) -> None:
    """Virtual boards, and the state (flash, UICR) they keep."""
    from pytest_lan_hil.cli.virtual_state import list_all

    list_all(as_json=json)


def _virtual_reset(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One board; all without it.")] = None,
) -> None:
    """Forget a virtual board's state: the next use finds it as from the factory."""
    from pytest_lan_hil.cli.virtual_state import reset

    reset(name)


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    virtual = typer.Typer(help="State that virtual boards keep between commands.", no_args_is_help=True)
    virtual.command("list")(_virtual_list)
    virtual.command("reset")(_virtual_reset)
    app.add_typer(virtual, name="virtual")
