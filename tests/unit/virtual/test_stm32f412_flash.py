"""STM32F412: flash controller, option bytes, and pyOCD's own algorithm on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyocd.core.helpers import ConnectHelper
from pyocd.core.session import Session
from pyocd.flash.loader import FlashLoader
from stm32_rig import ACR, FCR, FLASH, KEYR, OPTCR, SR, Chip

from pytest_lan_hil.virtual.board import VirtualBoard, acquire, release
from pytest_lan_hil.virtual.silicon.stm32f412.flash import SECTORS, sector_of

PG, SER, MER, STRT, LOCK = 1, 2, 4, 1 << 16, 1 << 31
X8, X32 = 0, 2 << 8
WRPERR, PGPERR, PGSERR, BSY = 1 << 4, 1 << 6, 1 << 7, 1 << 16
AT = FLASH + 0x2_0000


@pytest.fixture
def chip() -> Chip:
    return Chip()


def unlock(chip: Chip) -> None:
    for key in (0x4567_0123, 0xCDEF_89AB):
        chip.write(KEYR, key)


def test_sectors_cover_the_flash() -> None:
    assert sum(kib for _, kib in SECTORS) == 1024
    assert [sector_of(at) for at in (0, 0x3FFF, 0x4000, 0xFFFF, 0x1_0000, 0x1_FFFF, 0x2_0000, 0xF_FFFF)] == [
        0, 0, 1, 3, 4, 4, 5, 11,
    ]  # fmt: skip


def test_a_locked_controller_takes_nothing_but_sets_errors(chip: Chip) -> None:
    chip.write(FCR, PG | X32)
    assert chip.read(FCR) == LOCK
    chip.write(AT, 0x1234_5678)
    assert chip.read(SR) == PGSERR
    assert chip.read(AT) == 0xFFFF_FFFF
    chip.write(SR, PGSERR)
    assert chip.read(SR) == 0


def test_a_wrong_key_locks_until_the_next_reset(chip: Chip) -> None:
    chip.write(KEYR, 1)
    unlock(chip)
    assert chip.read(FCR) == LOCK
    chip.chip.reset("soft")
    unlock(chip)
    assert chip.read(FCR) == 0


def test_programming_clears_bits_takes_its_time_and_sets_none(chip: Chip) -> None:
    unlock(chip)
    chip.write(FCR, PG | X32)
    chip.write(AT, 0xFF00_FF00)
    assert chip.read(SR) == BSY
    chip.us(15)
    assert chip.read(SR) == BSY
    chip.us(2)
    assert chip.read(SR) == 0
    chip.write(AT, 0x0FFF_FFFF)
    chip.us(20)
    assert chip.read(AT) == 0x0F00_FF00


def test_the_width_of_a_store_must_be_that_of_psize(chip: Chip) -> None:
    unlock(chip)
    chip.write(FCR, PG | X8)
    chip.write(AT, 0, 4)
    assert chip.read(SR) == PGPERR
    chip.write(SR, PGPERR)
    chip.write(AT + 1, 0x5A, 1)
    chip.us(20)
    assert chip.read(AT) == 0xFFFF_5AFF


def test_without_pg_a_store_is_a_sequence_error(chip: Chip) -> None:
    unlock(chip)
    chip.write(AT, 0)
    assert chip.read(SR) == PGSERR


@pytest.mark.parametrize(("psize", "ms"), [(X8, 2000), (X32, 1000)])
def test_a_sector_erase_takes_the_time_of_its_psize(chip: Chip, psize: int, ms: int) -> None:
    chip.bus.write_memory(AT, b"\0\0\0\0")
    unlock(chip)
    chip.write(FCR, SER | 5 << 3 | psize | STRT)
    chip.us(1000 * ms - 100)
    assert chip.read(SR) == BSY
    assert chip.read(AT) == 0
    chip.us(200)
    assert chip.read(SR) == 0
    assert chip.read(AT) == 0xFFFF_FFFF
    assert chip.read(FCR) & STRT == 0


def test_a_power_cut_in_the_middle_of_an_erase_leaves_the_sector_and_unlocks_nothing(chip: Chip) -> None:
    chip.bus.write_memory(AT, b"\1\2\3\4")
    unlock(chip)
    chip.write(FCR, SER | 5 << 3 | STRT)
    chip.us(1000)
    chip.board.power_on_reset()
    chip.us(3_000_000)
    assert chip.memory(AT, 4) == b"\1\2\3\4"
    assert chip.read(FCR) == LOCK
    assert chip.read(SR) == 0


def test_a_write_protected_sector_takes_neither_write_nor_erase(chip: Chip) -> None:
    for key in (0x0819_2A3B, 0x4C5D_6E7F):
        chip.write(KEYR + 4, key)
    chip.write(OPTCR, chip.read(OPTCR) & ~(1 << 16 + 5) | 2)
    chip.us(500_000)
    unlock(chip)
    chip.write(FCR, PG | X32)
    chip.write(AT, 0)
    assert chip.read(SR) == WRPERR
    chip.write(SR, WRPERR)
    chip.write(FCR, SER | 5 << 3 | STRT)
    assert chip.read(SR) == WRPERR
    chip.chip.reset("soft")
    assert not chip.read(OPTCR) >> 16 + 5 & 1, "option bytes outlast a reset"


def test_words_at_a_low_supply_are_noted(chip: Chip) -> None:
    chip.board.set_supply(1.8)
    unlock(chip)
    chip.write(FCR, PG | X32)
    chip.write(AT, 0)
    assert "32 bits at a time at 1.8 V" in chip.notes("DS11139 allows")[0]


def test_the_flash_is_at_zero_as_well(chip: Chip) -> None:
    assert chip.memory(0, 8) == chip.memory(FLASH, 8)


def test_acr_keeps_what_is_written(chip: Chip) -> None:
    chip.write(ACR, 0x705)
    assert chip.read(ACR) == 0x705


def open_session(name: str) -> Session:
    session = ConnectHelper.session_with_chosen_probe(
        unique_id=f"virtual:{name}", blocking=False, options={"hide_programming_progress": True}
    )
    assert session is not None
    return session


def test_pyocd_erases_programs_and_verifies_with_its_own_algorithm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAN_HIL_VIRTUAL_STATE", str(tmp_path))
    data = bytes(range(251)) * 40
    with open_session("stm32f412-flash") as session:
        target = session.target
        assert target.part_number == "STM32F412xG"
        assert target.read32(0xE004_2000) == 0x3000_0441
        assert target.read16(0x1FFF_7A22) == 1024
        loader = FlashLoader(session, smart_flash=False, chip_erase="sector")
        loader.add_data(FLASH + 0x4000, data)
        loader.commit()
        assert bytes(target.read_memory_block8(FLASH + 0x4000, len(data))) == data
    board = acquire("stm32f412-flash")
    try:
        assert board.chip.bus.read_memory(FLASH + 0x4000, len(data)) == data, "kept between processes"
    finally:
        release(board)


def test_the_unique_number_follows_from_the_boards_name() -> None:
    numbers = []
    for name in ("stm32f412", "stm32f412-b", "stm32f412"):
        board = VirtualBoard(name)
        numbers.append([board.chip.core.debug_read(0x1FFF_7A10 + 4 * k, 4) for k in range(3)])
    assert numbers[0] == numbers[2] != numbers[1]
