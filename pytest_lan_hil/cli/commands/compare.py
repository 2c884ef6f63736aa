"""`lan-hil compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import Json

_WHAT = "Run id (or its beginning), tag, branch, commit, latest, or the file of a record or baseline."


def _compare(
    base: Annotated[str, typer.Argument(metavar="A", help=_WHAT)],
    head: Annotated[str, typer.Argument(metavar="B", help="What is compared with A; as A.")],
    *,
    board: Annotated[
        str | None, typer.Option("--board", metavar="NAME", help="Only runs of this board.")
    ] = None,
    bench: Annotated[
        str | None, typer.Option("--bench", metavar="NAME", help="Only runs on this bench.")
    ] = None,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help="End with 1 if something regressed.")
    ] = False,
    output: Annotated[
        str | None, typer.Option("--hil-output", metavar="DIR", help="Folder of run records (else .hil).")
    ] = None,
    json: Json = False,
) -> None:
    """What changed from A to B: each measurement, time by function, memory by object file.

    Ends with 0 whatever the verdict, unless --fail-on-regression is given.
    """
    from pytest_lan_hil.cli.compare import compare
    from pytest_lan_hil.model.errors import DutError
    from pytest_lan_hil.model.measurement import VerdictKind
    from pytest_lan_hil.run.changes import Only

    verdict = compare(base, head, Only(board or "", bench or ""), output, as_json=json)
    if fail_on_regression and verdict is VerdictKind.REGRESSED:
        raise typer.Exit(DutError.exit_code)


def register(app: typer.Typer) -> None:
    """Add it to `lan-hil`."""
    app.command("compare")(_compare)
