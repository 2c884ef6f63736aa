/* Start-up order, quiet mode and sleep of the STM32F412. */
#include "port.h"

#include "registers.h"
#include "startup.h"
#include "stm32f412.h"

#define SCR_SLEEPDEEP (1u << 2)

static uint32_t s_quiet;
static uint64_t s_asleep;

static uint32_t mode(uint32_t pin, uint32_t value) { return value << (2u * pin); }

/* Every pin that nothing is said about is analog: floating inputs draw current (DS11139, conditions of the supply
 * current tables). SWD keeps PA13 and PA14. */
static void pins_start(void) {
    RCC_AHB1ENR |= RCC_AHB1_GPIO_ALL;
    (void)RCC_AHB1ENR;
    for (uint32_t port = PORT_A; port <= PORT_H; port++) {
        uint32_t modes = 0xFFFFFFFFu;
        if (port == PORT_A) {
            modes &= ~(mode(13u, 3u) | mode(14u, 3u)) | mode(13u, GPIO_ALTERNATE) | mode(14u, GPIO_ALTERNATE);
        } else if (port == PORT_F) {
            GPIO_BSRR(port) = ((1u << PIN_INFERENCE) | (1u << PIN_PHASE)) << 16;
            modes &= ~(mode(PIN_INFERENCE, 3u) | mode(PIN_PHASE, 3u)) | mode(PIN_INFERENCE, GPIO_OUTPUT) |
                     mode(PIN_PHASE, GPIO_OUTPUT);
        }
        GPIO_MODER(port) = modes;
    }
    RCC_AHB1ENR = (RCC_AHB1ENR & ~RCC_AHB1_GPIO_ALL) | RCC_AHB1_GPIO(PORT_F);
}

void port_start(void) {
    SCS_VTOR = 0x08000000u; /* not the alias at 0, which depends on the boot pins */
    RCC_APB1ENR |= RCC_APB1_PWR | RCC_APB1_RTCAPB;
    (void)RCC_APB1ENR;
    PWR_CR |= PWR_CR_DBP; /* the backup domain may be written */
    pins_start();
    rtc_start(clock_start_low()); /* while the internal oscillator runs the core: it may take seconds */
    clock_start();
    uart_start();
}

void port_quiet_enter(void) {
    uart_stop();
    DBGMCU_CR = 0u; /* a debugger leaves clocks running in Stop mode, and no reset but power on clears that */
    s_quiet = 1u;
}

void port_quiet_leave(void) {
    s_quiet = 0u;
    uart_start();
}

/* Handlers of what is pending run here, for callers that have interrupts masked. */
static void take_pending(void) { __asm volatile("cpsie i\n isb\n cpsid i" ::: "memory"); }

/* Stop mode stops the UART, too: only in quiet mode. What ended it is handled before the PLL is waited for: pending and
 * masked it would end every WFI of that wait at once. */
void sleep_masked(void) {
    const uint64_t from = port_now();
    if (s_quiet != 0u) {
        SCS_SCR |= SCR_SLEEPDEEP;
        cpu_sleep();
        SCS_SCR &= ~SCR_SLEEPDEEP;
        take_pending();
        clock_resume(); /* asleep as well */
    } else {
        cpu_sleep();
    }
    s_asleep += port_now() - from;
}

uint64_t port_asleep(void) {
    const uint32_t primask = irq_mask();
    const uint64_t asleep = s_asleep;
    irq_restore(primask);
    return asleep;
}

/* The sensor hangs on the ADC, which this port leaves off: it would need the supply's true voltage for its reference. */
int port_temperature(int32_t *millidegrees) {
    (void)millidegrees;
    return 0;
}
