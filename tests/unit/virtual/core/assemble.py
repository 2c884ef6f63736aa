"""Thumb assembly in the tests and its machine code: finds the pairs, compares them, writes the code anew.

A test writes `program("movs r0, #1; b .", "...")`: GNU assembler text, statements parted by semicolons, and
its machine code in hex, so that the tests run without an ARM compiler. After a change of a text:

    python tests/unit/virtual/core/assemble.py

puts the right hex into every test file of this folder (arm-none-eabi-as is needed for that).
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

ASSEMBLER = "arm-none-eabi-as"
HERE = Path(__file__).parent
_OPTIONS = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "--no-warn"]
_WIDTH = 92


@dataclass(frozen=True)
class Program:
    """One call of `program` in a test file."""

    file: Path
    asm: str
    code: str
    node: ast.Constant

    @property
    def place(self) -> tuple[int, int]:
        return self.node.lineno, self.node.col_offset

    @property
    def where(self) -> str:
        return f"{self.file.name}:{self.node.lineno}"


def programs(file: Path) -> list[Program]:
    """All calls of `program` in a file."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "program":
            asm, code = node.args
            assert isinstance(asm, ast.Constant)
            assert isinstance(code, ast.Constant)
            found.append(Program(file, asm.value, code.value, code))
    return found


def test_files() -> list[Path]:
    return sorted(HERE.glob("*.py"))


def assemble(texts: list[str]) -> list[bytes]:
    """Machine code of each text. Each gets its own section, so that it keeps its own literal pool."""
    source = [".syntax unified", ".thumb"]
    for number, text in enumerate(texts):
        source += [f'.section .program.{number}, "ax"', text.replace(";", "\n")]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "programs.o"
        subprocess.run(
            [ASSEMBLER, *_OPTIONS, "-o", str(result), "-"],
            input="\n".join(source) + "\n",
            text=True,
            check=True,
            timeout=60,
        )
        elf = ELFFile(io.BytesIO(result.read_bytes()))
        return [bytes(elf.get_section_by_name(f".program.{n}").data()) for n in range(len(texts))]


def _literal(code: bytes, indent: int) -> str:
    """The hex as Python source: one string, or several lines of them."""
    text = code.hex()
    if len(text) <= _WIDTH:
        return f'"{text}"'
    lines = [text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)]
    return ("\n" + " " * indent).join(f'"{line}"' for line in lines)


def rewrite(file: Path) -> None:
    """Put the right machine code into one file."""
    found = programs(file)
    codes = assemble([program.asm for program in found])
    lines = file.read_text().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    source = "".join(lines).encode()
    ordered = sorted(zip(found, codes, strict=True), key=lambda pair: pair[0].place, reverse=True)
    for program, code in ordered:
        node = program.node
        if re.sub(r"\s", "", program.code) == code.hex():
            continue
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[node.end_lineno - 1] + node.end_col_offset
        source = source[:first] + _literal(code, node.col_offset).encode() + source[last:]
    file.write_bytes(source)


if __name__ == "__main__":
    for path in test_files():
        if programs(path):
            rewrite(path)
