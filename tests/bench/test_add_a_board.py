"""docs/how-to/add-a-board.md, followed word for word: files written, commands run, output compared.

Blocks: `toml board NAME` and `python NAME.py` are files of the project, `sh` is run in it, and a `text` block
is what the `sh` block before it has to print, line by line in order; `...` stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-board.md"
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\S+)(?P<rest>.*)\n(?P<body>(?:.*\n)*?)(?P=indent)```$", re.M)
LIMIT_S = 120


def blocks() -> list[tuple[str, str, str]]:
    """Kind, what follows it, and text of each block of the page."""
    found = [
        (m["kind"], m["rest"].strip(), textwrap.dedent(m["body"])) for m in _BLOCK.finditer(PAGE.read_text())
    ]
    assert len(found) == PAGE.read_text().count("```") // 2
    return found


def run(script: str, project: Path) -> str:
    own = {
        "LAN_HIL_STATE": str(project / "state"),
        "LAN_HIL_VIRTUAL_STATE": str(project / "state" / "virtual"),
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LAN_HIL_", "PYTEST_"))}
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=project, env={**kept, **own, "PATH": path, "COLUMNS": "200"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


def missing(expected: str, printed: str) -> str:
    """The first line of `expected` that does not follow in `printed`, "" if all do."""
    lines = iter(printed.splitlines())
    for line in expected.splitlines():
        pattern = re.compile(".*".join(map(re.escape, line.split("..."))))
        if not any(pattern.fullmatch(candidate.rstrip()) for candidate in lines):
            return line
    return ""


def test_whoever_follows_the_page_has_a_board_and_a_test_that_passes(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "boards").mkdir()
    printed, compared = "", 0
    for kind, rest, text in blocks():
        if kind == "toml":
            word, name = rest.split()
            assert word == "board"
            (tmp_path / "boards" / f"{name}.toml").write_text(text)
        elif kind == "python":
            (tmp_path / rest).write_text(text)
        elif kind == "sh":
            printed = run(text, tmp_path)
            assert printed or "mkdir" in text
        else:
            assert kind == "text"
            assert missing(text, printed) == "", printed
            compared += 1
    assert compared == 2


def test_a_line_that_was_not_printed_is_found() -> None:
    assert missing("one\n...three", "one\ntwo and three\n") == ""
    assert missing("one\nthree", "one\ntwo and three\n") == "three"
    assert missing("two\none", "one\ntwo\n") == "one"
