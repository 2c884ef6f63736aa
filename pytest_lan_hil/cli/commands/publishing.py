"""Commands on finished runs: push them."""

from __future__ import annotations

from typing import Annotated

import typer


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


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    app.command("push")(_push)
