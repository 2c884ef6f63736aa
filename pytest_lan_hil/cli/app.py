"""`lan-hil` itself: what all commands share, and which modules bring the commands.

A module of commands has a `register(app)`; a new one is named in `COMMANDS`, in the order of the help.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pytest_lan_hil.cli.commands import (
    about,
    baseline,
    bisect,
    boards,
    compare,
    history,
    monitor,
    procedures,
    publishing,
    virtual,
)

COMMANDS = (about, boards, procedures, baseline, history, compare, bisect, publishing, monitor, virtual)

app = typer.Typer(
    name="lan-hil",
    help="Hardware-in-the-loop tests for embedded ML: what is attached, flash, measure, publish.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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


for _module in COMMANDS:
    _module.register(app)
