"""Every `lan-hil` command that a page tells readers to type exists, with the options that it is given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from pytest_lan_hil.cli.app import app

ROOT = Path(__file__).resolve().parents[3]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "firmware" / "model" / "README.md",
]
_BLOCK = re.compile(r"^ *```(?:sh|text)?\n(.*?)^ *```$|^((?:(?: {4}|\t).*\n)+)", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\s*(?:\$ )?(?:\S*bin/)?lan-hil (.+)$", re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """Words behind `lan-hil` of each command line in the code blocks of a page; comments are left out."""
    blocks = [fenced or indented for fenced, indented in _BLOCK.findall(text)]
    return [shlex.split(line, comments=True) for block in blocks for line in _COMMAND.findall(block)]


def fault(words: list[str]) -> str:
    """What is wrong with a command line, "" if nothing is: an unknown command, option, or value left out."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and (rest or not command.invoke_without_command):
        name = rest.pop(0) if rest else ""
        if name not in command.commands:
            return f"no command {name!r} in {' '.join(words)!r}"
        command = command.commands[name]
    try:
        command.make_context("lan-hil", rest)
    except Exception as error:  # click's, whichever copy of it typer brings
        return f"{' '.join(words)!r}: {error}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_of_the_page_exist_with_their_options(page: Path) -> None:
    found = [fault(words) for words in commands(page.read_text(encoding="utf-8"))]
    assert [one for one in found if one] == []


def test_the_readme_has_commands_to_check() -> None:
    readme = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert ["doctor"] in readme
    assert len(readme) >= 10


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("boards", ""),
        ("virtual list", ""),
        ("virtual lost", "no command 'lost'"),
        ("measure --board x --secunds 5", "--secunds"),
        ("memory --against", "--against"),
    ],
)
def test_an_unknown_command_or_option_is_told(line: str, wrong: str) -> None:
    page = f"```sh\nlan-hil {line}   # so it goes\n```\n"
    (words,) = commands(page)
    assert (wrong in fault(words)) if wrong else fault(words) == ""
