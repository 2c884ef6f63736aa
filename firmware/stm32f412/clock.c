/* System clock (RM0402, chapters RCC, FLASH and PWR): the PLL on the internal 16 MHz oscillator. That one runs again by
 * itself after Stop mode, is within 1 % at room temperature (good enough for a UART; time is the crystal's), and needs
 * no ST-LINK to feed it.
 *
 * Why 64 MHz: the energy of one inference, on the virtual chip at 1.8 V (its currents are unconfirmed), is a flat
 * function. 16 MHz without PLL, no wait states: 23.0 uJ in 6.7 ms; with PLL, 32 MHz 23.7 uJ, 48 MHz 22.9 uJ, 64 MHz
 * 22.7 uJ in 1.8 ms. Beyond lie the regulator's higher scales, which raise the core voltage for every cycle, and more
 * wait states: 84 MHz 24.5 uJ, 100 MHz 25.9 uJ in 1.3 ms. */
#include "port.h"
#include "registers.h"
#include "stm32f412.h"

#define HSI_HZ 16000000u

/* PLL: input 2 MHz (least jitter), VCO at a multiple of the core's clock. */
#define PLL_M 8u
#define PLL_P (LAN_CYCLE_HZ >= 50000000u ? 2u : 4u)
#define PLL_INPUT_HZ (HSI_HZ / PLL_M)
#define PLL_N (PLL_P * LAN_CYCLE_HZ / PLL_INPUT_HZ)
_Static_assert(PLL_N * PLL_INPUT_HZ == PLL_P * LAN_CYCLE_HZ && PLL_N >= 50u && PLL_N <= 216u, "VCO: 100 to 432 MHz");

/* At 1.8 V the flash is read in 16 MHz steps (RM0402, "Number of wait states", 1.71 V to 2.1 V). */
#define WAIT_STATES ((LAN_CYCLE_HZ - 1u) / 16000000u)
/* Regulator scale 3 up to 64 MHz, 2 up to 84 MHz, 1 up to 100 MHz (RM0402, PWR_CR). */
#define VOS_SCALE (LAN_CYCLE_HZ <= 64000000u ? 3u : LAN_CYCLE_HZ <= 84000000u ? 2u : 1u)
_Static_assert(LAN_CYCLE_HZ <= 100000000u, "the part's limit");

/* APB1 up to 50 MHz */
#define PCLK1_DIVIDER (LAN_CYCLE_HZ > 50000000u ? 2u : 1u)

void clock_start(void) {
    RCC_APB1ENR |= RCC_APB1_PWR | RCC_APB1_RTCAPB;
    (void)RCC_APB1ENR; /* two cycles until the clock is there (RM0402, RCC) */
    PWR_CR = PWR_CR_VOS(VOS_SCALE) | PWR_CR_DBP | PWR_CR_LPDS | PWR_CR_LPLVDS | PWR_CR_FPDS;
    FLASH_ACR = WAIT_STATES | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    while ((FLASH_ACR & FLASH_ACR_LATENCY_MASK) != WAIT_STATES) {
    }
    RCC_PLLCFGR = PLL_M | (PLL_N << 6) | ((PLL_P / 2u - 1u) << 16) | (0u << 22) /* from HSI */ | (4u << 24) | (2u << 28);
    RCC_CFGR = PCLK1_DIVIDER == 2u ? RCC_CFGR_PPRE1_2 : 0u;
    clock_resume();
}

/* Asleep until the PLL has locked (100 to 200 us): the interrupt wakes the core, masked, and is never taken. No other
 * may be pending: the core would stay awake. */
void clock_resume(void) {
    const uint32_t primask = irq_mask();
    RCC_CIR = RCC_CIR_PLLRDYC | RCC_CIR_PLLRDYIE;
    nvic_enable(IRQ_RCC);
    RCC_CR |= RCC_CR_PLLON;
    while ((RCC_CR & RCC_CR_PLLRDY) == 0u) {
        cpu_sleep();
    }
    RCC_CIR = RCC_CIR_PLLRDYC;
    (void)RCC_CIR; /* the write has reached the peripheral before the pending bit is cleared */
    nvic_disable(IRQ_RCC);
    NVIC_ICPR(IRQ_RCC / 32u) = 1u << (IRQ_RCC % 32u);
    while ((PWR_CSR & PWR_CSR_VOSRDY) == 0u) { /* without the PLL the regulator is at scale 3, after Stop mode, too */
    }
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW_MASK) | RCC_CFGR_SW_PLL;
    while ((RCC_CFGR & RCC_CFGR_SWS_MASK) != RCC_CFGR_SWS_PLL) {
    }
    irq_restore(primask);
}

uint32_t clock_pclk1(void) {
    return ((RCC_CFGR & RCC_CFGR_SWS_MASK) == RCC_CFGR_SWS_PLL ? LAN_CYCLE_HZ : HSI_HZ) / PCLK1_DIVIDER;
}
