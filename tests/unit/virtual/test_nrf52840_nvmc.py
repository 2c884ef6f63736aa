"""NVMC: only whole words, only ones to zeros, only when enabled; and the time it takes."""

from __future__ import annotations

import pytest

from pytest_lan_hil.virtual.silicon.nrf52840 import nvmc as flash
from pytest_lan_hil.virtual.silicon.nrf52840.fabric import TICKS_PER_US
from pytest_lan_hil.virtual.silicon.nrf52840.nvmc import Nvmc

READY, CONFIG, ERASEPAGE, ERASEALL, PARTIAL, PARTIALCFG = 0x400, 0x504, 0x508, 0x50C, 0x518, 0x51C
ICACHECNF, IHIT, IMISS = 0x540, 0x548, 0x54C


@pytest.fixture
def busy():
    return []


@pytest.fixture
def cache():
    """Hits and misses of the core's cache so far."""
    return [100, 10]


@pytest.fixture
def nvmc(rig, busy, cache):
    nvmc = Nvmc(
        rig.fabric,
        rig.memory,
        stall=rig.run,
        on_busy=busy.append,
        on_cache=lambda on: None,
        cache_counts=lambda: tuple(cache),
    )
    nvmc.reset()
    return nvmc


def word(rig, address):
    return int.from_bytes(rig.memory.read_memory(address, 4), "little")


def test_writing_needs_wen(rig, nvmc):
    assert not nvmc.may_store(0x1000, 4)
    nvmc.write(CONFIG, 1, 4)
    assert nvmc.may_store(0x1000, 4)
    nvmc.store(0x1000, 0x12345678)
    assert word(rig, 0x1000) == 0x12345678


def test_writing_only_clears_bits(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1000, 0xFFFF_00FF)
    nvmc.store(0x1000, 0x0F0F_FFFF)
    assert word(rig, 0x1000) == 0x0F0F_00FF


@pytest.mark.parametrize(("address", "size"), [(0x1000, 1), (0x1000, 2), (0x1002, 4)])
def test_partial_words_are_refused(nvmc, address, size):
    nvmc.write(CONFIG, 1, 4)
    assert not nvmc.may_store(address, size)


def test_a_word_takes_41_us(rig, nvmc, busy):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1000, 0)
    assert busy == [True]
    assert nvmc.ready_now() == 0
    rig.run(41 * TICKS_PER_US)
    assert nvmc.ready_now() == 1
    assert busy == [True, False]


def test_polling_ready_waits_instead_of_spinning(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1000, 0)
    start = rig.now
    assert nvmc.read(READY, 4) == 1
    assert rig.now - start == 41 * TICKS_PER_US


def test_page_erase_needs_een_and_takes_85_ms(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x1FFC, 0)
    nvmc.store(0x2000, 0)
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
    nvmc.store(0x1000, 0)
    nvmc.write(CONFIG, 2, 4)
    nvmc.write(PARTIALCFG, 50, 4)
    nvmc.write(PARTIAL, 0x1000, 4)
    assert word(rig, 0x1000) == 0
    nvmc.write(PARTIAL, 0x1000, 4)
    assert word(rig, 0x1000) == 0xFFFF_FFFF


def test_erase_all_takes_uicr_with_it(rig, nvmc):
    nvmc.write(CONFIG, 1, 4)
    nvmc.store(0x0, 0)
    nvmc.store(flash.UICR_BASE + 0x208, 0)
    nvmc.write(CONFIG, 2, 4)
    nvmc.write(ERASEALL, 1, 4)
    assert word(rig, 0x0) == word(rig, flash.UICR_BASE + 0x208) == 0xFFFF_FFFF


def test_profiling_counts_hits_and_misses_only_while_it_is_enabled(nvmc, cache):
    nvmc.write(ICACHECNF, 0x001, 4)
    cache[:] = [150, 20]
    assert (nvmc.read(IHIT, 4), nvmc.read(IMISS, 4)) == (0, 0)
    nvmc.write(ICACHECNF, 0x101, 4)
    cache[:] = [157, 23]
    assert (nvmc.read(IHIT, 4), nvmc.read(IMISS, 4)) == (7, 3)
    nvmc.write(IHIT, 0, 4)
    cache[:] = [160, 24]
    assert (nvmc.read(IHIT, 4), nvmc.read(IMISS, 4)) == (3, 4)
    nvmc.write(ICACHECNF, 0x001, 4)
    cache[:] = [999, 999]
    assert (nvmc.read(IHIT, 4), nvmc.read(IMISS, 4)) == (3, 4)
