"""The machine code in these tests is what an assembler makes of the text beside it."""

from __future__ import annotations

import assemble
from required import binary


def test_every_program_is_what_the_assembler_makes_of_its_text() -> None:
    binary(assemble.ASSEMBLER, "binutils-arm-none-eabi")
    found = [program for file in assemble.test_files() for program in assemble.programs(file)]
    codes = assemble.assemble([program.asm for program in found])
    wrong = [
        f"{program.where}: {program.asm!r} is {code.hex()}, not {program.code}"
        for program, code in zip(found, codes, strict=True)
        if program.code != code.hex()
    ]
    assert len(found) > 150
    assert not wrong, "run python tests/unit/virtual/core/assemble.py\n" + "\n".join(wrong)
