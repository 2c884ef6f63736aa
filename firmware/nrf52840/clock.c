/* Clocks (Product Specification, chapter CLOCK). The 64 MHz clock runs by itself whenever something needs it, from the
 * internal oscillator; what is started and stopped here is the crystal that makes it exact. */
#include "nrf52840.h"
#include "port.h"
#include "registers.h"
#include "startup.h"

/* The crystal needs 0.25 s typically; after a second it is not there. */
#define LFXO_LIMIT_MS 1000u

void clock_start_low(void) {
    CLOCK_EVENTS_LFCLKSTARTED = 0u;
    CLOCK_LFCLKSRC = LFCLKSRC_XTAL;
    CLOCK_TASKS_LFCLKSTART = 1u;
    while ((CLOCK_LFCLKSTAT & LFCLKSTAT_RUNNING) == 0u) { /* less than 1 ms: the RC oscillator is on the chip */
    }
}

void clock_settle_low(void) {
    for (uint32_t ms = 0; ms < LFXO_LIMIT_MS; ms++) {
        port_sleep_until(port_now() + LAN_TICK_HZ / 1000u);
        if (CLOCK_EVENTS_LFCLKSTARTED != 0u) {
            return;
        }
    }
    CLOCK_TASKS_LFCLKSTOP = 1u;
    while ((CLOCK_LFCLKSTAT & LFCLKSTAT_RUNNING) != 0u) { /* the source may be changed only while the clock stands */
    }
    CLOCK_LFCLKSRC = LFCLKSRC_RC;
    CLOCK_TASKS_LFCLKSTART = 1u;
    while ((CLOCK_LFCLKSTAT & LFCLKSTAT_RUNNING) == 0u) {
    }
}

/* Asleep until the crystal runs: the interrupt wakes the core, masked, and is never taken. */
void clock_start_high(void) {
    const uint32_t primask = irq_mask();
    CLOCK_EVENTS_HFCLKSTARTED = 0u;
    CLOCK_INTENSET = CLOCK_INT_HFCLKSTARTED;
    nvic_enable(IRQ_POWER_CLOCK);
    CLOCK_TASKS_HFCLKSTART = 1u;
    while (CLOCK_EVENTS_HFCLKSTARTED == 0u) {
        sleep_masked();
    }
    CLOCK_INTENCLR = CLOCK_INT_HFCLKSTARTED;
    (void)CLOCK_INTENCLR; /* the write has reached the peripheral before the pending bit is cleared */
    nvic_disable(IRQ_POWER_CLOCK);
    NVIC_ICPR(IRQ_POWER_CLOCK / 32u) = 1u << (IRQ_POWER_CLOCK % 32u);
    irq_restore(primask);
}

void clock_stop_high(void) { CLOCK_TASKS_HFCLKSTOP = 1u; }
