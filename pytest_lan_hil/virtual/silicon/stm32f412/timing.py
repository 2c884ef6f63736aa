"""Times of the STM32F412: ticks, flash, oscillators, wake-up.

Documents: RM0402 (reference manual) and DS11139 (data sheet, typical values). The wait states were read in
two public texts that quote RM0402 (ChibiOS' limits for this line; ST's LL headers for 2.7 to 3.6 V). The
rest is from memory of the documents, which could not be read: unconfirmed.
"""

from __future__ import annotations

from pytest_lan_hil.virtual.silicon.blocks import FlashTiming

# A whole number of ticks for each cycle of 1, 2, 4, 8, 16, 25, 32, 48, 50, 64, 84, 96, 100 MHz and of 32,768
# Hz and 32 kHz. A clock for which it is none (72 MHz) runs at the nearest rate for which it is: off by 200
# ppm at most, and said in the chip's notes.
TICK_HZ = 268_800_000_000
TICKS_PER_US = TICK_HZ // 1_000_000

FLASH_BASE, FLASH_SIZE = 0x0800_0000, 0x10_0000
# RM0402, "Embedded flash memory interface": 128 bits wide, 64 lines of 128 bits for instructions.
FLASH_TIMING = FlashTiming(FLASH_BASE, FLASH_SIZE, 0, width_log2=4, line_log2=4, ways=64, sets=1)

# RM0402, "Number of wait states according to CPU clock frequency": from this VDD up, MHz of each wait state.
_STEPS_MHZ = (
    (2.7, (30, 64, 90, 100)),
    (2.4, (24, 48, 72, 96, 100)),
    (2.1, (18, 36, 54, 72, 90, 100)),
    (0.0, (16, 32, 48, 64, 80, 96, 100)),
)
# RM0402, PWR_CR.VOS: highest HCLK of regulator scale 1, 2 and 3.
SCALE_LIMITS_HZ = {1: 100_000_000, 2: 84_000_000, 3: 64_000_000}


def wait_states_needed(hclk_hz: int, supply_v: float) -> int:
    """Wait states that the flash needs; beyond 100 MHz one more than there are."""
    steps = next(steps for lowest_v, steps in _STEPS_MHZ if supply_v >= lowest_v)
    return sum(hclk_hz > mhz * 1_000_000 for mhz in steps)


# Oscillators (DS11139, electrical characteristics)
HSI_START_US = 2
HSE_START_US = 10  # bypass: the ST-LINK's MCO runs already
PLL_LOCK_US = 150  # 75 to 300 by the VCO's rate
LSE_START_US = 2_000_000
LSI_START_US = 15
VOS_READY_US = 40  # estimated: the data sheet gives no figure

# From Stop mode to the first instruction, by (low-power regulator, flash powered down)
STOP_WAKE_US = {(False, False): 13, (False, True): 105, (True, False): 21, (True, True): 113}
STANDBY_WAKE_US = 314
RESET_TO_CPU_US = 1500  # tRSTTEMPO

# Flash (DS11139, "Flash memory programming"), by PSIZE 0 to 3
PROGRAM_US = 16
ERASE_MS = {16: (400, 300, 250, 250), 64: (1200, 700, 550, 550), 128: (2000, 1300, 1000, 1000)}
MASS_ERASE_MS = (16_000, 11_000, 8_000, 8_000)
# Lowest supply for a PSIZE (RM0402, "Program/erase parallelism"; ChibiOS' limits say the same)
PSIZE_SUPPLY_V = (1.7, 2.1, 2.7, 2.7)

TIMING_NOTES = (
    f"unconfirmed timing: PLL locks in {PLL_LOCK_US} us, LSE starts in {LSE_START_US // 1_000_000} s, Stop "
    f"mode "
    f"wakes in {min(STOP_WAKE_US.values())} to {max(STOP_WAKE_US.values())} us, reset takes "
    f"{RESET_TO_CPU_US} us",
    f"unconfirmed timing: flash word {PROGRAM_US} us, sector erase {min(ERASE_MS[16])} ms to "
    f"{max(ERASE_MS[128])} ms",
    "a load from flash is told by the address it had when its block first ran; with the data cache it pays "
    "its share of "
    "a line of 16 bytes, whether the line is held or not",
    "prefetch hides what the average cycles of a line hide; contention of DMA and CPU for memories is not "
    "modelled",
)
