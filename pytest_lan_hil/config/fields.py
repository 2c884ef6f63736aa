"""The grammar of single values in board and bench files: names, pins, inputs, image paths."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
MARKER_PATTERN = r"^[a-z][a-z0-9_]*$"
# Nordic and NXP write port.pin, ST and Silicon Labs a port letter, Espressif and Raspberry Pi a bare number.
PIN_PATTERN = r"^(P[0-9]\.[0-9]{1,2}|P[A-K][0-9]{1,2}|GPIO[0-9]{1,2})$"
INPUT_PATTERN = r"^[a-z]+[0-9]{1,2}$"
# A number on the chip, or the name that the kernel knows the line by ("GPIO17", "PIN_11").
EDGE_LINE_PATTERN = r"^[A-Za-z0-9_.-]+$"


def wrong(problem: str, fix: str, *, key: str = "") -> PydanticCustomError:
    """An error of a validator that brings its own words, and the key inside its table that is meant."""
    return PydanticCustomError("hil", "{problem}", {"problem": problem, "fix": fix, "key": key})


def _pin(text: str) -> str:
    if not re.match(PIN_PATTERN, text):
        raise wrong(
            f'"{text}" is not a pin', 'write "P0.13" (port.pin), "PA5" or "GPIO7", as the data sheet does'
        )
    return text


def _marker(text: str) -> str:
    if not re.match(MARKER_PATTERN, text):
        raise wrong(
            f'"{text}" is not a marker line\'s name',
            'use lower-case letters, digits and _, as in "inference"',
        )
    return text


def _input(text: str) -> str:
    if not re.match(INPUT_PATTERN, text):
        raise wrong(f'"{text}" is not an instrument input', 'write the input\'s name, as in "gpi0"')
    return text


def _edge_line(text: str) -> str:
    if not re.match(EDGE_LINE_PATTERN, text):
        raise wrong(f'"{text}" is not a GPIO line', 'write its number or its name, as in "17" or "GPIO17"')
    return text


def _name(text: str) -> str:
    if not re.match(NAME_PATTERN, text):
        raise wrong(
            f'"{text}" can\'t be a name',
            "use letters, digits, _ . and - (names become metric labels and folder names)",
        )
    return text


def _image(path: Path, info: ValidationInfo) -> Path:
    if path == Path():
        raise wrong("the path is empty", 'write the path from this file, as in "../build/app.elf"')
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder, path).resolve()


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Pin = Annotated[str, AfterValidator(_pin), Field(json_schema_extra={"pattern": PIN_PATTERN})]
MarkerName = Annotated[str, AfterValidator(_marker)]
InstrumentInput = Annotated[str, AfterValidator(_input), Field(json_schema_extra={"pattern": INPUT_PATTERN})]
EdgeLineName = Annotated[
    str, AfterValidator(_edge_line), Field(json_schema_extra={"pattern": EDGE_LINE_PATTERN})
]
Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]
Names = Annotated[tuple[Name, ...], BeforeValidator(_tuple)]
Words = Annotated[tuple[str, ...], BeforeValidator(_tuple)]
ImagePath = Annotated[Path, Field(strict=False), AfterValidator(_image)]


def refuse_double(wired: Mapping[str, str], what: str) -> None:
    """Refuse two marker lines on one pin or input."""
    seen: dict[str, str] = {}
    for marker, place in wired.items():
        if place in seen:
            raise wrong(
                f"{what} {place} is already taken by marker line {seen[place]}",
                f"give {marker} its own {what}",
                key=marker,
            )
        seen[place] = marker


def number_text(value: float) -> str:
    """A number as a URI and TOML hold it: `3.0`, never `3`."""
    return repr(float(value))


def nearest(word: str, words: Sequence[str]) -> str | None:
    """The word that was probably meant, or None."""
    found = get_close_matches(word.lower(), {known.lower(): known for known in words}, n=1, cutoff=0.55)
    return next(known for known in words if known.lower() == found[0]) if found else None
