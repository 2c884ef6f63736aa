"""What commands print: aligned columns, JSON, and progress (a bar on a terminal, one line in a pipe)."""

from __future__ import annotations

import json
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_lan_hil.model.clock import Clock

TICK_S = 0.1


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings; nothing is shortened, so that a pipe gets whole values."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    """Print a value as JSON; paths and other objects as their text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str, allow_nan=False))


def bounded(value: float) -> float | None:
    """JSON has no infinity: a limit or an uncertainty without bound is null."""
    return value if math.isfinite(value) else None


def note(line: str) -> None:
    """Say on stderr what is going on, so that stdout stays a result."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(title: str) -> Iterator[Callable[[float], None]]:
    """Show how far a step is: the block calls what it is given with a share from 0 to 1."""
    with _bar(title, total=1.0) as advance:
        yield advance


@contextmanager
def activity(title: str) -> Iterator[None]:
    """Show that a step of unknown length goes on."""
    with _bar(title, total=None):
        yield


@contextmanager
def passing(title: str, clock: Clock, seconds: float) -> Iterator[None]:
    """Show how much of a step that lasts `seconds` on `clock` is over."""
    start = clock.monotonic()
    over = threading.Event()
    with _bar(title, total=seconds) as advance:

        def follow() -> None:
            while not over.wait(TICK_S):
                advance(clock.monotonic() - start)

        follower = threading.Thread(target=follow, name="progress", daemon=True)
        follower.start()
        try:
            yield
        finally:
            over.set()
            follower.join()


def _unheard(done: float) -> None:
    """Nobody watches a pipe."""
    del done


@contextmanager
def _bar(title: str, *, total: float | None) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, gone when the block ends; in a pipe one line that says what goes on."""
    if not sys.stderr.isatty():
        note(f"{title} ...")
        yield _unheard
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)
