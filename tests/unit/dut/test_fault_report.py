"""A fault that the firmware reports is told with function and line, an overflow of the stack as one."""

from __future__ import annotations

import pytest
from tiny_firmware import build

from pytest_lan_hil.dut.fault_report import explain_fault
from pytest_lan_hil.dut.image import FirmwareImage, load_image

SOURCE = """int main(void) {
    int (*volatile deep)(void) = main;
    int depth = deep();
    return depth + 1;
}
"""
GUARD, BOTTOM = 0x2000_0000, 0x2000_0100
DACCVIOL, MSTKERR, MMARVALID = 0x2, 0x10, 0x80


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> FirmwareImage:
    return load_image(build(tmp_path_factory.mktemp("fault"), {"deep.c": SOURCE}, guard=256))


def report(pc: int = 0, cfsr: int = 0, mmfar: int = 0, trace: tuple[int, ...] = (0, 0)) -> str:
    words = ",".join(f"0x{word:08x}" for word in trace)
    return f"fault memmanage pc=0x{pc:08x} lr=0x00000000 cfsr=0x{cfsr:08x} mmfar=0x{mmfar:08x} trace={words}"


def test_a_known_program_counter_gives_function_and_line(image: FirmwareImage) -> None:
    pc = image.symbols["main"]
    assert explain_fault(report(pc), image) == ", raised in main() (deep.c:1)"


@pytest.mark.parametrize(
    ("cfsr", "mmfar"), [(MSTKERR, 0), (DACCVIOL | MMARVALID, BOTTOM - 4)], ids=["stacking", "access"]
)
def test_an_overflow_is_named_as_one(image: FirmwareImage, cfsr: int, mmfar: int) -> None:
    said = explain_fault(report(image.symbols["main"], cfsr, mmfar), image)
    assert said == ", the main stack overflowed into its guard, raised in main() (deep.c:1)"


def test_without_a_program_counter_the_innermost_return_address_tells(image: FirmwareImage) -> None:
    after_call = next(
        address for address in range(64, 160, 2)
        if image.line_at(address - 2) == "deep.c:3" and image.line_at(address) != "deep.c:3"
    )  # fmt: skip
    said = explain_fault(report(0, MSTKERR, trace=(0x2000_0001, after_call)), image)
    assert said == ", the main stack overflowed into its guard, raised in or below main() (deep.c:3)"


def test_another_violation_is_no_overflow(image: FirmwareImage) -> None:
    assert "overflow" not in explain_fault(report(0, DACCVIOL | MMARVALID, 0x4000_0000), image)
    assert "overflow" not in explain_fault(report(0, DACCVIOL, BOTTOM - 4), image)  # the address is not valid


def test_what_is_not_known_is_left_out(image: FirmwareImage) -> None:
    assert explain_fault("fault hardfault", image) == ""
    assert explain_fault(report(0x0000_F000), image) == ""
    assert explain_fault(report(image.symbols["main"], MSTKERR), None) == ""
