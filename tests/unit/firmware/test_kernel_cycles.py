"""The cycles of the kernel image's integer parts: what the timing table explains, and what the docs say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from required import binary

from benchmarks.kernel_cycles import CHIPS, PARTS, Explanation, boot, doubts, explain, loops, table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "cycles-and-currents.md"


@pytest.fixture(scope="module")
def compiler() -> str:
    """The version of arm-none-eabi-gcc."""
    gcc = binary("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    asked = subprocess.run([gcc, "-dumpfullversion"], capture_output=True, text=True, check=True, timeout=30)
    return asked.stdout.strip()


@pytest.fixture(scope="module", params=CHIPS)
def chip(request: pytest.FixtureRequest, compiler: str) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def explanations(chip: str) -> dict[str, Explanation]:
    return explain(boot(chip))


@pytest.fixture
def same_compiler(compiler: str) -> None:
    """For tests of figures that another compiler's code does not have."""
    if f"arm-none-eabi-gcc {compiler}" not in PAGE.read_text(encoding="utf-8"):
        pytest.skip(f"{PAGE.name} is about another compiler than {compiler}")


def test_instructions_times_table_explain_every_part(chip: str, explanations: dict[str, Explanation]) -> None:
    assert tuple(explanations) == PARTS
    # With the STM32's data cache a read pays a share of its line, and fractions of a cycle are carried over
    # from round to round.
    slack = {"nrf52840": 0, "stm32f412": 1}[chip]
    for part, explanation in explanations.items():
        assert explanation.measured > 5000
        assert abs(explanation.explained - explanation.measured) <= slack, part


def test_the_loops_are_the_bulk_of_the_integer_work(explanations: dict[str, Explanation]) -> None:
    shares = {part: e.loop.cycles * e.loop.runs / e.measured for part, e in explanations.items()}
    assert all(0.3 < share < 1 for share in shares.values()), shares


@pytest.mark.usefixtures("same_compiler")
def test_the_crc_takes_what_a_count_by_hand_says(chip: str, explanations: dict[str, Explanation]) -> None:
    bit = 1 + 1 + 1 + 1 + 1 + 1  # TST, ITE (behind a 32-bit instruction: not folded), LSL, EOR, SUBS, BNE
    back = 1 + 1  # refill, and its target is 32 bits wide but not word aligned
    byte = 5 + 8 * bit + 7 * back + 3  # MLA, LSR, AND, EOR, MOV; SUBS, UXTH, BNE
    call = (2 + 1 + 2) + 3 + 3 + 4 + 3 + 3  # LDR, BLX; PUSH; two LDRs; four MOVs; POP; BX
    literals = {"nrf52840": 2 * 2, "stm32f412": 1}[chip]  # two wait states each; shares of a line
    assert explanations["crc"].measured == 256 * byte + 255 + call + literals


@pytest.mark.usefixtures("same_compiler")
def test_the_page_shows_these_tables(chip: str, explanations: dict[str, Explanation]) -> None:
    section = re.search(
        rf"^### `{chip}`$(.+?)(?=^##)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert section is not None
    shown = [line for line in section[1].splitlines() if line.startswith("|")]
    assert shown == [*table(explanations), *loops(explanations), *doubts(explanations)], (
        "python -m benchmarks.kernel_cycles"
    )
