/* Time and sleep by RTC1 (Product Specification, chapter RTC): 24 bits at 32,768 Hz, extended by counting overflows. */
#include "nrf52840.h"
#include "port.h"
#include "registers.h"
#include "startup.h"

#define COUNTER_BITS 24u
#define COUNTER_MASK ((1u << COUNTER_BITS) - 1u)
/* A compare value must lie at least this far ahead to be sure of an event (chapter RTC, "Compare feature"). */
#define COMPARE_MARGIN 2u

static volatile uint32_t s_overflows;

void rtc_start(void) {
    RTC1_TASKS_STOP = 1u;
    RTC1_TASKS_CLEAR = 1u;
    RTC1_PRESCALER = 0u;
    RTC1_EVENTS_OVRFLW = 0u;
    RTC1_EVENTS_COMPARE0 = 0u;
    RTC1_INTENSET = RTC_INT_OVRFLW;
    nvic_enable(IRQ_RTC1);
    RTC1_TASKS_START = 1u;
}

void rtc_irq(void) {
    if (RTC1_EVENTS_OVRFLW != 0u) {
        RTC1_EVENTS_OVRFLW = 0u;
        s_overflows = s_overflows + 1u;
    }
    if (RTC1_EVENTS_COMPARE0 != 0u) {
        RTC1_EVENTS_COMPARE0 = 0u;
        RTC1_INTENCLR = RTC_INT_COMPARE0;
    }
    (void)RTC1_EVENTS_COMPARE0; /* the write has reached the peripheral before the handler returns */
}

uint64_t port_now(void) {
    const uint32_t primask = irq_mask();
    uint32_t high = s_overflows;
    uint32_t low = RTC1_COUNTER;
    if (RTC1_EVENTS_OVRFLW != 0u) { /* wrapped, not counted yet; `low` may be from before */
        high++;
        low = RTC1_COUNTER;
    }
    irq_restore(primask);
    return ((uint64_t)high << COUNTER_BITS) | (low & COUNTER_MASK);
}

void rtc_sleep(uint64_t tick) {
    const uint32_t primask = irq_mask();
    if (tick - port_now() < COUNTER_MASK / 2u) { /* further away the overflow interrupt wakes us first, to look again */
        RTC1_EVENTS_COMPARE0 = 0u;
        RTC1_CC0 = (uint32_t)tick & COUNTER_MASK;
        RTC1_INTENSET = RTC_INT_COMPARE0;
    }
    /* Looked at again with CC set: an interrupt or a debugger may have come between, and a compare value that was
     * missed would not be met before the counter has gone round (512 s). Within the margin: at most 61 us awake. */
    if (port_now() + COMPARE_MARGIN <= tick) {
        sleep_masked();
    }
    irq_restore(primask);
}

void port_sleep_until(uint64_t tick) {
    while (port_now() < tick) {
        rtc_sleep(tick);
    }
}
