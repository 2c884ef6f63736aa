"""NVMC: only whole words, only ones to zeros, only when enabled; and the time it takes."""

from __future__ import annotations

import pytest

from pytest_lan_hil.virtual.silicon.nrf52840 import nvmc as flash
from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_US
from pytest_lan_hil.virtual.silicon.nrf52840.nvmc import FlashWriteError, Nvmc

READY, CONFIG, ERASEPAGE, ERASEALL, PARTIAL, PARTIALCFG = 0x400, 0x504, 0x508, 0x50C, 0x518, 0x51C


@pytest.fixture
def busy():
    return []


@pytest.fixture
def nvmc(rig, busy):
    nvmc = Nvmc(rig.fabric, rig.memory, stall=rig.run, on_busy=busy.append, on_cache=lambda on: None)
    nvmc.reset()
    return nvmc


def word(rig, address):
    return int.from_bytes(rig.memory.read_memory(address, 4), "little")


def test_writing_needs_wen(rig, nvmc):
    assert nvmc.store(0x1000, 0, 4) is False
    assert word(rig, 0x1000) == 0xFFFF_FFFF
    nvmc.write(CONFIG, 1, 4)
    assert nvmc.store(0x1000, 0x12345678, 4) is True
    assert word(rig, 0x1000) == 0x12345678


def test_writing_only_clears_bits(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1000, 0xFFFF_00FF, 4)
    nvmc.store(0x1000, 0x0F0F_FFFF, 4)
    assert word(rig, 0x1000) == 0x0F0F_00FF


@pytest.mark.parametrize(("address", "size"), [(0x1000, 1), (0x1000, 2), (0x1002, 4)])
def test_partial_words_are_refused(nvmc, address, size):
    nvmc.write(CONFIG, 1, 4)
    with pytest.raises(FlashWriteError, match="aligned words"):
        nvmc.store(address, 0, size)


def test_a_word_takes_41_us(rig, nvmc, busy):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1000, 0, 4)
    assert busy == [True]
    assert nvmc.ready_now() == 0
    rig.run(41 * TICKS_PER_US)
    assert nvmc.ready_now() == 1
    assert busy == [True, False]


def test_polling_ready_waits_instead_of_spinning(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1000, 0, 4)
    start = rig.now
    assert nvmc.read(READY, 4) == 0
    assert nvmc.read(READY, 4) == 1
    assert rig.now - start == 41 * TICKS_PER_US


def test_page_erase_needs_een_and_takes_85_ms(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1FFC, 0, 4)
    nvmc.store(0x2000, 0, 4)
    nvmc.write(ERASEPAGE, 0x1000, 4)
    assert word(rig, 0x1FFC) == 0
    nvmc.write(CONFIG, 2, 4)
    start = rig.now
    nvmc.write(ERASEPAGE, 0x1000, 4)
    assert rig.now - start >= 85_000 * TICKS_PER_US
    assert word(rig, 0x1FFC) == 0xFFFF_FFFF
    assert word(rig, 0x2000) == 0


def test_partial_erases_add_up_to_a_page_erase(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1000, 0, 4)
    nvmc.write(CONFIG, 2, 4)
    nvmc.write(PARTIALCFG, 50, 4)
    nvmc.write(PARTIAL, 0x1000, 4)
    assert word(rig, 0x1000) == 0
    nvmc.write(PARTIAL, 0x1000, 4)
    assert word(rig, 0x1000) == 0xFFFF_FFFF


def test_erase_all_takes_uicr_with_it(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x0, 0, 4)
    nvmc.store(flash.UICR_BASE + 0x208, 0, 4)
    nvmc.write(CONFIG, 2, 4)
    nvmc.write(ERASEALL, 1, 4)
    assert word(rig, 0x0) == word(rig, flash.UICR_BASE + 0x208) == 0xFFFF_FFFF


def test_profiling_counters_are_not_silently_zero(nvmc):
    from pytest_lan_hil.virtual.silicon.unmodelled import NotModelled

    with pytest.raises(NotModelled, match="hit rate"):
        nvmc.read(0x548, 4)
