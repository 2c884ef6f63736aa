"""Images are read completely, hashed the same whatever the file format, and refused with the reason."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dut_elf import ALLOC, WRITE, Elf, Section, firmware
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intelhex import IntelHex

from pytest_lan_hil.dut.image import check_fits, flash_sha256, load_image, read_back
from pytest_lan_hil.model.errors import ImageError

BUILD_ID = struct.pack("<4sHH20s32s32sI", b"BID1", 1, 96, b"\xab" * 20, b"\xcd" * 32, b"0.1.0", 0)


def write(folder: Path, content: bytes, name: str = "lan.elf") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def board(flash: tuple[int, int] = (0, 0x10_0000), ram: tuple[int, int] = (0x2000_0000, 0x2004_0000)) -> Any:
    def memory(bounds: tuple[int, int]) -> SimpleNamespace:
        return SimpleNamespace(start=bounds[0], end=bounds[1])

    return SimpleNamespace(name="dk", target="nrf52840", flash=memory(flash), ram=memory(ram))


def test_flash_contents_lie_at_their_load_addresses(tmp_path: Path) -> None:
    image = load_image(write(tmp_path, firmware().build()))
    (segment,) = image.segments
    assert (segment.address, segment.data) == (0, bytes(range(64)) + b"\x11" * 8)
    assert image.flash_bytes == 72


def test_the_flash_hash_covers_address_length_and_data(tmp_path: Path) -> None:
    image = load_image(write(tmp_path, firmware().build()))
    data = image.segments[0].data
    assert image.flash_sha256 == hashlib.sha256(struct.pack("<II", 0, len(data)) + data).hexdigest()


def test_static_ram_counts_sections_and_leaves_reservations_out(tmp_path: Path) -> None:
    image = load_image(write(tmp_path, firmware().build()))
    assert image.static_ram_bytes == 8 + 40 + 16
    assert image.stack == (0x2003_F000, 0x2004_0000)


def test_a_stack_inside_bss_is_not_counted_as_static_ram(tmp_path: Path) -> None:
    elf = firmware()
    elf.sections = [s for s in elf.sections if s.name not in (".stack", ".bss")]
    elf.sections.append(Section(".bss", 0x2003_EF00, size=0x1100, kind=8, flags=ALLOC | WRITE))
    assert load_image(write(tmp_path, elf.build())).static_ram_bytes == 8 + 16 + 0x100


def test_thread_local_zeroes_take_no_room_of_their_own(tmp_path: Path) -> None:
    elf = firmware()
    elf.sections.append(Section(".tbss", 0x2000_0040, size=8, kind=8, flags=ALLOC | WRITE | 0x400))
    assert load_image(write(tmp_path, elf.build())).static_ram_bytes == 8 + 40 + 16


def test_sections_say_where_they_take_room(tmp_path: Path) -> None:
    image = load_image(write(tmp_path, firmware().build()))
    assert {section.name: section.kind for section in image.sections} == {
        ".text": "flash", ".data": "flash + RAM", ".bss": "RAM", ".noinit": "RAM", ".stack": "reserved",
    }  # fmt: skip


def test_a_compilers_clone_is_told_as_the_function_itself(tmp_path: Path) -> None:
    elf = firmware()
    elf.symbols.append(("descend.isra.0", 0x31, 16, 2))
    assert load_image(write(tmp_path, elf.build())).function_at(0x34) == "descend"


def test_functions_are_found_by_any_address_inside_them(tmp_path: Path) -> None:
    image = load_image(write(tmp_path, firmware().build()))
    assert image.symbols["main"] == 0x10
    assert [image.function_at(a) for a in (0x0F, 0x10, 0x11, 0x1E, 0x20, 0x21, 0x22)] == [
        "", "main", "main", "main", "HardFault_Handler", "HardFault_Handler", "",
    ]  # fmt: skip


def test_the_build_identity_is_read_as_the_console_prints_it(tmp_path: Path) -> None:
    image = load_image(write(tmp_path, firmware(build_id=BUILD_ID).build()))
    assert image.build_id == f"git={'ab' * 20},image={'cd' * 32},version=0.1.0"


def test_an_image_without_build_identity_has_none(tmp_path: Path) -> None:
    assert load_image(write(tmp_path, firmware(build_id=bytes(96)).build())).build_id == ""


def test_hex_and_elf_of_the_same_firmware_have_the_same_flash_hash(tmp_path: Path) -> None:
    elf = load_image(write(tmp_path, firmware().build()))
    records = IntelHex()
    records.frombytes(elf.segments[0].data)
    records.write_hex_file(str(tmp_path / "lan.hex"))
    image = load_image(tmp_path / "lan.hex")
    assert image.flash_sha256 == elf.flash_sha256
    assert image.sha256 != elf.sha256


def test_a_hex_file_refuses_to_guess_its_static_ram(tmp_path: Path) -> None:
    path = write(tmp_path, b":0400000001020304F2\n:00000001FF\n", "lan.hex")
    with pytest.raises(ImageError, match="static RAM is unknown"):
        _ = load_image(path).static_ram_bytes


def test_the_hash_read_back_from_a_device_equals_the_images(tmp_path: Path) -> None:
    image = load_image(write(tmp_path, firmware().build()))
    flash = bytearray(b"\xff" * 4096)
    for segment in image.segments:
        flash[segment.address : segment.stop] = segment.data
    read = read_back(image.segments, lambda address, size: bytes(flash[address : address + size]))
    assert flash_sha256(read) == image.flash_sha256
    flash[70] ^= 1
    read = read_back(image.segments, lambda address, size: bytes(flash[address : address + size]))
    assert flash_sha256(read) != image.flash_sha256


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(share=st.floats(0, 0.999))
def test_every_truncation_of_an_elf_is_refused(tmp_path: Path, share: float) -> None:
    content = firmware(build_id=BUILD_ID).build()
    path = write(tmp_path, content[: int(len(content) * share)])
    with pytest.raises(ImageError):
        load_image(path)


def test_a_truncated_elf_says_how_long_it_should_be(tmp_path: Path) -> None:
    content = firmware().build()
    with pytest.raises(
        ImageError, match=rf"truncated: it has 300 bytes, its headers speak of {len(content)}"
    ):
        load_image(write(tmp_path, content[:300]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(position=st.integers(0, 4000), value=st.integers(0, 255))
def test_a_damaged_elf_is_read_or_refused_but_never_crashes(
    tmp_path: Path, position: int, value: int
) -> None:
    content = bytearray(firmware(build_id=BUILD_ID).build())
    content[position % len(content)] = value
    try:
        load_image(write(tmp_path, bytes(content)))
    except ImageError:
        return


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"not firmware", "neither ELF nor Intel HEX"),
        (b":0400000001020304F3\n:00000001FF\n", "Intel HEX"),
        (b":0400000001020304F2\n", "end-of-file record is missing"),
        (b":00000001FF\n", "nothing to put into flash"),
        (Elf(machine=62).build(), "not for a Cortex-M"),
        (Elf(kind=1).build(), "not a linked executable"),
        (Elf().build(), "nothing to put into flash"),
    ],
    ids=["empty", "text", "bad-checksum", "hex-truncated", "hex-empty", "x86", "object", "no-segments"],
)
def test_what_is_not_an_arm_image_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        load_image(write(tmp_path, content, "thing"))


def test_a_missing_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="can't read firmware image"):
        load_image(tmp_path / "none.elf")


def test_an_image_fits_its_own_chip_and_no_other(tmp_path: Path) -> None:
    image = load_image(write(tmp_path, firmware().build()))
    check_fits(image, board())
    with pytest.raises(ImageError, match=r"72 bytes at 0x00000000.*flash of this board is 0x08000000"):
        check_fits(image, board(flash=(0x0800_0000, 0x0810_0000)))
    with pytest.raises(ImageError, match=r"a stack of 4096 bytes at 0x2003f000"):
        check_fits(image, board(ram=(0x2000_0000, 0x2001_0000)))
    with pytest.raises(ImageError, match="72 bytes"):
        check_fits(image, board(flash=(0, 71)))
