"""Times of the nRF52840 that belong to no single peripheral: flash, cache, wake-up, reset."""

from __future__ import annotations

from pytest_lan_hil.virtual.silicon.blocks import FlashTiming
from pytest_lan_hil.virtual.silicon.nrf52840.clock_power import HFXO_START_US, LFXO_START_US
from pytest_lan_hil.virtual.silicon.nrf52840.nvmc import FLASH_SIZE, WRITE_US

# Chapters "CPU" and "NVMC". Unconfirmed, all four: 2 wait states (Nordic's nrfx, soc/nrfx_coredep_defs.h,
# counts as many on the nRF52 parts without a cache), a 64-bit flash interface, a 2 KiB two-way cache with
# lines of 16 bytes. Data reads from flash pass the cache by and wait each time.
FLASH_TIMING = FlashTiming(base=0, size=FLASH_SIZE, wait_states=2, width_log2=3, line_log2=4, ways=2, sets=64)
IDLE_TO_CPU_US = 3  # System ON idle to the first instruction, 64 MHz clock started; unconfirmed
HOPELESS_US = 200  # from a reset to the next lockup
RESET_TO_CPU_US = 60  # from the end of a reset to the first instruction; unconfirmed
TIMING_NOTES = (
    "unconfirmed timing: flash with 2 wait states, a 64-bit interface and a 2 KiB two-way instruction cache",
    f"unconfirmed timing: to the first instruction {IDLE_TO_CPU_US} us from System ON idle, "
    f"{RESET_TO_CPU_US} us from a reset",
    f"unconfirmed timing: crystal oscillators start in {HFXO_START_US} us (HFXO) and "
    f"{LFXO_START_US // 1000} ms (LFXO), word write {WRITE_US} us",
    "a load from flash is told by the address it had when its block first ran",
)
