"""What commands print: aligned columns, JSON, and progress (a bar on a terminal, plain lines in a pipe)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

STEP = 0.25


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings; nothing is shortened, so that a pipe gets whole values."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    """Print a value as JSON; paths and other objects as their text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str, allow_nan=False))


def note(line: str) -> None:
    """Say on stderr what is going on, so that stdout stays a result."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(title: str) -> Iterator[Callable[[float], None]]:
    """Show how far a step is: the block calls what it is given with a share from 0 to 1."""
    if sys.stderr.isatty():
        with _bar(title, total=1.0) as advance:
            yield advance
        return
    next_step = STEP
    note(f"{title} ...")

    def report(share: float) -> None:
        nonlocal next_step
        if share >= next_step:
            next_step = (share // STEP + 1) * STEP
            note(f"{title} {share:4.0%}")

    yield report


@contextmanager
def activity(title: str) -> Iterator[None]:
    """Show that a step of unknown length goes on."""
    if sys.stderr.isatty():
        with _bar(title, total=None):
            yield
    else:
        note(f"{title} ...")
        yield


@contextmanager
def _bar(title: str, *, total: float | None) -> Iterator[Callable[[float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda share: bar.update(task, completed=share)
