"""Marker lines of a file: those that a bench or a command names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from pytest_lan_hil.model.errors import InputError

Line = TypeVar("Line")


def require_inputs(path: Path, known: Iterable[str], markers: Mapping[str, str]) -> None:
    """Make sure that a file has every line that is asked for.

    Raises:
        InputError: Names the one that it lacks, and those that it has.
    """
    has = sorted(known)
    for name, place in markers.items():
        if place not in has:
            shown = repr(place) if name == place else f"{place!r} for marker {name!r}"
            raise InputError(
                f"{path} has no marker line {shown}: it has {', '.join(has) or 'none'}",
                fix=f"name one of these: --marker {has[0]}, or in a bench replay:FILE?{name}={has[0]}"
                if has
                else "choose a file that recorded the marker line",
            )


def wired(path: Path, lines: Mapping[str, Line], markers: Mapping[str, str] | None) -> dict[str, Line]:
    """The lines under the names that `markers` gives them; all of them as they are called where it is None.

    Raises:
        InputError: One that is asked for is not there.
    """
    if markers is None:
        return dict(lines)
    require_inputs(path, lines, markers)
    return {name: lines[place] for name, place in markers.items()}
