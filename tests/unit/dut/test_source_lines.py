"""An address is told as file and line, from the debug information of the very file that was read."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_firmware import build

from pytest_lan_hil.dut.image import load_image

SOURCE = """
__attribute__((noinline)) int twice(volatile int *number)
{
    *number = *number * 2;
    return *number;
}
int main(void) { int a = 1; return twice(&a); }
"""


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
def test_every_version_of_the_line_table_is_read(tmp_path: Path, version: str) -> None:
    image = load_image(build(tmp_path, {"part/twice.c": SOURCE}, options=(version,)))
    assert image.line_at(image.symbols["twice"]) == "part/twice.c:4"
    assert image.line_at(image.symbols["twice"] + 7) == "part/twice.c:5"  # any byte of an instruction


def test_without_debug_information_there_is_no_line(tmp_path: Path) -> None:
    image = load_image(build(tmp_path, {"twice.c": SOURCE}, options=()))
    assert image.function_at(image.symbols["twice"]) == "twice"
    assert image.line_at(image.symbols["twice"]) == ""


def test_an_address_outside_the_code_has_no_line(tmp_path: Path) -> None:
    image = load_image(build(tmp_path, {"twice.c": SOURCE}))
    assert [image.line_at(address) for address in (0x2000_0000, 0xF000)] == ["", ""]


def test_a_file_that_was_built_anew_is_not_asked(tmp_path: Path) -> None:
    image = load_image(build(tmp_path, {"twice.c": SOURCE}))
    build(tmp_path, {"twice.c": "\n\n\n" + SOURCE})
    assert image.line_at(image.symbols["twice"]) == ""
