"""`lan-hil baseline`: what a board did in accepted runs, and whether it still does."""

from __future__ import annotations

from typing import Annotated

import typer

from pytest_lan_hil.cli.arguments import Board, Json
from pytest_lan_hil.run.options import BASELINE, Inconclusive

OnBench = Annotated[
    str | None,
    typer.Option("--bench", metavar="NAME", help="On this bench (else the newest run's)."),
]
Output = Annotated[
    str | None, typer.Option("--hil-output", metavar="DIR", help="Folder of run records (else .hil).")
]
Baselines = Annotated[
    str | None, typer.Option("--baselines", metavar="DIR", help="Folder of baseline files (else baselines).")
]
Runs = Annotated[int | None, typer.Option("--runs", metavar="N", min=1, help="So many of them at most.")]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="REF", help="Of this run id, tag, branch or commit (else of the newest firmware)."
    ),
]
AllowDirty = Annotated[
    bool, typer.Option("--allow-dirty", help="Take runs of a working tree with uncommitted changes too.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")]
Head = Annotated[
    str | None,
    typer.Argument(
        metavar="REF",
        help="Run id, tag, branch, commit, latest, or a run's record.json (else the newest firmware's runs).",
    ),
]


def _save(
    *,
    board: Board,
    bench: OnBench = None,
    runs: Runs = None,
    source: From = None,
    allow_dirty: AllowDirty = False,
    baselines: Baselines = None,
    output: Output = None,
) -> None:
    """Make the baseline of a board from its newest runs (of one firmware, 20 at most), and write its file."""
    from pytest_lan_hil.cli.baseline import Where
    from pytest_lan_hil.cli.baseline_changes import Source, save

    save(Where(board, bench, baselines, output), Source(source, runs, dirty=allow_dirty))


def _show(
    *,
    board: Board,
    bench: OnBench = None,
    baselines: Baselines = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Print the committed baseline of a board, and its log."""
    from pytest_lan_hil.cli.baseline import Where, show

    show(Where(board, bench, baselines, output), as_json=json)


def _check(
    ref: Head = None,
    *,
    board: Board,
    bench: OnBench = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="baseline|REF|FILE",
            help="The committed baseline, what the ledger knows by this name, or a file.",
        ),
    ] = BASELINE,
    inconclusive: Annotated[
        Inconclusive,
        typer.Option("--inconclusive", help="Where the runs can't tell, end with 3, 0 or 1."),
    ] = Inconclusive.BLOCK,
    baselines: Baselines = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Is it worse than the baseline by more than the margin, and can that be believed?

    Ends with 0 if everything is within its margin or improved, with 1 if something regressed, with 3 if the
    runs can't tell, or there is no baseline.
    """
    from pytest_lan_hil.cli.baseline import Where, check

    where = Where(board, bench, baselines, output)
    raise typer.Exit(check(where, ref, against, inconclusive, as_json=json))


def _diff(
    *,
    board: Board,
    bench: OnBench = None,
    runs: Runs = None,
    source: From = None,
    baselines: Baselines = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """What `save` would change."""
    from pytest_lan_hil.cli.baseline import Where
    from pytest_lan_hil.cli.baseline_changes import Source, diff

    diff(Where(board, bench, baselines, output), Source(source, runs, dirty=True), as_json=json)


def _update(
    *,
    board: Board,
    bench: OnBench = None,
    dry_run: DryRun = False,
    baselines: Baselines = None,
    output: Output = None,
) -> None:
    """Take what improved into the baseline, if everything else held.

    Only from passed runs of a committed tree. Ends as `check` does; only with 0 something is written.
    """
    from pytest_lan_hil.cli.baseline import Where
    from pytest_lan_hil.cli.baseline_changes import Writing, update

    writing = Writing.NOTHING if dry_run else Writing.FILE
    raise typer.Exit(update(Where(board, bench, baselines, output), writing))


def _accept(
    *,
    board: Board,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the file's log.")],
    bench: OnBench = None,
    runs: Runs = None,
    source: From = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Drop the rows that these runs did not measure.")
    ] = False,
    allow_dirty: AllowDirty = False,
    dry_run: DryRun = False,
    baselines: Baselines = None,
    output: Output = None,
) -> None:
    """Record a change that is meant: every row that did not hold is made anew of the newest runs."""
    from pytest_lan_hil.cli.baseline import Where
    from pytest_lan_hil.cli.baseline_changes import Missing, Source, Writing, accept

    accept(
        Where(board, bench, baselines, output),
        Source(source, runs, dirty=allow_dirty),
        reason,
        Missing.DROP if drop_missing else Missing.KEEP,
        Writing.NOTHING if dry_run else Writing.FILE,
    )


def register(app: typer.Typer) -> None:
    """Add them to `lan-hil`."""
    group = typer.Typer(
        help="What a board did in accepted runs, and whether it still does.", no_args_is_help=True
    )
    for name, command in (
        ("save", _save),
        ("show", _show),
        ("check", _check),
        ("diff", _diff),
        ("update", _update),
        ("accept", _accept),
    ):
        group.command(name)(command)
    app.add_typer(group, name="baseline")
