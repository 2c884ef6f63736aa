/* The RTC's clock (RM0402, chapter RCC, backup domain). The crystal goes on through a reset and needs up to seconds to
 * start after power on (DS11139: 2 s typical), so a running one is kept. */
#include "registers.h"
#include "stm32f412.h"

#define LSE_HZ 32768u
#define LSI_HZ 32000u /* nominal; the part's own may lie between 17 and 47 kHz */
#define LSE_LIMIT_S 5u

#define SYST_CSR LAN_REG(0xE000E010u)
#define SYST_RVR LAN_REG(0xE000E014u)
#define SYST_CVR LAN_REG(0xE000E018u)
#define SCS_ICSR LAN_REG(0xE000ED04u)
#define SYST_COUNTFLAG (1u << 16)
#define ICSR_PENDSTCLR (1u << 25)

static void select_source(uint32_t rtcsel) {
    RCC_BDCR |= rtcsel | RCC_BDCR_RTCEN;
}

/* The core runs from the internal 16 MHz oscillator here, and looks at every wake-up; SysTick is the only clock there is
 * yet, and 24 bits of it last one second. */
static int wait_for_crystal(void) {
    const uint32_t primask = irq_mask();
    RCC_CIR = RCC_CIR_LSERDYC | RCC_CIR_LSERDYIE;
    nvic_enable(IRQ_RCC);
    SYST_RVR = 16000000u - 1u;
    SYST_CVR = 0u;
    SYST_CSR = 7u; /* core clock, exception, on */
    uint32_t seconds = 0;
    while ((RCC_BDCR & RCC_BDCR_LSERDY) == 0u && seconds < LSE_LIMIT_S) {
        cpu_sleep();
        if ((SYST_CSR & SYST_COUNTFLAG) != 0u) {
            seconds++;
            SCS_ICSR = ICSR_PENDSTCLR;
        }
    }
    SYST_CSR = 0u;
    SCS_ICSR = ICSR_PENDSTCLR;
    RCC_CIR = RCC_CIR_LSERDYC;
    (void)RCC_CIR;
    nvic_disable(IRQ_RCC);
    NVIC_ICPR(IRQ_RCC / 32u) = 1u << (IRQ_RCC % 32u);
    irq_restore(primask);
    return (RCC_BDCR & RCC_BDCR_LSERDY) != 0u;
}

uint32_t clock_start_low(void) {
    const uint32_t kept = RCC_BDCR_LSERDY | RCC_BDCR_RTCSEL_LSE;
    if ((RCC_BDCR & (RCC_BDCR_LSERDY | RCC_BDCR_RTCSEL_MASK)) == kept) {
        select_source(RCC_BDCR_RTCSEL_LSE);
        return LSE_HZ;
    }
    RCC_BDCR = RCC_BDCR_BDRST; /* the source may be chosen once after a reset of the backup domain */
    RCC_BDCR = 0u;
    RCC_BDCR = RCC_BDCR_LSEON;
    if (wait_for_crystal()) {
        select_source(RCC_BDCR_RTCSEL_LSE);
        return LSE_HZ;
    }
    RCC_BDCR = 0u;
    RCC_CSR |= RCC_CSR_LSION;
    while ((RCC_CSR & RCC_CSR_LSIRDY) == 0u) { /* 40 us */
    }
    select_source(RCC_BDCR_RTCSEL_LSI);
    return LSI_HZ;
}
